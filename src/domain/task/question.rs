//! The open question of a task. It lies beside the phase: it decides nothing and blocks no
//! decision. Its texts are in the notes.

use serde::{Deserialize, Serialize};

use crate::domain::values::party::Party;
use crate::domain::values::time::Time;

use super::event::QuestionEnd;

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The `seq` of its event, which an answer refers to.
    pub(in crate::domain) seq: u64,
    /// The party that asked.
    pub(in crate::domain) from: Party,
    /// The party asked.
    pub(in crate::domain) to: Party,
    pub(in crate::domain) clock: AnswerClock,
}

/// The deadline of the party asked. There always is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AnswerClock {
    /// Running.
    Running {
        /// The deadline.
        due_at: Time,
    },
    /// Stopped by a hold.
    Stopped {
        /// The remaining time in microseconds; negative if it passed before its tick.
        left: i64,
    },
    /// Stopped by a hold, in working time. The calendar determines the remaining time.
    StoppedWork {
        /// The deadline before the hold.
        due_at: Time,
        /// When the hold began.
        stopped_at: Time,
    },
}

/// What is remembered of the questions that were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Questions {
    /// How many were asked in this round.
    pub(in crate::domain) asked: u32,
    /// How the latest one was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) last: Option<ClosedQuestion>,
}

/// A question that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedQuestion {
    /// The `seq` of the question.
    pub question: u64,
    /// The `seq` of the entry that closed it.
    pub seq: u64,
    /// Why it was closed without an answer; none if it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<QuestionEnd>,
}

impl Questions {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl AnswerClock {
    /// The deadline; none while a hold stops it.
    pub fn due_at(self) -> Option<Time> {
        match self {
            Self::Running { due_at } => Some(due_at),
            Self::Stopped { .. } | Self::StoppedWork { .. } => None,
        }
    }
}
