//! The rules for setting and removing absences, and what a partner's trail records of it.

use crate::domain::absence::Absence;
use crate::domain::task::refusal::Refusal;
use crate::domain::values::id::ActorId;
use crate::domain::values::time::Time;

use super::event::PartnerFact;

/// Maximum number of a partner's absences that have not ended.
pub const MAX_ABSENCES: u32 = 1_000;

/// Sets an absence in place of `known`, the person's earlier one, for a partner that has `others`
/// absences of other people that have not ended. Returns the fact to record; none if nothing changes.
///
/// # Errors
///
/// When the absence breaks a rule, or the limit is reached.
pub fn set(known: Option<&Absence>, others: u32, absence: &Absence, now: Time) -> Result<Option<PartnerFact>, Refusal> {
    check(absence, now)?;
    if known == Some(absence) {
        return Ok(None);
    }
    if others >= MAX_ABSENCES {
        return Err(Refusal::LimitReached(
            "a partner can have at most 1,000 absences that have not ended; remove one, or wait until one ends",
        ));
    }
    let Absence { actor, from, until, substitute } = absence.clone();
    Ok(Some(PartnerFact::AbsenceSet { actor: Some(actor), from, until, substitute }))
}

fn check(absence: &Absence, now: Time) -> Result<(), Refusal> {
    if absence.from >= absence.until {
        return Err(Refusal::invalid("/until", "out_of_range", "must be later than `from`"));
    }
    if absence.until <= now {
        return Err(Refusal::invalid("/until", "not_in_future", "must be in the future"));
    }
    if absence.substitute.as_ref() == Some(&absence.actor) {
        return Err(Refusal::invalid(
            "/substitute",
            "not_allowed",
            "must be another person than the one who is absent",
        ));
    }
    Ok(())
}

/// Removes a person's absence. Returns the fact to record; none if there is no absence that has not
/// ended.
pub fn remove(known: Option<&Absence>, actor: &ActorId, now: Time) -> Option<PartnerFact> {
    let known = known.filter(|known| now < known.until)?;
    debug_assert_eq!(known.actor, *actor, "the absence of another person");
    Some(PartnerFact::AbsenceRemoved { actor: Some(known.actor.clone()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absence(from: i64, until: i64, substitute: Option<&str>) -> Absence {
        Absence {
            actor: ActorId::parse("u-anna").unwrap(),
            from: Time::from_micros(from),
            until: Time::from_micros(until),
            substitute: substitute.map(|id| ActorId::stored(id).unwrap()),
        }
    }

    #[test]
    fn what_breaks_a_rule_is_refused_by_field_and_rule() {
        let now = Time::from_micros(100);
        let table = [
            (absence(110, 120, Some("u-bo")), 0, None),
            (absence(90, 101, None), 999, None),
            (absence(120, 120, None), 0, Some("/until out_of_range")),
            (absence(130, 120, None), 0, Some("/until out_of_range")),
            (absence(90, 100, None), 0, Some("/until not_in_future")),
            (absence(90, 120, Some("u-anna")), 0, Some("/substitute not_allowed")),
            // The same person in another spelling.
            (absence(90, 120, Some("u-anna\u{ad}")), 0, Some("/substitute not_allowed")),
            (absence(90, 120, None), 1_000, Some("limit_reached")),
        ];
        for (wanted, others, expected) in table {
            let refused = match set(None, others, &wanted, now) {
                Ok(fact) => {
                    assert!(fact.is_some());
                    None
                }
                Err(Refusal::Invalid { pointer, code, .. }) => Some(format!("{pointer} {code}")),
                Err(Refusal::LimitReached(_)) => Some("limit_reached".to_owned()),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(refused.as_deref(), expected, "{wanted:?} beside {others}");
        }
    }

    #[test]
    fn only_what_changes_is_recorded() {
        let (now, known) = (Time::from_micros(100), absence(90, 120, Some("u-bo")));
        assert_eq!(set(Some(&known), 1_000, &known, now), Ok(None), "it is there already");
        assert!(set(Some(&known), 0, &absence(90, 121, Some("u-bo")), now).unwrap().is_some());
        assert!(set(Some(&known), 0, &absence(90, 120, None), now).unwrap().is_some());
        assert!(remove(Some(&known), &known.actor, now).is_some());
        assert_eq!(remove(Some(&known), &known.actor, Time::from_micros(120)), None, "it has ended");
        assert_eq!(remove(None, &known.actor, now), None);
    }
}
