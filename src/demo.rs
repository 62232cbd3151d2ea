//! `stagegate demo`: plays one task from its opening to its delivery, step by step, and another through
//! a stage with panels.
//!
//! It is three clients ([`crate::client`]), with the credentials of the trial. Of the service's code
//! it uses only the verification of proofs, which is made for clients. Each step is printed as it
//! happens, so a failure shows how far the task got. [`open`] plays the beginning without printing
//! it, for a task that is worth looking at.

use std::fmt::Write as _;
use std::io::{self, Write};

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::client::{self, Stagegate, Task};
use crate::domain::audit::{Broken, Head, ProofView};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::terminal::say;
use crate::trial::{Credentials, WORKFLOW};

use self::stage::{Parties, Stage};

pub mod open;
mod panels;
mod stage;

/// How long the key that the demo makes is valid, should nothing revoke it.
const KEY_LIFE: TimeDelta = TimeDelta::hours(1);

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
    #[error("the service does not accept the trial's credentials: check that it uses this --data-dir")]
    OtherTrial,
    /// The service refused, or the address is none.
    #[error(transparent)]
    Client(client::Error),
    /// The trail does not verify.
    #[error("the trail does not verify")]
    Broken(#[from] Broken),
    /// The response is not a proof.
    #[error("the proof cannot be read")]
    Proof(#[source] serde_json::Error),
    /// The answer has no time.
    #[error("the answer of the service cannot be read")]
    Answer(#[source] serde_json::Error),
    /// Output failed.
    #[error("cannot write the output")]
    Out(#[from] io::Error),
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        if error.problem().is_some_and(|problem| problem.status == 401) {
            return Self::OtherTrial;
        }
        if let client::Error::NoAnswer { url, source } = error {
            Self::NoAnswer { url, source }
        } else {
            Self::Client(error)
        }
    }
}

/// Plays the task against the service at `url` and prints the steps to `out`.
///
/// # Errors
///
/// When no service responds, the service belongs to another trial, or a response violates the
/// contract.
pub async fn play(url: &str, credentials: &Credentials, out: &mut impl Write) -> Result<(), Error> {
    let parties = Parties::new(url, credentials)?;
    let mut stage = Stage::new(&parties, out);
    let eli = begin(&mut stage).await?;
    legal(&mut stage).await?;
    signoff(&mut stage).await?;
    revoke_key(&mut stage, &eli).await?;
    panels::play(&mut stage).await?;
    trail(&mut stage).await
}

/// Opens the task and brings it through its first stage. Returns the key that was made for that.
async fn begin(stage: &mut Stage<'_, impl Write>) -> Result<PersonalKey, Error> {
    let opened_at = open(stage).await?;
    let eli = make_key(stage, opened_at).await?;
    copy(stage, &eli.client).await?;
    Ok(eli)
}

/// A key that the partner makes for one of its people.
struct PersonalKey {
    id: String,
    client: Stagegate,
}

/// `now` is by the service's clock, which `stagegate dev` moves.
async fn make_key(stage: &mut Stage<'_, impl Write>, now: Time) -> Result<PersonalKey, Error> {
    let body = json!({
        "label": "Eli's reviews", "scopes": ["review"], "actors": ["u-eli"], "expires_at": now + KEY_LIFE,
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
    let client = Stagegate::new(stage.parties.of(Party::Partner).url(), &text("key"))?;
    Ok(PersonalKey { id: text("id"), client })
}

async fn revoke_key(stage: &mut Stage<'_, impl Write>, key: &PersonalKey) -> Result<(), Error> {
    let path = format!("/keys/{}", key.id);
    stage.tell("The partner revokes Eli's key. His decisions stand.", Party::Partner, "DELETE /keys", &json!({}))?;
    stage.ask(Party::Partner, Method::DELETE, &path, None).await?;
    stage.answered(StatusCode::NO_CONTENT, "the key is revoked")?;
    Ok(())
}

/// Opens the task, and returns when that was by the service's clock.
async fn open(stage: &mut Stage<'_, impl Write>) -> Result<Time, Error> {
    let Parties { partner_id, buyer_id, .. } = stage.parties;
    // Version 1 is the demo's definition, whatever has been registered since.
    let body = json!({
        "id": stage.task, "partner_id": partner_id, "buyer_id": buyer_id,
        "workflow": { "key": WORKFLOW, "version": 1 }, "title": "Autumn campaign",
    });
    stage.tell("AITasker opens a task; its first stage is the copy.", Party::Platform, "POST /tasks", &body)?;
    let Task { version, opened_at, .. } = stage.parties.of(Party::Platform).open_task(&body).await?;
    stage.answered(StatusCode::CREATED, &format!("version {version} of the task"))?;
    stage.show_buyer().await?;
    Time::deserialize(Value::from(opened_at)).map_err(Error::Answer)
}

async fn copy(stage: &mut Stage<'_, impl Write>, eli: &Stagegate) -> Result<(), Error> {
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
            "items": [{ "anchor": "copy.md#L1", "text": "Say what the campaign is, not what it pays." },
                { "anchor": "copy.md#L4", "text": "Name the price." }] },
    });
    let what = "Eli rejects it, under his own key, with two points that the buyer may read.";
    stage.send_with(what, (Party::Partner, eli), rejection).await?;
    let items = stage.items().await?;
    let revised = json!({
        "type": "work_submitted", "actor": { "id": "u-dora", "name": "Dora" }, "summary": "New headline, no promise.",
        "artifacts": [{ "name": "copy.md", "sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752" }],
        "answers": [{ "item": items.first(), "how": "done" },
            { "item": items.get(1), "how": "declined", "text": "The price is not fixed yet." }],
    });
    stage.send("Dora submits a second revision and answers both points.", Party::Partner, revised).await?;
    let approval = json!({
        "type": "stage_approved", "stage": "copy", "round": 2, "revision": 2,
        "feedback": { "summary": "Name the price once it is fixed.", "share_with_buyer": true },
    });
    let what = "Eli approves it with a remark, and his key says who he is; the task goes on to legal.";
    stage.send_with(what, (Party::Partner, eli), approval).await
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
    let url = stage.parties.of(Party::Buyer).url();
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
