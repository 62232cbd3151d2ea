//! The view of a task for the element `<stagegate-status>` in pages of other origins: the same as on
//! the hosted page, as a fragment. The buyer's token authenticates it, and no cookie is read, so
//! there is nothing that another site could use without the token.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use uuid::Uuid;

use crate::app::Caller;
use crate::domain::values::id::{CommandId, TaskId};
use crate::domain::values::party::Party;
use crate::http::AppState;
use crate::http::auth::Authenticated;
use crate::http::input::body::FormBody;
use crate::http::input::deadline::Deadline;
use crate::http::problem::{Code, Problem};
use crate::ids;

use super::Page;
use super::forms::Fields;
use super::frame::{Frame, language};
use super::live;
use super::query::Query;
use super::task_buyer::load::{Reader, tag};
use super::task_buyer::view::{Around, Place, TaskPage};
use super::task_buyer::{Reply, read, reply};
use super::texts::Texts;

/// The rows of the table of routes. `v1` is a promise: it stays when there is another version.
pub(super) fn pages() -> Vec<Page> {
    vec![
        Page { method: Method::GET, path: "/embed/v1/tasks/{id}", name: "embed_task", handler: get(get_task) },
        Page {
            method: Method::POST,
            path: "/embed/v1/tasks/{id}/commands",
            name: "embed_command",
            handler: post(post_command),
        },
    ]
}

/// The view without anything around it.
#[derive(Template)]
#[template(path = "embed_task.html", config = "src/pages/askama.toml")]
struct Fragment {
    t: Texts,
    view: TaskPage,
}

/// The view of a task. With `wait` and `If-None-Match` it waits for another state.
async fn get_task(
    State(state): State<AppState>,
    authenticated: Authenticated,
    Path(id): Path<String>,
    query: Query,
    (deadline, headers): (Deadline, HeaderMap),
) -> Result<Response, Problem> {
    let task = task_id(&id, &authenticated.caller)?;
    let frame = Frame::new(language(&headers, None), None);
    let reader = Reader { state: &state, caller: &authenticated.caller };
    let load = || reader.tagged_status(task, &frame);
    let wait = live::wait_of(query.number("wait"));
    let known = (live::known(&headers), wait);
    let (caller, deadline) = ((&authenticated.caller, Some(task)), (&deadline, None));
    let (tag, packed) = live::wait_for_change(&state, caller, deadline, known, load).await?;
    if wait > Duration::ZERO {
        authenticated.check(&state.app).await?;
    }
    let Some(packed) = packed else { return Ok(live::not_modified(&tag)) };
    let loaded = reader.load(&packed).await?;
    let view = TaskPage::new(&loaded, &Around::default(), place(task), &frame);
    let mut response = fragment(StatusCode::OK, &Fragment { t: frame.t, view })?;
    live::set_tag(&mut response, &tag);
    Ok(response)
}

/// Sends the command of a form in the view; answers with the view afterwards.
async fn post_command(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: FormBody,
) -> Result<Response, Problem> {
    let task = task_id(&id, &caller)?;
    let (fields, frame) = (Fields::new(body.fields()?), Frame::new(language(&headers, None), None));
    // Only the id of the command: the token of the caller says who sends it.
    let id = Uuid::try_parse(fields.get("form")).map(CommandId);
    let id = id.map_err(|_| Problem::new(Code::InvalidParameter, "The form has no id of a command."))?;
    let reader = Reader { state: &state, caller: &caller };
    let (status, around, seen) = match reply(reader, (task, id), &fields, &frame).await? {
        Reply::Done(seq) => (StatusCode::OK, Around { done: Some(seq), ..Around::default() }, seq),
        Reply::Again(status, around) => (status, *around, 0),
    };
    let (packed, loaded) = read(reader, task, seen).await?;
    let view = TaskPage::new(&loaded, &around, place(task), &frame);
    let mut response = fragment(status, &Fragment { t: frame.t, view })?;
    live::set_tag(&mut response, &tag(&packed, &frame));
    Ok(response)
}

fn task_id(text: &str, caller: &Caller) -> Result<TaskId, Problem> {
    if caller.party() != Party::Buyer {
        return Err(Problem::new(Code::Forbidden, "This view is open to buyers."));
    }
    text.parse().map(TaskId).map_err(|_| Problem::not_found())
}

fn place(task: TaskId) -> Place {
    let action = format!("/embed/v1/tasks/{task}/commands");
    Place { action, tokens: [ids::new().to_string(), ids::new().to_string()], page: None, printed: None }
}

fn fragment(status: StatusCode, fragment: &Fragment) -> Result<Response, Problem> {
    let html = fragment.render().map_err(Problem::internal)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
        (header::VARY, HeaderValue::from_static("Authorization, Accept-Language")),
    ];
    Ok((status, headers, html).into_response())
}
