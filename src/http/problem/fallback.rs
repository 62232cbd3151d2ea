//! Problems for requests that no operation serves.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::{Code, Problem};

/// Response for a path that does not exist.
pub(in crate::http) async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "There is no such path. See the contract at /openapi.yaml.")
}

/// Response for a method that a path does not support; axum adds `Allow`.
pub(in crate::http) async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "The path does not support this method; `Allow` lists those it supports.")
}

/// Turns the empty 404 of a third-party service into a problem.
pub(in crate::http) async fn bare_not_found(response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND { not_found().await.into_response() } else { response }
}
