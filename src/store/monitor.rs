//! What operators monitor, read in one statement on a connection of its own. It therefore works
//! while requests wait for connections.

use chrono::{DateTime, Utc};

use crate::domain::values::time::Time;

use super::db::beside::Beside;
use super::db::row::Place;
use super::db::session::Session;
use super::{Error, Pool};

/// The most pending deliveries counted per endpoint, those due first.
const MAX_OF_ENDPOINT: i64 = 1_000;
/// The most pending deliveries counted in all. The bound keeps the cost of a look constant.
pub const MAX_PENDING: i64 = 20_000;

/// Connection options: the server cancels a look that takes too long.
const LOOK: [(&str, &str); 1] = [("statement_timeout", "2s")];
/// Options for finding a transaction's holder. It keeps all rights of the user, who may be allowed
/// to see what other sessions do.
const SEARCH: [(&str, &str); 2] = [("role", "none"), ("statement_timeout", "2s")];

/// The result of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The oldest running transaction of any database of the server, if newer ones have ended.
    /// Readers of the feed and the transparency log wait for it.
    pub oldest_running: Option<u64>,
    /// When the earliest timer is due.
    pub next_timer: Option<Time>,
    /// Unsettled deliveries to enabled endpoints; at most [`MAX_PENDING`], and 1,000 per endpoint.
    pub pending: u64,
    /// When the oldest event among those deliveries was recorded.
    pub oldest_pending: Option<Time>,
    /// When the first trail entry was recorded that no checkpoint covers.
    pub first_uncovered: Option<Time>,
    /// Whether the server is a standby.
    pub is_standby: bool,
    /// When the last transaction was committed that a standby has replayed, if it lacks some or is
    /// cut off; none where it has all that the primary has sent.
    pub replayed_until: Option<Time>,
}

/// The session or prepared transaction that keeps a transaction open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holder {
    /// The server process; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// The name of a prepared transaction.
    pub gid: Option<String>,
    /// The database of the session.
    pub database: Option<String>,
    /// The user of the session.
    pub user: Option<String>,
    /// The `application_name` of the session.
    pub application: Option<String>,
    /// The state of the session: `active`, `idle in transaction` and so on.
    pub state: Option<String>,
    /// The age of the transaction in seconds; `None` if the user may not read it.
    pub age: Option<f64>,
    /// The session's last statement, as it was sent.
    pub query: Option<String>,
}

/// The monitor's connection, kept as long as nothing is wrong with it.
#[derive(Debug)]
pub struct Monitor {
    looks: Beside,
    searches: Beside,
}

impl Monitor {
    /// Creates a monitor beside this pool. It connects at the first look.
    pub fn beside(pool: &Pool) -> Self {
        Self { looks: Beside::with(pool, LOOK), searches: Beside::with(pool, SEARCH) }
    }

    /// Looks once. If it is dropped half-way, the next look starts over.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached or does not answer in time.
    pub async fn look(&mut self) -> Result<Observed, Error> {
        let mut session = self.looks.take().await?;
        let observed = look(&mut session).await?;
        self.looks.keep(session);
        Ok(observed)
    }

    /// Finds the holder of this transaction; `None` if it has ended. The state and statement of
    /// another user's session need the right to read them (`pg_read_all_stats`).
    ///
    /// # Errors
    ///
    /// As [`Self::look`].
    pub async fn find_holder(&mut self, transaction: u64) -> Result<Option<Holder>, Error> {
        // The search is rare, so its session is not kept.
        let mut session = self.searches.take().await?;
        let holder = find_holder(&mut session, transaction).await;
        session.close().await;
        holder
    }
}

async fn look(session: &mut Session) -> Result<Observed, Error> {
    let row = sqlx::query!(
        r#"/* search: what operators watch */
           select pg_snapshot_xmin(present.snapshot)::text as "xmin!", pg_snapshot_xmax(present.snapshot)::text as "xmax!",
               (select wake_at from tasks where wake_at is not null order by wake_at limit 1) as "next_timer?",
               pending.number as "pending!", pending.oldest as "oldest_pending?",
               least(
                   (select recorded_at from task_events where (epoch, xid) > (covered.epoch, covered.xid) order by epoch, xid limit 1),
                   (select recorded_at from partner_events where (epoch, xid) > (covered.epoch, covered.xid) order by epoch, xid limit 1)
               ) as "first_uncovered?",
               pg_is_in_recovery() as "is_standby!",
               case when pg_is_in_recovery() and not (
                   coalesce(pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(), false)
                   and exists (select from pg_stat_wal_receiver)
               ) then coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()) end as "replayed_until?"
           from (select pg_current_snapshot() as snapshot) present
           cross join (
               select count(*) as number, min(recorded_at) as oldest from (
                   select due.recorded_at from webhook_endpoints endpoint cross join lateral (
                       select recorded_at from webhook_deliveries delivery
                       where delivery.owner_id = endpoint.owner_id and delivery.endpoint_id = endpoint.id and delivery.state = 'pending'
                       order by delivery.due_at limit $1
                   ) due
                   where endpoint.state = 'enabled' limit $2
               ) counted
           ) pending
           cross join (
               select coalesce(last.cursor_epoch, -1) as epoch, coalesce(last.cursor, '0'::xid8) as xid
               from (values (1)) as one (n)
               left join (select cursor_epoch, cursor from audit_checkpoints order by size desc limit 1) last on true
           ) covered"#,
        MAX_OF_ENDPOINT,
        MAX_PENDING,
    );
    let row = row.fetch_one(session).await?;
    let place = Place { table: "pg_current_snapshot", key: "xmin" };
    let number = |text: &str| text.parse().map_err(|_| place.impossible("a transaction that is not a number"));
    let (oldest, next): (u64, u64) = (number(&row.xmin)?, number(&row.xmax)?);
    let time = |time: Option<DateTime<Utc>>| time.map(Time::from);
    Ok(Observed {
        oldest_running: (oldest < next).then_some(oldest),
        next_timer: time(row.next_timer),
        pending: place.unsigned(row.pending)?,
        oldest_pending: time(row.oldest_pending),
        first_uncovered: time(row.first_uncovered),
        is_standby: row.is_standby,
        replayed_until: time(row.replayed_until),
    })
}

async fn find_holder(session: &mut Session, transaction: u64) -> Result<Option<Holder>, Error> {
    // Each transaction holds a lock on its own number until it ends.
    let holder = sqlx::query_as!(
        Holder,
        r#"select held.pid as "pid?", prepared.gid as "gid?", coalesce(session.datname, prepared.database)::text as "database?",
               coalesce(session.usename, prepared.owner)::text as "user?", session.application_name as "application?",
               session.state as "state?",
               extract(epoch from clock_timestamp() - coalesce(session.xact_start, prepared.prepared))::float8 as "age?",
               session.query as "query?"
           from pg_locks held
           left join pg_stat_activity session on session.pid = held.pid
           left join pg_prepared_xacts prepared on held.pid is null and prepared.transaction = held.transactionid
           where held.locktype = 'transactionid' and held.mode = 'ExclusiveLock' and held.granted
               and held.transactionid = $1::text::xid8::xid"#,
        transaction.to_string(),
    );
    Ok(holder.fetch_optional(session).await?)
}
