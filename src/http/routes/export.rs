//! Exports of trails: answers that are written as they are read.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::audit::export::{self, Export};
use crate::domain::audit::export::Selection;
use crate::domain::values::id::{PartnerId, WorkflowKey};
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::auth::PlatformOnly;
use crate::http::input::extract::Query;
use crate::http::problem::{FieldError, Problem};

use super::transparency_log::{Count, number};

/// The media type of lines of JSON. Not registered, but what such files are called.
const JSONL: &str = "application/jsonl";

/// Which tasks' trails. At least a partner, or one end of the span, must be named.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// Only this partner's.
    partner_id: Option<PartnerId>,
    /// Only those on this workflow of the partner, in any version.
    workflow: Option<WorkflowKey>,
    /// Only tasks with an entry that was recorded at this time or later. Their trails are exported whole.
    from: Option<Time>,
    /// Only tasks with an entry that was recorded before this time; with `from`, with one in between.
    until: Option<Time>,
    /// How many leaves the log had at the checkpoint that the trails are to be proven against; without it the
    /// newest one.
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
                return refused("partner_id", "required", "is required with `workflow`: keys are a partner's own");
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
/// One export after the other, in the order of the tasks' ids, between a line that says what was asked for and one
/// with the totals. A task that is opened meanwhile may be in it or not. It is written as it is read and may take
/// as long as it takes; one that breaks off has no last line, and the connection is not closed as it should be.
/// What leaves is recorded in the trail of every partner that it is about, before it leaves, up to 1,000 tasks at a
/// time.
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
    answer(export::export_tasks(&state.app, &caller, selection, number(query.size)).await?).await
}

/// The answer that is written while it is read: a piece is made when the last one has gone to the client, so that a
/// slow one costs no memory, and nothing is made for one that has left. An error after the first piece ends the
/// connection before the body is complete.
pub(in crate::http) async fn answer(mut export: Export) -> Result<Response, Problem> {
    // What fails at once is an error like any other.
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
                tracing::error!(error = %causes(&error), "an export broke off");
                Err(error)
            }
        }
    });
    Ok(([(header::CONTENT_TYPE, JSONL)], Body::from_stream(pieces)).into_response())
}

fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
