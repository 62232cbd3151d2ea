//! The time limits of a request, and its deadline, which a handler can extend.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::time::{Instant, timeout_at};

use crate::http::problem::Problem;

/// Time limits of requests and streams.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// For the whole request, unless its handler extends it.
    pub request: Duration,
    /// For the body to arrive.
    pub body: Duration,
    /// Between two events or comments on a stream; each time, the stream's credential is checked
    /// again.
    pub heartbeat: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { request: Duration::from_secs(15), body: Duration::from_secs(10), heartbeat: Duration::from_secs(15) }
    }
}

/// Deadline of a request. A handler that waits on purpose takes this as an argument and extends it.
#[derive(Clone, Debug)]
pub struct Deadline(Arc<Mutex<Instant>>, TimeLimits);

impl Deadline {
    /// Starts now.
    pub(in crate::http) fn new(limits: TimeLimits) -> Self {
        Self(Arc::new(Mutex::new(Instant::now() + limits.request)), limits)
    }

    /// The limits that it was created from.
    pub(in crate::http) fn limits(&self) -> TimeLimits {
        self.1
    }

    /// Extends the deadline.
    pub fn extend(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Awaits `what`; `None` if the deadline passes first.
    pub async fn limit<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        let mut what = pin!(what);
        loop {
            let until = self.get();
            match timeout_at(until, what.as_mut()).await {
                Ok(it) => return Some(it),
                Err(_) if self.get() > until => {}
                Err(_) => return None,
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Deadline {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| Problem::internal("the route has no deadline"))
    }
}
