//! The log on standard error, as text for people or JSON for machines; spans for OpenTelemetry.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{Log, LogFormat};

pub mod spans;
pub mod traces;

/// Starts logging for the whole process. A second call has no effect.
///
/// # Errors
///
/// When the filter does not parse.
pub fn init(log: &Log) -> Result<(), ParseError> {
    let mut filter = EnvFilter::builder().parse(&log.filter)?;
    // The SDK of the tools for agents has three lines for each request, one with what the client sent.
    if !log.filter.contains("rmcp") {
        filter = filter.add_directive("rmcp=warn".parse()?);
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    // It fails only if a logger already exists, as in tests.
    drop(started);
    Ok(())
}
