//! Errors in responses: RFC 9457 `application/problem+json`. This is the only module that knows
//! status codes.
//!
//! A 5xx body is constant text plus the request id and, for a damaged trail, the number of the
//! entry. The cause is logged here, once, and never sent.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::Span;
use utoipa::ToSchema;

use crate::app::Archived;
use crate::app::refusals::Reason;
use crate::causes::one_line;
use crate::domain::audit::EntryView;
use crate::domain::task::PhaseName;
use crate::domain::task::command::CommandType;
use crate::domain::task::event::QuestionEnd;
use crate::domain::task::question::ClosedQuestion;
use crate::domain::values::id::TaskId;
use crate::domain::values::party::Actor;
use crate::domain::values::time::Time;

mod carried;
mod code;
pub(super) mod fallback;
mod field;
pub(crate) mod refused;
mod remedy;

pub use carried::Carried;
pub use code::Code;
pub use field::FieldError;

/// Content type of every error.
pub const CONTENT_TYPE: &str = "application/problem+json";

tokio::task_local! {
    /// The current request; the outermost middleware sets it.
    pub(super) static REQUEST: RequestContext;
}

/// What a problem repeats of the request that it answers.
#[derive(Clone, Debug)]
pub(super) struct RequestContext {
    /// The request's id.
    pub(super) id: HeaderValue,
    /// The origin by which browsers reach the service, if it is known.
    pub(super) origin: Option<Arc<str>>,
}

/// The id of the request that is being served; `None` outside of one.
pub fn request_id() -> Option<String> {
    REQUEST.try_with(|request| request.id.to_str().map(ToOwned::to_owned)).ok()?.ok()
}

/// The URL of a problem type: absolute where the service knows its own.
fn problem_type(code: Code) -> String {
    let origin = REQUEST.try_with(|request| request.origin.clone()).ok().flatten();
    format!("{}{}", origin.as_deref().unwrap_or_default(), code.path())
}

/// An error to send to the caller.
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
    /// Creates a problem that the caller can act on; `detail` says how.
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

    /// A body that is JSON but invalid. The detail repeats the first error, for clients that show
    /// only the detail.
    pub fn invalid_body(errors: Vec<FieldError>) -> Self {
        Self::of_fields(Code::InvalidBody, errors)
    }

    /// An invalid path parameter, query parameter or header.
    pub fn invalid_parameter(error: FieldError) -> Self {
        Self::of_fields(Code::InvalidParameter, vec![error])
    }

    /// The resource does not exist or belongs to another party.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is no such resource, or this credential may not see it.")
    }

    /// A fault of the service; `source` is logged and not sent.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "The service failed. Its log names the cause under the request id.").caused_by(source)
    }

    /// An entry of a trail differs from what was written; `source` is logged as well.
    pub fn damaged(seq: u64, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let detail =
            format!("Entry {seq} of the trail differs from what was written. The log has more under the request id.");
        Self::new(Code::TrailDamaged, detail).caused_by(source)
    }

    /// A dependency of the service does not respond; `source` is logged and not sent.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Unavailable, "The service is temporarily unavailable. Try again shortly.")
            .header(header::RETRY_AFTER, HeaderValue::from_static("2"))
            .caused_by(source)
    }

    /// A dependency did not respond to a request that may have had an effect; `source` is logged
    /// and not sent.
    pub fn unanswered(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let detail = "The database did not respond. The request may or may not have been recorded; sending the same request again, with \
            the same id, is safe.";
        Self::new(Code::Unavailable, detail)
            .header(header::RETRY_AFTER, HeaderValue::from_static("2"))
            .caused_by(source)
    }

    /// This replica does not have the version that the caller has seen or asked for.
    pub fn behind() -> Self {
        let detail =
            "This replica does not have the version that the request names yet. Try again shortly, or read without it.";
        Self::new(Code::Behind, detail).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// This replica only reads, and the request writes.
    pub fn read_only() -> Self {
        let detail = "This replica only reads, so nothing was done. Send the request to a replica on the primary.";
        Self::new(Code::ReadOnly, detail).because(Some(Reason::ReadOnly))
    }

    /// The replica is not ready. The reason is sent; its causes are logged.
    pub fn not_ready(code: Code, why: impl StdError + Send + Sync + 'static) -> Self {
        let mut detail = why.to_string();
        if let Some(first) = detail.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        detail.push('.');
        Self::new(code, detail).header(header::RETRY_AFTER, HeaderValue::from_static("2")).caused_by(why)
    }

    /// The service has reached a limit for all callers; nothing was done.
    pub fn overloaded() -> Self {
        Self::new(Code::Overloaded, "The service is overloaded. Try again shortly.")
            .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The caller has used up its share; `detail` names the resource. Nothing was done.
    pub fn too_many_at_once(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::TooManyAtOnce, detail).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The caller makes requests of a kind too fast; it may send this one again after `pause`.
    pub fn too_many_requests(pause: Duration) -> Self {
        let detail = "This credential has made too many links in the last minutes: it can make 300 a minute.";
        let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
        Self::new(Code::TooManyRequests, detail).header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Adds the errors in the input.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds the task's current state (409 and 412).
    #[must_use]
    pub fn with_conflict(mut self, conflict: Conflict) -> Self {
        *self.conflict = conflict;
        self
    }

    /// Adds a header to the response.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The reason of a refusal, for the metrics.
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// The errors in the input, if that is the problem.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The body of the response to the request `request_id`.
    pub fn body(&self, request_id: Option<&str>) -> Body {
        Body {
            kind: problem_type(self.code),
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

    /// Sets the reason of a refusal, for the metrics.
    #[must_use]
    pub fn because(mut self, reason: Option<Reason>) -> Self {
        self.reason = reason;
        self
    }

    fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Logs the cause, if there is one. Sending the problem does so too.
    pub fn log(&self) {
        let Some(source) = &self.source else { return };
        let chain = one_line(source.as_ref());
        // Frequently polled operations have no span with the request id.
        let request_id = if Span::current().is_disabled() { request_id() } else { None };
        tracing::error!(code = self.code.as_str(), error = chain, request_id, "the request failed");
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.log();
        let body = self.body(request_id().as_deref());
        let (status, body) = match serde_json::to_vec(&body) {
            Ok(bytes) => (self.code.status(), bytes),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
        };
        let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
        // The middleware counts problems by code and reason.
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

/// The task's current state, as far as the caller may see it. Included in every 409 and in the 412s
/// of commands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Conflict {
    /// The task's phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PhaseName>, example = "in_review")]
    pub phase: Option<&'static str>,
    /// The key of the task's current stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "legal")]
    pub stage: Option<String>,
    /// The stage's round: how many times the task has entered it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    pub round: Option<u32>,
    /// The latest revision of the work; 0 if no work was submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 2)]
    pub revision: Option<u32>,
    /// The version of the caller's view of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 7)]
    pub version: Option<u64>,
    /// The commands that this caller may send now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["stage_approved", "stage_rejected"]))]
    pub allowed: Option<Vec<CommandType>>,
    /// The decision that counts (`already_decided`): its entry of the trail, as the caller may see
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub decision: Option<serde_json::Value>,
    /// The entry that records a decision that came too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// The open question (`question_open`), or how the named one was closed (`stale_question`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<QuestionStanding>,
    /// Why there is nothing to decide (`nothing_to_decide`): `not_waiting`, or the code with which a
    /// decision would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "not_a_reviewer")]
    pub why: Option<&'static str>,
    /// Whose claim ends first (`claimed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// When that claim ends (`claimed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// What is left of a task that was put away (`task_archived`, `task_exists`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<ArchivedTask>,
    /// The current `ETag` of the caller's view (`precondition_failed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "\"7\"")]
    pub etag: Option<String>,
}

/// What is left of a task that was put away.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ArchivedTask {
    /// The task.
    pub task_id: TaskId,
    /// When it ended.
    pub closed_at: Time,
    /// When it was put away.
    pub archived_at: Time,
    /// The SHA-256 of the file with its trail, in hex.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// The name of that file in the operator's archive. Not for buyers: the file shows what a buyer
    /// may not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2027/01/15/f7/0199aa00-0000-7000-8000-0000000000f7.jsonl")]
    pub file: Option<String>,
}

impl From<Archived> for ArchivedTask {
    fn from(Archived { task_id, closed_at, archived_at, sha256, file }: Archived) -> Self {
        Self { task_id, closed_at, archived_at, sha256: sha256.to_string(), file }
    }
}

/// A question that is open, or how it was closed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct QuestionStanding {
    /// The `seq` of the question.
    pub seq: u64,
    /// Where it stands.
    pub state: QuestionState,
    /// The `seq` of the entry that closed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<u64>,
    /// The answer: its entry of the trail, as the caller may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub answer: Option<serde_json::Value>,
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionState {
    /// It waits for its answer.
    Open,
    /// It was answered.
    Answered,
    /// The asking party took it back.
    Withdrawn,
    /// It was not answered in time.
    Lapsed,
    /// The task left the round, got a new revision, was escalated or cancelled, or ended.
    Overtaken,
}

impl QuestionStanding {
    /// A question that is open.
    pub fn open(seq: u64) -> Self {
        Self { seq, state: QuestionState::Open, closed_by: None, answer: None }
    }

    /// A question that was closed, with its answer as the caller may see it.
    pub fn closed(closed: ClosedQuestion, answer: Option<Box<EntryView>>) -> Self {
        let state = match closed.why {
            None => QuestionState::Answered,
            Some(QuestionEnd::Withdrawn) => QuestionState::Withdrawn,
            Some(QuestionEnd::Lapsed) => QuestionState::Lapsed,
            Some(QuestionEnd::Overtaken) => QuestionState::Overtaken,
        };
        let answer = answer.and_then(|entry| serde_json::to_value(entry).ok());
        Self { seq: closed.question, state, closed_by: Some(closed.seq), answer }
    }
}

/// An entry of the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Recorded {
    /// The entry's `seq`.
    #[schema(example = 12)]
    pub seq: u64,
}

/// An error: RFC 9457 problem details.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body {
    /// The problem type: the URL of a page that explains the code. Without an origin where the
    /// service does not know its own.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/docs/problems#not_found")]
    pub kind: String,
    /// A short description of the problem type.
    #[schema(value_type = String, example = "Not found")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// The problem type as a stable code.
    pub code: Code,
    /// What happened in this case and what can be done about it, for people.
    #[schema(value_type = String, example = "There is no such resource, or this credential may not see it.")]
    pub detail: Cow<'static, str>,
    /// The request's id, also in the header `X-Request-Id` and in the service's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The errors in the input, if that is the problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    /// The task's current state.
    #[serde(flatten)]
    pub conflict: Conflict,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_fault_of_ours_says_nothing_but_the_request_id() {
        let request =
            RequestContext { id: HeaderValue::from_static("r-1"), origin: Some("https://stagegate.example".into()) };
        let response =
            REQUEST.scope(request, async { Problem::internal("password=hunter2 at 10.0.0.1").into_response() }).await;
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], CONTENT_TYPE);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "https://stagegate.example/docs/problems#internal", "title": "Internal error", "status": 500, "code": "internal",
                "detail": "The service failed. Its log names the cause under the request id.", "request_id": "r-1",
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
