//! Whether this replica can serve requests, and if not, why.
//!
//! A connection of its own checks the database, once for all callers, and the result is valid for a
//! second. So neither queued requests nor the number of callers can block the check.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout};

use crate::app::base::Base;
use crate::app::shutdown::Shutdown;
use crate::app::workers::Workers;
use crate::store;
use crate::store::db::probe::{Fitness, Probe};

use super::clock_skew::Skew;

/// The longest time for which a check is valid.
const MAX_AGE: Duration = Duration::from_secs(1);
/// The time limit of a check: shorter than the timeouts of its callers.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why this replica cannot serve requests. A new reason needs a variant here, its code in `http`,
/// and a check in [`Health::ready`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotReady {
    /// SIGTERM was received.
    #[error("the service is stopping")]
    Draining,
    /// There is no connection, or the server returned an error.
    #[error("the database cannot be reached")]
    Unreachable(#[source] Arc<store::Error>),
    /// There was no answer in time.
    #[error("the database has not answered for {} s", PATIENCE.as_secs())]
    Silent,
    /// A standby, or a server that is set to read-only.
    #[error("the database accepts no writes: it is a standby, or was set to read-only")]
    ReadOnly,
    /// `stagegate migrate` was not run for this build.
    #[error("the database lacks migrations")]
    NotMigrated,
    /// The session lost its role or its time limits, which a pooler can cause.
    #[error("the database connection is not in the role {role}, or has no time limits; a pooler may have dropped them", role = store::db::connect::SERVING_ROLE)]
    NotConfined,
    /// The address leads to another database than at the start.
    #[error("the database is another cell than this replica")]
    OtherCell,
    /// A background worker hangs, or the clock is wrong.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// Why a replica should get no requests although its database is fine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A background worker hangs, or ends each time it is started.
    #[error("the worker {worker} has not completed a turn for {} s", still.as_secs())]
    Still {
        /// Its name.
        worker: &'static str,
        /// How long it has been stalled.
        still: Duration,
    },
    /// Its deadlines would differ from those of the other replicas.
    #[error("the clock is {} ms ahead of the database's", .0.num_milliseconds())]
    Clock(TimeDelta),
}

/// Checks whether this replica can serve requests.
#[derive(Debug)]
pub struct Health {
    shutdown: Shutdown,
    workers: Arc<Workers>,
    skew: Arc<Skew>,
    latest: AsyncMutex<Look>,
}

/// The latest check of the database.
#[derive(Debug)]
struct Look {
    probe: Probe,
    last: Option<(Instant, Result<(), NotReady>)>,
}

impl Health {
    pub(super) fn new(base: &Base, skew: Arc<Skew>) -> Self {
        let latest = AsyncMutex::new(Look { probe: Probe::beside(&base.pool).of(&base.cell), last: None });
        Self { shutdown: base.shutdown.clone(), workers: Arc::clone(&base.workers), skew, latest }
    }

    /// Succeeds if the database is reachable, migrated, writable and in the role that cannot change
    /// the trail, the workers and the clock are fine, and the service is not about to stop.
    pub async fn ready(&self) -> Result<(), NotReady> {
        if self.shutdown.is_leaving() {
            return Err(NotReady::Draining);
        }
        self.look().await?;
        Ok(self.check()?)
    }

    /// Checks that the background workers complete turns and the clock is right. Does not block.
    ///
    /// # Errors
    ///
    /// The first problem found.
    fn check(&self) -> Result<(), Unfit> {
        if self.skew.is_too_large() {
            return Err(Unfit::Clock(self.skew.ahead()));
        }
        match self.workers.still().first() {
            Some((worker, still)) => Err(Unfit::Still { worker, still: *still }),
            None => Ok(()),
        }
    }

    async fn look(&self) -> Result<(), NotReady> {
        // Callers that arrive during a check share its result.
        let mut look = self.latest.lock().await;
        if let Some((at, found)) = &look.last
            && at.elapsed() < MAX_AGE
        {
            return found.clone();
        }
        let found = match timeout(PATIENCE, look.probe.look()).await {
            Ok(Ok(Fitness::Fit)) => Ok(()),
            Ok(Ok(Fitness::ReadOnly)) => Err(NotReady::ReadOnly),
            Ok(Ok(Fitness::NotMigrated)) => Err(NotReady::NotMigrated),
            Ok(Ok(Fitness::NotConfined)) => Err(NotReady::NotConfined),
            Ok(Ok(Fitness::OtherCell)) => Err(NotReady::OtherCell),
            // Whatever keeps the database from answering, this replica cannot serve now.
            Ok(Err(error)) => Err(NotReady::Unreachable(Arc::new(error))),
            Err(_) => Err(NotReady::Silent),
        };
        look.last = Some((Instant::now(), found.clone()));
        found
    }
}
