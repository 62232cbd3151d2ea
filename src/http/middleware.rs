//! What every request passes through, outermost first: its id, its span and its metrics, the headers of every answer, the
//! catcher of panics, the time limit. (CORS and the order are in the parent module; bodies are limited where they are read.)

use std::any::Any;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;
use tracing::Instrument;

use crate::ids;

use super::metrics::Metrics;
use super::problem::{Code, Problem, REQUEST_ID};

/// The header that carries a request's id, both ways.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// How long a request may take, and how long a stream is silent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The whole of it, unless its handler asks for more.
    pub request: Duration,
    /// Its body, to arrive.
    pub body: Duration,
    /// Between two signs of life on a stream; with each, its credential is checked again.
    pub heartbeat: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request: Duration::from_secs(15), body: Duration::from_secs(10), heartbeat: Duration::from_secs(15) }
    }
}

/// Operation ids by method and route, for spans and metrics; and the metrics.
#[derive(Clone, Debug)]
pub(super) struct Observer {
    pub(super) operations: Arc<HashMap<(Method, String), Arc<str>>>,
    pub(super) metrics: Arc<Metrics>,
}

impl Observer {
    fn operation(&self, request: &Request) -> Arc<str> {
        let Some(route) = request.extensions().get::<MatchedPath>() else { return "unmatched".into() };
        let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        let known = self.operations.get(&(method, route.as_str().to_owned()));
        known.cloned().unwrap_or_else(|| if route.as_str().starts_with("/docs") { "docs" } else { "unmatched" }.into())
    }
}

/// Gives the request an id, or keeps the one it came with, and answers with it.
pub(super) async fn request_id(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID_HEADER).filter(|id| is_request_id(id)).cloned();
    let id = given.unwrap_or_else(|| {
        HeaderValue::try_from(ids::new().to_string()).expect("a UUID has the characters of a header")
    });
    request.headers_mut().insert(REQUEST_ID_HEADER, id.clone());
    let mut response = REQUEST_ID.scope(id.clone(), next.run(request)).await;
    response.headers_mut().insert(REQUEST_ID_HEADER, id);
    response
}

/// An id of a client's own goes to our log and back, so it is kept short and plain.
fn is_request_id(id: &HeaderValue) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:".contains(b);
    (1..=100).contains(&id.len()) && id.as_bytes().iter().all(plain)
}

/// One span and one line per request, and its metrics. Neither headers, nor the query, nor bodies are logged.
pub(super) async fn observe(State(observer): State<Observer>, request: Request, next: Next) -> Response {
    let operation = observer.operation(&request);
    let request_id = request.headers().get(REQUEST_ID_HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let path: String = request.uri().path().chars().take(200).collect();
    let span = tracing::info_span!(
        "request", %request_id, operation = &*operation, method = %request.method(), path, caller = tracing::field::Empty
    );
    let in_flight = observer.metrics.begin(Arc::clone(&operation));
    let quiet = matches!(&*operation, "health" | "ready" | "metrics" | "docs");
    async move {
        let response = next.run(request).await;
        let status = response.status();
        let took = in_flight.answered(status);
        let (status, ms) = (status.as_u16(), took.as_secs_f64() * 1000.0);
        if quiet {
            tracing::debug!(status, ms, "answered");
        } else {
            tracing::info!(status, ms, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

/// Headers that keep browsers from guessing, framing, caching and telling; set unless the handler set its own.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let defaults = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in defaults {
        set_default(response.headers_mut(), name, value);
    }
    response
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

/// The answer when a handler panicked.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over by value")]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<&str>().copied().map(ToOwned::to_owned);
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
    let message = message.unwrap_or_else(|| "no message".to_owned());
    Problem::internal(format!("the handler panicked: {message}")).into_response()
}

/// When the request is given up. A handler that waits on purpose takes this as an argument and moves it.
#[derive(Clone, Debug)]
pub struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    fn after(limit: Duration) -> Self {
        Self(Arc::new(Mutex::new(Instant::now() + limit)))
    }

    /// Gives the request this much longer.
    pub fn extend(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Sync> FromRequestParts<S> for Deadline {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| Problem::internal("the route has no time limit"))
    }
}

/// Gives up when the [`Deadline`] has passed. Streams are not cut: the limit ends where the answer begins.
pub(super) async fn time_limit(State(limits): State<Limits>, mut request: Request, next: Next) -> Response {
    let deadline = Deadline::after(limits.request);
    request.extensions_mut().insert(deadline.clone());
    request.extensions_mut().insert(limits);
    let mut answer = pin!(next.run(request));
    loop {
        let until = deadline.get();
        match tokio::time::timeout_at(until, answer.as_mut()).await {
            Ok(response) => return response,
            Err(_) if deadline.get() > until => {}
            Err(_) => return timed_out(),
        }
    }
}

fn timed_out() -> Response {
    Problem::new(Code::Timeout, "The service took too long. A write may still take effect; sending it again is safe.")
        .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        .into_response()
}

/// The answer to a path that does not exist.
pub(super) async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "There is no such path. The contract is at /openapi.yaml.")
}

/// The answer to a method that a path does not have; axum adds `Allow`.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "The path does not have this method; see `Allow`.")
}

/// Turns an empty 404 of a service that is not ours into a problem.
pub(super) async fn bare_not_found(response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND { not_found().await.into_response() } else { response }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_of_clients_are_short_and_plain() {
        for (id, good) in
            [("a-1_2.3:4", true), ("", false), ("a b", false), ("a\"b", false), (&*"x".repeat(101), false)]
        {
            assert_eq!(is_request_id(&HeaderValue::from_str(id).unwrap()), good, "{id}");
        }
    }
}
