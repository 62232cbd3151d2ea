//! Tasks: opening by the platform, full view for partner and platform, and lists.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::app::Caller;
use crate::app::digest::of_meaning;
use crate::app::tasks::{Filter, NewTask, OpenedAfter};
use crate::domain::task::PhaseName;
use crate::domain::task::unreadable::{ListedTask, UnreadableTask};
use crate::domain::task::view::TaskView;
use crate::domain::values::id::{BuyerId, PartnerId, StageKey, TaskId, WorkflowKey};
use crate::domain::values::outside::from_outside;
use crate::domain::values::party::Party;
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::auth::{PartnerOrPlatform, PlatformOnly};
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::etag;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{AnyCursor, Cursor, Limit, Page, PageWithGaps};
use crate::http::problem::{FieldError, Problem};

/// Maximum size of `metadata` as canonical JSON: 16 KiB.
const MAX_METADATA_BYTES: usize = 16 << 10;

/// The task in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TaskPath {
    /// The task's id.
    pub(in crate::http) id: TaskId,
}

/// A task to open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskOpening {
    /// The task's id at AITasker. The same id and body again returns the same task.
    id: TaskId,
    /// The partner whose agent does the work.
    partner_id: PartnerId,
    /// The buyer who posted the task: the `sub` of the buyer's tokens.
    buyer_id: BuyerId,
    /// The partner's workflow for the task.
    workflow: WorkflowChoice,
    /// The task's title.
    title: Name,
    /// Data of the platform, stored and returned unchanged: at most 16 KiB as canonical JSON.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// When the task expires. If the workflow has a deadline as well, the earlier one counts. Must
    /// be in the future.
    #[serde(default)]
    deadline_at: Option<Time>,
}

from_outside! { TaskOpening { title; id, partner_id, buyer_id, workflow, metadata, deadline_at } }

/// Selects a workflow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowChoice {
    /// The workflow's key.
    key: WorkflowKey,
    /// The workflow's version, which the task keeps. Default: the latest.
    #[serde(default)]
    #[schema(minimum = 1)]
    version: Option<u32>,
}

/// Selects tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TasksQuery {
    /// Only tasks in this phase.
    phase: Option<PhaseName>,
    /// Only tasks at this stage.
    stage: Option<StageKey>,
    /// Only tasks on this workflow, in any version.
    workflow: Option<WorkflowKey>,
    /// Only tasks whose current wait is past its deadline (`true`), or is not (`false`).
    overdue: Option<bool>,
    /// Only tasks that wait for this party.
    waiting_on: Option<Party>,
    /// Only tasks of this partner. For the platform only; a partner always gets its own tasks.
    partner_id: Option<PartnerId>,
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(inline, value_type = Option<AnyCursor>)]
    cursor: Option<Cursor<(Time, TaskId)>>,
}

from_outside! { TasksQuery { ; phase, stage, workflow, overdue, waiting_on, partner_id, limit, cursor } }

impl TasksQuery {
    /// The tasks of the caller that are selected.
    ///
    /// # Errors
    ///
    /// When a partner names a partner, or the service fails.
    pub async fn page(self, state: &AppState, caller: &Caller) -> Result<TaskPage, Problem> {
        if self.partner_id.is_some() && caller.party() != Party::Platform {
            let error = FieldError::new(
                "/query/partner_id",
                "not_allowed",
                "is for the platform only; a partner always gets its own tasks",
            );
            return Err(Problem::invalid_parameter(error));
        }
        let filter = Filter {
            partner_id: self.partner_id,
            phases: self.phase.as_slice(),
            stage: self.stage.as_ref(),
            workflow: self.workflow.as_ref(),
            overdue: self.overdue,
            waiting_on: self.waiting_on,
        };
        let after = Cursor::of_page(self.cursor, state.app.cell())?;
        let after = after.map(|(opened_at, task_id)| OpenedAfter { opened_at, task_id });
        let rows = state.app.tasks.list_tasks(caller, filter, after, self.limit.and_one_more()).await?;
        let place = |(place, _): &(OpenedAfter, ListedTask)| (place.opened_at, place.task_id);
        Ok(Page::new(state.app.cell(), rows, self.limit, place, |(_, row)| row.readable()).into())
    }
}

/// A page of tasks.
pub type TaskPage = PageWithGaps<TaskView, UnreadableTask>;

/// Open a task
///
/// The task starts in the workflow's first stage. The same `id` and body again returns `200` with
/// the task as it is now.
#[utoipa::path(post, path = "/tasks", tag = "tasks", security(("platformKey" = [])), request_body(content = TaskOpening, example = json!({
        "id": "0199aa00-0000-7000-8000-000000000001", "partner_id": "0199aa00-0000-7000-8000-0000000000aa",
        "buyer_id": "0199aa00-0000-7000-8000-0000000000bb", "workflow": { "key": "brand-campaign" }, "title": "Autumn campaign",
        "metadata": { "category": "marketing" }, "deadline_at": "2030-01-01T00:00:00Z" })), responses(
    (status = 200, description = "The task was opened before with the same body.", body = TaskView, headers(("ETag" = String, description = "The task's version in quotes."))),
    (status = 201, description = "The task was opened.", body = TaskView, headers(("Location" = String, description = "The task's path."), ("ETag" = String, description = "The task's version in quotes."))),
    (status = 409, description = ""),
))]
pub async fn open_task(
    PlatformOnly(caller): PlatformOnly,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<Response, Problem> {
    let opening: TaskOpening = body.parse()?;
    let digest = opening.digest();
    check_metadata(opening.metadata.as_ref())?;
    let new = NewTask {
        id: opening.id,
        partner_id: opening.partner_id,
        buyer_id: opening.buyer_id,
        workflow: opening.workflow.key,
        version: opening.workflow.version,
        title: opening.title,
        metadata: opening.metadata,
        deadline_at: opening.deadline_at,
        digest,
    };
    let (view, created) = state.app.tasks.open_task(caller.sender(None), new).await?;
    let headers: [(HeaderName, _); 1] = [(header::ETAG, etag::tag(view.version))];
    if !created {
        return Ok((headers, Json(view)).into_response());
    }
    let location = format!("/api/v1/tasks/{}", view.id);
    Ok((StatusCode::CREATED, headers, [(header::LOCATION, location)], Json(view)).into_response())
}

impl TaskOpening {
    fn digest(&self) -> [u8; 32] {
        let Self { id: _, partner_id, buyer_id, workflow, title, metadata, deadline_at } = self;
        let members = [
            ("partner_id", json!(partner_id)),
            ("buyer_id", json!(buyer_id)),
            ("workflow", json!({ "key": workflow.key, "version": workflow.version })),
            ("title", json!(title)),
            ("metadata", json!(metadata)),
            ("deadline_at", json!(deadline_at)),
        ];
        of_meaning(members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(), "metadata")
    }
}

fn check_metadata(metadata: Option<&Map<String, Value>>) -> Result<(), Problem> {
    let size = metadata.map_or(0, |metadata| serde_json::to_vec(metadata).map_or(usize::MAX, |bytes| bytes.len()));
    if size <= MAX_METADATA_BYTES {
        return Ok(());
    }
    Err(Problem::invalid_body(vec![FieldError::new("/metadata", "too_long", "must be at most 16 KiB of JSON")]))
}

/// Read a task
///
/// Returns the full state, as the partner and the platform see it. Buyers read
/// `/tasks/{id}/status`.
#[utoipa::path(get, path = "/tasks/{id}", tag = "tasks", security(("partnerKey" = []), ("platformKey" = [])), params(TaskPath,
    ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the response that the caller has.")), responses(
    (status = 200, description = "The task.", body = TaskView, headers(("ETag" = String, description = "The task's version in quotes."))),
    (status = 304, description = "The task has not changed."),
))]
pub async fn get_task(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<TaskPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    known: etag::IfNoneMatch,
) -> Result<Response, Problem> {
    let view = state.app.tasks.get_task_at_least(&caller, path.id, known.newest()).await?;
    if known.has(view.version) {
        return Ok(etag::not_modified(view.version));
    }
    Ok(etag::tagged(view.version, serde_json::to_string(&view).map_err(Problem::internal)?))
}

/// List the tasks
///
/// Returns the tasks latest opened first: a partner's own tasks, or all tasks for the platform. A
/// task that this replica cannot read is in `unreadable`: `newer_format` during an upgrade of the
/// service, `damaged` if its row differs from what was written.
#[utoipa::path(get, path = "/tasks", tag = "tasks", security(("partnerKey" = []), ("platformKey" = [])), params(TasksQuery), responses(
    (status = 200, description = "A page of tasks.", body = PageWithGaps<TaskView, UnreadableTask>),
))]
pub async fn list_tasks(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Query(query): Query<TasksQuery>,
    State(state): State<AppState>,
) -> Result<Json<TaskPage>, Problem> {
    query.page(&state, &caller).await.map(Json)
}
