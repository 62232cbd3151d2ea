//! Who speaks: the three parties, the people behind them, and the service itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::id::{ActorId, CredentialId};
use super::text::Name;

/// One of the three parties. Every credential belongs to exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The agent developer whose work is reviewed.
    Partner,
    /// The one who posted the task.
    Buyer,
    /// AITasker itself.
    Platform,
}

impl Party {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Partner, Self::Buyer, Self::Platform];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Buyer => "buyer",
            Self::Platform => "platform",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who an event is from: a party, or the service (timers and automatic consequences).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The partner.
    Partner,
    /// The buyer.
    Buyer,
    /// The platform.
    Platform,
    /// The service itself.
    Service,
}

impl Source {
    /// The party, if it was one.
    pub fn party(self) -> Option<Party> {
        match self {
            Self::Partner => Some(Party::Partner),
            Self::Buyer => Some(Party::Buyer),
            Self::Platform => Some(Party::Platform),
            Self::Service => None,
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        self.party().map_or("service", Party::as_str)
    }
}

impl From<Party> for Source {
    fn from(party: Party) -> Self {
        match party {
            Party::Partner => Self::Partner,
            Party::Buyer => Self::Buyer,
            Party::Platform => Self::Platform,
        }
    }
}

/// The person or program of a party who did something, by the party's own statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The party's own id for the person or program; opaque, 1 to 200 characters; not `service`, `system` or
    /// `stagegate`.
    pub id: ActorId,
    /// A name to show, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What the actor is to the party, such as `counsel`, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
}

/// An actor as the rules compare them: by party and id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct ActorRef {
    /// Whose actor.
    pub party: Party,
    /// The party's id for the actor.
    pub id: ActorId,
}

/// Who sent a command: established by the credential, never by the body (but for the actor, which is the party's
/// statement).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The credential's party.
    pub party: Party,
    /// The actor; always there for a buyer (the token's `sub`).
    pub actor: Option<Actor>,
    /// Which credential.
    pub credential_id: CredentialId,
}

impl Sender {
    /// The actor as the rules compare them.
    pub fn actor_ref(&self) -> Option<ActorRef> {
        self.actor.as_ref().map(|actor| ActorRef { party: self.party, id: actor.id.clone() })
    }
}
