//! Buyers' tokens: every algorithm, every claim and the known attacks. The tests generate their
//! keys.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header as JwtHeader};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::{Value, json};

use crate::http::auth::jwks::{KeySet, Timing};
use crate::ids;

use super::*;

const SECRET: &str = "a secret of at least thirty-two bytes";
const SUB: &str = "0199a000-0000-7000-8000-00000000000b";
const NOW: i64 = 1_800_000_000;

static RSA_KEY: LazyLock<EncodingKey> = LazyLock::new(|| rsa_key(2048));

fn rsa_key(bits: usize) -> EncodingKey {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, bits).unwrap();
    EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of the other algorithms the tests use HS256 only")]
fn make_key(algorithm: Algorithm) -> EncodingKey {
    let random = SystemRandom::new();
    match algorithm {
        Algorithm::ES256 => {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            EncodingKey::from_ec_der(pkcs8.as_ref())
        }
        Algorithm::EdDSA => {
            // PKCS #8 version 1, encoded by hand: ring writes version 2 in a form that the
            // verifier's library cannot read.
            let head = hex::decode("302e020100300506032b657004220420").unwrap();
            EncodingKey::from_ed_der(&[&head[..], &ids::random::<32>()].concat())
        }
        Algorithm::RS256 => RSA_KEY.clone(),
        _ => EncodingKey::from_secret(SECRET.as_bytes()),
    }
}

fn public(key: &EncodingKey, algorithm: Algorithm, kid: &str) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    jwk["kid"] = json!(kid);
    jwk["use"] = json!("sig");
    jwk
}

fn claims() -> Value {
    json!({ "sub": SUB, "aud": "authenticated", "iss": "https://x.supabase.co/auth/v1", "exp": NOW + 3600, "iat": NOW,
            "role": "authenticated", "session_id": "s-1" })
}

fn sign(key: &EncodingKey, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let header = JwtHeader { kid: kid.map(ToOwned::to_owned), ..JwtHeader::new(algorithm) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn verifier(keys: Keys) -> Verifier {
    let issuer = Some("https://x.supabase.co/auth/v1".into());
    Verifier { keys, audience: Some("authenticated".into()), issuer, good: Cache::new(10) }
}

fn with_secret() -> Verifier {
    verifier(Keys::Secret(DecodingKey::from_secret(SECRET.as_bytes())))
}

/// Returns a verifier that reads a JWKS file, and the file.
async fn with_jwks(keys: &[Value]) -> (Verifier, std::path::PathBuf) {
    let file = std::env::temp_dir().join(format!("jwks-{}.json", ids::new()));
    std::fs::write(&file, json!({ "keys": keys }).to_string()).unwrap();
    let timing = Timing { between: Duration::ZERO, max_age: Duration::from_mins(10) };
    let set = KeySet::load_with(file.to_str().unwrap(), timing).await.unwrap();
    (verifier(Keys::Set(set)), file)
}

async fn check(verifier: &Verifier, token: &str) -> Result<Verified, String> {
    verifier.verify(token, Time::from_micros(NOW * 1_000_000)).await.map_err(|refusal| match refusal {
        Refusal::Invalid(why) => why.to_owned(),
        Refusal::Unavailable(error) => format!("unavailable: {error}"),
    })
}

#[tokio::test]
async fn claims_are_checked() {
    let verifier = with_secret();
    let table = [
        ("aud", json!(["other", "authenticated"]), None),
        ("nbf", json!(NOW + 29), None),
        ("exp", json!(NOW - 29), None),
        ("exp", json!(1_800_000_000.5), None),
        ("exp", json!(NOW - 30), Some("expired")),
        ("exp", json!(null), Some("no `exp`")),
        ("exp", json!(-1), Some("not a valid time")),
        ("exp", json!(1e300), Some("not a valid time")),
        ("exp", json!("2030-01-01"), Some("not a JWT")),
        ("nbf", json!(NOW + 31), Some("not valid yet")),
        ("aud", json!("anon"), Some("audience")),
        ("aud", json!(null), Some("audience")),
        ("aud", json!([]), Some("audience")),
        ("iss", json!("https://y.supabase.co/auth/v1"), Some("issuer")),
        ("iss", json!(null), Some("issuer")),
        ("sub", json!(null), Some("`sub`")),
        ("sub", json!("bo"), Some("`sub`")),
        ("sub", json!("0199a000000070008000000000000000"), Some("`sub`")),
    ];
    for (claim, value, refused) in table {
        let mut claims = claims();
        claims[claim] = value;
        let token = sign(&make_key(Algorithm::HS256), Algorithm::HS256, None, &claims);
        match (check(&verifier, &token).await, refused) {
            (Ok(good), None) => assert_eq!(good.buyer_id.to_string(), SUB),
            (Err(why), Some(part)) => assert!(why.contains(part), "{claim}: {why}"),
            (result, _) => panic!("{claims}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn a_token_that_was_found_good_is_so_until_it_expires() {
    let (verifier, key) = (with_secret(), make_key(Algorithm::HS256));
    let token = sign(&key, Algorithm::HS256, None, &claims());
    for (seconds, good) in [(0, true), (3600 + 29, true), (3600 + 30, false), (0, true)] {
        let now = Time::from_micros((NOW + seconds) * 1_000_000);
        assert_eq!(verifier.verify(&token, now).await.is_ok(), good, "{seconds}");
    }
    assert_eq!(verifier.good.iter().count(), 1);
}

#[tokio::test]
async fn the_tokens_of_a_session_are_one_credential() {
    let verifier = with_secret();
    let id = async |change: Value| {
        let mut claims = claims();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let token = sign(&make_key(Algorithm::HS256), Algorithm::HS256, None, &claims);
        check(&verifier, &token).await.unwrap().credential_id
    };
    let session = id(json!({})).await;
    assert!(session.as_str().starts_with("token-") && session.as_str().len() == 22);
    assert_eq!(session, id(json!({ "exp": NOW + 7200, "jti": "x" })).await);
    assert_ne!(session, id(json!({ "session_id": "s-2" })).await);
    let jti = json!({ "session_id": null, "jti": "j-1" });
    assert_eq!(id(jti.clone()).await, id(jti).await);
    let bare = json!({ "session_id": null });
    assert_eq!(id(bare.clone()).await, id(bare.clone()).await);
    assert_ne!(id(bare).await, id(json!({ "session_id": null, "exp": NOW + 1 })).await);
}

#[tokio::test]
async fn every_kind_of_public_key_verifies_its_own_tokens_only() {
    let algorithms = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256];
    let keys: Vec<_> =
        algorithms.iter().map(|algorithm| (*algorithm, make_key(*algorithm), format!("{algorithm:?}"))).collect();
    let jwks: Vec<_> = keys.iter().map(|(algorithm, key, kid)| public(key, *algorithm, kid)).collect();
    let (verifier, _) = with_jwks(&jwks).await;
    for (algorithm, key, kid) in &keys {
        let token = sign(key, *algorithm, Some(kid), &claims());
        assert!(check(&verifier, &token).await.is_ok(), "{kid}");
        assert!(check(&verifier, &sign(key, *algorithm, None, &claims())).await.is_ok(), "{kid} without a kid");
        for (_, _, other) in keys.iter().filter(|(other, ..)| other != algorithm) {
            let misnamed = sign(key, *algorithm, Some(other), &claims());
            assert!(check(&verifier, &misnamed).await.unwrap_err().contains("signature"), "{kid} as {other}");
        }
        let mut parts: Vec<_> = token.split('.').map(ToOwned::to_owned).collect();
        let mut forged = claims();
        forged["sub"] = json!("0199a000-0000-7000-8000-00000000000c");
        parts[1] = encode(&forged);
        assert!(check(&verifier, &parts.join(".")).await.unwrap_err().contains("signature"), "{kid} forged");
    }
}

#[tokio::test]
async fn the_header_does_not_choose_the_algorithm() {
    let key = make_key(Algorithm::ES256);
    let jwk = public(&key, Algorithm::ES256, "k");
    let (verifier, _) = with_jwks(std::slice::from_ref(&jwk)).await;
    // An HMAC keyed with the public key, in each form that an attacker may try.
    let x = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
    let y = URL_SAFE_NO_PAD.decode(jwk["y"].as_str().unwrap()).unwrap();
    for secret in [[&[4][..], &x, &y].concat(), x, jwk.to_string().into_bytes(), SECRET.as_bytes().to_vec()] {
        let token = sign(&EncodingKey::from_secret(&secret), Algorithm::HS256, Some("k"), &claims());
        assert!(check(&verifier, &token).await.is_err());
    }
    for alg in ["none", "None", "NONE", "", "ES256K", "HS256", "es256"] {
        for signature in ["", "AAAA"] {
            let head = encode(&json!({ "alg": alg, "kid": "k" }));
            let token = format!("{head}.{}.{signature}", encode(&claims()));
            assert!(check(&verifier, &token).await.is_err(), "{alg}");
            assert!(check(&with_secret(), &token).await.is_err(), "{alg}");
        }
    }
    let good = sign(&key, Algorithm::ES256, Some("k"), &claims());
    let signature = good.rsplit_once('.').unwrap().1;
    let head = encode(&json!({ "alg": "ES256", "kid": "k", "crit": ["exp"] }));
    let critical = format!("{head}.{}.{signature}", encode(&claims()));
    assert!(check(&verifier, &critical).await.unwrap_err().contains("critical"));
    assert!(check(&with_secret(), &good).await.is_err(), "ES256 where a secret is configured");
}

#[tokio::test]
async fn a_jwks_turns_the_secret_off_and_without_either_no_token_is_good() {
    let key = make_key(Algorithm::EdDSA);
    let (_, file) = with_jwks(&[public(&key, Algorithm::EdDSA, "k")]).await;
    let settings = Settings { secret: Some(SECRET.into()), jwks: file.to_str().map(Into::into), ..Settings::default() };
    let verifier = Verifier::new(settings).await.unwrap();
    assert!(check(&verifier, &sign(&key, Algorithm::EdDSA, Some("k"), &claims())).await.is_ok());
    let hmac = sign(&make_key(Algorithm::HS256), Algorithm::HS256, None, &claims());
    assert!(check(&verifier, &hmac).await.is_err());
    let nothing = Verifier::new(Settings::default()).await.unwrap();
    assert!(check(&nothing, &hmac).await.unwrap_err().contains("not accepted here"));
}

#[tokio::test]
async fn garbage_is_refused() {
    let verifier = with_secret();
    let good = sign(&make_key(Algorithm::HS256), Algorithm::HS256, None, &claims());
    for token in ["", ".", "..", "...", "a.b.c", &good[..good.len() - 1], &format!("{good}."), &format!("{good}=")] {
        assert!(check(&verifier, token).await.is_err(), "{token}");
    }
    let (message, _) = good.rsplit_once('.').unwrap();
    assert!(check(&verifier, &format!("{message}.")).await.is_err());
}

#[tokio::test]
async fn keys_of_other_kinds_are_left_out() {
    let good = public(&make_key(Algorithm::EdDSA), Algorithm::EdDSA, "k");
    let small = rsa_key(1024);
    let mut encrypts = good.clone();
    encrypts["use"] = json!("enc");
    let mut mislabelled = good.clone();
    mislabelled["alg"] = json!("HS256");
    let mut short = good.clone();
    short["x"] = json!("AAAA");
    let table = [
        json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET), "alg": "HS256", "kid": "k" }),
        json!({ "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA" }),
        json!({ "kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA" }),
        json!({ "kty": "???" }),
        json!(7),
        public(&small, Algorithm::RS256, "k"),
        encrypts,
        mislabelled,
        short,
    ];
    for jwk in table {
        let file = std::env::temp_dir().join(format!("jwks-{}.json", ids::new()));
        std::fs::write(&file, json!({ "keys": [jwk] }).to_string()).unwrap();
        assert!(matches!(KeySet::load(file.to_str().unwrap()).await, Err(Error::NoKeys)), "{jwk}");
        let (_, _) = with_jwks(&[jwk, good.clone()]).await;
    }
    assert!(matches!(KeySet::load("/nonexistent/jwks.json").await, Err(Error::File(_))));
}

#[tokio::test]
async fn a_new_key_is_found_and_a_withdrawn_one_stops() {
    let (old, new) = (make_key(Algorithm::ES256), make_key(Algorithm::ES256));
    let (verifier, file) = with_jwks(&[public(&old, Algorithm::ES256, "old")]).await;
    let old_token = sign(&old, Algorithm::ES256, Some("old"), &claims());
    let new_token = sign(&new, Algorithm::ES256, Some("new"), &claims());
    assert!(check(&verifier, &old_token).await.is_ok());
    assert!(check(&verifier, &new_token).await.is_err());
    std::fs::write(&file, json!({ "keys": [public(&new, Algorithm::ES256, "new")] }).to_string()).unwrap();
    assert!(check(&verifier, &new_token).await.is_ok());
    assert!(check(&verifier, &old_token).await.is_err());
}

/// The response of an issuer's server, and how often it was requested.
#[derive(Clone)]
struct Issuer {
    answer: Arc<Mutex<Option<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start() -> (Self, String) {
        let issuer = Self { answer: Arc::default(), asked: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let serve = async |State(issuer): State<Self>| {
            issuer.asked.fetch_add(1, Ordering::SeqCst);
            issuer.answer.lock().unwrap().clone().map(|keys| keys.to_string()).ok_or(StatusCode::BAD_GATEWAY)
        };
        let router = Router::new().route("/jwks.json", get(serve)).with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (issuer, url)
    }

    fn answers(&self, keys: Option<Value>) {
        *self.answer.lock().unwrap() = keys.map(|key| json!({ "keys": [key] }));
    }
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_leaves_the_old_keys_valid() {
    let (issuer, url) = Issuer::start().await;
    let key = make_key(Algorithm::ES256);
    let token = sign(&key, Algorithm::ES256, Some("k"), &claims());
    let timing = Timing { between: Duration::ZERO, max_age: Duration::ZERO };
    let verifier = verifier(Keys::Set(KeySet::load_with(&url, timing).await.unwrap()));
    assert!(check(&verifier, &token).await.unwrap_err().starts_with("unavailable"));
    issuer.answers(Some(public(&key, Algorithm::ES256, "k")));
    assert!(check(&verifier, &token).await.is_ok());
    issuer.answers(None);
    for _ in 0..3 {
        let unknown = sign(&key, Algorithm::ES256, Some("unknown"), &claims());
        assert!(check(&verifier, &unknown).await.is_err());
        assert!(check(&verifier, &token).await.is_ok());
    }
}

#[tokio::test]
async fn tokens_with_unknown_keys_do_not_flood_the_issuer() {
    let (issuer, url) = Issuer::start().await;
    let key = make_key(Algorithm::ES256);
    issuer.answers(Some(public(&key, Algorithm::ES256, "k")));
    let timing = Timing { between: Duration::from_mins(10), max_age: Duration::from_mins(10) };
    let verifier = verifier(Keys::Set(KeySet::load_with(&url, timing).await.unwrap()));
    let unknown = sign(&key, Algorithm::ES256, Some("unknown"), &claims());
    let attempts = (0..20).map(|_| check(&verifier, &unknown));
    assert!(futures_util::future::join_all(attempts).await.iter().all(Result::is_err));
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 2, "once to begin with, once for all of them");
}
