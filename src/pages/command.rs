//! From a form to a decision: the members of the command go through the same parser and the same use
//! case as a body of `POST …/events`.

use serde_json::{Map, Value, json};

use crate::app::Caller;
use crate::app::tasks::commands::Request;
use crate::domain::values::id::{CommandId, TaskId};
use crate::domain::values::party::Actor;
use crate::http::AppState;
use crate::http::problem::Problem;
use crate::http::routes::command_body;

use super::forms::Sent;
use super::session::Visitor;

/// Sends a command of the visitor. `members` are those of the API's command without `id` and
/// `actor`, which are the form's and the link's.
pub(super) async fn send(
    state: &AppState,
    visitor: &Visitor,
    (task, id): (TaskId, CommandId),
    members: Map<String, Value>,
) -> Sent {
    perform(state, (&visitor.caller, visitor.actor.as_ref()), (task, id), (members, false)).await
}

/// Performs a command of a caller, for the person that the session or the token is bound to.
pub(super) async fn perform(
    state: &AppState,
    (caller, actor): (&Caller, Option<&Actor>),
    (task, id): (TaskId, CommandId),
    (mut members, dry_run): (Map<String, Value>, bool),
) -> Sent {
    let commands = &state.app.tasks.commands;
    let target = commands.find_target(caller, task).await?;
    members.remove("id");
    members.remove("actor");
    if let Some(actor) = actor {
        members.insert("actor".to_owned(), json!(actor));
    }
    let request = command_body::parse(members, caller, Some(id), state.app.clock().now())?;
    let request = Request { dry_run, ..request };
    commands.post_event(caller, target, request).await.map_err(Problem::from)
}
