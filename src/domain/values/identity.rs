//! What an id, a name, a label and a text may hold: one notion of each, at every door.
//!
//! | | type | may hold |
//! |---|---|---|
//! | key | [`WorkflowKey`](super::id::WorkflowKey) and its like | 1 to 64 of `a-z`, `0-9`, `-` |
//! | UUID | [`TaskId`](super::id::TaskId) and its like | a UUID in any case; compared as its value |
//! | id of a person or program | [`ActorId`] | 1 to 200 characters that everybody can see and tell apart: NFC, single blanks inside, nothing invisible, unassigned or for private use; no name of the service, no `erased-7`. Case counts |
//! | name, label | [`Text`](super::text::Text) of one line | something visible; no line breaks, no control or invisible characters, no marks of direction; joiners between letters and emoji stay |
//! | text | [`Text`](super::text::Text) of [`LINES`](super::text::LINES) | the same with line breaks, tabs and hints where a line may break |
//!
//! **Doors are strict, rows are not.** What is stored loads as it was written, so that trails verify and older tasks go
//! on: deserializing asks for little. What comes from outside passes [`FromOutside::check`] as well; `http::body` reads
//! no type without it, so a new body cannot forget.
//!
//! **Ids are compared by their key**: a UUID as UUIDs are written, anything else composed, without what is invisible,
//! with single blanks. So stored ids that nobody can tell apart are one person to every rule. What looks an id up (an
//! erasure, a filter) takes any spelling of it.

mod characters;
mod outside;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use uuid::Uuid;

use super::text;
pub(in crate::domain) use characters::{Neighbours, is_bidi_control, is_break_hint, is_invisible, is_visible};
pub(crate) use outside::from_outside;
pub use outside::{Fault, Faults, FromOutside};

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// The most characters of an actor's id.
const MAX: usize = 200;

/// Ids that a reader of a trail would take for the service itself, in any case.
const RESERVED: [&str; 3] = ["service", "system", "stagegate"];

/// What stands in the place of an id that was erased, followed by digits.
const ERASED: &str = "erased-";

/// A party's own name for a person or program: opaque, compared together with the party, by its [key](ActorId::key).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ActorId {
    text: String,
    /// Where it is not the text itself.
    key: Option<Box<str>>,
}

/// Why an id of a person or program was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Blank, too long, or of characters that no text may hold.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// A blank other than a single space between other characters.
    #[error("must have no blanks at its ends, none twice in a row, and no other blanks than the space")]
    Blanks,
    /// A character that not every reader knows.
    #[error("must not contain characters that are unassigned or for private use, such as U+{:04X}", u32::from(*.0))]
    Unassigned(char),
    /// Not in Normalization Form C.
    #[error("must be in Unicode Normalization Form C")]
    NotNormalized,
    /// A name of the service.
    #[error("must not be a name of the service itself")]
    Reserved,
    /// What stands for an id that was erased.
    #[error("must not be `erased-` and digits, which stands for an id that was erased")]
    Erased,
}

impl ActorId {
    /// Checks an id that somebody gives a person or program; keeps it exactly as written.
    pub fn parse(id: impl Into<String>) -> Result<Self, InvalidId> {
        let id = Self::stored(id)?;
        id.check().map(|()| id)
    }

    /// An id as it was stored, by whatever rules held then, or one to look for.
    pub fn stored(id: impl Into<String>) -> Result<Self, text::Error> {
        let text = id.into();
        text::check_stored(&text, MAX)?;
        let key = match key_of(&text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(key) => Some(key.into_boxed_str()),
        };
        Ok(Self { text, key })
    }

    /// What stands for the id of an actor that was erased from the event `seq`.
    pub fn erased(seq: u64) -> Self {
        Self { text: format!("{ERASED}{seq}"), key: None }
    }

    /// The id as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form by which ids are compared. Two ids with one key are the same person or program.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.text)
    }

    /// The UUID that it is, in any case; none if it is another kind of id.
    pub fn uuid(&self) -> Option<Uuid> {
        uuid_of(self.key())
    }

    fn check(&self) -> Result<(), InvalidId> {
        let text = &*self.text;
        let mut before = ' ';
        for c in text.chars() {
            if c == ' ' && before == ' ' || c != ' ' && characters::is_blank(c) {
                return Err(InvalidId::Blanks);
            }
            if is_invisible(c) {
                return Err(text::Error::Invisible(c).into());
            }
            if !characters::is_assigned(c) {
                return Err(InvalidId::Unassigned(c));
            }
            before = c;
        }
        if before == ' ' {
            return Err(InvalidId::Blanks);
        }
        if !text.chars().any(is_visible) {
            return Err(text::Error::Blank.into());
        }
        if !NFC.is_normalized(text) {
            return Err(InvalidId::NotNormalized);
        }
        if RESERVED.iter().any(|reserved| text.eq_ignore_ascii_case(reserved)) {
            return Err(InvalidId::Reserved);
        }
        let is_erased = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
        if text.strip_prefix(ERASED).is_some_and(is_erased) {
            return Err(InvalidId::Erased);
        }
        Ok(())
    }
}

/// The form by which two ids or labels are the same to whoever reads them.
pub(in crate::domain) fn key_of(text: &str) -> Cow<'_, str> {
    if is_own_key(text) {
        return Cow::Borrowed(text);
    }
    let seen: String = text.chars().filter(|c| characters::is_blank(*c) || !is_invisible(*c)).collect();
    let composed = NFC.normalize(&seen);
    let mut key = String::with_capacity(composed.len());
    for word in composed.split(characters::is_blank).filter(|word| !word.is_empty()) {
        if !key.is_empty() {
            key.push(' ');
        }
        key.push_str(word);
    }
    Cow::Owned(uuid_of(&key).map_or(key, |uuid| uuid.to_string()))
}

/// Seen at a glance for most ids: ASCII with single blanks inside, and no UUID in upper case.
fn is_own_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    let plain = |byte: &u8| matches!(byte, b' '..=b'~');
    let blanks = text.starts_with(' ') || text.ends_with(' ') || text.contains("  ");
    bytes.iter().all(plain)
        && !blanks
        && (bytes.len() != 36 || uuid_of(text).is_none_or(|uuid| uuid.to_string() == text))
}

/// A UUID as it is written with hyphens, in any case (RFC 9562, section 4).
fn uuid_of(text: &str) -> Option<Uuid> {
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}

impl FromOutside for ActorId {
    fn check(&self, faults: &mut Faults) {
        if let Err(error) = self.check() {
            let code = if error == InvalidId::Reserved { "reserved" } else { "invalid_value" };
            faults.add(code, error.to_string());
        }
    }
}

impl PartialEq for ActorId {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ActorId {}

impl PartialOrd for ActorId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ActorId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key())
    }
}

impl Hash for ActorId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl TryFrom<String> for ActorId {
    type Error = text::Error;
    fn try_from(id: String) -> Result<Self, text::Error> {
        Self::stored(id)
    }
}

impl From<ActorId> for String {
    fn from(id: ActorId) -> Self {
        id.text
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl utoipa::PartialSchema for ActorId {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX))
            .description(Some(
                "A party's own id for a person or program, of 1 to 200 characters; opaque, and case counts, except in a UUID. New ids are in \
                 Unicode Normalization Form C, with no blanks but single spaces inside, and without characters that are invisible, unassigned or \
                 for private use. `service`, `system`, `stagegate` and `erased-` with digits are taken. Ids that differ in nothing that a reader \
                 can see are the same.",
            ))
            .into()
    }
}

impl utoipa::ToSchema for ActorId {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ActorId")
    }
}

#[cfg(test)]
mod tests;
