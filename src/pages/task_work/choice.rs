//! What a reviewer can choose in a form, and the command of the API that it becomes.

use serde_json::{Map, Value, json};

use crate::domain::task::command::CommandType;
use crate::domain::task::event::Resolution;
use crate::domain::task::why::Ability;
use crate::pages::forms::Fields;

use super::typed::{Target, Typed, filled};

/// The members of a command, as the API takes them.
pub(super) type Members = Map<String, Value>;

/// A choice of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Approves the stage.
    Approve,
    /// Rejects the stage.
    SendBack,
    /// Asks a party to decide.
    Escalate,
    /// Decides an escalation.
    Resolve(Resolution),
    /// Asks a party a question.
    Ask,
    /// Answers the open question.
    Answer,
    /// Takes the own question back.
    Withdraw,
    /// Hands in a revision of the work.
    HandIn,
    /// Tells the buyer about the progress.
    Inform,
    /// Changes who may vote in a stage.
    Reviewers,
    /// Puts the task on hold.
    Hold,
    /// Lets a held task go on.
    Resume,
    /// Cancels the task.
    Cancel,
    /// Says what became of the work of a task that is being cancelled.
    Acknowledge,
}

impl Choice {
    /// Every choice, in the order of the page.
    pub(super) const ALL: [Self; 17] = [
        Self::Approve,
        Self::SendBack,
        Self::Resolve(Resolution::Approve),
        Self::Resolve(Resolution::Reject),
        Self::Resolve(Resolution::Return),
        Self::Resolve(Resolution::Redirect),
        Self::Escalate,
        Self::Ask,
        Self::Answer,
        Self::Withdraw,
        Self::HandIn,
        Self::Inform,
        Self::Acknowledge,
        Self::Reviewers,
        Self::Hold,
        Self::Resume,
        Self::Cancel,
    ];

    /// The value of the form's field `choice`.
    pub(super) fn value(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::SendBack => "send-back",
            Self::Escalate => "escalate",
            Self::Resolve(Resolution::Approve) => "resolve-approve",
            Self::Resolve(Resolution::Reject) => "resolve-reject",
            Self::Resolve(Resolution::Return) => "resolve-return",
            Self::Resolve(Resolution::Redirect) => "resolve-redirect",
            Self::Ask => "ask",
            Self::Answer => "answer",
            Self::Withdraw => "withdraw",
            Self::HandIn => "hand-in",
            Self::Inform => "inform",
            Self::Reviewers => "reviewers",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Acknowledge => "acknowledge",
        }
    }

    /// The choice with this value.
    pub(super) fn parse(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.value() == value)
    }

    /// The id of its label.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Approve | Self::Resolve(Resolution::Approve) => "review-approve",
            Self::SendBack | Self::Resolve(Resolution::Reject) => "review-send-back",
            Self::Escalate => "review-escalate",
            Self::Resolve(Resolution::Return) => "review-return",
            Self::Resolve(Resolution::Redirect) => "review-redirect",
            Self::Ask => "review-ask",
            Self::Answer => "review-answer",
            Self::Withdraw => "review-withdraw",
            Self::HandIn => "review-hand-in",
            Self::Inform => "review-inform",
            Self::Reviewers => "review-reviewers",
            Self::Hold => "review-hold",
            Self::Resume => "review-resume",
            Self::Cancel => "review-cancel",
            Self::Acknowledge => "review-acknowledge",
        }
    }

    /// The type of its command.
    pub(super) fn command(self) -> CommandType {
        match self {
            Self::Approve => CommandType::StageApproved,
            Self::SendBack => CommandType::StageRejected,
            Self::Escalate => CommandType::StageEscalated,
            Self::Resolve(_) => CommandType::EscalationResolved,
            Self::Ask => CommandType::QuestionAsked,
            Self::Answer => CommandType::QuestionAnswered,
            Self::Withdraw => CommandType::QuestionWithdrawn,
            Self::HandIn => CommandType::WorkSubmitted,
            Self::Inform => CommandType::StatusUpdated,
            Self::Reviewers => CommandType::ReviewersChanged,
            Self::Hold => CommandType::Held,
            Self::Resume => CommandType::Resumed,
            Self::Cancel => CommandType::CancellationRequested,
            Self::Acknowledge => CommandType::CancellationAcknowledged,
        }
    }

    /// Whether it decides, by a vote or an escalation. The decisions of a page are one form.
    pub(super) fn decides(self) -> bool {
        matches!(self, Self::Approve | Self::SendBack | Self::Escalate | Self::Resolve(_))
    }

    /// Whether it names pieces of work.
    pub(super) fn has_pieces(self) -> bool {
        matches!(self, Self::HandIn | Self::Acknowledge)
    }

    /// Whether an entry of `why` is about this choice.
    pub(super) fn is_of(self, ability: &Ability) -> bool {
        let resolution = if let Self::Resolve(resolution) = self { Some(resolution) } else { None };
        self.command() == ability.command && resolution == ability.resolution
    }

    /// Whether it has feedback with a target.
    pub(super) fn returns(self) -> bool {
        matches!(self, Self::SendBack | Self::Resolve(Resolution::Reject))
    }

    /// Whether it names a party.
    pub(super) fn names_a_party(self) -> bool {
        matches!(self, Self::Escalate | Self::Resolve(Resolution::Redirect) | Self::Ask)
    }

    /// The command that a form with this choice becomes. Its target is what the form was rendered
    /// for, so that an old form is refused and never applied to something newer.
    pub(super) fn members(self, typed: &Typed, target: &Target) -> Members {
        let mut members = self.content(typed);
        members.insert("type".to_owned(), json!(self.command()));
        members.insert("stage".to_owned(), json!(target.stage));
        members.insert("round".to_owned(), number(&target.round));
        members.insert("revision".to_owned(), number(&target.revision));
        match self {
            Self::Resolve(resolution) => {
                members.insert("escalation".to_owned(), number(&target.seq));
                members.insert("resolution".to_owned(), json!(resolution));
            }
            Self::Answer | Self::Withdraw => {
                // An answer names the question alone: it is open whatever revision came meanwhile.
                members.retain(|name, _| !matches!(name.as_str(), "stage" | "round" | "revision"));
                members.insert("question".to_owned(), number(&target.seq));
            }
            Self::Cancel | Self::Acknowledge => {
                // A task is cancelled wherever it is.
                members.retain(|name, _| !matches!(name.as_str(), "stage" | "round" | "revision"));
            }
            Self::Reviewers => {
                // Whoever reviews does so whatever revision came meanwhile; a later stage has no round yet.
                members
                    .retain(|name, _| name != "revision" && (name != "round" || typed.people.stage() == target.stage));
                members.insert("stage".to_owned(), json!(typed.people.stage()));
                members.extend(typed.people.members());
            }
            Self::Approve
            | Self::SendBack
            | Self::Escalate
            | Self::Ask
            | Self::HandIn
            | Self::Inform
            | Self::Hold
            | Self::Resume => {}
        }
        if let Some(note) = filled(&typed.note) {
            members.insert("note".to_owned(), note.into());
        }
        members
    }

    fn content(self, typed: &Typed) -> Members {
        let mut members = Members::new();
        let mut add = |name: &str, text: &str| {
            if let Some(text) = filled(text) {
                members.insert(name.to_owned(), text.into());
            }
        };
        match self {
            Self::Approve => members.extend(typed.remarks_of_approval()),
            Self::Resolve(Resolution::Approve) | Self::Withdraw | Self::Resume | Self::Reviewers => {}
            Self::SendBack | Self::Resolve(Resolution::Reject) => {
                add("return_to", &typed.return_to);
                members.insert("feedback".to_owned(), typed.feedback());
            }
            Self::Escalate => {
                add("to", &typed.to);
                add("reason", &typed.reason);
            }
            Self::Resolve(Resolution::Return) => add("advice", &typed.advice),
            Self::Resolve(Resolution::Redirect) => {
                add("to", &typed.to);
                add("advice", &typed.message);
            }
            Self::Ask => {
                add("to", &typed.ask_to);
                add("question", &typed.question);
                let options: Vec<&str> = typed.options.lines().filter_map(filled).collect();
                members.insert("options".to_owned(), json!(options));
                members.insert("share_with_buyer".to_owned(), typed.ask_share.into());
            }
            Self::Answer => {
                add("answer", &typed.answer);
                if let Some(option) = filled(&typed.option) {
                    members.insert("option".to_owned(), number(option));
                }
            }
            Self::HandIn => {
                add("summary", &typed.work);
                members.insert("artifacts".to_owned(), typed.artifacts());
                members.insert("answers".to_owned(), typed.answers());
            }
            Self::Inform => {
                add("message", &typed.progress);
                if let Some(percent) = filled(&typed.percent) {
                    members.insert("percent".to_owned(), number(percent));
                }
            }
            Self::Hold => add("reason", &typed.hold),
            Self::Cancel => {
                add("reason", &typed.cancel);
                if typed.at_once {
                    members.insert("immediate".to_owned(), true.into());
                }
            }
            Self::Acknowledge => {
                add("in_flight", &typed.in_flight);
                add("notes", &typed.remarks);
                members.insert("artifacts".to_owned(), typed.artifacts());
            }
        }
        members
    }
}

/// The choice and the target in a form.
pub(super) fn sent(fields: &Fields) -> (Option<Choice>, Target) {
    let get = |name: &str| fields.get(name).to_owned();
    let target = Target { stage: get("stage"), round: get("round"), revision: get("revision"), seq: get("seq") };
    (Choice::parse(fields.get("choice")), target)
}

/// A number of a hidden field. What is none stays a text, which the parser of commands refuses.
fn number(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| text.into(), Value::from)
}
