//! `/tasks` and `/tasks/{id}`: the same addresses for every party, with a page for each.

use axum::extract::{Path, State};
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
use super::{Page, console, task_buyer, task_work};

/// The rows of the table of routes.
pub(super) fn pages() -> Vec<Page> {
    vec![
        Page { method: Method::GET, path: "/tasks", name: "page_tasks", handler: get(list_tasks) },
        Page { method: Method::GET, path: "/tasks/{id}", name: "page_task", handler: get(get_task) },
        Page { method: Method::POST, path: "/tasks/{id}/commands", name: "send_command", handler: post(post_command) },
        Page { method: Method::GET, path: "/tasks/{id}/proof", name: "page_proof", handler: get(get_proof) },
        Page {
            method: Method::GET,
            path: "/tasks/{id}/receipts/{seq}",
            name: "page_receipt",
            handler: get(get_receipt),
        },
    ]
}

/// The tasks of the visitor.
async fn list_tasks(State(state): State<AppState>, visitor: Visitor, query: Query) -> Result<Response, PageError> {
    match visitor.party() {
        Party::Buyer => task_buyer::list::list_tasks(&state, &visitor, &query).await,
        Party::Partner | Party::Platform => console::tasks::get_tasks(&visitor, &state, query).await,
    }
}

/// One task, or what is new of it.
async fn get_task(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(id): Path<String>,
    query: Query,
    (deadline, headers): (Deadline, HeaderMap),
) -> Result<Response, PageError> {
    let task = task_id(&id, &visitor)?;
    match visitor.party() {
        Party::Buyer if query.get("part") == Some("live") => {
            task_buyer::get_live(&state, &visitor, (task, &query), (&deadline, &headers)).await
        }
        Party::Buyer => task_buyer::get_task(&state, &visitor, task, &query).await,
        Party::Partner | Party::Platform if query.get("part") == Some("live") => {
            task_work::get_live(&state, &visitor, (task, &query), (&deadline, &headers)).await
        }
        Party::Partner | Party::Platform => task_work::get_task(&state, &visitor, task, &query).await,
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
        Party::Buyer => task_buyer::post_command(&state, &form, task).await,
        // Boxed, since it is large.
        Party::Partner | Party::Platform => Box::pin(task_work::post_command(&state, &form, task)).await,
    }
}

/// The trail of a task as a file that can be verified without this service.
async fn get_proof(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    task_buyer::get_proof(&state, &visitor, task_id(&id, &visitor)?).await
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
