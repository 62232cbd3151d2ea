//! Pending deliveries: found when they are due, taken by one worker at a time, and settled by the
//! one that took them.
//!
//! **Lines.** The deliveries of one task's events to one endpoint form a line. Only its head, the
//! oldest pending row, is ever taken. Nothing is locked between statements. Taking the head raises
//! its `attempt` and sets `due_at` to the end of the lease. A result counts only while `attempt` is
//! still that number. The rest of the line waits, without being found, until the head is due again.
//! It has not been attempted, so it may be taken at any time once it is the head.
//!
//! **Plans.** The share of pending rows changes faster than the statistics, and Postgres keeps a
//! plan that it made when few were pending. The statements are written so that no plan can go
//! wrong. A query of its own reads the head and returns its key. Where the key is known, "pending"
//! is written as `due_at is not null`, which keeps the planner from the indexes of pending rows.
//! The time of the event stands beside the key, so that the index of an endpoint's deliveries leads
//! to one row as well.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::values::id::{EventId, TaskId};
use crate::domain::values::time::Time;
use crate::domain::webhook::{Attempt, DeliveryState, EndpointKey, Owner};
use crate::store::db::row::{Place, bigint, to_json};
use crate::store::tasks::events::Key;
use crate::store::{Error, Pool};

use super::endpoints::{self, Secrets};

mod bulk;
mod list;
mod next;
mod successes;

pub use self::bulk::{Row, count_settled, give_up, list_pending, list_settled, list_waiting, renew};
pub use list::{After, Delivery, Filter, Listed, find, list};
pub use next::find_next_due;
pub use successes::list_successes;

/// The deliveries of one task's events to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The task.
    pub task_id: TaskId,
    /// The endpoint.
    pub endpoint: EndpointKey,
}

/// A line with something due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The line.
    pub line: Line,
    /// Since when it is due.
    pub due_at: Time,
    /// Whether the last attempt at the endpoint failed.
    pub is_failing: bool,
}

/// What to search for.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The current time.
    pub at: Time,
    /// How many rows of each endpoint to look at; one for an endpoint that fails.
    pub each: u32,
    /// Whether to include endpoints that fail.
    pub failing: bool,
    /// Endpoints to leave out.
    pub except: &'a [EndpointKey],
    /// Owners whose endpoints are all left out.
    pub except_owners: &'a [Owner],
    /// The most rows in all.
    pub limit: u32,
}

/// Lists lines with something due, of endpoints that are enabled and not paused.
///
/// Each owner's longest due come first, and the first of each owner comes before the second of any,
/// so that one backlog cannot fill the result. A line can occur more than once.
pub async fn list_due(pool: &Pool, search: &Search<'_>) -> Result<Vec<Due>, Error> {
    let (owners, ids): (Vec<Uuid>, Vec<String>) =
        search.except.iter().map(|key| (key.owner.id(), key.id.as_str().to_owned())).unzip();
    let full: Vec<Uuid> = search.except_owners.iter().map(|owner| owner.id()).collect();
    let rows = sqlx::query!(
        r#"/* search: due deliveries */
           select endpoint.owner_id, endpoint.id, endpoint.failures > 0 as "is_failing!", due.task_id, due.due_at as "due_at!"
           from webhook_endpoints endpoint
           cross join lateral (
               select task_id, due_at from webhook_deliveries delivery
               where delivery.owner_id = endpoint.owner_id and delivery.endpoint_id = endpoint.id
                   and delivery.state = 'pending' and delivery.due_at <= $1
               order by delivery.due_at limit case endpoint.failures when 0 then $2::bigint else 1 end
           ) due
           where endpoint.state = 'enabled' and (endpoint.paused_until is null or endpoint.paused_until <= $1)
               and (endpoint.failures = 0 or $3)
               and (endpoint.owner_id, endpoint.id) not in (select * from unnest($4::uuid[], $5::text[]))
               and endpoint.owner_id <> all ($6::uuid[])
           order by row_number() over (partition by endpoint.owner_id order by due.due_at), due.due_at limit $7"#,
        search.at.utc(),
        i64::from(search.each),
        search.failing,
        &owners,
        &ids,
        &full,
        i64::from(search.limit),
    );
    let rows = rows.fetch_all(pool).await?.into_iter().map(|row| {
        let place = Place { table: "webhook_endpoints", key: endpoints::Key(row.owner_id, &row.id) };
        let endpoint = EndpointKey { owner: Owner::of(row.owner_id), id: endpoints::endpoint_id(place)? };
        let line = Line { task_id: TaskId(row.task_id), endpoint };
        Ok(Due { line, due_at: row.due_at.into(), is_failing: row.is_failing })
    });
    rows.collect()
}

/// Lists lines with something due of these endpoints, up to so many rows of each. A line can occur
/// more than once.
pub async fn list_due_of(pool: &Pool, at: Time, endpoints: &[(EndpointKey, u32)]) -> Result<Vec<Due>, Error> {
    let (mut owners, mut ids, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    for (endpoint, limit) in endpoints {
        owners.push(endpoint.owner.id());
        ids.push(endpoint.id.as_str().to_owned());
        limits.push(i64::from(*limit));
    }
    let rows = sqlx::query!(
        r#"/* search: due deliveries of endpoints */
           select wanted.at as "at!", due.task_id, due.due_at as "due_at!"
           from unnest($2::uuid[], $3::text[], $4::bigint[]) with ordinality as wanted (owner_id, id, most, at)
           cross join lateral (
               select task_id, due_at from webhook_deliveries delivery
               where delivery.owner_id = wanted.owner_id and delivery.endpoint_id = wanted.id
                   and delivery.state = 'pending' and delivery.due_at <= $1
               order by delivery.due_at limit wanted.most
           ) due
           order by wanted.at, due.due_at"#,
        at.utc(),
        &owners,
        &ids,
        &limits,
    );
    let rows = rows.fetch_all(pool).await?.into_iter().filter_map(|row| {
        let (endpoint, _) = endpoints.get(usize::try_from(row.at - 1).ok()?)?;
        let line = Line { task_id: TaskId(row.task_id), endpoint: endpoint.clone() };
        Some(Due { line, due_at: row.due_at.into(), is_failing: false })
    });
    Ok(rows.collect())
}

/// The head of a line that was taken to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The `seq` of the event.
    pub seq: u64,
    /// When the event was recorded.
    pub recorded_at: Time,
    /// The id by which the receiver knows the event.
    pub event_id: EventId,
    /// The number of this attempt, counted over all attempts.
    pub attempt: i32,
    /// How many attempts were made before the delivery was last requested.
    pub earlier: i32,
    /// The latest attempts; empty if they cannot be read, since they are only shown.
    pub attempts: Vec<Attempt>,
    /// The URL to send to.
    pub url: String,
    /// The secrets to sign with; `None` if they cannot be read, so that nothing can be signed.
    pub secrets: Option<Secrets>,
    /// How many attempts at the endpoint have failed in a row.
    pub failures: u32,
    /// The span of the request that caused the event, if one is known.
    pub traceparent: Option<String>,
    /// Whether that was a request of the endpoint's owner.
    pub continues_trace: bool,
}

/// Takes the head of a line until `until`, if it may be attempted now and its endpoint is enabled.
pub async fn take(pool: &Pool, line: &Line, now: Time, until: Time) -> Result<Option<Taken>, Error> {
    let row = sqlx::query_as!(
        TakenRow,
        r#"update webhook_deliveries delivery set attempt = delivery.attempt + 1, due_at = $5, under_way = true
           from webhook_endpoints endpoint
           where delivery.task_id = $1 and delivery.owner_id = $2 and delivery.endpoint_id = $3
               and (delivery.seq, delivery.recorded_at, delivery.attempt) = (
                   select seq, recorded_at, attempt from webhook_deliveries
                   where task_id = $1 and owner_id = $2 and endpoint_id = $3 and state = 'pending'
                   order by seq limit 1)
               and delivery.due_at is not null
               and (delivery.due_at <= $4 or delivery.attempt = delivery.earlier)
               and endpoint.owner_id = $2 and endpoint.id = $3 and endpoint.state = 'enabled'
           returning delivery.seq, delivery.recorded_at, delivery.event_id, delivery.attempt, delivery.earlier, delivery.attempts::text as "attempts!",
               endpoint.url, endpoint.secret as "secret!", endpoint.secret_created_at as "secret_created_at!", endpoint.next_secret,
               endpoint.next_secret_created_at, endpoint.failures, delivery.traceparent, delivery.continues_trace"#,
        line.task_id.0,
        line.endpoint.owner.id(),
        line.endpoint.id.as_str(),
        now.utc(),
        until.utc(),
    );
    row.fetch_optional(pool).await?.map(|row| row.taken(line)).transpose()
}

/// Makes the rest of a line wait until its head is due.
pub async fn park(pool: &Pool, line: &Line) -> Result<(), Error> {
    let parked = sqlx::query!(
        "with head as materialized (
             select seq, due_at from webhook_deliveries
             where task_id = $1 and owner_id = $2 and endpoint_id = $3 and state = 'pending'
             order by seq limit 1
         )
         update webhook_deliveries delivery set due_at = head.due_at
         from head
         where delivery.task_id = $1 and delivery.owner_id = $2 and delivery.endpoint_id = $3 and delivery.state = 'pending'
             and delivery.seq > head.seq and delivery.due_at < head.due_at",
        line.task_id.0,
        line.endpoint.owner.id(),
        line.endpoint.id.as_str(),
    );
    parked.execute(pool).await?;
    Ok(())
}

/// The result of a delivery that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    /// The new state.
    pub state: DeliveryState,
    /// When it may be attempted again; only if it is pending.
    pub due_at: Option<Time>,
    /// The latest attempts, including this one.
    pub attempts: &'a [Attempt],
    /// The beginning of the answer, if there was one.
    pub answer: Option<&'a str>,
}

/// Records the result of a delivery and returns whether more of its line is pending.
///
/// Returns `None` if the result no longer counts: the lease ended, or the delivery was requested
/// again. A failure at a URL that the endpoint no longer has causes no delay: the next attempt is
/// due at `now`. An answer is not kept if its task was erased after the body was made.
pub async fn settle(
    pool: &Pool,
    line: &Line,
    taken: &Taken,
    (settled, now): (Settled<'_>, Time),
) -> Result<Option<bool>, Error> {
    let more = sqlx::query_scalar!(
        r#"update webhook_deliveries set state = $7, attempts = $9::text::json, under_way = false,
               answer = case when under_way then coalesce($10, answer) end,
               traceparent = case $7 when 'pending' then traceparent end,
               continues_trace = case $7 when 'pending' then continues_trace end,
               due_at = case when $8::timestamptz is null then null when exists (
                       select from webhook_endpoints endpoint
                       where endpoint.owner_id = $3 and endpoint.id = $4 and endpoint.url <> $12)
                   then least($8, $13) else $8 end
           where task_id = $1 and seq = $2 and owner_id = $3 and endpoint_id = $4 and recorded_at = $11
               and attempt = $5 and earlier = $6 and due_at is not null
           returning exists (
               select from webhook_deliveries other
               where task_id = $1 and owner_id = $3 and endpoint_id = $4 and seq <> $2 and state = 'pending') as "more!""#,
        line.task_id.0,
        bigint(taken.seq),
        line.endpoint.owner.id(),
        line.endpoint.id.as_str(),
        taken.attempt,
        taken.earlier,
        settled.state.as_str(),
        settled.due_at.map(Time::utc),
        to_json(&settled.attempts),
        settled.answer,
        taken.recorded_at.utc(),
        taken.url,
        now.utc(),
    );
    Ok(more.fetch_optional(pool).await?)
}

/// A taken delivery must be settled even if a part of it cannot be read. That part is logged and
/// left out.
fn readable<T>(part: Result<T, Error>) -> Option<T> {
    part.inspect_err(|error| tracing::error!(error = error.to_string(), "a part of a delivery cannot be read")).ok()
}

struct TakenRow {
    seq: i64,
    recorded_at: DateTime<Utc>,
    event_id: Uuid,
    attempt: i32,
    earlier: i32,
    attempts: String,
    url: String,
    secret: String,
    secret_created_at: DateTime<Utc>,
    next_secret: Option<String>,
    next_secret_created_at: Option<DateTime<Utc>>,
    failures: i32,
    traceparent: Option<String>,
    continues_trace: Option<bool>,
}

impl TakenRow {
    fn taken(self, line: &Line) -> Result<Taken, Error> {
        let place = Place { table: "webhook_deliveries", key: Key(line.task_id.0, self.seq) };
        let endpoint = endpoints::Key(line.endpoint.owner.id(), line.endpoint.id.as_str());
        let next = self.next_secret.as_deref().zip(self.next_secret_created_at);
        let of_endpoint = Place { table: "webhook_endpoints", key: endpoint };
        Ok(Taken {
            seq: place.unsigned(self.seq)?,
            recorded_at: self.recorded_at.into(),
            event_id: EventId(self.event_id),
            attempt: self.attempt,
            earlier: self.earlier,
            attempts: readable(place.json(&self.attempts)).unwrap_or_default(),
            secrets: readable(endpoints::secrets(of_endpoint, (&self.secret, self.secret_created_at), next)),
            failures: of_endpoint.unsigned(self.failures)?,
            url: self.url,
            traceparent: self.traceparent,
            continues_trace: self.continues_trace.unwrap_or_default(),
        })
    }
}
