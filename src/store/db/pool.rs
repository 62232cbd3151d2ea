//! The pool: sessions that serve, which go from one statement to the next without a word to the server in between.
//!
//! **Limits.** Whoever comes waits for a place in line, a sign of life of a session that was idle, or a new
//! session, and for the answer, each within a limit ([`Limits`]). A line that is too long is refused at once.
//!
//! **Lanes.** A quarter of the connections is kept for what commands read ([`Pool::for_decisions`]), and that lane has
//! a line of its own. Readers of lists and of the feed can neither take these connections nor fill that line, however
//! many there are.
//!
//! **Failure.** A session that ran into a limit, lost its connection or was told that the server stops or takes no
//! writes is closed, and all others that were opened before then are not used again, in every pool beside this one:
//! what befell it befell them too. So a server that fell silent costs one limit, not one for each session. A
//! statement that was dropped half-way is waited for in the background, as its session is good again then.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgConnectOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Execute, Executor, Postgres, SqlStr};
use tokio::runtime::Handle;
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connect;
use super::connect::TRUSTED_IDLE;
use super::session::{Health, Limits, NoConnection, Session};

/// How many may wait for each connection: as many as it serves while a caller is still willing to wait.
const LINE: usize = 64;
/// Sessions older than this are replaced, so that none outlives a change of address for long.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// The database, for statements of their own. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: Arc<Inner>,
    lane: Lane,
}

/// Which of the connections a statement may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// All but those that are kept for decisions.
    Common,
    /// All of them.
    Decisions,
}

#[derive(Debug)]
struct Inner {
    options: PgConnectOptions,
    connections: u32,
    limits: Limits,
    /// A permit per connection: whoever holds one finds an idle session or opens one. First come, first served.
    gate: Arc<Semaphore>,
    /// A permit per connection that the common lane may hold; it is taken before one of the gate.
    common: Arc<Semaphore>,
    /// How many of the common lane wait for their permits.
    waiting: AtomicUsize,
    /// How many of the other lane do.
    deciding: AtomicUsize,
    /// Statements that were refused since the start, since too many waited or for too long.
    refused: AtomicU64,
    /// Whether the last session that was asked for could not be opened.
    unreachable: AtomicBool,
    closed: AtomicBool,
    /// The one that was used last is the last.
    idle: Mutex<Vec<Session>>,
    losses: Arc<Losses>,
}

/// How often sessions were lost; shared by all that talk to the same database.
#[derive(Debug, Default)]
pub(in crate::store) struct Losses {
    count: AtomicU64,
    lost: Notify,
}

impl Losses {
    /// A session that was opened when there were fewer is not to be used.
    pub(in crate::store) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// A session that was opened when there were `known` was lost, and with it all others of its time; `false` if
    /// that is known already.
    pub(in crate::store) fn report(&self, known: u64) -> bool {
        let new = self.count.compare_exchange(known, known + 1, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if new {
            self.lost.notify_waiters();
        }
        new
    }

    /// Returns once there are more than this many.
    pub(in crate::store) async fn exceed(&self, count: u64) {
        loop {
            let mut lost = std::pin::pin!(self.lost.notified());
            // Before the look at the count, so that a loss in between is not missed.
            lost.as_mut().enable();
            if self.count() > count {
                return;
            }
            lost.await;
        }
    }
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

/// The right to one connection.
struct Permit {
    _connection: OwnedSemaphorePermit,
    _common: Option<OwnedSemaphorePermit>,
}

/// A session that is in use. Dropped before [`CheckedOut::end`], it is recovered in the background.
struct CheckedOut {
    pool: Arc<Inner>,
    session: Option<Session>,
    permit: Option<Permit>,
}

/// Several statements that are done together, or not at all: dropped before [`Transaction::commit`], none of them was.
pub(in crate::store) struct Transaction(CheckedOut);

impl Transaction {
    /// What the statements are sent through.
    pub(in crate::store) fn connection(&mut self) -> &mut Session {
        self.0.session()
    }

    /// Makes them durable.
    pub(in crate::store) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let committed = self.0.session().commit().await;
        self.0.end(committed)
    }
}

impl Pool {
    /// A pool that connects at first use, and with these options as they are; see [`connect`] for those that serve.
    pub fn new(options: PgConnectOptions, connections: u32, limits: Limits) -> Self {
        Self::beside(options, connections, limits, Arc::default())
    }

    fn beside(options: PgConnectOptions, connections: u32, limits: Limits, losses: Arc<Losses>) -> Self {
        let inner = Inner {
            options,
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

    /// The same connections for what commands read before they are decided: some of them nothing else takes, and there
    /// is a line of its own before them. A pool of one connection keeps none.
    #[must_use]
    pub fn for_decisions(&self) -> Self {
        Self { lane: Lane::Decisions, ..self.clone() }
    }

    /// How many connections there are at the most.
    pub fn connections(&self) -> u32 {
        self.inner.connections
    }

    /// What the pool is doing at this moment. Takes a lock for an instant; meant for gauges.
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

    /// How its connections are made, for one beside them.
    pub(in crate::store) fn connect_options(&self) -> PgConnectOptions {
        self.inner.options.clone()
    }

    /// The limits that it keeps.
    pub(in crate::store) fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// The losses that it shares.
    pub(in crate::store) fn losses(&self) -> Arc<Losses> {
        Arc::clone(&self.inner.losses)
    }

    /// Connections to the same database beside these, for the writer.
    pub(in crate::store) fn for_writing(&self, connections: u32) -> Self {
        let Inner { options, limits, losses, .. } = &*self.inner;
        Self::beside(connect::for_writing(options), connections, *limits, Arc::clone(losses)).for_decisions()
    }

    /// Opens all connections now.
    pub(in crate::store) async fn fill(&self) -> Result<(), sqlx::Error> {
        let pool = &self.inner;
        for session in join_all((0..pool.connections).map(|_| pool.open())).await {
            pool.put_back(session?);
        }
        Ok(())
    }

    /// Waits for running statements, then closes every connection, both within the limits. Statements that come
    /// later fail.
    pub async fn close(&self) {
        let pool = &*self.inner;
        pool.closed.store(true, Ordering::SeqCst);
        let _all = timeout(pool.limits.answer, pool.gate.acquire_many(pool.connections)).await;
        let idle = std::mem::take(&mut *pool.idle());
        join_all(idle.into_iter().map(Session::close)).await;
    }

    /// Begins a transaction of several statements. For work in the background: it takes a round trip before and after.
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
    /// Waits for a permit. A line that is too long, or moves too slowly, is refused.
    async fn enter(&self, lane: Lane) -> Result<Permit, sqlx::Error> {
        let waiting = match lane {
            Lane::Common => &self.waiting,
            Lane::Decisions => &self.deciding,
        };
        let place = Place(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= LINE * self.connections as usize {
            return Err(self.none_free());
        }
        let permit = timeout(self.limits.wait, self.permit(lane)).await;
        drop(place);
        let permit = permit.map_err(|_| self.none_free())?.map_err(|_| sqlx::Error::PoolClosed)?;
        // Those who waited while the pool was closed.
        if self.closed.load(Ordering::SeqCst) { Err(sqlx::Error::PoolClosed) } else { Ok(permit) }
    }

    async fn permit(&self, lane: Lane) -> Result<Permit, AcquireError> {
        let common = match lane {
            Lane::Common => Some(Arc::clone(&self.common).acquire_owned().await?),
            Lane::Decisions => None,
        };
        Ok(Permit { _connection: Arc::clone(&self.gate).acquire_owned().await?, _common: common })
    }

    /// Why there was no permit: others have all connections, or those who have a permit wait for a database that is
    /// away.
    fn none_free(&self) -> sqlx::Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let why = "others wait for a connection in vain";
        if self.unreachable.load(Ordering::Relaxed) { NoConnection::because(why) } else { sqlx::Error::PoolTimedOut }
    }

    /// An idle session that works: one that has been idle for long may have died, so it is asked for a sign of life.
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
        // As it was before: what is lost meanwhile may be this one.
        let generation = self.losses.count();
        // In a box, or every statement would be moved with room for it.
        let opened = Box::pin(Session::open_for_writing(&self.options, self.limits)).await;
        self.unreachable.store(opened.is_err(), Ordering::Relaxed);
        opened.map(|session| session.of_generation(generation))
    }

    /// Keeps a sound session for the next statement, unless it is old or not to be trusted.
    fn put_back(&self, session: Session) {
        if session.age() > MAX_LIFETIME || session.generation != self.losses.count() {
            return retire(session);
        }
        let mut idle = self.idle();
        // Looked at under the lock, or one could be left idle in a closed pool.
        if self.closed.load(Ordering::SeqCst) {
            drop(idle);
            return retire(session);
        }
        idle.push(session);
    }

    /// With this session, those of its time are lost; newer ones are not.
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

/// How many of so many connections only decisions may use: a quarter, rounded down, and at least one where there is
/// more than one.
fn kept(connections: u32) -> u32 {
    if connections > 1 { (connections / 4).max(1) } else { 0 }
}

/// Says goodbye in the background.
fn retire(session: Session) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(session.close());
    }
}

impl CheckedOut {
    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("it is there until the end")
    }

    /// The statement is over, with this result.
    fn end<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        self.settle();
        result
    }

    /// Gives back what is sound; an unsettled session stays.
    fn settle(&mut self) {
        let Some(session) = self.session.take() else { return };
        match session.health() {
            Health::Sound if !session.is_in_transaction() => self.pool.put_back(session),
            Health::Sound | Health::Unsettled => self.session = Some(session),
            Health::Spoilt => drop(session),
            Health::Lost => self.pool.lost(&session),
        }
    }
}

impl Drop for CheckedOut {
    fn drop(&mut self) {
        self.settle();
        let (Some(mut session), Ok(runtime)) = (self.session.take(), Handle::try_current()) else { return };
        let recovering = Self { pool: Arc::clone(&self.pool), session: None, permit: self.permit.take() };
        runtime.spawn(async move {
            let mut recovering = recovering;
            // What came of it, the session knows; one that is still in its transaction is of no use.
            let _ = session.recover().await;
            recovering.session = Some(session).filter(|session| !session.is_in_transaction());
        });
    }
}

type Rows<'e> = BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>;
type Answer<'e, T> = BoxFuture<'e, Result<T, sqlx::Error>>;

impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    /// Reads all rows before it gives the first, so that a slow reader keeps no connection; every list has a limit.
    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Rows<'e>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let rows = async move {
            let mut out = self.check_out().await?;
            let rows = out.session().fetch_many(query).await;
            out.end(rows)
        };
        Box::pin(stream::once(rows).map_ok(|rows| stream::iter(rows).map(Ok)).try_flatten())
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Answer<'e, Option<PgRow>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            let mut out = self.check_out().await?;
            let row = out.session().fetch_optional(query).await;
            out.end(row)
        })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> Answer<'e, PgStatement>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut out = self.check_out().await?;
            let statement = out.session().prepare_with(sql, parameters).await;
            out.end(statement)
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> Answer<'e, Describe<Postgres>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut out = self.check_out().await?;
            let description = out.session().describe(sql).await;
            out.end(description)
        })
    }
}
