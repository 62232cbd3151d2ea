//! How a delivery is signed, in two families: AITasker's own headers, and those of Standard Webhooks, which sign id and
//! time as well. `docs/partner.md` tells receivers how to verify both.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::{HeaderName, HeaderValue};
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::values::time::Time;

const PREFIX: &str = "whsec_";
/// How many bytes a secret has, as Standard Webhooks asks.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// What receiver and service share: 24 to 64 bytes, as text `whsec_` and their base64. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    key: Vec<u8>,
}

/// A text that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and 24 to 64 bytes in base64, padded with =")]
pub struct InvalidSecret;

impl Secret {
    /// The secret made of these random bytes.
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        Self { text: format!("{PREFIX}{}", STANDARD.encode(bytes)), key: bytes.to_vec() }
    }

    /// Reads one. Bytes have one text each, as the text is what AITasker's signature is made with.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let key = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        if !LENGTHS.contains(&key.len()) {
            return Err(InvalidSecret);
        }
        Ok(Self { text: text.to_owned(), key })
    }

    /// The secret itself, to store or to show to its owner.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What an endpoint's deliveries are signed with.
#[derive(Clone, Copy, Debug)]
pub struct Secrets<'a> {
    /// The secret in use.
    pub current: &'a Secret,
    /// Its successor, while receivers learn it: the Standard Webhooks signature is made with both, AITasker's,
    /// which holds one, with `current`.
    pub pending: Option<&'a Secret>,
}

/// The names and values of the headers that identify and sign a delivery.
pub type Headers = [(HeaderName, HeaderValue); 6];

/// The headers of a delivery: `id` is the event's own, the same at every attempt; `at` is the time of this one.
///
/// AITasker's signature is keyed with the secret's text as its owner sees it, as such schemes usually are; that of
/// Standard Webhooks with the bytes which the text encodes, as its libraries do.
pub fn headers(id: Uuid, at: Time, body: &[u8], secrets: Secrets<'_>) -> Headers {
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
