//! The caller, as established by the credential.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::link::{LinkKind, Reach};
use crate::domain::partner::event::Author;
use crate::domain::partner::rights::Rights;
use crate::domain::task::command::{Command, CommandType};
use crate::domain::task::refusal::Refusal;
use crate::domain::values::id::{ActorId, BuyerId, CredentialId, KeyId, PartnerId, TaskId};
use crate::domain::values::party::{Actor, Party, Sender};
use crate::domain::values::time::Time;
use crate::domain::webhook::Owner;

/// The holder of a valid credential. Only a successful check creates one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A partner, by one of its keys.
    Partner {
        /// The partner.
        partner_id: PartnerId,
        /// The key that was used.
        key_id: KeyId,
        /// What the key may do.
        rights: Arc<Rights>,
        /// The session of a link that the partner's person comes through; none for the key itself.
        through: Option<Arc<Through>>,
    },
    /// A buyer, by a token.
    Buyer {
        /// The buyer: the token's `sub`.
        buyer_id: BuyerId,
        /// Names the session or the token.
        credential_id: CredentialId,
        /// The time from which on the token is not accepted: its `exp` plus the leeway. Nothing
        /// started with the token may outlast it.
        expires_at: Time,
        /// The session of a link that the buyer comes through; none for a token.
        through: Option<Arc<Through>>,
    },
    /// The platform, by one of the configured keys.
    Platform {
        /// Names the key.
        credential_id: CredentialId,
        /// The person that the configuration or the link binds the credential to.
        person: Option<ActorId>,
        /// The session of a link that the person comes through; none for the key itself.
        through: Option<Arc<Through>>,
    },
}

/// The session of a link that a caller comes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Through {
    /// Names the link, the opening, and the credential that made the link.
    pub credential_id: CredentialId,
    /// What the session may see and send.
    pub reach: Reach,
    /// When the session ends.
    pub ends_at: Time,
}

impl Caller {
    /// The party that the credential belongs to.
    pub fn party(&self) -> Party {
        match self {
            Self::Partner { .. } => Party::Partner,
            Self::Buyer { .. } => Party::Buyer,
            Self::Platform { .. } => Party::Platform,
        }
    }

    /// Names the credential in the trail and in the log without revealing it.
    ///
    /// # Panics
    ///
    /// Never: every UUID is a valid id.
    pub fn credential_id(&self) -> CredentialId {
        match self {
            Self::Partner { through: Some(through), .. } => through.credential_id.clone(),
            Self::Partner { key_id, through: None, .. } => {
                CredentialId::parse(key_id.to_string()).expect("a UUID is a short text without control characters")
            }
            Self::Buyer { credential_id, .. } | Self::Platform { credential_id, .. } => credential_id.clone(),
        }
    }

    /// The session of a link that the caller comes through, if it does.
    pub fn through(&self) -> Option<&Through> {
        match self {
            Self::Partner { through, .. } | Self::Buyer { through, .. } | Self::Platform { through, .. } => {
                through.as_deref()
            }
        }
    }

    /// The author of entries in a partner's trail.
    pub fn author(&self) -> Author {
        Author { party: self.party().into(), credential_id: Some(self.credential_id()) }
    }

    /// The partner, if the caller is one.
    pub fn partner_id(&self) -> Option<PartnerId> {
        match self {
            Self::Partner { partner_id, .. } => Some(*partner_id),
            Self::Buyer { .. } | Self::Platform { .. } => None,
        }
    }

    /// The buyer, if the caller is one.
    pub fn buyer_id(&self) -> Option<BuyerId> {
        match self {
            Self::Buyer { buyer_id, .. } => Some(*buyer_id),
            Self::Partner { .. } | Self::Platform { .. } => None,
        }
    }

    /// The partner's key that was used, if it was one.
    pub fn key_id(&self) -> Option<KeyId> {
        match self {
            Self::Partner { key_id, .. } => Some(*key_id),
            Self::Buyer { .. } | Self::Platform { .. } => None,
        }
    }

    /// The rights of a partner's key. What other parties may do is not limited by their credential.
    pub fn rights(&self) -> Option<&Rights> {
        match self {
            Self::Partner { rights, .. } => Some(rights),
            Self::Buyer { .. } | Self::Platform { .. } => None,
        }
    }

    /// Whether the credential is bound to people. A buyer's token is bound by its `sub`.
    pub fn is_bound(&self) -> bool {
        match self {
            Self::Partner { rights, .. } => rights.is_bound(),
            Self::Buyer { .. } => true,
            Self::Platform { person, .. } => person.is_some(),
        }
    }

    /// Whether a command under this credential can name this actor.
    pub fn admits(&self, actor: &ActorId) -> bool {
        match self {
            Self::Partner { rights, .. } => rights.admits(actor),
            Self::Buyer { .. } => true,
            Self::Platform { person, .. } => person.as_ref().is_none_or(|person| person == actor),
        }
    }

    /// The sender of a command of this actor: the credential determines the party, the body the person.
    /// A buyer's token identifies the person as well.
    pub fn sender(&self, actor: Option<Actor>) -> Sender {
        let buyer = self.buyer_id().and_then(|_| self.only_actor());
        let actor = buyer.map(Actor::from).or(actor);
        let admitted = actor.as_ref().is_none_or(|actor| self.admits(&actor.id));
        Sender {
            party: self.party(),
            bound: admitted && actor.is_some() && self.is_bound(),
            admitted,
            actor,
            credential_id: self.credential_id(),
        }
    }

    /// Refuses a type of command that the key's scopes do not include.
    pub fn check_scope(&self, kind: CommandType) -> Result<(), Refusal> {
        let needed = kind.scopes();
        if self.rights().is_none_or(|rights| rights.scopes.include_any(needed)) {
            return Ok(());
        }
        Err(Refusal::KeyScope(format!("the command `{}` needs a key with the scope {needed}", kind.as_str())))
    }

    /// Refuses a type of command that the key's scopes do not include or the link is not for.
    pub fn check_type(&self, kind: CommandType) -> Result<(), Refusal> {
        self.check_scope(kind)?;
        self.through().map_or(Ok(()), |through| through.reach.check_type(kind))
    }

    /// Refuses a command that the link is not for, if the caller comes through one.
    pub fn check_reach(&self, command: &Command) -> Result<(), Refusal> {
        self.through().map_or(Ok(()), |through| through.reach.check(command))
    }

    /// Whether the caller may list what its party has. A link to one task lists nothing.
    pub(in crate::app) fn may_list(&self) -> bool {
        self.through().is_none_or(|through| match through.reach.kind {
            LinkKind::Decide | LinkKind::Task => false,
            LinkKind::Inbox | LinkKind::Console => true,
        })
    }

    /// The person that the credential is bound to, if there is exactly one.
    pub fn only_actor(&self) -> Option<ActorId> {
        match self {
            Self::Partner { rights, .. } => rights.only_actor().cloned(),
            Self::Buyer { buyer_id, .. } => Some(ActorId::parse(buyer_id.to_string()).expect("a UUID is a short text")),
            Self::Platform { person, .. } => person.clone(),
        }
    }

    /// How long the credential is accepted from `now` on, unless it is revoked: `None` for one that
    /// does not expire; zero for an expired one.
    pub fn time_left(&self, now: Time) -> Option<Duration> {
        let end = match self {
            Self::Buyer { expires_at, .. } => Some(*expires_at),
            Self::Partner { rights, .. } => rights.expires_at,
            Self::Platform { .. } => None,
        };
        let session_end = self.through().map(|through| through.ends_at);
        end.into_iter().chain(session_end).min().map(|end| time_until(end, now))
    }
}

/// Whether a caller may see this task of this partner and buyer.
pub(in crate::app) fn may_see(caller: &Caller, task: TaskId, (partner, buyer): (PartnerId, BuyerId)) -> bool {
    if !caller.through().is_none_or(|through| through.reach.sees(task)) {
        return false;
    }
    match caller {
        Caller::Partner { partner_id, .. } => *partner_id == partner,
        Caller::Buyer { buyer_id, .. } => *buyer_id == buyer,
        Caller::Platform { .. } => true,
    }
}

/// The owner of a feed and of webhooks that a caller acts for; buyers have neither.
pub fn owner(caller: &Caller) -> Option<Owner> {
    match caller {
        Caller::Partner { partner_id, .. } => Some(Owner::Partner(*partner_id)),
        Caller::Buyer { .. } => None,
        Caller::Platform { .. } => Some(Owner::Platform),
    }
}

/// The time left until `end`, zero from `end` on. Every check of a credential's expiry uses this
/// comparison.
pub fn time_until(end: Time, now: Time) -> Duration {
    (end - now).to_std().unwrap_or_default()
}
