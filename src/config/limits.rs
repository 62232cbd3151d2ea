//! Limits for clients.

use std::time::Duration;

use clap::Args;

/// Limits for clients.
#[derive(Clone, Copy, Debug, Args)]
pub struct ClientLimits {
    /// Maximum number of open connections. More connections wait in the system's accept queue.
    #[arg(long, env = "STAGEGATE_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = at_least_one, value_name = "N")]
    pub max_connections: usize,
    /// Maximum number of requests and streams that wait for a status to change. More are refused.
    #[arg(long, env = "STAGEGATE_MAX_WATCHERS", default_value_t = 20_000, value_parser = at_least_one, value_name = "N")]
    pub max_watchers: usize,
    /// Maximum number of these waits for one partner or the platform; a buyer may have at most 64
    /// [default: a tenth of the maximum, at least 256]
    #[arg(long, env = "STAGEGATE_MAX_WATCHERS_EACH", value_parser = at_least_one, value_name = "N")]
    pub max_watchers_each: Option<usize>,
    /// Seconds for a request's header to arrive, and until an idle connection is closed. Behind a
    /// load balancer, set more than the balancer's idle timeout.
    #[arg(long, env = "STAGEGATE_HEADER_TIMEOUT", default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub header_timeout: Duration,
    /// Seconds for a request's body to arrive.
    #[arg(long, env = "STAGEGATE_BODY_TIMEOUT", default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub body_timeout: Duration,
    /// MiB of memory for the bodies of concurrent requests, at least 4. One caller may use a
    /// quarter; requests that need more are refused.
    #[arg(long, env = "STAGEGATE_BODY_MEMORY", default_value_t = 64, value_parser = at_least_one, value_name = "MIB")]
    pub body_memory: usize,
    /// Seconds until a request times out.
    #[arg(long, env = "STAGEGATE_REQUEST_TIMEOUT", default_value = "15", value_parser = seconds, value_name = "SECONDS")]
    pub request_timeout: Duration,
    /// Seconds to accept requests after SIGTERM while `/ready` reports that the service is
    /// draining, so that a load balancer notices. SIGINT (Ctrl-C) skips this delay [default: 3 with
    /// a `DATABASE_URL`, else 0]
    #[arg(long, env = "STAGEGATE_DRAIN_DELAY", value_parser = seconds_or_none, value_name = "SECONDS")]
    pub drain_delay: Option<Duration>,
    /// Seconds for running requests to finish after that.
    #[arg(long, env = "STAGEGATE_DRAIN_TIMEOUT", default_value = "20", value_parser = seconds, value_name = "SECONDS")]
    pub drain_timeout: Duration,
}

/// Default drain delay of a service on a shared database: longer than a load balancer takes to
/// notice.
const DRAIN_DELAY: Duration = Duration::from_secs(3);

impl ClientLimits {
    /// Returns the time between SIGTERM and the end of new requests. A trial, which has no
    /// `DATABASE_URL`, has no load balancer.
    pub fn drain_delay(&self, is_trial: bool) -> Duration {
        self.drain_delay.unwrap_or(if is_trial { Duration::ZERO } else { DRAIN_DELAY })
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "an integer of at least 1".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let duration = seconds_or_none(text)?;
    if duration.is_zero() { Err("more than 0 seconds".to_owned()) } else { Ok(duration) }
}

fn seconds_or_none(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    number
        .filter(|duration| *duration <= Duration::from_hours(1))
        .ok_or_else(|| "a number of seconds, at most 3600".to_owned())
}
