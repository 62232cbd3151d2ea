//! The trail of a task, as the caller's party may see it.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Caller;
use crate::domain::audit::{EntryView, Origin, ProofView};
use crate::domain::values::cell::Cell;
use crate::domain::values::id::TaskId;
use crate::http::AppState;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{AnyCursor, Cursor, Limit, Page};
use crate::http::problem::Problem;

use super::export::answer;
use super::tasks::TaskPath;
use super::transparency_log::{Count, number};

/// Selects a page of the trail.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// The maximum number of entries of the page.
    #[serde(default = "Limit::max")]
    #[param(inline)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(inline, value_type = Option<AnyCursor>)]
    cursor: Option<Cursor<u64>>,
}

impl AuditQuery {
    /// The `seq` after which the page begins, and the maximum number of its entries.
    ///
    /// # Errors
    ///
    /// When another cell gave the cursor out.
    pub(in crate::http) fn page(self, cell: &Cell) -> Result<(u64, u32), Problem> {
        Ok((Cursor::of_page(self.cursor, cell)?.unwrap_or_default(), self.limit.most()))
    }
}

/// Selects the checkpoint of an export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrailExportQuery {
    /// The size (number of leaves) of the log at the checkpoint to prove the
    /// trail against, such as a checkpoint that you kept. Default: the newest checkpoint.
    #[param(value_type = Option<u64>, minimum = 1)]
    size: Option<Count>,
}

impl TrailExportQuery {
    /// The size of the checkpoint's log; `None`: the newest.
    pub(in crate::http) fn size(&self) -> Option<u64> {
        number(self.size)
    }
}

/// A page of a task's trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trail {
    /// The task's id.
    task_id: TaskId,
    /// The entries, oldest first. An entry that the caller may not see has only `seq` and `hash`.
    items: Vec<EntryView>,
    /// The `cursor` of the next page; null on the last page. Opaque.
    #[schema(required = true)]
    next: Option<String>,
}

/// Read a task's trail
///
/// Returns the entries oldest first, up to `limit`; a page ends early with the entry that brings it
/// to 1 MiB as stored. Each party sees its own view: who decided what, when and on which revision.
#[utoipa::path(get, path = "/tasks/{id}/audit", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath, AuditQuery), responses(
    (status = 200, description = "A page of the trail.", body = Trail),
))]
pub async fn get_task_audit(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(query): Query<AuditQuery>,
    State(state): State<AppState>,
) -> Result<Json<Trail>, Problem> {
    let (after, limit) = query.page(state.app.cell())?;
    let rows = state.app.audit.task_trails.get_task_audit(&caller, path.id, after, limit).await?;
    let Page { items, next } = Page::of(state.app.cell(), rows, |row| row.seq);
    Ok(Json(Trail { task_id: path.id, items, next }))
}

/// Export a task's trail
///
/// Returns the whole trail as lines of JSON, to be stored and verified offline with
/// `stagegate audit verify` (the crate documentation at `domain::audit` describes the format). An
/// export by the platform is recorded in the partner's trail before the data is sent.
#[utoipa::path(get, path = "/tasks/{id}/audit/export", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath, TrailExportQuery), responses(
    (status = 200, description = "The export. An incomplete one lacks the last line.", body = String, content_type = "application/jsonl"),
))]
pub async fn export_task(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(query): Query<TrailExportQuery>,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    answer(state.app.audit.exports.export_task(&caller, path.id, query.size()).await?).await
}

/// Read the proof of a task's trail
///
/// Returns the hash chain of the whole trail, with the openings of the commitments that the caller
/// may see. It is all that is needed to verify the trail offline.
#[utoipa::path(get, path = "/tasks/{id}/audit/proof", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath), responses(
    (status = 200, description = "The proof.", body = ProofView<Origin>),
))]
pub async fn get_task_audit_proof(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<ProofView>, Problem> {
    Ok(Json(state.app.audit.task_trails.get_task_audit_proof(&caller, path.id).await?))
}
