//! Erasures: what people wrote is taken out of every task, in every replica at once.
//!
//! **Steps.** A step looks at the next tasks of each erasure that is under way and does those in which the actor
//! did something; then it comes back to tasks that have closed meanwhile or failed before; then it ends what is
//! complete. How far an erasure is stands in its row.
//!
//! **Sharing.** Nothing is claimed or locked. Replicas do the same window in different orders, the version guard
//! lets one of them change a task, and one moves the erasure on. What is done twice has nothing left to do.
//!
//! **Failure.** A task that cannot be done is set aside in the database, so that the others go on, and tried again;
//! the erasure is not done before it is. If the database is away, the worker tries again after a pause. A stop
//! comes between two tasks; what the window had left is found again.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::app::erasures::{self, Record};
use crate::app::{App, Error};
use crate::domain::values::id::TaskId;

/// The worker's name.
pub const NAME: &str = "erasures";
/// How long a turn may take: a search, or one task.
pub const BOUND: Duration = Duration::from_mins(2);
/// The most tasks that are looked at in one step.
const WINDOW: u32 = 500;
/// The most erasures that take a step at a time.
const SIDE_BY_SIDE: u32 = 16;
/// How long the worker sleeps when there is nothing to do.
const POLL: Duration = Duration::from_secs(2);
/// How often it looks meanwhile whether the service stops.
const GLANCE: Duration = Duration::from_millis(200);

/// The worker. One per process.
#[derive(Debug)]
pub struct Erasures {
    app: Arc<App>,
    /// How many tasks a step looks at: fewer after a search that took too long.
    window: AtomicU32,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Metrics {
    tasks: Counter,
    failed: Counter,
    finished: Counter,
}

impl Erasures {
    /// A worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self::with_window(app, WINDOW)
    }

    /// A worker that looks at this many tasks in a step.
    pub fn with_window(app: Arc<App>, tasks: u32) -> Self {
        Self { app, window: AtomicU32::new(tasks.max(1)), metrics: Metrics::default() }
    }

    /// Adds what the worker counts.
    pub fn register(&self, registry: &mut Registry) {
        let Metrics { tasks, failed, finished } = &self.metrics;
        registry.register("erasures_tasks", "Tasks that this replica erased something from", tasks.clone());
        registry.register("erasures_failed", "Tasks that could not be erased from, each try", failed.clone());
        registry.register("erasures_finished", "Erasures that this replica ended", finished.clone());
    }

    /// Takes steps until the service drains; finishes the task it is at.
    pub async fn run(&self) {
        let mut failures = 0;
        while !self.app.is_draining() {
            let stepped = self.step().await;
            self.app.workers().turned(NAME);
            match stepped {
                Ok(true) => failures = 0,
                Ok(false) => {
                    failures = 0;
                    self.pause().await;
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(error = cause(&error), "erasures stand still until the database is back");
                    }
                    self.pause().await;
                }
            }
        }
    }

    async fn pause(&self) {
        let mut left = POLL;
        while !left.is_zero() && !self.app.is_draining() {
            tokio::time::sleep(GLANCE).await;
            left = left.saturating_sub(GLANCE);
        }
    }

    /// Does all that can be done now.
    pub async fn run_due(&self) -> Result<(), Error> {
        while self.step().await? {}
        Ok(())
    }

    /// Takes one step; whether something was done.
    pub async fn step(&self) -> Result<bool, Error> {
        let mut done = false;
        for erasure in erasures::list_running(&self.app, SIDE_BY_SIDE).await? {
            if self.app.is_draining() {
                return Ok(done);
            }
            done |= self.walk(&erasure).await?;
        }
        done |= self.come_back().await?;
        let finished = erasures::finish(&self.app, SIDE_BY_SIDE).await?;
        self.metrics.finished.inc_by(finished);
        Ok(done || finished > 0)
    }

    /// The next tasks of one erasure.
    async fn walk(&self, erasure: &Record) -> Result<bool, Error> {
        let tasks = self.window.load(Ordering::Relaxed);
        let window = match erasures::list_next(&self.app, erasure, tasks).await {
            Ok(window) => window,
            Err(error) => {
                // Tasks with long trails take longer: with fewer of them the search comes through.
                self.window.store((tasks / 2).max(1), Ordering::Relaxed);
                return Err(error);
            }
        };
        if window.examined == 0 {
            return erasures::advance(&self.app, erasure, None).await;
        }
        for id in in_any_order(window.found.clone()) {
            if self.app.is_draining() {
                return Ok(true);
            }
            self.erase(erasure, id).await?;
        }
        erasures::advance(&self.app, erasure, Some(&window)).await?;
        Ok(true)
    }

    /// Tasks that have closed since, or that failed before.
    async fn come_back(&self) -> Result<bool, Error> {
        let waiting = erasures::list_waiting(&self.app, self.window.load(Ordering::Relaxed)).await?;
        let mut done = false;
        for (erasure, id) in waiting {
            if self.app.is_draining() {
                break;
            }
            done |= match erasures::get_erasure(&self.app, erasure).await {
                Ok(erasure) => self.erase(&erasure, id).await?,
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => {
                    tracing::error!(%erasure, error = cause(&error), "an erasure cannot be read; it is left out");
                    false
                }
            };
        }
        Ok(done)
    }

    /// One task; whether it could be done. An outage is no fault of the task's.
    async fn erase(&self, erasure: &Record, id: TaskId) -> Result<bool, Error> {
        let erased = erasures::erase_task(&self.app, erasure, id).await;
        self.app.workers().turned(NAME);
        match erased {
            Ok(erased) => {
                self.metrics.tasks.inc_by(u64::from(erased));
                Ok(true)
            }
            Err(error) if error.is_outage() => Err(error),
            Err(error) => {
                self.metrics.failed.inc();
                tracing::warn!(task_id = %id, erasure = %erasure.id, error = cause(&error), "a task cannot be erased from; set aside and tried again");
                erasures::set_aside(&self.app, erasure.id, id).await?;
                Ok(false)
            }
        }
    }
}

/// In another order in each replica, so that they seldom meet.
fn in_any_order(mut tasks: Vec<TaskId>) -> Vec<TaskId> {
    let order = RandomState::new();
    tasks.sort_by_cached_key(|id| order.hash_one(id));
    tasks
}

/// The error with its sources, as the log shows them.
fn cause(error: &Error) -> &(dyn std::error::Error + 'static) {
    error
}
