//! Exports of trails, streamed while they are read.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::audit::export::Export;
use crate::causes::one_line;
use crate::domain::audit::export::Selection;
use crate::domain::values::id::{PartnerId, WorkflowKey};
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::auth::PlatformOnly;
use crate::http::input::extract::Query;
use crate::http::problem::{FieldError, Problem};

use super::transparency_log::{Count, number};

/// Media type of lines of JSON. It is not registered, but commonly used.
const JSONL: &str = "application/jsonl";

/// Selects the tasks whose trails are exported. A partner or one end of the time range is required.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// Only tasks of this partner.
    partner_id: Option<PartnerId>,
    /// Only tasks on this workflow of the partner, in any version.
    workflow: Option<WorkflowKey>,
    /// Only tasks with an entry that was recorded at this time or later. Their trails are exported
    /// completely.
    from: Option<Time>,
    /// Only tasks with an entry that was recorded before this time; together with `from`, with an
    /// entry in between.
    until: Option<Time>,
    /// The size (number of leaves) of the log at the checkpoint to prove the trails against.
    /// Default: the newest checkpoint.
    #[param(value_type = Option<u64>, minimum = 1)]
    size: Option<Count>,
}

impl ExportQuery {
    fn selection(&self) -> Result<Selection, Problem> {
        let refused = |name: &str, code, message| {
            Err(Problem::invalid_parameter(FieldError::new(format!("/query/{name}"), code, message)))
        };
        if self.partner_id.is_none() {
            if self.workflow.is_some() {
                return refused(
                    "partner_id",
                    "required",
                    "is required with `workflow`, because each partner has keys of its own",
                );
            }
            if self.from.is_none() && self.until.is_none() {
                return refused("partner_id", "required", "is required without `from` and `until`");
            }
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && from >= until
        {
            return refused("until", "out_of_range", "must be later than `from`");
        }
        let Self { partner_id, workflow, from, until, .. } = self;
        Ok(Selection { partner: *partner_id, workflow: workflow.clone(), from: *from, until: *until })
    }
}

/// Export the trails of many tasks
///
/// Returns one export after the other, ordered by task id, between a first line with the selection
/// and a last line with the totals. A task that is opened during the export may be missing. The
/// response is streamed and has no time limit. If it breaks off, the last line is missing and the
/// connection is closed before the body is complete. The export is recorded in the trail of every
/// affected partner before the data is sent, for up to 1,000 tasks at a time.
#[utoipa::path(get, path = "/audit/export", tag = "audit", security(("platformKey" = [])), params(ExportQuery), responses(
    (status = 200, description = "The exports.", body = String, content_type = "application/jsonl"),
    (status = 404, description = ""),
))]
pub async fn export_tasks(
    PlatformOnly(caller): PlatformOnly,
    Query(query): Query<ExportQuery>,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let selection = query.selection()?;
    answer(state.app.audit.exports.export_tasks(&caller, selection, number(query.size)).await?).await
}

/// Streams an export. A piece is made when the client has taken the previous one, so a slow client
/// costs no memory and a disconnected one no work. An error after the first piece closes the
/// connection before the body is complete.
pub async fn answer(mut export: Export) -> Result<Response, Problem> {
    // An error before the first piece becomes a normal problem response.
    let first = export.next().await?;
    let state = (first, Some(export));
    let pieces = stream::try_unfold(state, |(piece, export)| async move {
        if let Some(piece) = piece {
            return Ok(Some((piece, (None, export))));
        }
        let Some(mut export) = export else { return Ok(None) };
        match export.next().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, (None, Some(export))))),
            Err(error) => {
                let error = Arc::new(error);
                tracing::error!(error = %one_line(&error), "an export failed after its response had started");
                Err(error)
            }
        }
    });
    Ok(([(header::CONTENT_TYPE, JSONL)], Body::from_stream(pieces)).into_response())
}
