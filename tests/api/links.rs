//! Links for people: who can make which, what opening one gives, and what ends it.

mod api;
mod ends;
mod reach;
mod visits;

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::app::links::{OpenError, Opened, Standing, Visit};
use stagegate::app::tasks::commands::{Answer, Request};
use stagegate::app::{App, Error};
use stagegate::domain::link::{Agent, LinkState};
use stagegate::domain::task::command::{Action, Command, Meta, StageApproved, StageRejected};
use stagegate::domain::task::event::Feedback;
use stagegate::domain::values::id::TaskId;
use stagegate::domain::values::text::Prose;

use crate::harness::commands::with;
use crate::harness::parties::{Client, Parties, text};

/// Asks for a link.
async fn make(maker: &Client, link: &Value) -> Made {
    let answer = maker.call("POST", "/api/v1/links", link).await;
    assert_eq!(answer.status, 201, "{link}: {}", answer.text);
    let url = text(&answer.body["url"]);
    let voucher = url.strip_prefix("https://stagegate.test/go/").unwrap().to_owned();
    Made { id: text(&answer.body["id"]), voucher, body: answer.body }
}

/// A link that was just made.
struct Made {
    id: String,
    voucher: String,
    body: Value,
}

/// A link for a decision of a partner's person.
fn decide(task: &str, actor: &str) -> Value {
    json!({ "to": "decide", "task_id": task, "actor": { "id": actor, "name": "Anna K." } })
}

/// A link to the inbox of a person.
fn inbox(actor: &str) -> Value {
    json!({ "to": "inbox", "actor": { "id": actor } })
}

/// A link to a console that may change something.
fn console(actor: &str) -> Value {
    json!({ "to": "console", "actor": { "id": actor }, "manage": true })
}

async fn state(reader: &Client, id: &str) -> String {
    text(&reader.read(&format!("/api/v1/links/{id}")).await["state"])
}

async fn opened(app: &App, made: &Made) -> Opened {
    app.links.open(&made.voucher, Agent::Firefox).await.unwrap()
}

/// Why the link does not open.
fn closed(standing: &Standing) -> Option<LinkState> {
    match standing {
        Standing::Closed { state, .. } => Some(*state),
        Standing::Open(_) | Standing::Unknown => None,
    }
}

fn not_open(result: &Result<Opened, OpenError>) -> Option<LinkState> {
    match result {
        Err(OpenError::NotOpen(standing)) => closed(standing),
        Ok(_) | Err(OpenError::TooMany(_) | OpenError::Failed(_)) => None,
    }
}

fn approval() -> Action {
    Action::StageApproved(StageApproved::default())
}

fn rejection() -> Action {
    let feedback = Feedback::new(Prose::parse("Not yet.").unwrap());
    Action::StageRejected(StageRejected { feedback: Some(feedback), return_to: None })
}

/// Sends a decision on what a visit's link is for, as a page would.
async fn send(app: &Arc<App>, visit: &Visit, task: &str, action: Action) -> Result<Answer, Error> {
    let bound = visit.bound_to.clone().unwrap();
    let place = (bound.stage.as_str().to_owned(), bound.round, bound.revision);
    send_at(app, visit, task, (place, action)).await
}

/// Sends a command about a stage, round and revision.
async fn send_at(
    app: &Arc<App>,
    visit: &Visit,
    task: &str,
    ((stage, round, revision), action): ((String, u32, u32), Action),
) -> Result<Answer, Error> {
    let meta = Meta {
        stage: Some(stage.try_into().unwrap()),
        round: Some(round),
        revision: Some(revision),
        ..Meta::new(visit.sender())
    };
    let command = Command::new(meta, action).unwrap();
    let target = app.tasks.commands.find_target(&visit.caller, TaskId(task.parse().unwrap())).await?;
    let request = Request { command, digest: [0; 32], id_given: false, if_match: None, dry_run: false };
    app.tasks.commands.post_event(&visit.caller, target, request).await
}

/// The code of a refusal, as the API would answer it.
fn refusal<T>(result: Result<T, Error>) -> String {
    let Err(error) = result else { return "accepted".to_owned() };
    stagegate::http::problem::Problem::from(error).code().as_str().to_owned()
}

/// A key of the partner with these limits, and its id.
async fn key(parties: &Parties, limits: &Value) -> (Client, String) {
    let path = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let answer = parties.platform.call("POST", &path, limits).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    (Client { credential: text(&answer.body["key"]), ..parties.partner.clone() }, text(&answer.body["id"]))
}

/// `link` with the members of `more`.
fn but(link: Value, more: &Value) -> Value {
    with(link, more)
}
