//! Periods of time, counted as a stage's clock counts them.

use chrono::TimeDelta;

use crate::domain::values::time::Time;
use crate::domain::workflow::{ClockKind, Workflow};

/// The periods in which the current revision was under review.
#[derive(Clone, Default)]
pub(super) struct Stopwatch {
    before: Vec<(Time, Time)>,
    pub(super) since: Option<Time>,
}

impl Stopwatch {
    pub(super) fn start(at: Time) -> Self {
        Self { before: Vec::new(), since: Some(at) }
    }

    /// The total time, as the stage's deadline counts it.
    pub(super) fn at(&self, workflow: &Workflow, clock: ClockKind, now: Time) -> TimeDelta {
        let runs = self.before.iter().copied().chain(self.since.map(|since| (since, now)));
        runs.map(|(from, to)| match clock {
            ClockKind::Wall => to - from,
            ClockKind::Business => workflow.calendar.as_ref().unwrap().between(from, to),
        })
        .sum()
    }

    pub(super) fn stop(&mut self, now: Time) {
        self.before.extend(self.since.take().map(|since| (since, now)));
    }

    pub(super) fn go_on(&mut self, now: Time) {
        self.since = Some(now);
    }
}
