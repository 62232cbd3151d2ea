//! The bare server: axum as in its examples, with one route and one fixed answer. It is this
//! program in another process, with as many threads as the service.

use std::io::Write as _;
use std::process::Stdio;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::client::Sample;
use crate::shared::Failure;

/// A running bare server.
#[derive(Debug)]
pub struct Hello {
    child: Child,
    /// The address that it listens on.
    pub address: String,
}

impl Hello {
    /// Starts a server that gives this answer.
    pub async fn start(answer: &Sample) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--hello")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let text = json!({ "status": answer.status, "headers": answer.headers, "body": answer.body }).to_string();
        let mut input = child.stdin.take().ok_or("its input is written here")?;
        input.write_all(text.as_bytes()).await?;
        input.write_all(b"\n").await?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("its output is read here")?).lines();
        let address = lines.next_line().await?.ok_or("the bare server did not start")?;
        Ok(Self { child, address })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs until it is stopped")
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }
}

/// Serves until the process is killed.
pub fn serve() -> Result<(), Failure> {
    let mut text = String::new();
    std::io::stdin().read_line(&mut text)?;
    let answer: Value = serde_json::from_str(&text)?;
    let status = StatusCode::from_bytes(answer["status"].to_string().as_bytes())?;
    let mut headers = HeaderMap::new();
    for header in answer["headers"].as_array().ok_or("no headers")? {
        let (name, value) = (header[0].as_str().unwrap_or_default(), header[1].as_str().unwrap_or_default());
        headers.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
    }
    let body = Bytes::from(answer["body"].as_str().unwrap_or_default().to_owned());
    let answer = async move || (status, headers.clone(), body.clone());
    let router = Router::new().route("/api/v1/tasks/{id}/status", get(answer));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
        // As the service does. A benchmark with a listener that cannot do this would measure
        // nothing.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("a socket takes its options"));
        axum::serve(listener, router).await?;
        Ok(())
    })
}
