//! The receivers: one that accepts everything and records when it came, and one that never answers.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::shared::Failure;

/// An address where nothing listens.
const NOBODY: &str = "http://127.0.0.1:1/";

/// A delivery that has arrived.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Delivery {
    /// The endpoint.
    pub endpoint: usize,
    /// The task of the event.
    pub task: Uuid,
    /// The `seq` of the event.
    pub seq: u64,
}

/// A delivery, and when it was complete.
type Arrival = (Delivery, Instant);

/// All endpoints, on two sockets.
#[derive(Debug)]
pub struct Receiver {
    live: SocketAddr,
    silent: SocketAddr,
    arrivals: mpsc::UnboundedReceiver<Result<Arrival, Failure>>,
}

impl Receiver {
    /// Starts to listen.
    pub async fn start() -> Result<Self, Failure> {
        let (live, silent) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let (told, arrivals) = mpsc::unbounded_channel();
        let receiver = Self { live: live.local_addr()?, silent: silent.local_addr()?, arrivals };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = live.accept().await {
                let told = told.clone();
                tokio::spawn(async move { told.send(receive(&mut stream).await) });
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = silent.accept().await {
                // Until the other side gives up.
                tokio::spawn(async move { copy(&mut stream, &mut sink()).await });
            }
        });
        Ok(receiver)
    }

    /// The URL of an endpoint that works.
    pub fn live(&self, endpoint: usize) -> String {
        format!("http://{}/{endpoint}", self.live)
    }

    /// The URL of a dead endpoint: every other one never answers, the rest refuse connections.
    pub fn dead(&self, number: usize) -> String {
        if number.is_multiple_of(2) { format!("http://{}/", self.silent) } else { NOBODY.to_owned() }
    }

    /// The next delivery to an endpoint that works.
    pub async fn next(&mut self) -> Result<Arrival, Failure> {
        self.arrivals.recv().await.ok_or("nobody listens")?
    }
}

/// Receives one request. The service opens a connection for each.
async fn receive(stream: &mut TcpStream) -> Result<Arrival, Failure> {
    let mut bytes = Vec::with_capacity(4096);
    let (head, length) = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err("half a delivery".into());
        }
        if let Some(whole) = whole(&bytes)? {
            break whole;
        }
    };
    let at = Instant::now();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
    let path = std::str::from_utf8(&bytes[..head])?.split(' ').nth(1).ok_or("no path")?;
    let body: Value = serde_json::from_slice(&bytes[head..head + length])?;
    let delivery = Delivery {
        endpoint: path.trim_start_matches('/').parse()?,
        task: body["task_id"].as_str().ok_or("no task")?.parse()?,
        seq: body["seq"].as_u64().ok_or("no seq")?,
    };
    Ok((delivery, at))
}

/// Returns the lengths of head and body once both are complete.
fn whole(bytes: &[u8]) -> Result<Option<(usize, usize)>, Failure> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("no length")?;
    let (head, length) = (end + 4, length.parse()?);
    Ok((bytes.len() >= head + length).then_some((head, length)))
}
