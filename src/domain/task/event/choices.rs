//! The closed lists of values in events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::workflow::{EscalationTimeout, StageTimeout};

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
    /// All four, in the order of the contract.
    pub const ALL: [Self; 4] = [Self::Approve, Self::Reject, Self::Return, Self::Redirect];

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

/// Why a question was closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionEnd {
    /// The asking party took it back.
    Withdrawn,
    /// It was not answered in time.
    Lapsed,
    /// The task left the round, got a new revision, was escalated or cancelled, or ended.
    Overtaken,
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
