//! The status of tasks for buyers: one status, or all of the caller's.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::timeout;
use utoipa::IntoParams;

use crate::app::App;
use crate::app::status::watch::Woken;
use crate::app::status::{AtLeast, Status};
use crate::app::tasks::OpenedAfter;
use crate::domain::task::forecast::StatusView;
use crate::domain::task::unreadable::UnreadableTask;
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::auth::{Authenticated, BuyerOnly};
use crate::http::input::deadline::Deadline;
use crate::http::input::etag;
use crate::http::input::extract::{Path, Query, parse_query};
use crate::http::input::page::{AnyCursor, Cursor, Limit, Page, PageWithGaps};
use crate::http::problem::Problem;

use super::tasks::TaskPath;

/// Selects a page of the statuses.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatusesQuery {
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(inline, value_type = Option<AnyCursor>)]
    cursor: Option<Cursor<(Time, TaskId)>>,
}

/// The required version of a status, and whether to wait for a change.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatusQuery {
    /// With `If-None-Match`: how many seconds to wait for a status with another `ETag`.
    #[param(value_type = Option<u32>, maximum = 55, default = 0)]
    #[serde(default)]
    wait: Wait,
    /// A version of the task or its status that the caller knows, for example from the response to
    /// a command. The response is not older; it is `503 behind` if there is no such version (yet).
    #[param(value_type = Option<u64>, default = 0)]
    #[serde(default)]
    min_version: u64,
}

/// Whole seconds, 0 to 55: shorter than the time after which load balancers close a silent
/// connection.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "u32")]
struct Wait(u32);

impl TryFrom<u32> for Wait {
    type Error = &'static str;

    fn try_from(seconds: u32) -> Result<Self, Self::Error> {
        if seconds <= 55 { Ok(Self(seconds)) } else { Err("must be from 0 to 55 whole seconds") }
    }
}

impl Wait {
    fn time(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

/// Read a task's status
///
/// Returns the task's state as the buyer sees it. `version` and `ETag` change only when the content
/// changes; poll with `If-None-Match`. `stage_seconds` and `remaining_seconds` are computed for
/// each response and change neither.
///
/// Changes that other replicas have just written may be missing for less than a second; changes
/// written by this replica are always included. The response is never older than the newest version
/// in `If-None-Match` (if that version exists) or `min_version`. A replica that reads a standby
/// cannot tell whether such a version exists: it responds with `503 behind` until it has it, also
/// for a task that does not exist.
///
/// With `wait` and `If-None-Match`, the response is held until there is another status: `200` as
/// soon as there is one, or `304` when the time is over. A finished task responds at once, because
/// its status never changes again. The response is sent early when the service is about to stop. A
/// credential that expires during the wait gets `401`. If the limit of concurrent waits is reached,
/// the response is `503`.
#[utoipa::path(get, path = "/tasks/{id}/status", tag = "status", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath, StatusQuery,
    ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the response that the caller has.")), responses(
    (status = 200, description = "The status.", body = StatusView, headers(("ETag" = String, description = "The status' version in quotes."))),
    (status = 304, description = "The status has not changed."),
))]
pub async fn get_task_status(
    (authenticated, deadline): (Authenticated, Deadline),
    Path(path): Path<TaskPath>,
    Query(query): Query<StatusQuery>,
    State(state): State<AppState>,
    known: etag::IfNoneMatch,
) -> Result<Response, Problem> {
    respond(&state.app, (authenticated, deadline), path.id, (query, known)).await
}

/// [`get_task_status`] without the router (see [`crate::http::HttpService`]).
pub(in crate::http) async fn poll(
    state: &AppState,
    deadline: Deadline,
    id: TaskId,
    parts: Box<Parts>,
) -> Result<Response, Problem> {
    let authenticated = state.auth.authenticate(&state.app, &parts.headers).await?;
    let query = parts.uri.query().map(parse_query).transpose()?.unwrap_or_default();
    let known = etag::IfNoneMatch::new(&parts.headers);
    // Dropping the parts frees their read buffer, which a waiting request does not need.
    drop(parts);
    respond(&state.app, (authenticated, deadline), id, (query, known)).await
}

async fn respond(
    app: &Arc<App>,
    (authenticated, deadline): (Authenticated, Deadline),
    id: TaskId,
    (query, known): (StatusQuery, etag::IfNoneMatch),
) -> Result<Response, Problem> {
    let at_least = AtLeast { seen: known.newest(), required: query.min_version };
    let wait = query.wait.time().min(authenticated.left(app).unwrap_or(Duration::MAX));
    if wait.is_zero() || known.is_nothing() {
        let status = app.statuses.get_task_status(&authenticated.caller, id, at_least).await?;
        return Ok(answer(app, &known, &status).await);
    }
    deadline.extend(wait);
    let mut watch = app.statuses.watchers.watch_task_status(&authenticated.caller, id, at_least).await?;
    let mut woken = Ok(Woken::Changed);
    if known.has(watch.status().version) && !watch.is_final() {
        woken = timeout(wait, watch.changed()).await;
        // Boxed, here and below, so that a waiting request reserves memory for the wait only.
        Box::pin(authenticated.check(app)).await?;
    }
    let mut response = Box::pin(answer(app, &known, watch.status())).await;
    if woken == Ok(Woken::Stopping) {
        // Otherwise the client would send its next request to this replica.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

async fn answer(app: &App, known: &etag::IfNoneMatch, status: &Status) -> Response {
    if known.has(status.version) {
        return etag::not_modified(status.version);
    }
    etag::tagged(status.version, app.statuses.answer_status(status).await)
}

/// List the caller's statuses
///
/// Returns the status of all tasks of the buyer, latest opened first. A task that this replica
/// cannot read is in `unreadable`.
#[utoipa::path(get, path = "/statuses", tag = "status", security(("buyerToken" = [])), params(StatusesQuery), responses(
    (status = 200, description = "A page of statuses.", body = PageWithGaps<StatusView, UnreadableTask>),
))]
pub async fn list_statuses(
    BuyerOnly(buyer): BuyerOnly,
    Query(query): Query<StatusesQuery>,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let after = Cursor::of_page(query.cursor, state.app.cell())?;
    let after = after.map(|(opened_at, task_id)| OpenedAfter { opened_at, task_id });
    let rows = state.app.statuses.list_statuses(buyer, after, query.limit.and_one_more()).await?;
    let key = |(place, _): &(OpenedAfter, _)| (place.opened_at, place.task_id);
    let page = Page::new(state.app.cell(), rows, query.limit, key, |(place, status)| match status {
        // The rows are spliced in as they are stored.
        Ok(json) => RawValue::from_string(json).map(Ok),
        Err(unreadable) => Ok(Err(UnreadableTask { task_id: place.task_id, unreadable })),
    });
    let Page { items, next } = page;
    let items = items.into_iter().collect::<Result<_, _>>().map_err(Problem::internal)?;
    let json = serde_json::to_string(&PageWithGaps::new(items, next)).map_err(Problem::internal)?;
    let headers = [(header::CACHE_CONTROL, "private, no-cache"), (header::CONTENT_TYPE, "application/json")];
    Ok((headers, json).into_response())
}
