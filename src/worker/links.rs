//! Removes the rows of links that ended 90 days ago, and of absences that ended a day ago. Nothing is
//! claimed: two replicas that remove at the same time share the rows between them.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::app::{App, Error};
use crate::causes::with_causes;

/// The name of the worker.
pub const NAME: &str = "links";
/// The limit of a turn: a pause and a removal.
pub const BOUND: Duration = Duration::from_mins(5);
/// The pause between two turns.
const INTERVAL: Duration = Duration::from_mins(1);
/// The most rows of each kind that a turn removes.
const BATCH: u32 = 1_000;

/// The worker. One per process.
#[derive(Debug)]
pub struct Links {
    app: Arc<App>,
    removed: Counter,
}

impl Links {
    /// Creates the worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, removed: Counter::default() }
    }

    /// Registers the worker's metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "links_removed",
            "Links that this replica removed, 90 days after their end",
            self.removed.clone(),
        );
    }

    /// Removes until the service drains.
    pub async fn run(&self) {
        while !self.app.shutdown.is_draining() {
            if let Err(error) = self.step().await {
                // Another worker reports that the database is unavailable.
                tracing::debug!(error = with_causes(&error), "removing old links failed");
            }
            self.app.operations.workers.turned(NAME);
            self.app.shutdown.pause(INTERVAL).await;
        }
    }

    /// Removes once; returns how many links.
    pub async fn step(&self) -> Result<u64, Error> {
        self.app.absences.remove_ended(BATCH).await?;
        let removed = self.app.links.remove_old(BATCH).await?;
        self.removed.inc_by(removed);
        Ok(removed)
    }
}
