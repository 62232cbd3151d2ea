//! Notifies other replicas of changed statuses: `pg_notify` and `LISTEN`, each on a connection of
//! its own.
//!
//! Neither is in the path of a request. Notifications can be lost, so every subscriber also polls.
//! These statements belong to one Postgres server; they are not among those that must run on any
//! node.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::values::id::TaskId;
use crate::store::{Error, Pool};

use super::pool::Losses;
use super::session::{NoConnection, Session, Subscription};

/// The longest payload, in bytes. Postgres takes less than 8,000.
const MAX_PAYLOAD: usize = 7_900;
/// The listener pings its connection after this long without a notification.
const SILENCE: Duration = Duration::from_secs(30);
/// The name of the channel. Channels are already separate per database; this separates schemas.
const CHANNEL: &str = "select 'stagegate_status_' || md5(coalesce(current_schema()::text, ''))";

/// A task whose status changed, and the version of the new status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The task.
    pub task_id: TaskId,
    /// The version of the status.
    pub version: u64,
}

/// A connection that notifies other replicas.
#[derive(Debug)]
pub struct Announcer {
    session: Session,
    losses: Arc<Losses>,
    channel: String,
}

impl Announcer {
    /// Connects to the pool's server, past a pooler.
    pub async fn connect(pool: &Pool) -> Result<Self, Error> {
        // Notifications are lost when the server crashes anyway, so they need not be durable.
        let options = pool.route().beside([("synchronous_commit", "off")]);
        let losses = pool.losses();
        let generation = losses.count();
        let mut session = Session::open(&options, pool.limits()).await?.of_generation(generation);
        let channel = sqlx::query_scalar(CHANNEL).fetch_one(&mut session).await?;
        Ok(Self { session, losses, channel })
    }

    /// Announces these changes in one statement. After an error, connect again.
    pub async fn announce(&mut self, changes: &[Change]) -> Result<(), Error> {
        if self.session.generation != self.losses.count() {
            // Another session found the server gone or its role changed, and this connection uses
            // that server.
            return Err(NoConnection::because("other sessions with the server were lost").into());
        }
        let statement = "select pg_notify($1, payload) from unnest($2::text[]) as payload";
        let query = sqlx::query(statement).bind(&self.channel).bind(payloads(changes));
        query.execute(&mut self.session).await?;
        Ok(())
    }
}

/// A connection that receives the changes of all replicas, this one included.
#[derive(Debug)]
pub struct Listener {
    subscription: Subscription,
    losses: Arc<Losses>,
    generation: u64,
}

impl Listener {
    /// Connects to the pool's server, past a pooler. It receives everything that is announced from then on, as
    /// long as the connection lives.
    pub async fn connect(pool: &Pool) -> Result<Self, Error> {
        let losses = pool.losses();
        let generation = losses.count();
        let subscription = Box::pin(Subscription::open(pool.route().beside([]), pool.limits(), CHANNEL)).await?;
        Ok(Self { subscription, losses, generation })
    }

    /// Waits for the next changes. If the connection is lost it returns an error: connect again and
    /// look for what was missed.
    pub async fn next(&mut self) -> Result<Vec<Change>, Error> {
        loop {
            let received = tokio::select! {
                received = self.subscription.next(SILENCE) => received?,
                () = self.losses.exceed(self.generation) => {
                    return Err(NoConnection::because("other sessions with the server were lost").into());
                }
            };
            if let Some(payload) = received {
                return Ok(parse(&payload));
            }
        }
    }
}

fn payloads(changes: &[Change]) -> Vec<String> {
    let mut payloads = vec![String::new()];
    for Change { task_id, version } in changes {
        let item = format!("{}:{version}", task_id.0.simple());
        if payloads.last().is_none_or(|payload| payload.len() + 1 + item.len() > MAX_PAYLOAD) {
            payloads.push(String::new());
        }
        let payload = payloads.last_mut().expect("there is always one");
        let gap = if payload.is_empty() { "" } else { " " };
        let _ = write!(payload, "{gap}{item}");
    }
    payloads.retain(|payload| !payload.is_empty());
    payloads
}

/// Parses a payload and skips what it does not understand. Another build may have written it, and
/// subscribers poll as well.
fn parse(payload: &str) -> Vec<Change> {
    let changes = payload.split(' ').filter_map(|item| {
        let (id, version) = item.split_once(':')?;
        Some(Change { task_id: TaskId(Uuid::try_parse(id).ok()?), version: version.parse().ok()? })
    });
    changes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[test]
    fn what_is_told_is_heard_in_payloads_that_postgres_takes() {
        for count in [0, 1, 100, 1_000] {
            let changes: Vec<Change> =
                (0..count).map(|at| Change { task_id: TaskId(ids::new()), version: u64::MAX - at }).collect();
            let payloads = payloads(&changes);
            assert!(payloads.iter().all(|payload| (1..8_000).contains(&payload.len())));
            let heard: Vec<Change> = payloads.iter().flat_map(|payload| parse(payload)).collect();
            assert_eq!(heard, changes);
        }
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        let id = ids::new();
        let heard = parse(&format!("x {id} {id}:x {id}:7 :7 {id}:-1"));
        assert_eq!(heard, [Change { task_id: TaskId(id), version: 7 }]);
    }
}
