//! Errors as callers see them: RFC 9457 `application/problem+json`. The only place that knows status codes.
//!
//! A 5xx body is constant text plus the request id (and, of a trail that somebody tampered with, which entry it
//! is); what caused it is logged here, once, and never sent.

use std::borrow::Cow;
use std::error::Error as StdError;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::Span;
use utoipa::ToSchema;

use crate::app::refusals::Reason;
use crate::domain::task::PhaseName;
use crate::domain::task::command::CommandType;

mod code;
pub(super) mod refused;

pub use code::Code;

/// The content type of every error.
pub const CONTENT_TYPE: &str = "application/problem+json";

tokio::task_local! {
    /// The id of the request being served; set by the outermost middleware.
    pub(super) static REQUEST_ID: HeaderValue;
}

/// An error on its way to the caller.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    conflict: Box<Conflict>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    reason: Option<Reason>,
}

impl Problem {
    /// A problem that the caller can do something about: `detail` says what.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            conflict: Box::default(),
            headers: Vec::new(),
            source: None,
            reason: None,
        }
    }

    /// A body that is JSON but not acceptable. The detail repeats the first error, for those who read nothing else.
    pub fn invalid_body(errors: Vec<FieldError>) -> Self {
        Self::of_fields(Code::InvalidBody, errors)
    }

    /// A path or query parameter or a header that is not acceptable.
    pub fn invalid_parameter(error: FieldError) -> Self {
        Self::of_fields(Code::InvalidParameter, vec![error])
    }

    /// No such resource, or somebody else's.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is no such resource, or this credential may not see it.")
    }

    /// A fault of ours; `source` is logged and not sent.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "The service failed. The request id leads to the cause in its log.").caused_by(source)
    }

    /// An entry of a trail is not stored as it was written; `source` is logged, too.
    pub fn damaged(seq: u64, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let detail =
            format!("Entry {seq} of the trail is not stored as it was written. The request id leads to it in the log.");
        Self::new(Code::TrailDamaged, detail).caused_by(source)
    }

    /// Something that the service depends on does not answer; `source` is logged and not sent.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Unavailable, "The service cannot answer at the moment. Try again shortly.")
            .header(header::RETRY_AFTER, HeaderValue::from_static("2"))
            .caused_by(source)
    }

    /// Something that the service depends on was asked and did not answer; `source` is logged and not sent.
    pub fn unanswered(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let detail = "The database did not answer. What was asked may or may not have been recorded; sending the same request again, with \
            the same id, is safe.";
        Self::new(Code::Unavailable, detail)
            .header(header::RETRY_AFTER, HeaderValue::from_static("2"))
            .caused_by(source)
    }

    /// What is known here is older than what the caller asked for.
    pub fn behind() -> Self {
        let detail = "The version in `min_version` is not known here (yet). Try again shortly, or read without it.";
        Self::new(Code::Unavailable, detail).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The replica cannot serve for this reason, which is sent, and whose own causes are logged.
    pub fn not_ready(code: Code, why: impl StdError + Send + Sync + 'static) -> Self {
        let mut detail = why.to_string();
        if let Some(first) = detail.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        detail.push('.');
        Self::new(code, detail).header(header::RETRY_AFTER, HeaderValue::from_static("2")).caused_by(why)
    }

    /// More requests than can be served; nothing was done.
    pub fn overloaded() -> Self {
        Self::new(Code::Overloaded, "The service is overloaded. Try again shortly.")
            .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The caller's own share is used up, while others are served; `detail` says what there is too much of. Nothing
    /// was done.
    pub fn too_many_at_once(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::TooManyAtOnce, detail).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Adds what is wrong with the input.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds where the task stands (409 and 412).
    #[must_use]
    pub fn with_conflict(mut self, conflict: Conflict) -> Self {
        *self.conflict = conflict;
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong with the input, if that is the problem.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The body as it is sent while `request_id` is served.
    pub fn body(&self, request_id: Option<&str>) -> Body {
        Body {
            kind: self.code.uri(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code,
            detail: self.detail.clone(),
            request_id: request_id.map(ToOwned::to_owned),
            errors: self.errors.clone(),
            conflict: (*self.conflict).clone(),
        }
    }

    fn of_fields(code: Code, errors: Vec<FieldError>) -> Self {
        let detail = errors.first().map_or_else(String::new, |first| {
            let more = if errors.len() > 1 { format!(" ({} errors in all)", errors.len()) } else { String::new() };
            match (code, first.pointer.as_str()) {
                (Code::InvalidBody, "") => format!("The body {}{more}.", first.message.trim_end_matches('.')),
                (_, pointer) => format!("{pointer} {}{more}.", first.message.trim_end_matches('.')),
            }
        });
        Self::new(code, detail).with_errors(errors)
    }

    /// Says why nothing was done, for those who count.
    #[must_use]
    pub fn because(mut self, reason: Option<Reason>) -> Self {
        self.reason = reason;
        self
    }

    fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    fn log(&self) {
        let Some(source) = &self.source else { return };
        let mut chain = source.to_string();
        let mut next = source.source();
        while let Some(cause) = next {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            next = cause.source();
        }
        // What is asked all the time has no span that says it.
        let id = if Span::current().is_disabled() { REQUEST_ID.try_with(Clone::clone).ok() } else { None };
        let request_id = id.as_ref().and_then(|id| id.to_str().ok());
        tracing::error!(code = self.code.as_str(), error = chain, request_id, "the request failed");
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.log();
        let request_id = REQUEST_ID.try_with(Clone::clone).ok();
        let body = self.body(request_id.as_ref().and_then(|id| id.to_str().ok()));
        let (status, body) = match serde_json::to_vec(&body) {
            Ok(bytes) => (self.code.status(), bytes),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
        };
        let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
        // For those who count.
        response.extensions_mut().insert(self.code);
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(reason);
        }
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// One thing that is wrong with the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, empty for the whole of it; for a parameter `/path/NAME`, `/query/NAME` or
    /// `/header/NAME`.
    #[schema(example = "/feedback/items/0/text")]
    pub pointer: String,
    /// What is wrong, as a stable word for programs. Of the form: `required`, `unknown_field`, `duplicate_key`,
    /// `wrong_type`, `invalid_value`, `number_out_of_range`, `nul_character`, `lone_surrogate`, `too_deep`. Of the
    /// content: `unknown_value`, `unknown_stage`, `unknown_revision`, `too_long`, `too_many`, `out_of_range`,
    /// `not_allowed` (beside the other fields, or for this party), `not_equal` (two places that must say the same),
    /// `in_future`, `not_in_future`, `reserved`. Of a workflow definition: the schema `MistakeCode`. Later versions may
    /// add words.
    #[schema(value_type = String, example = "required")]
    pub code: Cow<'static, str>,
    /// The same for people; follows the name of the field in a sentence.
    #[schema(example = "is required")]
    pub message: String,
}

impl FieldError {
    /// An error at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: Cow::Borrowed(code), message: message.into() }
    }

    /// A field that is missing.
    pub fn required(pointer: impl Into<String>) -> Self {
        Self::new(pointer, "required", "is required")
    }
}

/// Where the task stands, as far as the caller may see it: in every 409, and in the 412s of commands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Conflict {
    /// The task's phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PhaseName>, example = "in_review")]
    pub phase: Option<&'static str>,
    /// The key of the stage that the task is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "legal")]
    pub stage: Option<String>,
    /// How many times the task has entered the stage, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    pub round: Option<u32>,
    /// The latest revision of the work; 0 if nothing was handed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 2)]
    pub revision: Option<u32>,
    /// The version of the caller's view of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 7)]
    pub version: Option<u64>,
    /// The commands that are open to this caller now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<CommandType>>, example = json!(["stage_approved", "stage_rejected"]))]
    pub allowed: Option<Vec<&'static str>>,
    /// The decision that counts (`already_decided`): the row of the trail as the caller may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub decision: Option<serde_json::Value>,
    /// The row that records a decision which came too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// The current `ETag` of the caller's view (`precondition_failed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "\"7\"")]
    pub etag: Option<String>,
}

/// A row of the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Recorded {
    /// Its `seq`.
    #[schema(example = 12)]
    pub seq: u64,
}

/// An error: RFC 9457 problem details.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body {
    /// The problem type: `urn:stagegate:problem:` and the code. A name, not an address.
    #[serde(rename = "type")]
    #[schema(example = "urn:stagegate:problem:not_found")]
    pub kind: String,
    /// The problem type in a few words.
    #[schema(value_type = String, example = "Not found")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// The problem type as one word.
    pub code: Code,
    /// What happened this time and what can be done about it, for people.
    #[schema(value_type = String, example = "There is no such resource, or this credential may not see it.")]
    pub detail: Cow<'static, str>,
    /// The request's id, also in the header `X-Request-Id` and in the service's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What is wrong with the input, if that is the problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    /// Where the task stands.
    #[serde(flatten)]
    pub conflict: Conflict,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_fault_of_ours_says_nothing_but_the_request_id() {
        let id = HeaderValue::from_static("r-1");
        let response =
            REQUEST_ID.scope(id, async { Problem::internal("password=hunter2 at 10.0.0.1").into_response() }).await;
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], CONTENT_TYPE);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "urn:stagegate:problem:internal", "title": "Internal error", "status": 500, "code": "internal",
                "detail": "The service failed. The request id leads to the cause in its log.", "request_id": "r-1",
            })
        );
    }

    #[test]
    fn a_conflict_says_where_the_task_stands() {
        let conflict =
            Conflict { phase: Some("cancelling"), recorded: Some(Recorded { seq: 12 }), ..Conflict::default() };
        let body = Problem::new(Code::Cancelling, "Too late.").with_conflict(conflict).body(None);
        let body = serde_json::to_value(body).unwrap();
        assert_eq!(body["phase"], "cancelling");
        assert_eq!(body["recorded"], json!({ "seq": 12 }));
        assert!(body.get("errors").is_none() && body.get("stage").is_none());
    }
}
