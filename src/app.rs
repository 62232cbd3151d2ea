//! The use cases. They join the domain and the store and know no HTTP.
//!
//! [`App`] is a composition: each capability is a struct in its own file, which holds the state
//! that it owns and the capabilities below it that it uses. Nothing below this file mentions
//! [`App`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::Clock;
use crate::domain::values::cell::Cell;
use crate::store::Pool;

use self::absences::Absences;
use self::analytics::Analytics;
use self::audit::Audit;
use self::audit::transparency_log::Keys;
use self::base::Base;
use self::commits::Commits;
use self::erasures::Erasures;
use self::feed::Feed;
use self::feed::render::Renderer;
use self::journal::Journal;
use self::links::Links;
use self::operations::Operations;
use self::partners::Partners;
use self::retention::{Policy, Retention};
use self::shares::{All, MAX_WATCHERS};
use self::shutdown::Shutdown;
use self::status::Statuses;
use self::status::forecast::Forecasts;
use self::tasks::Tasks;
use self::tasks::load::Loader;
use self::tasks::writes::Writes;
use self::webhooks::wire::Wire;
use self::webhooks::{Way, Webhooks};
use self::workflows::Workflows;

pub use self::access::Caller;
pub use self::error::{Archived, Error, NothingToDecide};
pub use crate::webhook::address::Reach;

pub mod absences;
pub mod access;
pub mod analytics;
mod archived;
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
pub mod links;
pub mod operations;
pub mod partners;
pub mod refusals;
mod replay;
pub mod retention;
pub mod shares;
pub mod shutdown;
pub mod status;
pub mod tasks;
pub mod webhooks;
pub mod workers;
pub mod workflows;

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
    /// What disturbs webhooks on their way; `None` in production.
    pub webhook_wire: Option<Arc<dyn Wire>>,
    /// How many transitions may wait to be written; `None`: the writer's default.
    pub write_capacity: Option<usize>,
    /// Whether the platform's own escalations need a second person.
    pub dual_control: bool,
    /// The origin by which browsers reach the service, such as `https://stagegate.example`; without
    /// it no links are made.
    pub public_origin: Option<String>,
    /// The cell that this is.
    pub cell: Cell,
    /// When closed tasks are put away, and where; `None`: they stay for ever.
    pub retention: Option<Policy>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            audit_keys: Keys::default(),
            max_watchers: MAX_WATCHERS,
            max_watchers_each: None,
            webhook_reach: Reach::PublicOnly,
            webhook_wire: None,
            write_capacity: None,
            dual_control: true,
            public_origin: None,
            cell: Cell::default(),
            retention: None,
        }
    }
}

/// The use cases by capability. One per process.
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
    /// Absences of their people.
    pub absences: Arc<Absences>,
    /// Workflows and simulations.
    pub workflows: Arc<Workflows>,
    /// Statistics of closed tasks.
    pub analytics: Analytics,
    /// Links for people, and their sessions.
    pub links: Arc<Links>,
    /// Erasures of personal data.
    pub erasures: Erasures,
    /// Closed tasks that are put away; `None` if they stay for ever.
    pub retention: Option<Retention>,
    /// Health, metrics and clocks.
    pub operations: Operations,
    /// The end of the service.
    pub shutdown: Shutdown,
    cell: Cell,
    clock: Clock,
    pool: Pool,
    writes: Arc<Writes>,
}

impl App {
    /// An app on this database and clock, with the default options.
    pub fn new(pool: Pool, clock: Clock) -> Self {
        Self::with_options(pool, clock, Options::default())
    }

    /// An app on this database and clock.
    pub fn with_options(pool: Pool, clock: Clock, options: Options) -> Self {
        let shares = All::new(options.max_watchers, options.max_watchers_each);
        let base = Base::new(pool, clock, shares, (options.dual_control, options.cell));

        let journal = Arc::new(Journal::new(&base));
        let partners = Arc::new(Partners::new(&base, Arc::clone(&journal)));
        let absences = Arc::new(Absences::new(&base, Arc::clone(&journal)));
        let workflows = Arc::new(Workflows::new(&base, Arc::clone(&journal)));
        let forecasts = Arc::new(Forecasts::new(&base));
        let statuses = Statuses::new(&base, Arc::clone(&forecasts));

        let commits = Arc::new(Commits::new(Arc::clone(&statuses.watchers)));
        let loader = Arc::new(Loader::new(&base, (Arc::clone(&workflows), Arc::clone(&absences))));
        let writes = Arc::new(Writes::new(&base, options.write_capacity, Arc::clone(&commits)));
        let renderer = Arc::new(Renderer::new(&base, Arc::clone(&loader), Arc::clone(&forecasts)));
        let links = Arc::new(Links::new(&base, (Arc::clone(&partners), Arc::clone(&loader)), options.public_origin));
        let audit = Audit::new(&base, options.audit_keys, Arc::clone(&loader), Arc::clone(&partners));
        let is_signing = audit.log.require_key().is_ok();

        let tasks = Tasks::new(&base, (Arc::clone(&loader), Arc::clone(&writes)), Arc::clone(&workflows), forecasts);
        let retention =
            options.retention.map(|policy| Retention::new(&base, policy, (&audit, journal), Arc::clone(&writes)));

        let way = Way { reach: options.webhook_reach, wire: options.webhook_wire };

        Self {
            feed: Feed::new(&base, Arc::clone(&renderer), Arc::clone(&commits)),
            webhooks: Webhooks::new(&base, renderer, &commits, way),
            erasures: Erasures::new(
                &base,
                (Arc::clone(&partners), Arc::clone(&absences), Arc::clone(&links), Arc::clone(&tasks.claims)),
                loader,
                Arc::clone(&writes),
            ),
            analytics: Analytics::new(&base, Arc::clone(&workflows)),
            links,
            tasks,
            operations: Operations::new(&base, writes.writer.clone(), is_signing),
            statuses,
            retention,
            audit,
            partners,
            absences,
            workflows,
            shutdown: base.shutdown,
            cell: base.cell,
            clock: base.clock,
            pool: base.pool,
            writes,
        }
    }

    /// An app with an unreachable database, for tests that need none.
    #[cfg(test)]
    pub(crate) fn without_database(clock: Clock) -> Self {
        Self::new(Base::without_database(clock.clone()).pool, clock)
    }

    /// The cell that this is.
    pub fn cell(&self) -> &Cell {
        &self.cell
    }

    /// Whether this replica only reads, so that its database may be a standby.
    pub fn is_read_only(&self) -> bool {
        self.pool.is_read_only()
    }

    /// The clock. Entry points need it for their own checks (the expiry of tokens).
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Makes the service report that it is not ready because it is about to stop. The other
    /// replicas handle timers, and requests that wait for a status return.
    pub fn drain(&self) {
        self.shutdown.drain();
        self.statuses.watchers.close();
        self.writes.commits.timers.wake();
    }

    /// Writes accepted commands, then closes every connection. Takes a few seconds at most, even if
    /// the database is unreachable.
    pub async fn close(&self) {
        let closing = async {
            self.writes.writer.close().await;
            self.pool.close().await;
        };
        if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!(
                "the database did not answer during shutdown; pending writes may or may not have been saved"
            );
        }
    }
}
