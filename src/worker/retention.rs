//! Puts closed tasks away, a few at a time, in the one replica that has the turn.
//!
//! **Pace.** A step puts a few tasks away, and a pause follows that is as long as the step, so that
//! at most half of a connection is used. While commands wait to be written, there is no step at all.
//! The rows of a step are deleted by one short transaction, which holds back the feed and the log no
//! longer than any other.
//!
//! **Order.** Steps walk through the closed tasks from the earliest on. One that something keeps is
//! passed and found again on the next walk, a minute after the end of this one.
//!
//! **Failure.** A task whose file cannot be written or does not verify is logged and counted. It
//! keeps its rows, and the others go on. If a whole step fails, as on a full disk, the walk ends and
//! begins anew after the pause.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::retention::{Due, Retention as Tasks};
use crate::app::{App, Error};
use crate::causes::with_causes;
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;

/// The name of the worker.
pub const NAME: &str = "retention";
/// The limit of a turn: a step and its pause.
pub const BOUND: Duration = Duration::from_mins(10);
/// How many tasks a step puts away. Their rows go in one transaction for each partner.
const BATCH: usize = 20;
/// How many entries their trails have together, unless it is one task: deleting them takes a small
/// part of the time that a statement may.
const MAX_ENTRIES: u64 = 5_000;
/// How many tasks a search looks at.
const WINDOW: u32 = 500;
/// The pause between two walks, and while another replica has the turn.
const REST: Duration = Duration::from_mins(1);
/// The shortest pause between two steps, and the one while commands wait to be written.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two steps.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The worker. One per process.
#[derive(Debug)]
pub struct Retention {
    app: Arc<App>,
    walk: Mutex<Walk>,
    metrics: Metrics,
}

/// How far the walk through the closed tasks is.
#[derive(Debug, Default)]
struct Walk {
    /// Tasks that were found and wait for their step.
    found: Vec<Due>,
    /// The last task that was looked at; `None`: the walk begins.
    last: Option<(Time, TaskId)>,
    /// Whether a task was due on this walk.
    was_due: bool,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It put tasks away, or looked at some. There may be more.
    Done,
    /// The walk is over.
    Over,
    /// Another replica has the turn.
    NotOurs,
    /// Commands wait to be written.
    Busy,
}

#[derive(Debug, Default)]
struct Metrics {
    archived: Counter,
    failed: Counter,
    overdue: Gauge,
}

impl Retention {
    /// Creates the worker for this app, which must have a policy of retention to do anything.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, walk: Mutex::default(), metrics: Metrics::default() }
    }

    /// Registers the worker's metrics.
    pub fn register(&self, registry: &mut Registry) {
        let Metrics { archived, failed, overdue } = &self.metrics;
        registry.register("retention_tasks", "Tasks that this replica put away", archived.clone());
        registry.register("retention_failed", "Failed attempts to put a task away", failed.clone());
        registry.register_with_unit(
            "retention_overdue",
            "How long the task has been due that this replica last found to be the oldest one; zero after a walk that found none",
            Unit::Seconds,
            overdue.clone(),
        );
    }

    /// Takes steps until the service drains. Finishes the step in progress.
    pub async fn run(&self) {
        let Some(tasks) = &self.app.retention else { return self.app.shutdown.stopped().await };
        let mut failures = 0_u32;
        while !self.app.shutdown.is_draining() {
            let began = Instant::now();
            let stepped = self.step().await;
            self.app.operations.workers.turned(NAME);
            let pause = match &stepped {
                Ok(Step::Done) => began.elapsed().clamp(PAUSE, MAX_PAUSE),
                Ok(Step::Busy) => PAUSE,
                Ok(Step::Over | Step::NotOurs) | Err(_) => REST,
            };
            failures = if stepped.is_ok() { 0 } else { failures + 1 };
            if let Err(error) = stepped
                && failures == 1
            {
                tracing::warn!(error = with_causes(&error), "no tasks are put away until the next walk");
            }
            self.app.shutdown.pause(pause).await;
        }
        // Another replica need not wait for the turn to pass.
        let _ = tasks.end_turn().await;
    }

    /// Puts everything away that is due now, without pauses. Returns how many tasks.
    pub async fn run_due(&self) -> Result<u64, Error> {
        let before = self.metrics.archived.get();
        while self.step().await? == Step::Done {}
        Ok(self.metrics.archived.get() - before)
    }

    /// Takes one step.
    pub async fn step(&self) -> Result<Step, Error> {
        let Some(tasks) = &self.app.retention else { return Ok(Step::Over) };
        if tasks.is_busy() {
            return Ok(Step::Busy);
        }
        let mut walk = self.walk.lock().await;
        if !tasks.take_turn().await? {
            *walk = Walk::default();
            return Ok(Step::NotOurs);
        }
        let stepped = self.walk_on(tasks, &mut walk).await;
        if !matches!(stepped, Ok(Step::Done)) {
            *walk = Walk::default();
        }
        stepped
    }

    async fn walk_on(&self, tasks: &Tasks, walk: &mut Walk) -> Result<Step, Error> {
        if walk.last.is_none() {
            let discarded = tasks.discard().await?;
            if discarded > 0 {
                tracing::info!(files = discarded, "removed files of the archive that were begun and not recorded");
            }
        }
        if walk.found.is_empty() {
            let window = tasks.list_due(walk.last, WINDOW).await?;
            let Some(last) = window.last else {
                if !walk.was_due {
                    self.metrics.overdue.set(0);
                }
                return Ok(Step::Over);
            };
            (walk.last, walk.found) = (Some(last), window.due);
        }
        if let Some(oldest) = walk.found.first().filter(|_| !walk.was_due) {
            walk.was_due = true;
            self.metrics.overdue.set(tasks.overdue(oldest.closed_at).num_seconds());
        }
        let rest = walk.found.split_off(batch_of(&walk.found));
        let batch = std::mem::replace(&mut walk.found, rest);
        if batch.is_empty() { Ok(Step::Done) } else { self.put_away(tasks, &batch).await }
    }

    async fn put_away(&self, tasks: &Tasks, batch: &[Due]) -> Result<Step, Error> {
        let outcome = tasks.put_away(batch).await?;
        self.metrics.archived.inc_by(outcome.archived);
        self.metrics.failed.inc_by(outcome.failed.len() as u64);
        for (task, error) in &outcome.failed {
            tracing::error!(task_id = %task, error = with_causes(error), "a task cannot be put away; it is tried again");
        }
        match outcome.failed.into_iter().next() {
            Some((_, error)) if outcome.archived + outcome.left == 0 => Err(error),
            Some(_) | None => Ok(Step::Done),
        }
    }
}

/// How many of these tasks a step puts away: at least one, if there is any.
fn batch_of(found: &[Due]) -> usize {
    let mut entries = 0;
    let fitting = found.iter().take(BATCH).take_while(|due| {
        entries += due.head.seq;
        entries <= MAX_ENTRIES
    });
    fitting.count().max(1).min(found.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{Hash, Head};
    use crate::domain::values::id::PartnerId;
    use uuid::Uuid;

    #[test]
    fn a_step_has_a_bound_and_at_least_one_task() {
        let due = |seq| Due {
            task_id: TaskId(Uuid::nil()),
            partner_id: PartnerId(Uuid::nil()),
            closed_at: Time::from_micros(0),
            head: Head { seq, hash: Hash::from_bytes([0; 32]) },
            size: 1,
        };
        for (trails, batch) in [(vec![], 0), (vec![9_000, 1], 1), (vec![10; 30], 20), (vec![2_000; 5], 2)] {
            assert_eq!(batch_of(&trails.iter().map(|seq| due(*seq)).collect::<Vec<_>>()), batch, "{trails:?}");
        }
    }
}
