//! The issuer's public keys: a JWKS from a file or a URL, cached and refreshed.
//!
//! A token that names an unknown key triggers a refresh, at most one per [`Timing::between`]. Keys
//! older than [`Timing::max_age`] are refreshed in the background, so that withdrawn keys stop
//! being accepted. If the source does not respond, the cached keys stay valid.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Largest JWKS in bytes.
const MAX_BYTES: usize = 256 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why buyers' tokens cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The JWKS file cannot be read.
    #[error("the JWKS file cannot be read")]
    File(#[source] std::io::Error),
    /// The JWKS URL cannot be fetched.
    #[error("the JWKS cannot be fetched")]
    Fetch(#[source] reqwest::Error),
    /// The source is not a JWKS.
    #[error("the JWKS is not a JSON object with an array `keys`")]
    Syntax(#[source] serde_json::Error),
    /// The source exceeds the size limit.
    #[error("the JWKS is larger than 256 KiB")]
    TooLarge,
    /// The JWKS has no key of a supported kind.
    #[error("the JWKS has no key for ES256, RS256 (2048 bits or more) or EdDSA (Ed25519)")]
    NoKeys,
    /// The JWKS was not fetched yet; the next attempt follows within seconds.
    #[error("the JWKS could not be fetched yet")]
    NotYet,
}

/// A public key and the one algorithm that it may be used with.
#[derive(Debug)]
pub(in crate::http::auth) struct Key {
    kid: Option<String>,
    pub(in crate::http::auth) algorithm: Algorithm,
    /// The algorithm's name in token headers.
    pub(in crate::http::auth) name: &'static str,
    pub(in crate::http::auth) decoding: DecodingKey,
}

/// When to refresh the keys.
#[derive(Clone, Copy, Debug)]
pub(in crate::http::auth) struct Timing {
    /// Minimum time between two attempts.
    pub(in crate::http::auth) between: Duration,
    /// Age at which keys are refreshed.
    pub(in crate::http::auth) max_age: Duration,
}

const TIMING: Timing = Timing { between: Duration::from_secs(10), max_age: Duration::from_mins(10) };

/// The keys that are currently valid.
#[derive(Clone, Debug)]
pub(in crate::http::auth) struct KeySet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    timing: Timing,
    /// The keys and when they were read; empty until the first success.
    current: RwLock<(Arc<[Key]>, Option<Instant>)>,
    /// When the source was last read. Its lock allows one reader at a time.
    last_fetch: Mutex<Option<Instant>>,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Url(reqwest::Client, String),
}

impl KeySet {
    /// Reads the keys for the first time.
    pub(in crate::http::auth) async fn load(source: &str) -> Result<Self, Error> {
        Self::load_with(source, TIMING).await
    }

    pub(in crate::http::auth) async fn load_with(source: &str, timing: Timing) -> Result<Self, Error> {
        let source = Source::parse(source)?;
        let inner = Inner { source, timing, current: RwLock::new((Arc::new([]), None)), last_fetch: Mutex::new(None) };
        match (inner.renew().await, &inner.source) {
            (Err(error), Source::File(_)) => return Err(error),
            (Err(error), Source::Url(..)) => warn(&error),
            (Ok(()), _) => {}
        }
        Ok(Self(Arc::new(inner)))
    }

    /// The keys that a token with this `kid` may be signed by: the keys of that name, or all if
    /// `kid` is `None`.
    pub(in crate::http::auth) async fn find(&self, kid: Option<&str>) -> Result<Vec<KeyRef>, Error> {
        let (keys, read_at) = self.0.snapshot();
        let found = select(&keys, kid);
        if found.is_empty() {
            self.0.renew_unless_recent().await;
            let (keys, read_at) = self.0.snapshot();
            return if read_at.is_some() { Ok(select(&keys, kid)) } else { Err(Error::NotYet) };
        }
        self.renew_if_old(read_at);
        Ok(found)
    }

    /// When the current keys were read; `None` before the first success.
    pub(in crate::http::auth) fn reading(&self) -> Option<Instant> {
        let read_at = self.0.current.read().unwrap_or_else(PoisonError::into_inner).1;
        self.renew_if_old(read_at);
        read_at
    }

    fn renew_if_old(&self, read_at: Option<Instant>) {
        if read_at.is_some_and(|at| at.elapsed() >= self.0.timing.max_age) {
            let inner = Arc::clone(&self.0);
            tokio::spawn(async move { inner.renew_unless_recent().await });
        }
    }
}

/// One key of a set.
pub(in crate::http::auth) struct KeyRef(Arc<[Key]>, usize);

impl std::ops::Deref for KeyRef {
    type Target = Key;

    fn deref(&self) -> &Key {
        &self.0[self.1]
    }
}

fn select(keys: &Arc<[Key]>, kid: Option<&str>) -> Vec<KeyRef> {
    let wanted = |key: &Key| kid.is_none() || key.kid.as_deref() == kid;
    (0..keys.len()).filter(|at| wanted(&keys[*at])).map(|at| KeyRef(Arc::clone(keys), at)).collect()
}

impl Inner {
    fn snapshot(&self) -> (Arc<[Key]>, Option<Instant>) {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Refreshes the keys. Concurrent callers wait for the same attempt.
    async fn renew_unless_recent(&self) {
        let mut last_fetch = self.last_fetch.lock().await;
        if last_fetch.is_some_and(|at| at.elapsed() < self.timing.between) {
            return;
        }
        *last_fetch = Some(Instant::now());
        if let Err(error) = self.renew().await {
            warn(&error);
        }
    }

    async fn renew(&self) -> Result<(), Error> {
        let keys = parse(&self.source.read().await?)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (keys.into(), Some(Instant::now()));
        Ok(())
    }
}

fn warn(error: &Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, cause, "cannot refresh the keys for buyers' tokens");
}

impl Source {
    fn parse(source: &str) -> Result<Self, Error> {
        if !source.starts_with("https://") && !source.starts_with("http://") {
            return Ok(Self::File(source.into()));
        }
        // The first installed provider wins; every caller installs ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::Fetch)?;
        Ok(Self::Url(client, source.to_owned()))
    }

    async fn read(&self) -> Result<Vec<u8>, Error> {
        let bytes = match self {
            Self::File(path) => tokio::fs::read(path).await.map_err(Error::File)?,
            Self::Url(client, url) => {
                let answer = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
                let mut answer = answer.map_err(Error::Fetch)?;
                let mut bytes = Vec::new();
                while let Some(chunk) = answer.chunk().await.map_err(Error::Fetch)? {
                    bytes.extend_from_slice(&chunk);
                    if bytes.len() > MAX_BYTES {
                        break;
                    }
                }
                bytes
            }
        };
        if bytes.len() > MAX_BYTES { Err(Error::TooLarge) } else { Ok(bytes) }
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// Parses the supported keys of a JWKS. Other keys (for encryption, symmetric, of other kinds) are
/// ignored.
fn parse(bytes: &[u8]) -> Result<Vec<Key>, Error> {
    let document: Document = serde_json::from_slice(bytes).map_err(Error::Syntax)?;
    let jwks = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    let keys: Vec<Key> = jwks.filter_map(|jwk| key(&jwk)).collect();
    if keys.is_empty() { Err(Error::NoKeys) } else { Ok(keys) }
}

fn key(jwk: &Jwk) -> Option<Key> {
    let verifies = jwk.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
        && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    // Check sizes here, because the library does not.
    let part = |text: &Option<String>| text.as_deref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let (algorithm, name, decoding) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("EC", Some("P-256")) => {
            let (x, y) = (part(&jwk.x)?, part(&jwk.y)?);
            let sized = x.len() == 32 && y.len() == 32;
            (Algorithm::ES256, "ES256", sized.then(|| DecodingKey::from_ec_der(&[&[4][..], &x, &y].concat()))?)
        }
        ("OKP", Some("Ed25519")) => {
            let x = part(&jwk.x)?;
            (Algorithm::EdDSA, "EdDSA", (x.len() == 32).then(|| DecodingKey::from_ed_der(&x))?)
        }
        ("RSA", None) => {
            let (n, e) = (part(&jwk.n)?, part(&jwk.e)?);
            let sized = (256..=1024).contains(&n.len()) && (1..=8).contains(&e.len());
            (Algorithm::RS256, "RS256", sized.then(|| DecodingKey::from_rsa_raw_components(&n, &e))?)
        }
        _ => return None,
    };
    let named_right = jwk.alg.as_deref().is_none_or(|alg| alg == name);
    (verifies && named_right).then(|| Key { kid: jwk.kid.clone(), algorithm, name, decoding })
}
