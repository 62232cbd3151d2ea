//! What `/metrics` shows. Labels come from the contract (operation ids) or are few and fixed, never from a request, so
//! that nobody can make the number of time series grow.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::AppState;
use super::problem::Problem;

/// The content type of Prometheus's text format in its `OpenMetrics` form.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The registry and the metrics of the HTTP surface.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Labels, Counter>,
    durations: Family<Operation, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    operation: Arc<str>,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: Arc<str>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("stagegate");
        let requests = Family::default();
        let durations = Family::new_with_constructor(buckets as fn() -> Histogram);
        let in_flight = Gauge::default();
        registry.register("http_requests", "Requests answered, by operation and class of status", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Seconds until the answer began, by operation",
            durations.clone(),
        );
        registry.register("http_requests_in_flight", "Requests being served", in_flight.clone());
        Self { registry: Mutex::new(registry), requests, durations, in_flight }
    }
}

fn buckets() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 35.0])
}

impl Metrics {
    /// Adds metrics of another part of the service.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts a request from now until [`InFlight::answered`], or until it is dropped because the client went away.
    pub(super) fn begin(self: &Arc<Self>, operation: Arc<str>) -> InFlight {
        self.in_flight.inc();
        InFlight { metrics: Arc::clone(self), operation, status: "aborted", began: tokio::time::Instant::now() }
    }

    fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

/// A request that is being served.
pub(super) struct InFlight {
    metrics: Arc<Metrics>,
    operation: Arc<str>,
    status: &'static str,
    began: tokio::time::Instant,
}

impl InFlight {
    /// Counts the answer; says how long it took.
    pub(super) fn answered(mut self, status: StatusCode) -> Duration {
        self.status = match status.as_u16() / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        self.began.elapsed()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let operation = Arc::clone(&self.operation);
        self.metrics.in_flight.dec();
        self.metrics.requests.get_or_create(&Labels { operation: Arc::clone(&operation), status: self.status }).inc();
        let seconds = self.began.elapsed().as_secs_f64();
        self.metrics.durations.get_or_create(&Operation { operation }).observe(seconds);
    }
}

/// Prometheus metrics
///
/// Request counts and durations by operation, and what other parts of the service count. No task, partner or buyer is
/// named.
#[utoipa::path(get, path = "/metrics", tag = "operation", security(()), responses(
    (status = 200, description = "The metrics in OpenMetrics text.", body = String, content_type = "application/openmetrics-text"),
))]
pub async fn metrics(State(state): State<AppState>) -> Result<impl IntoResponse, Problem> {
    let text = state.metrics.encode().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}
