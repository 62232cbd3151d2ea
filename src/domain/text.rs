//! Text from outside, checked once: length limits, no control characters that a page or a database would trip over.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// Text of 1 to `MAX` characters (Unicode scalar values) that is not blank and holds no control characters
/// but line feed, carriage return and tab.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text<const MAX: usize>(String);

/// Names of people, stages, workflows and artifacts: 200 characters.
pub type Name = Text<200>;
/// What a buyer reads at a glance: 500 characters.
pub type Message = Text<500>;
/// Reviews, notes, summaries: 4,000 characters.
pub type Prose = Text<4000>;
/// A link: 2,000 characters.
pub type Link = Text<2000>;

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing but white space.
    #[error("must not be empty")]
    Blank,
    /// Longer than allowed.
    #[error("must be at most {0} characters")]
    TooLong(usize),
    /// A control character.
    #[error("must not contain control characters")]
    Control,
}

impl<const MAX: usize> Text<MAX> {
    /// Checks `text`; keeps it exactly as written.
    pub fn parse(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(Error::Blank);
        }
        if text.len() > MAX && text.chars().count() > MAX {
            return Err(Error::TooLong(MAX));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(Error::Control);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.0
    }
}

impl<const MAX: usize> std::fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> utoipa::PartialSchema for Text<MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX))
            .description(Some(format!(
                "Text of 1 to {MAX} characters; not blank, no control characters but line breaks and tabs."
            )))
            .into()
    }
}

impl<const MAX: usize> utoipa::ToSchema for Text<MAX> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("Text{MAX}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_characters_and_blank_or_control_text_is_refused() {
        assert!(Text::<3>::parse("äöü").is_ok());
        assert_eq!(Text::<3>::parse("äöüß"), Err(Error::TooLong(3)));
        assert_eq!(Text::<3>::parse(" \n"), Err(Error::Blank));
        assert_eq!(Text::<3>::parse("a\0"), Err(Error::Control));
        assert!(Text::<5>::parse("a\n\tb").is_ok());
    }
}
