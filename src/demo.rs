//! `stagegate demo`: plays one task from its opening to its delivery, step by step.
//!
//! It speaks HTTP like three clients, with the credentials of the trial. Of the service's code it
//! uses only the verification of proofs, which is made for clients. Each step is printed as it
//! happens, so a failure shows how far the task got.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Secret;
use crate::domain::audit::{Broken, Head, ProofView};
use crate::domain::values::party::Party;
use crate::ids;
use crate::terminal::say;
use crate::trial::{Credentials, WORKFLOW};

const TIMEOUT: Duration = Duration::from_secs(20);
/// How long the key that the demo makes is valid, should nothing revoke it.
const KEY_LIFE: TimeDelta = TimeDelta::hours(1);
/// Longest text that is shown in full, in characters.
const SHOWN: usize = 60;

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No service responds.
    #[error("no service answers at {url}: start one with ./run, or name another address with --url")]
    NoAnswer {
        /// The service's URL.
        url: String,
        /// The HTTP client's error.
        #[source]
        source: reqwest::Error,
    },
    /// The trial has no partner yet.
    #[error("the trial has no partner yet: start the service once to create one")]
    NoPartner,
    /// The service has other credentials.
    #[error("the service at {0} does not accept the trial's credentials: check that it uses this --data-dir")]
    OtherTrial(String),
    /// The service responded in an unexpected way.
    #[error("{asked} was answered with {status}: {detail}")]
    Refused {
        /// Method and path.
        asked: String,
        /// The status.
        status: StatusCode,
        /// The detail of the response.
        detail: String,
    },
    /// The trail does not verify.
    #[error("the trail does not verify")]
    Broken(#[from] Broken),
    /// The response is not a proof.
    #[error("the proof cannot be read")]
    Proof(#[source] serde_json::Error),
    /// The HTTP client cannot be created.
    #[error("cannot create the HTTP client")]
    Client(#[source] reqwest::Error),
    /// Output failed.
    #[error("cannot write the output")]
    Out(#[from] io::Error),
}

/// Plays the task against the service at `url` and prints the steps to `out`.
///
/// # Errors
///
/// When no service responds, the service belongs to another trial, or a response violates the
/// contract.
pub async fn play(url: &str, credentials: &Credentials, out: &mut impl Write) -> Result<(), Error> {
    let mut stage = Stage::new(url, credentials, out)?;
    open(&mut stage).await?;
    let eli = make_key(&mut stage).await?;
    copy(&mut stage, &eli).await?;
    legal(&mut stage).await?;
    signoff(&mut stage).await?;
    revoke_key(&mut stage, &eli).await?;
    trail(&mut stage).await
}

/// A key that the partner makes for one of its people.
struct PersonalKey {
    id: String,
    key: Secret,
}

async fn make_key(stage: &mut Stage<'_, impl Write>) -> Result<PersonalKey, Error> {
    let body = json!({
        "label": "Eli's reviews", "scopes": ["review"], "actors": ["u-eli"],
        "expires_at": Clock::system().now() + KEY_LIFE,
    });
    stage.tell(
        "The partner makes a key that can only review, and only as Eli.",
        Party::Partner,
        "POST /keys",
        &body,
    )?;
    let made = stage.ask(Party::Partner, Method::POST, "/keys", Some(&body)).await?;
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    stage.answered(StatusCode::CREATED, &format!("{}…", text("hint")))?;
    Ok(PersonalKey { id: text("id"), key: Secret::new(text("key")) })
}

async fn revoke_key(stage: &mut Stage<'_, impl Write>, key: &PersonalKey) -> Result<(), Error> {
    let path = format!("/keys/{}", key.id);
    stage.tell("The partner revokes Eli's key. His decisions stand.", Party::Partner, "DELETE /keys", &json!({}))?;
    stage.ask(Party::Partner, Method::DELETE, &path, None).await?;
    stage.answered(StatusCode::NO_CONTENT, "the key is revoked")?;
    Ok(())
}

async fn open(stage: &mut Stage<'_, impl Write>) -> Result<(), Error> {
    // Version 1 is the demo's definition, whatever has been registered since.
    let body = json!({
        "id": stage.task, "partner_id": stage.partner_id, "buyer_id": stage.buyer_id,
        "workflow": { "key": WORKFLOW, "version": 1 }, "title": "Autumn campaign",
    });
    stage.tell("AITasker opens a task; its first stage is the copy.", Party::Platform, "POST /tasks", &body)?;
    let task = stage.ask(Party::Platform, Method::POST, "/tasks", Some(&body)).await?;
    stage.answered(StatusCode::CREATED, &format!("version {} of the task", task["version"]))?;
    stage.show_buyer().await
}

async fn copy(stage: &mut Stage<'_, impl Write>, eli: &PersonalKey) -> Result<(), Error> {
    let question = json!({
        "type": "question_asked", "stage": "copy", "round": 1, "revision": 0, "actor": { "id": "u-dora", "name": "Dora" },
        "to": "buyer", "question": "Which logo may we use?", "options": ["The round one", "The square one"],
    });
    stage.send("Before she begins, Dora asks the buyer a question.", Party::Partner, question).await?;
    stage.take_offer("The buyer picks the first option.", "question_answered", &[]).await?;
    let draft = json!({
        "type": "work_submitted", "actor": { "id": "u-dora", "name": "Dora" }, "summary": "First draft of the copy.",
        "artifacts": [{ "name": "copy.md", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }],
    });
    stage.send("Dora submits a first draft.", Party::Partner, draft).await?;
    let word = json!({ "type": "status_updated", "message": "Our editor is on page two.", "percent": 40 });
    stage.send("The partner informs the buyer of its progress.", Party::Partner, word).await?;
    let rejection = json!({
        "type": "stage_rejected", "stage": "copy", "round": 1, "revision": 1, "actor": { "id": "u-eli", "name": "Eli" },
        "feedback": { "summary": "The headline promises a refund we do not give.", "share_with_buyer": true,
            "items": [{ "severity": "blocking", "anchor": "copy.md#L1", "text": "Say what the campaign is, not what it pays." }] },
    });
    let (party, key) = (Party::Partner, eli.key.clone());
    let what = "Eli rejects it, under his own key, with feedback that the buyer may read.";
    stage.send_with(what, (party, key.clone()), rejection).await?;
    let revised = json!({
        "type": "work_submitted", "actor": { "id": "u-dora", "name": "Dora" }, "summary": "New headline, no promise.",
        "artifacts": [{ "name": "copy.md", "sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752" }],
    });
    stage.send("Dora submits a second revision.", Party::Partner, revised).await?;
    let approval = json!({ "type": "stage_approved", "stage": "copy", "round": 2, "revision": 2 });
    let what = "Eli approves it, and his key says who he is; the task goes on to legal.";
    stage.send_with(what, (party, key), approval).await
}

async fn legal(stage: &mut Stage<'_, impl Write>) -> Result<(), Error> {
    let vote = |reviewer: &str| json!({ "type": "stage_approved", "stage": "legal", "round": 1, "revision": 2, "actor": { "id": reviewer } });
    stage.send("Anna approves: one of the two votes that legal needs.", Party::Partner, vote("u-anna")).await?;
    let question = json!({
        "type": "stage_escalated", "stage": "legal", "round": 1, "revision": 2, "actor": { "id": "u-bo" },
        "to": "buyer", "reason": "The text names your partner firm. May we?",
    });
    stage.send("Bo asks the buyer to decide before he votes.", Party::Partner, question).await?;
    let advice = [("advice", json!("Yes, they agreed in writing."))];
    stage
        .take_offer("The buyer answers: the review continues, and Anna's vote stays valid.", "return", &advice)
        .await?;
    stage.send("Bo approves: the quorum is reached.", Party::Partner, vote("u-bo")).await
}

async fn signoff(stage: &mut Stage<'_, impl Write>) -> Result<(), Error> {
    stage.take_offer("The buyer signs off with the command that the status offered.", "stage_approved", &[]).await
}

async fn trail(stage: &mut Stage<'_, impl Write>) -> Result<(), Error> {
    let task = stage.task;
    for party in [Party::Partner, Party::Buyer] {
        let trail = stage.ask(party, Method::GET, &format!("/tasks/{task}/audit"), None).await?;
        say!(stage.out)?;
        say!(stage.out, "The trail, as the {party} may see it:")?;
        say!(stage.out)?;
        say!(stage.out, "  seq  {:<25}  {:<8}  {:<27}  recorded at", "type", "stage", "who")?;
        for entry in trail["items"].as_array().into_iter().flatten() {
            say!(stage.out, "  {}", line(entry))?;
        }
    }
    say!(stage.out)?;
    say!(stage.out, "Each party's proof, verified offline (to verify its origin, use the key and a checkpoint):")?;
    say!(stage.out)?;
    for party in [Party::Partner, Party::Buyer] {
        let proof = stage.ask(party, Method::GET, &format!("/tasks/{task}/audit/proof"), None).await?;
        let proof: ProofView = serde_json::from_value(proof).map_err(Error::Proof)?;
        let Head { seq, hash } = proof.verify()?;
        say!(stage.out, "  {:<8} {seq} entries agree, head {hash}", party.as_str())?;
    }
    let url = stage.url;
    say!(stage.out)?;
    say!(stage.out, "  {url}/api/v1/tasks/{task}/audit/proof for `stagegate audit verify --key`")?;
    say!(stage.out)?;
    Ok(())
}

/// One line of the table, for an entry as the party sees it.
fn line(entry: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let seq = entry["seq"].as_u64().unwrap_or_default();
    if entry["type"].is_null() {
        return format!("{seq:>3}  (not for this party: the hash alone)");
    }
    let actor = &entry["actor"];
    let mut who = text(&entry["party"]);
    if let Some(name) = actor["id"].as_str().or(actor["as"].as_str()) {
        let _ = write!(who, ", {}", name.split('-').take(2).collect::<Vec<_>>().join("-"));
    }
    let (kind, stage, at) = (text(&entry["type"]), text(&entry["stage"]), text(&entry["recorded_at"]));
    format!("{seq:>3}  {kind:<25}  {stage:<8}  {who:<27}  {at}")
}

/// The service, the credentials of the parties, and the output.
struct Stage<'a, W> {
    client: Client,
    url: &'a str,
    credentials: &'a Credentials,
    partner_id: Uuid,
    partner_key: Secret,
    buyer_id: Uuid,
    task: Uuid,
    steps: u32,
    out: &'a mut W,
}

impl<'a, W: Write> Stage<'a, W> {
    fn new(url: &'a str, credentials: &'a Credentials, out: &'a mut W) -> Result<Self, Error> {
        let (partner_id, partner_key) = credentials.partner().ok_or(Error::NoPartner)?;
        // The first installed provider wins; every caller installs ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A trial runs on this machine, which a proxy from the environment cannot reach.
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build().map_err(Error::Client)?;
        let (url, buyer_id) = (url.trim_end_matches('/'), credentials.buyer_id());
        Ok(Self { client, url, credentials, partner_id, partner_key, buyer_id, task: ids::new(), steps: 0, out })
    }

    /// Sends a command and shows the buyer's status afterwards.
    async fn send(&mut self, what: &str, party: Party, command: Value) -> Result<(), Error> {
        let credential = self.credential(party);
        self.send_with(what, (party, credential), command).await
    }

    /// The same, with this credential of the party.
    async fn send_with(
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
    async fn take_offer(&mut self, what: &str, word: &str, more: &[(&str, Value)]) -> Result<(), Error> {
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

    async fn ask(&self, party: Party, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
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

    fn tell(&mut self, what: &str, party: Party, way: &str, body: &Value) -> io::Result<()> {
        self.steps += 1;
        say!(self.out)?;
        say!(self.out, "{:>2}. {what}", self.steps)?;
        say!(self.out, "    {:<8}  {way} {}", party.as_str(), shortened(body))
    }

    fn answered(&mut self, status: StatusCode, what: &str) -> io::Result<()> {
        say!(self.out, "    answer    {}: {what}", status.as_u16())
    }

    async fn show_buyer(&mut self) -> Result<(), Error> {
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
