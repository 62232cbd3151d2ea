//! Deliveries as their owner reads them, the newest first.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::values::id::{EventId, TaskId};
use crate::domain::values::time::Time;
use crate::domain::webhook::{Attempt, DeliveryState, EndpointKey};
use crate::store::db::row::Place;
use crate::store::tasks::events::Key;
use crate::store::{Error, Pool};

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The task of the event.
    pub task_id: TaskId,
    /// The `seq` of the event.
    pub seq: u64,
    /// The event's id.
    pub event_id: EventId,
    /// When it was recorded.
    pub recorded_at: Time,
    /// The state of the delivery.
    pub state: DeliveryState,
    /// When it is attempted next, or when its lease ends; only if it is pending.
    pub due_at: Option<Time>,
    /// The number of attempts that were started.
    pub attempt: u32,
    /// The latest attempts.
    pub attempts: Vec<Attempt>,
    /// The beginning of the last answer.
    pub answer: Option<String>,
}

/// A delivery in a list, with its position and its event's id. One that cannot be read does not
/// affect others.
#[derive(Debug)]
pub struct Listed {
    /// Its position in the list.
    pub place: After,
    /// The event's id.
    pub event_id: EventId,
    /// The stored delivery.
    pub delivery: Result<Delivery, Error>,
}

/// A filter for the deliveries of an endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Deliveries of one task.
    pub task_id: Option<TaskId>,
    /// Deliveries in one state.
    pub state: Option<DeliveryState>,
}

/// The last delivery of the previous page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// When its event was recorded.
    pub recorded_at: Time,
    /// The task of the event.
    pub task_id: TaskId,
    /// The `seq` of the event.
    pub seq: u64,
}

/// Lists up to `limit` deliveries of an endpoint after `after`, the newest event first. Failed ones
/// have an index of their own, since they are few.
pub async fn list(
    pool: &Pool,
    key: &EndpointKey,
    filter: Filter,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<Listed>, Error> {
    let (owner, id) = (key.owner.id(), key.id.as_str());
    let after = (
        after.map(|after| after.recorded_at.utc()),
        after.map(|after| after.task_id.0),
        // The caller chooses the number. One beyond the column's range is beyond the last row.
        after.map(|after| i64::try_from(after.seq).unwrap_or(i64::MAX)),
    );
    let (state, limit) = (filter.state.map(DeliveryState::as_str), i64::from(limit));
    let rows = match (filter.task_id, filter.state) {
        (Some(task), _) => {
            select_page!(
                "",
                "and task_id = $7 and ($8::text is null or state = $8)",
                owner,
                id,
                after,
                limit,
                task.0,
                state
            )
            .fetch_all(pool)
            .await?
        }
        (None, Some(DeliveryState::Failed)) => {
            select_page!(
                "/* search: failed deliveries of an endpoint */",
                "and state = 'failed'",
                owner,
                id,
                after,
                limit
            )
            .fetch_all(pool)
            .await?
        }
        (None, Some(DeliveryState::Pending | DeliveryState::Delivered) | None) => {
            select_page!(
                "/* search: deliveries of an endpoint */",
                "and ($7::text is null or state = $7)",
                owner,
                id,
                after,
                limit,
                state
            )
            .fetch_all(pool)
            .await?
        }
    };
    let listed = rows.into_iter().map(|row| {
        let seq = Place { table: "webhook_deliveries", key: Key(row.task_id, row.seq) }.unsigned(row.seq)?;
        let place = After { recorded_at: row.recorded_at.into(), task_id: TaskId(row.task_id), seq };
        Ok(Listed { place, event_id: EventId(row.event_id), delivery: Delivery::try_from(row) })
    });
    listed.collect()
}

/// Finds the delivery of the event with this id to an endpoint.
pub async fn find(pool: &Pool, key: &EndpointKey, event_id: EventId) -> Result<Option<Delivery>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"/* search: delivery of an event */
           select task_id, seq, event_id, recorded_at, state, due_at, attempt, attempts::text as "attempts!", answer
           from webhook_deliveries where event_id = $3 and owner_id = $1 and endpoint_id = $2"#,
        key.owner.id(),
        key.id.as_str(),
        event_id.0,
    );
    row.fetch_optional(pool).await?.map(Delivery::try_from).transpose()
}

/// Selects a page. The arguments are the mark before the statement, a further condition, and its
/// parameters, from $7.
macro_rules! select_page {
    ($mark:literal, $and:literal, $owner:expr, $id:expr, $after:expr, $limit:expr $(, $parameter:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            $mark + r#" select task_id, seq, event_id, recorded_at, state, due_at, attempt, attempts::text as "attempts!", answer
               from webhook_deliveries
               where owner_id = $1 and endpoint_id = $2 and (recorded_at, task_id, seq) < (
                   coalesce($3, 'infinity'::timestamptz),
                   coalesce($4, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid),
                   coalesce($5, 9223372036854775807)) "# + $and + " order by recorded_at desc, task_id desc, seq desc limit $6",
            $owner, $id, $after.0, $after.1, $after.2, $limit $(, $parameter)*
        )
    };
}
use select_page;

struct Row {
    task_id: Uuid,
    seq: i64,
    event_id: Uuid,
    recorded_at: DateTime<Utc>,
    state: String,
    due_at: Option<DateTime<Utc>>,
    attempt: i32,
    attempts: String,
    answer: Option<String>,
}

impl TryFrom<Row> for Delivery {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let place = Place { table: "webhook_deliveries", key: Key(row.task_id, row.seq) };
        let state = DeliveryState::ALL.into_iter().find(|state| state.as_str() == row.state);
        Ok(Self {
            task_id: TaskId(row.task_id),
            seq: place.unsigned(row.seq)?,
            event_id: EventId(row.event_id),
            recorded_at: row.recorded_at.into(),
            state: state.ok_or_else(|| place.impossible("an unknown state"))?,
            due_at: row.due_at.map(Time::from),
            attempt: place.unsigned(row.attempt)?,
            attempts: place.json(&row.attempts)?,
            answer: row.answer,
        })
    }
}
