//! What was accepted and recorded. An event is the only thing that changes a task; its stored shape is a contract.
//!
//! Fields of a [`Fact`] that hold personal data (names, ids, free text, URLs) are optional, for they can be erased;
//! which ones those are, and who may see what, is declared in `audit/task_fields.rs`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::id::{CommandId, CredentialId, ErasureId, StageKey, TaskId, WorkflowKey};
use crate::domain::values::party::{Actor, Party, Source};
use crate::domain::values::text::{Message, Name, Prose};
use crate::domain::values::time::Time;
use crate::domain::workflow::{EscalationTimeout, StageTimeout};

use super::{Cause, Outcome, Verdict};

mod content;

pub use content::{Artifact, Feedback, FeedbackItem, HttpsUrl, InvalidSha256, InvalidUrl, Sha256Hex};

/// One row of the trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// 1, 2, 3 … per task, without gaps.
    pub seq: u64,
    /// The `seq` of the first event of the transition that this one belongs to.
    pub cause_seq: u64,
    /// The stage it happened in; none for the opening.
    pub stage: Option<StageKey>,
    /// The stage's round.
    pub round: Option<u32>,
    /// Who it is from.
    pub party: Source,
    /// The person or program of that party.
    pub actor: Option<Actor>,
    /// The credential that said so.
    pub credential_id: Option<CredentialId>,
    /// The id of the command, on the first event of its transition.
    pub command_id: Option<CommandId>,
    /// When it was recorded; never goes backwards within a task.
    pub recorded_at: Time,
    /// When it happened, by the party's own statement.
    pub occurred_at: Option<Time>,
    /// A remark for the party's own people.
    pub note: Option<Prose>,
    /// What happened.
    pub fact: Fact,
}

/// What happened, by type, with the fields of that type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Fact {
    /// The platform opened the task.
    #[serde(rename = "task.opened")]
    Opened(Opened),
    /// The task entered a stage, forward or back.
    #[serde(rename = "task.stage_entered")]
    StageEntered {
        /// Whether rejected work came back here.
        returned: bool,
        /// A clock in working time that starts here; absent: counted as time passes, or no clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock: Option<ClockTimes>,
    },
    /// Work was handed in.
    #[serde(rename = "task.work_submitted")]
    WorkSubmitted {
        /// Its number, from 1.
        revision: u32,
        /// What it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<Prose>,
        /// Where it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        artifacts: Option<Vec<Artifact>>,
        /// A clock in working time that starts here; absent: counted as time passes, or no clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock: Option<ClockTimes>,
    },
    /// A checkpoint for the buyer.
    #[serde(rename = "task.status_updated")]
    StatusUpdated {
        /// What the buyer reads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<Message>,
        /// How much is done, 0 to 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
        /// When the partner expects to be done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        eta: Option<Time>,
    },
    /// One reviewer's approval or rejection.
    #[serde(rename = "task.vote_recorded")]
    VoteRecorded(VoteRecorded),
    /// The stage was decided: approved.
    #[serde(rename = "task.stage_approved")]
    StageApproved {
        /// The revision it was decided on.
        revision: u32,
        /// The `seq` of each vote that counted.
        votes: Vec<u64>,
    },
    /// The stage was decided: rejected.
    #[serde(rename = "task.stage_rejected")]
    StageRejected(StageRejected),
    /// A party was asked to make a call.
    #[serde(rename = "task.stage_escalated")]
    StageEscalated(StageEscalated),
    /// That party made it.
    #[serde(rename = "task.escalation_resolved")]
    EscalationResolved(EscalationResolved),
    /// A stage's deadline comes near.
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
        /// What the definition says happens now.
        action: TimeoutAction,
    },
    /// The task was paused on request.
    #[serde(rename = "task.held")]
    Held {
        /// Why; the buyer reads it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Message>,
    },
    /// The pause ended.
    #[serde(rename = "task.resumed")]
    Resumed {
        /// A clock in working time that starts here; absent: counted as time passes, or no clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock: Option<ClockTimes>,
    },
    /// Somebody wants the task cancelled.
    #[serde(rename = "task.cancellation_requested")]
    CancellationRequested {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Message>,
        /// Whether the platform asked for no grace.
        immediate: bool,
        /// Until when the partner may wind down; absent: cancelled at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace_until: Option<Time>,
    },
    /// A review ended undecided because the task did.
    #[serde(rename = "task.review_withdrawn")]
    ReviewWithdrawn {},
    /// The partner said what became of the work.
    #[serde(rename = "task.cancellation_acknowledged")]
    CancellationAcknowledged {
        /// What became of it.
        in_flight: InFlight,
        /// Remarks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notes: Option<Prose>,
        /// What was salvaged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        artifacts: Option<Vec<Artifact>>,
    },
    /// A decision came after it could count.
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
    /// The definition ended the task as failed.
    #[serde(rename = "task.workflow_failed")]
    WorkflowFailed {
        /// Why: `exhausted` or `deadline`.
        cause: Cause,
    },
    /// Personal data of one actor was taken out of earlier entries.
    #[serde(rename = "task.personal_data_erased")]
    PersonalDataErased(PersonalDataErased),
}

impl Fact {
    /// Every event name, in the order of the life of a task.
    pub const TYPES: [&'static str; 22] = [
        "task.opened",
        "task.work_submitted",
        "task.status_updated",
        "task.vote_recorded",
        "task.stage_entered",
        "task.stage_approved",
        "task.stage_rejected",
        "task.stage_escalated",
        "task.escalation_resolved",
        "task.deadline_reminded",
        "task.deadline_passed",
        "task.held",
        "task.resumed",
        "task.cancellation_requested",
        "task.review_withdrawn",
        "task.cancellation_acknowledged",
        "task.late_decision_recorded",
        "task.workflow_completed",
        "task.workflow_cancelled",
        "task.workflow_expired",
        "task.workflow_failed",
        "task.personal_data_erased",
    ];

    /// The event's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened(_) => "task.opened",
            Self::StageEntered { .. } => "task.stage_entered",
            Self::WorkSubmitted { .. } => "task.work_submitted",
            Self::StatusUpdated { .. } => "task.status_updated",
            Self::VoteRecorded(_) => "task.vote_recorded",
            Self::StageApproved { .. } => "task.stage_approved",
            Self::StageRejected(_) => "task.stage_rejected",
            Self::StageEscalated(_) => "task.stage_escalated",
            Self::EscalationResolved(_) => "task.escalation_resolved",
            Self::DeadlineReminded { .. } => "task.deadline_reminded",
            Self::DeadlinePassed { .. } => "task.deadline_passed",
            Self::Held { .. } => "task.held",
            Self::Resumed { .. } => "task.resumed",
            Self::CancellationRequested { .. } => "task.cancellation_requested",
            Self::ReviewWithdrawn {} => "task.review_withdrawn",
            Self::CancellationAcknowledged { .. } => "task.cancellation_acknowledged",
            Self::LateDecisionRecorded(_) => "task.late_decision_recorded",
            Self::WorkflowCompleted {} => "task.workflow_completed",
            Self::WorkflowCancelled {} => "task.workflow_cancelled",
            Self::WorkflowExpired {} => "task.workflow_expired",
            Self::WorkflowFailed { .. } => "task.workflow_failed",
            Self::PersonalDataErased(_) => "task.personal_data_erased",
        }
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
    /// What the task is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Name>,
    /// The platform's own data, unread.
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
    /// Where a rejection wants the task to go back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

/// A stage decided: rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRejected {
    /// The revision it was decided on.
    pub revision: u32,
    /// Where the task goes back to; absent when the rounds are used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
    /// Whether this used up the stage's rounds.
    pub exhausted: bool,
    /// The `seq` of each vote that counted.
    pub votes: Vec<u64>,
    /// What the counted votes say to the buyer too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_feedback: Option<Vec<Feedback>>,
    /// What they say to the partner and the platform only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_feedback: Option<Vec<Feedback>>,
}

/// A party asked to make a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageEscalated {
    /// The party.
    pub to: Party,
    /// Why it came to this.
    pub cause: Cause,
    /// The latest revision.
    pub revision: u32,
    /// Until when it should answer; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respond_by: Option<Time>,
    /// What the question is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Prose>,
}

/// The call that a party made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EscalationResolved {
    /// The `seq` of the escalation it answers.
    pub escalation: u64,
    /// What was decided.
    pub resolution: Resolution,
    /// The latest revision.
    pub revision: u32,
    /// `reject`: where the task goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
    /// `redirect`: who shall decide. `return`: whom the advice is for, the party that asked or, after a deadline, the
    /// one that reviews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Party>,
    /// `reject`: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// `return`: advice for the reviewers. `redirect`: a word to the next party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Prose>,
    /// A clock in working time that goes on or starts anew with a `return`; absent: counted as time passes, or no
    /// clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockTimes>,
}

/// The times of the reviewers' clock where it counts working time. They are recorded, as another time-zone database
/// would give others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockTimes {
    /// The deadline.
    pub due_at: Time,
    /// The reminders still to come, earliest first.
    pub remind_at: Vec<Time>,
}

/// A decision that came after it could count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LateDecision {
    /// The command: `stage_approved`, `stage_rejected` or `escalation_resolved`.
    pub command: String,
    /// The phase it met.
    pub phase: String,
    /// The revision it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The escalation it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<u64>,
    /// How it would have resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Where it would have sent the task back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
    /// Whom it would have asked instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Party>,
    /// Why it rejects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// Advice given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Prose>,
}

/// Personal data taken out of earlier entries, of an actor whom no trail names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonalDataErased {
    /// The erasure that asked for it.
    pub erasure_id: ErasureId,
    /// The `seq` of every entry that lost something now, in order.
    pub entries: Vec<u64>,
    /// Whether the actor's id stays until the task closes, as the rules still need it.
    pub ids_remain: bool,
    /// What others said to the buyer in lists that went because the actor's words were among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restated: Option<Vec<Restated>>,
    /// The version of the buyer's status from here on: this entry's `seq` if the status lost something, else the
    /// one it had. What led to it may be gone, so it cannot be told from the entries before.
    pub status_version: u64,
    /// When that status was made.
    pub status_updated_at: Time,
}

/// What is left of the feedback of an entry that shared it with the buyer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restated {
    /// The `seq` of that entry.
    pub seq: u64,
    /// The feedback that is left.
    pub shared_feedback: Vec<Feedback>,
}

/// How an escalation is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The stage is approved.
    Approve,
    /// The stage is rejected.
    Reject,
    /// Advice is given; the reviewers carry on with their votes and the time they had left.
    Return,
    /// Another party shall decide.
    Redirect,
}

/// Whose deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// The stage's reviewers'.
    Stage,
    /// The party's that was escalated to.
    Escalation,
}

/// What the definition says happens when a deadline passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutAction {
    /// A party is asked.
    Escalate,
    /// Rejected.
    Reject,
    /// Approved.
    Approve,
    /// The task fails.
    Fail,
    /// Nothing.
    None,
}

/// What became of the work when the task was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InFlight {
    /// Thrown away.
    Discarded,
    /// Some of it is of use.
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
