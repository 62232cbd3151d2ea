//! `stagegate mcp`: the tools for clients that start a program and speak with it over its standard
//! input and output. It forwards each message to `/mcp` of a service, so that there is one place
//! with tools, and keeps nothing but the version that the client agreed on.
//!
//! **Order.** Messages are answered as they are done, since a wait takes long. At most
//! `MAX_RUNNING` run; more of the input is read when one is done. When the input ends, what runs
//! is finished.
//!
//! **Failure.** A request that the service did not answer is sent again. That is safe, because every
//! command has an id before its first try: the caller's, or one that is made here.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use crate::config::Mcp;
use crate::http::input::body::MAX_BYTES;

use self::forward::Forwarder;

mod forward;
mod message;

/// Messages that are answered at the same time.
const MAX_RUNNING: usize = 32;

/// Why it ends before its input does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no key.
    #[error("set STAGEGATE_KEY to a partner's key; `stagegate keys` prints that of a trial")]
    NoKey,
    /// The HTTP client cannot be created.
    #[error("cannot create the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The input or the output failed.
    #[error("the client closed the connection")]
    Io(#[from] io::Error),
}

/// Forwards messages until the input ends.
///
/// # Errors
///
/// When there is no key, or the input or the output fails.
pub async fn run(
    settings: &Mcp,
    mut input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> Result<(), Error> {
    let (answers, queue) = mpsc::channel(MAX_RUNNING);
    let session = Session {
        forwarder: Arc::new(Forwarder::new(settings)?),
        room: Arc::new(Semaphore::new(MAX_RUNNING)),
        answers,
        running: Arc::default(),
    };
    let writing = tokio::spawn(write(queue, output));
    let mut tasks = JoinSet::new();
    while let Some(line) = next_line(&mut input).await? {
        while tasks.try_join_next().is_some() {}
        session.take(line, &mut tasks).await;
        if writing.is_finished() {
            break;
        }
    }
    while tasks.join_next().await.is_some() {}
    drop(session);
    match writing.await {
        Ok(written) => Ok(written?),
        Err(_) => Ok(()),
    }
}

/// What a client's messages share.
struct Session {
    forwarder: Arc<Forwarder>,
    room: Arc<Semaphore>,
    answers: mpsc::Sender<Value>,
    /// The requests under way, by their ids as JSON.
    running: Arc<Mutex<HashMap<String, AbortHandle>>>,
}

impl Session {
    /// Takes a line of the input: starts to answer a request, or cancels one.
    async fn take(&self, line: Line, tasks: &mut JoinSet<()>) {
        let message = match line {
            Line::Whole(bytes) if bytes.trim_ascii().is_empty() => return,
            Line::Whole(bytes) => serde_json::from_slice(&bytes).map_err(|_| "The line is not JSON."),
            Line::TooLong => Err("The line is longer than the service takes."),
        };
        let message: Value = match message {
            Ok(message) => message,
            Err(why) => return self.answer(message::error(&Value::Null, message::PARSE_ERROR, why, None)).await,
        };
        if message["method"] == "notifications/cancelled" {
            let id = message["params"]["requestId"].to_string();
            if let Some(task) = lock(&self.running).remove(&id) {
                task.abort();
            }
            return;
        }
        // Other notifications tell a service that keeps nothing nothing.
        if message["method"].is_string() && !message["id"].is_null() {
            self.start(message, tasks).await;
        }
    }

    async fn start(&self, message: Value, tasks: &mut JoinSet<()>) {
        let Ok(room) = Arc::clone(&self.room).acquire_owned().await else { return };
        let (forwarder, answers, running) =
            (Arc::clone(&self.forwarder), self.answers.clone(), Arc::clone(&self.running));
        let id = message["id"].to_string();
        // Held until the task is known, so that it cannot be done before.
        let mut known = lock(&self.running);
        let task = tasks.spawn({
            let id = id.clone();
            async move {
                let answer = forwarder.answer(message).await;
                lock(&running).remove(&id);
                let _ = answers.send(answer).await;
                drop(room);
            }
        });
        known.insert(id, task);
    }

    async fn answer(&self, answer: Value) {
        let _ = self.answers.send(answer).await;
    }
}

/// A line of the input.
enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// The next line, of which no more than the service takes is kept; `None` at the end.
async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Line>, Error> {
    let mut line = Vec::new();
    // One byte more shows that it is too long.
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX) + 1;
    if (&mut *input).take(most).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") || line.len() <= MAX_BYTES {
        return Ok(Some(Line::Whole(line)));
    }
    while !line.ends_with(b"\n") {
        line.clear();
        if (&mut *input).take(most).read_until(b'\n', &mut line).await? == 0 {
            break;
        }
    }
    Ok(Some(Line::TooLong))
}

/// Writes the answers, one a line.
async fn write(mut queue: mpsc::Receiver<Value>, mut output: impl AsyncWrite + Unpin) -> io::Result<()> {
    while let Some(answer) = queue.recv().await {
        output.write_all(format!("{answer}\n").as_bytes()).await?;
        output.flush().await?;
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
