//! `/`: what this is and how to come in, or the first page of the session.

use askama::Template;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::frame::{Frame, render};

#[derive(Template)]
#[template(path = "home.html", config = "src/pages/askama.toml")]
struct Home {
    frame: Frame,
}

/// Says what this is and how to come in.
pub(super) async fn get_home(headers: HeaderMap) -> Response {
    let frame = Frame::of(&headers);
    let title = frame.t.text("home");
    render(StatusCode::OK, &Home { frame: frame.titled(title) })
}
