//! Compares this replica's clock with the database's and logs a difference that is too large; see
//! [`crate::app::operations::clock_skew`].

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::app::App;

/// The name of the worker.
pub const NAME: &str = "clocks";
/// The limit of a turn.
pub const BOUND: Duration = Duration::from_mins(1);
/// How often the clocks are compared.
const INTERVAL: Duration = Duration::from_secs(5);

/// The clock worker. One per process.
#[derive(Debug)]
pub struct Clocks {
    app: Arc<App>,
    ahead: Gauge<f64, AtomicU64>,
}

impl Clocks {
    /// Creates the worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, ahead: Gauge::default() }
    }

    /// Registers the worker's metrics.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How far this replica's clock is ahead of the database's; negative if it is behind";
        registry.register_with_unit("clock_ahead", help, Unit::Seconds, self.ahead.clone());
    }

    /// Compares the clocks until the service drains.
    pub async fn run(&self) {
        while !self.app.shutdown.is_draining() {
            self.step().await;
            self.app.operations.workers.turned(NAME);
            self.app.shutdown.pause(INTERVAL).await;
        }
    }

    /// Compares the clocks once.
    pub async fn step(&self) {
        let was_too_large = self.app.operations.skew.is_too_large();
        match self.app.operations.measure_skew().await {
            Ok(ahead) => {
                self.ahead.set(ahead.as_seconds_f64());
                self.say(was_too_large, ahead.as_seconds_f64());
            }
            // Another worker reports that the database is unavailable.
            Err(error) => tracing::debug!(%error, "reading the database's clock failed"),
        }
    }

    /// Logs once when the difference becomes too large, and once when it is small again.
    fn say(&self, was_too_large: bool, ahead: f64) {
        match (was_too_large, self.app.operations.skew.is_too_large()) {
            (false, true) => {
                tracing::error!(
                    ahead,
                    "THE CLOCK IS WRONG: not ready, and no timers until it is within 15 s of the database's"
                );
            }
            (true, false) => tracing::info!(ahead, "the clock agrees with the database's again"),
            (false, false) | (true, true) => {}
        }
    }
}
