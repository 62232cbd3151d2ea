//! What comes from outside: every value in it is asked whether it may come in, and what is wrong is found all at once,
//! with its place.

use std::fmt::Write as _;

use crate::domain::task::command::{
    CancellationAcknowledged, CancellationRequested, EscalationResolved, Held, Resumed, StageApproved, StageEscalated,
    StageRejected, StatusUpdated, WorkSubmitted,
};
use crate::domain::task::event::{Artifact, Feedback, FeedbackItem, InFlight, Resolution, Sha256Hex};
use crate::domain::values::party::{Actor, Party};
use crate::domain::values::time::Time;

/// A value from outside, after it was read as its type.
pub trait FromOutside {
    /// Adds what is wrong with it, and with what it holds.
    fn check(&self, faults: &mut Faults);
}

/// What is wrong with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// RFC 6901 JSON pointer to it.
    pub pointer: String,
    /// A stable word.
    pub code: &'static str,
    /// The rule in words, without the value.
    pub rule: String,
}

/// What was found wrong so far, and the place that is being looked at.
#[derive(Debug, Default)]
pub struct Faults {
    place: Vec<Step>,
    found: Vec<Fault>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Field(&'static str),
    Index(usize),
}

impl Faults {
    /// Everything that is wrong with `value`.
    pub fn of(value: &impl FromOutside) -> Vec<Fault> {
        let mut faults = Self::default();
        value.check(&mut faults);
        faults.found
    }

    /// Notes that the value at this place is wrong.
    pub fn add(&mut self, code: &'static str, rule: String) {
        let mut pointer = String::new();
        for step in &self.place {
            match step {
                Step::Field(name) => write!(pointer, "/{name}"),
                Step::Index(index) => write!(pointer, "/{index}"),
            }
            .expect("a String takes all");
        }
        self.found.push(Fault { pointer, code, rule });
    }

    /// Looks at the field `name` of the value at this place.
    pub fn field(&mut self, name: &'static str, value: &impl FromOutside) {
        self.within(Step::Field(name), value);
    }

    fn within(&mut self, step: Step, value: &impl FromOutside) {
        self.place.push(step);
        value.check(self);
        self.place.pop();
    }
}

impl<T: FromOutside> FromOutside for Option<T> {
    fn check(&self, faults: &mut Faults) {
        if let Some(value) = self {
            value.check(faults);
        }
    }
}

impl<T: FromOutside> FromOutside for Vec<T> {
    fn check(&self, faults: &mut Faults) {
        for (index, value) in self.iter().enumerate() {
            faults.within(Step::Index(index), value);
        }
    }
}

/// Structs whose fields are checked; those after the semicolon hold no text of people. The compiler misses a field that
/// is in neither list.
macro_rules! from_outside {
    ($($type:ident { $($checked:ident),* $(; $($other:ident),+)? })+) => {$(
        impl $crate::domain::values::identity::FromOutside for $type {
            fn check(&self, _faults: &mut $crate::domain::values::identity::Faults) {
                let Self { $($checked,)* $($($other: _,)+)? } = self;
                $(_faults.field(stringify!($checked), $checked);)*
            }
        }
    )+};
}
pub(crate) use from_outside;

/// Types whose own grammar leaves nothing to check.
macro_rules! nothing_to_check {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::domain::values::identity::FromOutside for $type {
            fn check(&self, _: &mut $crate::domain::values::identity::Faults) {}
        }
    )+};
}
nothing_to_check!(Time, Party, InFlight, Resolution, Sha256Hex);

from_outside! {
    Actor { id, name, role }
    Feedback { summary, items; share_with_buyer }
    FeedbackItem { severity, anchor, text }
    Artifact { name, url, media_type; sha256, size }
    WorkSubmitted { summary, artifacts }
    StatusUpdated { message; percent, eta }
    StageApproved {}
    StageRejected { feedback; return_to }
    StageEscalated { reason; to }
    EscalationResolved { feedback, advice; escalation, resolution, return_to, to }
    Held { reason }
    Resumed {}
    CancellationRequested { reason; immediate }
    CancellationAcknowledged { notes, artifacts; in_flight }
}
