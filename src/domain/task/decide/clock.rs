//! Computes deadlines. Working time is computed only here, and the results are recorded.

use crate::domain::task::event::ClockTimes;
use crate::domain::task::question::AnswerClock;
use crate::domain::task::{Cause, Clock, Escalation, PausedClock, Phase};
use crate::domain::values::time::{Span, Time};
use crate::domain::workflow::{ClockKind, Stage, StageDeadline};

use super::draft::Draft;

impl Draft<'_> {
    /// The instant at which `span` ends if it begins now.
    pub(super) fn after(&self, clock: ClockKind, span: &Span) -> Time {
        self.workflow.after(clock, self.moment.now, span.delta())
    }

    /// When the answer of a party that must decide from now on is due.
    pub(super) fn respond_by(&self) -> Option<Time> {
        let rule = &self.stage().escalation;
        rule.respond_within.as_ref().map(|within| self.after(rule.clock, within))
    }

    /// The times of a review of `stage` that starts now, to be recorded only if they count working
    /// time.
    pub(super) fn start_clock(&self, stage: &Stage) -> Option<ClockTimes> {
        let deadline = business(stage)?;
        let within = deadline.within.delta();
        // A reminder is due when `before` is left.
        let reminder = |before: &Span| self.workflow.after(deadline.clock, self.moment.now, within - before.delta());
        let mut remind_at: Vec<Time> = deadline.remind_before.iter().map(reminder).collect();
        remind_at.sort_unstable();
        Some(ClockTimes { due_at: self.after(deadline.clock, &deadline.within), remind_at })
    }

    /// The times of a review that resumes now, to be recorded.
    pub(super) fn resume_clock(&self, clock: &PausedClock) -> Option<ClockTimes> {
        let PausedClock::StoppedWork { due_at, remind_at, stopped_at } = clock else { return None };
        let then = |time: &Time| self.moved(*time, *stopped_at);
        Some(ClockTimes { due_at: then(due_at), remind_at: remind_at.iter().map(then).collect() })
    }

    /// When the answer to a question is due if its time goes on now, to be recorded.
    pub(super) fn resume_answer(&self, clock: AnswerClock) -> Option<Time> {
        let AnswerClock::StoppedWork { due_at, stopped_at } = clock else { return None };
        Some(self.moved(due_at, stopped_at))
    }

    /// The instant at which the working time is used up that was left to `time` at `stopped_at`.
    fn moved(&self, time: Time, stopped_at: Time) -> Time {
        if time <= stopped_at {
            // The deadline had passed before its tick, and stays as long ago as it was.
            return self.moment.now - (stopped_at - time);
        }
        let calendar = self.workflow.calendar.as_ref();
        let left = calendar.map_or(time - stopped_at, |calendar| calendar.between(stopped_at, time));
        self.workflow.after(ClockKind::Business, self.moment.now, left)
    }

    /// The times of a review that an escalation is returned to, to be recorded: the full time if
    /// its deadline had passed, else the remaining time.
    pub(super) fn returned_clock(&self, escalation: &Escalation) -> Option<ClockTimes> {
        let review = escalation.review.as_ref()?;
        let passed = matches!(review.clock, PausedClock::Passed { .. });
        if passed && escalation.cause == Cause::Deadline {
            return self.start_clock(self.stage());
        }
        self.resume_clock(&review.clock)
    }

    /// The times of the reviewers' clock that goes on when the question is closed, to be recorded.
    pub(super) fn answered_clock(&self) -> Option<ClockTimes> {
        let Phase::InReview(review) = &self.task().phase else { return None };
        let Clock::Paused { clock } = &review.clock else { return None };
        self.resume_clock(clock)
    }
}

fn business(stage: &Stage) -> Option<&StageDeadline> {
    stage.deadline.as_ref().filter(|deadline| deadline.clock == ClockKind::Business)
}
