//! The pages for people: buyers, reviewers, partner developers and operators.
//!
//! A page is rendered here from what `app` answers, and a form becomes a command that goes the way
//! of every command. `GET` changes nothing. Cookies authenticate pages and nothing else: the API
//! does not read them. Every page can be read and every form sent without script; scripts add live
//! updates, local times, drafts and sending again.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use futures_util::FutureExt as _;

use crate::http::input::deadline::Deadline;
use crate::http::{AppState, Mount, MountedRoute};

use self::frame::{Frame, LANGUAGE_COOKIE};
use self::problem::{Kind, PageError};
use self::texts::Language;

mod assets;
mod command;
mod console;
mod embed;
mod forms;
mod frame;
mod headers;
mod home;
mod inbox;
mod links;
mod live;
mod origin;
mod problem;
mod query;
mod session;
mod task;
mod task_buyer;
mod task_work;
mod texts;
mod times;

/// A page or a form: a row of the table of routes.
struct Page {
    method: Method,
    path: &'static str,
    name: &'static str,
    handler: MethodRouter<AppState>,
}

/// Every route of the pages. A test visits each as every kind of visitor.
fn table() -> Vec<Page> {
    let page = |method, path, name, handler| Page { method, path, name, handler };
    let ground = vec![
        page(Method::GET, "/", "page_home", get(home::get_home)),
        page(Method::GET, "/go/{link}", "page_link", get(links::get_link)),
        page(Method::POST, "/go/{link}", "open_link", post(links::post_link)),
        page(Method::POST, session::END_PATH, "end_session", post(links::end_session)),
        page(Method::GET, "/assets/{build}/{*name}", "page_asset", get(assets::get_asset)),
        page(Method::GET, "/embed/v1/status.js", "page_element", get(assets::get_element)),
        page(Method::GET, "/favicon.svg", "page_icon", get(assets::get_icon)),
    ];
    [ground, task::pages(), inbox::pages(), embed::pages(), console::pages()].into_iter().flatten().collect()
}

/// Paths that are secrets: the log has the route in their place.
const SECRET: &[&str] = &["/go/{link}"];

/// The routes, to be served beside the API.
pub fn mount() -> Mount {
    let mut router = Router::new();
    let mut mounted = Vec::new();
    for Page { method, path, name, handler } in table() {
        router = router.route(path, handler);
        mounted.push(MountedRoute { method, path, name, is_secret: SECRET.contains(&path) });
    }
    let router = router.layer(axum::middleware::from_fn(around));
    Mount { router, routes: mounted, not_found: Some(problem::not_found) }
}

/// Switches the language, and makes a page of a handler that panicked or took too long.
async fn around(deadline: Deadline, request: Request, next: Next) -> Response {
    if let Some(switched) = switch_language(&request) {
        return switched;
    }
    let frame = Frame::of(request.headers());
    let answer = deadline.limit(AssertUnwindSafe(next.run(request)).catch_unwind()).await;
    match answer {
        Some(Ok(response)) => response,
        Some(Err(_)) => PageError::new(Kind::Internal, &frame).into_response(),
        None => PageError::new(Kind::Unanswered, &frame).into_response(),
    }
}

/// Answers `GET …?language=de` with a cookie that holds the choice, and the page without the parameter.
fn switch_language(request: &Request) -> Option<Response> {
    if request.method() != Method::GET {
        return None;
    }
    let query = request.uri().query()?;
    let (chosen, rest): (Vec<_>, Vec<_>) =
        form_urlencoded::parse(query.as_bytes()).partition(|(name, _)| name == "language");
    let language = Language::parse(&chosen.first()?.1)?;
    let rest = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
    // A browser reads `//host` as another site.
    let path = Some(request.uri().path()).filter(|path| !path.starts_with("//"))?;
    let place = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
    let cookie = format!("{LANGUAGE_COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", language.tag());
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers::set(headers);
    headers.insert(header::LOCATION, HeaderValue::from_str(&place).ok()?);
    headers.insert(header::SET_COOKIE, HeaderValue::from_str(&cookie).ok()?);
    Some(response)
}
