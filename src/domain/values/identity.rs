//! Allowed characters in ids, names, labels and texts: one definition for every entry point.
//!
//! | | type | allowed |
//! |---|---|---|
//! | key | [`WorkflowKey`](super::id::WorkflowKey) and similar | 1 to 64 of `a-z`, `0-9`, `-` |
//! | UUID | [`TaskId`](super::id::TaskId) and similar | a UUID in any case; compared by value |
//! | id of a person or program | [`ActorId`] | 1 to 200 characters that everybody can see and tell apart: NFC, single spaces inside, nothing invisible, unassigned or for private use; no name of the service, no `erased-7`. Case-sensitive |
//! | name, label | [`Text`](super::text::Text) of one line | at least one visible character; no line breaks, no control or invisible characters, no direction marks; joiners between letters and emoji are allowed |
//! | text | [`Text`](super::text::Text) of [`LINES`](super::text::LINES) | the same, plus line breaks, tabs and line-break hints |
//!
//! **Input is checked strictly, stored rows are not.** Stored values load as they were written, so
//! that trails verify and older tasks continue: deserializing checks little. Input must also pass
//! [`FromOutside::check`]; `http::input::body` reads only types that implement it, so a new body cannot
//! skip the check.
//!
//! **Ids are compared by their key**: a UUID in its canonical form, anything else composed, without
//! invisible characters, with single spaces. So the rules treat stored ids that nobody can tell
//! apart as one person. Look-ups by id (an erasure, a filter) accept any spelling.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use uuid::Uuid;

use super::characters::{self, is_invisible, is_visible};
use super::outside::{Faults, FromOutside};
use super::text;

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// The maximum length of an actor's id in characters.
const MAX: usize = 200;

/// Ids that a reader of a trail would mistake for the service itself, in any case.
const RESERVED: [&str; 3] = ["service", "system", "stagegate"];

/// Prefix of the placeholder for an erased id; digits follow.
const ERASED: &str = "erased-";

/// A party's own name for a person or program: opaque, compared together with the party, by its [key](ActorId::key).
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct ActorId {
    text: String,
    /// The key, if it differs from the text.
    key: Option<Box<str>>,
}

/// Why an id of a person or program was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Blank, too long, or with characters that no text may hold.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// A space other than a single one between other characters.
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
    /// The placeholder for an erased id.
    #[error("must not be `erased-` and digits, which stands for an id that was erased")]
    Erased,
}

impl ActorId {
    /// Checks an id that a party assigns to a person or program; keeps it exactly as written.
    pub fn parse(id: impl Into<String>) -> Result<Self, InvalidId> {
        let id = Self::stored(id)?;
        id.check().map(|()| id)
    }

    /// Loads a stored id, under the rules of any earlier version, or an id to look up.
    pub fn stored(id: impl Into<String>) -> Result<Self, text::Error> {
        let text = id.into();
        text::check_stored(&text, MAX)?;
        let key = match key_of(&text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(key) => Some(key.into_boxed_str()),
        };
        Ok(Self { text, key })
    }

    /// The placeholder for the actor's id that was erased from the event `seq`.
    pub fn erased(seq: u64) -> Self {
        Self { text: format!("{ERASED}{seq}"), key: None }
    }

    /// The id as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form by which ids are compared. Two ids with the same key are the same person or
    /// program.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.text)
    }

    /// The UUID, if the id is one in any case.
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

/// The form in which two ids or labels are equal if a reader cannot tell them apart.
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

/// Whether the text is its own key, by a cheap check that covers most ids: ASCII, single spaces
/// inside, no UUID in upper case.
fn is_own_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    let plain = |byte: &u8| matches!(byte, b' '..=b'~');
    let blanks = text.starts_with(' ') || text.ends_with(' ') || text.contains("  ");
    bytes.iter().all(plain)
        && !blanks
        && (bytes.len() != 36 || uuid_of(text).is_none_or(|uuid| uuid.to_string() == text))
}

/// Parses a hyphenated UUID in any case (RFC 9562, section 4).
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

impl Serialize for ActorId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
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
            .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]+$"))
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
