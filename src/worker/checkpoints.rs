//! Checkpoints: once a minute, the heads of the trails that changed go into the log, and its root is signed; in
//! every replica at once.
//!
//! What goes in, and the check of what is there before anything is signed, is [`transparency_log::append`]'s; this
//! worker only says when.
//!
//! **Sharing.** Nothing is claimed or locked. A replica that finds the last checkpoint younger than a minute waits
//! for the rest of it, so a minute has one checkpoint, whoever signs it. Two that append at once collide on the
//! log's keys: one wins, the other finds nothing left.
//!
//! **Checking.** Each look compares the root with what was signed, and some of the leaves and all nodes above them
//! with each other; the next look goes on from there, so in time every row is looked at.
//!
//! **Failure.** A log that is not what was signed is said loudly, every minute, and nothing is signed until a
//! person has looked at it. If the database is away, the next minute has the heads of both. A batch is one
//! statement: a process that is killed leaves nothing half.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::app::audit::transparency_log::{self, PERIOD, Seen};
use crate::app::{App, Error};
use crate::ids;

/// The worker's name.
pub const NAME: &str = "checkpoints";
/// How long a turn may take: a minute's pause, and what there is to check and to sign.
pub const BOUND: Duration = Duration::from_mins(5);

/// The worker. One per process.
#[derive(Debug)]
pub struct Checkpoints {
    app: Arc<App>,
    /// The newest checkpoint that this process has seen: the log must continue it.
    seen: Mutex<Option<Seen>>,
    /// Where the check of the leaves goes on.
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
    /// A worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, seen: Mutex::default(), next_leaf: AtomicU64::new(0), metrics: Metrics::default() }
    }

    /// Adds what the worker counts.
    pub fn register(&self, registry: &mut Registry) {
        let Metrics { signed, failed, size, last } = &self.metrics;
        registry.register("audit_checkpoints_signed", "Checkpoints signed by this replica", signed.clone());
        let help = "Looks at the log that failed: the database is away, or the log is not what was signed";
        registry.register("audit_checkpoints_failed", help, failed.clone());
        registry.register("audit_log_size", "Leaves of the log at its newest checkpoint", size.clone());
        let help = "When the newest checkpoint was signed, in seconds since 1970";
        registry.register_with_unit("audit_checkpoint_signed_at", help, Unit::Seconds, last.clone());
    }

    /// Signs checkpoints until the service drains; finishes the one it has begun.
    pub async fn run(&self) {
        let mut is_away = false;
        while !self.app.is_draining() {
            match self.tick().await {
                Ok(_) => is_away = false,
                // An outage is said once.
                Err(error) if error.is_outage() => {
                    if !is_away {
                        tracing::warn!(error = cause(&error), "no checkpoints until the database is back");
                    }
                    is_away = true;
                }
                Err(error) => tracing::error!(error = cause(&error), "NO CHECKPOINT WAS SIGNED"),
            }
            self.app.workers().turned(NAME);
            let now = self.app.clock().now();
            // When the newest checkpoint is a minute old, or else in a minute.
            let due = self.seen().map(|seen| seen.signed_at + PERIOD).filter(|due| *due > now && *due <= now + PERIOD);
            self.app.pause_until(due.unwrap_or(now + PERIOD) + jitter()).await;
        }
    }

    /// Checks the log and signs what there is to sign; how many checkpoints (more than one only after many events).
    pub async fn tick(&self) -> Result<u32, Error> {
        let signed = self.check_and_sign().await;
        signed.inspect_err(|_| {
            self.metrics.failed.inc();
        })
    }

    async fn check_and_sign(&self) -> Result<u32, Error> {
        let next = transparency_log::check_leaves(&self.app, self.next_leaf.load(Ordering::Relaxed)).await?;
        self.next_leaf.store(next, Ordering::Relaxed);
        let mut signed = 0;
        loop {
            let step = transparency_log::append(&self.app, self.seen(), signed > 0).await?;
            if let Some(last) = step.last {
                self.remember(last);
            }
            self.app.workers().turned(NAME);
            if step.signed {
                signed += 1;
                self.metrics.signed.inc();
            }
            if !step.more || self.app.is_draining() {
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

/// So that replicas seldom meet.
fn jitter() -> TimeDelta {
    TimeDelta::milliseconds(i64::from(u16::from_ne_bytes(ids::random()) % 1000))
}

/// The error with its sources, as the log shows them.
fn cause(error: &Error) -> &(dyn std::error::Error + 'static) {
    error
}
