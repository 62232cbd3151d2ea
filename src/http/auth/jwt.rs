//! Buyers' tokens: JWTs as Supabase issues them. Verified here, never made.
//!
//! The algorithm follows from our configuration: HS256 if there is a secret, else what each key of the JWKS is for. A
//! token's header only says which key it wants (`kid`) and has to agree with that key's algorithm; `none` and an HMAC
//! made with a public key agree with nothing. A configured JWKS turns the secret off.

use jsonwebtoken::{Algorithm, DecodingKey};
use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::app::access::time_until;
use crate::domain::values::id::{BuyerId, CredentialId};
use crate::domain::values::time::Time;

pub use super::jwks::Error;

/// How far the issuer's clock may be off.
const LEEWAY_SECONDS: f64 = 30.0;

/// RFC 7518, section 3.2: a key shorter than the hash weakens it.
const MIN_SECRET_BYTES: usize = 32;

/// Tokens that are remembered as good, at some 300 bytes each.
const MAX_GOOD: u64 = 20_000;

/// What to accept of buyers.
#[derive(Clone, Default)]
pub struct Settings {
    /// The HS256 secret. One of less than 32 bytes is warned of.
    pub secret: Option<String>,
    /// File or URL of a JWKS. If set, the secret is not used.
    pub jwks: Option<String>,
    /// What `aud` must be or contain; `None` leaves it unchecked.
    pub audience: Option<String>,
    /// What `iss` must be; `None` leaves it unchecked.
    pub issuer: Option<String>,
}

/// Checks buyers' tokens.
#[derive(Debug)]
pub struct Verifier {
    keys: Keys,
    audience: Option<String>,
    issuer: Option<String>,
    /// By the token's SHA-256, so that a dump of our memory does not give tokens away.
    good: Cache<[u8; 32], Good>,
}

/// A token that was found good. It stays so until it expires, as long as the keys are the same: a buyer's page
/// sends one token with every poll.
#[derive(Clone, Debug)]
struct Good {
    verified: Verified,
    /// Which reading of the keys it was checked with.
    keys: Option<Instant>,
}

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The `sub`.
    pub buyer_id: BuyerId,
    /// `token-` and the first 16 hex digits of SHA-256 of the `session_id`, else the `jti`, else the token's signature,
    /// whichever the token has: so the tokens of one session count as one credential.
    pub credential_id: CredentialId,
    /// From when on the token is not accepted: its `exp` and the leeway.
    pub expires_at: Time,
}

/// Why a token was not accepted.
#[derive(Debug)]
pub enum Refusal {
    /// It is not good; says why without repeating any of it.
    Invalid(&'static str),
    /// It cannot be told, since the keys could not be fetched yet.
    Unavailable(Error),
}

#[derive(Debug)]
enum Keys {
    None,
    Secret(DecodingKey),
    Set(crate::http::auth::jwks::KeySet),
}

impl Keys {
    /// When the keys were read that are valid now.
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
    /// Reads the keys. A file that cannot be read is an error; a URL that does not answer is tried again later.
    pub async fn new(settings: Settings) -> Result<Self, Error> {
        let keys = match (settings.jwks, settings.secret) {
            (Some(source), _) => Keys::Set(crate::http::auth::jwks::KeySet::load(&source).await?),
            (None, Some(secret)) => {
                if secret.len() < MIN_SECRET_BYTES {
                    tracing::warn!(
                        "the secret for buyers' tokens has less than 32 bytes (RFC 7518, section 3.2): fit for trials alone"
                    );
                }
                Keys::Secret(DecodingKey::from_secret(secret.as_bytes()))
            }
            (None, None) => Keys::None,
        };
        Ok(Self { keys, audience: settings.audience, issuer: settings.issuer, good: Cache::new(MAX_GOOD) })
    }

    /// Accepts tokens signed with this secret if nothing else was configured.
    pub(in crate::http) fn admit(&mut self, secret: &str) {
        if matches!(self.keys, Keys::None) {
            self.keys = Keys::Secret(DecodingKey::from_secret(secret.as_bytes()));
        }
    }

    /// Checks a token at the time `now`.
    pub async fn verify(&self, token: &str, now: Time) -> Result<Verified, Refusal> {
        let (digest, keys) = (Sha256::digest(token).into(), self.keys.reading());
        if let Some(good) = self.good.get(&digest)
            && good.keys == keys
            && !time_until(good.verified.expires_at, now).is_zero()
        {
            return Ok(good.verified);
        }
        // In a box: what asks for what is known should not have room for the rest.
        let verified = Box::pin(self.verify_anew(token, now)).await?;
        self.good.insert(digest, Good { verified: verified.clone(), keys });
        Ok(verified)
    }

    async fn verify_anew(&self, token: &str, now: Time) -> Result<Verified, Refusal> {
        let (message, signature) = token.rsplit_once('.').ok_or(NOT_A_JWT)?;
        let (header, payload) = message.split_once('.').ok_or(NOT_A_JWT)?;
        let header: Header = decode(header)?;
        if header.crit.is_some() {
            return Err(Refusal::Invalid("the token has critical extensions that are not known here"));
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
            .ok_or(Refusal::Invalid("the token's `exp` is no time"))?;
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
const BAD_SIGNATURE: Refusal = Refusal::Invalid("the token's signature does not match any key that is valid here");

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
    // Far beyond any token, and far within what chrono and an i64 can hold.
    let in_range = (0.0..1e11).contains(&seconds);
    #[expect(clippy::cast_possible_truncation, reason = "in range; what is less than a microsecond is of no interest")]
    let micros = (seconds * 1e6) as i64;
    in_range.then(|| Time::from_micros(micros))
}

fn credential_id(of: &str) -> CredentialId {
    let digest = hex::encode(Sha256::digest(of.as_bytes()));
    CredentialId::parse(format!("token-{}", &digest[..16])).expect("hex digits are a short plain text")
}

#[cfg(test)]
mod tests;
