//! Typed reading of a JSON value that continues after a mistake and knows its place. It does not
//! descend into unknown fields, so the depth of the input does no harm.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::domain::values::id::{ActorId, ReasonKey, StageKey};
use crate::domain::values::identity::InvalidId;
use crate::domain::values::party::Party;
use crate::domain::values::text::{self, Text};
use crate::domain::values::time::{self, Span};

use super::super::finding::{Mistake, MistakeCode};

/// Maximum number of mistakes that a response lists: more than anybody reads, and a bound on the response to
/// a body full of mistakes.
const MAX_MISTAKES: usize = 1_000;

/// Every mistake found so far.
#[derive(Default)]
pub(super) struct Mistakes(RefCell<Vec<Mistake>>);

/// Proof that a mistake was reported; it stands for a value that could not be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported(());

/// The value, or proof that the reason for its absence was reported.
pub(super) type Read<T> = Result<T, Reported>;

impl Mistakes {
    fn note(&self, pointer: String, code: MistakeCode, message: String) -> Reported {
        let mut mistakes = self.0.borrow_mut();
        if mistakes.len() < MAX_MISTAKES {
            mistakes.push(Mistake { pointer, code, message });
        } else if mistakes.len() == MAX_MISTAKES {
            let message = format!("There are more mistakes than the {MAX_MISTAKES} listed; correct these first.");
            mistakes.push(Mistake { pointer: String::new(), code: MistakeCode::TooManyMistakes, message });
        }
        Reported(())
    }

    /// Returns the mistakes in the order in which they were found.
    pub(super) fn into_vec(self) -> Vec<Mistake> {
        self.0.into_inner()
    }
}

/// A value, its place, and its name in messages.
#[derive(Clone)]
pub(super) struct Node<'v> {
    value: &'v Value,
    pointer: String,
    label: String,
    mistakes: &'v Mistakes,
}

/// The fields of an object.
pub(super) struct Fields<'v> {
    map: &'v Map<String, Value>,
    node: Node<'v>,
}

impl<'v> Node<'v> {
    pub(super) fn root(value: &'v Value, mistakes: &'v Mistakes) -> Self {
        Self { value, pointer: String::new(), label: "The definition".to_owned(), mistakes }
    }

    /// Reports a mistake here; `rule` completes a sentence that starts with the field's name.
    pub(super) fn report(&self, code: MistakeCode, rule: impl std::fmt::Display) -> Reported {
        self.mistakes.note(self.pointer.clone(), code, format!("{} {rule}.", self.label))
    }

    fn wrong_type(&self, wanted: &str) -> Reported {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.report(MistakeCode::WrongType, format_args!("must be {wanted}, not {found}"))
    }

    /// The fields of an object; each field that is not in `known` is a mistake.
    pub(super) fn object(&self, known: &[&str]) -> Read<Fields<'v>> {
        let Value::Object(map) = self.value else {
            return Err(self.wrong_type("an object"));
        };
        let fields = Fields { map, node: self.clone() };
        for name in map.keys().filter(|name| !known.contains(&name.as_str())) {
            let rule = format!("is not a field of {}; its fields are {}", self.lower_label(), known.join(", "));
            fields.child(name).report(MistakeCode::UnknownField, rule);
        }
        Ok(fields)
    }

    fn lower_label(&self) -> &str {
        if self.pointer.is_empty() { "the definition" } else { &self.label }
    }

    /// The elements of a list, and whether their number is allowed; elements beyond the limit are
    /// left out.
    pub(super) fn elements(&self, count: RangeInclusive<usize>) -> Read<(Vec<Node<'v>>, Read<()>)> {
        let Value::Array(values) = self.value else {
            return Err(self.wrong_type("a list"));
        };
        let (least, most) = (*count.start(), *count.end());
        let counted = if values.len() < least {
            Err(self.report(MistakeCode::TooFew, format_args!("must have at least {least} element")))
        } else if values.len() > most {
            let rule = format!("must have at most {most} elements; it has {}", values.len());
            Err(self.report(MistakeCode::TooMany, rule))
        } else {
            Ok(())
        };
        let nodes = values.iter().take(most).enumerate().map(|(index, value)| Node {
            value,
            pointer: format!("{}/{index}", self.pointer),
            label: format!("{}[{index}]`", self.label.trim_end_matches('`')),
            mistakes: self.mistakes,
        });
        Ok((nodes.collect(), counted))
    }

    /// A list without duplicates.
    pub(super) fn set<T>(
        &self,
        count: RangeInclusive<usize>,
        read: impl Fn(&Self) -> Read<T>,
        same: impl Fn(&T, &T) -> bool,
    ) -> Read<Vec<T>> {
        let (nodes, mut sound) = self.elements(count)?;
        let mut items = Vec::with_capacity(nodes.len());
        for node in nodes {
            match read(&node) {
                Ok(item) if items.iter().any(|earlier| same(earlier, &item)) => {
                    sound = Err(node.report(MistakeCode::Duplicate, "is already in the list"));
                }
                Ok(item) => items.push(item),
                Err(reported) => sound = Err(reported),
            }
        }
        sound.map(|()| items)
    }

    pub(super) fn string(&self, wanted: &str) -> Read<&'v str> {
        self.value.as_str().ok_or_else(|| self.wrong_type(wanted))
    }

    pub(super) fn text<const MAX: usize, const MULTILINE: bool>(&self) -> Read<Text<MAX, MULTILINE>> {
        Text::parse(self.string("a string")?).map_err(|error| self.report(code(error), error))
    }

    pub(super) fn actor(&self) -> Read<ActorId> {
        ActorId::parse(self.string("a string")?).map_err(|error| {
            let code = match error {
                InvalidId::Text(error) => code(error),
                InvalidId::Reserved => MistakeCode::Reserved,
                InvalidId::Blanks | InvalidId::Unassigned(_) | InvalidId::NotNormalized | InvalidId::Erased => {
                    MistakeCode::InvalidId
                }
            };
            self.report(code, error)
        })
    }

    pub(super) fn key(&self) -> Read<StageKey> {
        let key = self.string("a string")?;
        StageKey::parse(key).map_err(|error| self.report(MistakeCode::InvalidKey, error))
    }

    pub(super) fn reason_key(&self) -> Read<ReasonKey> {
        let key = self.string("a string")?;
        ReasonKey::parse(key).map_err(|error| self.report(MistakeCode::InvalidKey, error))
    }

    pub(super) fn span(&self) -> Read<Span> {
        let text = self.string("a duration such as \"PT48H\"")?;
        Span::parse(text).map_err(|error| {
            let code = match error {
                time::Error::Syntax => MistakeCode::InvalidDuration,
                time::Error::Range => MistakeCode::OutOfRange,
            };
            self.report(code, error)
        })
    }

    pub(super) fn boolean(&self) -> Read<bool> {
        self.value.as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    /// A whole number; `1.0` is not one.
    pub(super) fn number(&self, bounds: RangeInclusive<u32>) -> Read<u32> {
        if !self.value.is_u64() && !self.value.is_i64() {
            return Err(self.wrong_type("a whole number"));
        }
        let number = self.value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| bounds.contains(number)).ok_or_else(|| {
            let rule = format!("must be from {} to {}", bounds.start(), bounds.end());
            self.report(MistakeCode::OutOfRange, rule)
        })
    }

    /// A whole number, or none for the word.
    pub(super) fn number_or(&self, word: &str, bounds: RangeInclusive<u32>) -> Read<Option<u32>> {
        if self.is(word) {
            return Ok(None);
        }
        if self.value.is_number() {
            return self.number(bounds).map(Some);
        }
        Err(self.wrong_type(&format!("a whole number or \"{word}\"")))
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.value.as_str() == Some(word)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Read<T> {
        let found = self.string("a string")?;
        words.iter().find(|(word, _)| *word == found).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.report(MistakeCode::UnknownValue, format_args!("must be one of {}", words.join(", ")))
        })
    }

    pub(super) fn party(&self) -> Read<Party> {
        self.word(&Party::ALL.map(|party| (party.as_str(), party)))
    }
}

impl<'v> Fields<'v> {
    fn child(&self, name: &str) -> Node<'v> {
        static MISSING: Value = Value::Null;
        let token = name.replace('~', "~0").replace('/', "~1");
        Node {
            value: self.map.get(name).unwrap_or(&MISSING),
            pointer: format!("{}/{token}", self.node.pointer),
            label: format!("`{}`", abridged(name)),
            mistakes: self.node.mistakes,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Node<'v>> {
        self.map.contains_key(name).then(|| self.child(name))
    }

    /// Reports that `name` is missing.
    pub(super) fn missing(&self, name: &str, why: &str) -> Reported {
        self.child(name).report(MistakeCode::Required, format_args!("is required{why}"))
    }

    /// A required field.
    pub(super) fn required<T>(&self, name: &str, read: impl FnOnce(&Node<'v>) -> Read<T>) -> Read<T> {
        let node = self.get(name).ok_or_else(|| self.missing(name, ""))?;
        read(&node)
    }

    /// An optional field.
    pub(super) fn optional<T>(&self, name: &str, read: impl FnOnce(&Node<'v>) -> Read<T>) -> Read<Option<T>> {
        self.get(name).map(|node| read(&node)).transpose()
    }

    /// A field with a default.
    pub(super) fn or<T>(&self, name: &str, default: T, read: impl FnOnce(&Node<'v>) -> Read<T>) -> Read<T> {
        self.optional(name, read).map(|value| value.unwrap_or(default))
    }
}

fn code(error: text::Error) -> MistakeCode {
    match error {
        text::Error::Blank => MistakeCode::Blank,
        text::Error::TooLong(_) => MistakeCode::TooLong,
        text::Error::Control => MistakeCode::ControlCharacter,
        text::Error::LineBreak => MistakeCode::LineBreak,
        text::Error::Invisible(_) => MistakeCode::InvisibleCharacter,
    }
}

/// Text from outside shortened for a message: one line, limited length.
fn abridged(text: &str) -> String {
    const MAX_SHOWN: usize = 64;
    let mut short: String = text.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        short.push('…');
    }
    short
}
