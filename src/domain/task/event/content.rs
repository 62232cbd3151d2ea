//! Content of commands that the trail keeps: references to work.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::outside::{Faults, FromOutside};
use crate::domain::values::text::{Link, Name, Text};

/// A reference to a piece of work; the service never stores the file itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its name, at most 200 characters.
    pub name: Name,
    /// SHA-256 of its bytes: 64 lower-case hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: Sha256Hex,
    /// The https URL where it can be fetched, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<HttpsUrl>,
    /// Its media type (RFC 6838), such as `application/pdf`; at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<Text<100>>,
    /// Its size in bytes, at most 2^53 - 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// A SHA-256 digest as 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
pub struct Sha256Hex(String);

/// Not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 64 lower-case hexadecimal digits")]
pub struct InvalidSha256;

impl TryFrom<String> for Sha256Hex {
    type Error = InvalidSha256;
    fn try_from(text: String) -> Result<Self, InvalidSha256> {
        let digits = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits { Ok(Self(text)) } else { Err(InvalidSha256) }
    }
}

impl From<Sha256Hex> for String {
    fn from(digest: Sha256Hex) -> Self {
        digest.0
    }
}

/// An absolute https URL of at most 2,000 characters, without user name or password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^https://", max_length = 2000)]
pub struct HttpsUrl(Link);

/// Not an https URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an https URL of at most 2,000 characters, without user name or password")]
pub struct InvalidUrl;

impl TryFrom<String> for HttpsUrl {
    type Error = InvalidUrl;
    fn try_from(text: String) -> Result<Self, InvalidUrl> {
        let authority = text.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
        let sound = !text
            .contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '\\'))
            && authority.is_some_and(|host| !host.is_empty() && !host.starts_with(':') && !host.contains('@'));
        Link::stored(text).ok().filter(|_| sound).map(Self).ok_or(InvalidUrl)
    }
}

impl From<HttpsUrl> for String {
    fn from(url: HttpsUrl) -> Self {
        url.0.into()
    }
}

impl FromOutside for HttpsUrl {
    fn check(&self, faults: &mut Faults) {
        self.0.check(faults);
    }
}
