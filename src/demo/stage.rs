//! Three clients in one: the credentials of the parties, what they send, and what the buyer reads.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::config::Secret;
use crate::domain::values::party::Party;
use crate::ids;
use crate::terminal::say;
use crate::trial::Credentials;

use super::Error;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Longest text that is shown in full, in characters.
const SHOWN: usize = 60;

/// The service, the credentials of the parties, and the output.
pub(super) struct Stage<'a, W> {
    client: Client,
    pub(super) url: &'a str,
    credentials: &'a Credentials,
    pub(super) partner_id: Uuid,
    partner_key: Secret,
    pub(super) buyer_id: Uuid,
    pub(super) task: Uuid,
    steps: u32,
    pub(super) out: &'a mut W,
}

impl<'a, W: Write> Stage<'a, W> {
    pub(super) fn new(url: &'a str, credentials: &'a Credentials, out: &'a mut W) -> Result<Self, Error> {
        let (partner_id, partner_key) = credentials.partner().ok_or(Error::NoPartner)?;
        // The first installed provider wins; every caller installs ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A trial runs on this machine, which a proxy from the environment cannot reach.
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build().map_err(Error::Client)?;
        let (url, buyer_id) = (url.trim_end_matches('/'), credentials.buyer_id());
        Ok(Self { client, url, credentials, partner_id, partner_key, buyer_id, task: ids::new(), steps: 0, out })
    }

    /// Sends a command and shows the buyer's status afterwards.
    pub(super) async fn send(&mut self, what: &str, party: Party, command: Value) -> Result<(), Error> {
        let credential = self.credential(party);
        self.send_with(what, (party, credential), command).await
    }

    /// The same, with this credential of the party.
    pub(super) async fn send_with(
        &mut self,
        what: &str,
        (party, credential): (Party, Secret),
        command: Value,
    ) -> Result<(), Error> {
        let path = format!("/tasks/{}/events", self.task);
        let mut shown = command.clone();
        let kind = shown.as_object_mut().and_then(|members| members.remove("type")).unwrap_or_default();
        self.tell(what, party, kind.as_str().unwrap_or_default(), &shown)?;
        let answer = self.ask_with(&credential, Method::POST, &path, Some(&command)).await?;
        let types: Vec<_> =
            answer["events"].as_array().into_iter().flatten().filter_map(|row| row["type"].as_str()).collect();
        self.answered(StatusCode::CREATED, &types.join(", "))?;
        self.show_buyer().await
    }

    /// Sends the command that the buyer's status offers under this type or resolution, extended
    /// with `more`.
    pub(super) async fn take_offer(&mut self, what: &str, word: &str, more: &[(&str, Value)]) -> Result<(), Error> {
        let status = self.status().await?;
        let offers = status["action"]["commands"].as_array().into_iter().flatten().filter_map(Value::as_object);
        let offer =
            offers.into_iter().find(|offer| offer["type"] == word || offer.get("resolution") == Some(&word.into()));
        let mut command: Map<_, _> = offer.cloned().unwrap_or_default();
        command.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        self.send(what, Party::Buyer, Value::Object(command)).await
    }

    async fn status(&self) -> Result<Value, Error> {
        self.ask(Party::Buyer, Method::GET, &format!("/tasks/{}/status", self.task), None).await
    }

    fn credential(&self, party: Party) -> Secret {
        match party {
            Party::Platform => self.credentials.platform_key(),
            Party::Partner => self.partner_key.clone(),
            Party::Buyer => self.credentials.buyer_token(),
        }
    }

    pub(super) async fn ask(
        &self,
        party: Party,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        self.ask_with(&self.credential(party), method, path, body).await
    }

    async fn ask_with(
        &self,
        credential: &Secret,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let request = self.client.request(method.clone(), format!("{}/api/v1{path}", self.url));
        let request = request.bearer_auth(credential.expose());
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let no_answer = |source| Error::NoAnswer { url: self.url.to_owned(), source };
        let answer = request.send().await.map_err(no_answer)?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(Value::Null),
            status if status.is_success() => answer.json().await.map_err(no_answer),
            StatusCode::UNAUTHORIZED => Err(Error::OtherTrial(self.url.to_owned())),
            status => Err(Error::Refused { asked: format!("{method} {path}"), status, detail: detail(answer).await }),
        }
    }

    pub(super) fn tell(&mut self, what: &str, party: Party, way: &str, body: &Value) -> io::Result<()> {
        self.steps += 1;
        say!(self.out)?;
        say!(self.out, "{:>2}. {what}", self.steps)?;
        say!(self.out, "    {:<8}  {way} {}", party.as_str(), shortened(body))
    }

    pub(super) fn answered(&mut self, status: StatusCode, what: &str) -> io::Result<()> {
        say!(self.out, "    answer    {}: {what}", status.as_u16())
    }

    pub(super) async fn show_buyer(&mut self) -> Result<(), Error> {
        let status = self.status().await?;
        let mut reads = status["label"].as_str().unwrap_or_default().to_owned();
        if let Some(party) = status["waiting_on"].as_str() {
            let _ = write!(reads, " · waiting on the {party}");
        }
        if let Some(message) = status["message"].as_str() {
            let _ = write!(reads, " · “{message}”");
        }
        if let Some(percent) = status["percent"].as_u64() {
            let _ = write!(reads, " · {percent} %");
        }
        if let Some(question) = status["action"]["question"].as_str() {
            let _ = write!(reads, " · asked: “{question}”");
        }
        say!(self.out, "    reads     {reads}")?;
        Ok(())
    }
}

async fn detail(answer: Response) -> String {
    let body: Value = answer.json().await.unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    text("detail").unwrap_or_else(|| "the response does not come from this service".to_owned())
}

/// A body in one line, with long texts shortened.
fn shortened(body: &Value) -> String {
    fn cut(value: &mut Value) {
        match value {
            Value::String(text) if text.chars().count() > SHOWN => {
                *text = text.chars().take(12).chain("…".chars()).collect();
            }
            Value::Array(items) => items.iter_mut().for_each(cut),
            Value::Object(members) => members.values_mut().for_each(cut),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut body = body.clone();
    cut(&mut body);
    body.to_string()
}
