//! Consequences of an attempt: the retry schedule of a delivery, and the pauses of a failing
//! endpoint.

use chrono::TimeDelta;

use crate::domain::values::time::Time;

use super::DisabledReason;

/// The gap after each failed attempt: the example schedule of Standard Webhooks.
const GAPS: [TimeDelta; 9] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(14),
    TimeDelta::hours(20),
    TimeDelta::hours(24),
];
/// The longest pause that an endpoint may request.
const MAX_RETRY_AFTER: TimeDelta = TimeDelta::hours(24);
/// After this many days in which every attempt failed, an endpoint is disabled.
pub const DAYS_OF_FAILURES: i64 = 5;
/// From this many consecutive failures on, an endpoint is paused. A single delivery reaches its gap
/// of minutes before it has as many, so a pause never delays a single delivery's schedule.
const PAUSED_FROM: u32 = 3;
/// The first pause; each further failure doubles it.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
/// The longest pause, and so the longest time before a recovery is noticed.
const MAX_PAUSE: TimeDelta = TimeDelta::minutes(1);

/// The outcome of an attempt, as far as the rules depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// A response of 2xx.
    Accepted,
    /// A response of 410.
    Gone,
    /// Any other response, or none.
    Failed {
        /// The pause that the endpoint requests.
        retry_after: Option<TimeDelta>,
    },
}

impl AttemptOutcome {
    /// The outcome for this response status. A redirect is a failure: it is not followed.
    pub fn of(status: u16, retry_after: Option<TimeDelta>) -> Self {
        match status {
            200..=299 => Self::Accepted,
            410 => Self::Gone,
            _ => Self::Failed { retry_after },
        }
    }
}

/// The consequence of an attempt for its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// It was delivered.
    Delivered,
    /// It is retried at this time.
    RetryAt(Time),
    /// It is given up.
    GivenUp,
}

/// Decides what follows the `attempt`-th attempt (from 1) since the delivery was requested.
/// `chance` is random and adds or removes up to a fifth of the gap, so that deliveries that failed
/// together are not retried together. A 410 gives up no delivery: it waits for the endpoint to be
/// enabled again.
pub fn retry_decision(outcome: AttemptOutcome, attempt: u32, now: Time, chance: u16) -> NextStep {
    let place = attempt.saturating_sub(1) as usize;
    let (place, retry_after) = match outcome {
        AttemptOutcome::Accepted => return NextStep::Delivered,
        AttemptOutcome::Gone => (place.min(GAPS.len() - 1), None),
        AttemptOutcome::Failed { retry_after } => (place, retry_after),
    };
    let Some(gap) = GAPS.get(place) else { return NextStep::GivenUp };
    let share = 800_000 + 400_000 * i64::from(chance) / i64::from(u16::MAX);
    let gap = TimeDelta::microseconds(gap.num_milliseconds() * share / 1_000);
    NextStep::RetryAt(now + gap.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)))
}

/// The pause of an endpoint after its `failures`-th consecutive failure, since other deliveries to
/// it would fail too.
pub fn pause(failures: u32, retry_after: Option<TimeDelta>) -> Option<TimeDelta> {
    let own = failures.checked_sub(PAUSED_FROM).map(|beyond| (FIRST_PAUSE * (1 << beyond.min(8))).min(MAX_PAUSE));
    own.max(retry_after.map(|asked| asked.min(MAX_PAUSE)))
}

impl AttemptOutcome {
    /// Whether to disable an endpoint whose attempts have all failed since `failing_since`.
    pub fn disables(self, failing_since: Time, now: Time) -> Option<DisabledReason> {
        let for_days = now - failing_since >= TimeDelta::days(DAYS_OF_FAILURES);
        match self {
            Self::Accepted => None,
            Self::Gone => Some(DisabledReason::Gone),
            Self::Failed { .. } => for_days.then_some(DisabledReason::Failing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_800_000_000_000_000);
    const FAILED: AttemptOutcome = AttemptOutcome::Failed { retry_after: None };

    fn after(outcome: AttemptOutcome, attempt: u32, chance: u16) -> TimeDelta {
        match retry_decision(outcome, attempt, NOW, chance) {
            NextStep::RetryAt(at) => at - NOW,
            step @ (NextStep::Delivered | NextStep::GivenUp) => panic!("{step:?}"),
        }
    }

    #[test]
    fn a_delivery_is_tried_ten_times_at_growing_distances() {
        let seconds = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        for (attempt, gap) in (1..).zip(seconds) {
            assert_eq!(after(FAILED, attempt, 0), TimeDelta::milliseconds(gap * 800), "{attempt}");
            assert_eq!(after(FAILED, attempt, u16::MAX), TimeDelta::milliseconds(gap * 1_200), "{attempt}");
            let middle = after(FAILED, attempt, u16::MAX / 2);
            assert!((middle - TimeDelta::seconds(gap)).abs() < TimeDelta::seconds(gap) / 1_000, "{attempt}: {middle}");
        }
        assert_eq!(retry_decision(FAILED, 10, NOW, 0), NextStep::GivenUp);
        assert_eq!(after(AttemptOutcome::Gone, 10, 0), TimeDelta::hours(24) * 4 / 5);
    }

    #[test]
    fn only_2xx_is_success_and_410_is_more_than_a_failure() {
        for (status, outcome) in [
            (200, AttemptOutcome::Accepted),
            (204, AttemptOutcome::Accepted),
            (299, AttemptOutcome::Accepted),
            (410, AttemptOutcome::Gone),
        ] {
            assert_eq!(AttemptOutcome::of(status, None), outcome, "{status}");
        }
        for status in [100, 199, 300, 301, 304, 400, 404, 429, 500, 503] {
            assert_eq!(AttemptOutcome::of(status, None), FAILED, "{status}");
        }
        assert_eq!(retry_decision(AttemptOutcome::Accepted, 10, NOW, 0), NextStep::Delivered);
    }

    #[test]
    fn what_an_endpoint_asks_for_is_the_least_up_to_a_day() {
        let asked = |delta| AttemptOutcome::Failed { retry_after: Some(delta) };
        assert_eq!(after(asked(TimeDelta::minutes(2)), 1, 0), TimeDelta::minutes(2));
        assert_eq!(after(asked(TimeDelta::seconds(1)), 2, 0), TimeDelta::minutes(4));
        assert_eq!(after(asked(TimeDelta::days(30)), 1, 0), TimeDelta::hours(24));
        assert_eq!(retry_decision(asked(TimeDelta::minutes(2)), 10, NOW, 0), NextStep::GivenUp);
    }

    #[test]
    fn an_endpoint_that_fails_is_left_alone_for_up_to_a_minute() {
        let pauses = [None, None, None, Some(5), Some(10), Some(20), Some(40), Some(60), Some(60)];
        for (failures, expected) in (0..).zip(pauses) {
            assert_eq!(pause(failures, None), expected.map(TimeDelta::seconds), "{failures}");
        }
        assert_eq!(pause(u32::MAX, None), Some(MAX_PAUSE));
        assert_eq!(pause(1, Some(TimeDelta::seconds(30))), Some(TimeDelta::seconds(30)));
        assert_eq!(pause(1, Some(TimeDelta::hours(1))), Some(MAX_PAUSE));
    }

    #[test]
    fn gone_or_five_days_disable() {
        let days = |days| NOW - TimeDelta::days(days);
        assert_eq!(FAILED.disables(days(4), NOW), None);
        assert_eq!(FAILED.disables(days(5), NOW), Some(DisabledReason::Failing));
        assert_eq!(AttemptOutcome::Gone.disables(NOW, NOW), Some(DisabledReason::Gone));
        assert_eq!(AttemptOutcome::Accepted.disables(days(9), NOW), None);
    }
}
