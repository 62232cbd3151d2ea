//! Timers: deadlines, reminders, expiry and grace, in every replica at once.
//!
//! A timer is part of its task's state, and the ordinary decision path decides what it does when
//! the task gets a tick. This worker only finds tasks whose `wake_at` has passed and sends the
//! ticks.
//!
//! **Sharing.** Nothing is claimed or locked. If two replicas tick the same task, the version guard
//! lets one through and the other finds nothing due. To make that rare, each replica takes a random
//! part of what is due. It also wakes exactly at the time of the timers that it wrote itself
//! ([`crate::app::tasks::timers::Timers::wait`]); other replicas come a little later and find
//! nothing left to do.
//!
//! **Clocks.** A replica whose clock is too far from the database's
//! ([`crate::app::operations::clock_skew`]) fires nothing.
//!
//! **Failure.** A task that cannot be ticked (damaged, or written by a newer build) is set aside
//! and retried, first after a second, then less and less often. Searches skip it, and retries are a
//! small part of each batch, so that failing tasks cannot crowd out the others. If the database is
//! unavailable or does not answer, the worker retries after a random pause and then handles what
//! has become due meanwhile.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::app::tasks::Loaded;
use crate::app::tasks::timers::Due;
use crate::app::{App, Error};
use crate::causes::with_causes;
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::ids;

/// The name of the worker.
pub const NAME: &str = "timers";
/// The limit of a turn: a search, its tasks, and one task more.
pub const BOUND: Duration = Duration::from_secs(4 * PATIENCE.as_secs());
/// The longest sleep, and so the longest that a timer written by another replica is late.
const POLL: TimeDelta = TimeDelta::milliseconds(500);
/// The due tasks that a search looks at.
const WINDOW: u32 = 1024;
/// The tasks of a search that this replica works on before it searches again.
const BATCH: usize = 128;
/// The most retried tasks in a batch.
const RETRIES: usize = BATCH / 8;
/// The most timers of one task that are handled before other tasks have their turn.
const MAX_TICKS: u32 = 64;
/// The longest pause before a task that was set aside is retried.
const MAX_ASIDE: TimeDelta = TimeDelta::minutes(5);
/// The limit of a search or a task. Without it, a connection that broke silently would block the
/// worker for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// The timer worker. One per process.
#[derive(Debug)]
pub struct Timers {
    app: Arc<App>,
    aside: Mutex<HashMap<TaskId, Aside>>,
    metrics: Metrics,
}

/// A task that was set aside after a failure.
#[derive(Clone, Copy, Debug)]
struct Aside {
    failures: u32,
    until: Time,
}

#[derive(Debug, Default)]
struct Metrics {
    fired: Counter,
    failed: Counter,
    lag: Gauge<f64, AtomicU64>,
    aside: Gauge,
}

/// The result of a search and its batch.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    fired: u64,
    failed: u64,
}

impl Timers {
    /// Creates the worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, aside: Mutex::default(), metrics: Metrics::default() }
    }

    /// Registers the worker's metrics.
    pub fn register(&self, registry: &mut Registry) {
        let Metrics { fired, failed, lag, aside } = &self.metrics;
        registry.register("timers_fired", "Due timers handled by this replica", fired.clone());
        registry.register("timers_failed", "Failed attempts to handle a task's due timer", failed.clone());
        let help = "How long the oldest due timer has waited, as of the last search";
        registry.register_with_unit("timers_lag", help, Unit::Seconds, lag.clone());
        registry.register("timers_set_aside", "Tasks set aside after a failure", aside.clone());
    }

    /// Handles what is due until the service drains. Finishes the batch in progress.
    pub async fn run(&self) {
        let mut failures = 0;
        while !self.app.shutdown.is_draining() {
            let swept = self.sweep().await;
            self.app.operations.workers.turned(NAME);
            let now = self.app.clock().now();
            let wait = match swept {
                Ok((_, next)) => {
                    if failures > 0 {
                        tracing::info!("timers run again");
                    }
                    failures = 0;
                    next.map_or(POLL, |next| (next - now).clamp(TimeDelta::zero(), POLL)) + jitter(100)
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(
                            error = with_causes(&error),
                            "timers stop until the database is available again"
                        );
                    }
                    POLL + jitter(1000)
                }
            };
            self.app.tasks.timers.wait(wait.to_std().unwrap_or_default()).await;
        }
    }

    /// Handles everything that is due now. Returns the number of timers.
    pub async fn run_due(&self) -> Result<u64, Error> {
        Ok(self.sweep().await?.0)
    }

    /// Handles everything that is due. Returns the number of timers, and when the next one is due
    /// if that is soon.
    async fn sweep(&self) -> Result<(u64, Option<Time>), Error> {
        let mut fired = 0;
        loop {
            // Another replica, whose clock is right, handles it.
            if self.app.operations.skew.is_too_large() {
                return Ok((fired, None));
            }
            let now = self.app.clock().now();
            let (aside, mut tasks) = self.set_aside(now);
            let soon = patiently(self.app.tasks.timers.list_due(now + POLL, &aside, WINDOW)).await?;
            let (due, coming): (Vec<Due>, Vec<Due>) = soon.into_iter().partition(|due| due.wake_at <= now);
            let waited = due.first().map_or(TimeDelta::zero(), |oldest| now - oldest.wake_at);
            self.metrics.lag.set(waited.as_seconds_f64());
            let next = due.first().or(coming.first()).map(|next| next.wake_at);
            tasks.extend(own_part(due.into_iter().map(|due| due.task_id), BATCH - tasks.len()));
            if tasks.is_empty() || self.app.shutdown.is_draining() {
                return Ok((fired, next));
            }
            let round = self.run_batch(tasks).await?;
            fired += round.fired;
            if round.fired + round.failed == 0 {
                // Other replicas handled all of these first. Whatever is still due is found after a
                // pause.
                return Ok((fired, next));
            }
        }
    }

    /// Ticks these tasks, several at a time. Stops early when the database is unavailable.
    async fn run_batch(&self, tasks: Vec<TaskId>) -> Result<Round, Error> {
        let mut tasks = Box::pin(patiently(self.app.tasks.timers.load(&tasks))).await?.into_iter();
        let (mut round, mut outage) = (Round::default(), None);
        let (mut running, width) = (JoinSet::new(), self.app.tasks.timers.width());
        loop {
            while running.len() < width && outage.is_none() && !self.app.shutdown.is_draining() {
                let Some((id, task)) = tasks.next() else { break };
                let app = Arc::clone(&self.app);
                running.spawn(async move { (id, patiently(tick(app, task)).await) });
            }
            let Some(ticked) = running.join_next().await else { break };
            self.app.operations.workers.turned(NAME);
            match ticked.map_err(|fault| Error::Internal(Arc::new(fault)))? {
                (id, Ok(ticks)) => {
                    self.recovered(id);
                    self.metrics.fired.inc_by(ticks.into());
                    round.fired += u64::from(ticks);
                }
                (id, Err(error)) => {
                    self.put_aside(id, &error);
                    round.failed += 1;
                    outage = Some(error).filter(Error::is_outage).or(outage);
                }
            }
        }
        outage.map_or(Ok(round), Err)
    }

    /// Lists the tasks that are set aside at this time, and some of those that are due to be
    /// retried.
    fn set_aside(&self, now: Time) -> (Vec<TaskId>, Vec<TaskId>) {
        let aside = self.aside();
        self.metrics.aside.set(i64::try_from(aside.len()).unwrap_or(i64::MAX));
        // A time further ahead than any pause means that the clock was set back.
        let again = aside.iter().filter(|(_, task)| task.until <= now || task.until > now + MAX_ASIDE);
        let again = own_part(again.map(|(id, _)| *id), RETRIES);
        (aside.keys().copied().collect(), again)
    }

    fn put_aside(&self, id: TaskId, error: &Error) {
        self.metrics.failed.inc();
        let now = self.app.clock().now();
        let mut aside = self.aside();
        let task = aside.entry(id).or_insert(Aside { failures: 0, until: now });
        task.until = now + TimeDelta::seconds(1 << task.failures.min(9)).min(MAX_ASIDE);
        task.failures += 1;
        // An outage is logged once for all tasks.
        if task.failures == 1 && !error.is_outage() {
            tracing::warn!(task_id = %id, error = with_causes(error), "a timer cannot be handled; its task is set aside and retried");
        }
    }

    fn recovered(&self, id: TaskId) {
        self.aside().remove(&id);
    }

    fn aside(&self) -> MutexGuard<'_, HashMap<TaskId, Aside>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Chooses up to `most` tasks in random order, different in each replica and round.
fn own_part(tasks: impl Iterator<Item = TaskId>, most: usize) -> Vec<TaskId> {
    let order = RandomState::new();
    let mut tasks: Vec<TaskId> = tasks.collect();
    tasks.sort_by_cached_key(|id| order.hash_one(id));
    tasks.truncate(most);
    tasks
}

/// Runs in a task of its own, so that a panic fails this tick only, and so that a timeout of the
/// worker does not cut a write in half.
async fn tick(app: Arc<App>, task: Result<Loaded, Error>) -> Result<u32, Error> {
    let task = task?;
    let ticks = tokio::spawn(async move { app.tasks.commands.run_due_timers(task, MAX_TICKS).await }).await;
    ticks.unwrap_or_else(|fault| Err(Error::Internal(Arc::new(fault))))
}

async fn patiently<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(PATIENCE, what).await.unwrap_or_else(|elapsed| Err(Error::Unavailable(Arc::new(elapsed))))
}

fn jitter(below_millis: u16) -> TimeDelta {
    TimeDelta::milliseconds(i64::from(u16::from_ne_bytes(ids::random()) % below_millis))
}
