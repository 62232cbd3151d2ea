//! How many concurrent attempts an endpoint gets: more as it accepts quickly, one again when it
//! fails, at most four when it is slow.
//!
//! It starts with one. A visit that used its whole width and succeeded multiplies the width by
//! four, up to the width at which it last failed, and adds one beyond that (slow start and additive
//! increase, as in TCP). Each replica keeps its own widths; a restart resets them.

use std::time::Duration;

/// The most concurrent attempts at one endpoint.
pub(super) const WIDEST: usize = 64;
/// The most at an endpoint that is slow but accepts.
const WIDEST_SLOW: usize = 4;
/// An answer that takes longer than this makes an endpoint slow.
pub(super) const SLOW: Duration = Duration::from_secs(2);

/// The result of a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// Every attempt was accepted quickly.
    Quick,
    /// Every attempt was accepted, at least one of them slowly.
    Slow,
    /// An attempt failed.
    Failed,
}

/// The pace of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// The number of concurrent attempts.
    pub(super) width: usize,
    /// The width up to which it grows fast.
    proven: usize,
    /// Whether its last visit was slow.
    pub(super) is_slow: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self { width: 1, proven: WIDEST, is_slow: false }
    }
}

impl Pace {
    /// Returns the pace after a visit in which this many deliveries were accepted.
    pub(super) fn after(self, course: Course, delivered: u64) -> Self {
        match course {
            Course::Failed => Self { width: 1, proven: (self.width / 2).max(1), is_slow: false },
            Course::Slow => Self { width: WIDEST_SLOW, proven: (self.width / 2).max(WIDEST_SLOW), is_slow: true },
            Course::Quick if delivered < self.width as u64 => Self { is_slow: false, ..self },
            Course::Quick if self.width < self.proven => {
                Self { width: (self.width * 4).min(self.proven), is_slow: false, ..self }
            }
            Course::Quick => Self { width: (self.width + 1).min(WIDEST), is_slow: false, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_grows_while_it_accepts_quickly_and_begins_anew_below_where_it_failed() {
        let mut pace = Pace::default();
        let mut widths = |steps: &[(Course, u64)]| -> Vec<usize> {
            let step = |(course, delivered): &(Course, u64)| {
                pace = pace.after(*course, *delivered);
                pace.width
            };
            steps.iter().map(step).collect()
        };
        assert_eq!(widths(&[(Course::Quick, 1), (Course::Quick, 4), (Course::Quick, 16)]), [4, 16, 64]);
        assert_eq!(widths(&[(Course::Quick, 256), (Course::Quick, 3)]), [64, 64]);
        assert_eq!(widths(&[(Course::Failed, 60), (Course::Quick, 1), (Course::Quick, 4)]), [1, 4, 16]);
        assert_eq!(widths(&[(Course::Quick, 16), (Course::Quick, 32), (Course::Quick, 33)]), [32, 33, 34]);
        assert_eq!(
            widths(&[(Course::Slow, 34), (Course::Slow, 4), (Course::Quick, 3), (Course::Quick, 4)]),
            [4, 4, 4, 5]
        );
        assert!(!pace.is_slow && pace.after(Course::Slow, 4).is_slow);
    }
}
