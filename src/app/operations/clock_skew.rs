//! The difference between this replica's clock and the database's, which all replicas share.
//!
//! It is measured every few seconds, from the midpoint of a round trip. A replica whose clock
//! differs by more than [`MOST`] is not ready and runs no timers: it would fire deadlines too
//! early, or report them as met when they were not. Before the first measurement, and while the
//! database is unreachable, the last value applies.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;

use crate::domain::values::time::Time;

/// The largest difference at which a replica works. Erasures and leases allow for it.
pub const MOST: TimeDelta = TimeDelta::seconds(15);
/// The longest round trip that gives a usable measurement.
const MAX_ROUND_TRIP: TimeDelta = TimeDelta::seconds(5);

/// The last measurement in microseconds: positive if this replica is ahead.
#[derive(Debug, Default)]
pub struct Skew(AtomicI64);

impl Skew {
    /// Records that the database's clock read `database` at some time between `before` and `after`
    /// on this replica's clock; returns the difference.
    pub fn measured(&self, before: Time, database: Time, after: Time) -> TimeDelta {
        let round_trip = after - before;
        if round_trip >= TimeDelta::zero() && round_trip <= MAX_ROUND_TRIP {
            let ahead = (before + round_trip / 2) - database;
            self.0.store(ahead.num_microseconds().unwrap_or(i64::MAX), Ordering::SeqCst);
        }
        self.ahead()
    }

    /// How far this replica's clock is ahead of the database's; negative if it is behind.
    pub fn ahead(&self) -> TimeDelta {
        TimeDelta::microseconds(self.0.load(Ordering::SeqCst))
    }

    /// Whether the difference is too large, in either direction.
    pub fn is_too_large(&self) -> bool {
        self.ahead().abs() > MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Time {
        Time::from_micros(millis * 1000)
    }

    #[test]
    fn the_difference_is_taken_from_the_midpoint_of_a_round_trip() {
        // The local time before, the database's time, and the local time after, in milliseconds;
        // how far ahead, and whether too far.
        let cases = [
            (1_000, 1_000, 1_000, 0, false),
            (1_000, 1_100, 1_200, 0, false),
            (16_000, 1_100, 16_200, 15_000, false),
            (16_001, 1_100, 16_201, 15_001, true),
            (1_000, 16_101, 1_200, -15_001, true),
            (1_000, 16_100, 1_200, -15_000, false),
        ];
        for (before, database, after, ahead, too_large) in cases {
            let skew = Skew::default();
            assert_eq!(skew.measured(at(before), at(database), at(after)), TimeDelta::milliseconds(ahead));
            assert_eq!(skew.is_too_large(), too_large, "{ahead}");
        }
    }

    #[test]
    fn a_round_trip_that_took_long_or_ran_backwards_says_nothing() {
        let skew = Skew::default();
        skew.measured(at(0), at(60_000), at(0));
        for (before, after) in [(0, 5_001), (10, 0)] {
            assert_eq!(skew.measured(at(before), at(0), at(after)), TimeDelta::seconds(-60));
        }
    }
}
