//! Timers: deadlines, reminders, expiry and grace, in every replica at once.
//!
//! A timer is part of its task's state; what it does is decided by the ordinary decision path when the task is sent
//! a tick. This worker only finds tasks whose `wake_at` has passed and sends the ticks.
//!
//! **Sharing.** Nothing is claimed or locked. Where two replicas tick the same task, the version guard lets one
//! through and the other finds nothing due. So that they seldom meet, each takes a random part of what is due; and
//! a replica wakes at the very time of the timers that it wrote itself ([`timers::wait`]), while others come a
//! little later, when nothing is left to do.
//!
//! **Clocks.** A replica whose clock is too far from the database's ([`crate::app::operations::clock_skew`]) fires
//! nothing.
//!
//! **Failure.** A task that cannot be ticked (damaged, written by a newer build) is set aside and tried again,
//! first after a second, then ever more seldom. Searches pass over it, and those tried again are a small part of
//! each batch, so that any number of them leaves the others their turn. If the database is away, so are all timers:
//! the worker tries again after a random pause, and then does what has become due meanwhile. One that says nothing
//! at all counts as away.

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

use crate::app::tasks::commands;
use crate::app::tasks::timers::{self, Due, Loaded};
use crate::app::{App, Error};
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::ids;

/// The worker's name.
pub const NAME: &str = "timers";
/// How long a turn may take: a search, what it found, and a task of it.
pub const BOUND: Duration = Duration::from_secs(4 * PATIENCE.as_secs());
/// How long the worker sleeps at most: the longest that a timer written by another replica can be late.
const POLL: TimeDelta = TimeDelta::milliseconds(500);
/// How many due tasks are looked at in one search.
const WINDOW: u32 = 1024;
/// How many of them this replica works on before it looks again.
const BATCH: usize = 128;
/// How many of these may be tasks that are tried again.
const RETRIES: usize = BATCH / 8;
/// Timers of one task that are handled before others have their turn.
const MAX_TICKS: u32 = 64;
/// The longest time before a task that was set aside is tried again.
const MAX_ASIDE: TimeDelta = TimeDelta::minutes(5);
/// The longest that a search or a task may take: a connection that broke without a word would keep the worker for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// The worker. One per process.
#[derive(Debug)]
pub struct Timers {
    app: Arc<App>,
    aside: Mutex<HashMap<TaskId, Aside>>,
    metrics: Metrics,
}

/// A task that could not be ticked.
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

/// What came of a search and its batch.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    fired: u64,
    failed: u64,
}

impl Timers {
    /// A worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, aside: Mutex::default(), metrics: Metrics::default() }
    }

    /// Adds what the worker counts.
    pub fn register(&self, registry: &mut Registry) {
        let Metrics { fired, failed, lag, aside } = &self.metrics;
        registry.register("timers_fired", "Due timers handled by this replica", fired.clone());
        registry.register("timers_failed", "Tasks whose due timer could not be handled, each try", failed.clone());
        let help = "How long the oldest due timer has waited, as of the last search";
        registry.register_with_unit("timers_lag", help, Unit::Seconds, lag.clone());
        registry.register("timers_set_aside", "Tasks left alone for a while after a failure", aside.clone());
    }

    /// Handles what is due until the service drains; finishes what it has begun.
    pub async fn run(&self) {
        let mut failures = 0;
        while !self.app.is_draining() {
            let swept = self.sweep().await;
            self.app.workers().turned(NAME);
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
                        tracing::warn!(error = cause(&error), "timers stand still until the database is back");
                    }
                    POLL + jitter(1000)
                }
            };
            timers::wait(&self.app, wait.to_std().unwrap_or_default()).await;
        }
    }

    /// Handles everything that is due now; how many timers that were.
    pub async fn run_due(&self) -> Result<u64, Error> {
        Ok(self.sweep().await?.0)
    }

    /// Handles everything that is due; how many timers that were, and when the next one will be, if that is soon.
    async fn sweep(&self) -> Result<(u64, Option<Time>), Error> {
        let mut fired = 0;
        loop {
            // Another replica, whose clock is right, does it.
            if self.app.skew().is_too_large() {
                return Ok((fired, None));
            }
            let now = self.app.clock().now();
            let (aside, mut tasks) = self.set_aside(now);
            let soon = patiently(timers::list_due(&self.app, now + POLL, &aside, WINDOW)).await?;
            let (due, coming): (Vec<Due>, Vec<Due>) = soon.into_iter().partition(|due| due.wake_at <= now);
            let waited = due.first().map_or(TimeDelta::zero(), |oldest| now - oldest.wake_at);
            self.metrics.lag.set(waited.as_seconds_f64());
            let next = due.first().or(coming.first()).map(|next| next.wake_at);
            tasks.extend(own_part(due.into_iter().map(|due| due.task_id), BATCH - tasks.len()));
            if tasks.is_empty() || self.app.is_draining() {
                return Ok((fired, next));
            }
            let round = self.run_batch(tasks).await?;
            fired += round.fired;
            if round.fired + round.failed == 0 {
                // Others were faster with all of them; what is still due is found after a pause.
                return Ok((fired, next));
            }
        }
    }

    /// Ticks these tasks, several at a time. Stops early when the database is away.
    async fn run_batch(&self, tasks: Vec<TaskId>) -> Result<Round, Error> {
        let mut tasks = patiently(timers::load(&self.app, &tasks)).await?.into_iter();
        let (mut round, mut outage) = (Round::default(), None);
        let (mut running, width) = (JoinSet::new(), timers::width(&self.app));
        loop {
            while running.len() < width && outage.is_none() && !self.app.is_draining() {
                let Some((id, task)) = tasks.next() else { break };
                let app = Arc::clone(&self.app);
                running.spawn(async move { (id, patiently(tick(app, task)).await) });
            }
            let Some(ticked) = running.join_next().await else { break };
            self.app.workers().turned(NAME);
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

    /// Who is left alone at this time; and of those, some whose time to be tried again has come.
    fn set_aside(&self, now: Time) -> (Vec<TaskId>, Vec<TaskId>) {
        let aside = self.aside();
        self.metrics.aside.set(i64::try_from(aside.len()).unwrap_or(i64::MAX));
        // Later than ever set: the clock was put back.
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
        // An outage is said once, for all tasks.
        if task.failures == 1 && !error.is_outage() {
            tracing::warn!(task_id = %id, error = cause(error), "a timer cannot be handled; set aside and tried again");
        }
    }

    fn recovered(&self, id: TaskId) {
        self.aside().remove(&id);
    }

    fn aside(&self) -> MutexGuard<'_, HashMap<TaskId, Aside>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many of the tasks at random, in random order, others in each replica and round.
fn own_part(tasks: impl Iterator<Item = TaskId>, most: usize) -> Vec<TaskId> {
    let order = RandomState::new();
    let mut tasks: Vec<TaskId> = tasks.collect();
    tasks.sort_by_cached_key(|id| order.hash_one(id));
    tasks.truncate(most);
    tasks
}

/// In a task of its own, so that a panic is this one's failure and no other's, and so that a write is not cut in
/// half when the worker has lost patience.
async fn tick(app: Arc<App>, task: Result<Loaded, Error>) -> Result<u32, Error> {
    let task = task?;
    let ticks = tokio::spawn(async move { commands::run_due_timers(&app, task, MAX_TICKS).await }).await;
    ticks.unwrap_or_else(|fault| Err(Error::Internal(Arc::new(fault))))
}

async fn patiently<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(PATIENCE, what).await.unwrap_or_else(|elapsed| Err(Error::Unavailable(Arc::new(elapsed))))
}

fn jitter(below_millis: u16) -> TimeDelta {
    TimeDelta::milliseconds(i64::from(u16::from_ne_bytes(ids::random()) % below_millis))
}

/// The error with its sources, as the log shows them.
fn cause(error: &Error) -> &(dyn std::error::Error + 'static) {
    error
}
