//! Problems for requests that no operation serves.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use crate::http::AppState;

use super::{Code, Problem};

/// Response for a path that does not exist. Outside the API, the pages may have an answer for people.
pub(in crate::http) async fn not_found(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    let page = if uri.path().starts_with("/api/") { None } else { state.mount.not_found };
    page.and_then(|page| page(&headers)).unwrap_or_else(|| no_such_path().into_response())
}

fn no_such_path() -> Problem {
    Problem::new(Code::NotFound, "There is no such path. See the contract at /openapi.yaml.")
}

/// Response for a method that a path does not support; axum adds `Allow`.
pub(in crate::http) async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "The path does not support this method; `Allow` lists those it supports.")
}

/// Turns the empty 404 of a third-party service into a problem.
pub(in crate::http) async fn bare_not_found(response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND { no_such_path().into_response() } else { response }
}
