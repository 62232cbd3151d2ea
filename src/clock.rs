//! The only reader of the time of day. Tests set it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

use crate::domain::time::{Time, to_micros};

/// Tells the time, in whole microseconds: the machine's, or one that a test sets.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `time` until [`Clock::set`].
    pub fn fixed(time: Time) -> Self {
        Self(Some(Arc::new(AtomicI64::new(time.timestamp_micros()))))
    }

    /// Sets a fixed clock (every clone of it too); the machine's clock is left alone.
    pub fn set(&self, time: Time) {
        if let Some(micros) = &self.0 {
            micros.store(time.timestamp_micros(), Ordering::SeqCst);
        }
    }

    /// Now.
    pub fn now(&self) -> Time {
        match &self.0 {
            None => system_now(),
            Some(micros) => DateTime::from_timestamp_micros(micros.load(Ordering::SeqCst)).unwrap_or_default(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn system_now() -> Time {
    to_micros(Utc::now())
}
