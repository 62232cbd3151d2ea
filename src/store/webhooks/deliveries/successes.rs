//! The latest success of each endpoint.

use std::collections::HashMap;

use crate::domain::values::time::Time;
use crate::domain::webhook::{Attempt, Owner};
use crate::store::db::row::Place;
use crate::store::webhooks::endpoints::Key;
use crate::store::{Error, Pool};

/// When the latest of these endpoints' deliveries succeeded, by id, among the `recent` deliveries of
/// the latest events of each; no entry if none of them did.
pub async fn list_successes(
    pool: &Pool,
    owner: Owner,
    ids: &[&str],
    recent: u32,
) -> Result<HashMap<String, Time>, Error> {
    let rows = sqlx::query!(
        r#"/* search: latest successes of endpoints */
           select wanted.id as "id!", latest.recorded_at as "recorded_at!", latest.attempts as "attempts!"
           from unnest($2::text[]) as wanted (id) cross join lateral (
               select recorded_at, attempts from (
                   select recorded_at, attempts::text as attempts, state from webhook_deliveries
                   where owner_id = $1 and endpoint_id = wanted.id
                   order by recorded_at desc, task_id desc, seq desc limit $3) recent
               where state = 'delivered' order by recorded_at desc limit 1
           ) latest"#,
        owner.id(),
        ids as _,
        i64::from(recent),
    );
    let rows = rows.fetch_all(pool).await?.into_iter().map(|row| {
        let place = Place { table: "webhook_deliveries", key: Key(owner.id(), &row.id) };
        let attempts: Vec<Attempt> = place.json(&row.attempts)?;
        let at = attempts.last().map_or_else(|| row.recorded_at.into(), |attempt| attempt.at);
        Ok((row.id, at))
    });
    rows.collect()
}
