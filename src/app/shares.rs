//! Shares: how much of one resource a caller may hold at a time, so that no caller can exclude the
//! others.
//!
//! A caller is the owner of a credential: a partner with all its keys, a buyer with all its tokens,
//! the platform. More keys give no larger share. A caller that exceeds its own share is refused
//! (`Exceeded::Own`); if the resource as a whole is in use, every new request is
//! (`Exceeded::Total`). Nothing is queued here, and an owner without units takes no memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::values::id::{BuyerId, PartnerId};

use super::access::Caller;

/// The owner of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Partner(PartnerId),
    Buyer(BuyerId),
    Platform,
}

impl From<&Caller> for Owner {
    fn from(caller: &Caller) -> Self {
        match caller {
            Caller::Partner { partner_id, .. } => Self::Partner(*partner_id),
            Caller::Buyer { buyer_id, .. } => Self::Buyer(*buyer_id),
            Caller::Platform { .. } => Self::Platform,
        }
    }
}

/// A shared resource. Its display text is its name in refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Requests and streams that wait for a status to change.
    StatusWaits,
    /// Requests that wait for new events in the feed.
    FeedWaits,
    /// Simulations.
    Simulations,
    /// Statistics.
    Analytics,
    /// Proofs and exports.
    LongReads,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StatusWaits => "waits for a status",
            Self::FeedWaits => "waits for the feed",
            Self::Simulations => "simulations",
            Self::Analytics => "statistics",
            Self::LongReads => "proofs and exports",
        })
    }
}

/// The limits of a resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For all callers together.
    pub(super) all: usize,
    /// For one partner, or the platform: their servers make requests for many people.
    pub(super) backend: usize,
    /// For one buyer: a person with a few open pages.
    pub(super) buyer: usize,
}

/// The shared resources of the process.
#[derive(Debug)]
pub(super) struct All {
    /// Requests and streams that wait for a status to change.
    pub(super) watchers: Shares,
    /// Requests that wait for new events in the feed.
    pub(super) feed_waits: Shares,
    /// Simulations, which take processor time.
    pub(super) simulations: Shares,
    /// Statistics, each a long statement of the database.
    pub(super) analytics: Shares,
    /// Exports and proofs, which read whole trails.
    pub(super) long_reads: Shares,
}

impl All {
    /// The resources with at most `max_watchers` watchers of statuses, and `max_watchers_each`
    /// for one partner or the platform.
    pub(super) fn new(max_watchers: usize, max_watchers_each: Option<usize>) -> Self {
        Self {
            watchers: watchers(max_watchers, max_watchers_each),
            feed_waits: Shares::new(Resource::FeedWaits, Limits { all: 4_096, backend: 64, buyer: 0 }),
            simulations: Shares::new(Resource::Simulations, Limits { all: 4, backend: 2, buyer: 0 }),
            analytics: Shares::new(Resource::Analytics, Limits { all: 4, backend: 2, buyer: 0 }),
            long_reads: Shares::new(Resource::LongReads, Limits { all: 128, backend: 8, buyer: 2 }),
        }
    }
}

impl Default for All {
    fn default() -> Self {
        Self::new(MAX_WATCHERS, None)
    }
}

/// The default limit of watchers per replica.
pub const MAX_WATCHERS: usize = 20_000;
/// A partner's share of the watchers is a tenth, but at least this many.
const MIN_WATCHERS_EACH: usize = 256;
/// The limit of watchers for one buyer.
const BUYER_WATCHERS: usize = 64;

/// Shares of watchers: at most `most` in total, and `each` for one partner or the platform.
fn watchers(most: usize, each: Option<usize>) -> Shares {
    let each = each.unwrap_or_else(|| MIN_WATCHERS_EACH.max(most / 10));
    let limits = Limits { all: most, backend: each, buyer: BUYER_WATCHERS.min(each) };
    Shares::new(Resource::StatusWaits, limits)
}

/// One resource and the units that its owners hold. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Shares(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The resource.
    what: Resource,
    limits: Limits,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_owner: HashMap<Owner, usize>,
}

/// One unit of a resource, returned when dropped.
#[derive(Debug)]
pub struct Share {
    shares: Shares,
    owner: Owner,
}

impl Shares {
    fn new(what: Resource, limits: Limits) -> Self {
        Self(Arc::new(Inner { what, limits, held: Mutex::default() }))
    }

    /// Takes one unit for this caller.
    pub(super) fn take(&self, caller: &Caller) -> Result<Share, Exceeded> {
        let owner = Owner::from(caller);
        let Inner { what, limits, .. } = &*self.0;
        let most = match owner {
            Owner::Partner(_) | Owner::Platform => limits.backend,
            Owner::Buyer(_) => limits.buyer,
        };
        let mut held = self.held();
        let own = held.by_owner.get(&owner).copied().unwrap_or_default();
        if own >= most {
            return Err(Exceeded::Own(*what));
        }
        if held.all >= limits.all {
            return Err(Exceeded::Total(AllTaken(*what)));
        }
        held.all += 1;
        held.by_owner.insert(owner, own + 1);
        drop(held);
        Ok(Share { shares: self.clone(), owner })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        held.all -= 1;
        if let Some(own) = held.by_owner.get_mut(&self.owner) {
            *own -= 1;
            if *own == 0 {
                held.by_owner.remove(&self.owner);
            }
        }
    }
}

/// Why a caller gets no unit.
#[derive(Debug)]
pub(super) enum Exceeded {
    /// The caller holds its whole share.
    Own(Resource),
    /// All callers together hold everything.
    Total(AllTaken),
}

/// All units of a resource are in use.
#[derive(Debug, thiserror::Error)]
#[error("the total limit of {0} is reached")]
pub(super) struct AllTaken(pub(super) Resource);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::values::id::{CredentialId, KeyId};
    use crate::domain::values::time::Time;
    use crate::ids;

    fn buyer() -> Caller {
        let (buyer_id, credential_id) = (BuyerId(ids::new()), CredentialId::parse("session").unwrap());
        Caller::Buyer { buyer_id, credential_id, expires_at: Time::from_micros(0), through: None }
    }

    #[test]
    fn one_caller_takes_its_share_and_not_that_of_others() {
        let shares = Shares::new(Resource::Simulations, Limits { all: 5, backend: 3, buyer: 1 });
        let partner_id = PartnerId(ids::new());
        let key = || Caller::Partner { partner_id, key_id: KeyId(ids::new()), rights: Arc::default(), through: None };
        let held: Vec<Share> = (0..3).map(|_| shares.take(&key()).unwrap()).collect();
        assert!(matches!(shares.take(&key()), Err(Exceeded::Own(Resource::Simulations))), "whatever the key");
        let (one, other) = (buyer(), buyer());
        let (first, second) = (shares.take(&one).unwrap(), shares.take(&other).unwrap());
        assert!(matches!(shares.take(&one), Err(Exceeded::Own(_))));
        assert!(matches!(shares.take(&buyer()), Err(Exceeded::Total(_))), "all are taken");
        drop(first);
        let again = shares.take(&one).unwrap();
        drop((held, second, again));
        let left = shares.held();
        assert!(left.all == 0 && left.by_owner.is_empty(), "{left:?}");
    }
}
