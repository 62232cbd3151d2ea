//! `/tasks/{id}` for partner and platform: the reviewer's desk. What may be chosen comes from `why`
//! and dry runs; a form becomes a command of the API.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::BoxFuture;

use crate::app::Error;
use crate::app::tasks::Desk;
use crate::app::tasks::inbox::Filter;
use crate::domain::audit::EntryView;
use crate::domain::link::LinkKind;
use crate::domain::task::unreadable::ListedTask;
use crate::domain::values::id::TaskId;
use crate::http::AppState;
use crate::http::input::deadline::Deadline;
use crate::http::problem::{Code, Problem};

use super::command;
use super::forms::Form;
use super::frame::{Frame, render};
use super::links::go_to;
use super::problem::{Kind, PageError};
use super::query::Query;
use super::session::Visitor;
use super::texts::Texts;
use super::{headers, live};

use self::choice::Choice;
use self::claim::Say;
use self::consequence::Consequence;
use self::notice::Notice;
use self::offers::Offers;
use self::page::{Loaded, News, Page};
use self::panel::{Filled, has_inbox};
use self::typed::Typed;

mod choice;
pub(super) mod claim;
mod compare;
mod conflict;
mod consequence;
pub(super) mod head;
mod history;
mod mistakes;
mod notice;
mod offers;
mod page;
mod panel;
mod people;
mod typed;
pub(super) mod view;
pub(super) mod words;

/// The page of a task, or of what was just done to it.
pub(super) async fn get_task(
    state: &AppState,
    visitor: &Visitor,
    task: TaskId,
    query: &Query,
) -> Result<Response, PageError> {
    if let Some(seq) = query.number("done")
        && let Some(done) = done(state, visitor, (task, seq)).await?
    {
        return Ok(done);
    }
    let (loaded, offers) = load_page(state, visitor, task, query).await?;
    Ok(render(StatusCode::OK, &Page::new((&loaded, &offers), visitor, &Filled::default())))
}

/// What is new of a task since the visitor's page was made.
pub(super) async fn get_live(
    state: &AppState,
    visitor: &Visitor,
    (task, query): (TaskId, &Query),
    (deadline, headers): (&Deadline, &HeaderMap),
) -> Result<Response, PageError> {
    let look = || async {
        let standing = state.app.tasks.get_standing(&visitor.caller, task).await?;
        Ok((page::tag(standing.version, standing.overdue), ()))
    };
    let (tag, news) = live::wait_for_news(state, (visitor, Some(task)), (query, deadline, headers), look).await?;
    let Some(()) = news else { return Ok(live::not_modified(&tag)) };
    let desk = get_desk(state, visitor, task).await.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let tag = page::tag(desk.task.version, desk.task.overdue);
    let loaded = load_regions(state, visitor, desk, query).await?;
    let mut response = render(StatusCode::OK, &News::new(&loaded, visitor));
    live::set_tag(&mut response, &tag);
    Ok(response)
}

async fn get_desk(state: &AppState, visitor: &Visitor, task: TaskId) -> Result<Desk, Error> {
    let actor = visitor.actor.as_ref().map(|actor| actor.id.clone());
    state.app.tasks.get_desk(&visitor.caller, task, actor).await
}

/// Sends a command, or shows the form again with what was typed.
pub(super) async fn post_command(state: &AppState, form: &Form, task: TaskId) -> Result<Response, PageError> {
    let (visitor, fields) = (&form.visitor, &form.fields);
    let t = visitor.untitled().t;
    let (choice, target) = choice::sent(fields);
    let filled = Filled { typed: Typed::of(fields), target: Some(target), ..Filled::default() };
    if fields.has("more") {
        let typed = match fields.get("more") {
            "pieces" => filled.typed.with_more_pieces(),
            _ => filled.typed.with_more_points(),
        };
        return again(state, visitor, task, (StatusCode::OK, Filled { typed, ..filled })).await;
    }
    if fields.has("preview") {
        return again(state, visitor, task, (StatusCode::OK, Filled { preview: true, ..filled })).await;
    }
    if let Err(wait) = state.app.links.admit_command(&visitor.visit) {
        return too_many(state, visitor, task, (wait.as_secs().max(1), filled)).await;
    }
    if let Some(say) = Say::parse(fields.get("claim")) {
        return Box::pin(claim::post(state, visitor, (task, say), filled)).await;
    }
    let (Some(choice), Some(target)) = (choice, &filled.target) else {
        let mistakes = mistakes::no_choice(t);
        return again(state, visitor, task, (StatusCode::UNPROCESSABLE_ENTITY, Filled { mistakes, ..filled })).await;
    };
    let mistakes = mistakes::check(choice, &filled.typed, t);
    if !mistakes.is_empty() {
        return again(state, visitor, task, (StatusCode::UNPROCESSABLE_ENTITY, Filled { mistakes, ..filled })).await;
    }
    match command::send(state, visitor, (task, form.id), choice.members(&filled.typed, target)).await {
        Ok(answer) => {
            let seq = answer.events.first().map_or(0, |event| event.seq);
            Ok(go_to(&format!("/tasks/{task}?done={seq}")))
        }
        // Boxed, since it is large and rare.
        Err(problem) => Box::pin(refused(state, visitor, task, (choice, problem, filled))).await,
    }
}

/// The page for a form that was not accepted. Nothing that was typed is lost.
async fn refused(
    state: &AppState,
    visitor: &Visitor,
    task: TaskId,
    (choice, problem, filled): (Choice, Problem, Filled),
) -> Result<Response, PageError> {
    let frame = visitor.untitled();
    if matches!(problem.code(), Code::InvalidBody | Code::UnansweredFeedback) {
        let mistakes = mistakes::of(problem.errors(), choice, &filled.typed, frame.t);
        return again(state, visitor, task, (StatusCode::UNPROCESSABLE_ENTITY, Filled { mistakes, ..filled })).await;
    }
    if problem.code() == Code::StaleRevision {
        return newer_work(state, visitor, task, filled).await;
    }
    if !conflict::is_conflict(&problem) {
        return Err(PageError::of_problem(&problem, frame));
    }
    let desk = get_desk(state, visitor, task).await.map_err(|error| PageError::of(error, frame))?;
    conflict::answer(state, visitor, (&desk, problem), &filled.typed).await
}

/// The page with the forms as they were sent.
async fn again(
    state: &AppState,
    visitor: &Visitor,
    task: TaskId,
    (status, filled): (StatusCode, Filled),
) -> Result<Response, PageError> {
    let (loaded, offers) = load_page(state, visitor, task, &Query::default()).await?;
    let mut page = Page::new((&loaded, &offers), visitor, &filled);
    if !filled.mistakes.is_empty() {
        page.set_outcome(visitor.untitled().t.text("review-error").into_owned());
    }
    page.keep_what_has_no_form(&offers, &filled.typed);
    Ok(render(status, &page))
}

/// The form again after too many commands in a minute.
async fn too_many(
    state: &AppState,
    visitor: &Visitor,
    task: TaskId,
    (wait, filled): (u64, Filled),
) -> Result<Response, PageError> {
    let (loaded, offers) = load_page(state, visitor, task, &Query::default()).await?;
    let mut page = Page::new((&loaded, &offers), visitor, &filled);
    let t = visitor.untitled().t;
    page.set_outcome(t.text("error-too-many").into_owned());
    let text = t.with("review-too-many", "seconds", wait).into_owned();
    page.notice = Some(Notice { text, link: None, typed: Vec::new() });
    page.keep_what_has_no_form(&offers, &filled.typed);
    let mut response = render(StatusCode::TOO_MANY_REQUESTS, &page);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
    Ok(response)
}

/// The form, filled, and bound to the new revision: only on this page, which says so.
async fn newer_work(state: &AppState, visitor: &Visitor, task: TaskId, filled: Filled) -> Result<Response, PageError> {
    let earlier = filled.target.as_ref().map(|target| target.revision.clone()).unwrap_or_default();
    let compared = Query::new(&format!("compare={earlier}"));
    let (loaded, offers) = load_page(state, visitor, task, &compared).await?;
    let filled = Filled { target: None, ..filled };
    let mut page = Page::new((&loaded, &offers), visitor, &filled);
    let frame = visitor.untitled();
    let text = conflict::newer_work(&loaded.desk, &earlier, frame);
    let link = Some(("#work".to_owned(), frame.t.text("review-see-changes").into_owned()));
    page.notice = Some(Notice { text, link, typed: Vec::new() });
    page.set_outcome(frame.t.text("review-newer-title").into_owned());
    page.keep_what_has_no_form(&offers, &filled.typed);
    Ok(render(StatusCode::PRECONDITION_FAILED, &page))
}

/// Reads all that the page shows, and tries out what can be chosen. Its future is large, so it is boxed here and no
/// handler holds it.
fn load_page<'a>(
    state: &'a AppState,
    visitor: &'a Visitor,
    task: TaskId,
    query: &'a Query,
) -> BoxFuture<'a, Result<(Loaded, Offers), PageError>> {
    Box::pin(async move {
        let desk = get_desk(state, visitor, task).await.map_err(|error| PageError::of(error, visitor.untitled()))?;
        let loaded = load_regions(state, visitor, desk, query).await?;
        let offers = Offers::find(state, visitor, &loaded.desk).await;
        let offers = offers.map_err(|problem| PageError::of_problem(&problem, visitor.untitled()))?;
        Ok((loaded, offers))
    })
}

/// Reads what the regions of the page show besides.
async fn load_regions(state: &AppState, visitor: &Visitor, desk: Desk, query: &Query) -> Result<Loaded, PageError> {
    let failed = |error| PageError::of(error, visitor.untitled());
    let (app, caller, task) = (&state.app, &visitor.caller, desk.task.id);
    let last =
        query.number("before").map_or(desk.task.version, |before| desk.task.version.min(before.saturating_sub(1)));
    let after = last.saturating_sub(u64::from(history::ROWS));
    let rows = u32::try_from(last - after).unwrap_or(history::ROWS).max(1);
    let entries = app.audit.task_trails.get_task_audit(caller, task, after, rows).await.map_err(failed)?.rows;
    let earlier = match view::compared_revision(&desk, query.number("compare")) {
        Some(revision) => {
            let entry = app.audit.task_trails.get_submission(caller, task, revision).await.map_err(failed)?;
            Some((revision, view::artifacts(&entry)))
        }
        None => None,
    };
    Ok(Loaded { desk, entries, earlier, is_older: query.number("before").is_some() })
}

/// The page of what the visitor has just done.
#[derive(Template)]
#[template(path = "work/done.html", config = "src/pages/askama.toml")]
struct Done {
    frame: Frame,
    t: Texts,
    /// The number of its entry.
    seq: u64,
    task: String,
    /// The title of the task, and whether it is somebody's words.
    title: (String, bool),
    /// Whose turn it is now.
    turn: String,
    /// The votes now.
    votes: Vec<String>,
    /// The next task of the inbox: its id, title and stage.
    next: Option<(TaskId, String, String)>,
    has_inbox: bool,
    /// Whether the service signs receipts.
    has_receipt: bool,
}

/// What the visitor did with the entry `seq`; nothing if somebody else did it.
async fn done(state: &AppState, visitor: &Visitor, (task, seq): (TaskId, u64)) -> Result<Option<Response>, PageError> {
    let failed = |error| PageError::of(error, visitor.untitled());
    let (app, caller, t) = (&state.app, &visitor.caller, visitor.untitled().t);
    let desk = get_desk(state, visitor, task).await.map_err(failed)?;
    let trail = &app.audit.task_trails;
    let page = trail.get_task_audit(caller, task, seq.saturating_sub(1), history::ROWS).await.map_err(failed)?;
    let entries: Vec<EntryView> = page.rows.into_iter().filter(|entry| entry.cause_seq == Some(seq)).collect();
    if !entries.first().is_some_and(|entry| is_by(entry, visitor)) {
        return Ok(None);
    }
    let outcome = Consequence::of(&entries, &desk.workflow).outcome(t);
    let page = Done {
        frame: visitor.frame(outcome),
        t,
        seq,
        task: format!("/tasks/{task}"),
        title: page::title(&desk, t),
        turn: words::turn(t, &desk.task, visitor.party()),
        votes: desk.task.review.as_ref().map_or_else(Vec::new, |review| head::votes(t, review)),
        next: next(state, visitor, task).await.map_err(failed)?,
        has_inbox: has_inbox(visitor),
        has_receipt: app.audit.log.require_key().is_ok(),
    };
    Ok(Some(render(StatusCode::OK, &page)))
}

fn is_by(entry: &EntryView, visitor: &Visitor) -> bool {
    let by = entry.actor.as_ref().and_then(|actor| actor.id.as_ref());
    by.is_some() && by == visitor.actor.as_ref().map(|actor| &actor.id)
}

/// The first other task that waits for the visitor.
async fn next(state: &AppState, visitor: &Visitor, task: TaskId) -> Result<Option<(TaskId, String, String)>, Error> {
    let Some(actor) = visitor.actor.as_ref().filter(|_| visitor.reach.kind == LinkKind::Inbox) else { return Ok(None) };
    let filter = Filter { actor: Some(&actor.id), ..Filter::default() };
    let found = state.app.tasks.inbox.list_reviews(&visitor.caller, filter, (None, 2)).await?;
    let readable = found.items.into_iter().filter_map(|listed| match listed {
        ListedTask::Task(task) => Some(task),
        ListedTask::Unreadable(_) => None,
    });
    let next = readable.into_iter().find(|next| next.id != task);
    Ok(next.map(|next| {
        let title = next.title.as_ref().map(ToString::to_string);
        let untitled = || visitor.untitled().t.text("review-untitled").into_owned();
        (next.id, title.unwrap_or_else(untitled), next.stage.name.to_string())
    }))
}

/// The signed receipt of an entry, as a file.
pub(super) async fn get_receipt(
    state: &AppState,
    visitor: &Visitor,
    (task, seq): (TaskId, &str),
) -> Result<Response, PageError> {
    let frame = visitor.untitled();
    let seq = seq.parse().map_err(|_| PageError::new(Kind::NotFound, frame))?;
    let receipt = state.app.audit.receipts.get_task_receipt(&visitor.caller, task, seq).await;
    let receipt = receipt.map_err(|error| PageError::of(error, frame))?;
    let mut response = receipt.into_response();
    headers::set(response.headers_mut());
    let name = format!("attachment; filename=\"receipt-{task}-{seq}.jws\"");
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jose"));
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
