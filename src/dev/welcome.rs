//! The first look: a task in legal review, whose deadline is two days away, and links to the pages of each party.
//!
//! It uses the API in-process, as the three parties would from outside.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use serde::Deserialize as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::config::Secret;
use crate::domain::task::PhaseName;
use crate::domain::values::id::TaskId;
use crate::http::HttpService;
use crate::ids;
use crate::terminal::say;
use crate::trial::{Credentials, WORKFLOW};

/// The largest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// Links to look at.
#[derive(Debug)]
pub struct Welcome {
    /// The task that they show.
    pub task: TaskId,
    links: Vec<Link>,
}

#[derive(Debug)]
struct Link {
    who: &'static str,
    url: String,
    /// Whether it is opened in the browser.
    is_opened: bool,
}

/// Why there are no links.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service refused.
    #[error("the service answered {asked} with {status}: {detail}")]
    Refused {
        /// Method and path.
        asked: String,
        /// The status.
        status: u16,
        /// The detail.
        detail: String,
    },
    /// There is no partner.
    #[error("the trial has no partner")]
    NoPartner,
    /// The answer broke off.
    #[error("the answer could not be read")]
    Answer(#[from] axum::Error),
}

/// A link to ask for: who it is for, its body, and whether it is opened.
type Wanted = (&'static str, Value, bool);

/// Opens a task unless `known` is still open, and makes the links.
///
/// # Errors
///
/// If the service refuses one of the calls.
pub async fn prepare(
    service: &HttpService,
    credentials: &Credentials,
    known: Option<TaskId>,
) -> Result<Welcome, Error> {
    let (partner_id, partner) = credentials.partner().ok_or(Error::NoPartner)?;
    let platform = Party { service, key: credentials.platform_key() };
    let partner = Party { service, key: partner };
    let task = match known {
        Some(task) if platform.is_open(task).await? => task,
        Some(_) | None => {
            let task = TaskId(ids::new());
            let opening = json!({
                "id": task, "partner_id": partner_id, "buyer_id": credentials.buyer_id(),
                "workflow": { "key": WORKFLOW, "version": 1 }, "title": "Autumn campaign",
            });
            platform.call("POST", "/tasks", &opening).await?;
            let work = json!({ "type": "work_submitted", "actor": { "id": "u-dora", "name": "Dora" }, "summary": "First draft of the copy." });
            partner.call("POST", &format!("/tasks/{task}/events"), &work).await?;
            let eli = json!({ "id": "u-eli", "name": "Eli" });
            let approval =
                json!({ "type": "stage_approved", "stage": "copy", "round": 1, "revision": 1, "actor": eli });
            partner.call("POST", &format!("/tasks/{task}/events"), &approval).await?;
            task
        }
    };
    let mut links = Vec::new();
    for (party, wanted) in [(&platform, of_platform(task)), (&partner, of_partner())] {
        for (who, body, is_opened) in wanted {
            let made = party.call("POST", "/links", &body).await?;
            links.push(Link { who, url: made["url"].as_str().unwrap_or_default().to_owned(), is_opened });
        }
    }
    Ok(Welcome { task, links })
}

fn of_platform(task: TaskId) -> Vec<Wanted> {
    let olga = json!({ "id": "ops-olga", "name": "Olga" });
    vec![
        ("the platform's console", json!({ "to": "console", "actor": olga, "manage": true }), true),
        ("the buyer's task", json!({ "to": "task", "task_id": task, "party": "buyer" }), true),
    ]
}

fn of_partner() -> Vec<Wanted> {
    let anna = json!({ "id": "u-anna", "name": "Anna K.", "role": "counsel" });
    let dora = json!({ "id": "u-dora", "name": "Dora" });
    vec![
        ("the partner's desk", json!({ "to": "inbox", "actor": anna }), true),
        ("the partner's console", json!({ "to": "console", "actor": dora, "manage": true }), false),
    ]
}

/// A party that calls the API.
struct Party<'a> {
    service: &'a HttpService,
    key: Secret,
}

impl Party<'_> {
    async fn is_open(&self, task: TaskId) -> Result<bool, Error> {
        match self.call("GET", &format!("/tasks/{task}"), &Value::Null).await {
            Ok(task) => Ok(PhaseName::deserialize(&task["phase"]).is_ok_and(|phase| !phase.is_terminal())),
            Err(Error::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Error> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key.expose()))
            .header(header::CONTENT_TYPE, "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.body(body).expect("keys and paths are plain");
        let Ok(answer) = self.service.clone().oneshot(request).await;
        let (status, body) = (answer.status(), to_bytes(answer.into_body(), MAX_ANSWER).await?);
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let detail = body["detail"].as_str().unwrap_or_default().to_owned();
        Err(Error::Refused { asked: format!("{method} {path}"), status: status.as_u16(), detail })
    }
}

impl Welcome {
    /// Prints the credentials, the links and what to try.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn print(
        &self,
        out: &mut impl Write,
        (url, folder): (&str, &Path),
        credentials: &Credentials,
    ) -> io::Result<()> {
        say!(out)?;
        say!(out, "A service for development, whose clock can be moved.")?;
        say!(out, "Its credentials, also from `STAGEGATE_DATA_DIR={} stagegate keys`:", folder.display())?;
        say!(out)?;
        say!(out, "URL={url}")?;
        credentials.print(out)?;
        say!(out, "TASK={}", self.task)?;
        say!(out)?;
        say!(out, "Its pages, each by a link that makes one browser one person:")?;
        say!(out)?;
        for Link { who, url, .. } in &self.links {
            say!(out, "  {who:<22} {url}")?;
        }
        say!(out)?;
        say!(out, "Two days later:")?;
        say!(out)?;
        say!(
            out,
            "  curl -sH \"Authorization: Bearer $PLATFORM\" -H 'Content-Type: application/json' $URL/dev/clock \\"
        )?;
        say!(out, "    -d '{{\"advance\":\"PT48H\"}}'")?;
        say!(out)?;
        say!(out, "docs/dev.md has the rest: scripted reviewers, faults of webhooks, and `stagegate dev check`.")?;
        say!(out)
    }

    /// Opens the pages of the three parties in the browser.
    pub fn open(&self) {
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        for link in self.links.iter().filter(|link| link.is_opened) {
            let opening = Command::new(program)
                .arg(&link.url)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            match opening {
                // Its end is awaited elsewhere, so that it leaves no entry in the table of processes.
                Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
                Err(error) => return tracing::warn!(%error, program, "no browser was opened; use the links"),
            }
        }
    }
}
