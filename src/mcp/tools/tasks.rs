//! The tools that read tasks.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::task::event::{Answer, ItemId};
use crate::domain::task::view::TaskView;
use crate::domain::values::id::{ActorId, StageKey, TaskId};
use crate::domain::values::outside::from_outside;
use crate::domain::values::text::{Prose, Text};
use crate::http::input::body::from_value;
use crate::http::problem::Problem;
use crate::http::routes::tasks::TasksQuery;
use crate::http::routes::why::WhyAnswer;
use crate::mcp::call::Call;
use crate::mcp::results::members;

use super::Arguments;

/// The rows of a page of tasks unless the arguments say otherwise: a task is long to read.
pub(super) const ROWS: u32 = 10;

/// Lists the partner's tasks.
pub(super) async fn list(call: &Call, mut arguments: Arguments) -> Result<Arguments, Problem> {
    arguments.entry("limit").or_insert(ROWS.into());
    let query: TasksQuery = from_value(Value::Object(arguments))?;
    members(&query.page(&call.state, call.caller()).await?)
}

/// Arguments that name a task.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OneTask {
    pub(super) task_id: TaskId,
}

from_outside! { OneTask { ; task_id } }

/// Reads a task.
pub(super) async fn get(call: &Call, arguments: Arguments) -> Result<Arguments, Problem> {
    let OneTask { task_id } = from_value(Value::Object(arguments))?;
    task_members(call, task_id).await
}

/// A task with what reviewers want changed as a list.
pub(in crate::mcp) async fn task_members(call: &Call, id: TaskId) -> Result<Arguments, Problem> {
    let task = call.state.app.tasks.get_task(call.caller(), id).await?;
    let work_list = serde_json::to_value(work_list(&task)).map_err(Problem::internal)?;
    let mut all = members(&task)?;
    all.insert("work_list".to_owned(), work_list);
    Ok(all)
}

/// A point that the next revision must answer.
#[derive(Debug, PartialEq, Serialize)]
struct WorkItem<'a> {
    /// The stage that rejected.
    stage: &'a StageKey,
    /// The item to answer; a summary is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<ItemId>,
    /// Whether the next submission must answer it.
    must_answer: bool,
    written_by_reviewer: Point<'a>,
    /// The latest answer to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a Answer>,
}

/// The words of a reviewer.
#[derive(Debug, PartialEq, Serialize)]
struct Point<'a> {
    text: &'a Prose,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'a Text<64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor: Option<&'a Text<500>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocking: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reopens: Option<ItemId>,
}

/// Of every reviewer that rejected: the reasons in short, then each point.
fn work_list(task: &TaskView) -> Vec<WorkItem<'_>> {
    let mut list = Vec::new();
    let Some(returned) = &task.feedback else { return list };
    for feedback in &returned.feedback {
        list.push(WorkItem {
            stage: &returned.stage,
            item: None,
            must_answer: false,
            written_by_reviewer: Point {
                text: &feedback.summary,
                severity: None,
                anchor: None,
                blocking: None,
                reopens: None,
            },
            answer: None,
        });
        list.extend(feedback.items.iter().map(|item| WorkItem {
            stage: &returned.stage,
            item: item.id,
            must_answer: item.id.is_some_and(|id| task.unanswered.contains(&id)),
            written_by_reviewer: Point {
                text: &item.text,
                severity: item.severity.as_ref(),
                anchor: item.anchor.as_ref(),
                blocking: item.blocking,
                reopens: item.reopens,
            },
            answer: returned.answers.iter().find(|answer| Some(answer.item) == item.id),
        }));
    }
    list
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhyOf {
    task_id: TaskId,
    #[serde(default)]
    actor: Option<ActorId>,
}

from_outside! { WhyOf { actor; task_id } }

/// Says why a task waits, and what one actor can do: the one that the key is bound to, if none is
/// named.
pub(super) async fn why(call: &Call, arguments: Arguments) -> Result<Arguments, Problem> {
    let WhyOf { task_id, actor } = from_value(Value::Object(arguments))?;
    let actor = actor.or_else(|| call.caller().only_actor());
    let why = call.state.app.tasks.get_why(call.caller(), task_id, actor).await?;
    members(&WhyAnswer::from(why))
}
