//! What a partner's key may do: its scopes, the people it is bound to, and when it expires.

use crate::domain::task::refusal::Refusal;
use crate::domain::values::id::ActorId;
use crate::domain::values::scope::{Scope, Scopes};
use crate::domain::values::time::Time;

/// Maximum number of people that a key can be bound to.
pub const MAX_ACTORS: usize = 100;

/// What a key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The operations it is good for.
    pub scopes: Scopes,
    /// The only actors that it can name; `None`: any. An empty list is left when all of them were
    /// erased: such a key can name nobody.
    pub actors: Option<Vec<ActorId>>,
    /// From when on it is not accepted; `None`: until it is revoked.
    pub expires_at: Option<Time>,
}

impl Default for Rights {
    /// A key that was made without any limit.
    fn default() -> Self {
        Self { scopes: Scopes::all(), actors: None, expires_at: None }
    }
}

impl Rights {
    /// The rights that a request for a key names; what it leaves out is not limited.
    ///
    /// # Errors
    ///
    /// When a list is empty or too long, names an actor twice, or the key would be expired at once.
    pub fn new(
        scopes: Option<Vec<Scope>>,
        actors: Option<Vec<ActorId>>,
        expires_at: Option<Time>,
        now: Time,
    ) -> Result<Self, Refusal> {
        if scopes.as_ref().is_some_and(Vec::is_empty) {
            return Err(Refusal::invalid("/scopes", "too_few", "must not be empty; leave it out for every scope"));
        }
        if let Some(actors) = &actors {
            check_actors(actors)?;
        }
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Refusal::invalid("/expires_at", "not_in_future", "must be in the future"));
        }
        Ok(Self { scopes: scopes.map_or_else(Scopes::all, Scopes::from), actors, expires_at })
    }

    /// Whether the key is bound to people.
    pub fn is_bound(&self) -> bool {
        self.actors.is_some()
    }

    /// Whether a command under this key can name this actor.
    pub fn admits(&self, actor: &ActorId) -> bool {
        self.actors.as_ref().is_none_or(|actors| actors.contains(actor))
    }

    /// The person that the key is bound to, if there is exactly one.
    pub fn only_actor(&self) -> Option<&ActorId> {
        match self.actors.as_deref() {
            Some([only]) => Some(only),
            Some(_) | None => None,
        }
    }

    /// Whether `other` reaches no further: in scopes, actors and time.
    pub fn cover(&self, other: &Self) -> bool {
        let actors = match (&self.actors, &other.actors) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(others)) => others.iter().all(|actor| own.contains(actor)),
        };
        let ends = self.expires_at.is_none_or(|end| other.expires_at.is_some_and(|other| other <= end));
        self.scopes.include_all(other.scopes) && actors && ends
    }
}

fn check_actors(actors: &[ActorId]) -> Result<(), Refusal> {
    let refused = |code, rule: &str| Err(Refusal::invalid("/actors", code, rule));
    if actors.is_empty() {
        return refused("too_few", "must not be empty; leave it out for any actor");
    }
    if actors.len() > MAX_ACTORS {
        return refused("too_many", "must have at most 100 items");
    }
    let is_twice = |(index, actor): (usize, &ActorId)| actors[..index].contains(actor);
    if actors.iter().enumerate().any(is_twice) {
        return refused("duplicate", "must not name an actor twice");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rights() -> impl Strategy<Value = Rights> {
        let scopes = prop::sample::subsequence(Scope::ALL.to_vec(), 1..=4).prop_map(Scopes::from);
        let people = ["u-a", "u-b", "u-c"].map(|id| ActorId::parse(id).unwrap());
        let actors = prop::option::of(prop::sample::subsequence(people.to_vec(), 0..=3));
        let ends = prop::option::of((0..3_i64).prop_map(Time::from_micros));
        (scopes, actors, ends).prop_map(|(scopes, actors, expires_at)| Rights { scopes, actors, expires_at })
    }

    #[test]
    fn a_key_without_people_is_bound_to_nobody() {
        let nobody = Rights { actors: Some(Vec::new()), ..Rights::default() };
        let anna = ActorId::parse("u-anna").unwrap();
        assert!(nobody.is_bound() && !nobody.admits(&anna) && nobody.only_actor().is_none());
        assert!(!nobody.cover(&Rights::default()) && Rights::default().cover(&nobody));
    }

    #[test]
    fn a_request_for_a_key_is_checked() {
        let actors = |ids: &[&str]| Some(ids.iter().map(|id| ActorId::parse(*id).unwrap()).collect::<Vec<_>>());
        let now = Time::from_micros(10);
        let refused =
            |scopes, actors, end: Option<i64>| match Rights::new(scopes, actors, end.map(Time::from_micros), now) {
                Err(Refusal::Invalid { pointer, code, .. }) => format!("{pointer} {code}"),
                other => panic!("{other:?}"),
            };
        assert_eq!(refused(Some(vec![]), None, None), "/scopes too_few");
        assert_eq!(refused(None, actors(&[]), None), "/actors too_few");
        assert_eq!(refused(None, actors(&["u-a", "u-b", "u-a"]), None), "/actors duplicate");
        assert_eq!(refused(None, None, Some(10)), "/expires_at not_in_future");
        let many: Vec<_> = (0..=MAX_ACTORS).map(|n| ActorId::parse(format!("u-{n}")).unwrap()).collect();
        assert_eq!(refused(None, Some(many), None), "/actors too_many");
        assert_eq!(Rights::new(None, None, None, now), Ok(Rights::default()));
    }

    proptest! {
        /// Whatever a key can do, the keys that it could make can do nothing else.
        #[test]
        fn what_is_covered_reaches_no_further(own in rights(), other in rights()) {
            prop_assert!(Rights::default().cover(&own) && own.cover(&own));
            if own.cover(&other) {
                for scope in Scope::ALL {
                    prop_assert!(own.scopes.include(scope) || !other.scopes.include(scope));
                }
                for id in ["u-a", "u-b", "u-c", "u-d"].map(|id| ActorId::parse(id).unwrap()) {
                    prop_assert!(own.admits(&id) || !other.admits(&id));
                }
                for at in (0..4).map(Time::from_micros) {
                    let valid = |rights: &Rights| rights.expires_at.is_none_or(|end| at < end);
                    prop_assert!(valid(&own) || !valid(&other));
                }
            }
        }
    }
}
