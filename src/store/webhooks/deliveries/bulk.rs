//! Sends again or gives up many deliveries of an endpoint, in steps: a search finds them, and a
//! statement changes them by key.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::domain::webhook::{DeliveryState, EndpointKey};
use crate::store::db::row::{Place, bigint};
use crate::store::tasks::events::Key;
use crate::store::{Error, Pool};

use super::After;

/// A delivery's row, given by its position in the order of events.
pub type Row = After;

/// Lists up to `limit` deliveries of an endpoint after `after` that are in one of these states and
/// not under way, of events recorded since `since`, the oldest first.
pub async fn list_settled(
    pool: &Pool,
    key: &EndpointKey,
    states: &[DeliveryState],
    (since, after): (Time, Option<Row>),
    limit: u32,
) -> Result<Vec<Row>, Error> {
    let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let rows = sqlx::query_as!(
        Found,
        "/* search: deliveries to send again */
         select task_id, seq, recorded_at from webhook_deliveries
         where owner_id = $1 and endpoint_id = $2 and state = any ($3) and (recorded_at, task_id, seq) > ($4, $5, $6)
             and not (state = 'pending' and under_way)
         order by recorded_at, task_id, seq limit $7",
        key.owner.id(),
        key.id.as_str(),
        &states as _,
        after.map_or(since, |after| after.recorded_at).utc(),
        after.map_or(Uuid::nil(), |after| after.task_id.0),
        after.map_or(0, |after| bigint(after.seq)),
        i64::from(limit),
    );
    rows.fetch_all(pool).await?.into_iter().map(Row::try_from).collect()
}

/// Counts the deliveries that [`list_settled`] lists, up to `most`.
pub async fn count_settled(
    pool: &Pool,
    key: &EndpointKey,
    states: &[DeliveryState],
    since: Time,
    most: u32,
) -> Result<u32, Error> {
    let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let count = sqlx::query_scalar!(
        r#"/* search: number of deliveries to send again */
           select count(*) as "count!" from (
               select from webhook_deliveries
               where owner_id = $1 and endpoint_id = $2 and state = any ($3) and recorded_at >= $4
                   and not (state = 'pending' and under_way)
               limit $5) counted"#,
        key.owner.id(),
        key.id.as_str(),
        &states as _,
        since.utc(),
        i64::from(most),
    );
    let count = count.fetch_one(pool).await?;
    Place { table: "webhook_deliveries", key: key.id.as_str() }.unsigned(count)
}

/// Lists up to `limit` pending deliveries of an endpoint.
pub async fn list_pending(pool: &Pool, key: &EndpointKey, limit: u32) -> Result<Vec<Row>, Error> {
    let rows = sqlx::query_as!(
        Found,
        "/* search: pending deliveries of an endpoint */
         select task_id, seq, recorded_at from webhook_deliveries
         where owner_id = $1 and endpoint_id = $2 and state = 'pending'
         order by due_at limit $3",
        key.owner.id(),
        key.id.as_str(),
        i64::from(limit),
    );
    rows.fetch_all(pool).await?.into_iter().map(Row::try_from).collect()
}

/// Lists up to `limit` deliveries of an endpoint that are due after `now` and not under way.
pub async fn list_waiting(pool: &Pool, key: &EndpointKey, now: Time, limit: u32) -> Result<Vec<Row>, Error> {
    let rows = sqlx::query_as!(
        Found,
        "/* search: waiting deliveries of an endpoint */
         select task_id, seq, recorded_at from webhook_deliveries
         where owner_id = $1 and endpoint_id = $2 and state = 'pending' and due_at > $3 and not under_way
         order by due_at limit $4",
        key.owner.id(),
        key.id.as_str(),
        now.utc(),
        i64::from(limit),
    );
    rows.fetch_all(pool).await?.into_iter().map(Row::try_from).collect()
}

/// Makes these deliveries due now, at the start of the schedule, regardless of their results.
/// Returns how many there were. One that is under way is left to its attempt until the lease ends.
pub async fn renew(pool: &Pool, key: &EndpointKey, rows: &[Row], now: Time) -> Result<u64, Error> {
    let Keys { tasks, seqs, times, owners, endpoints } = keys(key, rows);
    let renewed = sqlx::query!(
        "update webhook_deliveries delivery set state = 'pending', due_at = $6, earlier = attempt
         from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::uuid[], $5::text[])
             as wanted (task_id, seq, recorded_at, owner_id, endpoint_id)
         where delivery.task_id = wanted.task_id and delivery.seq = wanted.seq and delivery.recorded_at = wanted.recorded_at
             and delivery.owner_id = wanted.owner_id and delivery.endpoint_id = wanted.endpoint_id
             and not (delivery.under_way and delivery.due_at > $6)",
        &tasks,
        &seqs,
        &times,
        &owners,
        &endpoints as _,
        now.utc(),
    );
    Ok(renewed.execute(pool).await?.rows_affected())
}

/// Gives up those of these deliveries that are pending.
pub async fn give_up(pool: &Pool, key: &EndpointKey, rows: &[Row]) -> Result<(), Error> {
    let Keys { tasks, seqs, times, owners, endpoints } = keys(key, rows);
    let given_up = sqlx::query!(
        "update webhook_deliveries delivery set state = 'failed', due_at = null, under_way = false,
             traceparent = null, continues_trace = null
         from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::uuid[], $5::text[])
             as wanted (task_id, seq, recorded_at, owner_id, endpoint_id)
         where delivery.task_id = wanted.task_id and delivery.seq = wanted.seq and delivery.recorded_at = wanted.recorded_at
             and delivery.owner_id = wanted.owner_id and delivery.endpoint_id = wanted.endpoint_id
             and delivery.due_at is not null",
        &tasks,
        &seqs,
        &times,
        &owners,
        &endpoints as _,
    );
    given_up.execute(pool).await?;
    Ok(())
}

struct Found {
    task_id: Uuid,
    seq: i64,
    recorded_at: DateTime<Utc>,
}

impl TryFrom<Found> for Row {
    type Error = Error;

    fn try_from(found: Found) -> Result<Self, Error> {
        let place = Place { table: "webhook_deliveries", key: Key(found.task_id, found.seq) };
        let seq = place.unsigned(found.seq)?;
        Ok(Self { recorded_at: found.recorded_at.into(), task_id: TaskId(found.task_id), seq })
    }
}

/// The keys of rows, column by column.
///
/// They include the time of the event, since every index that leads to an endpoint's rows has
/// either the whole key or that time too. The endpoint is repeated for each row: plans would
/// otherwise read all of its rows at every step.
struct Keys<'a> {
    tasks: Vec<Uuid>,
    seqs: Vec<i64>,
    times: Vec<DateTime<Utc>>,
    owners: Vec<Uuid>,
    endpoints: Vec<&'a str>,
}

fn keys<'a>(key: &'a EndpointKey, rows: &[Row]) -> Keys<'a> {
    let (tasks, seqs) = rows.iter().map(|row| (row.task_id.0, bigint(row.seq))).unzip();
    let times = rows.iter().map(|row| row.recorded_at.utc()).collect();
    Keys { tasks, seqs, times, owners: vec![key.owner.id(); rows.len()], endpoints: vec![key.id.as_str(); rows.len()] }
}
