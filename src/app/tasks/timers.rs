//! Finds tasks with due timers, and when to look again. The domain decides what a timer does
//! (`commands::tick`).

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::app::{App, Error};
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::store;

pub use super::Loaded;
pub use crate::store::tasks::Due;

/// Wakes this process's worker for timers that this process wrote; it finds those of other replicas
/// by looking.
#[derive(Debug)]
pub struct Alarm {
    /// The earliest timer written since the worker last began to look, in microseconds.
    earliest: AtomicI64,
    bell: Notify,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { earliest: AtomicI64::new(i64::MAX), bell: Notify::new() }
    }
}

impl Alarm {
    /// Records the earliest timer of a written task.
    pub(in crate::app) fn set(&self, wake_at: Option<Time>) {
        let at = wake_at.map_or(i64::MAX, Time::micros);
        if self.earliest.fetch_min(at, Ordering::SeqCst) > at {
            self.wake();
        }
    }

    pub(in crate::app) fn wake(&self) {
        self.bell.notify_one();
    }
}

/// Up to `limit` tasks with a timer due by `until`, the longest overdue first, without those in
/// `except`.
pub async fn list_due(app: &App, until: Time, except: &[TaskId], limit: u32) -> Result<Vec<Due>, Error> {
    // Reset before the search, since its result may miss what is written from here on.
    app.alarm.earliest.store(i64::MAX, Ordering::SeqCst);
    Ok(store::tasks::list_due(&app.decisions, until, except, limit).await?)
}

/// The current state of these tasks, each readable or not.
pub async fn load(app: &App, ids: &[TaskId]) -> Result<Vec<(TaskId, Result<Loaded, Error>)>, Error> {
    super::load_all(app, &app.decisions, ids).await
}

/// Waits until `at_most` has passed, by the monotonic clock, until a timer is due that this process
/// has written since the last search, or until the service stops.
pub async fn wait(app: &App, at_most: Duration) {
    let end = Instant::now() + at_most;
    while !app.shutdown.is_draining() {
        let earliest = Time::from_micros(app.alarm.earliest.load(Ordering::SeqCst));
        let Ok(left) = (earliest - app.clock.now()).to_std() else { return };
        tokio::select! {
            () = sleep_until(end.min(Instant::now() + left.min(at_most))) => return,
            () = app.alarm.bell.notified() => {}
        }
    }
}

/// How many tasks may be handled at a time: two per connection. All users of connections share one
/// queue, so a request waits for a few statements at most, and timers get their share under any
/// number of requests.
pub fn width(app: &App) -> usize {
    (2 * app.pool.connections() as usize).max(1)
}
