//! Settings of traces.

use clap::Args;
use url::Url;

/// Where traces are sent. The variables are OpenTelemetry's own; its other variables are read by its
/// libraries.
#[derive(Clone, Debug, Default, Args)]
pub struct Traces {
    /// URL of an OpenTelemetry collector, such as `http://collector:4318`; `/v1/traces` is added.
    /// Unset: no traces.
    #[arg(id = "otlp_endpoint", long = "otlp-endpoint", env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    endpoint: Option<String>,
    /// URL of a collector for traces alone, as it is. Takes the place of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[arg(
        id = "otlp_traces_endpoint",
        long = "otlp-traces-endpoint",
        env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        value_name = "URL"
    )]
    instead: Option<String>,
    /// Protocol of the collector. There is only `http/protobuf`.
    #[arg(
        id = "otlp_protocol",
        long = "otlp-protocol",
        env = "OTEL_EXPORTER_OTLP_PROTOCOL",
        default_value = PROTOCOL,
        value_name = "PROTOCOL"
    )]
    protocol: String,
}

/// The one protocol.
const PROTOCOL: &str = "http/protobuf";

/// Why these settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableTraces {
    /// Not a URL of HTTP.
    #[error("{setting}: must be a URL such as http://collector:4318")]
    NotAUrl {
        /// The variable.
        setting: &'static str,
    },
    /// Another protocol.
    #[error("OTEL_EXPORTER_OTLP_PROTOCOL: must be {PROTOCOL}; gRPC and JSON are not spoken here")]
    Protocol,
}

impl Traces {
    /// The URL that takes traces, if traces are on.
    pub fn endpoint(&self) -> Result<Option<String>, UnusableTraces> {
        let given = |setting: &Option<String>| setting.clone().filter(|url| !url.is_empty());
        let (setting, url) = match (given(&self.instead), given(&self.endpoint)) {
            (Some(url), _) => ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url),
            (None, Some(url)) => ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("{}/v1/traces", url.trim_end_matches('/'))),
            (None, None) => return Ok(None),
        };
        let parsed = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if parsed.is_none() {
            return Err(UnusableTraces::NotAUrl { setting });
        }
        if !matches!(&*self.protocol, "" | PROTOCOL) {
            return Err(UnusableTraces::Protocol);
        }
        Ok(Some(url))
    }
}
