//! The commands of parties: one variant per intention.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::id::{ActorId, CommandId, PanelKey, StageKey};
use crate::domain::values::party::{Party, Sender};
use crate::domain::values::text::{Message, Name, Prose};
use crate::domain::values::time::Time;

use super::command_type::for_each_command;
use super::event::{Answer, Artifact, Feedback, InFlight, Resolution};
use super::refusal::Refusal;

pub use super::command_type::CommandType;

mod feedback;
mod reviewers;

/// A command: an action and its context.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub(in crate::domain) meta: Meta,
    pub(in crate::domain) action: Action,
}

/// The context of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// The sender.
    pub sender: Sender,
    /// The idempotency key.
    pub id: Option<CommandId>,
    /// When it happened according to the sender. Recorded, but no rule uses it.
    pub occurred_at: Option<Time>,
    /// A remark for the sender's own organisation.
    pub note: Option<Prose>,
    /// The stage that the sender refers to. Required in votes and escalations.
    pub stage: Option<StageKey>,
    /// The round that the sender refers to. Required in votes and escalations.
    pub round: Option<u32>,
    /// The revision that the sender saw. Required in votes and escalations.
    pub revision: Option<u32>,
    /// The `seq` of this actor's earlier late decision on the same review or escalation. Looked up
    /// only for a task that is closing or closed.
    pub late: Option<u64>,
    /// Whether the platform's own escalations need a second person. Without it, one person may
    /// decide them, and the trail says so.
    pub dual_control: bool,
}

/// The actions.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Submits work.
    WorkSubmitted(WorkSubmitted),
    /// Updates the buyer-visible progress.
    StatusUpdated(StatusUpdated),
    /// Votes to approve.
    StageApproved(StageApproved),
    /// Votes to reject.
    StageRejected(StageRejected),
    /// Asks another party to decide.
    StageEscalated(StageEscalated),
    /// Decides an escalation.
    EscalationResolved(EscalationResolved),
    /// Asks a party a question.
    QuestionAsked(QuestionAsked),
    /// Answers the open question.
    QuestionAnswered(QuestionAnswered),
    /// Takes the open question back.
    QuestionWithdrawn(QuestionWithdrawn),
    /// Changes who may vote in a stage.
    ReviewersChanged(ReviewersChanged),
    /// Pauses the task.
    Held(Held),
    /// Resumes the task.
    Resumed(Resumed),
    /// Cancels the task.
    CancellationRequested(CancellationRequested),
    /// Says what became of the work.
    CancellationAcknowledged(CancellationAcknowledged),
}

/// Submit work for review: a new revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkSubmittedCommand)]
pub struct WorkSubmitted {
    /// A summary of the work, 1 to 4,000 characters. Required unless there is an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Prose>,
    /// References to the work, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub artifacts: Vec<Artifact>,
    /// The answers to items of feedback, at most one for each. If the stage that returned the work has
    /// `on_reject.answers` `required`, the first submission afterwards must answer every blocking
    /// item. Whoever may read an item may read its answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10100)]
    pub answers: Vec<Answer>,
}

/// Tell the buyer about the progress. Cleared when stage or phase changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusUpdatedCommand)]
pub struct StatusUpdated {
    /// The text that the buyer reads, 1 to 500 characters.
    pub message: Message,
    /// The progress in percent, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    pub percent: Option<u8>,
    /// When the partner expects to finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<Time>,
}

/// Vote to approve the stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StageApprovedCommand)]
pub struct StageApproved {
    /// Remarks that do not block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

/// Vote to reject the stage, with feedback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StageRejectedCommand)]
pub struct StageRejected {
    /// The reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Feedback, required = true)]
    pub feedback: Option<Feedback>,
    /// The stage to return to, one of the stage's `on_reject.return_to`. Default: the first of
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
}

/// Ask a party to decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StageEscalatedCommand)]
pub struct StageEscalated {
    /// The party: one of the stage's `escalation.to`; the platform may always name itself.
    pub to: Party,
    /// The question, 1 to 4,000 characters; the party that must decide reads it.
    pub reason: Prose,
}

/// Decide an escalation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EscalationResolvedCommand)]
pub struct EscalationResolved {
    /// The escalation to resolve: the `seq` of its event.
    pub escalation: u64,
    /// The decision.
    pub resolution: Resolution,
    /// `reject` only, and required there: the reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// `reject` only: the stage to return to, one of the stage's `on_reject.return_to`. Default:
    /// the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<StageKey>,
    /// `return` and `redirect` only: advice for the reviewers, or a message to the next party; at
    /// most 4,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Prose>,
    /// `redirect` only, and required there: the party that must decide instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Party>,
}

/// Ask a party a question. It decides nothing and blocks no decision. Until it is closed, the task
/// waits on that party and the reviewers' clock stands still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QuestionAskedCommand)]
pub struct QuestionAsked {
    /// The party: another one than the sender's, and one of the stage's `questions.to`.
    pub to: Party,
    /// The question, 1 to 4,000 characters. The asking party, the party asked, the partner and the
    /// platform read it.
    pub question: Prose,
    /// Suggested answers, at most 10, all different.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub options: Vec<Name>,
    /// Whether a buyer who is neither asked nor asking reads question and answer as well. Default
    /// `false`.
    #[serde(default)]
    pub share_with_buyer: bool,
}

/// Answer the open question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QuestionAnsweredCommand)]
pub struct QuestionAnswered {
    /// The question: the `seq` of its event.
    pub question: u64,
    /// The answer, 1 to 4,000 characters. Required unless there is an `option`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Prose>,
    /// The position of one of the question's options, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10)]
    pub option: Option<u32>,
    /// References that belong to the answer, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub artifacts: Vec<Artifact>,
}

/// Take the open question back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QuestionWithdrawnCommand)]
pub struct QuestionWithdrawn {
    /// The question: the `seq` of its event.
    pub question: u64,
}

/// Change who may vote in a stage that names its reviewers: the current one or a later one, named by
/// `stage`, which is required. It holds for this task alone. The votes of those who leave fall; if
/// the votes that are left meet the quorum, the stage is approved at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReviewersChangedCommand)]
pub struct ReviewersChanged {
    /// The panel. Required in a stage with panels, and not allowed in one without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PanelKey, required = false)]
    pub panel: Option<PanelKey>,
    /// Who may vote from now on, at most 100. At least one of `add` and `remove` names somebody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub add: Vec<ActorId>,
    /// Who may not vote any more, at most 100. Those who are left must be able to reach the quorum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub remove: Vec<ActorId>,
    /// The reason, 1 to 4,000 characters; partner and platform read it.
    pub reason: Prose,
}

/// Pause the stage. Stops its clock and reminders, but not the task's own deadline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HeldCommand)]
pub struct Held {
    /// The reason, 1 to 500 characters; the buyer reads it.
    pub reason: Message,
}

/// End a hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResumedCommand)]
pub struct Resumed {}

/// Cancel the task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancellationRequestedCommand)]
pub struct CancellationRequested {
    /// The reason, 1 to 500 characters; every party reads it.
    pub reason: Message,
    /// Cancel at once, regardless of the stage's rule. Platform only. Default `false`.
    #[serde(default)]
    pub immediate: bool,
}

/// Say what became of the work, which completes the cancellation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancellationAcknowledgedCommand)]
pub struct CancellationAcknowledged {
    /// What became of the work.
    pub in_flight: InFlight,
    /// Remarks, at most 4,000 characters; partner and platform read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Prose>,
    /// `salvaged` only, and required there: the usable work, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub artifacts: Vec<Artifact>,
}

impl Meta {
    /// A context that names the sender and nothing else.
    pub fn new(sender: Sender) -> Self {
        Self {
            sender,
            id: None,
            occurred_at: None,
            note: None,
            stage: None,
            round: None,
            revision: None,
            late: None,
            dual_control: true,
        }
    }
}

impl Command {
    /// A party's command. Refuses what no task could accept: a vote without the stage, round and
    /// revision it is about, an actor that is missing or that the sender may not name, a list that
    /// is too long.
    pub fn new(meta: Meta, mut action: Action) -> Result<Self, Vec<Refusal>> {
        action.spell_out();
        let wrong = check(&meta, &action);
        if wrong.is_empty() { Ok(Self { meta, action }) } else { Err(wrong) }
    }

    /// What is asked for.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// What surrounds it.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Adds the `seq` of the same actor's earlier late decision, if there is one.
    #[must_use]
    pub fn with_late(mut self, seq: Option<u64>) -> Self {
        self.meta.late = seq;
        self
    }

    /// Sets whether the platform's own escalations need a second person; the default is that they do.
    pub fn set_dual_control(&mut self, dual_control: bool) {
        self.meta.dual_control = dual_control;
    }

    /// Whether it is a vote or a resolution, which can be late decisions.
    pub fn is_decision(&self) -> bool {
        matches!(self.action, Action::StageApproved(_) | Action::StageRejected(_) | Action::EscalationResolved(_))
    }

    /// Whether it concerns one round of one stage, so that an earlier decision of that round
    /// answers it.
    pub(in crate::domain) fn is_about_a_round(&self) -> bool {
        self.is_decision() || matches!(self.action, Action::StageEscalated(_))
    }
}

impl Action {
    /// Its type.
    pub fn command_type(&self) -> CommandType {
        macro_rules! type_of {
            ($($command:ident $name:literal,)*) => {
                match self {
                    $(Self::$command(_) => CommandType::$command,)*
                }
            };
        }
        for_each_command!(type_of)
    }

    /// Whether `stage`, `round` and `revision` are required.
    fn needs_target(&self) -> bool {
        self.command_type().needs_target()
    }

    /// Whether the person or program behind it must be named.
    pub fn needs_actor(&self) -> bool {
        self.needs_target()
            || matches!(
                self,
                Self::WorkSubmitted(_)
                    | Self::EscalationResolved(_)
                    | Self::QuestionAnswered(_)
                    | Self::ReviewersChanged(_)
            )
    }
}

/// Maximum number of artifacts in a submission or an acknowledgement.
const MAX_ARTIFACTS: usize = 50;
/// Maximum number of artifacts in an answer to a question.
const MAX_ANSWER_ARTIFACTS: usize = 10;
/// Maximum number of options of a question.
const MAX_OPTIONS: usize = 10;

/// What is missing of the context that an action needs.
fn check_meta(meta: &Meta, action: &Action) -> Vec<Refusal> {
    let mut wrong = Vec::new();
    if action.needs_target() {
        let missing = [
            ("/stage", meta.stage.is_none()),
            ("/round", meta.round.is_none()),
            ("/revision", meta.revision.is_none()),
        ];
        wrong.extend(missing.iter().filter(|(_, missing)| *missing).map(|(at, _)| Refusal::required(at)));
    } else if matches!(action, Action::ReviewersChanged(_)) && meta.stage.is_none() {
        wrong.push(Refusal::required("/stage"));
    }
    if action.needs_actor() && meta.sender.actor.is_none() {
        wrong.push(Refusal::required("/actor"));
    }
    wrong
}

fn check(meta: &Meta, action: &Action) -> Vec<Refusal> {
    let mut wrong = check_meta(meta, action);
    let artifacts = match action {
        Action::WorkSubmitted(body) => {
            wrong.extend(feedback::check_answers(&body.answers));
            &body.artifacts[..]
        }
        Action::StageApproved(body) => {
            wrong.extend(body.feedback.iter().flat_map(feedback::check_remarks));
            &[][..]
        }
        Action::StageRejected(StageRejected { feedback, .. })
        | Action::EscalationResolved(EscalationResolved { feedback, .. }) => {
            wrong.extend(feedback.iter().filter_map(feedback::check_length));
            &[][..]
        }
        Action::CancellationAcknowledged(body) => &body.artifacts[..],
        Action::CancellationRequested(body) => {
            if body.immediate && meta.sender.party != Party::Platform {
                wrong.push(Refusal::invalid("/immediate", "not_allowed", "only the platform may cancel immediately"));
            }
            &[][..]
        }
        Action::StatusUpdated(body) => {
            if body.percent.is_some_and(|percent| percent > 100) {
                wrong.push(Refusal::invalid("/percent", "out_of_range", "must be from 0 to 100"));
            }
            &[][..]
        }
        Action::QuestionAsked(body) => {
            wrong.extend(check_question(meta, body));
            &[][..]
        }
        Action::QuestionAnswered(body) => {
            wrong.extend(check_answer(body));
            &body.artifacts[..]
        }
        Action::ReviewersChanged(body) => {
            wrong.extend(reviewers::check(body));
            &[][..]
        }
        Action::StageEscalated(_) | Action::QuestionWithdrawn(_) | Action::Held(_) | Action::Resumed(_) => &[][..],
    };
    if artifacts.len() > MAX_ARTIFACTS {
        wrong.push(Refusal::invalid("/artifacts", "too_many", "must have at most 50 items"));
    }
    let too_large = |artifact: &Artifact| artifact.size.is_some_and(|size| size > 9_007_199_254_740_991);
    if artifacts.iter().any(too_large) {
        wrong.push(Refusal::invalid("/artifacts", "out_of_range", "a size must be at most 2^53 - 1"));
    }
    wrong
}

fn check_question(meta: &Meta, body: &QuestionAsked) -> Vec<Refusal> {
    let mut wrong = Vec::new();
    if body.to == meta.sender.party {
        wrong.push(Refusal::invalid("/to", "not_allowed", "must be another party"));
    }
    if body.options.len() > MAX_OPTIONS {
        wrong.push(Refusal::invalid("/options", "too_many", "must have at most 10 items"));
    }
    let repeats = |index: usize, option: &Name| body.options.iter().take(index).any(|earlier| earlier == option);
    if body.options.iter().enumerate().any(|(index, option)| repeats(index, option)) {
        wrong.push(Refusal::invalid("/options", "duplicate", "must all be different"));
    }
    wrong
}

fn check_answer(body: &QuestionAnswered) -> Vec<Refusal> {
    let mut wrong = Vec::new();
    if body.answer.is_none() && body.option.is_none() {
        wrong.push(Refusal::invalid("/answer", "required", "at least one of answer and option is required"));
    }
    if body.artifacts.len() > MAX_ANSWER_ARTIFACTS {
        wrong.push(Refusal::invalid("/artifacts", "too_many", "must have at most 10 items"));
    }
    wrong
}
