//! The connections that serve: those of sqlx's pool, which go from one statement to the next without a word to the server in between.
//!
//! sqlx asks the server for a sign of life whenever a connection comes back, which is a round trip for every statement. Here, one
//! whose statement ended as it should waits for the next as it is. One whose statement failed or was dropped half-way goes back to
//! sqlx, which finds out whether it still works, and so do all that wait, as what broke one (a restart of the server, say) broke them too.
//! One that has been out for [`MAX_OUT`] goes back as well, so that sqlx can replace those that are too old.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::pool::{self, TRUSTED_IDLE};

/// How many may wait for each connection: as many as it serves while a caller is still willing to wait.
const LINE: usize = 64;
/// How long a connection stays away from sqlx.
const MAX_OUT: Duration = Duration::from_mins(1);

/// The database, for statements of their own. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sqlx: PgPool,
    /// A permit per connection: whoever holds one finds a connection waiting or gets one from sqlx. First come, first served.
    gate: Semaphore,
    /// How many stand before the gate.
    line: AtomicUsize,
    /// Statements that were refused since the start, since too many waited or for too long.
    refused: AtomicU64,
    /// Whether the last connection that was asked for could not be had.
    away: AtomicBool,
    waiting: Mutex<Vec<Lent>>,
}

#[derive(Debug)]
struct Lent {
    connection: PoolConnection<Postgres>,
    since: Instant,
    used: Instant,
}

/// What a pool is doing at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The most connections that there may be.
    pub max: u32,
    /// Connections that run a statement, or are being opened for one.
    pub in_use: u32,
    /// Open connections that wait for a statement.
    pub idle: u32,
    /// Statements that wait for a connection.
    pub waiting: u64,
    /// Statements that got no connection since the start: too many waited already, or this one waited too long.
    pub refused: u64,
}

/// A place in the line before the gate.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection for one statement. Dropped before [`Loan::end`], it goes back to sqlx.
struct Loan<'a> {
    pool: &'a Inner,
    lent: Option<Lent>,
    _permit: SemaphorePermit<'a>,
}

/// Several statements that are done together, or not at all: dropped before [`Transaction::commit`], none of them was.
pub(super) struct Transaction<'a> {
    sqlx: sqlx::Transaction<'static, Postgres>,
    _permit: SemaphorePermit<'a>,
}

impl Transaction<'_> {
    /// What the statements are sent through.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.sqlx
    }

    /// Makes them durable.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.sqlx.commit().await
    }
}

impl From<PgPool> for Pool {
    /// `sqlx` must not be used by others any more: they would wait for connections that wait here.
    fn from(sqlx: PgPool) -> Self {
        let gate = Semaphore::new(sqlx.options().get_max_connections() as usize);
        let (line, refused, away) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Self(Arc::new(Inner { sqlx, gate, line, refused, away, waiting: Mutex::default() }))
    }
}

impl Pool {
    /// How many connections there are at the most.
    pub fn connections(&self) -> u32 {
        self.0.sqlx.options().get_max_connections()
    }

    /// What the pool is doing at this moment. Takes a lock for an instant; meant for gauges.
    pub fn usage(&self) -> Usage {
        let pool = &*self.0;
        let (max, idle) = (self.connections(), pool.waiting().len() + pool.sqlx.num_idle());
        Usage {
            max,
            in_use: max.saturating_sub(u32::try_from(pool.gate.available_permits()).unwrap_or(u32::MAX)),
            idle: u32::try_from(idle).unwrap_or(u32::MAX),
            waiting: pool.line.load(Ordering::Relaxed) as u64,
            refused: pool.refused.load(Ordering::Relaxed),
        }
    }

    /// How its connections are made, for one beside them.
    pub(super) fn connect_options(&self) -> PgConnectOptions {
        (*self.0.sqlx.connect_options()).clone()
    }

    /// Connections to the same database beside these, for the writer.
    pub(super) fn for_writing(&self, connections: u32) -> Self {
        let patience = self.0.sqlx.options().get_acquire_timeout();
        pool::connect_for_writing(&self.0.sqlx.connect_options(), connections, patience)
    }

    /// Waits for running statements, then closes every connection. Statements that come later fail.
    pub async fn close(&self) {
        let closing = self.0.sqlx.close();
        self.0.give_back_all();
        closing.await;
    }

    /// Begins a transaction of several statements. For work in the background: it asks the server for a sign of life before and after.
    pub(super) async fn begin(&self) -> Result<Transaction<'_>, sqlx::Error> {
        let pool = &*self.0;
        let permit = pool.enter().await?;
        // One that waits here is one that sqlx does not have.
        drop(pool.waiting().pop());
        let begun = pool.noticed(pool.sqlx.begin().await);
        Ok(Transaction { sqlx: begun?, _permit: permit })
    }

    async fn lend(&self) -> Result<Loan<'_>, sqlx::Error> {
        let pool = &*self.0;
        let permit = pool.enter().await?;
        // One that has waited long may have died; sqlx finds out.
        let waiting = pool.waiting().pop().filter(|lent| lent.used.elapsed() < TRUSTED_IDLE);
        let lent = if let Some(lent) = waiting {
            lent
        } else {
            let (connection, now) = (pool.noticed(pool.sqlx.acquire().await)?, Instant::now());
            Lent { connection, since: now, used: now }
        };
        Ok(Loan { pool, lent: Some(lent), _permit: permit })
    }
}

impl Inner {
    /// Waits for a permit. A line that is too long, or moves too slowly, is refused.
    async fn enter(&self) -> Result<SemaphorePermit<'_>, sqlx::Error> {
        let place = Place(&self.line);
        let most = LINE * self.sqlx.options().get_max_connections() as usize;
        if self.line.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(self.none_free());
        }
        let patience = self.sqlx.options().get_acquire_timeout();
        let permit = timeout(patience, self.gate.acquire()).await.map_err(|_| self.none_free())?;
        drop(place);
        permit.map_err(|_| sqlx::Error::PoolClosed)
    }

    /// Why there was no permit: others have all connections, or those who have a permit wait for a database that is away.
    fn none_free(&self) -> sqlx::Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if self.away.load(Ordering::Relaxed) { no_database() } else { sqlx::Error::PoolTimedOut }
    }

    /// There is a permit for every connection, so whoever has one and gets no connection in time finds no database.
    fn noticed<T>(&self, connected: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        self.away.store(connected.is_err(), Ordering::Relaxed);
        connected.map_err(|error| if matches!(error, sqlx::Error::PoolTimedOut) { no_database() } else { error })
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Lent>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back_all(&self) {
        let all = std::mem::take(&mut *self.waiting());
        drop(all);
    }
}

impl Loan<'_> {
    fn connection(&mut self) -> &mut PgConnection {
        &mut self.lent.as_mut().expect("it is there until the end").connection
    }

    /// The statement is over, with this result.
    fn end<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        match &result {
            Ok(_) => {
                let lent = self.lent.take().filter(|lent| lent.since.elapsed() < MAX_OUT);
                let lent = lent.map(|lent| Lent { used: Instant::now(), ..lent });
                let mut waiting = self.pool.waiting();
                // Looked at under the lock, or one could be left waiting in a closed pool.
                if !self.pool.sqlx.is_closed() {
                    waiting.extend(lent);
                }
            }
            // The server's own word: a constraint, a time-out, or that this connection ends.
            Err(sqlx::Error::Database(_)) => {}
            Err(_) => self.pool.give_back_all(),
        }
        result
    }
}

fn no_database() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::NotConnected, "no connection could be made in time"))
}

type Rows<'e> = Pin<Box<dyn Stream<Item = Result<Either<PgQueryResult, PgRow>, sqlx::Error>> + Send + 'e>>;
type Answer<'e, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'e>>;

impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    /// Reads all rows before it gives the first, so that a slow reader keeps no connection; every list has a limit.
    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Rows<'e>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let rows = async move {
            let mut loan = self.lend().await?;
            let rows: Result<Vec<_>, _> = loan.connection().fetch_many(query).try_collect().await;
            loan.end(rows)
        };
        Box::pin(stream::once(rows).map_ok(|rows| stream::iter(rows).map(Ok)).try_flatten())
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Answer<'e, Option<PgRow>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            let mut loan = self.lend().await?;
            let row = loan.connection().fetch_optional(query).await;
            loan.end(row)
        })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> Answer<'e, PgStatement>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut loan = self.lend().await?;
            let statement = loan.connection().prepare_with(sql, parameters).await;
            loan.end(statement)
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> Answer<'e, Describe<Postgres>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut loan = self.lend().await?;
            let description = loan.connection().describe(sql).await;
            loan.end(description)
        })
    }
}
