//! A proxy between the service and Postgres, or between a client and the service, that misbehaves when it is told
//! to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are served.
    Pass,
    /// New ones are accepted, and what they send is swallowed.
    Mute,
    /// New ones are accepted and closed.
    HangUp,
    /// New ones are answered as if they had asked for a web page.
    Http,
    /// What the server says comes this much later.
    Delay(Duration),
}

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    /// Connections before this one are mute.
    mute_before: u64,
    /// Connections before this one are cut.
    cut_before: u64,
    accepted: u64,
}

/// The proxy. It ends when it is dropped, and all connections with it.
pub struct Proxy {
    /// How to connect through it.
    pub options: PgConnectOptions,
    state: Arc<watch::Sender<State>>,
    accepting: JoinHandle<()>,
}

/// Where the server is.
#[derive(Clone, Debug)]
enum Server {
    Socket(PathBuf),
    Address(String, u16),
}

impl Proxy {
    /// One before this server.
    pub async fn before(server: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = match server.get_socket() {
            Some(dir) => Server::Socket(dir.join(format!(".s.PGSQL.{}", server.get_port()))),
            None => Server::Address(server.get_host().to_owned(), server.get_port()),
        };
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username(server.get_username())
            .database(server.get_database().unwrap())
            .ssl_mode(sqlx::postgres::PgSslMode::Disable);
        let state = State { mode: Mode::Pass, mute_before: 0, cut_before: 0, accepted: 0 };
        let state = Arc::new(watch::Sender::new(state));
        let accepting = tokio::spawn(accept(listener, to, Arc::clone(&state)));
        Self { options, state, accepting }
    }

    /// One before the service at this URL, and the URL through it.
    pub async fn before_service(url: &str) -> (Self, String) {
        let (host, port) = url.strip_prefix("http://").unwrap().split_once(':').unwrap();
        let server = PgConnectOptions::new_without_pgpass().host(host).port(port.parse().unwrap());
        let proxy = Self::before(&server.username("nobody").database("none")).await;
        let through = format!("http://127.0.0.1:{}", proxy.options.get_port());
        (proxy, through)
    }

    /// From now on; connections that stand are served as they were, but for delays.
    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }

    /// Connections that stand are never answered again, though what they send is taken.
    pub fn mute(&self) {
        self.state.send_modify(|state| state.mute_before = state.accepted);
    }

    /// Connections that stand are closed.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cut_before = state.accepted);
    }

    /// How many connections there were.
    pub fn accepted(&self) -> u64 {
        self.state.borrow().accepted
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, to: Server, state: Arc<watch::Sender<State>>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        client.set_nodelay(true).unwrap();
        let mut number = 0;
        state.send_modify(|state| {
            number = state.accepted;
            state.accepted += 1;
        });
        tokio::spawn(serve(client, to.clone(), number, state.subscribe()));
    }
}

async fn serve(mut client: TcpStream, to: Server, number: u64, state: watch::Receiver<State>) {
    let mode = state.borrow().mode;
    let mut cut = state.clone();
    let serving = async {
        match mode {
            Mode::HangUp => {}
            Mode::Http => {
                let _ = client.read(&mut [0; 1024]).await;
                let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            }
            Mode::Mute => while client.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {},
            Mode::Pass | Mode::Delay(_) => match to {
                Server::Socket(path) => forward(client, UnixStream::connect(path).await.unwrap(), number, state).await,
                Server::Address(host, port) => {
                    forward(client, TcpStream::connect((host, port)).await.unwrap(), number, state).await;
                }
            },
        }
    };
    tokio::select! {
        () = serving => {}
        _ = cut.wait_for(|state| number < state.cut_before) => {}
    }
}

async fn forward<S: AsyncRead + AsyncWrite>(client: TcpStream, server: S, number: u64, state: watch::Receiver<State>) {
    let (from_client, to_client) = split(client);
    let (from_server, to_server) = split(server);
    tokio::select! {
        () = copy(from_client, to_server, number, &state, false) => {}
        () = copy(from_server, to_client, number, &state, true) => {}
    }
}

/// Until the sender closes. Once mute, all that comes is swallowed.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    number: u64,
    state: &watch::Receiver<State>,
    is_answer: bool,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let length = match from.read(&mut buffer).await {
            Ok(length) if length > 0 => length,
            // A mute connection is not even closed.
            _ if number < state.borrow().mute_before => std::future::pending().await,
            _ => return,
        };
        let State { mode, mute_before, .. } = *state.borrow();
        if number < mute_before {
            continue;
        }
        if let (Mode::Delay(delay), true) = (mode, is_answer) {
            sleep(delay).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
