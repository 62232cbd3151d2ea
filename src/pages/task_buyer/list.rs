//! The tasks of a buyer, those that wait for the buyer first.

use std::collections::HashMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::Error;
use crate::app::tasks::OpenedAfter;
use crate::app::tasks::inbox::Filter;
use crate::domain::link::LinkKind;
use crate::domain::task::status::{Ask, Status};
use crate::domain::task::unreadable::ListedTask;
use crate::domain::task::view::TaskView;
use crate::domain::values::id::TaskId;
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::pages::frame::{Frame, render};
use crate::pages::problem::{Kind, PageError};
use crate::pages::query::Query;
use crate::pages::session::Visitor;
use crate::pages::texts::Texts;
use crate::pages::times::TimeTag;

use super::head::Label;

/// How many tasks a page has.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "tasks_buyer.html", config = "src/pages/askama.toml")]
struct ListPage {
    frame: Frame,
    t: Texts,
    waiting: Vec<Row>,
    others: Vec<Row>,
    /// The address of the next page.
    next: Option<String>,
}

/// A task in the list.
#[derive(Debug)]
struct Row {
    task: TaskId,
    title: Option<String>,
    label: Label,
    due: Option<TimeTag>,
    is_late: bool,
}

/// What a page of the list shows.
struct Listed {
    waiting: Vec<Row>,
    others: Vec<Row>,
    last: Option<OpenedAfter>,
}

/// The buyer's tasks.
pub(in crate::pages) async fn list_tasks(
    state: &AppState,
    visitor: &Visitor,
    query: &Query,
) -> Result<Response, PageError> {
    let frame = visitor.untitled();
    if matches!(visitor.reach.kind, LinkKind::Decide | LinkKind::Task) {
        return Err(PageError::new(Kind::NotAllowed, frame));
    }
    let listed = list(state, visitor, after(query)).await.map_err(|error| PageError::of(error, frame))?;
    let Listed { waiting, others, last } = listed;
    let next = last.map(|last| format!("/tasks?opened={}&task={}", last.opened_at.micros(), last.task_id));
    let title = frame.t.text("tasks-title");
    Ok(render(StatusCode::OK, &ListPage { frame: visitor.frame(title), t: frame.t, waiting, others, next }))
}

/// The last row of the page before.
fn after(query: &Query) -> Option<OpenedAfter> {
    let opened_at = Time::from_micros(query.get("opened")?.parse().ok()?);
    Some(OpenedAfter { opened_at, task_id: TaskId(query.get("task")?.parse().ok()?) })
}

async fn list(state: &AppState, visitor: &Visitor, after: Option<OpenedAfter>) -> Result<Listed, Error> {
    let (app, frame) = (&state.app, visitor.untitled());
    let waiting = if after.is_some() {
        Vec::new()
    } else {
        let page = (None, ROWS as usize);
        app.tasks.inbox.list_reviews(&visitor.caller, Filter::default(), page).await?.items
    };
    let buyer = visitor.caller.buyer_id().ok_or(Error::NotFound)?;
    let mut rows = app.statuses.list_statuses(buyer, after, ROWS + 1).await?;
    let has_more = rows.len() > ROWS as usize;
    rows.truncate(ROWS as usize);
    let last = rows.last().map(|(place, _)| *place).filter(|_| has_more);
    let readable = rows.iter().filter_map(|(_, json)| serde_json::from_str::<Status>(json.as_ref().ok()?).ok());
    // Those that ask something are in the list above.
    let others: Vec<Status> = readable.filter(|status| status.action.is_none()).collect();
    let ids: Vec<TaskId> = others.iter().map(|status| status.task_id).collect();
    let mut titles = app.tasks.list_titles(&visitor.caller, &ids).await?;
    Ok(Listed {
        waiting: waiting.iter().filter_map(|listed| waiting_row(listed, frame)).collect(),
        others: others.iter().map(|status| row(status, &mut titles, frame)).collect(),
        last,
    })
}

fn row(status: &Status, titles: &mut HashMap<TaskId, String>, frame: &Frame) -> Row {
    Row {
        task: status.task_id,
        title: titles.remove(&status.task_id),
        label: Label::new(status, frame.t),
        due: status.due_at.as_ref().map(|due| frame.times.due(due)),
        is_late: status.overdue,
    }
}

fn waiting_row(listed: &ListedTask, frame: &Frame) -> Option<Row> {
    let ListedTask::Task(task) = listed else { return None };
    let TaskView { id, title, label, phase, due_at, overdue, question, .. } = &**task;
    let asks = question.as_ref().filter(|question| question.to == Party::Buyer).map(|_| Ask::Answer);
    Some(Row {
        task: *id,
        title: title.as_ref().map(|title| title.as_str().to_owned()),
        label: Label::of((*phase, asks), label, frame.t),
        due: due_at.as_ref().map(|due| frame.times.due(due)),
        is_late: *overdue,
    })
}
