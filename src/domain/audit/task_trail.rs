//! What differs between the trails of tasks and of partners: the names and separators of the
//! hashes, the events, and the table of fields. Everything else is common code.

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

/// The owner of a trail, which the first entry continues.
pub trait Subject: Copy {
    /// The id of the owner in every entry.
    type Id: Copy + PartialEq + Debug + Display + DeserializeOwned;
    /// The type of its events.
    type Event: Recorded<Subject = Self>;
    /// The member of an entry's text that holds the id.
    const MEMBER: &'static str;
    /// The prefix hashed before the text of an entry.
    const ENTRY: &'static [u8];
    /// The prefix hashed before the text of the origin.
    const GENESIS: &'static [u8];

    /// Its id.
    fn id(&self) -> Self::Id;

    /// The text that the first entry continues (RFC 8785).
    fn text(&self) -> String;

    /// The hash that the first entry continues.
    fn hash(&self) -> Hash {
        Hash::of_text(Self::GENESIS, &self.text())
    }
}

/// An event of a trail. Its JSON is an object with `seq` and `fact: {type, data}`, optionally
/// `actor`, and the fields of the row.
pub trait Recorded: Serialize + DeserializeOwned {
    /// The owner of the event's trail.
    type Subject: Subject<Event = Self>;
    /// Every type of event and its fields.
    const KINDS: &'static [Kind];

    /// Its place in the trail, from 1.
    fn seq(&self) -> u64;

    /// Its type.
    fn kind(&self) -> &'static str;

    /// The party, or the service, that it is from.
    fn source(&self) -> Source;

    /// Whether its author shared it with the buyer.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether it asks this party a question.
    fn asks(&self, _party: Party) -> bool {
        false
    }

    /// Whether it returns an escalation with advice to this party.
    fn answers(&self, _party: Party) -> bool {
        false
    }
}

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
    }

    fn asks(&self, party: Party) -> bool {
        matches!(&self.fact, Fact::StageEscalated(escalated) if escalated.to == party)
    }

    fn answers(&self, party: Party) -> bool {
        matches!(&self.fact, Fact::EscalationResolved(resolved)
            if resolved.resolution == Resolution::Return && resolved.to == Some(party))
    }
}

/// The owner of a proof's trail; its members show which kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TrailOrigin {
    /// The origin of a task's trail.
    Task(Origin),
    /// The origin of a partner's trail.
    Partner(PartnerOrigin),
}

impl From<Origin> for TrailOrigin {
    fn from(origin: Origin) -> Self {
        Self::Task(origin)
    }
}
