//! The command endpoint, the only write to a task.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::Caller;
use crate::app::tasks::commands::{Answer, Request, View};
use crate::domain::audit::EntryView;
use crate::domain::task::command::CommandType;
use crate::domain::task::forecast::StatusView;
use crate::domain::task::view::TaskView;
use crate::domain::values::id::CommandId;
use crate::http::AppState;
use crate::http::input::body::RawBody;
use crate::http::input::etag;
use crate::http::input::extract::{Path, Query};
use crate::http::problem::{FieldError, Problem};

use super::command_body;
use super::tasks::TaskPath;

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Options of a command.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Return the result without storing anything. Default: `false`.
    #[serde(default)]
    dry_run: bool,
    /// Add a signed receipt of `event` to the response. Ignored in a dry run, which records
    /// nothing. Default: `false`.
    #[serde(default)]
    receipt: bool,
}

/// The result of a command.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventAnswer {
    /// The trail entry with the command's id.
    event: EntryView,
    /// All entries that the command added, in order; `event` is the first.
    events: Vec<EntryView>,
    /// The task after the command. Only for the partner and the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Box<TaskView>>,
    /// The task's status after the command. Only for a buyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Box<StatusView>>,
    /// The receipt of `event`, as returned by `GET /tasks/{id}/audit/{seq}/receipt`. Only with
    /// `receipt=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
}

/// Send a command to a task
///
/// Commands are the only way to change a task. A command's `id` makes it safe to send again: the
/// same id and body from the same party gets `200`, the first response and
/// `Idempotent-Replayed: true`, regardless of what has happened since. A refused command changes
/// nothing, with one exception: a decision that arrives after the task began to end is recorded,
/// and `recorded.seq` of the refusal names its entry.
#[utoipa::path(post, path = "/tasks/{id}/events", tag = "tasks", security(("partnerKey" = ["work"]), ("partnerKey" = ["review"]), ("partnerKey" = ["define"]), ("platformKey" = []), ("buyerToken" = [])),
    params(TaskPath, EventQuery,
        ("Idempotency-Key" = Option<Uuid>, Header, description = "The command's `id`, if it is not in the body."),
        ("If-Match" = Option<String>, Header, pattern = "^([*]|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$", description = "The `ETag` of the caller's view (the task, or the status for a buyer). The command is refused if the view has changed.")),
    request_body(content = command_body::EventCommand, examples(
        ("submit" = (summary = "Submit work", value = json!(command_body::example(CommandType::WorkSubmitted)))),
        ("approve" = (summary = "Approve", value = json!(command_body::example(CommandType::StageApproved)))),
        ("reject" = (summary = "Reject with feedback", value = json!(command_body::example(CommandType::StageRejected)))),
        ("escalate" = (summary = "Ask the buyer for a decision", value = json!(command_body::example(CommandType::StageEscalated)))),
        ("resolve" = (summary = "Resolve an escalation", value = json!(command_body::example(CommandType::EscalationResolved)))),
        ("cancel" = (summary = "Cancel", value = json!(command_body::example(CommandType::CancellationRequested)))),
    )),
    responses(
        (status = 200, description = "The command was already carried out (`Idempotent-Replayed: true`), or this was a dry run.", body = EventAnswer,
            headers(("ETag" = String, description = "The version of the caller's view after the command, in quotes."), ("Idempotent-Replayed" = Option<String>, description = "`true` if the command was already carried out."))),
        (status = 201, description = "The command was carried out.", body = EventAnswer, headers(("ETag" = String, description = "The version of the caller's view after the command, in quotes."))),
        (status = 403, description = ""),
        (status = 409, description = ""),
        (status = 412, description = ""),
    ))]
#[expect(clippy::too_many_arguments, reason = "one extractor per part of the request")]
pub async fn post_event(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(query): Query<EventQuery>,
    State(state): State<AppState>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Problem> {
    let target = state.app.tasks.commands.find_target(&caller, path.id).await?;
    let (key, if_match) = (idempotency_key(&headers)?, etag::if_match(&headers)?);
    let request = command_body::parse(body.object()?, &caller, key, state.app.clock().now())?;
    let request = Request { if_match, dry_run: query.dry_run, ..request };
    let with_receipt = query.receipt && !query.dry_run;
    if with_receipt {
        // Check before the command: a refused command must change nothing.
        state.app.audit.log.require_key()?;
    }
    let answer = state.app.tasks.commands.post_event(&caller, target, request).await?;
    let receipt = match answer.events.first().filter(|_| with_receipt) {
        Some(event) => Some(state.app.audit.receipts.get_task_receipt(&caller, path.id, event.seq).await?),
        None => None,
    };
    respond(answer, receipt, query.dry_run)
}

impl EventAnswer {
    /// The result of a command, with its receipt if one was asked for.
    ///
    /// # Errors
    ///
    /// Never: every command adds an entry.
    pub fn new(answer: Answer, receipt: Option<String>) -> Result<Self, Problem> {
        let event = answer.events.first().cloned().ok_or_else(|| Problem::internal("a transition without an event"))?;
        let (task, status) = match answer.view {
            View::Task(task) => (Some(task), None),
            View::Status(status) => (None, Some(status)),
        };
        Ok(Self { event, events: answer.events, task, status, receipt })
    }
}

/// The answer to a command.
pub(super) fn respond(answer: Answer, receipt: Option<String>, dry_run: bool) -> Result<Response, Problem> {
    let (tag, is_replayed) = (etag::tag(answer.view.version()), answer.replayed);
    let done = EventAnswer::new(answer, receipt)?;
    let replayed = [(REPLAYED, HeaderValue::from_static("true"))];
    Ok(match (is_replayed, dry_run) {
        (true, _) => (StatusCode::OK, [(header::ETAG, tag)], replayed, Json(done)).into_response(),
        // A dry run writes nothing, so its version does not exist.
        (false, true) => (StatusCode::OK, Json(done)).into_response(),
        (false, false) => (StatusCode::CREATED, [(header::ETAG, tag)], Json(done)).into_response(),
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<CommandId>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).into_iter();
    let invalid = || {
        let error = FieldError::new("/header/Idempotency-Key", "invalid_value", "must be one UUID");
        Problem::invalid_parameter(error)
    };
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            // The IETF draft writes the key as a quoted string; most clients send it bare.
            let text = value.to_str().map_err(|_| invalid())?.trim().trim_matches('"');
            Uuid::parse_str(text).map(|id| Some(CommandId(id))).map_err(|_| invalid())
        }
        (Some(_), Some(_)) => Err(invalid()),
    }
}
