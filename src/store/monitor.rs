//! What operators watch, read in one statement on a connection of its own, so that it is known also while requests wait
//! for theirs.

use chrono::{DateTime, Utc};

use crate::domain::values::time::Time;

use super::db::beside::Beside;
use super::db::row::Place;
use super::db::session::Session;
use super::{Error, Pool};

/// Pending deliveries that are counted of one endpoint, those that are due first.
const MAX_OF_ENDPOINT: i64 = 1_000;
/// Pending deliveries that are counted in all. More are not looked at, so that a look costs the same however many there
/// are.
pub const MAX_PENDING: i64 = 20_000;

/// The options of the connection: the server ends a look that takes longer than it is worth.
const LOOK: [(&str, &str); 1] = [("statement_timeout", "2s")];
/// Those of a search for a holder: with all rights of the user, who may be allowed to read what other sessions do.
const SEARCH: [(&str, &str); 2] = [("role", "none"), ("statement_timeout", "2s")];

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The oldest transaction that still runs, of any database of the server, if newer ones have ended: readers of the
    /// feed and the log of heads wait for it.
    pub oldest_running: Option<u64>,
    /// When the earliest timer is due.
    pub next_timer: Option<Time>,
    /// Deliveries to enabled endpoints that are not settled; at most [`MAX_PENDING`], and 1,000 of one endpoint.
    pub pending: u64,
    /// When the oldest event of those was recorded.
    pub oldest_pending: Option<Time>,
    /// When the first entry of a trail was recorded that no checkpoint covers.
    pub first_uncovered: Option<Time>,
}

/// Who keeps a transaction open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holder {
    /// The server process; none of a prepared transaction.
    pub pid: Option<i32>,
    /// The name of a prepared transaction.
    pub gid: Option<String>,
    /// Its database.
    pub database: Option<String>,
    /// Its user.
    pub user: Option<String>,
    /// What the session says it is.
    pub application: Option<String>,
    /// What the session does: `active`, `idle in transaction`.
    pub state: Option<String>,
    /// How long ago the transaction began, in seconds; none where that may not be read.
    pub age: Option<f64>,
    /// The session's last statement, as it was sent.
    pub query: Option<String>,
}

/// Looks; keeps its connection as long as there is nothing wrong with it.
#[derive(Debug)]
pub struct Monitor {
    looks: Beside,
    searches: Beside,
}

impl Monitor {
    /// Beside this pool. Connects at the first look.
    pub fn beside(pool: &Pool) -> Self {
        Self { looks: Beside::new(pool, LOOK), searches: Beside::new(pool, SEARCH) }
    }

    /// Looks once. Dropped half-way, it begins anew the next time.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or does not answer in time.
    pub async fn look(&mut self) -> Result<Observed, Error> {
        let mut session = self.looks.take().await?;
        let observed = look(&mut session).await?;
        self.looks.keep(session);
        Ok(observed)
    }

    /// Who keeps this transaction open; `None` if it has ended. A session of another user shows its state and statement
    /// only to those who may read them (`pg_read_all_stats`).
    ///
    /// # Errors
    ///
    /// As [`Self::look`].
    pub async fn find_holder(&mut self, transaction: u64) -> Result<Option<Holder>, Error> {
        // Seldom asked, so its session is not kept.
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
               ) as "first_uncovered?"
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
    })
}

async fn find_holder(session: &mut Session, transaction: u64) -> Result<Option<Holder>, Error> {
    // Each transaction holds the lock of its own number to its end.
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
