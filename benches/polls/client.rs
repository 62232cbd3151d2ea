//! The clients: plain sockets, requests in which only the task's id changes, and answers of which
//! only the status and the length are read.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::shared::Failure;

/// The placeholder for the id of the task.
const ID: &str = "00000000-0000-0000-0000-000000000000";
/// Tasks are polled in a scattered order. The stride is prime, so that each has its turn.
const STRIDE: u32 = 7_919;

/// Builds a request with a placeholder for the id.
pub fn request(credential: &str, known: Option<u64>) -> String {
    let tag = known.map(|version| format!("if-none-match: \"{version}\"\r\n")).unwrap_or_default();
    format!(
        "GET /api/v1/tasks/{ID}/status HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {credential}\r\n{tag}\r\n"
    )
}

/// An answer for another server to repeat.
#[derive(Debug)]
pub struct Sample {
    /// Its status.
    pub status: u16,
    /// The headers, except those that every server adds by itself.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
    /// The bytes on the wire.
    pub len: usize,
}

/// Requests an answer of the service as a sample.
pub async fn sample(address: &str, request: &str, id: Uuid) -> Result<Sample, Failure> {
    let mut client = Client::open(address).await?;
    let status = client.ask(&mut bytes(request), id).await?;
    let text = String::from_utf8(client.buffer.clone())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("an answer without an end of its head")?;
    let headers = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
    let own = headers.filter(|(name, _)| !["date", "content-length"].contains(name));
    let headers = own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(Sample { status, headers, body: body.to_owned(), len: text.len() })
}

/// The result of all clients in a turn.
#[derive(Debug)]
pub struct Load {
    /// From the first request to the last answer.
    pub took: Duration,
    /// The latency of each poll, sorted.
    pub latencies: Vec<Duration>,
}

/// Keep-alive connections, one per client.
#[derive(Debug)]
pub struct Clients(Vec<Client>);

impl Clients {
    /// Opens the connections.
    pub async fn connect(address: &str, count: usize) -> Result<Self, Failure> {
        let mut clients = Vec::with_capacity(count);
        for number in (0..).take(count) {
            clients.push(Client { next: number, ..Client::open(address).await? });
        }
        Ok(Self(clients))
    }

    /// The number of polls of the client that has made the fewest.
    pub fn least_polled(&self) -> usize {
        self.0.iter().map(|client| client.polled).min().unwrap_or_default()
    }

    /// Lets all clients poll for this long; every answer must have this status. `which` numbers the
    /// tasks.
    pub async fn poll(
        &mut self,
        length: Duration,
        (request, status): (&str, u16),
        which: impl Fn(u32) -> Uuid + Copy + Send + 'static,
    ) -> Result<Load, Failure> {
        let begun = Instant::now();
        let mut running = tokio::task::JoinSet::new();
        for mut client in self.0.drain(..) {
            let mut request = bytes(request);
            running.spawn(async move {
                let mut latencies = Vec::new();
                while begun.elapsed() < length {
                    let sent = Instant::now();
                    let answered = client.ask(&mut request, which(client.next)).await?;
                    latencies.push(sent.elapsed());
                    if answered != status {
                        return Err(format!("{answered}: {}", String::from_utf8_lossy(&client.buffer)).into());
                    }
                    client.next = client.next.wrapping_add(STRIDE * 32);
                    client.polled += 1;
                }
                Ok::<_, Failure>((client, latencies))
            });
        }
        let mut latencies = Vec::new();
        while let Some(done) = running.join_next().await {
            let (client, own) = done??;
            self.0.push(client);
            latencies.extend(own);
        }
        let took = begun.elapsed();
        latencies.sort_unstable();
        Ok(Load { took, latencies })
    }
}

fn bytes(request: &str) -> Vec<u8> {
    request.as_bytes().to_vec()
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The number of the task that it polls next.
    next: u32,
    /// The number of its polls.
    polled: usize,
}

impl Client {
    async fn open(address: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16_384), next: 0, polled: 0 })
    }

    /// Requests the status of a task. The answer is in the buffer afterwards.
    async fn ask(&mut self, request: &mut [u8], id: Uuid) -> Result<u16, Failure> {
        let at = "GET /api/v1/tasks/".len();
        id.hyphenated().encode_lower(&mut request[at..at + ID.len()]);
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(status) = whole(&self.buffer)? {
                return Ok(status);
            }
        }
    }
}

/// Returns the status of an answer once it is complete.
fn whole(received: &[u8]) -> Result<Option<u16>, Failure> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = &received[..end];
    let status = std::str::from_utf8(head.get(9..12).ok_or("no status line")?)?.parse()?;
    let mark = b"content-length: ";
    let length = head.windows(mark.len()).position(|window| window == mark).map_or(0, |at| {
        let digits = head[at + mark.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
    });
    Ok((received.len() >= end + 4 + length).then_some(status))
}
