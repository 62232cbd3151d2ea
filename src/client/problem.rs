//! Error responses of the service.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

/// An error response. Branch on `code`; new codes may appear in later versions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// Stable, such as `self_approval`; empty if the response came from a proxy.
    pub code: String,
    /// What is wrong, in words; empty if the response came from a proxy.
    pub detail: String,
    /// The errors in the input.
    pub errors: Vec<FieldError>,
    /// Name it when you report an error.
    pub request_id: Option<String>,
    /// The whole body, as far as it was an object.
    pub body: Map<String, Value>,
}

/// An error in the input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FieldError {
    /// JSON pointer into the body, or `/path/NAME`, `/query/NAME` or `/header/NAME`.
    pub pointer: String,
    /// What is wrong, as a stable code.
    pub code: String,
    /// The same in words, phrased to follow the name of the field.
    pub message: String,
}

impl Problem {
    /// The problem in a response.
    pub(super) fn new(status: u16, body: &[u8], request_id: Option<&str>) -> Self {
        let body: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        let text = |name| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let errors = body.get("errors").and_then(Value::as_array).into_iter().flatten();
        Self {
            status,
            code: text("code"),
            detail: text("detail"),
            errors: errors.filter_map(|error| FieldError::deserialize(error).ok()).collect(),
            request_id: request_id.map(str::to_owned),
            body,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, code, detail, errors, .. } = self;
        if code.is_empty() {
            return write!(f, "the service, or something before it, answered with {status}");
        }
        write!(f, "{status} {code}: {detail}")?;
        for FieldError { pointer, code, message } in errors {
            let place = if pointer.is_empty() { "the body" } else { pointer };
            write!(f, "\n{place} {message} ({code})")?;
        }
        Ok(())
    }
}
