//! The use cases: one function per caller request. They join the domain and the store and know no
//! HTTP.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::Clock;
use crate::store;

pub use crate::webhook::address::Reach;

pub mod access;
pub mod audit;
mod base;
mod commits;
pub mod conflict;
mod contention;
pub mod digest;
pub mod erasures;
mod error;
pub mod feed;
pub mod journal;
pub mod operations;
pub mod partners;
pub mod refusals;
pub mod shares;
mod shutdown;
pub mod status;
pub mod tasks;
pub mod webhooks;
pub mod workers;
pub mod workflows;

use self::audit::Audit;
use self::audit::transparency_log::Keys;
use self::base::Base;
use self::commits::Commits;
use self::feed::Feed;
use self::feed::render::Renderer;
use self::journal::Journal;
use self::partners::Partners;
use self::shares::All;
use self::status::Statuses;
use self::status::forecast::Forecasts;
use self::tasks::Tasks;
use self::tasks::load::Loader;
use self::tasks::writes::Writes;
use self::webhooks::Webhooks;
use self::workers::Workers;
use self::workflows::Workflows;

pub use self::access::Caller;
pub use self::error::Error;
pub use self::shutdown::Shutdown;

/// The longest that shutdown waits for the database.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What an operator or a test may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// The keys for checkpoints and receipts.
    pub audit_keys: Keys,
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
            audit_keys: Keys::default(),
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
    /// Tasks, commands, timers and the inbox.
    pub tasks: Tasks,
    /// Statuses: polling, waiting, streams.
    pub statuses: Statuses,
    /// The feed.
    pub feed: Feed,
    /// Endpoints, and the deliveries to them.
    pub webhooks: Webhooks,
    /// Trails, proofs, the log, exports.
    pub audit: Audit,
    /// Partners and their keys.
    pub partners: Arc<Partners>,
    /// Workflows and simulations.
    pub workflows: Arc<Workflows>,
    /// The end of the service.
    pub shutdown: Shutdown,
    pool: store::Pool,
    /// The same connections for the reads of commands; some of them are reserved for these.
    decisions: store::Pool,
    writer: store::Writer,
    clock: Clock,
    commits: Arc<Commits>,
    loader: Arc<Loader>,
    writes: Arc<Writes>,
    shares: All,
    health: crate::app::operations::health::Health,
    monitor: crate::app::operations::monitor::Monitor,
    workers: Arc<Workers>,
    skew: crate::app::operations::clock_skew::Skew,
}

impl App {
    /// An app on this database and clock, with the default options.
    pub fn new(pool: store::Pool, clock: Clock) -> Self {
        Self::with_options(pool, clock, Options::default())
    }

    /// An app on this database and clock.
    pub fn with_options(pool: store::Pool, clock: Clock, options: Options) -> Self {
        let writer = match options.write_capacity {
            Some(transitions) => store::Writer::with_capacity(&pool, transitions),
            None => store::Writer::beside(&pool),
        };
        let shares = All::new(options.max_watchers, options.max_watchers_each);
        let base = Base::new(pool, clock, shares);
        let forecasts = Arc::new(Forecasts::new(&base));
        let statuses = Statuses::new(&base, Arc::clone(&forecasts));
        let journal = Arc::new(Journal::new(&base));
        let partners = Arc::new(Partners::new(&base, Arc::clone(&journal)));
        let workflows = Arc::new(Workflows::new(&base, journal));
        let commits = Arc::new(Commits::new(Arc::clone(&statuses.watchers)));
        let loader = Arc::new(Loader::new(&base, Arc::clone(&workflows)));
        let writes = Arc::new(Writes::new(writer.clone(), Arc::clone(&commits)));
        let reads_and_writes = (Arc::clone(&loader), Arc::clone(&writes));
        let tasks = Tasks::new(&base, reads_and_writes, Arc::clone(&workflows), Arc::clone(&forecasts));
        let renderer = Arc::new(Renderer::new(&base, Arc::clone(&loader), forecasts));
        let feed = Feed::new(&base, Arc::clone(&renderer), Arc::clone(&commits));
        let webhooks = Webhooks::new(&base, renderer, &commits, options.webhook_reach);
        let audit = Audit::new(&base, options.audit_keys, Arc::clone(&loader), Arc::clone(&partners));
        let pool = base.pool;
        Self {
            tasks,
            feed,
            webhooks,
            audit,
            partners,
            workflows,
            writer,
            health: crate::app::operations::health::Health::beside(&pool),
            decisions: base.decisions,
            monitor: crate::app::operations::monitor::Monitor::beside(&pool),
            pool,
            clock: base.clock,
            commits,
            loader,
            writes,
            statuses,
            shares: base.shares,
            workers: base.workers,
            skew: crate::app::operations::clock_skew::Skew::default(),
            shutdown: base.shutdown,
        }
    }

    /// An app with an unreachable database, for tests that need none.
    #[cfg(test)]
    pub(crate) fn without_database(clock: Clock) -> Self {
        Self::new(Base::without_database(clock.clone()).pool, clock)
    }

    /// The clock. Entry points need it for their own checks (the expiry of tokens).
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// When each background worker last completed a turn.
    pub fn workers(&self) -> &Workers {
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
        self.statuses.watchers.close();
        self.commits.timers.wake();
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
}
