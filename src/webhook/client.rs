//! One guarded attempt: a request to an address that may be called, and what became of it, within fixed limits of time and memory.
//!
//! A receiver is not trusted. Every attempt makes a connection of its own, so that every attempt resolves and judges the address. Redirects are not
//! followed, nothing is decompressed, no proxy and no cookie is used. Of an answer at most its head and 2 KiB are read; then, or at the deadline, the
//! connection is dropped. Certificates are checked against the public authorities that are built in, whatever the machine has.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, redirect, retry};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};

use super::address::{Guard, Reach, Refused, Rules, Target};
use super::sign::Headers;

mod failure;
mod retry_after;
#[cfg(test)]
mod tests;

pub use failure::Failure;
pub use retry_after::RetryAfter;

/// How much of an answer is kept, in bytes.
const KEPT: usize = 2048;
const USER_AGENT: &str = concat!("stagegate/", env!("CARGO_PKG_VERSION"));

/// Makes attempts, any number at once.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    rules: Rules,
    limits: Limits,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer, whose status alone says whether the delivery was accepted.
    Answered {
        /// The HTTP status; of a redirect its own.
        status: u16,
        /// When the receiver wants the next attempt, if it says so.
        retry_after: Option<RetryAfter>,
        /// The beginning of the answer's body: at most 2,048 bytes as they came, without decompressing; what is not text or is NUL is `U+FFFD`.
        answer: String,
    },
    /// Without one.
    Failed(Failure),
}

impl Outcome {
    /// Whether the receiver has it: it answered 2xx.
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }
}

/// How long an attempt may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Resolving, connecting and TLS.
    connect: Duration,
    /// All of it.
    whole: Duration,
}

const LIMITS: Limits = Limits { connect: Duration::from_secs(3), whole: Duration::from_secs(15) };

impl Client {
    /// A client that goes as far as `reach`.
    pub fn new(reach: Reach) -> Self {
        let rules = Rules::of(reach);
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Self::with(rules, Guard::new(rules), roots, LIMITS)
    }

    fn with(rules: Rules, guard: Guard, roots: RootCertStore, limits: Limits) -> Self {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .dns_resolver(Arc::new(guard))
            .tls_backend_preconfigured(tls(roots))
            .connect_timeout(limits.connect)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(0)
            .build()
            .expect("the TLS configuration is of the rustls that reqwest uses");
        Self { http, rules, limits }
    }

    /// Sends `body`, which is JSON, with the headers that sign it. Never fails: whatever goes wrong is the attempt's outcome.
    pub async fn post(&self, target: &Target, headers: &Headers, body: Bytes) -> Attempt {
        let begun = Instant::now();
        let outcome = self.attempt(target, headers, body, begun + self.limits.whole).await;
        Attempt { outcome: outcome.unwrap_or_else(Outcome::Failed), took: begun.elapsed() }
    }

    async fn attempt(
        &self,
        target: &Target,
        headers: &Headers,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Outcome, Failure> {
        // The resolver is not asked about literal addresses.
        target.admitted(&self.rules)?;
        let request = self.http.post(target.url().clone()).header(CONTENT_TYPE, "application/json").body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let answer = timeout_at(deadline, request.send()).await.map_err(|_| Failure::TimedOut)?;
        let answer = answer.map_err(|error| Failure::of(&error))?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| RetryAfter::parse(value.to_str().ok()?));
        Ok(Outcome::Answered { status, retry_after, answer: beginning(answer, deadline).await })
    }
}

/// What can be read of the body until it ends, breaks, is enough, or time runs out: the status stands whatever follows it.
async fn beginning(mut answer: Response, deadline: Instant) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < KEPT {
        let Ok(Ok(Some(piece))) = timeout_at(deadline, answer.chunk()).await else { break };
        bytes.extend_from_slice(&piece[..piece.len().min(KEPT - bytes.len())]);
    }
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}

fn tls(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
