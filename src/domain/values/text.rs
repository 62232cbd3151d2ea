//! Text from outside. [`identity`](super::identity) lists the allowed characters;
//! `characters.rs` has the code.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::characters::{Neighbours, is_bidi_control, is_break_hint, is_invisible, is_visible};
use super::outside::{Faults, FromOutside};

/// Text of 1 to `MAX` characters (Unicode scalar values), of one line unless `MULTILINE` is [`LINES`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Text<const MAX: usize, const MULTILINE: bool = false>(String);

/// Marks a text that may have line breaks and tabs.
pub const LINES: bool = true;

/// The name of a person, stage, workflow or artifact: one line of up to 200 characters.
pub type Name = Text<200>;
/// The text shown to the buyer while a stage is current: one line of up to 500 characters.
pub type Label = Text<500>;
/// A short message to the buyer: up to 500 characters.
pub type Message = Text<500, LINES>;
/// Reviews, notes and summaries: up to 4,000 characters.
pub type Prose = Text<4000, LINES>;
/// A link of up to 2,000 characters.
pub type Link = Text<2000>;

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No visible character.
    #[error("must not be empty")]
    Blank,
    /// Longer than allowed.
    #[error("must be at most {0} characters")]
    TooLong(usize),
    /// A control character.
    #[error("must not contain control characters")]
    Control,
    /// A line break or a tab in a single-line text.
    #[error("must be a single line")]
    LineBreak,
    /// A character that is invisible, or changes the direction of its neighbours.
    #[error("must not contain invisible characters, such as U+{:04X}", u32::from(*.0))]
    Invisible(char),
}

impl<const MAX: usize, const MULTILINE: bool> Text<MAX, MULTILINE> {
    /// Checks text from outside and keeps it exactly as written.
    pub fn parse(text: impl Into<String>) -> Result<Self, Error> {
        let text = Self::stored(text)?;
        text.check_outside().map(|()| text)
    }

    /// Loads stored text, under the rules of any earlier version.
    pub fn stored(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        check_stored(&text, MAX).map(|()| Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check_outside(&self) -> Result<(), Error> {
        let (mut neighbours, mut is_seen) = (Neighbours::default(), false);
        let mut characters = self.0.chars().peekable();
        while let Some(c) = characters.next() {
            let has_use = neighbours.step(c, characters.peek().copied());
            let breaks = matches!(c, '\n' | '\r' | '\t' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}');
            if breaks && !MULTILINE {
                return Err(Error::LineBreak);
            }
            let allowed = breaks || has_use || MULTILINE && is_break_hint(c);
            if is_bidi_control(c) || is_invisible(c) && !allowed {
                return Err(Error::Invisible(c));
            }
            is_seen |= is_visible(c);
        }
        if is_seen { Ok(()) } else { Err(Error::Blank) }
    }
}

/// The rules that every text stored so far meets.
pub(in crate::domain) fn check_stored(text: &str, max: usize) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::Blank);
    }
    if text.len() > max && text.chars().count() > max {
        return Err(Error::TooLong(max));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Error::Control);
    }
    Ok(())
}

impl<const MAX: usize, const MULTILINE: bool> FromOutside for Text<MAX, MULTILINE> {
    fn check(&self, faults: &mut Faults) {
        if let Err(error) = self.check_outside() {
            faults.add("invalid_value", error.to_string());
        }
    }
}

impl<const MAX: usize, const MULTILINE: bool> TryFrom<String> for Text<MAX, MULTILINE> {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::stored(text)
    }
}

impl<const MAX: usize, const MULTILINE: bool> From<Text<MAX, MULTILINE>> for String {
    fn from(text: Text<MAX, MULTILINE>) -> Self {
        text.0
    }
}

impl<const MAX: usize, const MULTILINE: bool> std::fmt::Display for Text<MAX, MULTILINE> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a pattern can say of the rules: no control characters, and not blanks alone.
const LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";

/// The same for a text that may have line breaks and tabs.
const TEXT: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";

impl<const MAX: usize, const MULTILINE: bool> utoipa::PartialSchema for Text<MAX, MULTILINE> {
    fn schema() -> RefOr<Schema> {
        let kind = if MULTILINE { "Text, also of several lines," } else { "A line" };
        let description = format!(
            "{kind} of 1 to {MAX} characters; something in it must be visible. No control characters, no marks of direction, nothing that \
             cannot be seen but joiners between letters and emoji."
        );
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX))
            .pattern(Some(if MULTILINE { TEXT } else { LINE }))
            .description(Some(description))
            .into()
    }
}

impl<const MAX: usize, const MULTILINE: bool> utoipa::ToSchema for Text<MAX, MULTILINE> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(if MULTILINE { format!("Text{MAX}") } else { format!("Line{MAX}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_characters_and_blank_or_control_text_is_refused() {
        assert!(Text::<3>::parse("äöü").is_ok());
        assert_eq!(Text::<3>::parse("äöüß"), Err(Error::TooLong(3)));
        assert_eq!(Text::<3, LINES>::parse(" \n"), Err(Error::Blank));
        assert_eq!(Text::<3>::parse("a\0"), Err(Error::Control));
        assert!(Text::<5, LINES>::parse("a\n\tb").is_ok());
    }

    /// Which characters a line may hold, and which only a text of several lines.
    #[test]
    fn a_line_and_a_text_hold_what_shows_and_what_others_need() {
        let both = [
            "Anna K.",
            "Zoë 中文 한국어",
            "می\u{200C}خواهم",
            "क्\u{200D}ष",
            "👩\u{200D}💻",
            "👨\u{1F3FB}\u{200D}🚀",
            "❤\u{FE0F}\u{200D}🔥",
            "1\u{FE0F}\u{20E3}",
            "葛\u{E0100}飾",
            "\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
            "\u{E000} in a font of our own",
        ];
        let lines = ["one\ntwo", "a\tb", "a\r\nb", "soft\u{AD}ly", "ไทย\u{200B}ไทย", "\u{FEFF}copied"];
        let neither = [
            "Anna\u{202E}K.",
            "a\u{2066}b",
            "a\u{200E}",
            "\u{200F}",
            "a\u{34F}",
            "\u{3164}",
            "\u{2800}",
            "\u{1D159}",
            "\u{301}",
            "\u{A0}\u{3000}",
            "a \u{200D} b",
            "\u{200D}a",
            "a\u{200D}",
            "a\u{200D}\u{200D}b",
            "a\u{200B}\u{202A}",
            "a\u{E0061}",
            " \u{FE0F}",
            "a\u{206A}",
        ];
        for text in both {
            assert!(Name::parse(text).is_ok() && Message::parse(text).is_ok(), "{text:?}: {:?}", Name::parse(text));
        }
        for text in lines {
            assert!(Name::parse(text).is_err() && Message::parse(text).is_ok(), "{text:?}: {:?}", Message::parse(text));
        }
        for text in neither {
            assert!(Name::parse(text).is_err() && Message::parse(text).is_err(), "{text:?}");
        }
        assert!(Name::stored("a\u{202E}\nb").is_ok(), "what is stored loads");
    }
}
