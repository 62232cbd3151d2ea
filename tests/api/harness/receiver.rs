//! Receivers of webhooks: real sockets that answer as they are told and remember what came.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::waiting::PATIENCE;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How to answer a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With this status.
    Status(u16),
    /// With this status, these headers and this body.
    With(u16, &'static str, String),
    /// With these bytes, whatever they are.
    Bytes(&'static [u8]),
    /// With a body that never ends.
    Endless,
    /// Not at all: the connection stays open.
    Never,
    /// Not at all: the connection is closed.
    Close,
    /// With 200, once the receiver is let go.
    WhenLetGo,
}

/// A delivery as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// The path and query.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub text: String,
}

impl Received {
    /// The body as JSON.
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// A header that must be there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no {name} in {:?}", self.headers), |(_, value)| value)
    }

    /// The task and place that the body names.
    pub fn place(&self) -> (String, u64) {
        let body = self.body();
        (body["task_id"].as_str().unwrap().to_owned(), body["seq"].as_u64().unwrap())
    }
}

/// A receiver. Its connections end with it.
#[derive(Debug)]
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    listening: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    /// The next answers; after them, the usual one.
    script: Mutex<VecDeque<Reply>>,
    usual: Mutex<Reply>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
    let_go: watch::Sender<bool>,
}

impl Receiver {
    /// One that answers like this unless it is told otherwise.
    pub async fn start(usual: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::default(),
            usual: Mutex::new(usual),
            received: Mutex::default(),
            count: watch::Sender::new(0),
            let_go: watch::Sender::new(false),
        });
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared)));
        Self { address, shared, listening }
    }

    /// One that accepts everything.
    pub async fn accepting() -> Self {
        Self::start(Reply::Status(200)).await
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// How the next requests are answered, before the usual answer counts again.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.script.lock().unwrap_or_else(PoisonError::into_inner).extend(replies);
    }

    /// How it answers from now on.
    pub fn answer(&self, usual: Reply) {
        *self.shared.usual.lock().unwrap_or_else(PoisonError::into_inner) = usual;
    }

    /// Answers what waits for that.
    pub fn let_go(&self) {
        self.shared.let_go.send_replace(true);
    }

    /// All that came so far, in order.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The places that were named, in order.
    pub fn places(&self) -> Vec<(String, u64)> {
        self.received().iter().map(Received::place).collect()
    }

    /// The `seq` of all that came of one task, in order.
    pub fn seqs(&self, task: &str) -> Vec<u64> {
        self.places().into_iter().filter(|(of, _)| of == task).map(|(_, seq)| seq).collect()
    }

    /// Waits until so many requests have come.
    pub async fn wait_for(&self, count: usize) {
        let mut counted = self.shared.count.subscribe();
        let enough = timeout(PATIENCE, counted.wait_for(|so_far| *so_far >= count)).await;
        assert!(enough.is_ok(), "{} of {count} requests came", self.received().len());
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

/// One request per connection.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> Option<()> {
    let received = read(&mut stream).await?;
    let scripted = shared.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let reply = scripted.unwrap_or_else(|| shared.usual.lock().unwrap_or_else(PoisonError::into_inner).clone());
    let count = {
        let mut all = shared.received.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(received);
        all.len()
    };
    shared.count.send_if_modified(|counted| {
        let more = count > *counted;
        *counted = count.max(*counted);
        more
    });
    match reply {
        Reply::Status(status) => answer(&mut stream, status, "", "").await,
        Reply::With(status, headers, body) => answer(&mut stream, status, headers, &body).await,
        Reply::Bytes(bytes) => stream.write_all(bytes).await.ok(),
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok()?;
            // Until the other side has had enough.
            while stream.write_all(b"1000\r\n").await.is_ok()
                && stream.write_all(&[b'x'; 0x1000]).await.is_ok()
                && stream.write_all(b"\r\n").await.is_ok()
            {}
            None
        }
        Reply::Never => {
            // Until the other side has had enough.
            let _ = stream.read(&mut [0; 1]).await;
            None
        }
        Reply::Close => None,
        Reply::WhenLetGo => {
            let _ = shared.let_go.subscribe().wait_for(|let_go| *let_go).await;
            answer(&mut stream, 200, "", "").await
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> Option<()> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: Vec<(String, String)> = lines.filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = bytes[head_end + 4..].to_vec();
    while body.len() < length {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        body.extend_from_slice(&piece[..read]);
    }
    Some(Received { path, headers, text: String::from_utf8(body).ok()? })
}
