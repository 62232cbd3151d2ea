//! The metrics that `/metrics` serves, on a listener of its own ([`crate::http::operator_router`]).
//! Label values are operation ids or come from fixed sets, never from a request, so callers cannot
//! create time series.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::app::refusals::Reason;
use crate::domain::values::cell::CellName;
use crate::http::AppState;
use crate::http::problem::{Code, Problem};

mod process;

/// Path of the metrics.
pub const PATH: &str = "/metrics";

/// Content type of Prometheus's text format, in its `OpenMetrics` form.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The registry, and the metrics of the HTTP API.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Labels, Counter>,
    durations: Family<OperationLabel, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    /// Indexed like [`Code::ALL`].
    problems: Vec<Counter>,
    /// Indexed like [`Reason::ALL`].
    refusals: Vec<Counter>,
}

/// Prefix of all metric names except those of the process, whose names are standard.
const PREFIX: &str = "stagegate";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    operation: Arc<str>,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: Arc<str>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut root = Registry::default();
        root.register_collector(Box::new(process::Process));
        let registry = root.sub_registry_with_prefix(PREFIX);
        let problems = Family::<CodeLabel, Counter>::default();
        let help = "Requests that failed, by the problem code of the contract";
        registry.register("http_problems", help, problems.clone());
        // Create all series at the start, so that the first problem of a kind shows as an increase.
        let count = |code: &Code| problems.get_or_create_owned(&CodeLabel { code: code.as_str() });
        let problems = Code::ALL.iter().map(count).collect();
        let refusals = Family::<ReasonLabel, Counter>::default();
        let help = "Valid requests that were refused (429 and 503), by the resource that was exhausted or unavailable";
        registry.register("http_refusals", help, refusals.clone());
        let count = |reason: &Reason| refusals.get_or_create_owned(&ReasonLabel { reason: reason.as_str() });
        let refusals = Reason::ALL.iter().map(count).collect();
        let requests = Family::default();
        let durations = Family::new_with_constructor(buckets as fn() -> Histogram);
        let in_flight = Gauge::default();
        registry.register(
            "http_requests",
            "Requests completed, by operation and status class; aborted: the client disconnected first",
            requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Seconds from the request to the start of the response, by operation",
            durations.clone(),
        );
        registry.register("http_requests_in_flight", "Requests being served", in_flight.clone());
        Self { registry: Mutex::new(root), requests, durations, in_flight, problems, refusals }
    }
}

fn buckets() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 35.0])
}

impl Metrics {
    /// Registers metrics of another part of the service.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        let mut root = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        add(root.sub_registry_with_prefix(PREFIX));
    }

    /// Registers what the running program is, and its cell.
    pub(in crate::http) fn register_build(&self, cell: Option<&CellName>) {
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("profile", if cfg!(debug_assertions) { "debug" } else { "release" }),
            ("os", std::env::consts::OS),
            ("arch", std::env::consts::ARCH),
            ("cell", cell.map_or("", CellName::as_str)),
        ];
        let build = build.map(|(name, value)| (name, value.to_owned())).to_vec();
        self.register(|registry| registry.register("build", "The running program, always 1", Info::new(build)));
    }

    /// Registers the gauge of request bodies in memory.
    pub(in crate::http) fn register_bodies(&self, bytes: &Gauge) {
        let help = "Bytes of request bodies that are being received or parsed";
        self.register(|registry| registry.register("http_request_body_bytes", help, bytes.clone()));
    }

    /// Counts a request as in flight until the returned guard is dropped. A guard that is dropped
    /// before [`InFlight::answered`] counts as aborted: the client disconnected.
    pub(in crate::http) fn begin(self: &Arc<Self>, operation: &Arc<Operation>) -> InFlight {
        self.in_flight.inc();
        InFlight {
            metrics: Arc::clone(self),
            operation: Arc::clone(operation),
            outcome: Outcome::Aborted,
            began: Instant::now(),
            took: None,
        }
    }

    fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

/// An operation and its series, each looked up once on first use.
#[derive(Debug)]
pub(in crate::http) struct Operation {
    id: Arc<str>,
    /// As it is matched, without values; empty for requests that match none.
    route: Box<str>,
    is_asked_all_the_time: bool,
    requests: [OnceLock<Counter>; Outcome::LABELS.len()],
    durations: OnceLock<Histogram>,
}

impl Operation {
    /// Creates an operation without any counts.
    pub(in crate::http) fn new(id: &str, route: &str) -> Arc<Self> {
        let is_asked_all_the_time = matches!(id, "health" | "ready" | "metrics" | "docs" | "get_task_status");
        let (requests, durations) = ([const { OnceLock::new() }; Outcome::LABELS.len()], OnceLock::new());
        Arc::new(Self { id: id.into(), route: route.into(), is_asked_all_the_time, requests, durations })
    }

    /// The operation's id in the contract.
    pub(in crate::http) fn id(&self) -> &str {
        &self.id
    }

    /// The route as it is matched.
    pub(in crate::http) fn route(&self) -> &str {
        &self.route
    }
}

/// Outcome of a request: the class of its status.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Aborted,
    Informational,
    Success,
    Redirection,
    ClientError,
    ServerError,
}

impl Outcome {
    const LABELS: [&str; 6] = ["aborted", "1xx", "2xx", "3xx", "4xx", "5xx"];

    fn of(status: StatusCode) -> Self {
        match status.as_u16() / 100 {
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

/// A request that is being served.
pub(in crate::http) struct InFlight {
    metrics: Arc<Metrics>,
    operation: Arc<Operation>,
    outcome: Outcome,
    began: Instant,
    /// Set when the response is ready.
    took: Option<Duration>,
}

impl InFlight {
    /// The operation's id in the contract.
    pub(in crate::http) fn operation(&self) -> &str {
        &self.operation.id
    }

    /// Whether the operation is polled so often that a log line per request would flood the log.
    pub(in crate::http) fn is_asked_all_the_time(&self) -> bool {
        self.operation.is_asked_all_the_time
    }

    /// Counts an error response, and the reason if it is a refusal.
    pub(in crate::http) fn refused(&self, code: Code, reason: Option<Reason>) {
        self.metrics.problems[code as usize].inc();
        if let Some(reason) = reason {
            self.metrics.refusals[reason as usize].inc();
        }
    }

    /// Records the response; returns how long it took.
    pub(in crate::http) fn answered(mut self, status: StatusCode) -> Duration {
        self.outcome = Outcome::of(status);
        *self.took.insert(self.began.elapsed())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let (metrics, operation, at) = (&*self.metrics, &*self.operation, self.outcome as usize);
        metrics.in_flight.dec();
        let labels = || Labels { operation: Arc::clone(&operation.id), status: Outcome::LABELS[at] };
        operation.requests[at].get_or_init(|| metrics.requests.get_or_create_owned(&labels())).inc();
        let labels = || OperationLabel { operation: Arc::clone(&operation.id) };
        let durations = operation.durations.get_or_init(|| metrics.durations.get_or_create_owned(&labels()));
        durations.observe(self.took.unwrap_or_else(|| self.began.elapsed()).as_secs_f64());
    }
}

/// Serves all metrics as `OpenMetrics` text. No metric names a task or a buyer.
pub async fn metrics(State(state): State<AppState>) -> Result<impl IntoResponse, Problem> {
    let text = state.metrics.encode().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}
