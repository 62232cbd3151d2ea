//! `/`: what this is and how to come in, or the first page of the session.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::http::AppState;

use super::frame::{Frame, render};
use super::links::go_to;
use super::problem::PageError;
use super::session;

#[derive(Template)]
#[template(path = "home.html", config = "src/pages/askama.toml")]
struct Home {
    frame: Frame,
}

/// Leads to the first page of the session; without one, says what this is and how to come in.
pub(super) async fn get_home(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, PageError> {
    let frame = Frame::of(&headers);
    let visit = session::current(&headers, &state).await.map_err(|error| PageError::of(error, &frame))?;
    if let Some(through) = visit.as_ref().and_then(|visit| visit.caller.through()) {
        return Ok(go_to(&session::first_page(&through.reach)));
    }
    let title = frame.t.text("home");
    Ok(render(StatusCode::OK, &Home { frame: frame.titled(title) }))
}
