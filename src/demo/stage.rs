//! Three clients in one: the credentials of the parties, what they send, and what the buyer reads.

use std::fmt::Write as _;
use std::io::{self, Write};

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::client::Stagegate;
use crate::config::Secret;
use crate::domain::values::party::Party;
use crate::ids;
use crate::terminal::say;
use crate::trial::Credentials;

use super::Error;

/// Longest text that is shown in full, in characters.
const SHOWN: usize = 60;

/// A client for each party of the trial.
#[derive(Debug)]
pub(super) struct Parties {
    platform: Stagegate,
    partner: Stagegate,
    buyer: Stagegate,
    pub(super) partner_id: Uuid,
    pub(super) buyer_id: Uuid,
}

impl Parties {
    pub(super) fn new(url: &str, credentials: &Credentials) -> Result<Self, Error> {
        let (partner_id, partner_key) = credentials.partner().ok_or(Error::NoPartner)?;
        let client = |secret: &Secret| Stagegate::new(url, secret.expose());
        Ok(Self {
            platform: client(&credentials.platform_key())?,
            partner: client(&partner_key)?,
            buyer: client(&credentials.buyer_token())?,
            partner_id,
            buyer_id: credentials.buyer_id(),
        })
    }

    pub(super) fn of(&self, party: Party) -> &Stagegate {
        match party {
            Party::Platform => &self.platform,
            Party::Partner => &self.partner,
            Party::Buyer => &self.buyer,
        }
    }
}

/// The parties, their task, and the output.
pub(super) struct Stage<'a, W> {
    pub(super) parties: &'a Parties,
    pub(super) task: Uuid,
    steps: u32,
    pub(super) out: &'a mut W,
}

impl<'a, W: Write> Stage<'a, W> {
    pub(super) fn new(parties: &'a Parties, out: &'a mut W) -> Self {
        Self { parties, task: ids::new(), steps: 0, out }
    }

    /// Sends a command and shows the buyer's status afterwards.
    pub(super) async fn send(&mut self, what: &str, party: Party, command: Value) -> Result<(), Error> {
        self.send_with(what, (party, self.parties.of(party)), command).await
    }

    /// The same, by this client of the party.
    pub(super) async fn send_with(
        &mut self,
        what: &str,
        (party, client): (Party, &Stagegate),
        command: Value,
    ) -> Result<(), Error> {
        let mut shown = command.clone();
        let kind = shown.as_object_mut().and_then(|members| members.remove("type")).unwrap_or_default();
        self.tell(what, party, kind.as_str().unwrap_or_default(), &shown)?;
        let result = client.command(self.task, &command, None).await?;
        self.answered(StatusCode::CREATED, &result.types().join(", "))?;
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

    /// The ids of the items of the feedback that returned the task.
    pub(super) async fn items(&self) -> Result<Vec<Value>, Error> {
        let task = self.ask(Party::Partner, Method::GET, &format!("/tasks/{}", self.task), None).await?;
        let feedback = task["feedback"]["feedback"].as_array().into_iter().flatten();
        let items = feedback.filter_map(|feedback| feedback["items"].as_array()).flatten();
        Ok(items.map(|item| item["id"].clone()).collect())
    }

    async fn status(&self) -> Result<Value, Error> {
        self.ask(Party::Buyer, Method::GET, &format!("/tasks/{}/status", self.task), None).await
    }

    pub(super) async fn ask(
        &self,
        party: Party,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        Ok(self.parties.of(party).request(method, &format!("/api/v1{path}"), body).await?)
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
        for panel in
            status["stages"].as_array().into_iter().flatten().filter_map(|stage| stage["panels"].as_array()).flatten()
        {
            let text = |name: &str| panel[name].as_str().unwrap_or_default();
            let _ = write!(reads, " · {}: {}", text("name"), text("state"));
        }
        if let Some(question) = status["action"]["question"].as_str() {
            let _ = write!(reads, " · asked: “{question}”");
        }
        say!(self.out, "    reads     {reads}")?;
        Ok(())
    }
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
