//! What waits on the caller: the inbox of each party.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Caller;
use crate::app::tasks::inbox::{self, Count, DueAfter, Filter};
use crate::domain::task::PhaseName;
use crate::domain::task::command::CommandType;
use crate::domain::task::unreadable::{ListedTask, UnreadableTask};
use crate::domain::task::view::TaskView;
use crate::domain::values::id::{ActorId, PartnerId, StageKey, TaskId, WorkflowKey};
use crate::domain::values::party::Party;
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::input::extract::Query;
use crate::http::input::page::{Cursor, Limit};
use crate::http::problem::{FieldError, Problem};

/// Which of the caller's reviews to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReviewsQuery {
    /// Leave out what this person of the caller's party may not decide: not a named reviewer, or barred from
    /// approving. A page can then have fewer rows than `limit`, even none, while `next` says that there is more: a
    /// page looks at 500 tasks at most. Together with `reviewer` for the same person, little is left out.
    #[param(value_type = Option<String>, max_length = 200)]
    actor: Option<ActorId>,
    /// Only those at this stage.
    stage: Option<StageKey>,
    /// Only those on this workflow, in any version. Not for buyers, who are not told which workflow a task is on.
    workflow: Option<WorkflowKey>,
    /// Only those whose present wait's deadline passed, or did not.
    overdue: Option<bool>,
    /// Only those at a stage that names this person in `reviewers`, in the version that the task is pinned to,
    /// whatever the task's phase and whether the person may still decide; give `actor` as well for that. Stages
    /// that name nobody are left out. For partners, whose people these are.
    #[param(value_type = Option<String>, max_length = 200)]
    reviewer: Option<ActorId>,
    /// How many rows the page has at most.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page; without it the first page.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Option<Time>, TaskId)>>,
}

/// What waits on the caller's party.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reviews {
    /// The tasks, the earliest due first, those without a limit last.
    items: Vec<ListedReview>,
    /// How many wait at each stage where any does, whatever the page and the filters.
    counts: Vec<StageCount>,
    /// Give it as `cursor` to get the next page; null on the last one. Opaque.
    #[schema(required = true)]
    next: Option<String>,
}

/// A row of the page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ListedReview {
    /// A task that waits.
    Review(Box<Review>),
    /// One that cannot be shown: it has `unreadable`, which no other has.
    Unreadable(UnreadableTask),
}

/// A task that waits on the caller's party.
#[derive(Debug, Serialize, ToSchema)]
pub struct Review {
    /// The task.
    task_id: TaskId,
    /// What it is called; null once erased.
    #[schema(required = true)]
    title: Option<Name>,
    /// The workflow's key; null for a buyer, as in the trail.
    #[schema(required = true)]
    workflow: Option<WorkflowKey>,
    /// Where the task is.
    phase: PhaseName,
    /// The stage's key.
    stage: StageKey,
    /// The stage's round.
    round: u32,
    /// The latest revision; 0: nothing was handed in.
    revision: u32,
    /// The open escalation: what a resolution names; null without one.
    #[schema(required = true)]
    escalation: Option<u64>,
    /// Since when it has waited.
    since: Time,
    /// When the wait should end; null without a limit.
    #[schema(required = true)]
    due_at: Option<Time>,
    /// Whether that passed.
    overdue: bool,
    /// The commands that the caller's party could send now.
    #[schema(value_type = Vec<CommandType>)]
    allowed: Vec<String>,
}

/// How many tasks wait at a stage.
#[derive(Debug, Serialize, ToSchema)]
pub struct StageCount {
    /// Whose workflow.
    partner_id: PartnerId,
    /// The workflow's key; null for a buyer, as in the trail.
    #[schema(required = true)]
    workflow: Option<WorkflowKey>,
    /// The stage's key.
    stage: StageKey,
    /// How many tasks wait there, counted up to 100.
    #[schema(maximum = 100)]
    waiting: u64,
    /// Whether more than that wait.
    more_waiting: bool,
    /// How many of those are overdue, counted up to 100.
    #[schema(maximum = 100)]
    overdue: u64,
    /// Whether more than that are overdue.
    more_overdue: bool,
}

/// List what waits on the caller
///
/// Every open task that waits on the caller's party, the earliest due first, those without a limit last. Pages are
/// walked by `next` while tasks move: the order of a walk is that of (`due_at`, `task_id`), each page begins behind
/// the last task of the one before, and so
///
/// - a task that waits at one stage from the first page to the last and keeps its `due_at` is shown exactly once
///   (under a filter, if it meets it all the while);
/// - no task is shown twice with the same `due_at`;
/// - a task that comes, goes or moves meanwhile may be shown or not, and again if its new place lies ahead.
///
/// An answer takes no longer because more tasks wait; it does take longer with each further stage (of each version)
/// where any does.
#[utoipa::path(get, path = "/reviews", tag = "tasks", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(ReviewsQuery), responses(
    (status = 200, description = "A page of what waits.", body = Reviews),
))]
pub async fn list_reviews(
    caller: Caller,
    Query(query): Query<ReviewsQuery>,
    State(state): State<AppState>,
) -> Result<Json<Reviews>, Problem> {
    // For others, to be answered would be to learn who reviews for the partner.
    if query.reviewer.is_some() && caller.party() != Party::Partner {
        let message = "is for partners: the reviewers that stages name are people of theirs";
        return Err(Problem::invalid_parameter(FieldError::new("/query/reviewer", "not_allowed", message)));
    }
    let reads_workflow = inbox::reads_workflow(caller.party());
    if query.workflow.is_some() && !reads_workflow {
        let message = "is not for buyers, who are not told which workflow a task is on";
        return Err(Problem::invalid_parameter(FieldError::new("/query/workflow", "not_allowed", message)));
    }
    let filter = Filter {
        workflow: query.workflow.as_ref(),
        stage: query.stage.as_ref(),
        overdue: query.overdue,
        reviewer: query.reviewer.as_ref(),
        actor: query.actor.as_ref(),
    };
    let after = query.cursor.map(|Cursor((due_at, task_id))| DueAfter { due_at, task_id });
    let found = inbox::list_reviews(&state.app, &caller, filter, (after, query.limit.rows())).await?;
    Ok(Json(Reviews {
        items: found.items.into_iter().map(|task| ListedReview::new(task, reads_workflow)).collect(),
        counts: found.counts.into_iter().map(StageCount::from).collect(),
        next: found.next.map(|last| Cursor((last.due_at, last.task_id)).encode()),
    }))
}

impl ListedReview {
    fn new(task: ListedTask, with_workflow: bool) -> Self {
        match task {
            ListedTask::Task(task) => Self::Review(Box::new(Review::new(*task, with_workflow))),
            ListedTask::Unreadable(task) => Self::Unreadable(task),
        }
    }
}

impl Review {
    fn new(task: TaskView, with_workflow: bool) -> Self {
        Self {
            task_id: task.id,
            title: task.title,
            workflow: with_workflow.then_some(task.workflow.key),
            phase: task.phase,
            stage: task.stage.key,
            round: task.round,
            revision: task.revision,
            escalation: task.escalation.map(|escalation| escalation.seq),
            since: task.since,
            due_at: task.due_at,
            overdue: task.overdue,
            allowed: task.allowed,
        }
    }
}

impl From<Count> for StageCount {
    fn from(count: Count) -> Self {
        let Count { partner_id, workflow, stage, waiting, overdue } = count;
        Self {
            partner_id,
            workflow,
            stage,
            waiting: waiting.tasks,
            more_waiting: waiting.or_more,
            overdue: overdue.tasks,
            more_overdue: overdue.or_more,
        }
    }
}
