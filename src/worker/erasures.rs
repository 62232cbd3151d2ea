//! Erases personal data from every task, in every replica at once.
//!
//! **Steps.** A step looks at the next tasks of each running erasure and erases from those in which
//! the actor did something. It then returns to tasks that have closed meanwhile or failed before,
//! and finishes erasures that are complete. The row of an erasure records its progress.
//!
//! **Sharing.** Nothing is claimed or locked. Replicas work on the same window in different orders.
//! The version guard lets one of them change a task, and one moves the erasure on. Repeating a step
//! changes nothing.
//!
//! **Failure.** A task that fails is set aside in the database and retried, so that the others go
//! on. The erasure is not done before that task is. If the database is unavailable, the worker
//! retries after a pause. A stop comes between two tasks, and the rest of the window is found
//! again.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::app::erasures::Record;
use crate::app::{App, Error};
use crate::causes::with_causes;
use crate::domain::values::id::TaskId;

/// The name of the worker.
pub const NAME: &str = "erasures";
/// The limit of a turn: a search or one task.
pub const BOUND: Duration = Duration::from_mins(2);
/// The most tasks that a step looks at.
const WINDOW: u32 = 500;
/// The most erasures that take a step at a time.
const SIDE_BY_SIDE: u32 = 16;
/// The pause when there is nothing to do.
const POLL: Duration = Duration::from_secs(2);
/// The interval at which a pause checks whether the service stops.
const GLANCE: Duration = Duration::from_millis(200);

/// The erasure worker. One per process.
#[derive(Debug)]
pub struct Erasures {
    app: Arc<App>,
    /// The number of tasks that a step looks at. It shrinks after a search that took too long.
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
    /// Creates the worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self::with_window(app, WINDOW)
    }

    /// Creates a worker that looks at this many tasks in a step.
    pub fn with_window(app: Arc<App>, tasks: u32) -> Self {
        Self { app, window: AtomicU32::new(tasks.max(1)), metrics: Metrics::default() }
    }

    /// Registers the worker's metrics.
    pub fn register(&self, registry: &mut Registry) {
        let Metrics { tasks, failed, finished } = &self.metrics;
        registry.register("erasures_tasks", "Tasks that this replica erased something from", tasks.clone());
        registry.register("erasures_failed", "Failed attempts to erase from a task", failed.clone());
        registry.register("erasures_finished", "Erasures that this replica finished", finished.clone());
    }

    /// Takes steps until the service drains. Finishes the task in progress.
    pub async fn run(&self) {
        let mut failures = 0;
        while !self.app.shutdown.is_draining() {
            let stepped = self.step().await;
            self.app.operations.workers.turned(NAME);
            match stepped {
                Ok(true) => failures = 0,
                Ok(false) => {
                    failures = 0;
                    self.pause().await;
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(
                            error = with_causes(&error),
                            "erasures stop until the database is available again"
                        );
                    }
                    self.pause().await;
                }
            }
        }
    }

    async fn pause(&self) {
        let mut left = POLL;
        while !left.is_zero() && !self.app.shutdown.is_draining() {
            tokio::time::sleep(GLANCE).await;
            left = left.saturating_sub(GLANCE);
        }
    }

    /// Does everything that can be done now.
    pub async fn run_due(&self) -> Result<(), Error> {
        while self.step().await? {}
        Ok(())
    }

    /// Takes one step. Returns whether anything was done.
    pub async fn step(&self) -> Result<bool, Error> {
        let mut done = false;
        for erasure in self.app.erasures.list_running(SIDE_BY_SIDE).await? {
            if self.app.shutdown.is_draining() {
                return Ok(done);
            }
            done |= self.walk(&erasure).await?;
        }
        done |= self.come_back().await?;
        let finished = self.app.erasures.finish(SIDE_BY_SIDE).await?;
        self.metrics.finished.inc_by(finished);
        Ok(done || finished > 0)
    }

    /// Works on the next tasks of one erasure.
    async fn walk(&self, erasure: &Record) -> Result<bool, Error> {
        let tasks = self.window.load(Ordering::Relaxed);
        let window = match self.app.erasures.list_next(erasure, tasks).await {
            Ok(window) => window,
            Err(error) => {
                // Tasks with long trails take longer; with fewer tasks the search fits its time
                // limit.
                self.window.store((tasks / 2).max(1), Ordering::Relaxed);
                return Err(error);
            }
        };
        if window.examined == 0 {
            return self.app.erasures.advance(erasure, None).await;
        }
        for id in in_any_order(window.found.clone()) {
            if self.app.shutdown.is_draining() {
                return Ok(true);
            }
            self.erase(erasure, id).await?;
        }
        self.app.erasures.advance(erasure, Some(&window)).await?;
        Ok(true)
    }

    /// Works on tasks that have closed since or that failed before.
    async fn come_back(&self) -> Result<bool, Error> {
        let waiting = self.app.erasures.list_waiting(self.window.load(Ordering::Relaxed)).await?;
        let mut done = false;
        for (erasure, id) in waiting {
            if self.app.shutdown.is_draining() {
                break;
            }
            done |= match self.app.erasures.get_erasure(erasure).await {
                Ok(erasure) => self.erase(&erasure, id).await?,
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => {
                    tracing::error!(%erasure, error = with_causes(&error), "an erasure cannot be read and is skipped");
                    false
                }
            };
        }
        Ok(done)
    }

    /// Erases from one task. Returns whether that worked. An outage is not the task's fault.
    async fn erase(&self, erasure: &Record, id: TaskId) -> Result<bool, Error> {
        let erased = self.app.erasures.erase_task(erasure, id).await;
        self.app.operations.workers.turned(NAME);
        match erased {
            Ok(erased) => {
                self.metrics.tasks.inc_by(u64::from(erased));
                Ok(true)
            }
            Err(error) if error.is_outage() => Err(error),
            Err(error) => {
                self.metrics.failed.inc();
                tracing::warn!(task_id = %id, erasure = %erasure.id, error = with_causes(&error), "erasing from a task failed; it is set aside and retried");
                self.app.erasures.set_aside(erasure.id, id).await?;
                Ok(false)
            }
        }
    }
}

/// Shuffles the tasks, so that replicas seldom collide.
fn in_any_order(mut tasks: Vec<TaskId>) -> Vec<TaskId> {
    let order = RandomState::new();
    tasks.sort_by_cached_key(|id| order.hash_one(id));
    tasks
}
