//! Which statuses changed, told from one replica to the others: `pg_notify` and `LISTEN`, each on a connection of its own.
//!
//! Neither is on the path of a request, and neither is needed: a notification can be lost, so whoever waits for one also looks.
//! These statements belong to one Postgres, so they are not among those that must run on any node.

use std::fmt::Write as _;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;
use uuid::Uuid;

use super::{Error, Pool};
use crate::domain::id::TaskId;

/// The longest payload that Postgres takes is below 8,000 bytes.
const MAX_PAYLOAD: usize = 7_900;
/// How long a connection may take to be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// After this much silence the listener asks whether its connection still lives.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a statement may take: a connection that broke without a word would keep whoever waits for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A task whose status changed, and the version that it then had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The task.
    pub task_id: TaskId,
    /// The version of its status.
    pub version: u64,
}

/// A connection that tells other replicas.
#[derive(Debug)]
pub struct Announcer {
    connection: PgConnection,
    channel: String,
}

impl Announcer {
    /// Connects as `pool` does.
    pub async fn connect(pool: &Pool) -> Result<Self, Error> {
        // What is told is forgotten anyway when the server dies.
        let options = pool.connect_options().options([("synchronous_commit", "off")]);
        let connecting = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await;
        let mut connection = connecting.map_err(|_| sqlx::Error::PoolTimedOut)??;
        let channel = channel(&mut connection).await?;
        Ok(Self { connection, channel })
    }

    /// Tells of these changes, in one statement.
    pub async fn announce(&mut self, changes: &[Change]) -> Result<(), Error> {
        let statement = "select pg_notify($1, payload) from unnest($2::text[]) as payload";
        let query = sqlx::query(statement).bind(&self.channel).bind(payloads(changes));
        let sent = timeout(ANSWER_TIMEOUT, query.execute(&mut self.connection)).await;
        sent.map_err(|_| sqlx::Error::PoolTimedOut)??;
        Ok(())
    }
}

/// A connection that hears of changes from all replicas, this one too.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// Connects as `pool` does. Nothing that is told after this is missed while the connection lives.
    pub async fn connect(pool: &Pool) -> Result<Self, Error> {
        // sqlx's listener wants a pool.
        let one = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let one = one.acquire_timeout(CONNECT_TIMEOUT).connect_lazy_with(pool.connect_options());
        let mut listener = PgListener::connect_with(&one).await?;
        listener.eager_reconnect(false);
        let channel = channel(&mut listener).await?;
        listener.listen(&channel).await?;
        Ok(Self(listener))
    }

    /// Waits for the next changes. An error when the connection is lost; connect again then, and look for what was missed.
    pub async fn next(&mut self) -> Result<Vec<Change>, Error> {
        loop {
            if let Ok(received) = timeout(SILENCE, self.0.try_recv()).await {
                let lost = || sqlx::Error::Io(std::io::ErrorKind::ConnectionAborted.into());
                return Ok(parse(received?.ok_or_else(lost)?.payload()));
            }
            let ping = timeout(ANSWER_TIMEOUT, sqlx::query("select 1").execute(&mut self.0)).await;
            ping.map_err(|_| sqlx::Error::PoolTimedOut)??;
        }
    }
}

/// One per schema; channels are the database's own anyway.
async fn channel(connection: impl sqlx::PgExecutor<'_>) -> Result<String, sqlx::Error> {
    let name = "select 'stagegate_status_' || md5(coalesce(current_schema()::text, ''))";
    sqlx::query_scalar(name).fetch_one(connection).await
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

/// What is not understood is left out: another build may have written it, and whoever waits looks by itself, too.
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
