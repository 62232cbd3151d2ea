//! Errors as pages: what happened, what was and was not saved, what to do, and the request's id.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app;
use crate::http::problem::{Code, Problem, request_id};

use super::frame::{Frame, render};
use super::texts::Texts;

/// Why there is no page.
#[derive(Debug)]
pub(super) struct PageError {
    kind: Kind,
    frame: Box<Frame>,
}

/// The kinds of errors that people can tell apart.
#[derive(Debug)]
pub(super) enum Kind {
    /// The page does not exist, or belongs to somebody else.
    NotFound,
    /// The task was put away.
    Archived,
    /// There is no session, or it has ended.
    NoSession,
    /// The form came from another site, or not from this session's page.
    Forged,
    /// The session does not reach as far.
    NotAllowed,
    /// Too many requests; wait this many seconds.
    TooMany(u64),
    /// The form is larger than the limit.
    TooLarge,
    /// The form cannot be read.
    Unreadable,
    /// The service is overloaded or the database is away. Nothing was done.
    Unavailable,
    /// The service did not learn whether the request had an effect. Sending it again is safe.
    Unanswered,
    /// A fault of the service.
    Internal,
}

impl Kind {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Archived => StatusCode::GONE,
            Self::NoSession => StatusCode::UNAUTHORIZED,
            Self::Forged | Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Unavailable | Self::Unanswered => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The ids of title and explanation.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound => ("error-not-found", "error-not-found-text"),
            Self::Archived => ("error-archived", "error-archived-text"),
            Self::NoSession => ("error-no-session", "error-no-session-text"),
            Self::Forged => ("error-forged", "error-forged-text"),
            Self::NotAllowed => ("error-not-allowed", "error-not-allowed-text"),
            Self::TooMany(_) => ("error-too-many", "error-too-many-text"),
            Self::TooLarge => ("error-too-large", "error-too-large-text"),
            Self::Unreadable => ("error-unreadable", "error-unreadable-text"),
            Self::Unavailable => ("error-unavailable", "error-unavailable-text"),
            Self::Unanswered => ("error-unanswered", "error-unanswered-text"),
            Self::Internal => ("error-internal", "error-internal-text"),
        }
    }

    /// The kind that a problem of the API is for people. It says nothing of a command's refusal:
    /// the page of the form does.
    fn of(problem: &Problem) -> Self {
        match problem.code().status() {
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::GONE => Self::Archived,
            StatusCode::UNAUTHORIZED => Self::NoSession,
            StatusCode::FORBIDDEN => Self::NotAllowed,
            StatusCode::TOO_MANY_REQUESTS => Self::TooMany(1),
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}

impl PageError {
    /// This kind of error, in this frame.
    pub(super) fn new(kind: Kind, frame: &Frame) -> Self {
        Self { kind, frame: Box::new(frame.clone()) }
    }

    /// What a use case answered, as a page. A fault is logged here, as it is for the API.
    pub(super) fn of(error: app::Error, frame: &Frame) -> Self {
        let is_unanswered = matches!(error, app::Error::Unanswered(_));
        let problem = Problem::from(error);
        problem.log();
        Self::new(if is_unanswered { Kind::Unanswered } else { Kind::of(&problem) }, frame)
    }

    /// What a command answered that does not concern the form it came from. The command may have
    /// had its effect if the service or its database did not answer.
    pub(super) fn of_problem(problem: &Problem, frame: &Frame) -> Self {
        problem.log();
        let is_unanswered = matches!(problem.code(), Code::Unavailable | Code::Timeout);
        Self::new(if is_unanswered { Kind::Unanswered } else { Kind::of(problem) }, frame)
    }

    /// Why a form cannot be read.
    pub(super) fn of_form(problem: &Problem, frame: &Frame) -> Self {
        let kind = match problem.code().status() {
            StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
            StatusCode::SERVICE_UNAVAILABLE => Kind::Unavailable,
            StatusCode::TOO_MANY_REQUESTS => Kind::TooMany(1),
            _ => Kind::Unreadable,
        };
        Self::new(kind, frame)
    }
}

/// The page of an error.
#[derive(Template)]
#[template(path = "error.html", config = "src/pages/askama.toml")]
struct ErrorPage<'a> {
    frame: &'a Frame,
    t: Texts,
    text: &'static str,
    request_id: String,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (title, text) = self.kind.words();
        let t = self.frame.t;
        let frame = Frame { title: t.text(title).into_owned(), ..*self.frame };
        let mut response = render(
            self.kind.status(),
            &ErrorPage { frame: &frame, t, text, request_id: request_id().unwrap_or_default() },
        );
        let wait = match self.kind {
            Kind::TooMany(seconds) => Some(seconds),
            Kind::Unavailable | Kind::Unanswered => Some(2),
            Kind::NotFound
            | Kind::Archived
            | Kind::NoSession
            | Kind::Forged
            | Kind::NotAllowed
            | Kind::TooLarge
            | Kind::Unreadable
            | Kind::Internal => None,
        };
        if let Some(wait) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}

/// The page for an address that does not exist, where the visitor is a browser.
pub(super) fn not_found(headers: &HeaderMap) -> Option<Response> {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepts.contains("text/html").then(|| PageError::new(Kind::NotFound, &Frame::of(headers)).into_response())
}
