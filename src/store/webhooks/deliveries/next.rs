//! When the next delivery is due.

use crate::domain::values::time::Time;
use crate::store::{Error, Pool};

/// The earliest time at which a pending delivery may be sent, of endpoints that are enabled; for one
/// that is paused, the end of its pause.
pub async fn find_next_due(pool: &Pool) -> Result<Option<Time>, Error> {
    let next = sqlx::query_scalar!(
        r#"/* search: next due delivery */
           select min(greatest(due.due_at, endpoint.paused_until)) as next
           from webhook_endpoints endpoint
           cross join lateral (
               select due_at from webhook_deliveries delivery
               where delivery.owner_id = endpoint.owner_id and delivery.endpoint_id = endpoint.id
                   and delivery.state = 'pending'
               order by delivery.due_at limit 1
           ) due
           where endpoint.state = 'enabled'"#
    );
    Ok(next.fetch_one(pool).await?.map(Time::from))
}
