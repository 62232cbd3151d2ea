//! The client of a service, for programs in Rust; the command line and the demo use it.
//!
//! It has what `clients/typescript` and `clients/python` have, under the same names. A command gets
//! its `id` before the first attempt and keeps it over all retries, so it is carried out at most
//! once. What is read may have words and members of a later version of the service: words are
//! strings, and unknown members are kept.
//!
//! ```no_run
//! # async fn story() -> Result<(), stagegate::client::Error> {
//! use serde_json::json;
//! use stagegate::client::{Stagegate, Wait};
//!
//! let stagegate = Stagegate::new("https://stagegate.example", "ait_…")?;
//! # let id = uuid::Uuid::nil();
//! let work = json!({ "type": "work_submitted", "actor": { "id": "u-dora" }, "summary": "First draft" });
//! stagegate.command(id, &work, None).await?;
//! // Waits for another status by long polling; none when the time is over or the task has ended.
//! let status = stagegate.wait(id, Wait { after: Some(6), ..Wait::default() }, |_| true).await?;
//! // Events at least once. Store the cursor after each event, and continue with it.
//! let mut feed = stagegate.follow(None, true);
//! while let Some(event) = feed.next().await? {
//!     println!("{} {:?}", event.item["type"], event.cursor);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! In a receiver of webhooks, [`verify_webhook`] takes the bytes of the body as they came.
//! [`Receipt::verify`] and [`ProofView::verify`] check receipts and proofs with public keys only.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::{Host, Url};
use uuid::Uuid;

use crate::domain::values::cell::CellName;
use crate::ids;

use self::call::Call;

mod answers;
mod call;
mod error;
mod follow;
mod problem;
mod retry;
mod wait;
mod webhook;

pub use crate::domain::analytics::Analytics;
pub use crate::domain::audit::ProofView;
pub use crate::domain::audit::receipt::Receipt;
pub use crate::domain::audit::signed_note::VerifierKey;

pub use self::answers::{
    BulkResult, CommandResult, Escalation, Simulation, Stage, Status, Step, Task, Why, WhyCommand,
};
pub use self::error::Error;
pub use self::follow::{FeedEvent, Follow};
pub use self::problem::{FieldError, Problem};
pub use self::retry::Retry;
pub use self::wait::Wait;
pub use self::webhook::{WebhookVerificationError, verify_webhook};

/// The time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client with one credential: a partner's or the platform's key, or a buyer's token.
#[derive(Clone)]
pub struct Stagegate {
    http: reqwest::Client,
    /// Without a slash at its end.
    url: String,
    authorization: HeaderValue,
    cell: Option<HeaderValue>,
    retry: Retry,
}

/// Which closed tasks statistics count. What is none has the default of the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection<'a> {
    /// The version of the workflow.
    pub version: Option<u32>,
    /// Tasks that closed at this time (RFC 3339) or later.
    pub from: Option<&'a str>,
    /// Tasks that closed before this time.
    pub until: Option<&'a str>,
    /// The partner; the platform names one, and a partner none.
    pub partner_id: Option<Uuid>,
}

impl Stagegate {
    /// A client of the service at `url`, such as `https://stagegate.example`. Redirects are not
    /// followed. A proxy from the environment is used, except for this machine.
    ///
    /// # Errors
    ///
    /// If `url` is no http or https URL, or no header can hold `token`. The error does not quote the
    /// token.
    pub fn new(url: &str, token: &str) -> Result<Self, Error> {
        let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let parsed = parsed.filter(|url| url.query().is_none() && url.fragment().is_none());
        let parsed = parsed.ok_or_else(|| Error::Url(url.to_owned()))?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Error::Token)?;
        authorization.set_sensitive(true);
        // The first installed provider wins; every caller installs ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .user_agent(concat!("stagegate/", env!("CARGO_PKG_VERSION")));
        if is_this_machine(&parsed) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(Error::Client)?;
        Ok(Self {
            http,
            url: parsed.as_str().trim_end_matches('/').to_owned(),
            authorization,
            cell: None,
            retry: Retry::default(),
        })
    }

    /// The same with other limits of retries.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The same for one cell of a service that has several: each request names it. A gateway finds
    /// the cell of a partner's key by itself.
    #[must_use]
    pub fn with_cell(mut self, cell: &CellName) -> Self {
        self.cell = HeaderValue::from_str(cell.as_str()).ok();
        self
    }

    /// Where the service is, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends one request of the contract, once, and returns its JSON; null if there is none. `path`
    /// begins with `/api/v1`.
    ///
    /// # Errors
    ///
    /// [`Error::Problem`] if the service refuses.
    pub async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let answer = self.once(&Call { body, ..Call::new(method, path) }).await?;
        if answer.status == StatusCode::NO_CONTENT { Ok(Value::Null) } else { answer.json() }
    }

    /// Reads a path of the contract. Reading is retried.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.retried(&Call::new(Method::GET, path)).await?.json()
    }

    /// Opens a task. `opening` has the task's `id`, so that opening it is retried without opening two.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn open_task(&self, opening: &Value) -> Result<Task, Error> {
        if opening["id"].is_null() {
            return Err(Error::Body("/id", "is required"));
        }
        self.retried(&Call { body: Some(opening), ..Call::new(Method::POST, "/api/v1/tasks") }).await?.json()
    }

    /// Reads a task. A buyer reads the status instead.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn task(&self, task: Uuid) -> Result<Task, Error> {
        self.get(&format!("/api/v1/tasks/{task}")).await
    }

    /// Reads a task's status.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn status(&self, task: Uuid) -> Result<Status, Error> {
        self.get(&format!("/api/v1/tasks/{task}/status")).await
    }

    /// Reads why a task waits, and what `actor` can do now. A buyer names no actor.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn why(&self, task: Uuid, actor: Option<&str>) -> Result<Why, Error> {
        let path = format!("/api/v1/tasks/{task}/why");
        let query = actor.map(|actor| ("actor", actor.to_owned())).into_iter().collect();
        self.retried(&Call { query, ..Call::new(Method::GET, &path) }).await?.json()
    }

    /// Reads the statistics of a workflow's closed tasks.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn analytics(&self, workflow: &str, selection: &Selection<'_>) -> Result<Analytics, Error> {
        let path = format!("/api/v1/workflows/{}/analytics", segment(workflow));
        let Selection { version, from, until, partner_id } = selection;
        let query = [
            ("version", version.map(|version| version.to_string())),
            ("from", from.map(ToOwned::to_owned)),
            ("until", until.map(ToOwned::to_owned)),
            ("partner_id", partner_id.map(|id| id.to_string())),
        ];
        let query = query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        self.retried(&Call { query, ..Call::new(Method::GET, &path) }).await?.json()
    }

    /// Sends a command, a JSON object with `type`. Its id is chosen before the first attempt and kept
    /// over all retries, so the command is carried out at most once. Pass the `id` yourself to keep
    /// it over a restart of your program.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn command<C: Serialize + ?Sized>(
        &self,
        task: Uuid,
        command: &C,
        id: Option<Uuid>,
    ) -> Result<CommandResult, Error> {
        self.send(task, command, id, false).await
    }

    /// Sends up to 100 commands, each for a task, in one request. Every command gets its id before the
    /// first attempt, so each is carried out at most once. The results are in the order of the
    /// commands; a command that is refused affects no other.
    ///
    /// # Errors
    ///
    /// As [`Self::request`], if the request as a whole is refused.
    pub async fn commands<C: Serialize>(&self, commands: &[(Uuid, C)]) -> Result<Vec<BulkResult>, Error> {
        let item = |(task, command): &(Uuid, C)| match serde_json::to_value(command) {
            Ok(Value::Object(command)) => Ok(json!({ "task_id": task, "command": with_id(command, None) })),
            Ok(_) | Err(_) => Err(Error::Body("/items", "must hold objects")),
        };
        let body = json!({ "items": commands.iter().map(item).collect::<Result<Vec<_>, _>>()? });
        let answer = self.retried(&Call { body: Some(&body), ..Call::new(Method::POST, "/api/v1/events") }).await?;
        let answers::BulkAnswer { items } = answer.json()?;
        Ok(items)
    }

    /// What [`Self::command`] would do. Nothing is stored.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn dry_run<C: Serialize + ?Sized>(&self, task: Uuid, command: &C) -> Result<CommandResult, Error> {
        self.send(task, command, None, true).await
    }

    async fn send<C: Serialize + ?Sized>(
        &self,
        task: Uuid,
        command: &C,
        id: Option<Uuid>,
        dry_run: bool,
    ) -> Result<CommandResult, Error> {
        let Ok(Value::Object(command)) = serde_json::to_value(command) else {
            return Err(Error::Body("", "must be an object"));
        };
        let body = with_id(command, id);
        let path = format!("/api/v1/tasks/{task}/events");
        let query = if dry_run { vec![("dry_run", "true".to_owned())] } else { Vec::new() };
        let answer = self.retried(&Call { query, body: Some(&body), ..Call::new(Method::POST, &path) }).await?;
        let replayed = answer.headers.get("idempotent-replayed").is_some_and(|value| value == "true");
        Ok(CommandResult { replayed, ..answer.json()? })
    }

    /// Simulates a workflow. Nothing is stored. `body` is a `Simulation` of the contract.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn simulate(&self, workflow: &str, body: &Value) -> Result<Simulation, Error> {
        let path = format!("/api/v1/workflows/{}/simulate", segment(workflow));
        self.retried(&Call { body: Some(body), ..Call::new(Method::POST, &path) }).await?.json()
    }

    /// Waits for a status of another version than `wait.after` that `until` accepts, and returns it.
    /// Without `after` the present status counts. Returns `None` once the time is over, and at once
    /// if the task has ended and no other status can follow.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn wait(
        &self,
        task: Uuid,
        wait: Wait,
        until: impl FnMut(&Status) -> bool,
    ) -> Result<Option<Status>, Error> {
        wait::wait(self, task, wait, until).await
    }

    /// The feed from `after` on, or from its start. It has no end if it is `live`, else it ends with
    /// the events that exist. The cursor of an event never skips one that was not yet given out.
    pub fn follow(&self, after: Option<String>, live: bool) -> Follow<'_> {
        Follow::new(self, after, live)
    }
}

impl fmt::Debug for Stagegate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stagegate").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The command with this id, or its own, or a new one.
fn with_id(mut command: Map<String, Value>, id: Option<Uuid>) -> Value {
    let has_own = command.get("id").is_some_and(|id| !id.is_null());
    if id.is_some() || !has_own {
        command.insert("id".to_owned(), id.map_or_else(|| ids::new().to_string(), |id| id.to_string()).into());
    }
    Value::Object(command)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// One segment of a path.
fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests;
