//! What can be asked of a task: one variant per intention, the timer's own included, so that every door leads
//! through the same gate.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::domain::values::id::{CommandId, CredentialId, ErasureId, StageKey};
use crate::domain::values::party::{Party, Sender};
use crate::domain::values::text::{Message, Prose};
use crate::domain::values::time::Time;

use super::event::{Artifact, Feedback, InFlight, Resolution, Restated};
use super::refusal::Refusal;

/// A command: who asks, for what.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub(in crate::domain) meta: Meta,
    pub(in crate::domain) action: Action,
}

/// What surrounds an action.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// Who sent it; none: the service's timer.
    pub sender: Option<Sender>,
    /// The idempotency key.
    pub id: Option<CommandId>,
    /// When it happened, by the sender's own statement; never used.
    pub occurred_at: Option<Time>,
    /// A remark for the sender's own people.
    pub note: Option<Prose>,
    /// The stage that the sender means. Required in votes and escalations.
    pub stage: Option<StageKey>,
    /// The round that the sender means. Required in votes and escalations.
    pub round: Option<u32>,
    /// The revision that the sender saw. Required in votes and escalations.
    pub revision: Option<u32>,
    /// The `seq` under which this actor's late decision on what was open is in the trail already, looked up for a
    /// task that is closing or closed.
    pub late: Option<u64>,
}

/// The intentions.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Work is handed in.
    WorkSubmitted(WorkSubmitted),
    /// A checkpoint for the buyer.
    StatusUpdated(StatusUpdated),
    /// A vote to approve.
    StageApproved(StageApproved),
    /// A vote to reject.
    StageRejected(StageRejected),
    /// Somebody else should make a call.
    StageEscalated(StageEscalated),
    /// The call.
    EscalationResolved(EscalationResolved),
    /// Pause.
    Held(Held),
    /// Go on.
    Resumed(Resumed),
    /// Stop for good.
    CancellationRequested(CancellationRequested),
    /// What became of the work.
    CancellationAcknowledged(CancellationAcknowledged),
    /// Personal data of an actor is being taken out of the trail. The service's own, on the platform's request; no
    /// door takes it.
    PersonalDataErased(PersonalDataErased),
    /// The time has come for the earliest due timer.
    Tick,
}

/// What is being taken out of a task's trail, as it goes on record.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonalDataErased {
    /// The erasure that asks for it.
    pub erasure_id: ErasureId,
    /// The `seq` of every entry that loses something, in order.
    pub entries: Vec<u64>,
    /// Whether the actor's id stays until the task closes.
    pub ids_remain: bool,
    /// What others said in lists that go as a whole.
    pub restated: Vec<Restated>,
}

/// Hand in work for review: a new revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkSubmittedCommand)]
pub struct WorkSubmitted {
    /// What it is, 1 to 4,000 characters. This or an artifact must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Prose>,
    /// Where it is, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub artifacts: Vec<Artifact>,
}

/// Tell the buyer how far the work is. Cleared whenever stage or phase changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusUpdatedCommand)]
pub struct StatusUpdated {
    /// What the buyer reads, 1 to 500 characters.
    pub message: Message,
    /// How much is done, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    pub percent: Option<u8>,
    /// When the partner expects to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<Time>,
}

/// Vote to approve the stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StageApprovedCommand)]
pub struct StageApproved {}

/// Vote to reject the stage, with feedback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StageRejectedCommand)]
pub struct StageRejected {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Feedback, required = true)]
    pub feedback: Option<Feedback>,
    /// The stage to go back to, one of the stage's `on_reject.return_to`. Default: the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
}

/// Ask a party to make a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StageEscalatedCommand)]
pub struct StageEscalated {
    /// The party: one of the stage's `escalation.to`; the platform may always name itself.
    pub to: Party,
    /// The question, 1 to 4,000 characters; the party asked reads it.
    pub reason: Prose,
}

/// Make the call that an escalation asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EscalationResolvedCommand)]
pub struct EscalationResolved {
    /// The escalation it answers: the `seq` of its event.
    pub escalation: u64,
    /// The call.
    pub resolution: Resolution,
    /// `reject` only, and required there: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// `reject` only: the stage to go back to, one of the stage's `on_reject.return_to`. Default: the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
    /// `return` and `redirect` only: advice for the reviewers, or a word to the next party; at most 4,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Prose>,
    /// `redirect` only, and required there: the party that shall decide instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Party>,
}

/// Pause the stage. Stops its clock and reminders, never the task's own deadline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HeldCommand)]
pub struct Held {
    /// Why, 1 to 500 characters; the buyer reads it.
    pub reason: Message,
}

/// End a pause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResumedCommand)]
pub struct Resumed {}

/// Cancel the task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancellationRequestedCommand)]
pub struct CancellationRequested {
    /// Why, 1 to 500 characters; every party reads it.
    pub reason: Message,
    /// Cancel at once, whatever the stage says. The platform only. Default `false`.
    #[serde(default)]
    pub immediate: bool,
}

/// Say what became of the work; the task is cancelled then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancellationAcknowledgedCommand)]
pub struct CancellationAcknowledged {
    /// What became of it.
    pub in_flight: InFlight,
    /// Remarks, at most 4,000 characters; partner and platform read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Prose>,
    /// `salvaged` only, and required there: what is of use, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub artifacts: Vec<Artifact>,
}

/// A command's `type`, as the contract shows it: the words of [`Action::TYPES`].
#[derive(Clone, Copy, Debug)]
pub struct CommandType;

impl utoipa::PartialSchema for CommandType {
    fn schema() -> RefOr<Schema> {
        let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Action::TYPES));
        words.description(Some("A command, by its `type`.")).into()
    }
}

impl ToSchema for CommandType {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("CommandType")
    }
}

impl Command {
    /// A party's command. Refuses what no task could accept: a vote that does not say what it is about, an actor
    /// that is missing or not the sender's to name, a list that is too long.
    pub fn new(meta: Meta, action: Action) -> Result<Self, Vec<Refusal>> {
        let wrong = check(&meta, &action);
        if wrong.is_empty() { Ok(Self { meta, action }) } else { Err(wrong) }
    }

    /// The timer's command.
    pub fn tick() -> Self {
        Self { meta: Meta::default(), action: Action::Tick }
    }

    /// The command that records an erasure, in the name of the platform's credential that asked for it.
    pub fn erased(credential_id: CredentialId, body: PersonalDataErased) -> Self {
        let sender = Some(Sender { party: Party::Platform, actor: None, credential_id });
        Self { meta: Meta { sender, ..Meta::default() }, action: Action::PersonalDataErased(body) }
    }

    /// What is asked for.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// What surrounds it.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The command with the `seq` of the same actor's earlier late decision, if there is one.
    #[must_use]
    pub fn with_late(mut self, seq: Option<u64>) -> Self {
        self.meta.late = seq;
        self
    }

    /// Whether it is a vote or a resolution: what can be a late decision.
    pub fn is_decision(&self) -> bool {
        matches!(self.action, Action::StageApproved(_) | Action::StageRejected(_) | Action::EscalationResolved(_))
    }

    /// Whether it speaks of one round of one stage, so that a decision taken before answers it.
    pub(in crate::domain) fn is_about_a_round(&self) -> bool {
        self.is_decision() || matches!(self.action, Action::StageEscalated(_))
    }
}

impl Action {
    /// The command's `type`, for all that a party can send.
    pub const TYPES: [&'static str; 10] = [
        "work_submitted",
        "status_updated",
        "stage_approved",
        "stage_rejected",
        "stage_escalated",
        "escalation_resolved",
        "held",
        "resumed",
        "cancellation_requested",
        "cancellation_acknowledged",
    ];

    /// The command's `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::WorkSubmitted(_) => "work_submitted",
            Self::StatusUpdated(_) => "status_updated",
            Self::StageApproved(_) => "stage_approved",
            Self::StageRejected(_) => "stage_rejected",
            Self::StageEscalated(_) => "stage_escalated",
            Self::EscalationResolved(_) => "escalation_resolved",
            Self::Held(_) => "held",
            Self::Resumed(_) => "resumed",
            Self::CancellationRequested(_) => "cancellation_requested",
            Self::CancellationAcknowledged(_) => "cancellation_acknowledged",
            Self::PersonalDataErased(_) => "personal_data_erased",
            Self::Tick => "tick",
        }
    }

    /// Whether `stage`, `round` and `revision` must be given, so that nobody decides on what they have not seen.
    fn needs_target(&self) -> bool {
        match self {
            Self::StageApproved(_) | Self::StageRejected(_) | Self::StageEscalated(_) => true,
            Self::WorkSubmitted(_)
            | Self::StatusUpdated(_)
            | Self::EscalationResolved(_)
            | Self::Held(_)
            | Self::Resumed(_)
            | Self::CancellationRequested(_)
            | Self::CancellationAcknowledged(_)
            | Self::PersonalDataErased(_)
            | Self::Tick => false,
        }
    }

    /// Whether the person or program behind it must be named.
    fn needs_actor(&self) -> bool {
        self.needs_target() || matches!(self, Self::WorkSubmitted(_) | Self::EscalationResolved(_))
    }
}

/// The most artifacts in a submission or an acknowledgement.
const MAX_ARTIFACTS: usize = 50;
/// The most items in a feedback.
const MAX_FEEDBACK_ITEMS: usize = 100;

fn check(meta: &Meta, action: &Action) -> Vec<Refusal> {
    let mut wrong = Vec::new();
    if action.needs_target() {
        let missing = [
            ("/stage", meta.stage.is_none()),
            ("/round", meta.round.is_none()),
            ("/revision", meta.revision.is_none()),
        ];
        wrong.extend(missing.iter().filter(|(_, missing)| *missing).map(|(at, _)| Refusal::required(at)));
    }
    if action.needs_actor() && meta.sender.as_ref().is_none_or(|sender| sender.actor.is_none()) {
        wrong.push(Refusal::required("/actor"));
    }
    let (artifacts, feedback) = match action {
        Action::WorkSubmitted(body) => (&body.artifacts[..], None),
        Action::CancellationAcknowledged(body) => (&body.artifacts[..], None),
        Action::StageRejected(body) => (&[][..], body.feedback.as_ref()),
        Action::EscalationResolved(body) => (&[][..], body.feedback.as_ref()),
        Action::CancellationRequested(body) => {
            if body.immediate && meta.sender.as_ref().is_some_and(|sender| sender.party != Party::Platform) {
                wrong.push(Refusal::invalid("/immediate", "not_allowed", "only the platform may cancel immediately"));
            }
            (&[][..], None)
        }
        Action::StatusUpdated(body) => {
            if body.percent.is_some_and(|percent| percent > 100) {
                wrong.push(Refusal::invalid("/percent", "out_of_range", "must be from 0 to 100"));
            }
            (&[][..], None)
        }
        Action::StageApproved(_)
        | Action::StageEscalated(_)
        | Action::Held(_)
        | Action::Resumed(_)
        | Action::PersonalDataErased(_)
        | Action::Tick => (&[][..], None),
    };
    if artifacts.len() > MAX_ARTIFACTS {
        wrong.push(Refusal::invalid("/artifacts", "too_many", "must have at most 50 items"));
    }
    let too_large = |artifact: &Artifact| artifact.size.is_some_and(|size| size > 9_007_199_254_740_991);
    if artifacts.iter().any(too_large) {
        wrong.push(Refusal::invalid("/artifacts", "out_of_range", "a size must be at most 2^53 - 1"));
    }
    if feedback.is_some_and(|feedback| feedback.items.len() > MAX_FEEDBACK_ITEMS) {
        wrong.push(Refusal::invalid("/feedback/items", "too_many", "must have at most 100 items"));
    }
    wrong
}
