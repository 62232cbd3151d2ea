//! The tools for the inbox and for claims, which tell colleagues who decides a task.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::values::id::{ActorId, TaskId};
use crate::domain::values::outside::from_outside;
use crate::http::input::body::from_value;
use crate::http::problem::{FieldError, Problem};
use crate::http::routes::claims::{Claim, Claims};
use crate::http::routes::inbox::ReviewsQuery;
use crate::mcp::call::Call;
use crate::mcp::results::members;

use super::Arguments;
use super::tasks::{OneTask, ROWS};

/// Lists the tasks that wait for the partner.
pub(super) async fn list(call: &Call, mut arguments: Arguments) -> Result<Arguments, Problem> {
    arguments.entry("limit").or_insert(ROWS.into());
    let query: ReviewsQuery = from_value(Value::Object(arguments))?;
    members(&query.page(&call.state, call.caller()).await?)
}

/// Claims a task.
pub(super) async fn claim(call: &Call, mut arguments: Arguments) -> Result<Arguments, Problem> {
    let OneTask { task_id } = from_value(Value::Object(arguments.remove_entry("task_id").into_iter().collect()))?;
    let parse = || from_value(Value::Object(arguments));
    members(&Claim::make(&call.state, call.caller(), task_id, parse).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Releasing {
    task_id: TaskId,
    #[serde(default)]
    actor: Option<ActorId>,
}

from_outside! { Releasing { actor; task_id } }

/// Gives up the claim of an actor: the one that the key is bound to, if none is named. The claims
/// that are left.
pub(super) async fn release(call: &Call, arguments: Arguments) -> Result<Arguments, Problem> {
    let Releasing { task_id, actor } = from_value(Value::Object(arguments))?;
    let (state, caller) = (&call.state, call.caller());
    let actor = actor.or_else(|| caller.only_actor());
    let actor = actor.ok_or_else(|| Problem::invalid_body(vec![FieldError::required("/actor")]))?;
    state.app.tasks.claims.release(caller, task_id, &actor).await?;
    members(&Claims::of(state, caller, task_id).await?)
}
