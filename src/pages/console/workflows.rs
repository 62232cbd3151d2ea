//! The workflows of a partner: the list, and one version with its drawing, rules and history.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::app::workflows::Record;
use crate::domain::values::id::WorkflowKey;
use crate::http::AppState;
use crate::pages::frame::{Frame, render};
use crate::pages::problem::{Kind, PageError};
use crate::pages::session::Visitor;
use crate::pages::texts::written;
use crate::pages::times::TimeTag;

use super::drawing::Drawing;
use super::slips::{self, Slip};
use super::stages::{self, StageItem, WarningItem};
use super::tasks::outcome;
use super::versions::changes;
use super::{Answer, enter_as_partner, samples, words};
use crate::pages::query::Query;

/// The workflows of a page of the list.
const ROWS: usize = 50;
/// The versions that are compared.
const VERSIONS: usize = 20;

#[derive(Template)]
#[template(path = "console/workflows.html", config = "src/pages/askama.toml")]
struct WorkflowsPage {
    frame: Frame,
    slips: Vec<Slip>,
    rows: Vec<WorkflowRow>,
    next: Option<String>,
    /// Calls that make the first one, to copy.
    calls: String,
}

struct WorkflowRow {
    key: String,
    name: String,
    version: u32,
    stages: usize,
    running: u32,
    warnings: usize,
    retired: Option<TimeTag>,
}

#[derive(Template)]
#[template(path = "console/workflow.html", config = "src/pages/askama.toml")]
struct WorkflowPage {
    frame: Frame,
    key: String,
    version: u32,
    latest: u32,
    created: TimeTag,
    retired: Option<TimeTag>,
    running: u32,
    worst_case: String,
    drawing: Drawing,
    stages: Vec<StageItem>,
    warnings: Vec<WarningItem>,
    versions: Vec<VersionItem>,
    json: String,
    manage: bool,
}

struct VersionItem {
    version: u32,
    at: TimeTag,
    is_shown: bool,
    is_first: bool,
    changes: Vec<String>,
}

/// The list of workflows.
pub(super) async fn get_workflows(visitor: Visitor, State(state): State<AppState>, mut query: Query) -> Answer {
    let partner = enter_as_partner(&visitor)?;
    let failed = |error| PageError::of(error, visitor.untitled());
    let frame = visitor.frame(visitor.untitled().t.text("console-workflows"));
    let after: Option<WorkflowKey> = query.cursor();
    let slips = slips::of(&query, &frame);
    let most = u32::try_from(ROWS).unwrap_or(u32::MAX) + 1;
    let mut records = state.app.workflows.list_workflows(partner, after.as_ref(), most).await.map_err(failed)?;
    let more = records.len() > ROWS;
    records.truncate(ROWS);
    let next = records.last().filter(|_| more).map(|last| query.next("/workflows", &last.key));
    let running = running(&visitor, &state).await?;
    let row = |record: Record| WorkflowRow {
        running: running.get(&record.key).copied().unwrap_or_default(),
        key: record.key.to_string(),
        name: record.workflow.name.to_string(),
        version: record.version,
        stages: record.workflow.stages.len(),
        warnings: stages::warnings_of(&record.workflow).len(),
        retired: record.retired_at.map(|at| frame.times.tag(&at)),
    };
    let rows = records.into_iter().map(row).collect();
    let (status, frame) = outcome(frame, &slips);
    let calls = samples::workflow(&state);
    Ok(render(status, &WorkflowsPage { frame, slips, rows, next, calls }))
}

/// How many tasks are open on each workflow.
async fn running(visitor: &Visitor, state: &AppState) -> Result<HashMap<WorkflowKey, u32>, PageError> {
    let counts = state.app.tasks.count_tasks(&visitor.caller).await;
    let counts = counts.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let mut running = HashMap::new();
    for count in counts {
        *running.entry(count.workflow).or_default() += count.tasks;
    }
    Ok(running)
}

/// Finds a version of a partner's workflow: the one in the query, else the latest.
pub(super) async fn find(
    visitor: &Visitor,
    state: &AppState,
    (key, query): (&str, &mut Query),
) -> Result<Record, PageError> {
    let partner = enter_as_partner(visitor)?;
    let not_found = || PageError::new(Kind::NotFound, visitor.untitled());
    let key = WorkflowKey::parse(key).map_err(|_| not_found())?;
    let version = query.read("version", |text| text.parse().ok());
    if version.is_none() && !query.value("version").is_empty() {
        return Err(not_found());
    }
    let found = state.app.workflows.get_workflow(partner, &key, version).await;
    found.map_err(|error| PageError::of(error, visitor.untitled()))
}

/// One version of a workflow.
pub(super) async fn get_workflow(
    visitor: Visitor,
    State(state): State<AppState>,
    Path(key): Path<String>,
    mut query: Query,
) -> Answer {
    let record = find(&visitor, &state, (&key, &mut query)).await?;
    let t = visitor.untitled().t;
    let name = written(record.workflow.name.as_str());
    let frame = visitor.frame(match query.value("done") {
        "registered" => t.with("console-registered", "name", name),
        _ => t.with("console-workflow", "name", name),
    });
    let versions = versions(&visitor, &state, &record).await?;
    let running = running(&visitor, &state).await?.get(&record.key).copied().unwrap_or_default();
    let page = WorkflowPage {
        key: record.key.to_string(),
        version: record.version,
        latest: record.latest_version,
        created: frame.times.tag(&record.created_at),
        retired: record.retired_at.map(|at| frame.times.tag(&at)),
        running,
        worst_case: words::worst_case(t, record.workflow.worst_case()),
        drawing: Drawing::of(&record.workflow),
        stages: stages::of(&record.workflow, t),
        warnings: stages::warnings(stages::warnings_of(&record.workflow), |_| None),
        versions,
        json: json(&record),
        manage: visitor.reach.manage,
        frame,
    };
    Ok(render(StatusCode::OK, &page))
}

/// The definition with its defaults, for people.
pub(super) fn json(record: &Record) -> String {
    serde_json::to_string_pretty(&record.workflow).unwrap_or_default()
}

async fn versions(visitor: &Visitor, state: &AppState, shown: &Record) -> Result<Vec<VersionItem>, PageError> {
    let most = u32::try_from(VERSIONS).unwrap_or(u32::MAX) + 1;
    let listed = state.app.workflows.list_workflow_versions(shown.partner_id, &shown.key, None, most).await;
    let records = listed.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let (t, times) = (visitor.untitled().t, visitor.untitled().times);
    let item = |(index, record): (usize, &Record)| {
        let older = records.get(index + 1);
        let changes = older.map(|older| changes(&older.workflow, &record.workflow)).unwrap_or_default();
        VersionItem {
            version: record.version,
            at: times.tag(&record.created_at),
            is_shown: record.version == shown.version,
            is_first: record.version == 1,
            changes: changes.iter().map(|change| change.text(t)).collect(),
        }
    };
    Ok(records.iter().enumerate().take(VERSIONS).map(item).collect())
}
