//! Whether this replica can serve, and if not, why.
//!
//! The database is asked by a connection of its own, once for all who want to know, and the answer holds for a second:
//! neither the line of requests nor the number of those who ask keeps anybody from it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout};

use crate::app::App;
use crate::store::db::probe::{Fitness, Probe};
use crate::store::{self, Pool};

use super::workers::Unfit;

/// How old a look at the database may be.
const MAX_AGE: Duration = Duration::from_secs(1);
/// How long a look may take: below the time that those who ask are willing to wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why this replica cannot serve. A further reason is a variant here, its code in `http`, and a look in [`ready`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotReady {
    /// SIGTERM came.
    #[error("the service is stopping")]
    Draining,
    /// There is no connection, or no answer.
    #[error("the database cannot be reached")]
    Unreachable(#[source] Arc<store::Error>),
    /// There was no answer in time.
    #[error("the database has not answered for {} s", PATIENCE.as_secs())]
    Silent,
    /// A standby, or a server that was told to take no writes.
    #[error("the database takes no writes: it is a standby, or was made read-only")]
    ReadOnly,
    /// `stagegate migrate` was not run for this build.
    #[error("the database lacks migrations")]
    NotMigrated,
    /// What a pooler may do.
    #[error("the database connection is not in the role {role}; a pooler may have dropped it", role = store::db::connect::SERVING_ROLE)]
    NotConfined,
    /// A background worker hangs, or the clock is wrong.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// What is known of the database's fitness.
#[derive(Debug)]
pub(in crate::app) struct Health(AsyncMutex<Look>);

#[derive(Debug)]
struct Look {
    probe: Probe,
    last: Option<(Instant, Result<(), NotReady>)>,
}

impl Health {
    /// Of a replica with this pool.
    pub(in crate::app) fn beside(pool: &Pool) -> Self {
        let look = Look { probe: Probe::beside(pool), last: None };
        Self(AsyncMutex::new(look))
    }

    async fn look(&self) -> Result<(), NotReady> {
        // Who comes while others look finds what they found.
        let mut look = self.0.lock().await;
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
            // Whatever keeps the database from answering this, the replica is of no use now.
            Ok(Err(error)) => Err(NotReady::Unreachable(Arc::new(error))),
            Err(_) => Err(NotReady::Silent),
        };
        look.last = Some((Instant::now(), found.clone()));
        found
    }
}

/// Succeeds if the database is reachable, migrated and takes writes, in the role that cannot change the trail,
/// nothing else is amiss, and the service is not about to stop.
pub async fn ready(app: &App) -> Result<(), NotReady> {
    if app.is_leaving() {
        return Err(NotReady::Draining);
    }
    app.health.look().await?;
    Ok(super::workers::check(app)?)
}
