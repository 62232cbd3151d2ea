//! The end of the service: how everything that waits learns of it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::domain::values::time::Time;

/// Whether the service is about to stop. A handle that is cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    leaving: AtomicBool,
    draining: AtomicBool,
    stopping: Notify,
}

impl Shutdown {
    /// Makes the service report that it is not ready, with everything else unchanged, so that its
    /// load balancer sends requests elsewhere before it stops.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::SeqCst);
    }

    /// Whether the service reports that it is not ready because it will stop.
    pub fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::SeqCst) || self.is_draining()
    }

    /// Ends every wait, those that begin later included. `App::drain` calls this.
    pub(in crate::app) fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
        self.0.stopping.notify_waiters();
    }

    /// Whether the service is about to stop.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::SeqCst)
    }

    /// Waits until the service is about to stop.
    pub async fn stopped(&self) {
        let mut stopping = pin!(self.0.stopping.notified());
        // Enable the notification before the flag is read, so that a drain in between is not
        // missed.
        stopping.as_mut().enable();
        if !self.is_draining() {
            stopping.await;
        }
    }

    /// Waits for this time, by the monotonic clock, or until the service is about to stop.
    pub async fn pause(&self, time: Duration) {
        let _ = timeout(time, self.stopped()).await;
    }

    /// Waits until `at` by this clock, or until the service is about to stop.
    pub async fn pause_until(&self, at: Time, clock: &Clock) {
        if let Ok(left) = (at - clock.now()).to_std() {
            self.pause(left).await;
        }
    }
}
