//! The fields of those types of events that have several. Their stored shape is a contract.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::task::command_type::CommandType;
use crate::domain::task::outcome::{Cause, PanelState, Verdict};
use crate::domain::task::phase_name::PhaseName;
use crate::domain::values::id::{ActorId, ErasureId, PanelKey, ReasonKey, StageKey, TaskId, WorkflowKey};
use crate::domain::values::party::Party;
use crate::domain::values::text::{Name, Prose};
use crate::domain::values::time::Time;

use super::choices::Resolution;
use super::content::Artifact;
use super::feedback::{Feedback, GivenItem};

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
    /// The reasons for a rejection, or the remarks of an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// The panel that it counts for; absent in a stage without panels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panel: Option<VotePanel>,
    /// The absent person in whose seat it counts; absent: the actor's own seat.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<ActorId>,
    /// The other panels that have not approved any more, since the actor's vote in one of them fell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reopened: Vec<PanelKey>,
    /// Whether it was sent under a credential that is bound to its actor; absent: no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bound: bool,
}

/// The panel of a vote, or of a change of reviewers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VotePanel {
    /// The panel's key.
    pub key: PanelKey,
    /// Whether the panel has approved, with this vote or change counted.
    pub state: PanelState,
}

/// A change of the people who may vote in a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewersChanged {
    /// The stage, which need not be the current one.
    pub of: StageKey,
    /// The panel; absent in a stage without panels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panel: Option<VotePanel>,
    /// Who may vote from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<Vec<ActorId>>,
    /// Who may not vote any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Vec<ActorId>>,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Prose>,
    /// The `seq` of each vote that fell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<u64>,
    /// The other panels that have not approved any more, since a vote in one of them fell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reopened: Vec<PanelKey>,
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
    /// The `seq` of each vote that counted: in a stage with panels, those of the panel that rejected.
    pub votes: Vec<u64>,
    /// Whether everybody who decided it did so under a credential that is bound to that person;
    /// absent: no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bound: bool,
    /// The items of the feedback that counted, without their words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<GivenItem>,
    /// The reasons that it names, one for each author.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ReasonKey>,
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
    /// `approve` by the partner: the absent person in whose seat the approval counts as a vote; absent:
    /// the actor's own seat.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<ActorId>,
    /// `approve`, `reject`: whether another party decided than the one that reviews the stage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overrides: bool,
    /// Whether somebody decided alone what the platform had escalated under the same actor or key.
    /// Possible only in a service without the second person (`STAGEGATE_DUAL_CONTROL=false`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single_person: bool,
    /// The clock that continues or restarts with a `return`, if it counts working time; absent for
    /// elapsed time, or without a clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockTimes>,
    /// Whether it was sent under a credential that is bound to its actor; absent: no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bound: bool,
}

/// A question to a party.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuestionAsked {
    /// The party asked.
    pub to: Party,
    /// The latest revision.
    pub revision: u32,
    /// When the answer is due.
    pub respond_by: Time,
    /// Whether a buyer who is neither asked nor asking reads question and answer as well.
    pub share_with_buyer: bool,
    /// The question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Prose>,
    /// The suggested answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<Name>>,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuestionAnswered {
    /// The `seq` of the question.
    pub question: u64,
    /// The party that asked.
    pub to: Party,
    /// Whether the question was shared with the buyer, and the answer with it.
    pub share_with_buyer: bool,
    /// The position of the chosen option, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<u32>,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Prose>,
    /// References that belong to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Vec<Artifact>>,
    /// The reviewers' clock that goes on here, if it counts working time; absent for elapsed time,
    /// or without a clock.
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
    /// The reasons for its rejection, or the remarks of its approval.
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
