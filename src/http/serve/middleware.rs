//! Middleware of every request, outermost first: `observe` (request id, tracing span, metrics and
//! common headers) and `guard` (time limit and panic handler). They are plain services, because
//! every axum layer costs a poll an allocation. The parent module adds CORS and sets the order;
//! bodies are limited where they are read.

use std::any::Any;
use std::collections::HashMap;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use futures_util::future::Either;
use tower::{Service, service_fn};
use tracing::{Instrument, Level, Span};
use uuid::Uuid;

use crate::app::refusals::Reason;
use crate::domain::values::cell::CellName;
use crate::http::openapi::writes::Writes;
use crate::http::problem::{Code, Problem, REQUEST, RequestContext};
use crate::http::routes::docs;
use crate::ids;
use crate::telemetry::spans;

use crate::http::input::deadline::{Deadline, TimeLimits};

use super::metrics::{InFlight, Metrics, Operation};
use super::mount::MountedRoute;

/// Longest path or method to log, in characters.
const MAX_PATH: usize = 200;

/// Header with the request's id, in requests and responses.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Header with the name of the cell: in requests the one that is meant, for a gateway; in responses
/// the one that answered, if it has a name.
pub const CELL_HEADER: HeaderName = HeaderName::from_static("stagegate-cell");

/// A service for requests: a route or all routes, with or without middleware.
pub trait RequestService:
    Service<Request, Response = Response, Error = Infallible, Future: Send + 'static> + Clone + Send + Sync + 'static
{
}

impl<S> RequestService for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Operations by route and method. Gives every request its id, span and metrics, and every response
/// its headers.
#[derive(Debug)]
pub(in crate::http) struct Observer {
    operations: HashMap<String, Vec<(Method, Arc<Operation>)>>,
    docs: Arc<Operation>,
    /// Routes whose paths are secrets, each after the beginning that no secret is part of.
    secret: Vec<(&'static str, &'static str)>,
    unmatched: Arc<Operation>,
    /// The origin by which browsers reach the service, if it is known.
    origin: Option<Arc<str>>,
    /// The name of the cell, if it has one.
    cell: Option<HeaderValue>,
    metrics: Arc<Metrics>,
}

impl Observer {
    /// Creates an observer for these operations, each with method, route and id, and for the routes
    /// beside them.
    pub(in crate::http) fn new(
        operations: impl IntoIterator<Item = (Method, String, String)>,
        beside: &[MountedRoute],
        metrics: &Arc<Metrics>,
    ) -> Self {
        let mut by_route: HashMap<String, Vec<_>> = HashMap::new();
        for (method, route, id) in operations {
            let operation = (method, Operation::new(&id, &route));
            by_route.entry(route).or_default().push(operation);
        }
        for route in beside {
            let operation = (route.method.clone(), Operation::new(route.name, route.path));
            by_route.entry(route.path.to_owned()).or_default().push(operation);
        }
        let is_secret = beside.iter().filter(|route| route.is_secret).map(|route| route.path);
        let secret = is_secret.map(|path| (path.split('{').next().unwrap_or(path), path)).collect();
        let (docs, unmatched) = (Operation::new("docs", "/docs"), Operation::new("unmatched", ""));
        Self { operations: by_route, docs, secret, unmatched, origin: None, cell: None, metrics: Arc::clone(metrics) }
    }

    /// Sets the origin by which browsers reach the service.
    pub(in crate::http) fn at(self, origin: Option<&str>) -> Self {
        Self { origin: origin.map(Arc::from), ..self }
    }

    /// Sets the name of the cell.
    pub(in crate::http) fn of(self, cell: Option<&CellName>) -> Self {
        let cell =
            cell.map(|name| HeaderValue::from_str(name.as_str()).expect("a name has the characters of a header"));
        Self { cell, ..self }
    }

    /// The refusal of a request that is meant for another cell.
    fn misdirected(&self, headers: &HeaderMap) -> Option<Problem> {
        let (ours, theirs) = (self.cell.as_ref()?, headers.get(CELL_HEADER)?);
        let text = |value: &HeaderValue| shown(&String::from_utf8_lossy(value.as_bytes())).to_owned();
        let detail = || format!("The request is for the cell `{}`, and this is `{}`.", text(theirs), text(ours));
        (ours != theirs).then(|| Problem::new(Code::WrongCell, detail()))
    }

    fn operation(&self, request: &Request) -> &Arc<Operation> {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        self.operation_of(request.method(), route)
    }

    /// The operation of a matched route.
    pub(in crate::http) fn operation_of(&self, method: &Method, route: Option<&str>) -> &Arc<Operation> {
        let Some(route) = route else { return &self.unmatched };
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let known = self.operations.get(route).and_then(|known| known.iter().find(|(of, _)| of == method));
        match known {
            Some((_, operation)) => operation,
            None if route.starts_with("/docs") || docs::FOR_MACHINES.contains(&route) => &self.docs,
            None => &self.unmatched,
        }
    }

    /// The path, or the route in its place where the path is a secret.
    fn path_to_log<'a>(&self, request: &'a Request) -> &'a str {
        let path = request.uri().path();
        let secret = self.secret.iter().find(|(beginning, _)| path.starts_with(beginning));
        secret.map_or_else(|| shown(path), |(_, route)| route)
    }

    fn begin(&self, request: &Request, operation: &Arc<Operation>) -> RequestScope {
        let given = request.headers().get(REQUEST_ID_HEADER).filter(|id| is_request_id(id));
        // Copy the value: a slice would keep the whole read buffer alive.
        let given = given.and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok());
        let id = given.unwrap_or_else(new_request_id);
        let in_flight = self.metrics.begin(operation);
        let (method, path) = (request.method().clone(), self.path_to_log(request).into());
        let trace = begin_trace(request, (operation, &id));
        let (origin, cell) = (self.origin.clone(), self.cell.clone());
        let mut begun = RequestScope { id, origin, cell, method, path, span: Span::none(), trace, in_flight };
        // A span costs as much as the rest of a poll.
        if !begun.in_flight.is_asked_all_the_time() || tracing::enabled!(Level::DEBUG) {
            begun.span = begun.new_span();
        }
        begun
    }
}

/// Gives each request a span, a log line, metrics and an id, and each response its id and the
/// security headers. Headers, queries and bodies are not logged. Frequently polled operations get a
/// span and a line only on failure. With `one`, all requests count as that operation.
pub(in crate::http) fn observe(
    observer: Arc<Observer>,
    one: Option<Arc<Operation>>,
    mut inner: impl RequestService,
) -> impl RequestService {
    service_fn(move |request: Request| {
        let operation = one.as_ref().unwrap_or_else(|| observer.operation(&request));
        let begun = observer.begin(&request, operation);
        begun.end(match observer.misdirected(request.headers()) {
            Some(problem) => Either::Left(async move { Ok(problem.into_response()) }),
            None => Either::Right(inner.call(request)),
        })
    })
}

/// A request that is being served.
struct RequestScope {
    id: HeaderValue,
    origin: Option<Arc<str>>,
    cell: Option<HeaderValue>,
    method: Method,
    /// Truncated for the log.
    path: Box<str>,
    /// For the log.
    span: Span,
    /// For the collector of traces.
    trace: spans::Span,
    in_flight: InFlight,
}

impl RequestScope {
    fn new_span(&self) -> Span {
        tracing::info_span!(
            "request", request_id = %self.id.to_str().unwrap_or_default(), operation = self.in_flight.operation(),
            method = shown(self.method.as_str()), path = &*self.path, caller = tracing::field::Empty,
            trace_id = self.trace.trace_id(), cell = self.cell.as_ref().and_then(|name| name.to_str().ok())
        )
    }

    async fn end(self, answer: impl Future<Output = Result<Response, Infallible>>) -> Result<Response, Infallible> {
        let request = RequestContext { id: self.id.clone(), origin: self.origin.clone() };
        let answer = REQUEST.scope(request, answer).instrument(self.span.clone());
        let Ok(mut response) = self.trace.run(answer).await;
        let headers = response.headers_mut();
        set_security_headers(headers);
        headers.insert(REQUEST_ID_HEADER, self.id.clone());
        if let Some(cell) = &self.cell {
            headers.insert(CELL_HEADER, cell.clone());
        }
        if let Some(code) = response.extensions().get() {
            self.in_flight.refused(*code, response.extensions().get().copied());
        }
        self.answered(response.status());
        Ok(response)
    }

    fn answered(self, status: StatusCode) {
        self.trace.set("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            self.trace.fail("5xx");
        }
        let is_quiet = self.in_flight.is_asked_all_the_time() && !is_failure(status);
        let span = if self.span.is_none() && !is_quiet { self.new_span() } else { self.span };
        let (status, ms) = (status.as_u16(), self.in_flight.answered(status).as_secs_f64() * 1000.0);
        span.in_scope(|| {
            if is_quiet {
                tracing::debug!(status, ms, "answered");
            } else {
                tracing::info!(status, ms, "answered");
            }
        });
    }
}

/// Begins the span of a request. It costs nothing while traces are off.
fn begin_trace(request: &Request, (operation, id): (&Operation, &HeaderValue)) -> spans::Span {
    let header = || request.headers().get(spans::TRACEPARENT)?.to_str().ok();
    spans::Span::of_request(header, || spans::Request {
        method: known_method(request.method()),
        route: operation.route(),
        operation: operation.id(),
        id: id.to_str().unwrap_or_default(),
    })
}

/// The method, or one word for all that callers make up.
fn known_method(method: &Method) -> &str {
    const KNOWN: [Method; 7] =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    if KNOWN.contains(method) { method.as_str() } else { "_OTHER" }
}

/// Truncates a path or a method for the log.
fn shown(path: &str) -> &str {
    path.char_indices().nth(MAX_PATH).map_or(path, |(end, _)| &path[..end])
}

fn is_failure(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn new_request_id() -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let text = ids::of_request().hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).expect("a UUID has the characters of a header")
}

/// Whether a client's request id is short and plain enough to be logged and sent back.
fn is_request_id(id: &HeaderValue) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:".contains(b);
    (1..=100).contains(&id.len()) && id.as_bytes().iter().all(plain)
}

/// Sets headers against content sniffing, framing, caching and referrer leaks, unless the handler
/// set its own.
fn set_security_headers(headers: &mut HeaderMap) {
    const DEFAULTS: [(HeaderName, HeaderValue); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    ];
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
}

/// Response for a handler that panicked.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let message = panic.downcast_ref::<&str>().copied().map(ToOwned::to_owned);
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
    let message = message.unwrap_or_else(|| "no message".to_owned());
    Problem::internal(format!("the handler panicked: {message}")).into_response()
}

/// Refuses what writes, if the replica only reads.
pub(in crate::http) fn refuse_writes(
    refused: Option<Arc<Writes>>,
    mut route: impl RequestService,
) -> impl RequestService {
    service_fn(move |request: Request| match refused.as_ref().and_then(|writes| writes.check(&request).err()) {
        Some(problem) => Either::Left(async move { Ok(problem.into_response()) }),
        None => Either::Right(route.call(request)),
    })
}

/// Limits a route by a [`Deadline`], which its handler can extend.
pub(in crate::http) fn guard(limits: TimeLimits, mut route: impl RequestService) -> impl RequestService {
    service_fn(move |mut request: Request| {
        let deadline = Deadline::new(limits);
        request.extensions_mut().insert(deadline.clone());
        within(deadline, route.call(request))
    })
}

/// Responds for a handler that misses the deadline or panics. Streams are not cut: the deadline
/// covers only the time until the response starts.
pub(in crate::http) async fn within(
    deadline: Deadline,
    answer: impl Future<Output = Result<Response, Infallible>>,
) -> Result<Response, Infallible> {
    let answered = deadline.limit(AssertUnwindSafe(answer).catch_unwind()).await;
    Ok(match answered {
        Some(Ok(Ok(response))) => response,
        Some(Err(panic)) => panicked(&*panic),
        None => timed_out(),
    })
}

fn timed_out() -> Response {
    Problem::new(
        Code::Timeout,
        "The service took too long. A write may still take effect; sending it again with the same `id` is safe.",
    )
    .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    .because(Some(Reason::Slow))
    .into_response()
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
