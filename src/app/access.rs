//! The caller, as established by the credential.

use std::time::Duration;

use crate::domain::partner::event::Author;
use crate::domain::values::id::{BuyerId, CredentialId, KeyId, PartnerId};
use crate::domain::values::party::Party;
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
    },
    /// The platform, by one of the configured keys.
    Platform {
        /// Names the key.
        credential_id: CredentialId,
    },
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
            Self::Partner { key_id, .. } => {
                CredentialId::parse(key_id.to_string()).expect("a UUID is a short text without control characters")
            }
            Self::Buyer { credential_id, .. } | Self::Platform { credential_id } => credential_id.clone(),
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

    /// How long the credential is accepted from `now` on, unless it is revoked: `None` for keys,
    /// which do not expire; zero for an expired one.
    pub fn time_left(&self, now: Time) -> Option<Duration> {
        match self {
            Self::Buyer { expires_at, .. } => Some(time_until(*expires_at, now)),
            Self::Partner { .. } | Self::Platform { .. } => None,
        }
    }
}

/// Whether a caller may see a task of this partner and buyer.
pub(in crate::app) fn may_see(caller: &Caller, partner: PartnerId, buyer: BuyerId) -> bool {
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
