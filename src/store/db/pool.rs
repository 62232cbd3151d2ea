//! The connection pool. Sessions go from one statement to the next without a round trip in between.
//!
//! **Limits.** A caller waits for a permit, for the ping of an idle session or a new session, and
//! for the answer, each within a limit ([`Limits`]). If too many callers wait already, it is
//! refused at once.
//!
//! **Lanes.** A quarter of the connections is reserved for what commands read
//! ([`Pool::for_decisions`]), and that lane has a queue of its own. Readers of lists and of the
//! feed can neither take these connections nor fill that queue.
//!
//! **Failure.** A session that ran into a limit, lost its connection, or was refused because the
//! server stops or takes no writes is closed. All sessions opened before then are dropped too, in
//! every pool of the same database, since they are likely to fail the same way. A server that stops
//! answering therefore costs one limit, not one per session. If a statement is dropped half-way,
//! the session recovers in the background, since it is sound once the answer has come.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::postgres::PgConnectOptions;
use tokio::runtime::Handle;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::session::{Limits, NoConnection, Session};
use super::settings::Route;

use self::checked_out::CheckedOut;
pub(in crate::store) use self::checked_out::{Reading, Transaction};
pub(in crate::store) use self::losses::Losses;

mod checked_out;
mod executor;
mod losses;

/// Connections that were used within this time are taken without a ping.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// How many callers may wait per connection: as many as it serves before callers give up.
const WAITERS_PER_CONNECTION: usize = 64;
/// The age at which sessions are replaced, so that none outlives a change of address for long.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// The pool, for single statements. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: Arc<Inner>,
    lane: Lane,
}

/// Which connections a statement may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// All but those reserved for decisions.
    Common,
    /// All of them.
    Decisions,
}

#[derive(Debug)]
struct Inner {
    route: Route,
    connections: u32,
    limits: Limits,
    /// One permit per connection. A holder takes an idle session or opens one. First come, first
    /// served.
    gate: Arc<Semaphore>,
    /// One permit per connection that the common lane may hold. It is taken before one of `gate`.
    common: Arc<Semaphore>,
    /// The number of waiters in the common lane.
    waiting: AtomicUsize,
    /// The number of waiters in the decisions lane.
    deciding: AtomicUsize,
    /// Statements refused since the start, because too many waited or this one waited too long.
    refused: AtomicU64,
    /// Whether the last attempt to open a session failed.
    unreachable: AtomicBool,
    closed: AtomicBool,
    /// Idle sessions; the most recently used one is last.
    idle: Mutex<Vec<Session>>,
    losses: Arc<Losses>,
}

/// The current use of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The most connections that may be open.
    pub max: u32,
    /// Connections that run a statement or are being opened for one.
    pub in_use: u32,
    /// Open connections without a statement.
    pub idle: u32,
    /// Statements that wait for a connection.
    pub waiting: u64,
    /// Statements refused since the start: too many waited already, or this one waited too long.
    pub refused: u64,
}

/// A place in a lane's queue.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to use one connection.
struct Permit {
    _connection: OwnedSemaphorePermit,
    _common: Option<OwnedSemaphorePermit>,
}

impl Pool {
    /// Creates a pool that connects at first use, with these options unchanged. [`connect`](super::connect) makes
    /// the pools that serve.
    pub fn new(options: PgConnectOptions, connections: u32, limits: Limits) -> Self {
        Self::through(options.into(), connections, limits)
    }

    /// Creates a pool whose sessions take this route.
    pub(in crate::store) fn through(route: Route, connections: u32, limits: Limits) -> Self {
        Self::beside(route, connections, limits, Arc::default())
    }

    fn beside(route: Route, connections: u32, limits: Limits, losses: Arc<Losses>) -> Self {
        let inner = Inner {
            route,
            connections,
            limits,
            gate: Arc::new(Semaphore::new(connections as usize)),
            common: Arc::new(Semaphore::new((connections - kept(connections)) as usize)),
            waiting: AtomicUsize::new(0),
            deciding: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            unreachable: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            idle: Mutex::default(),
            losses,
        };
        Self { inner: Arc::new(inner), lane: Lane::Common }
    }

    /// The same pool for what commands read before they are decided: it may use the reserved
    /// connections and waits in a queue of its own. A pool of one connection reserves none.
    #[must_use]
    pub fn for_decisions(&self) -> Self {
        Self { lane: Lane::Decisions, ..self.clone() }
    }

    /// The most connections that the pool opens.
    pub fn connections(&self) -> u32 {
        self.inner.connections
    }

    /// The current use of the pool. Takes a lock briefly; meant for gauges.
    pub fn usage(&self) -> Usage {
        let pool = &*self.inner;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Usage {
            max: pool.connections,
            in_use: pool.connections.saturating_sub(count(pool.gate.available_permits())),
            idle: count(pool.idle().len()),
            waiting: (pool.waiting.load(Ordering::Relaxed) + pool.deciding.load(Ordering::Relaxed)) as u64,
            refused: pool.refused.load(Ordering::Relaxed),
        }
    }

    /// How its connections reach the server, to open one beside them.
    pub(in crate::store) fn route(&self) -> &Route {
        &self.inner.route
    }

    /// The limits of the pool.
    pub(in crate::store) fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// The loss counter that the pool shares.
    pub(in crate::store) fn losses(&self) -> Arc<Losses> {
        Arc::clone(&self.inner.losses)
    }

    /// Creates a pool to the same database beside this one, for the writer.
    pub(in crate::store) fn for_writing(&self, connections: u32) -> Self {
        let Inner { route, limits, losses, .. } = &*self.inner;
        Self::beside(route.for_writing(), connections, *limits, Arc::clone(losses)).for_decisions()
    }

    /// Opens all connections now.
    pub(in crate::store) async fn fill(&self) -> Result<(), sqlx::Error> {
        let pool = &self.inner;
        for session in join_all((0..pool.connections).map(|_| pool.open())).await {
            pool.put_back(session?);
        }
        Ok(())
    }

    /// Waits for running statements, then closes every connection, both within the limits. Later
    /// statements fail.
    pub async fn close(&self) {
        let pool = &*self.inner;
        pool.closed.store(true, Ordering::SeqCst);
        let _all = timeout(pool.limits.answer, pool.gate.acquire_many(pool.connections)).await;
        let idle = std::mem::take(&mut *pool.idle());
        join_all(idle.into_iter().map(Session::close)).await;
    }

    /// Whether its sessions only read, so that the server may be a standby.
    pub fn is_read_only(&self) -> bool {
        self.inner.route.is_read_only()
    }

    /// Takes a session for several statements that read. It is given back when it is dropped.
    pub(in crate::store) async fn reading(&self) -> Result<Reading, sqlx::Error> {
        self.check_out().await.map(Reading)
    }

    /// Begins a transaction of several statements. Meant for background work, since it costs two
    /// more round trips.
    pub(in crate::store) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        let mut out = self.check_out().await?;
        match out.session().begin().await {
            Ok(()) => Ok(Transaction(out)),
            Err(error) => out.end(Err(error)),
        }
    }

    async fn check_out(&self) -> Result<CheckedOut, sqlx::Error> {
        let pool = &self.inner;
        let permit = pool.enter(self.lane).await?;
        let session = match pool.take_idle().await {
            Some(session) => session,
            None => pool.open().await?,
        };
        Ok(CheckedOut { pool: Arc::clone(pool), session: Some(session), permit: Some(permit) })
    }
}

impl Inner {
    /// Waits for a permit. Refuses if too many wait already, or if the wait takes too long.
    async fn enter(&self, lane: Lane) -> Result<Permit, sqlx::Error> {
        let waiting = match lane {
            Lane::Common => &self.waiting,
            Lane::Decisions => &self.deciding,
        };
        let place = Place(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= WAITERS_PER_CONNECTION * self.connections as usize {
            return Err(self.none_free());
        }
        let permit = timeout(self.limits.wait, self.permit(lane)).await;
        drop(place);
        let permit = permit.map_err(|_| self.none_free())?.map_err(|_| sqlx::Error::PoolClosed)?;
        // The pool may have been closed while this caller waited.
        if self.closed.load(Ordering::SeqCst) { Err(sqlx::Error::PoolClosed) } else { Ok(permit) }
    }

    async fn permit(&self, lane: Lane) -> Result<Permit, AcquireError> {
        let common = match lane {
            Lane::Common => Some(Arc::clone(&self.common).acquire_owned().await?),
            Lane::Decisions => None,
        };
        Ok(Permit { _connection: Arc::clone(&self.gate).acquire_owned().await?, _common: common })
    }

    /// Why there was no permit: all connections are in use, or their holders wait for a database
    /// that is unreachable.
    fn none_free(&self) -> sqlx::Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let why = "the database is unreachable, and other statements wait for it";
        if self.unreachable.load(Ordering::Relaxed) { NoConnection::because(why) } else { sqlx::Error::PoolTimedOut }
    }

    /// Takes an idle session that works. One that was idle for long may have died, so it is pinged.
    async fn take_idle(&self) -> Option<Session> {
        let mut session = self.pop_idle()?;
        if session.idle() < TRUSTED_IDLE {
            return Some(session);
        }
        if session.ping().await.is_ok() {
            return Some(session);
        }
        self.lost(&session);
        None
    }

    fn pop_idle(&self) -> Option<Session> {
        let (mut idle, losses) = (self.idle(), self.losses.count());
        while let Some(session) = idle.pop() {
            if session.generation == losses {
                return Some(session);
            }
        }
        None
    }

    async fn open(&self) -> Result<Session, sqlx::Error> {
        // Read before connecting: a loss in the meantime may concern this session.
        let generation = self.losses.count();
        let options = self.route.options();
        // Boxed, as every statement's future would otherwise have room for it.
        let opened = if self.route.is_read_only() {
            Box::pin(Session::open(options, self.limits)).await
        } else {
            Box::pin(Session::open_for_writing(options, self.limits)).await
        };
        self.unreachable.store(opened.is_err(), Ordering::Relaxed);
        opened.map(|session| session.of_generation(generation))
    }

    /// Keeps a sound session for the next statement, unless it is too old or of a lost generation.
    fn put_back(&self, session: Session) {
        if session.age() > MAX_LIFETIME || session.generation != self.losses.count() {
            return retire(session);
        }
        let mut idle = self.idle();
        // Checked under the lock: otherwise a session could stay idle in a closed pool.
        if self.closed.load(Ordering::SeqCst) {
            drop(idle);
            return retire(session);
        }
        idle.push(session);
    }

    /// Reports this session and all of its generation as lost; newer ones are kept.
    fn lost(&self, session: &Session) {
        if self.losses.report(session.generation) {
            let all = std::mem::take(&mut *self.idle());
            drop(all);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many of so many connections are reserved for decisions: a quarter, rounded down, and at
/// least one if there are two or more.
fn kept(connections: u32) -> u32 {
    if connections > 1 { (connections / 4).max(1) } else { 0 }
}

/// Closes the session in the background.
fn retire(session: Session) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(session.close());
    }
}
