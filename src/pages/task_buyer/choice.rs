//! What a buyer can choose in a form, and the command that it becomes.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::domain::task::command::CommandType;
use crate::domain::task::event::Resolution;
use crate::domain::task::status::ReadyCommand;
use crate::domain::values::party::Party;
use crate::domain::workflow::Reason;

use crate::pages::forms::Fields;

/// The members of a command, as the API takes them.
pub(super) type Members = Map<String, Value>;

/// The rows of points that a form has at first.
pub(super) const POINTS: usize = 3;
/// The most points of a feedback.
const MAX_POINTS: usize = 100;

/// A choice in a form. Its text is the value of the form's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pages) enum Choice {
    /// Approves the stage.
    Approve,
    /// Asks for changes.
    Reject,
    /// Asks a party to decide.
    Escalate(Party),
    /// Decides an escalation.
    Resolve(Resolution),
    /// Passes an escalation on to a party.
    Redirect(Party),
    /// Answers a question with this option.
    Option(u32),
    /// Answers a question in words.
    Answer,
    /// Takes the own question back.
    Withdraw,
    /// Stops the task.
    Cancel,
}

/// The text that a choice comes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asks {
    /// Where the text stands in the command.
    pub(super) pointer: &'static str,
    /// Whether it must be there.
    pub(super) is_required: bool,
    /// The most characters.
    pub(super) limit: usize,
}

impl Choice {
    /// The choice that a command of the status is.
    pub(super) fn of(ready: &ReadyCommand) -> Option<Self> {
        match ready.kind {
            CommandType::StageApproved => Some(Self::Approve),
            CommandType::StageRejected => Some(Self::Reject),
            CommandType::StageEscalated => ready.to.map(Self::Escalate),
            CommandType::EscalationResolved => match (ready.resolution?, ready.to) {
                (Resolution::Redirect, Some(to)) => Some(Self::Redirect(to)),
                (Resolution::Redirect, None) => None,
                (resolution, _) => Some(Self::Resolve(resolution)),
            },
            CommandType::QuestionAnswered => Some(ready.option.map_or(Self::Answer, Self::Option)),
            CommandType::QuestionWithdrawn => Some(Self::Withdraw),
            CommandType::CancellationRequested => Some(Self::Cancel),
            CommandType::WorkSubmitted
            | CommandType::StatusUpdated
            | CommandType::QuestionAsked
            | CommandType::ReviewersChanged
            | CommandType::Held
            | CommandType::Resumed
            | CommandType::CancellationAcknowledged => None,
        }
    }

    /// The choice with this text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('-').unwrap_or((text, ""));
        let party = || Party::ALL.into_iter().find(|party| party.as_str() == rest);
        let resolution = || Resolution::ALL.into_iter().find(|resolution| resolution.as_str() == rest);
        match name {
            "approve" => Some(Self::Approve),
            "reject" => Some(Self::Reject),
            "escalate" => party().map(Self::Escalate),
            "resolve" => resolution().filter(|found| *found != Resolution::Redirect).map(Self::Resolve),
            "redirect" => party().map(Self::Redirect),
            "option" => rest.parse().ok().map(Self::Option),
            "answer" => Some(Self::Answer),
            "withdraw" => Some(Self::Withdraw),
            "cancel" => Some(Self::Cancel),
            _ => None,
        }
    }

    /// The text that belongs to it.
    pub(super) fn asks(self) -> Option<Asks> {
        let asks = |pointer, is_required, limit| Some(Asks { pointer, is_required, limit });
        match self {
            Self::Reject | Self::Resolve(Resolution::Reject) => asks("/feedback/summary", true, 4000),
            Self::Resolve(Resolution::Return) | Self::Redirect(_) => asks("/advice", false, 4000),
            Self::Escalate(_) => asks("/reason", true, 4000),
            Self::Cancel => asks("/reason", true, 500),
            Self::Answer => asks("/answer", true, 4000),
            Self::Approve => asks("/feedback/summary", false, 4000),
            Self::Resolve(Resolution::Approve | Resolution::Redirect) | Self::Option(_) | Self::Withdraw => None,
        }
    }

    /// Whether it can have points.
    pub(super) fn has_points(self) -> bool {
        matches!(self, Self::Reject | Self::Resolve(Resolution::Reject))
    }

    /// The name and id of the field with its text.
    pub(super) fn text_field(self) -> String {
        format!("text-{self}")
    }

    /// The least that the command of the status needs, to try it out. `reason`: one of the stage's.
    pub(super) fn members_of(self, ready: &ReadyCommand, reason: Option<&Reason>) -> Members {
        let mut members = self.smallest();
        if let Some(feedback) = members.get_mut("feedback").filter(|_| self.has_points()) {
            feedback["reason"] = json!(reason.map(|reason| &reason.key));
        }
        if let Ok(Value::Object(target)) = serde_json::to_value(ready) {
            members.extend(target);
        }
        members
    }

    /// The members of its own, with the least text.
    pub(super) fn smallest(self) -> Members {
        self.own(self.asks().map(|_| "-"), &[])
    }

    /// The command of a form. Its target is what the form was rendered for, so an old form is
    /// refused and never applied to something newer.
    pub(super) fn members(self, fields: &Fields) -> Members {
        let points: Vec<Value> = self.points(fields).into_iter().map(|(_, point)| point).collect();
        let text = self.asks().and_then(|_| fields.filled(&self.text_field()).map(ToOwned::to_owned));
        let mut members = self.own(text.as_deref(), &points);
        if let (true, Some(reason), Some(feedback)) =
            (self.has_points(), fields.filled("cause"), members.get_mut("feedback"))
        {
            feedback["reason"] = reason.into();
        }
        if self == Self::Cancel {
            return members;
        }
        if let Some(stage) = fields.filled("stage") {
            members.insert("stage".to_owned(), stage.into());
        }
        let named: &[&str] = match self {
            Self::Approve | Self::Reject | Self::Escalate(_) => &["round", "revision"],
            Self::Resolve(_) | Self::Redirect(_) => &["round", "revision", "escalation"],
            Self::Option(_) | Self::Answer | Self::Withdraw => &["round", "question"],
            Self::Cancel => &[],
        };
        for name in named {
            if let Ok(number) = fields.get(name).parse::<u64>() {
                members.insert((*name).to_owned(), number.into());
            }
        }
        members
    }

    fn own(self, text: Option<&str>, points: &[Value]) -> Members {
        let members = match self {
            Self::Approve => {
                let remarks = text.map(|_| feedback(text, &[]));
                json!({ "type": CommandType::StageApproved, "feedback": remarks })
            }
            Self::Reject => json!({ "type": CommandType::StageRejected, "feedback": feedback(text, points) }),
            Self::Escalate(to) => json!({ "type": CommandType::StageEscalated, "to": to, "reason": text }),
            Self::Resolve(Resolution::Reject) => resolve(Resolution::Reject, "feedback", &feedback(text, points)),
            Self::Resolve(resolution) => resolve(resolution, "advice", &json!(text)),
            Self::Redirect(to) => {
                let redirect = resolve(Resolution::Redirect, "advice", &json!(text));
                return object(redirect).chain([("to".to_owned(), json!(to))]).collect();
            }
            Self::Option(option) => json!({ "type": CommandType::QuestionAnswered, "option": option }),
            Self::Answer => json!({ "type": CommandType::QuestionAnswered, "answer": text }),
            Self::Withdraw => json!({ "type": CommandType::QuestionWithdrawn }),
            Self::Cancel => json!({ "type": CommandType::CancellationRequested, "reason": text }),
        };
        object(members).collect()
    }

    /// The points of a form, each with the number of its row. Empty rows do not count.
    pub(super) fn points(self, fields: &Fields) -> Vec<(usize, Value)> {
        if !self.has_points() {
            return Vec::new();
        }
        let rows = Point::rows(fields).into_iter().enumerate().filter(|(_, point)| !point.is_empty());
        rows.map(|(row, point)| (row, point.json())).collect()
    }
}

/// A point as the form has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::pages) struct Point {
    /// How much it matters, such as `must`.
    pub(in crate::pages) severity: String,
    /// Where in the work.
    pub(in crate::pages) place: String,
    /// What is to be changed.
    pub(in crate::pages) text: String,
    /// The id of the earlier item that it raises again.
    pub(in crate::pages) reopens: String,
}

impl Point {
    /// The rows of points in a form.
    pub(super) fn rows(fields: &Fields) -> Vec<Self> {
        let column = |name| fields.all(name).map(|value| value.trim().to_owned()).collect::<Vec<_>>();
        let (severities, places) = (column("point-severity"), column("point-where"));
        let (texts, earlier) = (column("point-text").into_iter().take(MAX_POINTS).enumerate(), column("point-reopens"));
        let at = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
        let point = |(row, text)| {
            let (severity, place, reopens) = (at(&severities, row), at(&places, row), at(&earlier, row));
            Self { severity, place, text, reopens }
        };
        texts.map(point).collect()
    }

    fn is_empty(&self) -> bool {
        self.place.is_empty() && self.text.is_empty() && self.reopens.is_empty()
    }

    fn json(&self) -> Value {
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        // What could be done does not block.
        let blocking = (self.severity == "could").then_some(false);
        let (severity, anchor, reopens) = (filled(&self.severity), filled(&self.place), filled(&self.reopens));
        let item = json!({ "severity": severity, "anchor": anchor, "text": self.text, "blocking": blocking, "reopens": reopens });
        object(item).collect()
    }
}

/// The buyer's own words, which the buyer can read again.
fn feedback(text: Option<&str>, points: &[Value]) -> Value {
    json!({ "summary": text, "items": points, "share_with_buyer": true })
}

fn resolve(resolution: Resolution, name: &str, text: &Value) -> Value {
    json!({ "type": CommandType::EscalationResolved, "resolution": resolution, name: text })
}

/// The members of an object that are not null.
fn object(value: Value) -> impl Iterator<Item = (String, Value)> {
    let members = if let Value::Object(members) = value { members } else { Map::new() };
    members.into_iter().filter(|(_, value)| !value.is_null())
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approve => f.write_str("approve"),
            Self::Reject => f.write_str("reject"),
            Self::Escalate(to) => write!(f, "escalate-{to}"),
            Self::Resolve(resolution) => write!(f, "resolve-{}", resolution.as_str()),
            Self::Redirect(to) => write!(f, "redirect-{to}"),
            Self::Option(option) => write!(f, "option-{option}"),
            Self::Answer => f.write_str("answer"),
            Self::Withdraw => f.write_str("withdraw"),
            Self::Cancel => f.write_str("cancel"),
        }
    }
}
