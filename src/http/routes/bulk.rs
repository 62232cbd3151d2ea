//! Many commands in one request. Each is carried out and answered as if it had been sent alone.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, StreamExt as _};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::app::Caller;
use crate::domain::values::id::TaskId;
use crate::domain::values::outside::from_outside;
use crate::http::AppState;
use crate::http::input::body::RawBody;
use crate::http::input::extract::{NoParameters, Query};
use crate::http::problem::{FieldError, Problem};

use super::command_body::{self, EventCommand};
use super::events::{self, IDEMPOTENCY_KEY};

/// The most commands in one request.
const MAX_ITEMS: usize = 100;

/// How many commands of one request are under way at the same time, each on another task.
const AT_ONCE: usize = 8;

/// Commands to carry out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkCommands {
    /// The commands, 1 to 100. Those on the same task are carried out in this order; the order
    /// between tasks is open.
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<BulkCommand>,
}

/// A command and the task that it is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkCommand {
    /// The task.
    task_id: TaskId,
    /// The command. It must have an `id`, so that the whole request is safe to send again.
    #[schema(value_type = EventCommand)]
    command: Map<String, Value>,
}

from_outside! {
    BulkCommands { items }
    BulkCommand { ; task_id, command }
}

/// The result of each command.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkAnswer {
    /// The results, in the order of the request.
    items: Vec<BulkResult>,
}

/// The result of one command: what `POST /tasks/{id}/events` would have answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkResult {
    /// The status code: 201 if the command was carried out, 200 if that was done before, else that of
    /// the problem.
    #[schema(minimum = 200, maximum = 599)]
    status: u16,
    /// The body.
    body: ResultBody,
}

/// A body as it was rendered.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct ResultBody(Box<RawValue>);

impl PartialSchema for ResultBody {
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new()
            .item(Ref::from_schema_name("EventAnswer"))
            .item(Ref::from_schema_name("Problem"))
            .description(Some("The result of the command with `status` 200 and 201, else the problem."))
            .into()
    }
}

impl ToSchema for ResultBody {}

/// Send many commands
///
/// Carries out up to 100 commands, each on any task, as `POST /tasks/{id}/events` does; there is no
/// transaction around them. The answer is `200` with the result of each, whatever became of it. A
/// command that is refused does not affect the others. If the request as a whole is refused, no
/// command was carried out. If it is not answered, send it again: every command has an `id`, so none
/// is carried out twice.
#[utoipa::path(post, path = "/events", tag = "tasks", security(("partnerKey" = ["work"]), ("partnerKey" = ["review"]), ("partnerKey" = ["define"]), ("platformKey" = []), ("buyerToken" = [])),
    request_body = BulkCommands,
    responses(
        (status = 200, description = "The result of each command, in the order of the request.", body = BulkAnswer),
        (status = 403, description = ""),
    ))]
pub async fn post_events(
    caller: Caller,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Json<BulkAnswer>, Problem> {
    if headers.contains_key(IDEMPOTENCY_KEY) {
        let rule = "is only for a single command; here each command has its own `id`";
        return Err(Problem::invalid_parameter(FieldError::new("/header/Idempotency-Key", "not_allowed", rule)));
    }
    let BulkCommands { items } = body.parse()?;
    check(&items)?;
    let mut by_task: HashMap<TaskId, Vec<Placed>> = HashMap::new();
    for (place, BulkCommand { task_id, command }) in items.into_iter().enumerate() {
        by_task.entry(task_id).or_default().push((place, command));
    }
    // Boxed: the future of a command is large.
    let turns = by_task.into_iter().map(|(task, commands)| Box::pin(carry_out_all(&state, &caller, task, commands)));
    let mut results: Vec<_> = stream::iter(turns).buffer_unordered(AT_ONCE).flat_map(stream::iter).collect().await;
    results.sort_unstable_by_key(|(place, _)| *place);
    let items = results.into_iter().map(|(_, result)| result).collect::<Result<_, _>>()?;
    Ok(Json(BulkAnswer { items }))
}

/// A command with its place in the request.
type Placed = (usize, Map<String, Value>);

/// Checks what must hold for the request as a whole.
fn check(items: &[BulkCommand]) -> Result<(), Problem> {
    if !(1..=MAX_ITEMS).contains(&items.len()) {
        let (code, rule) = if items.is_empty() {
            ("too_few", "must have an item")
        } else {
            ("too_many", "must have at most 100 items")
        };
        return Err(Problem::invalid_body(vec![FieldError::new("/items", code, rule)]));
    }
    let has_id = |item: &BulkCommand| item.command.get("id").is_some_and(|id| !id.is_null());
    let without = items.iter().enumerate().filter(|(_, item)| !has_id(item));
    let missing: Vec<_> =
        without.map(|(place, _)| FieldError::required(format!("/items/{place}/command/id"))).collect();
    if missing.is_empty() { Ok(()) } else { Err(Problem::invalid_body(missing)) }
}

/// Carries out the commands on one task, one after the other.
async fn carry_out_all(
    state: &AppState,
    caller: &Caller,
    task: TaskId,
    commands: Vec<Placed>,
) -> Vec<(usize, Result<BulkResult, Problem>)> {
    let mut results = Vec::with_capacity(commands.len());
    for (place, command) in commands {
        let answer = carry_out(state, caller, task, command).await.unwrap_or_else(Problem::into_response);
        results.push((place, rendered(answer).await));
    }
    results
}

async fn carry_out(
    state: &AppState,
    caller: &Caller,
    task: TaskId,
    command: Map<String, Value>,
) -> Result<Response, Problem> {
    let commands = &state.app.tasks.commands;
    let target = commands.find_target(caller, task).await?;
    let request = command_body::parse(command, caller, None, state.app.clock().now())?;
    let answer = commands.post_event(caller, target, request).await?;
    events::respond(answer, None, false)
}

/// The answer to a single command as a part of the answer to many.
async fn rendered(answer: Response) -> Result<BulkResult, Problem> {
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.map_err(Problem::internal)?.to_bytes();
    let body = serde_json::from_slice(&bytes).map_err(Problem::internal)?;
    Ok(BulkResult { status, body: ResultBody(body) })
}
