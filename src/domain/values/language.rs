//! The language that a person reads.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::outside::nothing_to_check;

/// A language tag of BCP 47, such as `de` or `en-GB`; at most 35 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Language(String);

/// A text that is no language tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a language tag such as de or en-GB")]
pub struct InvalidLanguage;

const MAX: usize = 35;

impl Language {
    /// Checks the form of a tag: letters, then parts of 1 to 8 letters and digits after hyphens.
    ///
    /// # Errors
    ///
    /// When it has another form. Whether the language exists is not checked.
    pub fn parse(tag: impl Into<String>) -> Result<Self, InvalidLanguage> {
        let tag = tag.into();
        let mut parts = tag.split('-');
        let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_first = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic());
        let well_formed = tag.len() <= MAX && parts.next().is_some_and(is_first) && parts.all(is_part);
        if well_formed { Ok(Self(tag)) } else { Err(InvalidLanguage) }
    }

    /// The tag as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Language {
    type Error = InvalidLanguage;

    fn try_from(tag: String) -> Result<Self, InvalidLanguage> {
        Self::parse(tag)
    }
}

nothing_to_check!(Language);

impl utoipa::PartialSchema for Language {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"))
            .max_length(Some(MAX))
            .description(Some("A language tag of BCP 47."))
            .examples(["de"])
            .into()
    }
}

impl utoipa::ToSchema for Language {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Language")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_the_form_of_bcp_47() {
        for good in ["de", "en-GB", "zh-Hant-TW", "de-1996"] {
            assert!(Language::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "d", "de_DE", "de-", "-de", "d3", "de-abcdefghi", "ü", &"en-a".repeat(9)] {
            assert!(Language::parse(bad).is_err(), "{bad}");
        }
    }
}
