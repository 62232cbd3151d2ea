//! The use cases: one function per thing that a caller can ask for. Joins the domain and the store; knows no HTTP.

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

/// How long the end may wait for the database.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the use cases work with. One per process, shared.
#[derive(Debug)]
pub struct App {
    pool: store::Pool,
    /// The same connections for what commands read, some of which nothing else takes.
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

    /// The same with keys for checkpoints and receipts.
    #[must_use]
    pub fn with_audit_keys(self, audit_keys: crate::app::audit::transparency_log::Keys) -> Self {
        Self { audit_keys, ..self }
    }

    /// The same for at most this many watchers of statuses at a time; of one partner, or the platform, at most `each`.
    #[must_use]
    pub fn with_max_watchers(self, most: usize, each: Option<usize>) -> Self {
        Self { shares: shares::All { watchers: shares::watchers(most, each), ..self.shares }, ..self }
    }

    /// The same with webhooks that go as far as this.
    #[must_use]
    pub fn with_webhook_reach(self, reach: Reach) -> Self {
        Self { outbound: crate::app::webhooks::dispatch::Outbound::new(self.pool.connections(), reach), ..self }
    }

    /// The same with room for this many transitions that wait to be written.
    #[must_use]
    pub fn with_write_capacity(self, room: usize) -> Self {
        Self { writer: store::Writer::with_capacity(&self.pool, room), ..self }
    }

    /// An app whose database cannot be reached, for tests of what needs none.
    #[cfg(test)]
    pub(crate) fn without_database(clock: Clock) -> Self {
        let patience = Duration::from_millis(100);
        let limits = store::Limits { wait: patience, connect: patience, ..store::Limits::default() };
        let nowhere = store::db::connect::parse_url("postgres://nobody@localhost:1/nothing").unwrap();
        Self::new(store::db::connect::connect_lazily(&nowhere, 10, limits), clock)
    }

    /// The clock; doors need it for what they check themselves (the expiry of tokens).
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// When the background workers have turned last.
    pub fn workers(&self) -> &crate::app::operations::workers::Workers {
        &self.workers
    }

    /// How far the clock is from the database's.
    pub fn skew(&self) -> &crate::app::operations::clock_skew::Skew {
        &self.skew
    }

    /// From now on the service is not ready, and does all else as before: its balancer sends requests elsewhere
    /// before it stops.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
    }

    /// Whether the service is not ready any more because it will stop.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst) || self.is_draining()
    }

    /// From now on the service is not ready: it is about to stop. Timers are left to the other replicas, and those
    /// who wait for a status are let go.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.watchers.close();
        self.alarm.wake();
        self.stopping.notify_waiters();
    }

    /// Writes what was accepted, then closes every connection; in a few seconds, whatever is away.
    pub async fn close(&self) {
        let closing = async {
            self.writer.close().await;
            self.pool.close().await;
        };
        if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!(
                "the database did not answer while the service closed; what was under way may have been written or not"
            );
        }
    }

    /// A transition was committed by this replica: tells whoever waits for it. To be called after every write of a
    /// task; waits for nothing.
    fn committed(&self, transition: &Transition) {
        self.alarm.set(transition.snapshot().task.wake_at());
        if let Some(change) = crate::app::status::watch::change(transition) {
            self.heard(&[change]);
            self.watchers.announce(change);
        }
        self.feed.look();
        self.outbound.wake();
    }

    /// These versions of statuses exist: whoever asks from now on gets no older ones, and whoever waits is told.
    fn heard(&self, changes: &[Change]) {
        for change in changes {
            self.statuses.changed(*change);
        }
        self.watchers.heard(changes);
    }

    /// Waits until `at`, or until the service is about to stop.
    pub async fn pause_until(&self, at: Time) {
        let mut stopping = pin!(self.stopping.notified());
        // Before the look at the flag, so that a drain in between is not missed.
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
        // Before the look at the flag, so that a drain in between is not missed.
        stopping.as_mut().enable();
        if !self.is_draining() {
            stopping.await;
        }
    }

    /// Waits this long, by a clock that nobody can set, or until the service is about to stop.
    pub async fn pause(&self, time: Duration) {
        let _ = timeout(time, self.stopped()).await;
    }

    /// Whether the service is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}

/// Why a use case did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it is somebody else's.
    #[error("not found")]
    NotFound,
    /// The command was refused; where the task stands.
    #[error("refused")]
    Refused(#[source] Refusal, Box<crate::app::tasks::commands::ConflictContext>),
    /// The request was refused before there was a task to stand anywhere.
    #[error("refused")]
    Rejected(#[source] Refusal),
    /// The caller acts on a version of its view that is not the present one.
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
    /// The latest version of the workflow, if there is one, is not what the caller expects.
    #[error("the workflow has changed")]
    WorkflowChanged(Option<u32>),
    /// The service has no key for checkpoints and receipts.
    #[error("no key for checkpoints and receipts is configured")]
    NoAuditKey,
    /// No checkpoint of that size was signed, or none at all yet.
    #[error("no such checkpoint")]
    NoCheckpoint,
    /// The trail, up to where it was asked about, is not in the log at that checkpoint.
    #[error("not in the log yet")]
    NotLogged,
    /// What the caller has read of the feed is not there any more.
    #[error("the database was restored to an earlier time")]
    FeedRestored,
    /// The entry with this `seq` is not stored as it was written.
    #[error("entry {1} of the trail {0} is not what was written")]
    TrailDamaged(Uuid, u64),
    /// The credential expired while the answer was being given.
    #[error("the credential has expired")]
    Expired,
    /// The definition has mistakes.
    #[error("the definition has mistakes")]
    Definition(Vec<Mistake>),
    /// The caller has as many of these under way as one caller may have; nothing was done.
    #[error("as many {0} as one caller may have")]
    TooManyAtOnce(shares::Resource),
    /// Too much to do; nothing was done.
    #[error("overloaded")]
    Overloaded(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The database cannot be reached: nothing was done.
    #[error("unavailable")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The database was asked and did not answer: what was asked may have been done or not.
    #[error("unanswered")]
    Unanswered(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The status is older than the version that the caller asked for, and did not become newer for a while.
    #[error("the status is behind")]
    Behind,
    /// A fault of ours.
    #[error("internal fault")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Others were faster each time; nothing was done.
    fn contended() -> Self {
        Self::Overloaded(Arc::new(Contended))
    }

    /// Whether the database as a whole is away or overloaded, so that another task would fare no better than this one.
    pub fn is_outage(&self) -> bool {
        let is_away = matches!(self, Self::Overloaded(_) | Self::Unavailable(_) | Self::Unanswered(_));
        is_away && !matches!(self.reason(), Some(Reason::Contended | Reason::RowLocked | Reason::NewerFormat))
    }

    /// Why the row that was read cannot be shown, if that is all that went wrong; else the error as it was. The log
    /// has it whole.
    fn unreadable(self) -> Result<Unreadable, Self> {
        let (Self::Unavailable(source) | Self::Internal(source)) = &self else { return Err(self) };
        let why = match source.downcast_ref() {
            Some(store::Error::Newer { .. }) => Unreadable::NewerFormat,
            Some(store::Error::Impossible { .. }) => Unreadable::Damaged,
            None if source.is::<Impossible>() => Unreadable::Damaged,
            Some(_) | None => return Err(self),
        };
        tracing::warn!(error = &**source as &(dyn std::error::Error + 'static), "a row cannot be shown");
        Ok(why)
    }

    /// Something that cannot be.
    fn impossible(what: &'static str) -> Self {
        Self::Internal(Arc::new(Impossible(what)))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("others were faster, every time")]
struct Contended;

#[derive(Debug, thiserror::Error)]
#[error("impossible: {0}")]
struct Impossible(&'static str);

impl From<Arc<store::Error>> for Error {
    fn from(error: Arc<store::Error>) -> Self {
        match *error {
            store::Error::Busy(_) | store::Error::Full | store::Error::Locked => Self::Overloaded(error),
            store::Error::Unanswered(_) => Self::Unanswered(error),
            // A newer replica wrote the row: that one can serve it, this one not.
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
