//! Revalidates cached statuses without reading them again. While clients poll, and for a short time
//! after, a look at the end of the feed, several times a second, finds the tasks that changed.
//! Their entries are removed, and all others are still current. So the cost of polling depends on
//! the number of writes and not on the number of polls.
//!
//! **Correctness.** Every change of a status comes with a row of the trail in the same transaction.
//! A look first reads the horizon and then the rows from the *previous* look's horizon on. A
//! transaction that it does not see yet is still running, so it is at or above the look's own
//! horizon, and the next look finds it. A status read during a look is not cached if the look finds
//! that it changed.
//!
//! **Failure.** A look that fails, or finds too many rows, revalidates nothing, and the next one
//! starts anew: cached statuses age and are read again.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::shutdown::Shutdown;
use crate::app::workers::Workers;
use crate::clock::Clock;
use crate::domain::values::time::Time;
use crate::store::Pool;
use crate::store::db::horizon::{Transaction, find_horizon};
use crate::store::feed::list_changed;

use super::cache::Watch;
use super::reader::StatusReader;

/// The pause between two looks. With the time that a look takes, it is well below the allowed age.
const INTERVAL: Duration = Duration::from_millis(300);
/// How long looks continue after the last poll, so that pages that poll rarely still find cached
/// statuses.
const AFTER_POLLS: TimeDelta = TimeDelta::seconds(10);
/// Maximum number of rows per look.
const MOST: usize = 5_000;

/// The loop that looks for changes.
#[derive(Debug)]
pub struct Refresh {
    pool: Pool,
    clock: Clock,
    shutdown: Shutdown,
    workers: Arc<Workers>,
    reader: Arc<StatusReader>,
}

/// The last look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    horizon: Transaction,
    /// When the first of the uninterrupted looks began.
    from: Time,
}

impl Refresh {
    pub(super) fn new(base: &Base, reader: Arc<StatusReader>) -> Self {
        let (pool, clock, shutdown) = (base.pool.clone(), base.clock.clone(), base.shutdown.clone());
        Self { pool, clock, shutdown, workers: Arc::clone(&base.workers), reader }
    }

    /// Revalidates cached statuses until the service drains.
    pub async fn run(&self) {
        let mut last = None;
        while !self.shutdown.is_draining() {
            self.shutdown.pause(INTERVAL).await;
            last = self.step(last).await;
            self.workers.turned("status_renewal");
        }
    }

    /// Looks once, if a client has polled recently. Continues the last look, if there is one.
    pub async fn step(&self, last: Option<Look>) -> Option<Look> {
        if !self.reader.was_asked(self.clock.now() - AFTER_POLLS) {
            return None;
        }
        let looked = self.look(last).await;
        looked.inspect_err(|error| tracing::debug!(%error, "the changes could not be read")).ok()
    }

    async fn look(&self, last: Option<Look>) -> Result<Look, Error> {
        let at = self.clock.now();
        let horizon = find_horizon(&self.pool).await?;
        let anew = Look { horizon, from: self.clock.now() };
        let last = last.filter(|last| last.horizon.epoch == horizon.epoch && last.horizon <= horizon);
        if let Some(last) = last {
            let changed = list_changed(&self.pool, last.horizon, MOST).await?;
            if changed.len() < MOST {
                self.reader.watched(&changed, Watch { from: Some(last.from), until: Some(at) });
                return Ok(Look { horizon, ..last });
            }
        }
        self.reader.watched(&[], Watch { from: Some(anew.from), until: None });
        Ok(anew)
    }
}
