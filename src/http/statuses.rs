//! What the buyer reads: one status, or all of the caller's.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::IntoParams;

use crate::app::Caller;
use crate::app::tasks::{self, OpenedAfter};
use crate::domain::id::TaskId;
use crate::domain::pace::StatusView;
use crate::domain::time::Time;

use super::auth::BuyerOnly;
use super::extract::{NoParameters, Path, Query};
use super::page::{Cursor, Limit, Page};
use super::problem::Problem;
use super::tasks::TaskPath;
use super::{AppState, etag};

/// Which page of the statuses.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatusesQuery {
    /// How many rows the page has at most.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page; without it the first page.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Time, TaskId)>>,
}

/// Read a task's status
///
/// What the buyer reads. Its `version` and `ETag` change only when something in it does; poll with `If-None-Match`. `stage_seconds` and
/// `remaining_seconds` are as of the answer and change neither.
#[utoipa::path(get, path = "/tasks/{id}/status", tag = "status", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath,
    ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the answer that the caller has.")), responses(
    (status = 200, description = "The status.", body = StatusView, headers(("ETag" = String, description = "The status' version in quotes."))),
    (status = 304, description = "It has not changed."),
))]
pub async fn get_task_status(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let status = tasks::get_task_status(&state.app, &caller, path.id).await?;
    Ok(etag::conditional(&headers, status.version, status.json))
}

/// List the caller's statuses
///
/// Those of all the buyer's tasks, the latest opened first.
#[utoipa::path(get, path = "/statuses", tag = "status", security(("buyerToken" = [])), params(StatusesQuery), responses(
    (status = 200, description = "A page of statuses.", body = Page<StatusView>),
))]
pub async fn list_statuses(
    BuyerOnly(buyer): BuyerOnly,
    Query(query): Query<StatusesQuery>,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let after = query.cursor.map(|Cursor((opened_at, task_id))| OpenedAfter { opened_at, task_id });
    let rows = tasks::list_statuses(&state.app, buyer, after, query.limit.and_one_more()).await?;
    let page = Page::new(rows, query.limit, |row| (row.opened_at, row.task_id), |row| RawValue::from_string(row.json));
    let Page { items, next } = page;
    let items = items.into_iter().collect::<Result<_, _>>().map_err(Problem::internal)?;
    let json = serde_json::to_string(&Page::<Box<RawValue>> { items, next }).map_err(Problem::internal)?;
    let headers = [(header::CACHE_CONTROL, "private, no-cache"), (header::CONTENT_TYPE, "application/json")];
    Ok((headers, json).into_response())
}
