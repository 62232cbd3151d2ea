//! Authentication: from a request's headers to a [`Caller`], with extractors that admit only
//! certain parties.
//!
//! Credentials are read from headers only, never from a URL. A request with two credentials is
//! refused, because its sender is ambiguous. Nothing here logs or repeats a credential; the log
//! names callers by the credential's id.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tracing::Span;

use crate::app::refusals::Reason;
use crate::app::{App, Caller};
use crate::domain::partner::api_key::ApiKey;
use crate::domain::values::credential;
use crate::domain::values::id::{ActorId, BuyerId, CredentialId, PartnerId};
use crate::domain::values::party::Party;

use self::jwt::Refusal;
use super::AppState;
use super::input::body::budget::Share;
use super::problem::{Code, Problem};

mod jwks;
pub mod jwt;

const KEY_HEADER: HeaderName = HeaderName::from_static("x-aitasker-key");
const STRONG_PLATFORM_KEY: usize = 16;

/// Longest credential in bytes, several times the size of any token. A longer one is refused
/// without hashing it.
const MAX_CREDENTIAL: usize = 8 << 10;

/// Verifies credentials.
#[derive(Debug)]
pub struct Auth {
    platform: PlatformKeys,
    buyers: jwt::Verifier,
}

/// Why the configured credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A platform key that no header can carry, or that looks like another kind of credential.
    #[error(
        "STAGEGATE_PLATFORM_KEYS: a platform key must consist of visible ASCII characters, must not start with `ait_` and must not look like a JWT; the name before it, as in `ops-anna=KEY`, must be an actor id"
    )]
    PlatformKey,
    /// The keys for buyers' tokens cannot be used.
    #[error("STAGEGATE_BUYER_JWKS: buyers' tokens cannot be verified")]
    Buyers(#[source] jwt::Error),
}

impl Auth {
    /// Creates the verifier from the platform's keys and the settings for buyers' tokens.
    pub async fn new(platform_keys: &[String], buyers: jwt::Settings) -> Result<Self, Error> {
        let platform = PlatformKeys::new(platform_keys)?;
        Ok(Self { platform, buyers: jwt::Verifier::new(buyers).await.map_err(Error::Buyers)? })
    }

    /// Accepts a trial's credentials as well.
    pub(super) fn admit(&mut self, platform_key: &str, buyer_secret: &str) -> Result<(), Error> {
        self.platform.0.extend(PlatformKeys::new(&[platform_key.to_owned()])?.0);
        self.buyers.admit(buyer_secret);
        Ok(())
    }

    /// Names the platform's keys that are accepted.
    pub(super) fn platform_credentials(&self) -> impl Iterator<Item = CredentialId> {
        self.platform.0.iter().map(|key| key.credential_id.clone())
    }

    /// Finds the caller from a request's headers.
    pub async fn authenticate(&self, app: &App, headers: &HeaderMap) -> Result<Authenticated, Problem> {
        match credential(headers)? {
            Credential::PartnerKey(text) => {
                let unknown = || invalid("This key is unknown, has expired or was revoked.");
                let key = ApiKey::parse(text).ok_or_else(unknown)?;
                let other = |other| invalid(format!("This key {other}."));
                app.cell().check(key.cell()).map_err(other)?;
                let caller = app.partners.resolve_key(&key).await?.ok_or_else(unknown)?;
                Ok(Authenticated { caller, key: Some(key) })
            }
            Credential::Bearer(text) => {
                // `PlatformKeys::new` refuses keys that look like a JWT.
                if !looks_like_jwt(text) {
                    let found = self.platform.find(text).ok_or_else(|| invalid("This key is unknown."))?;
                    let (credential_id, person) = (found.credential_id.clone(), found.person.clone());
                    let caller = Caller::Platform { credential_id, person, through: None };
                    return Ok(Authenticated { caller, key: None });
                }
                let verified = self.buyers.verify(text, app.clock().now()).await.map_err(refused)?;
                let caller = Caller::Buyer {
                    buyer_id: verified.buyer_id,
                    credential_id: verified.credential_id,
                    expires_at: verified.expires_at,
                    through: None,
                };
                Ok(Authenticated { caller, key: None })
            }
        }
    }
}

/// The platform's keys, stored as hashes so that a memory dump does not reveal them.
#[derive(Debug)]
struct PlatformKeys(Vec<PlatformKey>);

#[derive(Clone, Debug)]
struct PlatformKey {
    hash: [u8; 32],
    credential_id: CredentialId,
    /// The person whose key it is, if the configuration names one.
    person: Option<ActorId>,
}

impl PlatformKey {
    /// Reads `KEY` or `NAME=KEY`.
    fn parse(text: &str) -> Result<Self, Error> {
        let (person, key) = match split_name(text) {
            Some((name, key)) => (Some(ActorId::parse(name).map_err(|_| Error::PlatformKey)?), key),
            None => (None, text),
        };
        let visible = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
        if key.len() < STRONG_PLATFORM_KEY {
            tracing::warn!("a platform key has fewer than 16 characters; use such keys in trials only");
        }
        if !visible || ApiKey::looks_like(key) || looks_like_jwt(key) {
            return Err(Error::PlatformKey);
        }
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let digits = &hex::encode(hash)[..12];
        let credential_id = credential::of_platform(digits).expect("hex digits are a short plain text");
        Ok(Self { hash, credential_id, person })
    }
}

/// Splits `ops-anna=<key>`. The padding at the end of a key in base64 does not separate a name.
fn split_name(text: &str) -> Option<(&str, &str)> {
    text.split_once('=').filter(|(name, key)| !name.is_empty() && !key.trim_matches('=').is_empty())
}

impl PlatformKeys {
    fn new(keys: &[String]) -> Result<Self, Error> {
        keys.iter().map(|key| PlatformKey::parse(key)).collect::<Result<_, _>>().map(Self)
    }

    /// Compares `text` with every key, in a time that does not depend on the keys.
    fn find(&self, text: &str) -> Option<&PlatformKey> {
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let matches: Vec<Choice> = self.0.iter().map(|key| key.hash.ct_eq(&hash)).collect();
        let at = matches.iter().position(|matched| bool::from(*matched))?;
        self.0.get(at)
    }
}

enum Credential<'a> {
    PartnerKey(&'a str),
    Bearer(&'a str),
}

/// Returns the request's only credential.
fn credential(headers: &HeaderMap) -> Result<Credential<'_>, Problem> {
    let mut found = headers.get_all(header::AUTHORIZATION).iter().chain(headers.get_all(KEY_HEADER));
    let first = found.next().ok_or_else(missing)?;
    if found.next().is_some() {
        return Err(Problem::new(
            Code::TwoCredentials,
            "Send one credential: either `Authorization` or `X-AITasker-Key`, and only once.",
        ));
    }
    if first.len() > MAX_CREDENTIAL {
        return Err(invalid("The credential is longer than 8 KiB."));
    }
    let text = first
        .to_str()
        .map_err(|_| invalid("The credential contains characters that are not allowed in a credential."))?;
    if headers.contains_key(KEY_HEADER) {
        return Ok(Credential::PartnerKey(text.trim()));
    }
    let (scheme, token) = text.trim().split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(invalid("Send the credential as `Authorization: Bearer …`."));
    }
    let token = token.trim_start();
    Ok(if ApiKey::looks_like(token) { Credential::PartnerKey(token) } else { Credential::Bearer(token) })
}

fn looks_like_jwt(text: &str) -> bool {
    text.starts_with("ey") && text.bytes().filter(|b| *b == b'.').count() == 2
}

fn missing() -> Problem {
    Problem::new(
        Code::Unauthorized,
        "Send a credential: `Authorization: Bearer …`, or `X-AITasker-Key` for a partner's key.",
    )
    .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="stagegate""#))
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::Unauthorized, detail).header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(r#"Bearer realm="stagegate", error="invalid_token""#),
    )
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Invalid(why) => invalid(format!("The credential was refused: {why}.")),
        Refusal::Unavailable(error) => Problem::unavailable(error).because(Some(Reason::Other)),
    }
}

/// A caller of any party. The credential is verified once per request.
impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Authenticated::from_request_parts(parts, state).await?.caller)
    }
}

/// A caller whose credential can be verified again, for responses that take longer than a
/// verification stays valid.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The caller.
    pub caller: Caller,
    key: Option<ApiKey>,
}

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let authenticated = state.auth.authenticate(&state.app, &parts.headers).await?;
        if let Some(rights) = authenticated.caller.rights() {
            state.scopes.check(parts, rights)?;
        }
        if parts.method != Method::GET {
            // The body counts against this caller's share of memory.
            parts.extensions.insert(Share::of(&authenticated.caller));
        }
        let span = Span::current();
        if !span.is_disabled() {
            span.record("caller", tracing::field::display(authenticated.caller.credential_id()));
        }
        Ok(authenticated)
    }
}

impl Authenticated {
    /// Time until the credential expires; `None` if it is valid until it is revoked.
    pub fn left(&self, app: &App) -> Option<Duration> {
        self.caller.time_left(app.clock().now())
    }

    /// Fails if the credential has expired or was revoked. A revocation is known at once on the
    /// replica that made it, and within 5 s elsewhere.
    pub async fn check(&self, app: &App) -> Result<(), Problem> {
        if self.left(app).is_some_and(|left| left.is_zero()) {
            return Err(invalid("The credential has expired."));
        }
        let Some(key) = &self.key else { return Ok(()) };
        match app.partners.resolve_key(key).await? {
            Some(_) => Ok(()),
            None => Err(invalid("The key was revoked.")),
        }
    }
}

fn only(caller: Caller, parties: &[Party], who: &'static str) -> Result<Caller, Problem> {
    if parties.contains(&caller.party()) {
        return Ok(caller);
    }
    let detail = format!("This operation is open to {who}; the credential belongs to the {}.", caller.party());
    Err(Problem::new(Code::Forbidden, detail))
}

/// A caller who is a partner; other parties get 403.
#[derive(Clone, Debug)]
pub struct PartnerOnly(pub PartnerId, pub Caller);

impl FromRequestParts<AppState> for PartnerOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = only(Caller::from_request_parts(parts, state).await?, &[Party::Partner], "partners")?;
        Ok(Self(caller.partner_id().expect("the party was checked"), caller))
    }
}

/// A caller who is a buyer; other parties get 403.
#[derive(Clone, Debug)]
pub struct BuyerOnly(pub BuyerId);

impl FromRequestParts<AppState> for BuyerOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = only(Caller::from_request_parts(parts, state).await?, &[Party::Buyer], "buyers")?;
        Ok(Self(caller.buyer_id().expect("the party was checked")))
    }
}

/// A caller who is the platform; other parties get 403.
#[derive(Clone, Debug)]
pub struct PlatformOnly(pub Caller);

impl FromRequestParts<AppState> for PlatformOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        only(Caller::from_request_parts(parts, state).await?, &[Party::Platform], "the platform").map(Self)
    }
}

/// A caller who is a partner or the platform; buyers get 403.
#[derive(Clone, Debug)]
pub struct PartnerOrPlatform(pub Caller);

impl FromRequestParts<AppState> for PartnerOrPlatform {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let parties = [Party::Partner, Party::Platform];
        only(Caller::from_request_parts(parts, state).await?, &parties, "partners and the platform").map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_has_one_credential() {
        type Case<'a> = (&'a [(&'a str, &'a str)], Result<&'a str, Code>);
        let key = format!("Bearer {}", "k".repeat(20));
        let table: &[Case] = &[
            (&[], Err(Code::Unauthorized)),
            (&[("authorization", &key)], Ok("bearer")),
            (&[("authorization", "bearer  ait_x")], Ok("partner")),
            (&[("x-aitasker-key", "ait_x")], Ok("partner")),
            (&[("authorization", "Basic YTpi")], Err(Code::Unauthorized)),
            (&[("authorization", "ait_x")], Err(Code::Unauthorized)),
            (&[("authorization", &key), ("x-aitasker-key", "ait_x")], Err(Code::TwoCredentials)),
            (&[("authorization", &key), ("authorization", &key)], Err(Code::TwoCredentials)),
            (&[("x-aitasker-key", "ait_x"), ("x-aitasker-key", "ait_x")], Err(Code::TwoCredentials)),
        ];
        for (given, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in *given {
                headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            let kind = credential(&headers).map(|credential| match credential {
                Credential::PartnerKey(_) => "partner",
                Credential::Bearer(_) => "bearer",
            });
            assert_eq!(kind.map_err(|problem| problem.code()), *expected, "{given:?}");
        }
    }

    #[test]
    fn a_platform_key_can_be_that_of_a_person() {
        let person = |configured: &str, sent: &str| {
            let keys = PlatformKeys::new(&[configured.to_owned()]).unwrap();
            keys.find(sent).map(|key| key.person.as_ref().map(|id| id.as_str().to_owned()))
        };
        let key = "a-key-of-the-platform";
        assert_eq!(person(&format!("ops-anna={key}"), key), Some(Some("ops-anna".to_owned())));
        assert_eq!(person(&format!("ops-anna={key}"), &format!("ops-anna={key}")), None);
        assert_eq!(person(&format!("ops-anna={key}=="), &format!("{key}==")), Some(Some("ops-anna".to_owned())));
        // The padding of base64 names nobody.
        for padded in [key.to_owned(), format!("{key}="), format!("{key}==")] {
            assert_eq!(person(&padded, &padded), Some(None), "{padded}");
        }
        let id = |configured: String| PlatformKeys::new(&[configured]).unwrap().0[0].credential_id.clone();
        assert_eq!(id(key.to_owned()), id(format!("ops-anna={key}")), "naming a key leaves its id as it is");
    }

    #[test]
    fn several_platform_keys_are_valid_at_a_time() {
        let keys =
            PlatformKeys::new(&["first-key-of-the-platform".into(), "second-key-of-the-platform".into()]).unwrap();
        let (first, second) =
            (keys.find("first-key-of-the-platform").unwrap(), keys.find("second-key-of-the-platform").unwrap());
        let (first, second) = (&first.credential_id, &second.credential_id);
        assert_ne!(first, second);
        assert!(first.as_str().starts_with("platform-") && first.as_str().len() == 21);
        assert!(keys.find("first-key-of-the-platforM").is_none());
        assert!(keys.find("").is_none());
        for bad in [
            "service=a-key-of-the-platform",
            "ops-anna=ait_key-of-the-platform",
            "",
            "ait_key-of-the-platform",
            "eyJ.key.of-the-platform",
            "a key with blanks in it",
        ] {
            assert!(PlatformKeys::new(&[bad.into()]).is_err(), "{bad}");
        }
    }
}
