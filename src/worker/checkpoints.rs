//! Signs checkpoints. Once a minute, the heads of the trails that changed go into the transparency
//! log and its root is signed. The worker runs in every replica.
//!
//! [`TransparencyLog::append`] decides what goes in and checks what is stored before anything is
//! signed. This worker only decides when.
//!
//! **Sharing.** Nothing is claimed or locked. A replica that finds the last checkpoint younger than
//! a minute waits for the rest of the minute, so each minute has one checkpoint, from any replica.
//! Two replicas that append at the same time collide on the log's keys: one wins, and the other
//! finds nothing left to add.
//!
//! **Checking.** Each turn compares the root with the signed one, and checks some of the leaves
//! against all nodes above them. The next turn continues after those leaves, so in time every row
//! is checked.
//!
//! **Failure.** If the log is not what was signed, an error is logged every minute and nothing is
//! signed until a person has looked at it. If the database is unavailable, the next checkpoint
//! covers the missed minutes too. A batch is one statement, so a killed process leaves nothing
//! half-done.
//!
//! [`TransparencyLog::append`]: crate::app::audit::transparency_log::TransparencyLog::append

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::app::audit::transparency_log::{PERIOD, Seen};
use crate::app::{App, Error};
use crate::causes::with_causes;
use crate::ids;

/// The name of the worker.
pub const NAME: &str = "checkpoints";
/// The limit of a turn: a pause of a minute, the check and the signing.
pub const BOUND: Duration = Duration::from_mins(5);

/// The checkpoint worker. One per process.
#[derive(Debug)]
pub struct Checkpoints {
    app: Arc<App>,
    /// The newest checkpoint that this process has seen. The log must continue it.
    seen: Mutex<Option<Seen>>,
    /// The leaf at which the next check starts.
    next_leaf: AtomicU64,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Metrics {
    signed: Counter,
    failed: Counter,
    size: Gauge,
    last: Gauge,
}

impl Checkpoints {
    /// Creates the worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, seen: Mutex::default(), next_leaf: AtomicU64::new(0), metrics: Metrics::default() }
    }

    /// Registers the worker's metrics.
    pub fn register(&self, registry: &mut Registry) {
        let Metrics { signed, failed, size, last } = &self.metrics;
        registry.register("audit_checkpoints_signed", "Checkpoints signed by this replica", signed.clone());
        let help = "Failed turns: the database is unavailable, or the log is not what was signed";
        registry.register("audit_checkpoints_failed", help, failed.clone());
        registry.register("audit_log_size", "Leaves of the log at its newest checkpoint", size.clone());
        let help = "When the newest checkpoint was signed, in seconds since 1970";
        registry.register_with_unit("audit_checkpoint_signed_at", help, Unit::Seconds, last.clone());
    }

    /// Signs checkpoints until the service drains. Finishes the one in progress.
    pub async fn run(&self) {
        let mut is_away = false;
        while !self.app.shutdown.is_draining() {
            match self.tick().await {
                Ok(_) => is_away = false,
                // An outage is logged once.
                Err(error) if error.is_outage() => {
                    if !is_away {
                        tracing::warn!(
                            error = with_causes(&error),
                            "checkpoints stop until the database is available again"
                        );
                    }
                    is_away = true;
                }
                Err(error) => tracing::error!(error = with_causes(&error), "NO CHECKPOINT WAS SIGNED"),
            }
            self.app.operations.workers.turned(NAME);
            let now = self.app.clock().now();
            // Due when the newest checkpoint is a minute old, and at the latest in a minute.
            let due = self.seen().map(|seen| seen.signed_at + PERIOD).filter(|due| *due > now && *due <= now + PERIOD);
            self.app.shutdown.pause_until(due.unwrap_or(now + PERIOD) + jitter(), self.app.clock()).await;
        }
    }

    /// Checks the log and signs what is new. Returns the number of checkpoints, which exceeds one
    /// only after many events.
    pub async fn tick(&self) -> Result<u32, Error> {
        let signed = self.check_and_sign().await;
        signed.inspect_err(|_| {
            self.metrics.failed.inc();
        })
    }

    async fn check_and_sign(&self) -> Result<u32, Error> {
        let next = self.app.audit.log.check_leaves(self.next_leaf.load(Ordering::Relaxed)).await?;
        self.next_leaf.store(next, Ordering::Relaxed);
        let mut signed = 0;
        loop {
            let step = self.app.audit.log.append(self.seen(), signed > 0).await?;
            if let Some(last) = step.last {
                self.remember(last);
            }
            self.app.operations.workers.turned(NAME);
            if step.signed {
                signed += 1;
                self.metrics.signed.inc();
            }
            if !step.more || self.app.shutdown.is_draining() {
                return Ok(signed);
            }
        }
    }

    fn seen(&self) -> Option<Seen> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, last: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        self.metrics.size.set(i64::try_from(last.size).unwrap_or(i64::MAX));
        self.metrics.last.set(last.signed_at.utc().timestamp());
    }
}

/// Spreads the replicas out, so that they seldom collide.
fn jitter() -> TimeDelta {
    TimeDelta::milliseconds(i64::from(u16::from_ne_bytes(ids::random()) % 1000))
}
