//! Accepted and recorded events. Only events change a task; their stored shape is a contract.
//!
//! Fields of a [`Fact`] with personal data (names, ids, free text, URLs) are optional, since they
//! can be erased. `trail/fields.rs` declares which ones those are and who may see what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::event_type::event_types;
use crate::domain::values::id::{CommandId, CredentialId, ErasureId, StageKey, TaskId, WorkflowKey};
use crate::domain::values::party::{Actor, Party, Source};
use crate::domain::values::text::{Message, Name, Prose};
use crate::domain::values::time::Time;
use crate::domain::workflow::{EscalationTimeout, StageTimeout};

use super::command_type::CommandType;
use super::outcome::{Cause, Decision, Outcome, Verdict};
use super::phase_name::PhaseName;

mod content;

pub use content::{Artifact, Feedback, FeedbackItem, HttpsUrl, InvalidSha256, InvalidUrl, Sha256Hex};

/// An entry of the trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Consecutive number per task, from 1, without gaps.
    pub seq: u64,
    /// The `seq` of the first event of the transition that this one belongs to.
    pub cause_seq: u64,
    /// The stage it happened in; none for the opening.
    pub stage: Option<StageKey>,
    /// The stage's round.
    pub round: Option<u32>,
    /// The party, or the service, that it is from.
    pub party: Source,
    /// The person or program of that party.
    pub actor: Option<Actor>,
    /// The credential that was used.
    pub credential_id: Option<CredentialId>,
    /// The id of the command, on the first event of its transition.
    pub command_id: Option<CommandId>,
    /// When it was recorded; never goes backwards within a task.
    pub recorded_at: Time,
    /// When it happened, as stated by the party.
    pub occurred_at: Option<Time>,
    /// A remark for the party's own organisation.
    pub note: Option<Prose>,
    /// What happened.
    pub fact: Fact,
}

event_types! {
    /// What happened, by type, with the fields of that type; in the order of a task's life.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub enum Fact {
        /// The platform opened the task.
        #[serde(rename = "task.opened")]
        Opened(Opened),
        /// Work was submitted.
        #[serde(rename = "task.work_submitted")]
        WorkSubmitted {
            /// Its number, from 1.
            revision: u32,
            /// A summary of the work.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            summary: Option<Prose>,
            /// References to the work.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            artifacts: Option<Vec<Artifact>>,
            /// The clock that starts here, if it counts working time; absent for elapsed time, or
            /// without a clock.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            clock: Option<ClockTimes>,
        },
        /// The partner updated the progress shown to the buyer.
        #[serde(rename = "task.status_updated")]
        StatusUpdated {
            /// The text that the buyer reads.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            message: Option<Message>,
            /// The progress in percent, 0 to 100.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            percent: Option<u8>,
            /// When the partner expects to finish.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            eta: Option<Time>,
        },
        /// One reviewer's approval or rejection.
        #[serde(rename = "task.vote_recorded")]
        VoteRecorded(VoteRecorded),
        /// The task entered a stage, forward or back.
        #[serde(rename = "task.stage_entered")]
        StageEntered {
            /// Whether the task returned here after a rejection.
            returned: bool,
            /// The clock that starts here, if it counts working time; absent for elapsed time, or
            /// without a clock.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            clock: Option<ClockTimes>,
        },
        /// The stage was approved.
        #[serde(rename = "task.stage_approved")]
        StageApproved {
            /// The revision that was approved.
            revision: u32,
            /// The `seq` of each vote that counted.
            votes: Vec<u64>,
        },
        /// The stage was rejected.
        #[serde(rename = "task.stage_rejected")]
        StageRejected(StageRejected),
        /// A party must decide.
        #[serde(rename = "task.stage_escalated")]
        StageEscalated(StageEscalated),
        /// That party decided.
        #[serde(rename = "task.escalation_resolved")]
        EscalationResolved(EscalationResolved),
        /// A stage's deadline is near.
        #[serde(rename = "task.deadline_reminded")]
        DeadlineReminded {
            /// The deadline.
            due_at: Time,
        },
        /// A stage's or an escalation's deadline passed.
        #[serde(rename = "task.deadline_passed")]
        DeadlinePassed {
            /// Whose deadline.
            deadline: DeadlineKind,
            /// When it was due.
            due_at: Time,
            /// The consequence that the definition names.
            action: TimeoutAction,
        },
        /// The task was paused on request.
        #[serde(rename = "task.held")]
        Held {
            /// The reason; the buyer reads it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<Message>,
        },
        /// The hold ended.
        #[serde(rename = "task.resumed")]
        Resumed {
            /// The clock that starts here, if it counts working time; absent for elapsed time, or
            /// without a clock.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            clock: Option<ClockTimes>,
        },
        /// Cancellation was requested.
        #[serde(rename = "task.cancellation_requested")]
        CancellationRequested {
            /// The reason.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<Message>,
            /// Whether the platform requested it without a grace period.
            immediate: bool,
            /// The end of the grace period; absent: cancelled at once.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            grace_until: Option<Time>,
        },
        /// A review ended undecided because the task ended.
        #[serde(rename = "task.review_withdrawn")]
        ReviewWithdrawn {},
        /// The partner said what became of the work.
        #[serde(rename = "task.cancellation_acknowledged")]
        CancellationAcknowledged {
            /// What became of the work.
            in_flight: InFlight,
            /// Remarks.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            notes: Option<Prose>,
            /// What was salvaged.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            artifacts: Option<Vec<Artifact>>,
        },
        /// A decision came too late to count.
        #[serde(rename = "task.late_decision_recorded")]
        LateDecisionRecorded(LateDecision),
        /// Every stage is approved: delivery.
        #[serde(rename = "task.workflow_completed")]
        WorkflowCompleted {},
        /// The task is cancelled.
        #[serde(rename = "task.workflow_cancelled")]
        WorkflowCancelled {},
        /// The task's deadline passed.
        #[serde(rename = "task.workflow_expired")]
        WorkflowExpired {},
        /// A rule of the definition ended the task as failed.
        #[serde(rename = "task.workflow_failed")]
        WorkflowFailed {
            /// Why: `exhausted` or `deadline`.
            cause: Cause,
        },
        /// Personal data of one actor was taken out of earlier entries.
        #[serde(rename = "task.personal_data_erased")]
        PersonalDataErased(PersonalDataErased),
    }
}

/// The opening of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// The task.
    pub task_id: TaskId,
    /// The pinned version.
    pub workflow: WorkflowRef,
    /// SHA-256 of the canonical definition, in hex.
    pub definition: String,
    /// The task's own deadline: the earlier of the platform's and the workflow's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Time>,
    /// The title of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Name>,
    /// The platform's own data, never interpreted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A version of a partner's workflow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct WorkflowRef {
    /// The workflow's key.
    pub key: WorkflowKey,
    /// The version, from 1.
    pub version: u32,
}

/// One reviewer's approval or rejection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteRecorded {
    /// Which of the two.
    pub decision: Verdict,
    /// The revision it is about.
    pub revision: u32,
    /// The stage that a rejection returns to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
    /// The reasons for a rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

/// The rejection of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRejected {
    /// The revision that was rejected.
    pub revision: u32,
    /// The stage that the task returns to; absent if the rounds are exhausted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
    /// Whether this exhausted the stage's rounds.
    pub exhausted: bool,
    /// The `seq` of each vote that counted.
    pub votes: Vec<u64>,
    /// The feedback of the counted votes that the buyer may read too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_feedback: Option<Vec<Feedback>>,
    /// The feedback of the counted votes for the partner and the platform only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_feedback: Option<Vec<Feedback>>,
}

/// An escalation to a party.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageEscalated {
    /// The party that must decide.
    pub to: Party,
    /// Why it was escalated.
    pub cause: Cause,
    /// The latest revision.
    pub revision: u32,
    /// When an answer is due; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respond_by: Option<Time>,
    /// The question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Prose>,
}

/// The decision of an escalation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EscalationResolved {
    /// The `seq` of the escalation.
    pub escalation: u64,
    /// The decision.
    pub resolution: Resolution,
    /// The latest revision.
    pub revision: u32,
    /// `reject`: the stage that the task returns to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
    /// `redirect`: the party that must decide instead. `return`: the recipient of the advice, which
    /// is the party that escalated or, after a deadline, the reviewing party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Party>,
    /// `reject`: the reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// `return`: advice for the reviewers. `redirect`: a message to the next party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Prose>,
    /// The clock that continues or restarts with a `return`, if it counts working time; absent for
    /// elapsed time, or without a clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockTimes>,
}

/// The times of a reviewers' clock in working time. They are recorded, since another time-zone
/// database could give different ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockTimes {
    /// The deadline.
    pub due_at: Time,
    /// The remaining reminders, earliest first.
    pub remind_at: Vec<Time>,
}

/// A decision that came too late to count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LateDecision {
    /// The command: `stage_approved`, `stage_rejected` or `escalation_resolved`.
    pub command: CommandType,
    /// The phase in which it arrived.
    pub phase: PhaseName,
    /// The revision it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The escalation that it refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<u64>,
    /// The resolution that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// The stage that it would have returned the task to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
    /// The party that it would have redirected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Party>,
    /// The reasons for its rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// The advice that it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Prose>,
}

/// The removal of one actor's personal data from earlier entries. No trail names the actor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonalDataErased {
    /// The erasure that asked for it.
    pub erasure_id: ErasureId,
    /// The `seq` of every entry that lost a field in this step, in order.
    pub entries: Vec<u64>,
    /// Whether the actor's id stays until the task closes because the rules still need it.
    pub ids_remain: bool,
    /// The remaining feedback from lists that were erased because they had the actor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restated: Option<Vec<Restated>>,
    /// The version of the buyer's status from here on: this entry's `seq` if the status lost
    /// something, else its earlier version. It is recorded because the entries that determined it
    /// may be erased.
    pub status_version: u64,
    /// When that status last changed.
    pub status_updated_at: Time,
}

/// The remaining feedback of an entry that shared feedback with the buyer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restated {
    /// The `seq` of that entry.
    pub seq: u64,
    /// The remaining feedback.
    pub shared_feedback: Vec<Feedback>,
}

/// How an escalation is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The stage is approved.
    Approve,
    /// The stage is rejected.
    Reject,
    /// Advice is given; the reviewers continue with their votes and their remaining time.
    Return,
    /// Another party must decide.
    Redirect,
}

impl Resolution {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Return => "return",
            Self::Redirect => "redirect",
        }
    }
}

/// The kind of deadline that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// The deadline of the stage's reviewers.
    Stage,
    /// The deadline of the party that the task is escalated to.
    Escalation,
}

/// What the definition says happens when a deadline passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutAction {
    /// Another party must decide.
    Escalate,
    /// The stage is rejected.
    Reject,
    /// The stage is approved.
    Approve,
    /// The task fails.
    Fail,
    /// Nothing.
    None,
}

impl TimeoutAction {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Escalate => "escalate",
            Self::Reject => "reject",
            Self::Approve => "approve",
            Self::Fail => "fail",
            Self::None => "none",
        }
    }
}

/// What became of the work when the task was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InFlight {
    /// It was discarded.
    Discarded,
    /// Some of it is usable.
    Salvaged,
}

impl From<StageTimeout> for TimeoutAction {
    fn from(rule: StageTimeout) -> Self {
        match rule {
            StageTimeout::Escalate { .. } => Self::Escalate,
            StageTimeout::Reject => Self::Reject,
            StageTimeout::Approve => Self::Approve,
            StageTimeout::Fail => Self::Fail,
            StageTimeout::None => Self::None,
        }
    }
}

impl From<EscalationTimeout> for TimeoutAction {
    fn from(rule: EscalationTimeout) -> Self {
        match rule {
            EscalationTimeout::Escalate { .. } => Self::Escalate,
            EscalationTimeout::Reject => Self::Reject,
            EscalationTimeout::Fail => Self::Fail,
            EscalationTimeout::None => Self::None,
        }
    }
}

impl From<Outcome> for Fact {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Delivery => Self::WorkflowCompleted {},
            Outcome::Cancelled => Self::WorkflowCancelled {},
            Outcome::Expired => Self::WorkflowExpired {},
            Outcome::Failed(cause) => Self::WorkflowFailed { cause },
        }
    }
}

impl Decision {
    /// The decision that an event records, if it records one.
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
