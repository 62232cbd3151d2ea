//! The only reader of the time of day. Tests set it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::Utc;

use crate::domain::values::time::Time;

/// The time of day in whole microseconds: the machine's clock, or one that a test sets.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stays at `time` until [`Clock::set`].
    pub fn fixed(time: Time) -> Self {
        Self(Some(Arc::new(AtomicI64::new(time.micros()))))
    }

    /// Sets a fixed clock and all of its clones. Has no effect on the machine's clock.
    pub fn set(&self, time: Time) {
        if let Some(micros) = &self.0 {
            micros.store(time.micros(), Ordering::SeqCst);
        }
    }

    /// The current time.
    pub fn now(&self) -> Time {
        match &self.0 {
            None => system_now(),
            Some(micros) => Time::from_micros(micros.load(Ordering::SeqCst)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn system_now() -> Time {
    Utc::now().into()
}
