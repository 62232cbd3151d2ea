//! Slots for concurrent attempts, shared by owner. An owner who holds none gets one, however many the
//! others hold.
//!
//! Half of the slots are reserved for owners who hold none, one slot each. From the other half, an
//! owner gets more while it holds fewer than are free there (a dynamic threshold, as switches use
//! to share a buffer). A single owner gets a quarter of all; `n` owners who want as many as they
//! can get have a share of one in `n + 1` each. Endpoints that fail or are slow share half of all
//! slots under the same rule.

use std::collections::HashMap;

use crate::domain::webhook::{EndpointKey, Owner};

/// Slots that are shared by owners.
#[derive(Debug)]
struct Share {
    size: usize,
    held: usize,
    by_owner: HashMap<Owner, usize>,
}

/// The slots that a visit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    number: usize,
    is_slow: bool,
}

/// All slots of this replica.
#[derive(Debug)]
pub(super) struct Slots {
    all: Share,
    /// The slots held for endpoints that fail or are slow.
    slow: Share,
    busy: HashMap<EndpointKey, Held>,
}

impl Share {
    fn of(size: usize) -> Self {
        Self { size, held: 0, by_owner: HashMap::new() }
    }

    /// Returns how many of `wanted` slots an owner may take. Each one taken leaves one fewer free.
    fn allows(&self, owner: Owner, wanted: usize) -> usize {
        let own = self.by_owner.get(&owner).copied().unwrap_or(0);
        let free = self.size - self.held;
        let fair = free.saturating_sub(self.size / 2 + own).div_ceil(2);
        let least = usize::from(own == 0).min(free);
        wanted.min(fair.max(least))
    }

    fn take(&mut self, owner: Owner, number: usize) {
        self.held += number;
        *self.by_owner.entry(owner).or_default() += number;
    }

    fn give_back(&mut self, owner: Owner, number: usize) {
        self.held -= number;
        let own = self.by_owner.entry(owner).or_default();
        *own -= number;
        if *own == 0 {
            self.by_owner.remove(&owner);
        }
    }
}

impl Slots {
    pub(super) fn of(size: usize) -> Self {
        Self { all: Share::of(size), slow: Share::of(size / 2), busy: HashMap::new() }
    }

    /// Takes up to `wanted` slots for an endpoint that has no visit yet. Returns how many.
    pub(super) fn take(&mut self, endpoint: &EndpointKey, wanted: usize, is_slow: bool) -> usize {
        let owner = endpoint.owner;
        let mut number = self.all.allows(owner, wanted);
        if is_slow {
            number = self.slow.allows(owner, number);
        }
        if number == 0 || self.busy.contains_key(endpoint) {
            return 0;
        }
        self.all.take(owner, number);
        if is_slow {
            self.slow.take(owner, number);
        }
        self.busy.insert(endpoint.clone(), Held { number, is_slow });
        number
    }

    /// Releases the slots of a visit.
    pub(super) fn give_back(&mut self, endpoint: &EndpointKey) {
        let Some(Held { number, is_slow }) = self.busy.remove(endpoint) else { return };
        self.all.give_back(endpoint.owner, number);
        if is_slow {
            self.slow.give_back(endpoint.owner, number);
        }
    }

    /// Whether no slot is free.
    pub(super) fn are_all_held(&self) -> bool {
        self.all.held == self.all.size
    }

    /// Whether a slot is free for an endpoint that fails or is slow.
    pub(super) fn has_room_for_slow(&self) -> bool {
        self.slow.held < self.slow.size
    }

    /// Lists the endpoints with a visit.
    pub(super) fn busy(&self) -> Vec<EndpointKey> {
        self.busy.keys().cloned().collect()
    }

    /// The number of slots that an endpoint holds.
    #[cfg(test)]
    pub(super) fn number_of(&self, endpoint: &EndpointKey) -> usize {
        self.busy.get(endpoint).map_or(0, |held| held.number)
    }

    /// Lists the owners that get no slot until some are released.
    pub(super) fn full_owners(&self) -> Vec<Owner> {
        self.all.by_owner.keys().copied().filter(|owner| self.all.allows(*owner, 1) == 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::values::id::{EndpointId, PartnerId};

    fn endpoint(owner: u128, number: usize) -> EndpointKey {
        let owner = Owner::Partner(PartnerId(Uuid::from_u128(owner)));
        EndpointKey { owner, id: EndpointId::parse(format!("e-{number}")).unwrap() }
    }

    /// Lets each owner's 20 endpoints take slots until none gets another. Returns each owner's
    /// number.
    fn fill(slots: &mut Slots, owners: u128, width: usize, is_slow: bool) -> Vec<usize> {
        let mut held = vec![0; usize::try_from(owners).unwrap()];
        for number in 0..20 {
            for owner in 0..owners {
                held[usize::try_from(owner).unwrap()] += slots.take(&endpoint(owner, number), width, is_slow);
            }
        }
        held
    }

    #[test]
    fn an_owner_who_holds_none_gets_a_slot_whatever_the_others_do() {
        for owners in 1..=128 {
            for is_slow in [true, false] {
                let mut slots = Slots::of(512);
                fill(&mut slots, owners, 64, is_slow);
                let newcomer = endpoint(1_000, 0);
                assert_eq!(slots.take(&newcomer, 1, is_slow), 1, "{owners} owners, {is_slow}");
                slots.give_back(&newcomer);
                assert_eq!(slots.take(&newcomer, 1, !is_slow), 1, "{owners} owners, {is_slow}");
            }
        }
    }

    #[test]
    fn owners_who_want_all_have_their_shares_and_one_alone_has_a_quarter() {
        let mut slots = Slots::of(512);
        assert_eq!(fill(&mut slots, 1, 64, false), [128]);
        for number in 0..20 {
            slots.give_back(&endpoint(0, number));
        }
        assert_eq!((slots.all.held, slots.all.by_owner.len(), slots.busy.len()), (0, 0, 0));
        let held = fill(&mut slots, 7, 4, false);
        assert!(held.iter().all(|own| (30..=34).contains(own)), "{held:?}");
        assert!(slots.full_owners().len() == 7 && !slots.are_all_held());
    }

    #[test]
    fn endpoints_that_fail_or_are_slow_have_half_of_the_slots() {
        let mut slots = Slots::of(16);
        let held: usize = fill(&mut slots, 30, 1, true).iter().sum();
        assert_eq!((held, slots.has_room_for_slow(), slots.are_all_held()), (8, false, false));
        assert_eq!(slots.take(&endpoint(30, 0), 1, false), 1);
    }
}
