//! Pages that are open and live: browsers that wait for news of a task and ask again, as the script of
//! a page does. Half of them are buyers', half reviewers'.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Failure;
use super::connection::{Connection, text};

/// What the service is told to be its public URL. The pages' forms come from there.
pub const PUBLIC_URL: &str = "http://localhost:8080";

/// Pages that are opened at the same time.
const AT_ONCE: usize = 32;

/// How long the script of a page rests after news.
const PACE: Duration = Duration::from_millis(1500);

/// Open pages; they close when this is dropped.
#[derive(Debug)]
pub struct Pages {
    waiting: JoinSet<Result<(), Failure>>,
    shown: Arc<AtomicUsize>,
}

/// The credentials that make the links.
#[derive(Clone, Debug)]
pub struct Makers {
    /// The platform's key.
    pub platform: String,
    /// The partner's key.
    pub partner: String,
}

impl Pages {
    /// Opens this many pages about these tasks, in turn.
    pub async fn open(address: &str, makers: &Makers, tasks: &[Uuid], count: usize) -> Result<Self, Failure> {
        let mut pages = Self { waiting: JoinSet::new(), shown: Arc::default() };
        let mut opening: JoinSet<Result<Browser, Failure>> = JoinSet::new();
        for (number, task) in tasks.iter().copied().cycle().take(count).enumerate() {
            let (address, makers) = (address.to_owned(), makers.clone());
            opening.spawn(async move { Browser::open(&address, &makers, task, number).await });
            if opening.len() == AT_ONCE
                && let Some(browser) = opening.join_next().await
            {
                pages.follow(browser??);
            }
        }
        while let Some(browser) = opening.join_next().await {
            pages.follow(browser??);
        }
        Ok(pages)
    }

    /// How often a page has shown something new, in all; fails if a page no longer waits.
    pub fn shown(&mut self) -> Result<usize, Failure> {
        while let Some(ended) = self.waiting.try_join_next() {
            ended??;
        }
        Ok(self.shown.load(Ordering::Relaxed))
    }

    fn follow(&mut self, mut browser: Browser) {
        let shown = Arc::clone(&self.shown);
        self.waiting.spawn(async move {
            loop {
                if browser.wait().await? {
                    shown.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PACE).await;
                }
            }
        });
    }
}

/// One browser with one page.
#[derive(Debug)]
struct Browser {
    stream: TcpStream,
    cookie: String,
    path: String,
    tag: String,
}

impl Browser {
    /// Follows a link to the task and reads its page.
    async fn open(address: &str, makers: &Makers, task: Uuid, number: usize) -> Result<Self, Failure> {
        let mut api = Connection::open(address).await?;
        let link = if number.is_multiple_of(2) {
            let body = json!({ "to": "task", "task_id": task, "party": "buyer" });
            api.call("POST", "/api/v1/links", &makers.platform, &body).await?
        } else {
            let body = json!({ "to": "task", "task_id": task, "actor": { "id": format!("u-{number}") } });
            api.call("POST", "/api/v1/links", &makers.partner, &body).await?
        };
        let url = text(&link, "url")?;
        let path = url.strip_prefix(PUBLIC_URL).ok_or("a link with another public URL")?.to_owned();
        let stream = TcpStream::connect(address).await?;
        let mut browser = Self { stream, cookie: String::new(), path: format!("/tasks/{task}"), tag: String::new() };
        let form = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost:8080\r\norigin: {PUBLIC_URL}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: 0\r\n\r\n"
        );
        let opened = browser.send(&form).await?;
        let cookie = opened.headers.get("set-cookie").and_then(|cookie| cookie.split(';').next());
        cookie.ok_or_else(|| format!("no session: {}", opened.status))?.clone_into(&mut browser.cookie);
        browser.wait().await?;
        Ok(browser)
    }

    /// Asks for another state than the page's; whether there was one.
    async fn wait(&mut self) -> Result<bool, Failure> {
        let (path, cookie, tag) = (&self.path, &self.cookie, &self.tag);
        let known = if tag.is_empty() { String::new() } else { format!("if-none-match: {tag}\r\n") };
        let request =
            format!("GET {path}?part=live&wait=25 HTTP/1.1\r\nhost: localhost:8080\r\ncookie: {cookie}\r\n{known}\r\n");
        let answer = self.send(&request).await?;
        match answer.status {
            200 => {
                answer.headers.get("etag").ok_or("no tag")?.clone_into(&mut self.tag);
                Ok(true)
            }
            304 => Ok(false),
            status => Err(format!("a page was answered with {status}").into()),
        }
    }

    async fn send(&mut self, request: &str) -> Result<Answer, Failure> {
        self.stream.write_all(request.as_bytes()).await?;
        let mut buffer = Vec::with_capacity(4096);
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.read(&mut buffer).await?;
        };
        let answer = Answer::parse(std::str::from_utf8(&buffer[..end])?)?;
        let length = answer.headers.get("content-length").map_or(Ok(0), |length| length.parse::<usize>())?;
        while answer.status != 304 && buffer.len() < end + 4 + length {
            self.read(&mut buffer).await?;
        }
        Ok(answer)
    }

    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        let read = self.stream.read_buf(buffer).await?;
        if read == 0 { Err("the service closed a page's connection".into()) } else { Ok(()) }
    }
}

/// The head of an answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
}

impl Answer {
    fn parse(head: &str) -> Result<Self, Failure> {
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status line")?.parse()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Ok(Self { status, headers: lines.filter_map(header).collect() })
    }
}
