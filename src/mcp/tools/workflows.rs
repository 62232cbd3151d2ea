//! The tools for workflows.

use serde::Deserialize;
use serde_json::Value;

use crate::app::workflows::Wanted;
use crate::domain::values::id::WorkflowKey;
use crate::domain::values::outside::from_outside;
use crate::http::input::body::from_value;
use crate::http::problem::{FieldError, Problem};
use crate::http::routes::analytics::AnalyticsQuery;
use crate::http::routes::simulations;
use crate::http::routes::workflows::RegisteredWorkflow;
use crate::mcp::call::Call;
use crate::mcp::results::members;

use super::Arguments;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registering {
    key: WorkflowKey,
    /// Parsed by the use case, which lists all mistakes.
    definition: Value,
}

from_outside! { Registering { ; key, definition } }

/// Registers a definition, or only checks it.
pub(super) async fn register(call: &Call, arguments: Arguments, dry_run: bool) -> Result<Arguments, Problem> {
    let Registering { key, definition } = from_value(Value::Object(arguments))?;
    let wanted = Wanted { dry_run, may_follow: &|_| true };
    let workflows = &call.state.app.workflows;
    let done = workflows.register_workflow(call.caller(), (call.partner(), &key), &definition, wanted).await;
    let done = done.map_err(|error| below_definition(Problem::from(error)))?;
    members(&RegisteredWorkflow::new(key, done))
}

/// Moves the mistakes of a definition to its place in the arguments.
fn below_definition(problem: Problem) -> Problem {
    if problem.errors().is_empty() {
        return problem;
    }
    let moved = problem
        .errors()
        .iter()
        .map(|error| FieldError { pointer: format!("/definition{}", error.pointer), ..error.clone() });
    Problem::invalid_body(moved.collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneWorkflow {
    key: WorkflowKey,
}

from_outside! { OneWorkflow { ; key } }

/// Counts the closed tasks of a workflow.
pub(super) async fn analytics(call: &Call, mut arguments: Arguments) -> Result<Arguments, Problem> {
    let OneWorkflow { key } = from_value(Value::Object(arguments.remove_entry("key").into_iter().collect()))?;
    let query: AnalyticsQuery = from_value(Value::Object(arguments))?;
    members(&query.answer(&call.state, call.caller(), key).await?)
}

/// Simulates a workflow.
pub(super) async fn simulate(call: &Call, mut arguments: Arguments) -> Result<Arguments, Problem> {
    let OneWorkflow { key } = from_value(Value::Object(arguments.remove_entry("key").into_iter().collect()))?;
    let simulation = from_value(Value::Object(arguments))?;
    let steps = simulations::run(&call.state, (call.partner(), call.caller()), key, simulation).await?;
    let steps: Value = serde_json::from_slice(&steps).map_err(Problem::internal)?;
    members(&steps)
}
