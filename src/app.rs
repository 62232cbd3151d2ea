//! The use cases: one function per caller request. They join the domain and the store and know no
//! HTTP.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::task::decide::Transition;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::time::Time;
use crate::domain::workflow::Mistake;
use crate::store;
use crate::store::db::notify::Change;

use self::refusals::Reason;

pub use crate::webhook::address::Reach;

pub mod access;
pub mod audit;
mod contention;
pub mod digest;
pub mod erasures;
pub mod feed;
pub mod operations;
pub mod partners;
pub mod refusals;
pub mod shares;
pub mod status;
pub mod tasks;
pub mod webhooks;
pub mod workflows;

pub use self::access::Caller;

/// The longest that shutdown waits for the database.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The dependencies and shared state of the use cases. One per process.
#[derive(Debug)]
pub struct App {
    pool: store::Pool,
    /// The same connections for the reads of commands; some of them are reserved for these.
    decisions: store::Pool,
    writer: store::Writer,
    recent: crate::app::tasks::write_cache::Recent,
    clock: Clock,
    keys: partners::KeyCache,
    definitions: workflows::Definitions,
    experience: crate::app::status::forecast::DurationHistory,
    alarm: crate::app::tasks::timers::Alarm,
    turns: crate::app::contention::Turns,
    statuses: crate::app::status::Statuses,
    watchers: crate::app::status::watch::Watchers,
    feed: feed::tail::Tail,
    shares: shares::All,
    outbound: crate::app::webhooks::dispatch::Outbound,
    audit_keys: crate::app::audit::transparency_log::Keys,
    health: crate::app::operations::health::Health,
    monitor: crate::app::operations::monitor::Monitor,
    workers: crate::app::operations::workers::Workers,
    skew: crate::app::operations::clock_skew::Skew,
    leaving: AtomicBool,
    draining: AtomicBool,
    stopping: Notify,
}

impl App {
    /// An app on this database and clock.
    pub fn new(pool: store::Pool, clock: Clock) -> Self {
        let outbound = crate::app::webhooks::dispatch::Outbound::new(pool.connections(), Reach::PublicOnly);
        Self {
            writer: store::Writer::beside(&pool),
            health: crate::app::operations::health::Health::beside(&pool),
            decisions: pool.for_decisions(),
            monitor: crate::app::operations::monitor::Monitor::beside(&pool),
            pool,
            recent: crate::app::tasks::write_cache::Recent::default(),
            clock,
            keys: partners::KeyCache::default(),
            definitions: workflows::definitions(),
            experience: crate::app::status::forecast::experience(),
            alarm: crate::app::tasks::timers::Alarm::default(),
            turns: crate::app::contention::Turns::default(),
            statuses: crate::app::status::Statuses::default(),
            watchers: crate::app::status::watch::Watchers::default(),
            feed: feed::tail::Tail::default(),
            shares: shares::All::default(),
            outbound,
            audit_keys: crate::app::audit::transparency_log::Keys::default(),
            workers: crate::app::operations::workers::Workers::default(),
            skew: crate::app::operations::clock_skew::Skew::default(),
            leaving: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            stopping: Notify::new(),
        }
    }

    /// Sets the keys for checkpoints and receipts.
    #[must_use]
    pub fn with_audit_keys(self, audit_keys: crate::app::audit::transparency_log::Keys) -> Self {
        Self { audit_keys, ..self }
    }

    /// Limits the watchers of statuses: at most `most` in total, and `each` for one partner or the
    /// platform.
    #[must_use]
    pub fn with_max_watchers(self, most: usize, each: Option<usize>) -> Self {
        Self { shares: shares::All { watchers: shares::watchers(most, each), ..self.shares }, ..self }
    }

    /// Sets which addresses webhooks may reach.
    #[must_use]
    pub fn with_webhook_reach(self, reach: Reach) -> Self {
        Self { outbound: crate::app::webhooks::dispatch::Outbound::new(self.pool.connections(), reach), ..self }
    }

    /// Sets how many transitions may wait to be written.
    #[must_use]
    pub fn with_write_capacity(self, room: usize) -> Self {
        Self { writer: store::Writer::with_capacity(&self.pool, room), ..self }
    }

    /// An app with an unreachable database, for tests that need none.
    #[cfg(test)]
    pub(crate) fn without_database(clock: Clock) -> Self {
        let patience = Duration::from_millis(100);
        let limits = store::Limits { wait: patience, connect: patience, ..store::Limits::default() };
        let nowhere = store::db::connect::parse_url("postgres://nobody@localhost:1/nothing").unwrap();
        Self::new(store::db::connect::connect_lazily(&nowhere, 10, limits), clock)
    }

    /// The clock. Entry points need it for their own checks (the expiry of tokens).
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// When each background worker last completed a turn.
    pub fn workers(&self) -> &crate::app::operations::workers::Workers {
        &self.workers
    }

    /// The difference between this replica's clock and the database's.
    pub fn skew(&self) -> &crate::app::operations::clock_skew::Skew {
        &self.skew
    }

    /// Makes the service report that it is not ready, with everything else unchanged, so that its
    /// load balancer sends requests elsewhere before it stops.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
    }

    /// Whether the service reports that it is not ready because it will stop.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst) || self.is_draining()
    }

    /// Makes the service report that it is not ready because it is about to stop. The other
    /// replicas handle timers, and requests that wait for a status return.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.watchers.close();
        self.alarm.wake();
        self.stopping.notify_waiters();
    }

    /// Writes accepted commands, then closes every connection. Takes a few seconds at most, even if
    /// the database is unreachable.
    pub async fn close(&self) {
        let closing = async {
            self.writer.close().await;
            self.pool.close().await;
        };
        if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!(
                "the database did not answer during shutdown; pending writes may or may not have been saved"
            );
        }
    }

    /// Announces a transition that this replica committed to everything that waits for it. Must be
    /// called after every write of a task; does not block.
    fn committed(&self, transition: &Transition) {
        self.alarm.set(transition.snapshot().task.wake_at());
        if let Some(change) = crate::app::status::watch::change(transition) {
            self.heard(&[change]);
            self.watchers.announce(change);
        }
        self.feed.look();
        self.outbound.wake();
    }

    /// Publishes new status versions: later reads return at least these, and watchers are woken.
    fn heard(&self, changes: &[Change]) {
        for change in changes {
            self.statuses.changed(*change);
        }
        self.watchers.heard(changes);
    }

    /// Waits until `at`, or until the service is about to stop.
    pub async fn pause_until(&self, at: Time) {
        let mut stopping = pin!(self.stopping.notified());
        // Enable the notification before the flag is read, so that a drain in between is not
        // missed.
        stopping.as_mut().enable();
        let Ok(left) = (at - self.clock.now()).to_std() else { return };
        if !self.is_draining() {
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = stopping => {}
            }
        }
    }

    /// Waits until the service is about to stop.
    pub async fn stopped(&self) {
        let mut stopping = pin!(self.stopping.notified());
        // Enable the notification before the flag is read, so that a drain in between is not
        // missed.
        stopping.as_mut().enable();
        if !self.is_draining() {
            stopping.await;
        }
    }

    /// Waits for this time, by the monotonic clock, or until the service is about to stop.
    pub async fn pause(&self, time: Duration) {
        let _ = timeout(time, self.stopped()).await;
    }

    /// Whether the service is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}

/// Why a use case did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It does not exist, or it belongs to somebody else.
    #[error("not found")]
    NotFound,
    /// The command was refused; includes the state of the task.
    #[error("refused")]
    Refused(#[source] Refusal, Box<crate::app::tasks::commands::ConflictContext>),
    /// The request was refused before there was a task.
    #[error("refused")]
    Rejected(#[source] Refusal),
    /// The caller's precondition names a version that is no longer the current one.
    #[error("the view has changed")]
    PreconditionFailed(Box<crate::app::tasks::commands::ConflictContext>),
    /// The command's id was used before, with another body.
    #[error("the command's id was used before")]
    EventIdReused,
    /// The erasure's id was used before, with another body.
    #[error("the erasure's id was used before")]
    ErasureIdReused,
    /// The task's id was used before, with another body.
    #[error("the task's id was used before")]
    TaskExists(Box<crate::app::tasks::commands::ConflictContext>),
    /// The workflow or version does not exist, or is retired.
    #[error("no such workflow")]
    WorkflowUnavailable,
    /// The latest version of the workflow, if any, is not the one that the caller expects.
    #[error("the workflow has changed")]
    WorkflowChanged(Option<u32>),
    /// The service has no key for checkpoints and receipts.
    #[error("no key for checkpoints and receipts is configured")]
    NoAuditKey,
    /// No checkpoint of that size exists, or none at all yet.
    #[error("no such checkpoint")]
    NoCheckpoint,
    /// The trail, up to the requested entry, is not in the log at that checkpoint.
    #[error("not in the log yet")]
    NotLogged,
    /// The caller's position in the feed no longer exists.
    #[error("the database was restored to an earlier time")]
    FeedRestored,
    /// The entry with this `seq` is not stored as it was written.
    #[error("entry {1} of the trail {0} is damaged")]
    TrailDamaged(Uuid, u64),
    /// The credential expired while the response was being sent.
    #[error("the credential has expired")]
    Expired,
    /// The definition has mistakes.
    #[error("the definition has mistakes")]
    Definition(Vec<Mistake>),
    /// The caller has reached its share of this resource; nothing was done.
    #[error("the caller has reached its limit of {0}")]
    TooManyAtOnce(shares::Resource),
    /// The service is overloaded; nothing was done.
    #[error("overloaded")]
    Overloaded(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The database is unreachable; nothing was done.
    #[error("unavailable")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The database was asked and did not answer: the change may have happened or not.
    #[error("unanswered")]
    Unanswered(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The status is older than the version that the caller asked for, and was not updated in time.
    #[error("the status is behind")]
    Behind,
    /// An internal error.
    #[error("internal fault")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Other writers won every attempt; nothing was done.
    fn contended() -> Self {
        Self::Overloaded(Arc::new(Contended))
    }

    /// Whether the whole database is unreachable or overloaded, so that another task would fail as
    /// well.
    pub fn is_outage(&self) -> bool {
        let is_away = matches!(self, Self::Overloaded(_) | Self::Unavailable(_) | Self::Unanswered(_));
        is_away && !matches!(self.reason(), Some(Reason::Contended | Reason::RowLocked | Reason::NewerFormat))
    }

    /// Why the row that was read cannot be shown, if that is the only error; else the error
    /// unchanged. The full error is logged.
    fn unreadable(self) -> Result<Unreadable, Self> {
        let (Self::Unavailable(source) | Self::Internal(source)) = &self else { return Err(self) };
        let why = match source.downcast_ref() {
            Some(store::Error::Newer { .. }) => Unreadable::NewerFormat,
            Some(store::Error::Impossible { .. }) => Unreadable::Damaged,
            None if source.is::<Impossible>() => Unreadable::Damaged,
            Some(_) | None => return Err(self),
        };
        tracing::warn!(error = &**source as &(dyn std::error::Error + 'static), "a stored row cannot be read");
        Ok(why)
    }

    /// An error for a state that cannot occur.
    fn impossible(what: &'static str) -> Self {
        Self::Internal(Arc::new(Impossible(what)))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("other writers won every attempt")]
struct Contended;

#[derive(Debug, thiserror::Error)]
#[error("impossible: {0}")]
struct Impossible(&'static str);

impl From<Arc<store::Error>> for Error {
    fn from(error: Arc<store::Error>) -> Self {
        match *error {
            store::Error::Busy(_) | store::Error::Full | store::Error::Locked => Self::Overloaded(error),
            store::Error::Unanswered(_) => Self::Unanswered(error),
            // A newer replica wrote the row. It can serve the request; this one cannot.
            store::Error::Unreachable(_) | store::Error::Newer { .. } => Self::Unavailable(error),
            store::Error::NoPartner | store::Error::NoWorkflow => Self::NotFound,
            store::Error::Failed(_) | store::Error::Impossible { .. } => Self::Internal(error),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Arc::new(error).into()
    }
}
