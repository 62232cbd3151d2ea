//! A keep-alive connection and requests in their wire format, so that a benchmark measures the
//! service and not its callers.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Failure;

/// Builds a request in its wire format.
pub fn message(method: &str, path: &str, credential: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {credential}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A keep-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, still in the connection's buffer.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// Fails on any other status.
    pub fn expect(&self, status: u16) -> Result<(), Failure> {
        if self.status == status {
            return Ok(());
        }
        Err(format!("{} instead of {status}: {}", self.status, String::from_utf8_lossy(self.body)).into())
    }
}

impl Connection {
    /// Connects to `address`.
    pub async fn open(address: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16_384) })
    }

    /// Sends a request and reads the answer. All answers of the service to these requests have a
    /// `Content-Length`.
    pub async fn send(&mut self, request: &str) -> Result<Answer<'_>, Failure> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let mut whole = None;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the service closed the connection".into());
            }
            if whole.is_none() {
                whole = head(&self.buffer)?;
            }
            if let Some(Head { status, body, end }) = whole
                && self.buffer.len() >= end
            {
                return Ok(Answer { status, body: &self.buffer[body..end] });
            }
        }
    }
    /// Sends a body (none: `null`) and parses the answer, which must be a success.
    pub async fn call(&mut self, method: &str, path: &str, credential: &str, body: &Value) -> Result<Value, Failure> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.send(&message(method, path, credential, &body)).await?;
        if !(200..300).contains(&answer.status) {
            return Err(format!("{method} {path}: {}: {}", answer.status, String::from_utf8_lossy(answer.body)).into());
        }
        Ok(serde_json::from_slice(answer.body)?)
    }
}

/// The member of an answer, which must be text.
pub fn text(body: &Value, name: &str) -> Result<String, Failure> {
    Ok(body[name].as_str().ok_or_else(|| format!("no `{name}` in {body}"))?.to_owned())
}

#[derive(Clone, Copy)]
struct Head {
    status: u16,
    body: usize,
    end: usize,
}

/// Parses the head of an answer once it is complete.
fn head(received: &[u8]) -> Result<Option<Head>, Failure> {
    let Some(length) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&received[..length])?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status line")?.parse()?;
    let of_length = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    };
    let size = lines.find_map(of_length).ok_or("an answer without Content-Length")??;
    let body = length + 4;
    Ok(Some(Head { status, body, end: body + size }))
}
