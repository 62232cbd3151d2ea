//! The trail of a task: its owner, and its events as entries. `fields.rs` has the table of their
//! fields.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::trail::{Kind, Recorded, Subject};
use crate::domain::values::id::{BuyerId, PartnerId, TaskId};
use crate::domain::values::party::{Party, Source};

use super::event::{Event, Fact, Resolution};

mod fields;

pub use fields::KINDS;

/// The owner of a task's trail, which the first entry continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The buyer of the task.
    #[serde(rename = "buyer")]
    pub buyer_id: BuyerId,
    /// The partner whose agent works on the task.
    #[serde(rename = "partner")]
    pub partner_id: PartnerId,
    /// The task.
    #[serde(rename = "task")]
    pub task_id: TaskId,
}

impl Subject for Origin {
    type Id = TaskId;
    type Event = Event;
    const MEMBER: &'static str = "task";
    const ENTRY: &'static [u8] = b"stagegate/audit/v1\0";
    const GENESIS: &'static [u8] = b"stagegate/audit/genesis/v1\0";

    fn id(&self) -> TaskId {
        self.task_id
    }

    fn text(&self) -> String {
        let Self { buyer_id, partner_id, task_id } = self;
        format!(r#"{{"buyer":"{buyer_id}","partner":"{partner_id}","task":"{task_id}"}}"#)
    }
}

impl Recorded for Event {
    type Subject = Origin;
    const KINDS: &'static [Kind] = &KINDS;

    fn seq(&self) -> u64 {
        self.seq
    }

    fn kind(&self) -> &'static str {
        self.fact.kind()
    }

    fn source(&self) -> Source {
        self.party
    }

    fn is_shared(&self) -> bool {
        let feedback = if let Fact::VoteRecorded(vote) = &self.fact {
            vote.feedback.as_ref()
        } else if let Fact::EscalationResolved(resolved) = &self.fact {
            resolved.feedback.as_ref()
        } else {
            None
        };
        feedback.is_some_and(|feedback| feedback.share_with_buyer)
            || matches!(&self.fact, Fact::QuestionAsked(asked) if asked.share_with_buyer)
            || matches!(&self.fact, Fact::QuestionAnswered(answered) if answered.share_with_buyer)
    }

    fn asks(&self, party: Party) -> bool {
        matches!(&self.fact, Fact::StageEscalated(escalated) if escalated.to == party)
            || matches!(&self.fact, Fact::QuestionAsked(asked) if asked.to == party)
    }

    fn answers(&self, party: Party) -> bool {
        let advises = matches!(&self.fact, Fact::EscalationResolved(resolved)
            if resolved.resolution == Resolution::Return && resolved.to == Some(party));
        advises || matches!(&self.fact, Fact::QuestionAnswered(answered) if answered.to == party)
    }
}
