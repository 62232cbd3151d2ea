//! A task and where it stands. Data is there only where it is true; nothing here is personal but the ids of actors,
//! and a closed task holds none of those.
//!
//! Fields can be read everywhere in the domain; only `evolve.rs` changes them. The stored shape is a contract
//! (`FORMAT`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::event::{Event, Fact};
use super::values::id::{StageKey, TaskId};
use super::values::party::{ActorRef, Party, Source};
use super::values::time::Time;
use super::workflow::{Stage, Workflow};

pub mod command;
pub mod decide;
pub mod erasure;
pub mod event;
pub mod evolve;
pub mod forecast;
mod ledger;
mod name;
pub mod notes;
pub mod refusal;
pub mod simulate;
pub mod status;
pub mod table;
pub mod unreadable;
pub mod view;

pub use ledger::{Ledger, Wait};
pub use name::PhaseName;

/// The format number of stored state. Older ones load for ever; a newer one is refused.
pub const FORMAT: u32 = 1;

/// The present of one task: what the next decision needs, not a history.
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
    /// When it began; none in state from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) entered_at: Option<Time>,
    /// Whether this round began with waiting for work, so that handing in more bypasses no approval.
    pub(super) began_preparing: bool,
    /// Whether rejected work came back here.
    pub(super) returned: bool,
    /// Since when it has stood like this: stage, phase and the party it waits on.
    pub(super) since: Time,
    pub(super) phase: Phase,
    /// The latest revision; 0: nothing was handed in.
    pub(super) revision: u32,
    /// Who handed it in.
    pub(super) submitter: Option<ActorRef>,
    /// Who else handed in work in the round of the stage in which the latest revision was handed in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) earlier_submitters: Vec<ActorRef>,
    pub(super) status_updates: u32,
    pub(super) checkpoint: Option<Checkpoint>,
    /// One per stage of the workflow.
    pub(super) stages: Vec<Record>,
    /// Whose time it was, from the opening to the last event, or to the end.
    #[serde(default, skip_serializing_if = "Ledger::is_empty")]
    pub(super) spent: Ledger,
}

/// What is known of one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How many times the task entered it.
    pub(super) rounds: u32,
    /// When the task was first here; none before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) entered_at: Option<Time>,
    /// Its latest decision.
    pub(super) decision: Option<Decision>,
    /// Whose approval counted in the latest round.
    pub(super) approvers: Vec<ActorRef>,
}

/// A stage decided, once per stage and round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// The `seq` of its event.
    pub seq: u64,
    /// The stage's round, from 1.
    pub round: u32,
    /// Approved or rejected.
    pub decision: Verdict,
    /// The revision it was decided on.
    pub revision: u32,
    /// The deciding party, or the service.
    pub party: Source,
    /// When it was recorded.
    pub decided_at: Time,
}

impl Decision {
    /// The decision that an event is, if it is one.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other event decides nothing")]
    pub fn of(event: &Event) -> Option<Self> {
        let (decision, revision) = match &event.fact {
            Fact::StageApproved { revision, .. } => (Verdict::Approved, *revision),
            Fact::StageRejected(rejected) => (Verdict::Rejected, rejected.revision),
            _ => return None,
        };
        let (seq, party, decided_at) = (event.seq, event.party, event.recorded_at);
        Some(Self { seq, round: event.round?, decision, revision, party, decided_at })
    }
}

/// Approved or rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
}

/// The partner's latest checkpoint; its text is in the notes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub(super) seq: u64,
    pub(super) percent: Option<u8>,
    pub(super) eta: Option<Time>,
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Phase {
    /// The stage waits for work.
    Preparing,
    /// Reviewers are deciding.
    InReview(Review),
    /// Paused; one party must make a call.
    Escalated(Escalation),
    /// Paused on request.
    OnHold(Hold),
    /// Winding down a review that a person is in the middle of.
    Cancelling(WindDown),
    /// Over.
    Closed(Closed),
}

/// A review that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The latest vote of each actor on the latest revision.
    pub(super) votes: Vec<Vote>,
    pub(super) clock: Clock,
}

/// A review that stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedReview {
    pub(super) votes: Vec<Vote>,
    pub(super) clock: PausedClock,
}

/// One reviewer's vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    pub(super) seq: u64,
    pub(super) actor: ActorRef,
    pub(super) decision: Verdict,
    pub(super) voted_at: Time,
    /// A rejection's target.
    pub(super) return_to: Option<StageKey>,
    /// How many votes the actor has given on this revision in this round, this one included.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub(super) cast: u32,
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
    /// Running, with the reminders still to come, earliest first.
    Running {
        /// The deadline.
        due_at: Time,
        /// The reminders.
        remind_at: Vec<Time>,
    },
    /// Passed, and nothing followed.
    Passed {
        /// When it was due.
        due_at: Time,
    },
}

/// The reviewers' deadline while the review stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PausedClock {
    /// No deadline.
    Unbounded,
    /// What is left, in microseconds; below zero if its tick was still to come.
    Stopped {
        /// To the deadline.
        left: i64,
        /// To each reminder still to come.
        remind_left: Vec<i64>,
    },
    /// Working time that stands still: what is left is for the calendar to say, when it goes on.
    StoppedWork {
        /// When it was to end.
        due_at: Time,
        /// The reminders that were still to come, earliest first.
        remind_at: Vec<Time>,
        /// Since when it stands still.
        stopped_at: Time,
    },
    /// Passed before.
    Passed {
        /// When it was due.
        due_at: Time,
    },
}

/// A call that a party must make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// The `seq` of its event: what a resolution names.
    pub(super) seq: u64,
    pub(super) to: Party,
    pub(super) cause: Cause,
    /// Who raised it.
    pub(super) raised_by: Source,
    /// How often it changed hands.
    pub(super) handovers: u32,
    pub(super) clock: ResponseClock,
    /// The review it interrupted; none if that was decided.
    pub(super) review: Option<PausedReview>,
}

/// The deadline of the party escalated to.
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
    /// Passed, and nothing followed.
    Passed {
        /// When it was due.
        due_at: Time,
    },
}

/// Why a party must make a call, or why a task failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody asked.
    Person,
    /// A deadline passed.
    Deadline,
    /// The stage's rounds are used up.
    Exhausted,
    /// Too few of the named reviewers may approve.
    NoQuorum,
}

/// A pause on request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub(super) by: Party,
    /// The review it interrupted; none: the stage was waiting for work.
    pub(super) review: Option<PausedReview>,
}

/// A cancellation that lets reviewers finish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindDown {
    pub(super) by: Party,
    pub(super) grace_until: Time,
    pub(super) open: Open,
}

/// A task that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    pub(super) outcome: Outcome,
    /// What was open when it ended, so that late decisions can be told from nonsense.
    pub(super) open: Open,
}

/// What was open when a task began to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// A review, running or paused.
    pub(super) review: bool,
    /// A call that a party was to make.
    pub(super) escalation: Option<Asked>,
}

/// A call that a party was to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub(super) seq: u64,
    pub(super) to: Party,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every stage was approved.
    Delivery,
    /// Somebody cancelled it.
    Cancelled,
    /// Its deadline passed.
    Expired,
    /// The definition ended it, because of this.
    Failed(Cause),
}

/// A timer of a task, in the order in which ties are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The task's own deadline.
    Task,
    /// The grace of a cancellation.
    Grace,
    /// The deadline of the party escalated to.
    Escalation,
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

    /// Where it is.
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

    /// The latest revision; 0: nothing was handed in.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// Whoever handed in work in the round in which the latest revision was handed in.
    pub(super) fn submitters(&self) -> impl Iterator<Item = &ActorRef> {
        self.submitter.iter().chain(&self.earlier_submitters)
    }

    /// Since when it has stood like this.
    pub fn since(&self) -> Time {
        self.since
    }

    /// When it ended; none while it is open.
    pub fn closed_at(&self) -> Option<Time> {
        self.phase().is_terminal().then_some(self.since)
    }

    /// Whose time it was up to `at`, or to the end: the parts add up to the whole since the opening.
    pub fn spent_until(&self, workflow: &Workflow, at: Time) -> Ledger {
        let mut spent = self.spent.clone();
        spent.wait(self, workflow, at);
        spent
    }

    /// Whom it waits on.
    pub fn waiting_on(&self, workflow: &Workflow) -> Option<Party> {
        match &self.phase {
            Phase::Preparing | Phase::Cancelling(_) => Some(Party::Partner),
            Phase::InReview(_) => Some(self.stage_in(workflow).reviewer),
            Phase::Escalated(escalation) => Some(escalation.to),
            Phase::OnHold(hold) => Some(hold.by),
            Phase::Closed(_) => None,
        }
    }

    /// When the present wait should end.
    pub fn due_at(&self) -> Option<Time> {
        match &self.phase {
            Phase::Preparing => self.deadline_at,
            Phase::InReview(review) => match review.clock {
                Clock::Unbounded => None,
                Clock::Running { due_at, .. } | Clock::Passed { due_at } => Some(due_at),
            },
            Phase::Escalated(escalation) => match escalation.clock {
                ResponseClock::Unbounded => None,
                ResponseClock::Running { due_at } | ResponseClock::Passed { due_at } => Some(due_at),
            },
            Phase::Cancelling(winding) => Some(winding.grace_until),
            Phase::OnHold(_) | Phase::Closed(_) => None,
        }
    }

    /// Whether the present wait's deadline passed and the wait goes on.
    pub fn is_overdue(&self) -> bool {
        match &self.phase {
            Phase::InReview(review) => matches!(review.clock, Clock::Passed { .. }),
            Phase::Escalated(escalation) => matches!(escalation.clock, ResponseClock::Passed { .. }),
            Phase::Preparing | Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => false,
        }
    }

    /// The next timer, the earliest first, ties in the order of [`Timer`]. Leaving a state removes its timers, for
    /// they are part of it.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        let whole = |time| (time, Timer::Task);
        let own = match &self.phase {
            Phase::Closed(_) => return None,
            Phase::Cancelling(winding) => return Some((winding.grace_until, Timer::Grace)),
            Phase::Preparing | Phase::OnHold(_) => None,
            Phase::InReview(review) => match &review.clock {
                Clock::Unbounded | Clock::Passed { .. } => None,
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
        self.deadline_at.map(whole).into_iter().chain(own).min()
    }

    /// When the service must wake this task.
    pub fn wake_at(&self) -> Option<Time> {
        self.next_timer().map(|(at, _)| at)
    }

    /// The latest decision of the stage with this index.
    pub fn decision(&self, stage: usize) -> Option<&Decision> {
        self.stages.get(stage).and_then(|record| record.decision.as_ref())
    }
}
