//! Where spans go: a bounded queue, from which a thread sends batches to a collector, in protobuf over
//! HTTP (OTLP). Off unless an endpoint is set.
//!
//! A request never waits for the collector. A span that finds the queue full is dropped and counted.
//! A collector that hangs costs one batch and `EXPORT_TIMEOUT` at a time. The batches are
//! OpenTelemetry's own; its variables `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES` and the like
//! are read by its libraries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::causes::one_line;
use crate::domain::values::cell::CellName;

use super::spans;

/// The most spans that wait to be sent.
const QUEUE: u16 = 2048;
/// The time limit for a batch, with its retries.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for the spans that wait when the process stops.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The export of traces.
#[derive(Debug, Default)]
pub struct Traces {
    provider: Option<SdkTracerProvider>,
    counts: Arc<Counts>,
}

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint or another variable of OpenTelemetry cannot be used.
    #[error("traces")]
    Exporter(#[from] ExporterBuildError),
    /// The HTTP client cannot be made.
    #[error("traces: the HTTP client")]
    Client(#[from] reqwest::Error),
}

impl Traces {
    /// Turns traces on and sends them to the URL `endpoint`, as those of this cell. At most one call in
    /// a process.
    pub fn start(endpoint: &str, cell: Option<&CellName>, runtime: &Handle) -> Result<Self, Error> {
        // The first installed provider wins; every caller installs ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(EXPORT_TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client.build()?)
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let counts = Arc::<Counts>::default();
        let exporter = Exporter { inner: Arc::new(exporter), runtime: runtime.clone(), counts: Arc::clone(&counts) };
        let batches = BatchSpanProcessor::builder(exporter)
            .with_batch_config(BatchConfigBuilder::default().with_max_queue_size(QUEUE.into()).build())
            .build();
        let queue = Queue { batches, counts: Arc::clone(&counts) };
        let provider = SdkTracerProvider::builder().with_resource(resource(cell)).with_span_processor(queue).build();
        spans::enable(provider.tracer("stagegate"));
        Ok(Self { provider: Some(provider), counts })
    }

    /// Registers the metrics. They exist, and are 0, while traces are off too.
    pub fn register(&self, registry: &mut Registry) {
        let Counts { sent, dropped, failed, queued, .. } = &*self.counts;
        registry.register("traces_spans_sent", "Spans that the collector accepted", sent.clone());
        registry.register("traces_spans_dropped", "Spans dropped because the queue was full", dropped.clone());
        registry.register("traces_spans_failed", "Spans that the collector did not accept in time", failed.clone());
        registry.register("traces_spans_queued", "Spans that wait to be sent", queued.clone());
    }

    /// Sends what waits, for up to 3 s, and turns traces off.
    pub async fn flush(self) {
        let Some(provider) = self.provider else { return };
        // It blocks; the exporter needs this runtime meanwhile.
        let stopped = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_TIMEOUT)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::warn!("the last spans were not sent: the collector did not take them in time");
        }
    }
}

/// What the spans come from: `stagegate`, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say
/// otherwise, and its cell.
fn resource(cell: Option<&CellName>) -> Resource {
    let name = Key::from_static_str("service.name");
    let given = Resource::builder().build();
    let named = given.get(&name).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let builder = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    let cell = cell.map(|name| KeyValue::new("stagegate.cell", name.to_string()));
    let builder = builder.with_attributes(cell);
    if named { builder.build() } else { builder.with_service_name("stagegate").build() }
}

#[derive(Debug, Default)]
struct Counts {
    sent: Counter,
    dropped: Counter,
    failed: Counter,
    queued: Gauge,
    /// Whether the last batch was not accepted.
    is_failing: AtomicBool,
}

/// The library's queue and batches, with a count of what it has no room for. The library counts that,
/// too, and shows it nowhere.
#[derive(Debug)]
struct Queue {
    batches: BatchSpanProcessor,
    counts: Arc<Counts>,
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.counts.queued.inc() >= i64::from(QUEUE) {
            self.counts.queued.dec();
            self.counts.dropped.inc();
        } else {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Sends batches within a time limit, and counts them.
#[derive(Debug)]
struct Exporter {
    inner: Arc<opentelemetry_otlp::SpanExporter>,
    /// The HTTP client needs it, and the thread that exports has none.
    runtime: Handle,
    counts: Arc<Counts>,
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let (number, inner) = (batch.len(), Arc::clone(&self.inner));
        let export = async move { timeout(EXPORT_TIMEOUT, inner.export(batch)).await };
        let result = match self.runtime.spawn(export).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(OTelSdkError::Timeout(EXPORT_TIMEOUT)),
            Err(fault) => Err(OTelSdkError::InternalFailure(fault.to_string())),
        };
        self.counts.settle(number, &result);
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}

impl Counts {
    /// Counts a batch that is over. The first failure and the first success after it are logged.
    fn settle(&self, number: usize, result: &OTelSdkResult) {
        self.queued.dec_by(i64::try_from(number).unwrap_or(i64::MAX));
        let counter = if result.is_ok() { &self.sent } else { &self.failed };
        counter.inc_by(number as u64);
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => {
                tracing::warn!(error = one_line(error), "the collector of traces does not accept spans; they are lost");
            }
            Ok(()) if was_failing => tracing::info!("the collector of traces accepts spans again"),
            Ok(()) | Err(_) => {}
        }
    }
}
