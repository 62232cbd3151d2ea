//! Spans of OpenTelemetry: one for each request, write, timer and delivery. While traces are off
//! ([`super::traces`]) nothing here allocates, and no header is read or made.
//!
//! Spans name operations and routes. They hold no task, person, credential or text. Of a caller's
//! trace context only `traceparent` is taken, since `tracestate` may have kilobytes.

use std::sync::OnceLock;

use futures_util::future::Either;
use opentelemetry::context::{Context, FutureExt as _, WithContext};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Link, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;

/// The header of a trace context (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";

/// Set once, when the process starts with traces.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Turns spans on for the rest of the process. A second call has no effect.
pub(super) fn enable(tracer: SdkTracer) {
    let _ = TRACER.set(tracer);
}

/// A span that has begun, or nothing while traces are off. It ends when it is dropped.
#[derive(Debug)]
pub struct Span(Option<Context>);

impl Span {
    /// Begins the span of a request; `header` is its `traceparent`. `describe` runs only if traces are
    /// on.
    pub fn of_request<'a>(header: impl FnOnce() -> Option<&'a str>, describe: impl FnOnce() -> Request<'a>) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let Request { method, route, operation, id } = describe();
        let name = if route.is_empty() { method.to_owned() } else { format!("{method} {route}") };
        let attributes = [
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("http.route", route.to_owned()),
            KeyValue::new("stagegate.operation", operation.to_owned()),
            KeyValue::new("stagegate.request_id", id.to_owned()),
        ];
        let parent = header().map_or_else(Context::new, remote);
        let builder = tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(attributes);
        Self(Some(parent.with_span(tracer.build_with_context(builder, &parent))))
    }

    /// Begins a step of the current trace, or a trace of its own if there is none.
    pub fn step(name: &'static str) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let current = Context::current();
        Self(Some(current.with_span(tracer.build_with_context(tracer.span_builder(name), &current))))
    }

    /// Begins the span of a delivery for an event that was written under `origin`, to which it gets a
    /// link. It continues that trace only if `is_own`: the receiver belongs to the party whose
    /// request it was. Else it begins a trace of its own, so that no party sees another's trace id.
    pub fn of_delivery(origin: Option<&str>, is_own: bool) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let origin = origin.map(remote).filter(Context::has_active_span);
        let link = origin.as_ref().map(|origin| Link::with_context(origin.span().span_context().clone()));
        let parent = origin.filter(|_| is_own).unwrap_or_default();
        let builder = tracer.span_builder("deliver webhook").with_kind(SpanKind::Client);
        let builder = builder.with_links(link.into_iter().collect());
        Self(Some(parent.with_span(tracer.build_with_context(builder, &parent))))
    }

    /// Runs a future inside the span.
    pub fn run<F: Future>(&self, inner: F) -> Either<F, WithContext<F>> {
        match &self.0 {
            None => Either::Left(inner),
            Some(context) => Either::Right(inner.with_context(context.clone())),
        }
    }

    /// Sets an attribute.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Marks the span as failed, with a word from a fixed set.
    pub fn fail(&self, kind: &'static str) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new("error.type", kind));
            context.span().set_status(Status::error(kind));
        }
    }

    /// The id of the trace, to find it from the log.
    pub fn trace_id(&self) -> Option<String> {
        self.0.as_ref().map(|context| context.span().span_context().trace_id().to_string())
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

/// A request that begins.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The route as it is matched, without values; empty if none matched.
    pub route: &'a str,
    /// The operation's id.
    pub operation: &'a str,
    /// The request's id, as in the log.
    pub id: &'a str,
}

/// Runs a future in the current trace wherever it is spawned.
pub fn follow<F: Future>(inner: F) -> Either<F, WithContext<F>> {
    if TRACER.get().is_some() { Either::Right(inner.with_current_context()) } else { Either::Left(inner) }
}

/// The current span as the value of a `traceparent`; `None` while traces are off or outside of
/// spans. It has 55 characters.
pub fn traceparent() -> Option<String> {
    TRACER.get()?;
    let current = Context::current();
    let context: &SpanContext = &current.span().span_context().clone();
    context.is_valid().then(|| {
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        format!("00-{trace}-{span}-{flags:02x}")
    })
}

/// The context of a `traceparent` that came from elsewhere; without a span if it has another form.
fn remote(traceparent: &str) -> Context {
    struct One<'a>(&'a str);

    impl Extractor for One<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            (key == TRACEPARENT).then_some(self.0)
        }

        fn keys(&self) -> Vec<&str> {
            vec![TRACEPARENT]
        }
    }

    TraceContextPropagator::new().extract_with_context(&Context::new(), &One(traceparent))
}
