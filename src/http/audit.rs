//! The trail of a task, as the caller's party may see it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::{Caller, audit};
use crate::domain::audit::{EntryView, ProofView};
use crate::domain::id::TaskId;

use super::AppState;
use super::extract::{NoParameters, Path, Query};
use super::page::{Cursor, Limit, Page};
use super::problem::Problem;
use super::tasks::TaskPath;

/// Which page of the trail.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// How many entries the page has at most.
    #[param(inline)]
    #[serde(default = "Limit::max")]
    pub(super) limit: Limit,
    /// The `next` of an earlier page; without it the first page.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<u64>>,
}

impl AuditQuery {
    /// The `seq` that the page follows.
    pub(super) fn after(&self) -> u64 {
        self.cursor.map_or(0, |cursor| cursor.0)
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
/// Oldest first. Each party sees its own view: who decided what, when, on which revision.
#[utoipa::path(get, path = "/tasks/{id}/audit", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath, AuditQuery), responses(
    (status = 200, description = "A page of the trail.", body = Trail),
))]
pub async fn get_task_audit(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(query): Query<AuditQuery>,
    State(state): State<AppState>,
) -> Result<Json<Trail>, Problem> {
    let rows = audit::get_task_audit(&state.app, &caller, path.id, query.after(), query.limit.and_one_more()).await?;
    let Page { items, next } = Page::new(rows, query.limit, |row| row.seq, |row| row);
    Ok(Json(Trail { task_id: path.id, items, next }))
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
    Ok(Json(audit::get_task_audit_proof(&state.app, &caller, path.id).await?))
}
