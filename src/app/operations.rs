//! Data for operators: readiness, gauges, the clock, and the workers' turns.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::store::db::horizon::read_clock;
use crate::store::{Pool, Writer};

use self::clock_skew::Skew;
use self::health::Health;
use self::monitor::Monitor;
use super::base::Base;
use super::error::Error;
use super::workers::Workers;

pub mod clock_skew;
pub mod health;
pub mod monitor;

/// What operators see of this replica.
#[derive(Debug)]
pub struct Operations {
    /// Whether this replica can serve requests.
    pub health: Health,
    /// Early warnings from the database.
    pub monitor: Monitor,
    /// When each background worker last completed a turn.
    pub workers: Arc<Workers>,
    /// The difference between this replica's clock and the database's.
    pub skew: Arc<Skew>,
    pool: Pool,
    clock: Clock,
}

impl Operations {
    /// `is_signing`: whether there is a key for checkpoints.
    pub(super) fn new(base: &Base, writer: Writer, is_signing: bool) -> Self {
        let skew = Arc::<Skew>::default();
        Self {
            health: Health::new(base, Arc::clone(&skew)),
            monitor: Monitor::new(base, writer, is_signing),
            workers: Arc::clone(&base.workers),
            skew,
            pool: base.pool.clone(),
            clock: base.clock.clone(),
        }
    }

    /// Measures the difference between the clocks.
    pub async fn measure_skew(&self) -> Result<TimeDelta, Error> {
        // A clock that a developer moves differs on purpose; the machine's beneath it must not.
        let now = || self.clock.outside(self.clock.now());
        let before = now();
        let database = read_clock(&self.pool).await?;
        Ok(self.skew.measured(before, database, now()))
    }
}
