//! What a trail can be about, a task or a partner, and what is its own: the words and separators of its hashes, its
//! events, its table of fields. All else is one code for both.

use std::fmt::{Debug, Display};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::task::event::{Event, Fact, Resolution};
use crate::domain::values::id::{BuyerId, PartnerId, TaskId};
use crate::domain::values::party::{Party, Source};

use super::hash::Hash;
use super::partner_trail::PartnerOrigin;
use super::task_fields::{KINDS, Kind};

/// What has a trail, as its first entry continues it.
pub trait Subject: Copy {
    /// What names it in every entry.
    type Id: Copy + PartialEq + Debug + Display + DeserializeOwned;
    /// What happens to it.
    type Event: Recorded<Subject = Self>;
    /// The member of an entry's text that has the id.
    const MEMBER: &'static str;
    /// What is hashed before the text of an entry.
    const ENTRY: &'static [u8];
    /// What is hashed before the text of the origin.
    const GENESIS: &'static [u8];

    /// Its id.
    fn id(&self) -> Self::Id;

    /// The text that the first entry continues (RFC 8785).
    fn text(&self) -> String;

    /// What the first entry continues.
    fn hash(&self) -> Hash {
        Hash::of_text(Self::GENESIS, &self.text())
    }
}

/// An event that a trail holds. Its JSON is an object with `seq` and `fact: {type, data}`, perhaps `actor`, and
/// fields of the row.
pub trait Recorded: Serialize + DeserializeOwned {
    /// What it happens to.
    type Subject: Subject<Event = Self>;
    /// Every type of event and its fields.
    const KINDS: &'static [Kind];

    /// Its place in the trail, from 1.
    fn seq(&self) -> u64;

    /// Its type.
    fn kind(&self) -> &'static str;

    /// Who it is from.
    fn source(&self) -> Source;

    /// Whether its author shares it with the buyer.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether it is a question to this party.
    fn asks(&self, _party: Party) -> bool {
        false
    }

    /// Whether it returns an escalation to this party, with advice.
    fn answers(&self, _party: Party) -> bool {
        false
    }
}

/// Whose trail it is: what the first entry of a task's trail continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The buyer of the task.
    #[serde(rename = "buyer")]
    pub buyer_id: BuyerId,
    /// The partner who works on it.
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
    }

    fn asks(&self, party: Party) -> bool {
        matches!(&self.fact, Fact::StageEscalated(escalated) if escalated.to == party)
    }

    fn answers(&self, party: Party) -> bool {
        matches!(&self.fact, Fact::EscalationResolved(resolved)
            if resolved.resolution == Resolution::Return && resolved.to == Some(party))
    }
}

/// Whose trail a proof is of, told by its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TrailOrigin {
    /// That of a task.
    Task(Origin),
    /// That of a partner.
    Partner(PartnerOrigin),
}

impl From<Origin> for TrailOrigin {
    fn from(origin: Origin) -> Self {
        Self::Task(origin)
    }
}
