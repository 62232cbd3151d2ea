//! Deliveries as their owner reads them, the newest first.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::domain::webhook::{Attempt, DeliveryState, EndpointKey};
use crate::store::db::row::Place;
use crate::store::tasks::events::Key;
use crate::store::{Error, Pool};

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whose event.
    pub task_id: TaskId,
    /// Which.
    pub seq: u64,
    /// The event's id.
    pub event_id: Uuid,
    /// When it was recorded.
    pub recorded_at: Time,
    /// What became of it.
    pub state: DeliveryState,
    /// When it is tried next, or taken for dead; of one that is pending alone.
    pub due_at: Option<Time>,
    /// How many attempts were begun.
    pub attempt: u32,
    /// What became of the latest of them.
    pub attempts: Vec<Attempt>,
    /// The beginning of the last answer.
    pub answer: Option<String>,
}

/// A delivery in a list, by its place and its event's id; one that cannot be read takes no other along.
#[derive(Debug)]
pub struct Listed {
    /// Its place in the list.
    pub place: After,
    /// The event's id.
    pub event_id: Uuid,
    /// What is stored.
    pub delivery: Result<Delivery, Error>,
}

/// Which deliveries of an endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Those of one task.
    pub task_id: Option<TaskId>,
    /// Those in one state.
    pub state: Option<DeliveryState>,
}

/// The last delivery of the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// When its event was recorded.
    pub recorded_at: Time,
    /// Whose event.
    pub task_id: TaskId,
    /// Which.
    pub seq: u64,
}

/// Up to `limit` deliveries of an endpoint after `after`, the newest event first. Those that failed have an index
/// of their own, as they are few.
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
        // A caller's own number: beyond the last there is nothing, however far.
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
        Ok(Listed { place, event_id: row.event_id, delivery: Delivery::try_from(row) })
    });
    listed.collect()
}

/// The delivery of the event with this id to an endpoint.
pub async fn find(pool: &Pool, key: &EndpointKey, event_id: Uuid) -> Result<Option<Delivery>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"/* search: delivery of an event */
           select task_id, seq, event_id, recorded_at, state, due_at, attempt, attempts::text as "attempts!", answer
           from webhook_deliveries where event_id = $3 and owner_id = $1 and endpoint_id = $2"#,
        key.owner.id(),
        key.id.as_str(),
        event_id,
    );
    row.fetch_optional(pool).await?.map(Delivery::try_from).transpose()
}

/// Selects a page: the mark before the statement, a further condition, and its parameters, from $7.
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
            event_id: row.event_id,
            recorded_at: row.recorded_at.into(),
            state: state.ok_or_else(|| place.impossible("a state that is none"))?,
            due_at: row.due_at.map(Time::from),
            attempt: place.unsigned(row.attempt)?,
            attempts: place.json(&row.attempts)?,
            answer: row.answer,
        })
    }
}
