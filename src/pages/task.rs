//! `/tasks/{id}`: the same address for every party, with a page for each.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::{get, post};

use crate::domain::values::id::TaskId;
use crate::domain::values::party::Party;
use crate::http::AppState;
use crate::http::input::deadline::Deadline;

use super::forms::Form;
use super::problem::{Kind, PageError};
use super::query::Query;
use super::session::Visitor;
use super::{Page, task_work};

/// The rows of the table of routes.
pub(super) fn pages() -> Vec<Page> {
    vec![
        Page { method: Method::GET, path: "/tasks/{id}", name: "page_task", handler: get(get_task) },
        Page { method: Method::POST, path: "/tasks/{id}/commands", name: "send_command", handler: post(post_command) },
        Page {
            method: Method::GET,
            path: "/tasks/{id}/receipts/{seq}",
            name: "page_receipt",
            handler: get(get_receipt),
        },
    ]
}

/// One task, or what is new of it.
async fn get_task(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    (deadline, headers): (Deadline, HeaderMap),
) -> Result<Response, PageError> {
    let (task, query) = (task_id(&id, &visitor)?, Query::new(query.as_deref()));
    match visitor.party() {
        Party::Partner | Party::Platform if query.get("part") == Some("live") => {
            task_work::get_live(&state, &visitor, (task, &query), (&deadline, &headers)).await
        }
        Party::Partner | Party::Platform => task_work::get_task(&state, &visitor, task, &query).await,
        Party::Buyer => Err(PageError::new(Kind::NotFound, visitor.untitled())),
    }
}

/// Sends a command to a task.
async fn post_command(
    State(state): State<AppState>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, PageError> {
    let task = task_id(&id, &form.visitor)?;
    match form.visitor.party() {
        Party::Partner | Party::Platform => task_work::post_command(&state, &form, task).await,
        Party::Buyer => Err(PageError::new(Kind::NotFound, form.visitor.untitled())),
    }
}

/// The signed receipt of an entry of the trail.
async fn get_receipt(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((id, seq)): Path<(String, String)>,
) -> Result<Response, PageError> {
    task_work::get_receipt(&state, &visitor, (task_id(&id, &visitor)?, &seq)).await
}

/// The task of the address. What is no id names no task.
fn task_id(text: &str, visitor: &Visitor) -> Result<TaskId, PageError> {
    text.parse().map(TaskId).map_err(|_| PageError::new(Kind::NotFound, visitor.untitled()))
}
