//! All of it as one service: the router, and before it a short way for what is asked all the time.
//!
//! Most requests are polls of one status. What axum does for every request (matching, extensions, extractors, a box
//! for each) costs as much as all that a poll needs, so polls go straight to their handler, through the same checks
//! in the same order. Whatever is not exactly that goes to the router, which has the same operation, and says what
//! is wrong. Most connections that wait are long polls: past the router they keep nothing of the request meanwhile.

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
use crate::http::routes::statuses;
use crate::http::{AppState, cors, router};

use super::door;
use super::middleware::{self, Deadline};

/// The whole HTTP surface as a service. Cheap to clone, as it is for every request.
#[derive(Clone)]
pub struct HttpService {
    router: Router,
    poll: Arc<dyn Fn(TaskId, Request) -> Answering + Send + Sync>,
    refuse: Arc<dyn Fn(Request) -> Answering + Send + Sync>,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// The operation that has the short way.
const ROUTE: &str = "/api/v1/tasks/{id}/status";

impl HttpService {
    /// Puts it together.
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
                // In boxes from the start: each future around one would have it moved once more, and room for it twice.
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

/// Answers what does not pass the door, as every other answer is: with an id, headers and a line in the log.
fn refuse(state: &AppState) -> impl Fn(Request) -> Answering + Send + Sync + 'static {
    let (observer, cors) = (Arc::clone(&state.observer), cors(&state.origins));
    let unmatched = Arc::clone(observer.operation_of(&Method::GET, None));
    move |request| {
        // Looked at again, where the request's id is known.
        let refused = service_fn(|request: Request| async move { Ok(door::check(&request).into_response()) });
        let one = Some(Arc::clone(&unmatched));
        Box::pin(middleware::observe(Arc::clone(&observer), one, cors.layer(refused)).call(request))
    }
}

/// The task whose status a request polls.
fn polled(method: &Method, uri: &Uri) -> Option<TaskId> {
    let (before, after) = ROUTE.split_once("{id}")?;
    let id = uri.path().strip_prefix(before)?.strip_suffix(after)?;
    // The form that ids are written in: of others the router decides.
    let is_plain = method == Method::GET && id.len() == uuid::fmt::Hyphenated::LENGTH;
    if is_plain { Uuid::try_parse(id).ok().map(TaskId) } else { None }
}

impl Service<Request> for HttpService {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // None of them has a queue of its own.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answering {
        if door::check(&request).is_err() {
            return (self.refuse)(request);
        }
        if let Some(id) = polled(request.method(), request.uri()) {
            return (self.poll)(id, request);
        }
        let answer = self.router.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if response.status() == StatusCode::NOT_MODIFIED {
                // axum says that there is nothing, where only the length of what there would be may be said (RFC
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
