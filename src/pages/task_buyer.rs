//! A task as its buyer sees it: where it is, what the buyer is asked, what happened, and how to stop
//! it. The hosted page and the element in other pages show the same view.
//!
//! What is offered comes from the status, and the consequence of each choice from trying it without
//! storing anything. No rule is repeated here.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::app::Error;
use crate::app::status::Status as Packed;
use crate::domain::values::id::{CommandId, TaskId};
use crate::http::AppState;
use crate::http::input::deadline::Deadline;
use crate::http::problem::Problem;
use crate::http::routes::export;

use self::choice::Choice;
use self::conflict::Refused;
use self::load::{Loaded, Reader};
use self::panel::Filled;
use self::view::{Around, Place, TaskPage};
use super::command;
use super::forms::{Fields, Form};
use super::frame::{Frame, render};
use super::links::go_to;
use super::live;
use super::problem::PageError;
use super::query::Query;
use super::session::Visitor;
use super::texts::Texts;

mod choice;
mod conflict;
mod consequence;
mod head;
mod history;
pub(super) mod list;
pub(super) mod load;
mod panel;
pub(super) mod view;

/// The hosted page.
#[derive(Template)]
#[template(path = "task_buyer.html", config = "src/pages/askama.toml")]
struct HostedPage {
    frame: Frame,
    t: Texts,
    view: TaskPage,
    tag: String,
}

/// The regions of the page that change while it is read.
#[derive(Template)]
#[template(path = "task_buyer_live.html", config = "src/pages/askama.toml")]
struct LivePart {
    t: Texts,
    view: TaskPage,
}

/// What a form led to.
#[derive(Debug)]
pub(super) enum Reply {
    /// The command was accepted: the `seq` of its entry.
    Done(u64),
    /// The page again, with this status, and why.
    Again(StatusCode, Box<Around>),
}

/// The page of a task.
pub(super) async fn get_task(
    state: &AppState,
    visitor: &Visitor,
    task: TaskId,
    query: &Query,
) -> Result<Response, PageError> {
    let done = query.number("done");
    let around = Around { done, ..Around::default() };
    show(state, visitor, (task, done.unwrap_or_default()), (StatusCode::OK, &around)).await
}

/// What is new of a task.
pub(super) async fn get_live(
    state: &AppState,
    visitor: &Visitor,
    (task, query): (TaskId, &Query),
    (deadline, headers): (&Deadline, &HeaderMap),
) -> Result<Response, PageError> {
    let (frame, reader) = (visitor.untitled(), Reader { state, caller: &visitor.caller });
    let load = || reader.tagged_status(task, frame);
    let (tag, packed) = live::wait_for_news(state, (visitor, Some(task)), (query, deadline, headers), load).await?;
    let Some(packed) = packed else { return Ok(live::not_modified(&tag)) };
    let loaded = reader.load(&packed).await.map_err(|error| PageError::of(error, frame))?;
    let view = TaskPage::new(&loaded, &Around::default(), place_of(state, visitor, task), frame);
    let mut response = render(StatusCode::OK, &LivePart { t: frame.t, view });
    live::set_tag(&mut response, &tag);
    Ok(response)
}

/// Sends the command of a form, and leads to the result.
pub(super) async fn post_command(state: &AppState, form: &Form, task: TaskId) -> Result<Response, PageError> {
    let visitor = &form.visitor;
    let frame = visitor.untitled();
    if state.app.links.admit_command(&visitor.visit).is_err() {
        let words = (frame.t.text("error-too-many").into_owned(), frame.t.text("error-too-many-text").into_owned());
        let around = Around { refused: Some(words), filled: filled(&form.fields), ..Around::default() };
        return show(state, visitor, (task, 0), (StatusCode::TOO_MANY_REQUESTS, &around)).await;
    }
    let reader = Reader { state, caller: &visitor.caller };
    match reply(reader, (task, form.id), &form.fields, frame).await {
        Ok(Reply::Done(seq)) => Ok(go_to(&format!("/tasks/{task}?done={seq}"))),
        Ok(Reply::Again(status, around)) => show(state, visitor, (task, 0), (status, &around)).await,
        Err(problem) => Err(PageError::of_problem(&problem, frame)),
    }
}

/// The trail as a file.
pub(super) async fn get_proof(state: &AppState, visitor: &Visitor, task: TaskId) -> Result<Response, PageError> {
    let frame = visitor.untitled();
    let export = state.app.audit.exports.export_task(&visitor.caller, task, None).await;
    let export = export.map_err(|error| PageError::of(error, frame))?;
    let mut response = export::answer(export).await.map_err(|problem| PageError::of_problem(&problem, frame))?;
    let name = format!("attachment; filename=\"task-{task}.jsonl\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// What a form leads to. A choice that ends the task is shown once more before it is sent.
pub(super) async fn reply(
    reader: Reader<'_>,
    (task, id): (TaskId, CommandId),
    fields: &Fields,
    frame: &Frame,
) -> Result<Reply, Problem> {
    if fields.has("more") || fields.has("change") {
        let more_points = if fields.has("more") { choice::POINTS } else { 0 };
        return Ok(again(StatusCode::OK, Filled { more_points, ..filled(fields) }));
    }
    let choice = Choice::parse(fields.get("choice"));
    let mistakes = conflict::check(choice, fields, frame);
    let Some(choice) = choice.filter(|_| mistakes.is_empty()) else {
        return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, Filled { mistakes, ..filled(fields) }));
    };
    let person = (reader.caller, None);
    if !fields.has("confirmed") {
        let tried = command::perform(reader.state, person, (task, id), (choice.members(fields), true)).await;
        let after = tried.ok().filter(|answer| !answer.replayed).and_then(|answer| load::status_of(answer.view));
        if after.is_some_and(|after| consequence::ends(choice, &after)) {
            let around = Around { filled: filled(fields), checked: Some(choice), ..Around::default() };
            return Ok(Reply::Again(StatusCode::OK, Box::new(around)));
        }
    }
    match command::perform(reader.state, person, (task, id), (choice.members(fields), false)).await {
        Ok(answer) => Ok(Reply::Done(answer.events.first().map_or(0, |event| event.seq))),
        Err(problem) => refused(problem, choice, fields, frame),
    }
}

fn refused(problem: Problem, choice: Choice, fields: &Fields, frame: &Frame) -> Result<Reply, Problem> {
    let status = problem.code().status();
    match conflict::of(problem, choice, fields, frame) {
        Refused::Mistakes(mistakes) => Ok(again(status, Filled { mistakes, ..filled(fields) })),
        Refused::Conflict(title, text) => {
            let around = Around { refused: Some((title, text)), filled: filled(fields), ..Around::default() };
            Ok(Reply::Again(status, Box::new(around)))
        }
        Refused::Failed(problem) => Err(problem),
    }
}

fn again(status: StatusCode, filled: Filled) -> Reply {
    Reply::Again(status, Box::new(Around { filled, ..Around::default() }))
}

fn filled(fields: &Fields) -> Filled {
    Filled { fields: fields.clone(), ..Filled::default() }
}

/// Renders the hosted page; `seen` is a version that it must include.
async fn show(
    state: &AppState,
    visitor: &Visitor,
    (task, seen): (TaskId, u64),
    (status, around): (StatusCode, &Around),
) -> Result<Response, PageError> {
    let reader = Reader { state, caller: &visitor.caller };
    let frame = visitor.untitled();
    let (packed, loaded) = read(reader, task, seen).await.map_err(|error| PageError::of(error, frame))?;
    let view = TaskPage::new(&loaded, around, place_of(state, visitor, task), frame);
    let page =
        HostedPage { frame: visitor.frame(view.document_title()), t: frame.t, tag: load::tag(&packed, frame), view };
    Ok(render(status, &page))
}

/// The status, and everything that belongs to it.
pub(super) async fn read(
    reader: Reader<'_>,
    task: TaskId,
    seen: u64,
) -> Result<(std::sync::Arc<Packed>, Loaded), Error> {
    let packed = reader.status(task, seen).await?;
    let loaded = reader.load(&packed).await?;
    Ok((packed, loaded))
}

fn place_of(state: &AppState, visitor: &Visitor, task: TaskId) -> Place {
    let action = format!("/tasks/{task}/commands");
    let tokens = [visitor.form_token(&action), visitor.form_token(&action)];
    let page = format!("/tasks/{task}");
    let address = format!("{}{page}", state.app.links.public_origin().unwrap_or_default());
    Place { action, tokens, page: Some(page), printed: Some((address, state.app.clock().now())) }
}
