//! The accept loop. `axum::serve` gives hyper no timer, so that a client that sends its header a byte a second
//! would hold its socket for ever; and it knows no cap on connections.
//!
//! Slow headers: HTTP/1 requests, first and later ones (hence also idle connections), are cut off by hyper; what
//! hyper does not time, the bytes that tell HTTP/1 from HTTP/2 and HTTP/2's first request, is cut off here. A look
//! at the first of those, which leaves them where they are, saves HTTP/1 a second read buffer as long as it is
//! connected. Over the cap, connections wait unaccepted. Draining: nothing new is accepted, idle connections close,
//! running requests finish, and what still runs at the deadline is dropped.

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

/// How often an HTTP/2 client must show that it lives, and how long it gets to answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests that one HTTP/2 connection may have running.
const MAX_STREAMS: u32 = 100;

/// The header of a request in all, its first line included; beyond it the answer is 431 and the connection closes.
/// So an unfinished header holds at most twice as much: the buffer doubles as it grows.
pub const MAX_HEADER_BYTES: usize = 64 << 10;

/// Bytes of bodies that an HTTP/2 connection may send before a handler reads them.
const WINDOW: u32 = 64 << 10;

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub max_connections: usize,
    /// For the header of a request to arrive, and how long an HTTP/1 connection may be idle.
    pub header_timeout: Duration,
    /// For running requests to finish once shutdown begins.
    pub drain_timeout: Duration,
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered.
    Clean,
    /// The drain time-out cut some off.
    CutOff,
}

/// Serves `surface` until `shutdown`, then drains.
pub async fn serve(
    listener: TcpListener,
    surface: impl RequestService,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let graceful = GracefulShutdown::new();
    let (any, http1) = (any(limits.header_timeout), http1(limits.header_timeout));
    let (serving, stopping) = watch::channel(());
    let server = Server { any: Arc::new(any), http1: Arc::new(http1), surface, limits, stopping };
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
    surface: S,
    limits: Limits,
    /// Closed once draining begins.
    stopping: watch::Receiver<()>,
}

impl<S: RequestService> Server<S> {
    /// Serves one, which holds little more than what its protocol needs: there are many, and most are idle. So each
    /// part is in a box of its own size, as a future that holds another has room for it several times over.
    fn connection(
        self,
        (stream, peer): (TcpStream, SocketAddr),
        watcher: Watcher,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send {
        // Answers are small; waiting to fill a packet only delays them.
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
                    // The client's doing: it went away, spoke nonsense or was too slow.
                    tracing::debug!(%peer, error, "connection ended");
                },
                () = silence => tracing::debug!(%peer, "no request came, connection cut off"),
            }
            drop(permit);
        }
    }

    async fn serve(mut self, stream: TcpStream, watcher: Watcher, spoke: Arc<AtomicBool>) -> Result<(), BoxError> {
        let is_http1 = tokio::select! {
            is_http1 = is_http1(&stream) => is_http1,
            _ = self.stopping.changed() => return Ok(()),
        };
        let surface = self.surface;
        let service = service_fn(move |request: Request<Incoming>| {
            spoke.store(true, Ordering::Relaxed);
            // A box for each body, but none for none.
            let request = request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) });
            surface.clone().oneshot(request)
        });
        let stream = TokioIo::new(stream);
        if is_http1 {
            Ok(Box::pin(watcher.watch(self.http1.serve_connection(stream, service))).await?)
        } else {
            Box::pin(watcher.watch(self.any.serve_connection(stream, service))).await
        }
    }
}

/// Whether the first bytes are a request of HTTP/1. Of few bytes or none it is not told here.
async fn is_http1(stream: &TcpStream) -> bool {
    const HTTP2: &[u8] = b"PRI ";
    let mut first = [0; HTTP2.len()];
    let length = stream.peek(&mut first).await.unwrap_or_default();
    length > 0 && !HTTP2.starts_with(&first[..length])
}

fn http1(header_timeout: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(header_timeout);
    // Both: hyper reads no more than its buffer holds, and refuses a header that came at one go.
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

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of file handles, mostly: serving goes on, and some come free.
                tracing::error!(%error, "accepting a connection");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
