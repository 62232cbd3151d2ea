//! The trail of a task, as the caller's party may see it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Caller;
use crate::app::audit::{export, trail};
use crate::domain::audit::{EntryView, ProofView};
use crate::domain::values::id::TaskId;
use crate::http::AppState;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{Cursor, Limit, Page};
use crate::http::problem::{FieldError, Problem};

use super::export::answer;
use super::tasks::TaskPath;
use super::transparency_log::{Count, number};

/// Which page of the trail.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// `json`, the default: a page. `jsonl`: the whole trail as an export, with all that it takes to check it offline.
    #[serde(default)]
    #[param(inline)]
    format: TrailFormat,
    /// How many entries the page has at most; 100 if not given. Not of an export.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next` of an earlier page; without it the first page. Not of an export.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<u64>>,
    /// Of an export alone: how many leaves the log had at the checkpoint that the trail is to be proven against,
    /// such as one that was kept. Without it the newest one.
    #[param(value_type = Option<u64>, minimum = 1)]
    size: Option<Count>,
}

/// In which form a trail is answered.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum TrailFormat {
    /// A page of the view.
    #[default]
    Json,
    /// An export.
    Jsonl,
}

/// What is asked for.
pub(in crate::http) enum Wanted {
    /// What follows a `seq`.
    Page(u64, Limit),
    /// All of it, proven against the checkpoint of this size.
    Export(Option<u64>),
}

impl AuditQuery {
    /// Refuses parameters that are not of the form that is asked for.
    pub(in crate::http) fn wanted(&self) -> Result<Wanted, Problem> {
        let refused = |name: &str, message| {
            Err(Problem::invalid_parameter(FieldError::new(format!("/query/{name}"), "not_allowed", message)))
        };
        let whole = "is for pages; with `format=jsonl` the answer is the whole trail";
        match self.format {
            TrailFormat::Jsonl if self.cursor.is_some() => refused("cursor", whole),
            TrailFormat::Jsonl if self.limit.is_some() => refused("limit", whole),
            TrailFormat::Json if self.size.is_some() => refused("size", "is for exports, with `format=jsonl`"),
            TrailFormat::Jsonl => Ok(Wanted::Export(number(self.size))),
            TrailFormat::Json => {
                let after = self.cursor.map_or(0, |cursor| cursor.0);
                Ok(Wanted::Page(after, self.limit.unwrap_or(Limit::max())))
            }
        }
    }
}

/// A part of a task's trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trail {
    /// The task.
    task_id: TaskId,
    /// The entries, oldest first. One that the caller may not see has `seq` and `hash` only.
    items: Vec<EntryView>,
    /// Give it as `cursor` to get the next page; null on the last one. Opaque.
    #[schema(required = true)]
    next: Option<String>,
}

/// Read a task's trail
///
/// Oldest first, up to `limit` entries; a page ends earlier, with the entry with which it has 1 MiB as stored. Each
/// party sees its own view: who decided what, when, on which revision. With `format=jsonl` the whole trail comes as
/// lines of JSON, to be kept and checked offline (`stagegate audit verify`; the format is in the documentation of the
/// crate, at `domain::audit`). An export by the platform is recorded in the partner's trail.
#[utoipa::path(get, path = "/tasks/{id}/audit", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath, AuditQuery), responses(
    (status = 200, description = "A page of the trail, or the export. An export that breaks off has no last line.", content((Trail = "application/json"), (String = "application/jsonl"))),
))]
pub async fn get_task_audit(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(query): Query<AuditQuery>,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    match query.wanted()? {
        Wanted::Page(after, limit) => {
            let rows = trail::get_task_audit(&state.app, &caller, path.id, after, limit.most()).await?;
            let Page { items, next } = Page::of(rows, |row| row.seq);
            Ok(Json(Trail { task_id: path.id, items, next }).into_response())
        }
        Wanted::Export(size) => answer(export::export_task(&state.app, &caller, path.id, size).await?).await,
    }
}

/// Read what it takes to check a trail offline
///
/// The hash chain of the whole trail with what opens the commitments that the caller may see.
#[utoipa::path(get, path = "/tasks/{id}/audit/proof", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath), responses(
    (status = 200, description = "The proof.", body = ProofView),
))]
pub async fn get_task_audit_proof(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<ProofView>, Problem> {
    Ok(Json(trail::get_task_audit_proof(&state.app, &caller, path.id).await?))
}
