//! The lines of docs/partner.md for receivers in Rust, word for word.

// cargo add standardwebhooks
use axum::http::HeaderMap;
use standardwebhooks::{Webhook, WebhookError};

/// Whether a delivery is genuine; then its body can be read. The secret is `whsec_…`.
pub fn verify(secret: &str, body: &[u8], headers: &HeaderMap) -> Result<(), WebhookError> {
    Webhook::new(secret)?.verify(body, headers)
}
