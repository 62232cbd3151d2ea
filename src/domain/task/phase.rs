//! The phases of a task, each with the data that only it has.

use serde::{Deserialize, Serialize};

use crate::domain::values::id::{ActorId, PanelKey, StageKey};
use crate::domain::values::party::{ActorRef, Party, Source};
use crate::domain::values::time::Time;

use super::outcome::{Cause, Outcome, Verdict};
use super::phase_name::PhaseName;

/// The phase of a task, with the data of that phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Phase {
    /// The stage waits for work.
    Preparing,
    /// Reviewers are deciding.
    InReview(Review),
    /// Paused; one party must decide.
    Escalated(Escalation),
    /// Paused on request.
    OnHold(Hold),
    /// Winding down a review that a person is working on.
    Cancelling(WindDown),
    /// Ended.
    Closed(Closed),
}

/// A running review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The latest vote of each actor on the latest revision.
    pub(in crate::domain) votes: Vec<Vote>,
    pub(in crate::domain) clock: Clock,
}

/// A paused review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedReview {
    pub(in crate::domain) votes: Vec<Vote>,
    pub(in crate::domain) clock: PausedClock,
}

/// One reviewer's vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    pub(in crate::domain) seq: u64,
    pub(in crate::domain) actor: ActorRef,
    pub(in crate::domain) decision: Verdict,
    pub(in crate::domain) voted_at: Time,
    /// The target stage of a rejection.
    pub(in crate::domain) return_to: Option<StageKey>,
    /// The panel that it counts for; none in a stage without panels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) panel: Option<PanelKey>,
    /// The absent person in whose seat it counts; none: the actor's own.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) stands_for: Option<ActorId>,
    /// Whether it was sent under a credential that is bound to the actor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::domain) bound: bool,
    /// How many votes the actor, or somebody else in this seat, has cast on this revision in this round,
    /// including this one.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub(in crate::domain) cast: u32,
}

impl Vote {
    /// The person whose seat it counts in.
    pub(in crate::domain) fn holder(&self) -> &ActorId {
        self.stands_for.as_ref().unwrap_or(&self.actor.id)
    }

    /// Whether a vote of `actor` takes its place, in the seat of the absent person `stands_for` or else in
    /// the actor's own: an actor has one vote, and so has a seat.
    pub(in crate::domain) fn is_replaced(&self, actor: &ActorRef, stands_for: Option<&ActorId>) -> bool {
        self.actor == *actor || self.holder() == stands_for.unwrap_or(&actor.id)
    }
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_once(cast: &u32) -> bool {
    *cast == once()
}

/// The reviewers' deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Clock {
    /// No deadline.
    Unbounded,
    /// Running, with the remaining reminders, earliest first.
    Running {
        /// The deadline.
        due_at: Time,
        /// The reminders.
        remind_at: Vec<Time>,
    },
    /// Passed without consequence.
    Passed {
        /// When it was due.
        due_at: Time,
    },
    /// Standing still while a question is open.
    Paused {
        /// What goes on when the question is closed.
        clock: PausedClock,
    },
}

/// The reviewers' deadline while the review is paused, or while a question is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PausedClock {
    /// No deadline.
    Unbounded,
    /// The remaining time to the deadline in microseconds; negative if the deadline passed before
    /// its tick.
    Stopped {
        /// To the deadline.
        left: i64,
        /// The time to each remaining reminder.
        remind_left: Vec<i64>,
    },
    /// A paused clock in working time. The calendar determines the remaining time when the review
    /// continues.
    StoppedWork {
        /// The deadline before the pause.
        due_at: Time,
        /// The reminders that remained, earliest first.
        remind_at: Vec<Time>,
        /// When the pause began.
        stopped_at: Time,
    },
    /// Passed before the pause.
    Passed {
        /// When it was due.
        due_at: Time,
    },
}

/// A decision that one party must make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// The `seq` of its event, which a resolution refers to.
    pub(in crate::domain) seq: u64,
    pub(in crate::domain) to: Party,
    pub(in crate::domain) cause: Cause,
    /// Who raised it.
    pub(in crate::domain) raised_by: Source,
    /// How often it was handed to another party.
    pub(in crate::domain) handovers: u32,
    pub(in crate::domain) clock: ResponseClock,
    /// The review that it interrupted; none if that review was decided.
    pub(in crate::domain) review: Option<PausedReview>,
}

/// The deadline of the party that the task is escalated to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ResponseClock {
    /// No deadline.
    Unbounded,
    /// Running.
    Running {
        /// The deadline.
        due_at: Time,
    },
    /// Passed without consequence.
    Passed {
        /// When it was due.
        due_at: Time,
    },
}

/// A pause on request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub(in crate::domain) by: Party,
    /// The review that it interrupted; none if the stage was waiting for work.
    pub(in crate::domain) review: Option<PausedReview>,
}

/// A cancellation during which the reviewers may finish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindDown {
    pub(in crate::domain) by: Party,
    pub(in crate::domain) grace_until: Time,
    pub(in crate::domain) open: Open,
}

/// A task that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    pub(in crate::domain) outcome: Outcome,
    /// What was open when the task ended, to recognise late decisions.
    pub(in crate::domain) open: Open,
}

/// What was open when a task began to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Whether a review was open, running or paused.
    pub(in crate::domain) review: bool,
    /// The escalation that was open.
    pub(in crate::domain) escalation: Option<Asked>,
}

/// An escalation that was open when the task began to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub(in crate::domain) seq: u64,
    pub(in crate::domain) to: Party,
}

impl Phase {
    /// Its name.
    pub fn name(&self) -> PhaseName {
        match self {
            Self::Preparing => PhaseName::Preparing,
            Self::InReview(_) => PhaseName::InReview,
            Self::Escalated(_) => PhaseName::Escalated,
            Self::OnHold(_) => PhaseName::OnHold,
            Self::Cancelling(_) => PhaseName::Cancelling,
            Self::Closed(closed) => match closed.outcome {
                Outcome::Delivery => PhaseName::Delivery,
                Outcome::Cancelled => PhaseName::Cancelled,
                Outcome::Expired => PhaseName::Expired,
                Outcome::Failed(_) => PhaseName::Failed,
            },
        }
    }
}
