//! When a request is sent again, and after which delay.

use std::time::{Duration, UNIX_EPOCH};

use crate::clock::Clock;
use crate::domain::values::time::Time;
use crate::ids;

use super::Error;

/// A longer `Retry-After` is left to the caller.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);

/// How often requests are sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How many times a request is sent again.
    pub retries: u32,
    /// The upper bound of the first delay. It doubles with each retry, up to 20 s.
    pub backoff: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { retries: 5, backoff: Duration::from_millis(500) }
    }
}

impl Retry {
    /// The delay before a request that failed is sent again; none if it must not be.
    pub(super) fn delay(self, failure: &Error, attempt: u32) -> Option<Duration> {
        if attempt >= self.retries {
            return None;
        }
        retry_after(failure).map(|asked| asked + self.backoff(attempt))
    }

    /// A random delay, so that clients that failed together do not come back together.
    pub(crate) fn backoff(self, attempt: u32) -> Duration {
        let bound = self.backoff.saturating_mul(2_u32.saturating_pow(attempt)).min(LONGEST_BACKOFF);
        let share = u32::from_le_bytes(ids::random());
        bound.mul_f64(f64::from(share) / f64::from(u32::MAX))
    }
}

/// What the answer asks to wait before the next attempt; none if there must be no other.
fn retry_after(failure: &Error) -> Option<Duration> {
    match failure {
        Error::NoAnswer { source, .. } if !source.is_builder() => Some(Duration::ZERO),
        Error::Problem { problem, retry_after } if matches!(problem.status, 429 | 503) => {
            let asked = retry_after.as_deref().map_or(Duration::ZERO, |text| parse(text, Clock::system().now()));
            (asked <= LONGEST_RETRY_AFTER).then_some(asked)
        }
        Error::Url(_)
        | Error::Token
        | Error::Body(..)
        | Error::Client(_)
        | Error::NoAnswer { .. }
        | Error::TooLarge { .. }
        | Error::Answer { .. }
        | Error::Problem { .. } => None,
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3). A malformed one asks for nothing.
fn parse(text: &str, now: Time) -> Duration {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Duration::from_secs(text.parse().unwrap_or(u64::MAX));
    }
    let Ok(at) = httpdate::parse_http_date(text) else { return Duration::ZERO };
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let at = Time::from_micros(i64::try_from(since).unwrap_or(i64::MAX));
    (at - now).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Problem;

    #[test]
    fn seconds_and_dates_are_understood() {
        let noon = Time::from_micros(784_111_777_000_000);
        for (text, seconds) in [
            ("0", 0),
            (" 120 ", 120),
            ("99999999999999999999999", u64::MAX),
            ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
            ("Sun, 06 Nov 1994 08:49:36 GMT", 0),
            ("soon", 0),
            ("", 0),
        ] {
            assert_eq!(parse(text, noon).as_secs(), seconds, "{text:?}");
        }
    }

    #[test]
    fn the_service_says_how_long_to_wait_at_least() {
        let retry = Retry { retries: 2, backoff: Duration::from_millis(1) };
        let failure = |status, retry_after: Option<&str>| Error::Problem {
            problem: Box::new(Problem::new(status, b"{}", None)),
            retry_after: retry_after.map(str::to_owned),
        };
        let delay = retry.delay(&failure(503, Some("7")), 1).unwrap();
        assert!((7000..=7002).contains(&delay.as_millis()), "{delay:?}");
        assert!(retry.delay(&failure(429, None), 0).unwrap() <= retry.backoff);
        for (status, retry_after, attempt) in [(503, Some("3600"), 0), (503, Some("7"), 2), (409, Some("7"), 0)] {
            assert_eq!(retry.delay(&failure(status, retry_after), attempt), None, "{status} {retry_after:?} {attempt}");
        }
    }

    #[test]
    fn delays_grow_to_a_bound_and_differ() {
        let retry = Retry::default();
        for attempt in [0, 1, 5, 40] {
            let bound = (retry.backoff * 2_u32.saturating_pow(attempt).min(1000)).min(LONGEST_BACKOFF);
            let delays: Vec<_> = (0..20).map(|_| retry.backoff(attempt)).collect();
            assert!(delays.iter().all(|delay| *delay <= bound), "{attempt}: {delays:?}");
            assert!(delays.iter().any(|delay| *delay != delays[0]), "{attempt}: {delays:?}");
        }
    }
}
