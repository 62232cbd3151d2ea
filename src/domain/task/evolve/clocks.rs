//! The clocks of reviews and questions: how they start, stop and go on. Pure, like all of `evolve`.

use chrono::TimeDelta;

use crate::domain::task::event::ClockTimes;
use crate::domain::task::question::AnswerClock;
use crate::domain::task::{Clock, PausedClock, PausedReview, Review};
use crate::domain::values::time::Time;
use crate::domain::workflow::{ClockKind, Stage, StageDeadline};

/// Starts the reviewers' clock, with the event's times if it counts working time.
pub(super) fn start_clock(deadline: Option<&StageDeadline>, at: Time, times: Option<&ClockTimes>) -> Clock {
    let Some(deadline) = deadline else { return Clock::Unbounded };
    if let Some(times) = times {
        return running(times);
    }
    let due_at = at + deadline.within.delta();
    let mut remind_at: Vec<Time> = deadline.remind_before.iter().map(|before| due_at - before.delta()).collect();
    remind_at.sort_unstable();
    Clock::Running { due_at, remind_at }
}

pub(super) fn pause(stage: &Stage, review: &Review, at: Time) -> PausedReview {
    PausedReview { votes: review.votes.clone(), clock: pause_clock(counts_work(stage), &review.clock, at) }
}

pub(super) fn pause_clock(counts_work: bool, clock: &Clock, at: Time) -> PausedClock {
    let left = |time: Time| (time - at).num_microseconds().unwrap_or(i64::MAX);
    match clock {
        Clock::Unbounded => PausedClock::Unbounded,
        Clock::Running { due_at, remind_at } if counts_work => {
            PausedClock::StoppedWork { due_at: *due_at, remind_at: remind_at.clone(), stopped_at: at }
        }
        Clock::Running { due_at, remind_at } => PausedClock::Stopped {
            left: left(*due_at),
            remind_left: remind_at.iter().map(|time| left(*time)).collect(),
        },
        Clock::Passed { due_at } => PausedClock::Passed { due_at: *due_at },
        Clock::Paused { clock } => clock.clone(),
    }
}

pub(super) fn stop_answer(clock: AnswerClock, counts_work: bool, at: Time) -> AnswerClock {
    match clock {
        AnswerClock::Running { due_at } if counts_work => AnswerClock::StoppedWork { due_at, stopped_at: at },
        AnswerClock::Running { due_at } => {
            AnswerClock::Stopped { left: (due_at - at).num_microseconds().unwrap_or(i64::MAX) }
        }
        AnswerClock::Stopped { .. } | AnswerClock::StoppedWork { .. } => clock,
    }
}

pub(super) fn resume_answer(clock: AnswerClock, at: Time, answer_due_at: Option<Time>) -> AnswerClock {
    let due_at = match clock {
        AnswerClock::Running { due_at } => due_at,
        AnswerClock::Stopped { left } => at + TimeDelta::microseconds(left),
        // The event that resumes the task states its end.
        AnswerClock::StoppedWork { due_at, .. } => answer_due_at.unwrap_or(due_at),
    };
    AnswerClock::Running { due_at }
}

pub(super) fn counts_work(stage: &Stage) -> bool {
    stage.deadline.as_ref().is_some_and(|deadline| deadline.clock == ClockKind::Business)
}

fn running(times: &ClockTimes) -> Clock {
    Clock::Running { due_at: times.due_at, remind_at: times.remind_at.clone() }
}

pub(super) fn resume_clock(clock: &PausedClock, at: Time, times: Option<&ClockTimes>) -> Clock {
    let then = |left: i64| at + TimeDelta::microseconds(left);
    match clock {
        PausedClock::Unbounded => Clock::Unbounded,
        PausedClock::Stopped { left, remind_left } => {
            Clock::Running { due_at: then(*left), remind_at: remind_left.iter().map(|left| then(*left)).collect() }
        }
        // The event that resumes the review states its end.
        PausedClock::StoppedWork { due_at, remind_at, .. } => {
            times.map_or_else(|| Clock::Running { due_at: *due_at, remind_at: remind_at.clone() }, running)
        }
        PausedClock::Passed { due_at } => Clock::Passed { due_at: *due_at },
    }
}
