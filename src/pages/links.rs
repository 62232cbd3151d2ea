//! `/go/{link}`: what an address leads to, and the exchange of a link for a session. Looking at a
//! link changes nothing, also if a mail scanner does it a thousand times.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::app::links::{OpenError, OpenLink, Opened, Standing, Visit};
use crate::domain::link::{Agent, LinkState, OpenMode};
use crate::domain::values::language::Language;
use crate::domain::values::time::Time;
use crate::http::AppState;

use super::forms::{Form, OpenForm};
use super::frame::{self, Frame, render};
use super::problem::PageError;
use super::session;
use super::texts::written;

/// The page of a link that opens, the same for every link: it says nothing of the task.
#[derive(Template)]
#[template(path = "go.html", config = "src/pages/askama.toml")]
struct Go {
    frame: Frame,
    /// Whether the page presses the button itself.
    at_once: bool,
    /// The person of the browser's present session and the next one, if they differ.
    other: Option<(String, String)>,
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html", config = "src/pages/askama.toml")]
struct Message {
    frame: Frame,
    text: String,
}

/// Shows what the address leads to.
pub(super) async fn get_link(
    State(state): State<AppState>,
    Path(voucher): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let standing = state.app.links.look(&voucher).await.map_err(|error| PageError::of(error, &Frame::of(&headers)))?;
    match standing {
        Standing::Open(link) => Ok(render(StatusCode::OK, &go(&link, &headers, None))),
        Standing::Closed { .. } | Standing::Unknown => Ok(closed(&standing, &headers)),
    }
}

fn go(link: &OpenLink, headers: &HeaderMap, other: Option<(String, String)>) -> Go {
    let language = frame::language(headers, link.language.as_ref().map(Language::as_str));
    let frame = Frame::new(language, None);
    let title = frame.t.text(if other.is_some() { "go-other-person" } else { "go-open" });
    Go { frame: frame.titled(title), at_once: link.open == OpenMode::AtOnce && other.is_none(), other }
}

/// The page of a link that does not open.
fn closed(standing: &Standing, headers: &HeaderMap) -> Response {
    let (status, title, text, language) = match standing {
        Standing::Closed { state, language, .. } => {
            let (title, text) = reason(*state);
            (StatusCode::GONE, title, text, language.as_ref().map(Language::as_str))
        }
        Standing::Open(_) | Standing::Unknown => (StatusCode::NOT_FOUND, "go-unknown", "go-unknown-text", None),
    };
    message(status, &Frame::new(frame::language(headers, language), None), (title, text))
}

fn reason(state: LinkState) -> (&'static str, &'static str) {
    match state {
        LinkState::Expired => ("go-expired", "go-expired-text"),
        LinkState::Decided => ("go-decided", "go-decided-text"),
        LinkState::Superseded => ("go-superseded", "go-superseded-text"),
        LinkState::Withdrawn => ("go-withdrawn", "go-withdrawn-text"),
        LinkState::Held | LinkState::Open => ("go-held", "go-held-text"),
        LinkState::Ended => ("go-ended", "go-ended-text"),
    }
}

fn message(status: StatusCode, frame: &Frame, (title, text): (&'static str, &'static str)) -> Response {
    let t = frame.t;
    render(status, &Message { frame: frame.titled(t.text(title)), text: t.text(text).into_owned() })
}

/// Exchanges the link for a session. A session of the same person that reaches as far stays; before
/// another person's ends, the page asks.
pub(super) async fn post_link(
    State(state): State<AppState>,
    Path(voucher): Path<String>,
    headers: HeaderMap,
    OpenForm(fields): OpenForm,
) -> Result<Response, PageError> {
    let anonymous = Frame::of(&headers);
    let failed = |error| PageError::of(error, &anonymous);
    let links = &state.app.links;
    let standing = links.look(&voucher).await.map_err(failed)?;
    let Standing::Open(link) = standing else { return Ok(closed(&standing, &headers)) };
    let present = session::current(&headers, &state).await.map_err(failed)?;
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).map_or(Agent::Other, Agent::of);
    if let Some(present) = &present {
        if present.covers(&link) {
            let opened = links.open_within(&voucher, agent, present).await;
            return match opened {
                Ok(()) => Ok(go_to(&place_of(&link, present))),
                Err(error) => not_opened(error, &headers),
            };
        }
        if !present.is_same_person(&link) && !fields.has("continue") {
            let names = (session::name(present), name_of(&link));
            return Ok(render(StatusCode::CONFLICT, &go(&link, &headers, Some(names))));
        }
    }
    match links.open(&voucher, agent).await {
        Ok(opened) => {
            if let Some(secret) = session::secret(&headers, &state) {
                links.end_session(secret).await.map_err(failed)?;
            }
            Ok(begin(&opened, &state))
        }
        Err(error) => not_opened(error, &headers),
    }
}

fn name_of(link: &OpenLink) -> String {
    link.actor
        .as_ref()
        .map_or_else(String::new, |actor| actor.name.as_ref().map_or_else(|| actor.id.to_string(), ToString::to_string))
}

/// The page that the link leads to, within a session that stays.
fn place_of(link: &OpenLink, present: &Visit) -> String {
    match (link.task_id, present.caller.through()) {
        (Some(task), _) => format!("/tasks/{task}"),
        (None, Some(through)) => session::first_page(&through.reach),
        (None, None) => "/".to_owned(),
    }
}

fn begin(opened: &Opened, state: &AppState) -> Response {
    let Opened { secret, visit } = opened;
    let place = visit.caller.through().map_or_else(|| "/".to_owned(), |through| session::first_page(&through.reach));
    let mut response = go_to(&place);
    let cookie = session::set_cookie(secret, seconds_left(visit.ends_at, state), state);
    response.headers_mut().append(session::SET_COOKIE, cookie);
    response
}

fn seconds_left(ends_at: Time, state: &AppState) -> i64 {
    (ends_at - state.app.clock().now()).num_seconds().max(0)
}

fn not_opened(error: OpenError, headers: &HeaderMap) -> Result<Response, PageError> {
    match error {
        OpenError::NotOpen(standing) => Ok(closed(&standing, headers)),
        OpenError::TooMany(wait) => {
            let words = ("go-too-many", "go-too-many-text");
            let mut response = message(StatusCode::TOO_MANY_REQUESTS, &Frame::of(headers), words);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
            Ok(response)
        }
        OpenError::Failed(error) => Err(PageError::of(error, &Frame::of(headers))),
    }
}

/// Sends the browser to another page, by `GET`.
pub(super) fn go_to(place: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    super::headers::set(response.headers_mut());
    match HeaderValue::from_str(place) {
        Ok(place) => response.headers_mut().insert(header::LOCATION, place),
        Err(_) => response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/")),
    };
    response
}

/// Ends the session. With "not me", its link ends as well.
pub(super) async fn end_session(
    State(state): State<AppState>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, PageError> {
    let frame = form.visitor.untitled();
    let failed = |error| PageError::of(error, frame);
    let is_other = form.fields.has("not-me");
    if let Some(secret) = session::secret(&headers, &state) {
        let links = &state.app.links;
        if is_other {
            links.disown(secret).await.map_err(failed)?;
        } else {
            links.end_session(secret).await.map_err(failed)?;
        }
    }
    let words = if is_other { ("link-closed", "link-closed-text") } else { ("signed-out", "signed-out-text") };
    let frame = Frame { acting: None, navigation: Vec::new(), ..frame.clone() };
    let mut response = message(StatusCode::OK, &frame, words);
    response.headers_mut().append(session::SET_COOKIE, session::clear_cookie(&state));
    Ok(response)
}

/// The sentence of a person's name within ours, for pages that show both.
pub(super) fn other_person(frame: &Frame, now: &str, next: &str) -> String {
    frame.t.with_all("go-other-person-text", [("now", written(now)), ("next", written(next))]).into_owned()
}
