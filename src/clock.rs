//! The only reader of the time of day. Tests set it, and `stagegate dev` moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{TimeDelta, Utc};

use crate::domain::values::time::Time;

/// The time of day in whole microseconds.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    /// The machine's clock.
    #[default]
    Machine,
    /// A time that a test sets, in microseconds.
    Fixed(Arc<AtomicI64>),
    /// A clock that runs ahead of the machine's.
    Ahead(Arc<Ahead>),
}

/// How a clock differs from the machine's, in microseconds.
#[derive(Debug)]
struct Ahead {
    by: AtomicI64,
    /// The time at which it stands still, or [`RUNNING`].
    held_at: AtomicI64,
}

const RUNNING: i64 = i64::MIN;

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::Machine)
    }

    /// A clock that stays at `time` until [`Clock::set`].
    pub fn fixed(time: Time) -> Self {
        Self(Source::Fixed(Arc::new(AtomicI64::new(time.micros()))))
    }

    /// A clock that runs as fast as the machine's, ahead of it by `ahead`, and can be moved further.
    pub fn movable(ahead: TimeDelta) -> Self {
        let by = AtomicI64::new(ahead.max(TimeDelta::zero()).num_microseconds().unwrap_or_default());
        Self(Source::Ahead(Arc::new(Ahead { by, held_at: AtomicI64::new(RUNNING) })))
    }

    /// Sets a fixed clock and all of its clones. Has no effect on other clocks.
    pub fn set(&self, time: Time) {
        if let Source::Fixed(micros) = &self.0 {
            micros.store(time.micros(), Ordering::SeqCst);
        }
    }

    /// Makes a movable clock and all of its clones stand still at `time`, or where they are if that is
    /// later. Has no effect on other clocks.
    pub fn hold(&self, time: Time) {
        let now = self.now();
        if let Source::Ahead(ahead) = &self.0 {
            ahead.held_at.fetch_max(time.max(now).micros(), Ordering::SeqCst);
        }
    }

    /// Lets a held clock go on from where it stands, or from the machine's time if that is later.
    pub fn release(&self) {
        if let Source::Ahead(ahead) = &self.0 {
            let held_at = ahead.held_at.load(Ordering::SeqCst);
            if held_at != RUNNING {
                ahead.by.store(held_at.saturating_sub(system_now().micros()).max(0), Ordering::SeqCst);
                ahead.held_at.store(RUNNING, Ordering::SeqCst);
            }
        }
    }

    /// The current time.
    pub fn now(&self) -> Time {
        match &self.0 {
            Source::Machine => system_now(),
            Source::Fixed(micros) => Time::from_micros(micros.load(Ordering::SeqCst)),
            Source::Ahead(ahead) => match ahead.held_at.load(Ordering::SeqCst) {
                RUNNING => system_now() + TimeDelta::microseconds(ahead.by.load(Ordering::SeqCst)),
                held_at => Time::from_micros(held_at),
            },
        }
    }

    /// The time that others go by, such as the database and the receivers of webhooks, when this
    /// clock says `now`: the machine's for a clock that runs ahead of it, else `now`.
    pub fn outside(&self, now: Time) -> Time {
        match &self.0 {
            Source::Machine | Source::Fixed(_) => now,
            Source::Ahead(_) => system_now(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn system_now() -> Time {
    Utc::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_clock_stands_still_while_it_is_held_and_then_goes_on() {
        let clock = Clock::movable(TimeDelta::hours(1));
        let (other, begun) = (clock.clone(), clock.now());
        assert!(begun - clock.outside(begun) <= TimeDelta::hours(1));
        assert!(begun + TimeDelta::minutes(1) - clock.outside(begun) > TimeDelta::hours(1));
        let later = begun + TimeDelta::days(2);
        clock.hold(later);
        assert_eq!((clock.now(), other.now()), (later, later));
        clock.hold(begun);
        assert_eq!(clock.now(), later, "it never goes backwards");
        clock.release();
        assert!(other.now() >= later && other.now() < later + TimeDelta::hours(1));
        assert!(clock.outside(clock.now()) < begun);
    }

    #[test]
    fn a_moved_clock_is_never_behind_the_machine() {
        let clock = Clock::movable(TimeDelta::hours(-1));
        let now = system_now();
        assert!(clock.now() >= now);
        clock.hold(now);
        let later = system_now();
        clock.release();
        assert!(clock.now() >= later);
    }

    #[test]
    fn only_a_movable_clock_can_be_held() {
        let fixed = Clock::fixed(Time::from_micros(7));
        fixed.hold(Time::from_micros(9));
        fixed.release();
        assert_eq!((fixed.now(), fixed.outside(fixed.now())), (Time::from_micros(7), Time::from_micros(7)));
        let machine = Clock::system();
        machine.hold(machine.now() + TimeDelta::days(2));
        assert!(machine.now() < system_now() + TimeDelta::days(1));
    }
}
