//! Accepted and recorded events. Only events change a task; their stored shape is a contract.
//!
//! Fields of a [`Fact`] with personal data (names, ids, free text, URLs) are optional, since they
//! can be erased. `trail/fields.rs` declares which ones those are and who may see what.

use serde::{Deserialize, Serialize};

use crate::domain::values::event_type::event_types;
use crate::domain::values::id::{CommandId, CredentialId, StageKey};
use crate::domain::values::party::{Actor, Source};
use crate::domain::values::text::{Message, Prose};
use crate::domain::values::time::Time;

use super::actor_tag::ActorTag;
use super::outcome::{Cause, Decision, Outcome, Verdict};

mod choices;
mod content;
mod data;
mod feedback;

pub use choices::{DeadlineKind, InFlight, QuestionEnd, Resolution, TimeoutAction};
pub use content::{Artifact, HttpsUrl, InvalidSha256, InvalidUrl, Sha256Hex};
pub use data::{
    ClockTimes, EscalationResolved, LateDecision, Opened, PersonalDataErased, QuestionAnswered, QuestionAsked,
    Restated, ReviewersChanged, StageEscalated, StageRejected, VotePanel, VoteRecorded, WorkflowRef,
};
pub use feedback::{Answer, Answered, Feedback, FeedbackItem, GivenItem, InvalidItemId, ItemId};

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
    /// Stands for that actor within the task, also after an erasure; none for a late decision after
    /// the end.
    #[serde(default)]
    pub actor_tag: Option<ActorTag>,
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
            /// The answers to feedback that the buyer may read.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            shared_answers: Option<Vec<Answer>>,
            /// The answers to feedback for the partner and the platform only.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            internal_answers: Option<Vec<Answer>>,
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
            /// The `seq` of each vote that counted, and of the resolution that counted as one.
            votes: Vec<u64>,
            /// The tags of those who cast them.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            voters: Vec<ActorTag>,
            /// Whether everybody who decided it did so under a credential that is bound to that
            /// person; absent: no.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            bound: bool,
            /// The remarks of the counted votes that the buyer may read too.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            shared_feedback: Option<Vec<Feedback>>,
            /// The remarks of the counted votes for the partner and the platform only.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            internal_feedback: Option<Vec<Feedback>>,
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
        /// A party was asked a question.
        #[serde(rename = "task.question_asked")]
        QuestionAsked(QuestionAsked),
        /// That party answered.
        #[serde(rename = "task.question_answered")]
        QuestionAnswered(QuestionAnswered),
        /// The question was closed without an answer.
        #[serde(rename = "task.question_closed")]
        QuestionClosed {
            /// The `seq` of the question.
            question: u64,
            /// Why it was closed.
            why: QuestionEnd,
            /// The reviewers' clock that goes on here, if it counts working time; absent for
            /// elapsed time, or without a clock.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            clock: Option<ClockTimes>,
        },
        /// Other people may vote in a stage.
        #[serde(rename = "task.reviewers_changed")]
        ReviewersChanged(ReviewersChanged),
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
            /// When the answer to the open question is due from here on, if that counts working
            /// time; absent for elapsed time, or without a question.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            answer_due_at: Option<Time>,
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

impl Fact {
    /// Whether it ends the task.
    pub fn closes(&self) -> bool {
        matches!(
            self,
            Self::WorkflowCompleted {}
                | Self::WorkflowCancelled {}
                | Self::WorkflowExpired {}
                | Self::WorkflowFailed { .. }
        )
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
