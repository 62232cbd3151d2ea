//! What `/metrics` shows, on a listener of its own: [`crate::http::operator_router`]. Labels come from the contract
//! (operation ids) or are few and fixed, never from a request, so that nobody can make the number of time series
//! grow.

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
use crate::http::AppState;
use crate::http::problem::{Code, Problem};

mod process;

/// Where they are.
pub const PATH: &str = "/metrics";

/// The content type of Prometheus's text format in its `OpenMetrics` form.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The registry and the metrics of the HTTP surface.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Labels, Counter>,
    durations: Family<OperationLabel, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    /// In the order of [`Code::ALL`].
    problems: Vec<Counter>,
    /// In the order of [`Reason::ALL`].
    refusals: Vec<Counter>,
}

/// What goes before the name of every metric of ours; those of the process have the names that all programs use.
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
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        let build = vec![
            ("version", env!("CARGO_PKG_VERSION")),
            ("profile", profile),
            ("os", std::env::consts::OS),
            ("arch", std::env::consts::ARCH),
        ];
        registry.register("build", "The running program, always 1", Info::new(build));
        let problems = Family::<CodeLabel, Counter>::default();
        let help = "Requests answered with an error, by its code in the contract";
        registry.register("http_problems", help, problems.clone());
        // All from the start: the first of a kind is an increase, too.
        let count = |code: &Code| problems.get_or_create_owned(&CodeLabel { code: code.as_str() });
        let problems = Code::ALL.iter().map(count).collect();
        let refusals = Family::<ReasonLabel, Counter>::default();
        let help = "Requests that were not served for no fault of their own (429 and 503), by what there was too much or too little of";
        registry.register("http_refusals", help, refusals.clone());
        let count = |reason: &Reason| refusals.get_or_create_owned(&ReasonLabel { reason: reason.as_str() });
        let refusals = Reason::ALL.iter().map(count).collect();
        let requests = Family::default();
        let durations = Family::new_with_constructor(buckets as fn() -> Histogram);
        let in_flight = Gauge::default();
        registry.register(
            "http_requests",
            "Requests answered, by operation and class of status; aborted: the client went away first",
            requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Seconds until the answer began, by operation",
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
    /// Adds metrics of another part of the service.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        let mut root = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        add(root.sub_registry_with_prefix(PREFIX));
    }

    /// Adds the gauge of the bodies under way.
    pub(in crate::http) fn register_bodies(&self, bytes: &Gauge) {
        let help = "Bytes of request bodies that are being received or parsed";
        self.register(|registry| registry.register("http_request_body_bytes", help, bytes.clone()));
    }

    /// Counts a request from now until [`InFlight::answered`], or until it is dropped because the client went away.
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

/// An operation and what is counted of it. The series are looked up once, when they are first needed.
#[derive(Debug)]
pub(in crate::http) struct Operation {
    id: Arc<str>,
    is_asked_all_the_time: bool,
    requests: [OnceLock<Counter>; Outcome::LABELS.len()],
    durations: OnceLock<Histogram>,
}

impl Operation {
    /// With nothing counted yet.
    pub(in crate::http) fn new(id: &str) -> Arc<Self> {
        let is_asked_all_the_time = matches!(id, "health" | "ready" | "metrics" | "docs" | "get_task_status");
        let (requests, durations) = ([const { OnceLock::new() }; Outcome::LABELS.len()], OnceLock::new());
        Arc::new(Self { id: id.into(), is_asked_all_the_time, requests, durations })
    }
}

/// How a request ended: the class of its status.
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
    /// Once it is answered.
    took: Option<Duration>,
}

impl InFlight {
    /// The operation's name in the contract.
    pub(in crate::http) fn operation(&self) -> &str {
        &self.operation.id
    }

    /// Whether a line for each answer would be too much for the log.
    pub(in crate::http) fn is_asked_all_the_time(&self) -> bool {
        self.operation.is_asked_all_the_time
    }

    /// Counts an answer that is an error, and why if it is a refusal.
    pub(in crate::http) fn refused(&self, code: Code, reason: Option<Reason>) {
        self.metrics.problems[code as usize].inc();
        if let Some(reason) = reason {
            self.metrics.refusals[reason as usize].inc();
        }
    }

    /// Counts the answer; says how long it took.
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

/// All metrics as `OpenMetrics` text. No task and no buyer is named.
pub async fn metrics(State(state): State<AppState>) -> Result<impl IntoResponse, Problem> {
    let text = state.metrics.encode().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}
