//! The accept loop. `axum::serve` gives hyper no timer, so a client that sends its header a byte a
//! second would hold its socket forever; nor does it limit the number of connections.
//!
//! hyper times out slow headers and idle connections of HTTP/1. It does not time the bytes that
//! distinguish HTTP/1 from HTTP/2, or HTTP/2's first request; this module does. It peeks at the
//! first bytes, which saves HTTP/1 connections a second read buffer for as long as they are open.
//!
//! Connections over the limit wait unaccepted. Draining stops accepting, closes idle connections,
//! lets running requests finish, and drops those that still run at the deadline.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use super::middleware::RequestService;

/// Interval of HTTP/2 keep-alive pings, and the time that a client has to answer one.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Concurrent requests of one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;

/// Largest header of a request, including its first line. A larger one gets 431, and the connection
/// closes. The read buffer doubles as it grows, so an unfinished header takes at most twice as much
/// memory.
pub const MAX_HEADER_BYTES: usize = 64 << 10;

/// Flow-control window of HTTP/2: bytes that a connection may send before a handler reads them.
const WINDOW: u32 = 64 << 10;

/// Limits of connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Maximum number of open connections.
    pub max_connections: usize,
    /// For a request's header to arrive, and for an idle HTTP/1 connection.
    pub header_timeout: Duration,
    /// For running requests to finish after shutdown begins.
    pub drain_timeout: Duration,
}

/// How draining ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered.
    Clean,
    /// The drain timeout cut some off.
    CutOff,
}

/// Serves `service` until `shutdown` completes, then drains.
pub async fn serve(
    listener: TcpListener,
    service: impl RequestService,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let graceful = GracefulShutdown::new();
    let (any, http1) = (any(limits.header_timeout), http1(limits.header_timeout));
    let (serving, stopping) = watch::channel(());
    let server = Server { any: Arc::new(any), http1: Arc::new(http1), service, limits, stopping };
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (stream, peer, permit) = accept(&listener, &permits) => {
                connections.spawn(server.clone().connection((stream, peer), graceful.watcher(), permit));
            }
        }
    }
    drop((listener, serving));
    match timeout(limits.drain_timeout, graceful.shutdown()).await {
        Ok(()) => Drained::Clean,
        Err(_) => Drained::CutOff,
    }
}

#[derive(Clone)]
struct Server<S> {
    any: Arc<Builder<TokioExecutor>>,
    http1: Arc<http1::Builder>,
    service: S,
    limits: ConnectionLimits,
    /// Closed when draining begins.
    stopping: watch::Receiver<()>,
}

impl<S: RequestService> Server<S> {
    /// Serves one connection. Connections are many and mostly idle, so their memory matters: each
    /// part is boxed separately, because a future that contains others reserves space for them
    /// several times over.
    fn connection(
        self,
        (stream, peer): (TcpStream, SocketAddr),
        watcher: Watcher,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send {
        // Responses are small; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let (spoke, header_timeout) = (Arc::new(AtomicBool::new(false)), self.limits.header_timeout);
        let serving = Box::pin(self.serve(stream, watcher, Arc::clone(&spoke)));
        async move {
            let silence = async {
                sleep(header_timeout).await;
                if spoke.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                ended = serving => if let Err(error) = ended {
                    // The client disconnected, was too slow or violated the protocol.
                    tracing::debug!(%peer, error, "connection ended");
                },
                () = silence => tracing::debug!(%peer, "no request in time, connection closed"),
            }
            drop(permit);
        }
    }

    async fn serve(mut self, stream: TcpStream, watcher: Watcher, spoke: Arc<AtomicBool>) -> Result<(), BoxError> {
        let is_http1 = tokio::select! {
            is_http1 = is_http1(&stream) => is_http1,
            _ = self.stopping.changed() => return Ok(()),
        };
        let service = self.service;
        let service = service_fn(move |request: Request<Incoming>| {
            spoke.store(true, Ordering::Relaxed);
            // Box only bodies that are not empty.
            let request = request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) });
            service.clone().oneshot(request)
        });
        let stream = TokioIo::new(stream);
        if is_http1 {
            Ok(Box::pin(watcher.watch(self.http1.serve_connection(stream, service))).await?)
        } else {
            Box::pin(watcher.watch(self.any.serve_connection(stream, service))).await
        }
    }
}

/// Whether the connection starts with an HTTP/1 request. Returns `false` if too few bytes have
/// arrived to tell.
async fn is_http1(stream: &TcpStream) -> bool {
    const HTTP2: &[u8] = b"PRI ";
    let mut first = [0; HTTP2.len()];
    let length = stream.peek(&mut first).await.unwrap_or_default();
    length > 0 && !HTTP2.starts_with(&first[..length])
}

fn http1(header_timeout: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(header_timeout);
    // Both are needed: the buffer limits what is read, the other refuses a large header that
    // arrives in one piece.
    builder.max_buf_size(MAX_HEADER_BYTES).max_header_size(MAX_HEADER_BYTES);
    builder
}

fn any(header_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    builder
}

/// Accepts the next connection once there is a permit for it.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Usually the process is out of file descriptors. Keep serving until some are
                // closed.
                tracing::error!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
