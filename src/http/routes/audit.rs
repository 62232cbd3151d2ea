//! The trail of a task, as the caller's party may see it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Caller;
use crate::domain::audit::{EntryView, ProofView};
use crate::domain::values::id::TaskId;
use crate::http::AppState;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{Cursor, Limit, Page};
use crate::http::problem::{FieldError, Problem};

use super::export::answer;
use super::tasks::TaskPath;
use super::transparency_log::{Count, number};

/// Selects a page of the trail, or an export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// `json` (default): a page. `jsonl`: an export of the whole trail, with everything needed to
    /// verify it offline.
    #[serde(default)]
    #[param(inline)]
    format: TrailFormat,
    /// The maximum number of entries of the page. Default: 100. Not allowed with `format=jsonl`.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next` of an earlier page. Default: the first page. Not allowed with `format=jsonl`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<u64>>,
    /// For exports only: the size (number of leaves) of the log at the checkpoint to prove the
    /// trail against, such as a checkpoint that you kept. Default: the newest checkpoint.
    #[param(value_type = Option<u64>, minimum = 1)]
    size: Option<Count>,
}

/// The form of the response.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum TrailFormat {
    /// A page of the trail.
    #[default]
    Json,
    /// An export.
    Jsonl,
}

/// What the caller requests.
pub(in crate::http) enum Wanted {
    /// The entries after a `seq`.
    Page(u64, Limit),
    /// The whole trail, proven against the checkpoint of this size.
    Export(Option<u64>),
}

impl AuditQuery {
    /// Refuses parameters that do not apply to the requested form.
    pub(in crate::http) fn wanted(&self) -> Result<Wanted, Problem> {
        let refused = |name: &str, message| {
            Err(Problem::invalid_parameter(FieldError::new(format!("/query/{name}"), "not_allowed", message)))
        };
        let whole = "is for pages; `format=jsonl` exports the whole trail";
        match self.format {
            TrailFormat::Jsonl if self.cursor.is_some() => refused("cursor", whole),
            TrailFormat::Jsonl if self.limit.is_some() => refused("limit", whole),
            TrailFormat::Json if self.size.is_some() => refused("size", "is for exports (`format=jsonl`)"),
            TrailFormat::Jsonl => Ok(Wanted::Export(number(self.size))),
            TrailFormat::Json => {
                let after = self.cursor.map_or(0, |cursor| cursor.0);
                Ok(Wanted::Page(after, self.limit.unwrap_or(Limit::max())))
            }
        }
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
/// `format=jsonl` returns the whole trail as lines of JSON, to be stored and verified offline with
/// `stagegate audit verify` (the crate documentation at `domain::audit` describes the format). An
/// export by the platform is recorded in the partner's trail.
#[utoipa::path(get, path = "/tasks/{id}/audit", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath, AuditQuery), responses(
    (status = 200, description = "A page of the trail, or the export. An incomplete export lacks the last line.", content((Trail = "application/json"), (String = "application/jsonl"))),
))]
pub async fn get_task_audit(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(query): Query<AuditQuery>,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    match query.wanted()? {
        Wanted::Page(after, limit) => {
            let rows = state.app.audit.task_trails.get_task_audit(&caller, path.id, after, limit.most()).await?;
            let Page { items, next } = Page::of(rows, |row| row.seq);
            Ok(Json(Trail { task_id: path.id, items, next }).into_response())
        }
        Wanted::Export(size) => answer(state.app.audit.exports.export_task(&caller, path.id, size).await?).await,
    }
}

/// Read the proof of a task's trail
///
/// Returns the hash chain of the whole trail, with the openings of the commitments that the caller
/// may see. It is all that is needed to verify the trail offline.
#[utoipa::path(get, path = "/tasks/{id}/audit/proof", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath), responses(
    (status = 200, description = "The proof.", body = ProofView),
))]
pub async fn get_task_audit_proof(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<ProofView>, Problem> {
    Ok(Json(state.app.audit.task_trails.get_task_audit_proof(&caller, path.id).await?))
}
