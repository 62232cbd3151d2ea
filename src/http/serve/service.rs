//! The complete HTTP service: the router, preceded by a fast path for status polls.
//!
//! Most requests poll one status. axum's work for a request (matching, extensions, extractors,
//! boxes) costs as much as the poll itself. Polls therefore go straight to their handler, through
//! the same checks in the same order. Every other request goes to the router, which has the same
//! operation for polls that the fast path does not recognise. Most waiting connections are long
//! polls; on the fast path they keep nothing of the request in memory.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use tower::layer::Layer as _;
use tower::{Service, service_fn};
use uuid::Uuid;

use crate::domain::values::id::TaskId;
use crate::http::input::deadline::Deadline;
use crate::http::routes::statuses;
use crate::http::{AppState, cors, router};

use super::middleware;
use super::request_head;

/// The HTTP API as a service. It is cloned for every request, so cloning is cheap.
#[derive(Clone)]
pub struct HttpService {
    router: Router,
    poll: Arc<dyn Fn(TaskId, Request) -> Answering + Send + Sync>,
    refuse: Arc<dyn Fn(Request) -> Answering + Send + Sync>,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Route of the operation with the fast path.
const ROUTE: &str = "/api/v1/tasks/{id}/status";

impl HttpService {
    /// Builds the service.
    pub fn new(state: AppState) -> Self {
        let operation = Arc::clone(state.observer.operation_of(&Method::GET, Some(ROUTE)));
        let (observer, limits, cors) = (Arc::clone(&state.observer), state.limits, cors(&state.origins));
        let router = router(state.clone());
        let refuse = refuse(&state);
        let poll = move |id, request| -> Answering {
            let state = state.clone();
            let polled = service_fn(move |request: Request| {
                let (state, deadline, (parts, _)) = (state.clone(), Deadline::new(limits), request.into_parts());
                let (moved, parts) = (deadline.clone(), Box::new(parts));
                // Box early: each wrapping future would move the inner one and reserve space for it
                // twice.
                let answer: Answering =
                    Box::pin(async move { Ok(statuses::poll(&state, moved, id, parts).await.into_response()) });
                let answer: Answering = Box::pin(middleware::within(deadline, answer));
                answer
            });
            let one = Some(Arc::clone(&operation));
            let mut around = middleware::observe(Arc::clone(&observer), one, cors.layer(polled));
            Box::pin(around.call(request))
        };
        Self { router, poll: Arc::new(poll), refuse: Arc::new(refuse) }
    }
}

/// Responds to requests that `request_head` refuses, with an id, headers and a log line like any other
/// response.
fn refuse(state: &AppState) -> impl Fn(Request) -> Answering + Send + Sync + 'static {
    let (observer, cors) = (Arc::clone(&state.observer), cors(&state.origins));
    let unmatched = Arc::clone(observer.operation_of(&Method::GET, None));
    move |request| {
        // Check again inside `observe`, where the request's id is known.
        let refused = service_fn(|request: Request| async move { Ok(request_head::check(&request).into_response()) });
        let one = Some(Arc::clone(&unmatched));
        Box::pin(middleware::observe(Arc::clone(&observer), one, cors.layer(refused)).call(request))
    }
}

/// Returns the task if the request is a plain status poll.
fn polled(method: &Method, uri: &Uri) -> Option<TaskId> {
    let (before, after) = ROUTE.split_once("{id}")?;
    let id = uri.path().strip_prefix(before)?.strip_suffix(after)?;
    // Only the canonical form of a UUID; the router handles all others.
    let is_plain = method == Method::GET && id.len() == uuid::fmt::Hyphenated::LENGTH;
    if is_plain { Uuid::try_parse(id).ok().map(TaskId) } else { None }
}

impl Service<Request> for HttpService {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // None of the inner services has a queue.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answering {
        if request_head::check(&request).is_err() {
            return (self.refuse)(request);
        }
        if let Some(id) = polled(request.method(), request.uri()) {
            return (self.poll)(id, request);
        }
        let answer = self.router.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if response.status() == StatusCode::NOT_MODIFIED {
                // axum adds `Content-Length: 0`; a 304 may only carry the length of the 200 (RFC
                // 9110, section 8.6).
                response.headers_mut().remove(header::CONTENT_LENGTH);
            }
            Ok(response)
        })
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService").finish_non_exhaustive()
    }
}
