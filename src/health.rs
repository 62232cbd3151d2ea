//! `stagegate health`: asks the service of this machine whether it lives. A container image has no
//! other program that could ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::config::Health;

/// The time limit, below that of the image's health check.
const LIMIT: Duration = Duration::from_secs(2);

/// Why the service is not well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer.
    #[error("{url}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why there was none.
        source: reqwest::Error,
    },
    /// Another answer than 200.
    #[error("{url}: {status}")]
    Refused {
        /// What was asked.
        url: String,
        /// The status.
        status: reqwest::StatusCode,
    },
}

/// Asks `/health`, or `/ready` if the settings say so; it must answer 200 within 2 s.
pub async fn ask(settings: &Health) -> Result<(), Error> {
    let path = if settings.ready { "/ready" } else { "/health" };
    let url = format!("http://{}{path}", reachable(settings.listen));
    // The first installed provider wins; every caller installs ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = async { reqwest::Client::builder().timeout(LIMIT).no_proxy().build()?.get(&url).send().await };
    let status = match answer.await {
        Ok(answer) => answer.status(),
        Err(source) => return Err(Error::Unreachable { url, source }),
    };
    if status.is_success() { Ok(()) } else { Err(Error::Refused { url, status }) }
}

/// The address for one that listens on all of them.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(address) if address.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    listen
}
