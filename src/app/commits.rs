//! Announces what this replica has committed to everything that waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::domain::task::decide::Transition;
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::store::db::notify::Change;

use super::shutdown::Shutdown;
use super::status::watch::Watchers;

/// Everything that waits for commits.
#[derive(Debug)]
pub(super) struct Commits {
    watchers: Arc<Watchers>,
    /// Wakes the worker that handles timers.
    pub(super) timers: Alarm,
    /// Wakes the worker that looks for new rows of the feed.
    pub(super) feed: Notify,
    /// Wakes the worker that sends deliveries.
    pub(super) deliveries: Wakeup,
}

impl Commits {
    pub(super) fn new(watchers: Arc<Watchers>) -> Self {
        Self { watchers, timers: Alarm::default(), feed: Notify::new(), deliveries: Wakeup::default() }
    }

    /// Announces a transition that this replica committed. Must be called after every write of a
    /// task; does not block.
    pub(super) fn announce(&self, transition: &Transition) {
        self.timers.set(transition.snapshot().task.wake_at());
        if let Some(change) = change(transition) {
            self.watchers.committed(change);
        }
        self.feed.notify_one();
        self.deliveries.wake();
    }

    /// Forgets a task that was put away.
    pub(super) fn forget(&self, task: TaskId) {
        self.watchers.forget(task);
    }
}

/// The status change of a transition; none if the buyer's view stays the same.
fn change(transition: &Transition) -> Option<Change> {
    let snapshot = transition.snapshot();
    // The status' version is the task's version at its last change.
    let is_new = snapshot.status.version > transition.expected_version();
    is_new.then(|| Change { task_id: snapshot.task.id(), version: snapshot.status.version })
}

/// Wakes a worker at the earliest timer that this process wrote; the worker finds those of other
/// replicas by looking.
#[derive(Debug)]
pub(super) struct Alarm {
    /// The earliest timer written since the worker last began to look, in microseconds.
    earliest: AtomicI64,
    notify: Notify,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { earliest: AtomicI64::new(i64::MAX), notify: Notify::new() }
    }
}

impl Alarm {
    /// Records the earliest timer of a written task.
    fn set(&self, wake_at: Option<Time>) {
        let at = wake_at.map_or(i64::MAX, Time::micros);
        if self.earliest.fetch_min(at, Ordering::SeqCst) > at {
            self.wake();
        }
    }

    /// Forgets the timers written so far. Call this before searching for due timers, since the
    /// search may miss what is written from then on.
    pub(super) fn reset(&self) {
        self.earliest.store(i64::MAX, Ordering::SeqCst);
    }

    /// Makes a waiting worker check again whether the service stops.
    pub(super) fn wake(&self) {
        self.notify.notify_one();
    }

    /// Waits until `at_most` has passed, by the monotonic clock, until a timer is due that was
    /// written since the last reset, or until the service stops.
    pub(super) async fn wait(&self, at_most: Duration, clock: &Clock, shutdown: &Shutdown) {
        let end = Instant::now() + at_most;
        while !shutdown.is_draining() {
            let earliest = Time::from_micros(self.earliest.load(Ordering::SeqCst));
            let Ok(left) = (earliest - clock.now()).to_std() else { return };
            tokio::select! {
                () = sleep_until(end.min(Instant::now() + left.min(at_most))) => return,
                () = self.notify.notified() => {}
            }
        }
    }
}

/// Wakes a worker, as long as there is something for it to do.
#[derive(Debug, Default)]
pub(super) struct Wakeup {
    is_enabled: AtomicBool,
    notify: Notify,
}

impl Wakeup {
    /// Wakes the worker, unless it is disabled.
    pub(super) fn wake(&self) {
        if self.is_enabled.load(Ordering::Relaxed) {
            self.notify.notify_one();
        }
    }

    /// Enables the worker and wakes it.
    pub(super) fn enable(&self) {
        self.set_enabled(true);
        self.notify.notify_one();
    }

    /// Records whether there is anything for the worker to do.
    pub(super) fn set_enabled(&self, is_enabled: bool) {
        self.is_enabled.store(is_enabled, Ordering::Relaxed);
    }

    /// Waits until the worker is woken.
    pub(super) async fn woken(&self) {
        self.notify.notified().await;
    }
}
