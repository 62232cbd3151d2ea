//! The three parties, their actors, and the service itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::id::{ActorId, CredentialId};
use super::outside::{from_outside, nothing_to_check};
use super::text::Name;

/// One of the three parties. Every credential belongs to exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The agent developer whose work is reviewed.
    Partner,
    /// The customer who posted the task.
    Buyer,
    /// AITasker itself.
    Platform,
}

impl Party {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Partner, Self::Buyer, Self::Platform];

    /// The name on the wire.
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

/// The source of an event: a party, or the service (timers and automatic consequences).
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
    /// The party, unless the source is the service.
    pub fn party(self) -> Option<Party> {
        match self {
            Self::Partner => Some(Party::Partner),
            Self::Buyer => Some(Party::Buyer),
            Self::Platform => Some(Party::Platform),
            Self::Service => None,
        }
    }

    /// The name on the wire.
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

/// The person or program that acted for a party, as stated by the party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The party's own id for the person or program: opaque, 1 to 200 characters, and not
    /// `service`, `system` or `stagegate`.
    pub id: ActorId,
    /// A display name of at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The actor's role at the party, such as `counsel`, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
}

/// An actor of whom only the id is known.
impl From<ActorId> for Actor {
    fn from(id: ActorId) -> Self {
        Self { id, name: None, role: None }
    }
}

nothing_to_check!(Party);

from_outside! { Actor { id, name, role } }

/// An actor as the rules compare it: by party and id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct ActorRef {
    /// The actor's party.
    pub party: Party,
    /// The party's id for the actor.
    pub id: ActorId,
}

/// Who sent a command. The credential establishes it, never the body, except for the actor, which
/// the party states itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The credential's party.
    pub party: Party,
    /// The actor. A buyer always has one: the token's `sub`.
    pub actor: Option<Actor>,
    /// The credential used.
    pub credential_id: CredentialId,
    /// Whether the credential is bound to the actor, so that nobody else could have sent the
    /// command under this name.
    pub bound: bool,
    /// Whether the credential can name this actor; false only if it is bound to other people.
    pub admitted: bool,
}

impl Sender {
    /// The actor as the rules compare it.
    pub fn actor_ref(&self) -> Option<ActorRef> {
        self.actor.as_ref().map(|actor| ActorRef { party: self.party, id: actor.id.clone() })
    }
}
