//! Workflows, for the partner that they belong to.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::workflows;
use crate::domain::values::id::WorkflowKey;
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::domain::workflow::{StageAlone, Warning, Workflow, diagram};
use crate::http::AppState;
use crate::http::auth::PartnerOnly;
use crate::http::input::body::RawBody;
use crate::http::input::etag;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{AnyCursor, Cursor, Limit, Page};
use crate::http::problem::Problem;

/// The workflow in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WorkflowPath {
    /// The workflow's key.
    pub(in crate::http) key: WorkflowKey,
}

/// The version in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct VersionPath {
    /// The workflow's key.
    key: WorkflowKey,
    /// The version, from 1.
    #[param(minimum = 1)]
    n: u32,
}

/// Options of a registration.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RegisterQuery {
    /// Check the definition without storing anything. Default: `false`.
    #[serde(default)]
    dry_run: bool,
}

/// Selects a page of the workflows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WorkflowsQuery {
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(inline, value_type = Option<AnyCursor>)]
    cursor: Option<Cursor<WorkflowKey>>,
}

/// A registered definition with the results of its analysis.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegisteredWorkflow {
    /// The workflow's key.
    key: WorkflowKey,
    /// The version with this definition; in a dry run, the version that it would get.
    #[schema(minimum = 1)]
    version: u32,
    /// The definition with its defaults filled in.
    definition: Workflow,
    /// Properties of the definition that its author may not have intended.
    warnings: Vec<Warning>,
    /// For each stage, in order, the parties that can have it approved alone.
    stages: Vec<StageAlone>,
    /// The longest time that a task can take with this definition, in seconds; null if it is
    /// unbounded. If the task's deadline counts working time, the value is an upper bound, because
    /// that deadline depends on when the task is opened.
    #[schema(required = true)]
    worst_case_seconds: Option<u64>,
    /// The workflow as a Mermaid diagram.
    diagram: String,
}

/// A version of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowVersion {
    /// The workflow's key.
    key: WorkflowKey,
    /// The version, from 1.
    #[schema(minimum = 1)]
    version: u32,
    /// The workflow's latest version.
    #[schema(minimum = 1)]
    latest_version: u32,
    /// The definition with its defaults filled in.
    definition: Workflow,
    /// When the version was registered.
    created_at: Time,
    /// When the workflow was retired, so that no new tasks can be opened on it; null while it is
    /// open.
    #[schema(required = true)]
    retired_at: Option<Time>,
}

/// A workflow in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowSummary {
    /// The workflow's key.
    key: WorkflowKey,
    /// The name of the workflow in its latest version.
    name: Name,
    /// The latest version.
    #[schema(minimum = 1)]
    version: u32,
    /// The number of stages of the latest version.
    #[schema(minimum = 1, maximum = 50)]
    stages: usize,
    /// When the latest version was registered.
    created_at: Time,
    /// When the workflow was retired, so that no new tasks can be opened on it; null while it is
    /// open.
    #[schema(required = true)]
    retired_at: Option<Time>,
}

impl From<workflows::Record> for WorkflowVersion {
    fn from(record: workflows::Record) -> Self {
        let workflows::Record { key, version, latest_version, workflow, created_at, retired_at, .. } = record;
        Self { key, version, latest_version, definition: workflow, created_at, retired_at }
    }
}

impl From<workflows::Record> for WorkflowSummary {
    fn from(record: workflows::Record) -> Self {
        let workflows::Record { key, version, workflow, created_at, retired_at, .. } = record;
        Self { key, name: workflow.name, version, stages: workflow.stages.len(), created_at, retired_at }
    }
}

/// Register a workflow version
///
/// A definition equal to the latest version (with defaults filled in) is that version: `200`. A
/// changed definition becomes the next version: `201`; running tasks keep theirs. Registering a
/// retired key restores it. If a definition has mistakes, the response lists all of them.
///
/// `If-None-Match: *` registers only a new key. `If-Match` changes only the version that the caller
/// knows.
#[utoipa::path(put, path = "/workflows/{key}", tag = "workflows", security(("partnerKey" = ["define"])), params(WorkflowPath, RegisterQuery,
        ("If-Match" = Option<String>, Header, pattern = "^([*]|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$", description = "The `ETag` of the latest version that the caller knows; `*`: any version, but one must exist."),
        ("If-None-Match" = Option<String>, Header, pattern = "^([*]|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$", description = "`*`: the workflow must not exist yet; or the `ETag` of a version that must not be the latest.")),
    request_body(content = Workflow, description = "The definition.", example = json!(serde_json::from_str::<serde_json::Value>(crate::http::DEMO_WORKFLOW).unwrap_or_default())),
    responses(
        (status = 200, description = "The definition was already registered, or this was a dry run.", body = RegisteredWorkflow,
            headers(("ETag" = Option<String>, description = "The latest version in quotes; absent in a dry run."))),
        (status = 201, description = "The definition was registered as a new version.", body = RegisteredWorkflow, headers(("Location" = String, description = "The version's path."), ("ETag" = String, description = "The version in quotes."))),
        (status = 409, description = ""),
        (status = 412, description = ""),
    ))]
#[expect(clippy::too_many_arguments, reason = "each is a part of the request")]
pub async fn register_workflow(
    PartnerOnly(partner, caller): PartnerOnly,
    Path(path): Path<WorkflowPath>,
    Query(query): Query<RegisterQuery>,
    State(state): State<AppState>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Problem> {
    let expected = etag::Preconditions::new(&headers)?;
    let definition = body.json()?;
    let wanted = workflows::Wanted { dry_run: query.dry_run, may_follow: &|latest| expected.hold(latest) };
    let done = state.app.workflows.register_workflow(&caller, (partner, &path.key), &definition, wanted).await?;
    let location = format!("/api/v1/workflows/{}/versions/{}", path.key, done.version);
    let created = done.created;
    let view = RegisteredWorkflow::new(path.key, done);
    // A dry run stores no version, so there is none to tag.
    let tag = (!query.dry_run).then(|| [(header::ETAG, etag::tag(view.version.into()))]);
    if created && !query.dry_run {
        return Ok((StatusCode::CREATED, tag, [(header::LOCATION, location)], Json(view)).into_response());
    }
    Ok((tag, Json(view)).into_response())
}

impl RegisteredWorkflow {
    /// The result of registering or checking the definition of `key`.
    pub fn new(key: WorkflowKey, done: workflows::Registration) -> Self {
        Self {
            key,
            version: done.version,
            diagram: diagram::mermaid(&done.parsed.workflow),
            stages: done.parsed.workflow.alone(),
            definition: done.parsed.workflow,
            warnings: done.parsed.warnings,
            worst_case_seconds: done.parsed.worst_case,
        }
    }
}

/// List the workflows
///
/// Returns the workflows by key, including retired ones.
#[utoipa::path(get, path = "/workflows", tag = "workflows", security(("partnerKey" = [])), params(WorkflowsQuery), responses(
    (status = 200, description = "A page of workflows.", body = Page<WorkflowSummary>),
))]
pub async fn list_workflows(
    PartnerOnly(partner, _): PartnerOnly,
    Query(query): Query<WorkflowsQuery>,
    State(state): State<AppState>,
) -> Result<Json<Page<WorkflowSummary>>, Problem> {
    let after = Cursor::of_page(query.cursor, state.app.cell())?;
    let rows = state.app.workflows.list_workflows(partner, after.as_ref(), query.limit.and_one_more()).await?;
    Ok(Json(Page::new(state.app.cell(), rows, query.limit, |row| row.key.clone(), WorkflowSummary::from)))
}

/// Read a workflow's latest version
#[utoipa::path(get, path = "/workflows/{key}", tag = "workflows", security(("partnerKey" = [])), params(WorkflowPath), responses(
    (status = 200, description = "The latest version.", body = WorkflowVersion, headers(("ETag" = String, description = "The version in quotes, for `If-Match`."))),
))]
pub async fn get_workflow(
    PartnerOnly(partner, _): PartnerOnly,
    Path(path): Path<WorkflowPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<impl IntoResponse, Problem> {
    let view = WorkflowVersion::from(state.app.workflows.get_workflow(partner, &path.key, None).await?);
    Ok(([(header::ETAG, etag::tag(view.version.into()))], Json(view)))
}

/// Read one version of a workflow
#[utoipa::path(get, path = "/workflows/{key}/versions/{n}", tag = "workflows", security(("partnerKey" = [])), params(VersionPath), responses(
    (status = 200, description = "The version.", body = WorkflowVersion),
))]
pub async fn get_workflow_version(
    PartnerOnly(partner, _): PartnerOnly,
    Path(path): Path<VersionPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<WorkflowVersion>, Problem> {
    Ok(Json(state.app.workflows.get_workflow(partner, &path.key, Some(path.n)).await?.into()))
}

/// Retire a workflow
///
/// No new tasks can be opened on a retired workflow; running tasks finish. Retiring it again
/// changes nothing. Registering the key restores it.
#[utoipa::path(delete, path = "/workflows/{key}", tag = "workflows", security(("partnerKey" = ["define"])), params(WorkflowPath), responses(
    (status = 204, description = "The workflow is retired."),
))]
pub async fn retire_workflow(
    PartnerOnly(partner, caller): PartnerOnly,
    Path(path): Path<WorkflowPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<StatusCode, Problem> {
    state.app.workflows.retire_workflow(&caller, partner, &path.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Draw a workflow
///
/// Returns a diagram of the latest version in the language of Mermaid.
#[utoipa::path(get, path = "/workflows/{key}/diagram", tag = "workflows", security(("partnerKey" = [])), params(WorkflowPath), responses(
    (status = 200, description = "The diagram.", body = String, content_type = "text/vnd.mermaid"),
))]
pub async fn get_workflow_diagram(
    PartnerOnly(partner, _): PartnerOnly,
    Path(path): Path<WorkflowPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<impl IntoResponse, Problem> {
    let record = state.app.workflows.get_workflow(partner, &path.key, None).await?;
    let text = diagram::mermaid(&record.workflow);
    Ok(([(header::CONTENT_TYPE, "text/vnd.mermaid; charset=utf-8")], text))
}

/// Draw a workflow as an image
///
/// Returns a diagram of the latest version.
#[utoipa::path(get, path = "/workflows/{key}/diagram.svg", tag = "workflows", security(("partnerKey" = [])), params(WorkflowPath), responses(
    (status = 200, description = "The diagram.", body = String, content_type = "image/svg+xml"),
))]
pub async fn get_workflow_diagram_svg(
    PartnerOnly(partner, _): PartnerOnly,
    Path(path): Path<WorkflowPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<impl IntoResponse, Problem> {
    let record = state.app.workflows.get_workflow(partner, &path.key, None).await?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], diagram::svg(&record.workflow)))
}
