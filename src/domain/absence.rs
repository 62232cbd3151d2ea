//! Absences of a partner's people, each with the person who stands in. A decision gets those of the
//! task's partner as an argument, as it gets the time.
//!
//! An absence is valid in `from <= now < until`, and ends by itself. Substitution has a depth of one: if
//! the substitute is absent as well, nobody stands in.

use super::values::id::ActorId;
use super::values::time::Time;

/// The absence of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// Who is absent.
    pub actor: ActorId,
    /// From when on.
    pub from: Time,
    /// Until when: at this instant the person is back.
    pub until: Time,
    /// Who stands in; none: nobody does.
    pub substitute: Option<ActorId>,
}

impl Absence {
    /// Whether it is valid at `now`.
    pub fn is_valid(&self, now: Time) -> bool {
        self.from <= now && now < self.until
    }
}

/// The absences of a partner that have not ended: at most one of each person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Absences(Vec<Absence>);

impl Absences {
    /// Nobody is absent.
    pub const NONE: &'static Self = &Self(Vec::new());

    /// These absences. Of two of one person the later one counts.
    pub fn new(absences: impl IntoIterator<Item = Absence>) -> Self {
        let mut sorted: Vec<Absence> = absences.into_iter().collect();
        // A stable sort: the later one of two comes last, and `dedup_by` is given it first.
        sorted.sort_by(|a, b| a.actor.cmp(&b.actor));
        sorted.dedup_by(|later, earlier| {
            let same = later.actor == earlier.actor;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        Self(sorted)
    }

    /// All of them, by person.
    pub fn iter(&self) -> impl Iterator<Item = &Absence> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, actor: &ActorId) -> Option<&Absence> {
        let found = self.0.binary_search_by(|absence| absence.actor.cmp(actor)).ok()?;
        self.0.get(found)
    }
}

/// When something is decided or shown, and who is absent then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment<'a> {
    /// The time.
    pub now: Time,
    /// The absences of the task's partner. Those that are not valid at this time count for nothing.
    pub absences: &'a Absences,
}

impl<'a> Moment<'a> {
    /// A moment at which nobody is absent.
    pub const fn without_absences(now: Time) -> Self {
        Self { now, absences: Absences::NONE }
    }

    /// The same people at another time.
    #[must_use]
    pub fn at(self, now: Time) -> Self {
        Self { now, ..self }
    }

    /// The absence of a person; none: the person is there.
    pub fn absence(self, actor: &ActorId) -> Option<&'a Absence> {
        self.absences.of(actor).filter(|absence| absence.is_valid(self.now))
    }

    /// Who stands in for a person who is absent; none: nobody does, or the person is there.
    pub fn substitute(self, actor: &ActorId) -> Option<&'a ActorId> {
        let substitute = self.absence(actor)?.substitute.as_ref()?;
        self.absence(substitute).is_none().then_some(substitute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ActorId {
        ActorId::parse(name).unwrap()
    }

    fn absence(actor: &str, (from, until): (i64, i64), substitute: Option<&str>) -> Absence {
        let (from, until) = (Time::from_micros(from), Time::from_micros(until));
        Absence { actor: id(actor), from, until, substitute: substitute.map(id) }
    }

    #[test]
    fn an_absence_begins_with_its_first_instant_and_ends_before_its_last() {
        let absences = Absences::new([absence("anna", (10, 20), Some("bo"))]);
        for (now, is_absent) in [(9, false), (10, true), (19, true), (20, false)] {
            let moment = Moment { now: Time::from_micros(now), absences: &absences };
            assert_eq!(moment.absence(&id("anna")).is_some(), is_absent, "{now}");
            assert_eq!(moment.substitute(&id("anna")).is_some(), is_absent, "{now}");
            assert_eq!(moment.absence(&id("bo")), None);
        }
    }

    #[test]
    fn nobody_stands_in_through_two_absences() {
        let absences = Absences::new([
            absence("chi", (10, 20), Some("anna")),
            absence("anna", (10, 20), Some("bo")),
            absence("bo", (15, 20), Some("dora")),
        ]);
        let stands_in = |now, actor| {
            let moment = Moment { now: Time::from_micros(now), absences: &absences };
            moment.substitute(&id(actor)).map(ActorId::as_str)
        };
        assert_eq!(stands_in(12, "anna"), Some("bo"));
        assert_eq!(stands_in(12, "chi"), None, "anna is absent herself");
        assert_eq!(stands_in(15, "anna"), None, "bo is absent from 15 on");
        assert_eq!(stands_in(15, "bo"), Some("dora"));
    }

    #[test]
    fn a_later_absence_of_a_person_replaces_the_earlier_one() {
        let absences = Absences::new([
            absence("anna", (1, 2), Some("bo")),
            absence("bo", (1, 2), None),
            absence("anna", (3, 4), Some("chi")),
        ]);
        assert_eq!(absences.len(), 2);
        let moment = Moment { now: Time::from_micros(3), absences: &absences };
        assert_eq!(moment.substitute(&id("anna")), Some(&id("chi")));
    }
}
