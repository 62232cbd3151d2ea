//! Verification of buyers' tokens: JWTs as Supabase issues them.
//!
//! The configuration determines the algorithm: HS256 if there is a secret, otherwise the algorithm
//! of each key in the JWKS. A token's header only selects a key (`kid`) and must name that key's
//! algorithm. Hence `none`, or an HMAC made with a public key, is never accepted. A configured JWKS
//! disables the secret.

use jsonwebtoken::{Algorithm, DecodingKey};
use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::app::access::time_until;
use crate::domain::values::id::{BuyerId, CredentialId};
use crate::domain::values::time::Time;

pub use super::jwks::Error;

/// Accepted difference between the issuer's clock and ours.
const LEEWAY_SECONDS: f64 = 30.0;

/// Shortest recommended secret: RFC 7518, section 3.2, requires a key as long as the hash.
const MIN_SECRET_BYTES: usize = 32;

/// Number of valid tokens to cache, at some 300 bytes each.
const MAX_GOOD: u64 = 20_000;

/// Settings for buyers' tokens.
#[derive(Clone, Default)]
pub struct Settings {
    /// The HS256 secret. One of fewer than 32 bytes is logged as a warning.
    pub secret: Option<String>,
    /// File or URL of a JWKS. It disables the secret.
    pub jwks: Option<String>,
    /// Required `aud`, or one of its values; `None`: not checked.
    pub audience: Option<String>,
    /// Required `iss`; `None`: not checked.
    pub issuer: Option<String>,
}

/// Verifies buyers' tokens.
#[derive(Debug)]
pub struct Verifier {
    keys: Keys,
    audience: Option<String>,
    issuer: Option<String>,
    /// Keyed by the token's SHA-256, so that a memory dump does not reveal tokens.
    good: Cache<[u8; 32], Good>,
}

/// A verified token. A buyer's page sends the same token with every poll, so the result is cached
/// until the token expires or the keys change.
#[derive(Clone, Debug)]
struct Good {
    verified: Verified,
    /// When the keys that verified it were read.
    keys: Option<Instant>,
}

/// The contents of a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The `sub`.
    pub buyer_id: BuyerId,
    /// `token-` and the first 16 hex digits of the SHA-256 of the `session_id`, else the `jti`,
    /// else the signature. All tokens of a session thus count as one credential.
    pub credential_id: CredentialId,
    /// When the token stops being accepted: its `exp` plus the leeway.
    pub expires_at: Time,
}

/// Why a token was not accepted.
#[derive(Debug)]
pub enum Refusal {
    /// The token is invalid. The reason repeats no part of it.
    Invalid(&'static str),
    /// The keys could not be fetched yet, so the token cannot be verified.
    Unavailable(Error),
}

#[derive(Debug)]
enum Keys {
    None,
    Secret(DecodingKey),
    Set(crate::http::auth::jwks::KeySet),
}

impl Keys {
    /// When the current keys were read.
    fn reading(&self) -> Option<Instant> {
        match self {
            Self::None | Self::Secret(_) => None,
            Self::Set(set) => set.reading(),
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    aud: Option<Audience>,
    iss: Option<String>,
    session_id: Option<String>,
    jti: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Verifier {
    /// Reads the keys. An unreadable file is an error; a URL that does not respond is retried
    /// later.
    pub async fn new(settings: Settings) -> Result<Self, Error> {
        let keys = match (settings.jwks, settings.secret) {
            (Some(source), _) => Keys::Set(crate::http::auth::jwks::KeySet::load(&source).await?),
            (None, Some(secret)) => {
                if secret.len() < MIN_SECRET_BYTES {
                    tracing::warn!(
                        "the secret for buyers' tokens has fewer than 32 bytes (RFC 7518, section 3.2); use such secrets in trials only"
                    );
                }
                Keys::Secret(DecodingKey::from_secret(secret.as_bytes()))
            }
            (None, None) => Keys::None,
        };
        Ok(Self { keys, audience: settings.audience, issuer: settings.issuer, good: Cache::new(MAX_GOOD) })
    }

    /// Accepts tokens signed with this secret if no other key is configured.
    pub(in crate::http) fn admit(&mut self, secret: &str) {
        if matches!(self.keys, Keys::None) {
            self.keys = Keys::Secret(DecodingKey::from_secret(secret.as_bytes()));
        }
    }

    /// Verifies a token at the time `now`.
    pub async fn verify(&self, token: &str, now: Time) -> Result<Verified, Refusal> {
        let (digest, keys) = (Sha256::digest(token).into(), self.keys.reading());
        if let Some(good) = self.good.get(&digest)
            && good.keys == keys
            && !time_until(good.verified.expires_at, now).is_zero()
        {
            return Ok(good.verified);
        }
        // Boxed, so that futures that find the token in the cache stay small.
        let verified = Box::pin(self.verify_anew(token, now)).await?;
        self.good.insert(digest, Good { verified: verified.clone(), keys });
        Ok(verified)
    }

    async fn verify_anew(&self, token: &str, now: Time) -> Result<Verified, Refusal> {
        let (message, signature) = token.rsplit_once('.').ok_or(NOT_A_JWT)?;
        let (header, payload) = message.split_once('.').ok_or(NOT_A_JWT)?;
        let header: Header = decode(header)?;
        if header.crit.is_some() {
            return Err(Refusal::Invalid("the token has critical extensions that this service does not support"));
        }
        self.check_signature(&header, message, signature).await?;
        self.check_claims(decode(payload)?, signature, now)
    }

    async fn check_signature(&self, header: &Header, message: &str, signature: &str) -> Result<(), Refusal> {
        match &self.keys {
            Keys::None => Err(Refusal::Invalid("buyers' tokens are not accepted here")),
            Keys::Secret(key) => {
                let good = header.alg == "HS256" && signed_by(key, Algorithm::HS256, message, signature);
                if good { Ok(()) } else { Err(BAD_SIGNATURE) }
            }
            Keys::Set(set) => {
                let candidates = set.find(header.kid.as_deref()).await.map_err(Refusal::Unavailable)?;
                let good = candidates
                    .iter()
                    .any(|key| header.alg == key.name && signed_by(&key.decoding, key.algorithm, message, signature));
                if good { Ok(()) } else { Err(BAD_SIGNATURE) }
            }
        }
    }

    fn check_claims(&self, claims: Claims, signature: &str, now: Time) -> Result<Verified, Refusal> {
        let exp = claims.exp.ok_or(Refusal::Invalid("the token has no `exp`"))?;
        let expires_at = instant(exp)
            .and_then(|_| instant(exp + LEEWAY_SECONDS))
            .ok_or(Refusal::Invalid("the token's `exp` is not a valid time"))?;
        if time_until(expires_at, now).is_zero() {
            return Err(Refusal::Invalid("the token has expired"));
        }
        if claims.nbf.is_some_and(|nbf| nbf - LEEWAY_SECONDS > seconds(now)) {
            return Err(Refusal::Invalid("the token is not valid yet"));
        }
        if !self.is_audience(claims.aud.as_ref()) {
            return Err(Refusal::Invalid("the token is for another audience"));
        }
        if self.issuer.is_some() && claims.iss != self.issuer {
            return Err(Refusal::Invalid("the token is from another issuer"));
        }
        let sub = claims.sub.as_deref().filter(|sub| sub.len() == 36).and_then(|sub| sub.parse().ok());
        let buyer_id = BuyerId(sub.ok_or(Refusal::Invalid("the token's `sub` is not a UUID"))?);
        let session = claims.session_id.or(claims.jti).filter(|id| !id.is_empty());
        let credential_id = credential_id(session.as_deref().unwrap_or(signature));
        Ok(Verified { buyer_id, credential_id, expires_at })
    }

    fn is_audience(&self, aud: Option<&Audience>) -> bool {
        let Some(wanted) = &self.audience else { return true };
        match aud {
            None => false,
            Some(Audience::One(one)) => one == wanted,
            Some(Audience::Many(many)) => many.contains(wanted),
        }
    }
}

const NOT_A_JWT: Refusal = Refusal::Invalid("the token is not a JWT");
const BAD_SIGNATURE: Refusal = Refusal::Invalid("the token's signature does not match any valid key");

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, Refusal> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).map_err(|_| NOT_A_JWT)?;
    serde_json::from_slice(&bytes).map_err(|_| NOT_A_JWT)
}

fn signed_by(key: &DecodingKey, algorithm: Algorithm, message: &str, signature: &str) -> bool {
    jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm).unwrap_or(false)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of this millennium are exact in an f64")]
fn seconds(time: Time) -> f64 {
    time.micros() as f64 / 1e6
}

fn instant(seconds: f64) -> Option<Time> {
    // Later than any token expires, and well within the range of chrono and i64.
    let in_range = (0.0..1e11).contains(&seconds);
    #[expect(clippy::cast_possible_truncation, reason = "in range; fractions of a microsecond do not matter")]
    let micros = (seconds * 1e6) as i64;
    in_range.then(|| Time::from_micros(micros))
}

fn credential_id(of: &str) -> CredentialId {
    let digest = hex::encode(Sha256::digest(of.as_bytes()));
    CredentialId::parse(format!("token-{}", &digest[..16])).expect("hex digits are a short plain text")
}

#[cfg(test)]
mod tests;
