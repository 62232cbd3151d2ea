//! The review inbox of each party: the tasks that wait for it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Caller;
use crate::app::tasks::claims;
use crate::app::tasks::inbox::{self, Count, DueAfter, Filter};
use crate::domain::task::PhaseName;
use crate::domain::task::command::CommandType;
use crate::domain::task::unreadable::{ListedTask, UnreadableTask};
use crate::domain::task::view::TaskView;
use crate::domain::values::id::{ActorId, PartnerId, StageKey, TaskId, WorkflowKey};
use crate::domain::values::outside::from_outside;
use crate::domain::values::party::Party;
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::input::extract::Query;
use crate::http::input::page::{AnyCursor, Cursor, Limit, apart};
use crate::http::problem::{FieldError, Problem};

use super::claims::Claim;

/// Selects reviews of the caller's party.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReviewsQuery {
    /// Omit tasks that this person of the caller's party may not decide: the person is not a named
    /// reviewer, or may not approve. A page examines at most 500 tasks, so it can have fewer rows
    /// than `limit`, or none, while `next` shows that more follow.
    actor: Option<ActorId>,
    /// Only tasks at this stage.
    stage: Option<StageKey>,
    /// Only tasks on this workflow, in any version. Not allowed for buyers, who cannot see a task's
    /// workflow.
    workflow: Option<WorkflowKey>,
    /// Only tasks whose current wait is past its deadline (`true`), or is not (`false`).
    overdue: Option<bool>,
    /// Only tasks whose stage names this person as a reviewer, in the task's workflow version or since a
    /// `reviewers_changed`, or names somebody absent for whom the person stands in. The task's phase does
    /// not matter, nor whether the person may still decide; add `actor` for that. Stages that name nobody
    /// are omitted. A page examines at most 500 tasks, as with `actor`. For partners only, because the
    /// named reviewers are a partner's people.
    reviewer: Option<ActorId>,
    /// Omit tasks that as many people have claimed as can decide them together. A page examines at
    /// most 500 tasks, as with `actor`. Default: `false`. Not allowed for buyers, who have no claims.
    unclaimed: Option<bool>,
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(inline, value_type = Option<AnyCursor>)]
    cursor: Option<Cursor<(Option<Time>, TaskId)>>,
}

from_outside! { ReviewsQuery { actor, reviewer; stage, workflow, overdue, unclaimed, limit, cursor } }

impl ReviewsQuery {
    /// The tasks that wait for the caller's party and are selected.
    ///
    /// # Errors
    ///
    /// When a party uses a filter that it does not have, or the service fails.
    pub async fn page(self, state: &AppState, caller: &Caller) -> Result<Reviews, Problem> {
        // Other parties would learn from the response who reviews for the partner.
        if self.reviewer.is_some() && caller.party() != Party::Partner {
            let message = "is for partners only: the reviewers that stages name are a partner's people";
            return Err(Problem::invalid_parameter(FieldError::new("/query/reviewer", "not_allowed", message)));
        }
        let reads_workflow = inbox::reads_workflow(caller.party());
        if self.workflow.is_some() && !reads_workflow {
            let message = "is not for buyers, who cannot see a task's workflow";
            return Err(Problem::invalid_parameter(FieldError::new("/query/workflow", "not_allowed", message)));
        }
        let has_claims = caller.party() != Party::Buyer;
        if self.unclaimed.is_some() && !has_claims {
            let message = "is not for buyers, who have no claims";
            return Err(Problem::invalid_parameter(FieldError::new("/query/unclaimed", "not_allowed", message)));
        }
        let filter = Filter {
            unclaimed: self.unclaimed.unwrap_or_default(),
            workflow: self.workflow.as_ref(),
            stage: self.stage.as_ref(),
            overdue: self.overdue,
            reviewer: self.reviewer.as_ref(),
            actor: self.actor.as_ref(),
        };
        let after =
            Cursor::of_page(self.cursor, state.app.cell())?.map(|(due_at, task_id)| DueAfter { due_at, task_id });
        let mut found = state.app.tasks.inbox.list_reviews(caller, filter, (after, self.limit.rows())).await?;
        let (items, unreadable) = apart(found.items.into_iter().map(ListedTask::readable));
        Ok(Reviews {
            items: items
                .into_iter()
                .map(|task| {
                    let claims = found.claims.remove(&task.id).filter(|_| has_claims);
                    Review::new(task, reads_workflow, claims)
                })
                .collect(),
            unreadable,
            counts: found.counts.into_iter().map(StageCount::from).collect(),
            next: found.next.map(|last| Cursor::new((last.due_at, last.task_id), state.app.cell()).encode()),
        })
    }
}

/// The tasks that wait for the caller's party.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reviews {
    /// The tasks, earliest due first, those without a deadline last.
    items: Vec<Review>,
    /// The waiting tasks of this page that this replica cannot read; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    unreadable: Vec<UnreadableTask>,
    /// The number of waiting tasks at each stage that has any, regardless of the page and the
    /// filters.
    counts: Vec<StageCount>,
    /// The `cursor` of the next page; null on the last page. Opaque.
    #[schema(required = true)]
    next: Option<String>,
}

/// A task that waits for the caller's party.
#[derive(Debug, Serialize, ToSchema)]
pub struct Review {
    /// The task's id.
    task_id: TaskId,
    /// The task's title; null after an erasure.
    #[schema(required = true)]
    title: Option<Name>,
    /// The workflow's key; null for a buyer, as in the trail.
    #[schema(required = true)]
    workflow: Option<WorkflowKey>,
    /// The task's phase.
    phase: PhaseName,
    /// The stage's key.
    stage: StageKey,
    /// The stage's round.
    round: u32,
    /// The latest revision; 0: no work was submitted.
    revision: u32,
    /// The `seq` of the open escalation, which a resolution must name; null if there is none.
    #[schema(required = true)]
    escalation: Option<u64>,
    /// When the current wait began.
    since: Time,
    /// The deadline of the wait; null if there is none.
    #[schema(required = true)]
    due_at: Option<Time>,
    /// Whether the deadline has passed.
    overdue: bool,
    /// The commands that the caller's party can send now.
    allowed: Vec<CommandType>,
    /// Who has claimed the decision, the first to end first. Absent for a buyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_by: Option<Vec<Claim>>,
}

/// The number of tasks that wait at a stage.
#[derive(Debug, Serialize, ToSchema)]
pub struct StageCount {
    /// The partner that the workflow belongs to.
    partner_id: PartnerId,
    /// The workflow's key; null for a buyer, as in the trail.
    #[schema(required = true)]
    workflow: Option<WorkflowKey>,
    /// The stage's key.
    stage: StageKey,
    /// The number of waiting tasks, up to 100.
    #[schema(maximum = 100)]
    waiting: u64,
    /// Whether more tasks than that wait.
    more_waiting: bool,
    /// The number of overdue tasks among them, up to 100.
    #[schema(maximum = 100)]
    overdue: u64,
    /// Whether more tasks than that are overdue.
    more_overdue: bool,
}

/// List the tasks that wait for the caller
///
/// Returns every open task that waits for the caller's party, earliest due first, those without a
/// deadline last. Tasks can move while a client follows `next` from page to page. The pages are
/// ordered by (`due_at`, `task_id`), and each page begins after the last task of the previous one.
/// Therefore
///
/// - a task that waits at one stage from the first page to the last and keeps its `due_at` appears
///   exactly once (with a filter: if it matches throughout);
/// - no task appears twice with the same `due_at`;
/// - a task that arrives, leaves or moves in between may appear or not, and may appear again if its
///   new position is still ahead.
///
/// The response time does not depend on the number of waiting tasks. It grows with the number of
/// stages (per workflow version) that have any.
#[utoipa::path(get, path = "/reviews", tag = "tasks", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(ReviewsQuery), responses(
    (status = 200, description = "A page of waiting tasks.", body = Reviews),
))]
pub async fn list_reviews(
    caller: Caller,
    Query(query): Query<ReviewsQuery>,
    State(state): State<AppState>,
) -> Result<Json<Reviews>, Problem> {
    query.page(&state, &caller).await.map(Json)
}

impl Review {
    fn new(task: TaskView, with_workflow: bool, claims: Option<Vec<claims::Claim>>) -> Self {
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
            claimed_by: claims.map(|claims| claims.into_iter().map(Claim::from).collect()),
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
