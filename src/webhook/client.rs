//! One guarded attempt: a request to an address that may be called, and its result, within fixed
//! limits of time and memory.
//!
//! A receiver is not trusted. Every attempt opens a connection of its own, to an address that was
//! checked for it. It follows no redirects, decompresses nothing, and uses no proxy and no cookies.
//! It reads at most 128 KiB and keeps 2 KiB of the answer's body. Then, or at the deadline, it
//! drops the connection. Certificates are checked against the built-in public authorities, not the
//! machine's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::address::{Guard, Reach, Refused, Rules, Target};
use super::sign::Headers;

mod connection;
mod failure;
mod retry_after;
#[cfg(test)]
mod tests;

use connection::Stream;
pub use failure::Failure;
pub use retry_after::RetryAfter;

/// The most bytes of an answer's body that are kept.
const KEPT: usize = 2048;
/// The largest answer head, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const NAME: &str = concat!("stagegate/", env!("CARGO_PKG_VERSION"));

/// Makes attempts, any number at once.
#[derive(Clone)]
pub struct Client {
    guard: Guard,
    tls: TlsConnector,
    limits: Limits,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The result of an attempt.
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
    /// With an answer. Its status alone says whether the delivery was accepted.
    Answered {
        /// The HTTP status; for a redirect, the redirect's own.
        status: u16,
        /// When the receiver asks for the next attempt, if it does.
        retry_after: Option<RetryAfter>,
        /// The beginning of the answer's body: at most 2,048 bytes as they came, without
        /// decompressing. Bytes that are not text, and NUL, become `U+FFFD`.
        answer: String,
    },
    /// Without an answer.
    Failed(Failure),
}

impl Outcome {
    /// Whether the receiver accepted it: it answered 2xx.
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }
}

/// The time limits of an attempt.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// For resolving, connecting and TLS.
    connect: Duration,
    /// For the whole attempt.
    whole: Duration,
}

const LIMITS: Limits = Limits { connect: Duration::from_secs(3), whole: Duration::from_secs(15) };

impl Client {
    /// Creates a client that may call what `reach` allows.
    pub fn new(reach: Reach) -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Self::with(Guard::new(Rules::of(reach)), roots, LIMITS)
    }

    fn with(guard: Guard, roots: RootCertStore, limits: Limits) -> Self {
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { guard, tls: TlsConnector::from(Arc::new(tls)), limits }
    }

    /// Posts `body`, which is JSON, with the headers that sign it and, where there is one, its trace
    /// context. Never fails: every error is an outcome of the attempt.
    pub async fn post(
        &self,
        target: &Target,
        (headers, traceparent): (&Headers, Option<HeaderValue>),
        body: Bytes,
    ) -> Attempt {
        let begun = Instant::now();
        let mut request = request(target.uri(), headers, body);
        request.headers_mut().extend(traceparent.map(|value| (TRACEPARENT, value)));
        let outcome = self.attempt(target, request, begun + self.limits.whole).await;
        Attempt { outcome: outcome.unwrap_or_else(Outcome::Failed), took: begun.elapsed() }
    }

    async fn attempt(
        &self,
        target: &Target,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Outcome, Failure> {
        let connecting = timeout(self.limits.connect, self.connect(target));
        let stream = connecting.await.map_err(|_| Failure::ConnectTimedOut)??;
        // The driver ends with this attempt in any case, and the connection with it.
        let mut driver = JoinSet::new();
        let exchange = async {
            let (mut sender, connection) =
                http1::Builder::new().max_buf_size(LARGEST_HEAD).handshake(TokioIo::new(stream)).await?;
            driver.spawn(connection);
            sender.send_request(request).await
        };
        let answer = timeout_at(deadline, exchange).await.map_err(|_| Failure::TimedOut)?;
        let answer = answer.map_err(|error| Failure::of_exchange(&error))?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| RetryAfter::parse(value.to_str().ok()?));
        Ok(Outcome::Answered { status, retry_after, answer: beginning(answer, deadline).await })
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Stream>, Failure> {
        let addresses = self.guard.addresses(target).await?;
        connection::open(target.url(), &addresses, &self.tls, self.limits.connect).await
    }
}

fn request(uri: &Uri, headers: &Headers, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let own = [
        (HOST, HeaderValue::from_str(host).expect("an authority is visible ASCII")),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (USER_AGENT, HeaderValue::from_static(NAME)),
    ];
    request.headers_mut().extend(own.into_iter().chain(headers.clone()));
    request
}

/// Reads the body until it ends, breaks, is long enough, or time runs out. The status counts anyway.
async fn beginning(mut answer: Response<Incoming>, deadline: Instant) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < KEPT {
        let Ok(Some(Ok(frame))) = timeout_at(deadline, answer.frame()).await else { break };
        let Ok(piece) = frame.into_data() else { break };
        bytes.extend_from_slice(&piece[..piece.len().min(KEPT - bytes.len())]);
    }
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}
