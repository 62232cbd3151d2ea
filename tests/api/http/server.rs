//! The accept loop, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use stagegate::http::serve::middleware::RequestService;
use stagegate::http::serve::server::{ConnectionLimits, Drained, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes; only a defect waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const GET_AND_CLOSE: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_client_that_falls_silent_is_cut_off() {
    let server = Running::start(quick(), answering());
    // Nothing at all, less than tells HTTP/1 from HTTP/2, nothing after HTTP/2's greeting, half a header.
    for sent in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nhost: x\r\nslow: "] {
        let mut client = server.connect().await;
        client.write_all(sent.as_bytes()).await.unwrap();
        let answer = read_all(&mut client).await;
        assert!(!answer.contains("200 OK"), "{sent:?} got {answer:?}");
    }
    assert_eq!(server.stop().await, Drained::Clean);
}

#[tokio::test]
async fn a_header_that_trickles_in_is_cut_off() {
    let server = Running::start(quick(), answering());
    let client = server.connect().await;
    let (mut read, mut write) = client.into_split();
    write.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    let trickle = async {
        while write.write_all(b"a").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let mut answer = Vec::new();
    let ended = timeout(PATIENCE, async { tokio::join!(trickle, read.read_to_end(&mut answer)) }).await;
    assert!(ended.is_ok(), "it was never cut off");
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
}

#[tokio::test]
async fn an_answered_client_stays_connected_and_an_idle_one_is_let_go() {
    let server = Running::start(quick(), answering());
    let answered_twice = async {
        loop {
            let mut client = server.connect().await;
            let mut answered = 0;
            while answered < 2 && client.write_all(GET).await.is_ok() && is_answered(&mut client).await {
                answered += 1;
            }
            // On a machine that stood still meanwhile, the client was let go before.
            if answered == 2 {
                return client;
            }
        }
    };
    let mut client = timeout(PATIENCE, answered_twice).await.expect("a client is answered twice");
    assert_eq!(read_all(&mut client).await, "", "closed without a word");
}

#[tokio::test]
async fn draining_finishes_what_runs_and_takes_nothing_new() {
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let mut server = Running::start(patient(), waiting(&started, &release));
    let mut busy = server.connect().await;
    let mut idle = server.connect().await;
    busy.write_all(GET).await.unwrap();
    started.notified().await;
    server.begin_to_stop();
    assert_eq!(read_all(&mut idle).await, "", "idle connections close");
    let refused = timeout(PATIENCE, async { while TcpStream::connect(server.address).await.is_ok() {} }).await;
    assert!(refused.is_ok(), "new connections are refused");
    release.notify_one();
    assert!(read_all(&mut busy).await.contains("200 OK"));
    assert_eq!(server.stop().await, Drained::Clean);
}

#[tokio::test]
async fn draining_ends_at_its_deadline() {
    let (started, never) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let limits = ConnectionLimits { drain_timeout: quick().drain_timeout, ..patient() };
    let mut server = Running::start(limits, waiting(&started, &never));
    let mut busy = server.connect().await;
    busy.write_all(GET).await.unwrap();
    started.notified().await;
    server.begin_to_stop();
    assert_eq!(read_all(&mut busy).await, "");
    assert_eq!(server.stop().await, Drained::CutOff);
}

#[tokio::test]
async fn connections_over_the_cap_wait_their_turn() {
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = Running::start(ConnectionLimits { max_connections: 1, ..patient() }, waiting(&started, &release));
    let mut first = server.connect().await;
    first.write_all(GET_AND_CLOSE).await.unwrap();
    started.notified().await;
    let mut second = server.connect().await;
    second.write_all(GET_AND_CLOSE).await.unwrap();
    let while_the_first_lives = timeout(Duration::from_millis(200), started.notified()).await;
    assert!(while_the_first_lives.is_err(), "the second request is not served yet");
    release.notify_one();
    assert!(read_all(&mut first).await.contains("200 OK"));
    timeout(PATIENCE, started.notified()).await.unwrap();
    release.notify_one();
    assert!(read_all(&mut second).await.contains("200 OK"));
}

#[tokio::test]
async fn http_2_is_spoken() {
    let server = Running::start(patient(), answering());
    let mut client = server.connect().await;
    // The preface, empty settings, and HEADERS (end of stream and of headers) for `GET http://x/` from HPACK's static
    // table: :method GET 0x82, :scheme http 0x86, :path / 0x84, :authority 0x41 and the literal `x`.
    let preface: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let headers = [0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 0x01, b'x'];
    client.write_all(&[preface, &settings, &headers].concat()).await.unwrap();
    let mut answer = Vec::new();
    let found = async {
        while !String::from_utf8_lossy(&answer).contains(ANSWER) {
            assert_ne!(client.read_buf(&mut answer).await.unwrap(), 0, "{answer:?}");
        }
    };
    timeout(PATIENCE, found).await.unwrap();
}

/// A server in the background; it stops with this.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Drained>,
}

impl Running {
    /// Serves on a port of its own.
    pub fn start(limits: ConnectionLimits, surface: impl RequestService) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, surface, limits, async { drop(stopped.await) }));
        Self { address, stop: Some(stop), serving }
    }

    /// A client.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn begin_to_stop(&mut self) {
        self.stop = None;
    }

    async fn stop(mut self) -> Drained {
        self.begin_to_stop();
        timeout(PATIENCE, self.serving).await.unwrap().unwrap()
    }
}

fn quick() -> ConnectionLimits {
    ConnectionLimits {
        max_connections: 100,
        header_timeout: Duration::from_millis(300),
        drain_timeout: Duration::from_millis(300),
    }
}

/// Limits of time that no test meets.
pub fn patient() -> ConnectionLimits {
    ConnectionLimits { header_timeout: PATIENCE, drain_timeout: PATIENCE, ..quick() }
}

const ANSWER: &str = "all is well";

fn answering() -> Router {
    Router::new().route("/", get(async || ANSWER))
}

/// Says that it started, then answers when released.
fn waiting(started: &Arc<Notify>, release: &Arc<Notify>) -> Router {
    let (started, release) = (Arc::clone(started), Arc::clone(release));
    let handler = async move || {
        started.notify_one();
        release.notified().await;
        "done"
    };
    Router::new().route("/", get(handler))
}

/// What comes until the server closes; a reset is an end too.
pub async fn read_all(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, client.read_to_end(&mut answer)).await.expect("the server closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether what comes next is an answer, and not the end.
async fn is_answered(client: &mut TcpStream) -> bool {
    let mut answer = vec![0; 4096];
    let length = timeout(PATIENCE, client.read(&mut answer)).await.unwrap().unwrap_or_default();
    String::from_utf8_lossy(&answer[..length]).contains("200 OK")
}
