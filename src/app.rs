//! The use cases: one function per caller request. They join the domain and the store and know no
//! HTTP.

use std::time::Duration;

use tokio::time::timeout;

use crate::clock::Clock;
use crate::domain::task::decide::Transition;
use crate::store;
use crate::store::db::notify::Change;

pub use crate::webhook::address::Reach;

pub mod access;
pub mod audit;
pub mod conflict;
mod contention;
pub mod digest;
pub mod erasures;
mod error;
pub mod feed;
pub mod operations;
pub mod partners;
pub mod refusals;
pub mod shares;
mod shutdown;
pub mod status;
pub mod tasks;
pub mod webhooks;
pub mod workflows;

pub use self::access::Caller;
pub use self::error::Error;
pub use self::shutdown::Shutdown;

/// The longest that shutdown waits for the database.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What an operator or a test may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// The keys for checkpoints and receipts.
    pub audit_keys: crate::app::audit::transparency_log::Keys,
    /// The most watchers of statuses at a time.
    pub max_watchers: usize,
    /// The most of them for one partner or the platform; `None`: a tenth of all, but at least 256.
    pub max_watchers_each: Option<usize>,
    /// The addresses that webhooks may reach.
    pub webhook_reach: Reach,
    /// How many transitions may wait to be written; `None`: the writer's default.
    pub write_capacity: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            audit_keys: crate::app::audit::transparency_log::Keys::default(),
            max_watchers: shares::MAX_WATCHERS,
            max_watchers_each: None,
            webhook_reach: Reach::PublicOnly,
            write_capacity: None,
        }
    }
}

/// The dependencies and shared state of the use cases. One per process.
#[derive(Debug)]
pub struct App {
    /// The end of the service.
    pub shutdown: Shutdown,
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
}

impl App {
    /// An app on this database and clock, with the default options.
    pub fn new(pool: store::Pool, clock: Clock) -> Self {
        Self::with_options(pool, clock, Options::default())
    }

    /// An app on this database and clock.
    pub fn with_options(pool: store::Pool, clock: Clock, options: Options) -> Self {
        let outbound = crate::app::webhooks::dispatch::Outbound::new(pool.connections(), options.webhook_reach);
        let writer = match options.write_capacity {
            Some(transitions) => store::Writer::with_capacity(&pool, transitions),
            None => store::Writer::beside(&pool),
        };
        Self {
            writer,
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
            shares: shares::All::new(options.max_watchers, options.max_watchers_each),
            outbound,
            audit_keys: options.audit_keys,
            workers: crate::app::operations::workers::Workers::default(),
            skew: crate::app::operations::clock_skew::Skew::default(),
            shutdown: Shutdown::default(),
        }
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

    /// Makes the service report that it is not ready because it is about to stop. The other
    /// replicas handle timers, and requests that wait for a status return.
    pub fn drain(&self) {
        self.shutdown.drain();
        self.watchers.close();
        self.alarm.wake();
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
}
