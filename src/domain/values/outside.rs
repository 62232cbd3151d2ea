//! Checks of input: every value in it is checked, and all faults are reported at once, each with
//! its place.

use std::fmt::Write as _;

/// A value from outside, already parsed as its type.
pub trait FromOutside {
    /// Adds the faults of this value and of its parts.
    fn check(&self, faults: &mut Faults);
}

/// A fault of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// RFC 6901 JSON pointer to the value.
    pub pointer: String,
    /// Stable code.
    pub code: &'static str,
    /// The rule in words, without the value.
    pub rule: String,
}

/// The faults found so far, and the place being checked.
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
    /// All faults of `value`.
    pub fn of(value: &impl FromOutside) -> Vec<Fault> {
        let mut faults = Self::default();
        value.check(&mut faults);
        faults.found
    }

    /// Adds a fault of the value at the current place.
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

    /// Checks the field `name` of the value at the current place.
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

/// Implements the check for structs. Fields after the semicolon hold no free text. The compiler
/// rejects a field that is in neither list.
macro_rules! from_outside {
    ($($type:ident { $($checked:ident),* $(; $($other:ident),+)? })+) => {$(
        impl $crate::domain::values::outside::FromOutside for $type {
            fn check(&self, _faults: &mut $crate::domain::values::outside::Faults) {
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
        impl $crate::domain::values::outside::FromOutside for $type {
            fn check(&self, _: &mut $crate::domain::values::outside::Faults) {}
        }
    )+};
}
pub(crate) use nothing_to_check;
