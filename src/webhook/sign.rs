//! Signs deliveries with two sets of headers: AITasker's own, and those of Standard Webhooks, which
//! also sign the id and the time. `docs/partner.md` tells receivers how to verify both.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::{HeaderName, HeaderValue};
use sha2::Sha256;

use crate::domain::values::id::MessageId;
use crate::domain::values::time::Time;

const PREFIX: &str = "whsec_";
/// The allowed length of a secret in bytes, as Standard Webhooks requires.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret that receiver and service share: 24 to 64 bytes, written as `whsec_` and their
/// base64. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    key: Vec<u8>,
}

/// A text that is not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and 24 to 64 bytes in base64, padded with =")]
pub struct InvalidSecret;

impl Secret {
    /// Creates the secret from these random bytes.
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        Self { text: format!("{PREFIX}{}", STANDARD.encode(bytes)), key: bytes.to_vec() }
    }

    /// Parses a secret. Only one text is accepted for the same bytes, since AITasker's signature is
    /// keyed with the text.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let key = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        if !LENGTHS.contains(&key.len()) {
            return Err(InvalidSecret);
        }
        Ok(Self { text: text.to_owned(), key })
    }

    /// The text of the secret, to store it or to show it to its owner.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The secrets that sign an endpoint's deliveries.
#[derive(Clone, Copy, Debug)]
pub struct Secrets<'a> {
    /// The secret in use.
    pub current: &'a Secret,
    /// Its successor, while receivers learn it. The Standard Webhooks header holds a signature by
    /// each secret. AITasker's holds one signature, by `current`.
    pub pending: Option<&'a Secret>,
}

/// The names and values of the headers that identify and sign a delivery.
pub type Headers = [(HeaderName, HeaderValue); 6];

/// Builds the headers of a delivery. `id` is the event's own, the same at every attempt; `at` is
/// the time of this attempt.
///
/// AITasker's signature is keyed with the secret's text as its owner sees it, as is usual for such
/// schemes. That of Standard Webhooks is keyed with the bytes that the text encodes, as its
/// libraries do.
pub fn headers(id: MessageId, at: Time, body: &[u8], secrets: Secrets<'_>) -> Headers {
    let id = id.to_string();
    let timestamp = at.micros().div_euclid(1_000_000).to_string();
    let standard = |secret: &Secret| {
        let signed = hmac(&secret.key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
        format!("v1,{}", STANDARD.encode(signed))
    };
    let signatures: Vec<String> =
        [Some(secrets.current), secrets.pending].into_iter().flatten().map(standard).collect();
    let aitasker = hex::encode(hmac(secrets.current.text.as_bytes(), &[body]));
    [
        ("x-aitasker-signature", aitasker),
        ("x-aitasker-timestamp", timestamp.clone()),
        ("x-aitasker-delivery-id", id.clone()),
        ("webhook-signature", signatures.join(" ")),
        ("webhook-timestamp", timestamp),
        ("webhook-id", id),
    ]
    .map(|(name, value)| (HeaderName::from_static(name), value.try_into().expect("hex, base64, digits and dashes")))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
