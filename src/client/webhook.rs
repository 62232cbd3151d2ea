//! Verifies deliveries by Standard Webhooks v1.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use crate::domain::values::time::Time;

/// How far the time of a delivery may be from now.
const TOLERANCE: Duration = Duration::from_mins(5);

/// The delivery is not from the service, or not from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookVerificationError {
    /// A header is missing.
    #[error("the header {0} is missing")]
    Header(&'static str),
    /// The time is malformed, or more than five minutes from now.
    #[error("the timestamp is malformed, too old or too new")]
    Timestamp,
    /// A secret is not `whsec_` and base64.
    #[error("a secret is not base64")]
    Secret,
    /// Nobody with one of the secrets signed it.
    #[error("no signature matches")]
    Signature,
    /// It was signed, but is not JSON.
    #[error("the body is not JSON")]
    Body,
}

/// Returns the event of a delivery. `body` is what came, not JSON that was parsed and written again;
/// `header` looks a header up by its lower-case name. Any of the secrets may have signed it. Drop
/// duplicates by the event's `id`.
///
/// # Errors
///
/// If the delivery was not signed by one of the secrets within five minutes of `now`.
pub fn verify_webhook<'a>(
    body: &[u8],
    header: impl Fn(&str) -> Option<&'a str>,
    secrets: &[&str],
    now: Time,
) -> Result<Value, WebhookVerificationError> {
    let required = |name: &'static str| header(name).ok_or(WebhookVerificationError::Header(name));
    let (id, timestamp) = (required("webhook-id")?, required("webhook-timestamp")?);
    let signatures = required("webhook-signature")?;
    let is_number = (1..=12).contains(&timestamp.len()) && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let at = timestamp.parse().ok().filter(|_| is_number).map(|seconds: i64| Time::from_micros(seconds * 1_000_000));
    let age = at.and_then(|at| (now - at).abs().to_std().ok()).ok_or(WebhookVerificationError::Timestamp)?;
    if age > TOLERANCE {
        return Err(WebhookVerificationError::Timestamp);
    }
    let mut is_signed = false;
    for secret in secrets {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret));
        let key = key.map_err(|_| WebhookVerificationError::Secret)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        let given = signatures.split(' ').filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok());
        // Compared in constant time.
        is_signed |= given.fold(false, |found, signature| found | mac.clone().verify_slice(&signature).is_ok());
    }
    if !is_signed {
        return Err(WebhookVerificationError::Signature);
    }
    serde_json::from_slice(body).map_err(|_| WebhookVerificationError::Body)
}
