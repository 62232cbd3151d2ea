//! Why a task waits, and what one actor can do about it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Caller;
use crate::domain::task::command::CommandType;
use crate::domain::task::event::Resolution;
use crate::domain::task::why::{Ability, Needs, Silence, Why};
use crate::domain::values::id::ActorId;
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::input::extract::{Path, Query};
use crate::http::problem::{Code, Problem, refused};

use super::tasks::TaskPath;

/// Whom the answer is for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhyQuery {
    /// The person or program of the caller's party. Required from the partner and the platform. Not
    /// allowed from a buyer, whose token identifies the person.
    actor: Option<ActorId>,
}

/// Why a task waits, and what one actor can do about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhyAnswer {
    /// The party that the task waits on; null when it has ended.
    #[schema(required = true)]
    waiting_on: Option<Party>,
    /// Since when stage, phase and the party it waits on have been the same.
    since: Time,
    /// When the current wait is due to end; null without a limit.
    #[schema(required = true)]
    due_at: Option<Time>,
    /// What happens at `due_at` if nobody acts; null without a limit. A buyer reads only what its
    /// own silence brings and what ends the task.
    #[schema(required = true)]
    then: Option<Silence>,
    /// What the pending decision needs; null if none is pending, or the caller may not know.
    #[schema(required = true)]
    needs: Option<Needs>,
    /// The absent person in whose seat the actor would vote in the review; absent: the actor's own.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ActorId, required = false)]
    stands_for: Option<ActorId>,
    /// What the actor can do now with this credential: an entry for each type of command, and for
    /// each resolution of `escalation_resolved`.
    you: Vec<WhyCommand>,
}

/// Whether the actor can send a command.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhyCommand {
    /// The command.
    command: CommandType,
    /// The resolution; only for `escalation_resolved`.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<Resolution>,
    /// Whether a command of this type would be accepted, if its content is valid.
    allowed: bool,
    /// The code of the refusal; absent if it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    /// The refusal in words; absent if it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// When `allowed` or `code` changes if nobody acts; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

/// Ask why a task waits
///
/// Returns whom the task waits for and until when, what the pending decision needs, and for every
/// type of command whether `actor` could send it now with this credential, and if not, why. The
/// answer comes from the rules that decide real commands. It is about the present state: somebody
/// else may act first.
#[utoipa::path(get, path = "/tasks/{id}/why", tag = "tasks", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath, WhyQuery), responses(
    (status = 200, description = "Why the task waits.", body = WhyAnswer),
))]
pub async fn get_why(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(query): Query<WhyQuery>,
    State(state): State<AppState>,
) -> Result<Json<WhyAnswer>, Problem> {
    let why = state.app.tasks.get_why(&caller, path.id, query.actor).await?;
    Ok(Json(why.into()))
}

impl From<Why> for WhyAnswer {
    fn from(why: Why) -> Self {
        let Why { waiting_on, since, due_at, then, needs, stands_for, you } = why;
        let you = you.into_iter().map(WhyCommand::from).collect();
        Self { waiting_on, since, due_at, then, needs, stands_for, you }
    }
}

impl From<Ability> for WhyCommand {
    fn from(ability: Ability) -> Self {
        let Ability { command, resolution, refusal, until } = ability;
        let (code, detail) = refusal.map(|refusal| refused::explain(&refusal)).unzip();
        Self { command, resolution, allowed: code.is_none(), code, detail, until }
    }
}
