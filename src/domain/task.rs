//! The state of a task. Data exists only where it applies. Only the ids of actors are personal
//! here, and a closed task holds none of them.
//!
//! The whole domain may read the fields; only `evolve.rs` changes them. The stored shape is a
//! contract (`FORMAT`).

use serde::{Deserialize, Serialize};

use super::values::id::{CredentialId, PanelKey, TaskId};
use super::values::party::{ActorRef, Party};
use super::values::time::Time;
use super::workflow::{Stage, Workflow};

mod actor_tag;
pub mod command;
pub(crate) mod command_type;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod facts;
pub mod forecast;
mod item;
mod ledger;
pub mod limits;
pub mod notes;
mod outcome;
mod outside;
mod phase;
mod phase_name;
pub mod play;
pub mod question;
pub mod refusal;
mod reviewers;
pub mod seats;
pub mod simulate;
pub mod snapshot;
pub mod status;
pub mod table;
mod tally;
pub mod trail;
pub mod unreadable;
pub mod view;
pub mod why;

pub use actor_tag::{ActorTag, TagSecret};
pub use item::Item;
pub use ledger::{Ledger, Wait};
pub use outcome::{Cause, Decision, Outcome, PanelState, Verdict};
pub use phase::{
    Asked, Clock, Closed, Escalation, Hold, Open, PausedClock, PausedReview, Phase, ResponseClock, Review, Vote,
    WindDown,
};
pub use phase_name::PhaseName;
use question::{Question, Questions};
pub use reviewers::Reviewers;
pub use tally::{Counted, Tally};

/// The format number of stored state. All older formats load; a newer one is refused.
pub const FORMAT: u32 = 1;

/// The present state of one task: what the next decision needs, not its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub(super) format: u32,
    pub(super) id: TaskId,
    /// The `seq` of the last event.
    pub(super) version: u64,
    /// When the last event was recorded.
    pub(super) recorded_at: Time,
    pub(super) opened_at: Time,
    /// The task's own deadline.
    pub(super) deadline_at: Option<Time>,
    /// The index of the current stage; of the last one when closed.
    pub(super) stage: usize,
    /// The round of the current stage.
    pub(super) round: u32,
    /// When that round began; none in state stored before this field existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) entered_at: Option<Time>,
    /// Whether this round began by waiting for work. If so, submitting more work bypasses no
    /// approval.
    pub(super) began_preparing: bool,
    /// Whether the task returned to this stage after a rejection.
    pub(super) returned: bool,
    /// Since when stage, phase and the party it waits on have been the same.
    pub(super) since: Time,
    pub(super) phase: Phase,
    /// The open question. Only in `preparing`, `in_review` and a hold of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) question: Option<Question>,
    /// The account of the questions that were asked.
    #[serde(default, skip_serializing_if = "Questions::is_empty")]
    pub(super) questions: Questions,
    /// The latest revision; 0: no work was submitted.
    pub(super) revision: u32,
    /// Who submitted it.
    pub(super) submitter: Option<ActorRef>,
    /// Who else submitted work in the stage's round of the latest revision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) earlier_submitters: Vec<ActorRef>,
    pub(super) status_updates: u32,
    /// Who escalated for the platform in this round, until its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) platform_raisers: Vec<Raiser>,
    pub(super) checkpoint: Option<Checkpoint>,
    /// One per stage of the workflow.
    pub(super) stages: Vec<Record>,
    /// The secret of the actors' tags; none once the task has closed. An opening sets it, and no event
    /// contains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tag_secret: Option<TagSecret>,
    /// Whose time passed from the opening to the last event, or to the end.
    #[serde(default, skip_serializing_if = "Ledger::is_empty")]
    pub(super) spent: Ledger,
    /// What statistics need of its history and nothing else here says.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub(super) tally: Tally,
}

/// The record of one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How many times the task entered it.
    pub(super) rounds: u32,
    /// When the task first entered it; none before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) entered_at: Option<Time>,
    /// Its latest decision.
    pub(super) decision: Option<Decision>,
    /// The actors whose approval counted in the latest round.
    pub(super) approvers: Vec<ActorRef>,
    /// The panels that have approved in the latest round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) panels: Vec<PanelKey>,
    /// The people who may vote in place of those whom the definition names, by group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) reviewers: Vec<Reviewers>,
    /// The items of the feedback with which it last rejected, until it is approved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) items: Vec<Item>,
    /// Whether another party than the reviewing one ever decided an escalation of it. Never reset.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) overridden: bool,
}

/// Who escalated for the platform, and with which key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raiser {
    pub(super) actor: ActorRef,
    pub(super) credential_id: CredentialId,
}

/// The partner's latest status update, without its text, which is in the notes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub(super) seq: u64,
    pub(super) percent: Option<u8>,
    pub(super) eta: Option<Time>,
}

/// A timer of a task. Ties are handled in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The task's own deadline.
    Task,
    /// The grace period of a cancellation.
    Grace,
    /// The deadline of the party that the task is escalated to.
    Escalation,
    /// The deadline of the party that was asked a question.
    Question,
    /// The reviewers' deadline.
    Stage,
    /// A reminder of the reviewers' deadline.
    Reminder,
}

impl Task {
    /// The stored format.
    pub fn format(&self) -> u32 {
        self.format
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// The `seq` of the last event.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When the last event was recorded.
    pub fn recorded_at(&self) -> Time {
        self.recorded_at
    }

    /// When the task was opened.
    pub fn opened_at(&self) -> Time {
        self.opened_at
    }

    /// The task's own deadline.
    pub fn deadline_at(&self) -> Option<Time> {
        self.deadline_at
    }

    /// The name of its phase.
    pub fn phase(&self) -> PhaseName {
        self.phase.name()
    }

    /// The current stage, or the last one of a closed task.
    pub fn stage_in<'a>(&self, workflow: &'a Workflow) -> &'a Stage {
        workflow.stages.get(self.stage).or(workflow.stages.first()).expect("a workflow has at least one stage")
    }

    /// The round of that stage.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// The latest revision; 0: no work was submitted.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// The actors who submitted work in the round of the latest revision.
    pub(super) fn submitters(&self) -> impl Iterator<Item = &ActorRef> {
        self.submitter.iter().chain(&self.earlier_submitters)
    }

    /// Since when stage, phase and the party it waits on have been the same.
    pub fn since(&self) -> Time {
        self.since
    }

    /// When it ended; none while it is open.
    pub fn closed_at(&self) -> Option<Time> {
        self.phase().is_terminal().then_some(self.since)
    }

    /// Whose time passed up to `at`, or to the end. The parts add up to the whole time since the
    /// opening.
    pub fn spent_until(&self, workflow: &Workflow, at: Time) -> Ledger {
        let mut spent = self.spent.clone();
        spent.wait(self, workflow, at);
        spent
    }

    /// The question that the task waits for an answer to: the open one, unless a hold stops it.
    pub(super) fn waiting_question(&self) -> Option<(&Question, Time)> {
        let question = self.question.as_ref()?;
        Some((question, question.clock.due_at()?))
    }

    /// The party that it waits on.
    pub fn waiting_on(&self, workflow: &Workflow) -> Option<Party> {
        if let Some((question, _)) = self.waiting_question() {
            return Some(question.to);
        }
        match &self.phase {
            Phase::Preparing | Phase::Cancelling(_) => Some(Party::Partner),
            Phase::InReview(_) => Some(self.stage_in(workflow).reviewer),
            Phase::Escalated(escalation) => Some(escalation.to),
            Phase::OnHold(hold) => Some(hold.by),
            Phase::Closed(_) => None,
        }
    }

    /// When the current wait is due to end.
    pub fn due_at(&self) -> Option<Time> {
        if let Some((_, due_at)) = self.waiting_question() {
            return Some(due_at);
        }
        match &self.phase {
            Phase::Preparing => self.deadline_at,
            Phase::InReview(review) => match &review.clock {
                Clock::Unbounded | Clock::Paused { .. } => None,
                Clock::Running { due_at, .. } | Clock::Passed { due_at } => Some(*due_at),
            },
            Phase::Escalated(escalation) => match escalation.clock {
                ResponseClock::Unbounded => None,
                ResponseClock::Running { due_at } | ResponseClock::Passed { due_at } => Some(due_at),
            },
            Phase::Cancelling(wind_down) => Some(wind_down.grace_until),
            Phase::OnHold(_) | Phase::Closed(_) => None,
        }
    }

    /// Whether the current wait is past its deadline.
    pub fn is_overdue(&self) -> bool {
        match &self.phase {
            Phase::InReview(review) => matches!(review.clock, Clock::Passed { .. }),
            Phase::Escalated(escalation) => matches!(escalation.clock, ResponseClock::Passed { .. }),
            Phase::Preparing | Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => false,
        }
    }

    /// The next timer: the earliest one, ties in the order of [`Timer`]. Timers are part of the
    /// state, so leaving a state removes them.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        let whole = |time| (time, Timer::Task);
        let own = match &self.phase {
            Phase::Closed(_) => return None,
            Phase::Cancelling(wind_down) => return Some((wind_down.grace_until, Timer::Grace)),
            Phase::Preparing | Phase::OnHold(_) => None,
            Phase::InReview(review) => match &review.clock {
                Clock::Unbounded | Clock::Passed { .. } | Clock::Paused { .. } => None,
                Clock::Running { due_at, remind_at } => {
                    let deadline = (*due_at, Timer::Stage);
                    Some(remind_at.first().map_or(deadline, |at| deadline.min((*at, Timer::Reminder))))
                }
            },
            Phase::Escalated(escalation) => match escalation.clock {
                ResponseClock::Unbounded | ResponseClock::Passed { .. } => None,
                ResponseClock::Running { due_at } => Some((due_at, Timer::Escalation)),
            },
        };
        let answer = self.waiting_question().map(|(_, due_at)| (due_at, Timer::Question));
        self.deadline_at.map(whole).into_iter().chain(own).chain(answer).min()
    }

    /// When the service must wake this task.
    pub fn wake_at(&self) -> Option<Time> {
        self.next_timer().map(|(at, _)| at)
    }

    /// Whether a panel of the current stage has approved in this round.
    pub(super) fn has_approved(&self, panel: &PanelKey) -> bool {
        self.stages.get(self.stage).is_some_and(|record| record.panels.contains(panel))
    }

    /// The latest decision of the stage with this index.
    pub fn decision(&self, stage: usize) -> Option<&Decision> {
        self.stages.get(stage).and_then(|record| record.decision.as_ref())
    }
}
