//! `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.

use std::time::{Duration, UNIX_EPOCH};

use crate::domain::values::time::Time;

/// When a receiver asks to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// After this duration.
    In(Duration),
    /// At this time by the receiver's clock.
    At(Time),
}

impl RetryAfter {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // A number of seconds beyond the type's range becomes the largest.
            return Some(Self::In(Duration::from_secs(text.parse().unwrap_or(u64::MAX))));
        }
        let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self::At(Time::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))))
    }

    /// The wait from `now`, zero if the time has passed. It can have any length; the caller limits
    /// it.
    pub fn wait(self, now: Time) -> Duration {
        match self {
            Self::In(wait) => wait,
            Self::At(time) => (time - now).to_std().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_all_three_forms_of_a_date_are_understood() {
        let noon = Time::from_micros(784_111_777_000_000);
        for (text, wait) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(252_618_189_022)),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ] {
            let waits = RetryAfter::parse(text).map(|after| after.wait(noon).as_secs());
            assert_eq!(waits, wait, "{text:?}");
        }
    }
}
