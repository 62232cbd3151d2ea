//! A command that was carried out is answered the same for ever: after ten more events, after the end, after a restart.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use stagegate::http::HttpService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::commands::{approve, at, cancel, escalate, reject, resolve, submit, update, with};
use crate::harness::parties::{Client, Parties, code, events, new_id};
use crate::harness::process;
use crate::harness::service::{Answer, BUYER_SECRET, PLATFORM_KEY, Service};

/// Commands as they were sent, and how they were answered.
struct Played {
    task: String,
    sent: Vec<(Client, Value, Answer)>,
}

#[tokio::test]
async fn every_write_is_answered_the_same_after_ten_more_events_and_after_the_end() {
    let parties = Parties::start().await;
    let mut played = play(&parties).await;
    assert_replayed(&played, None).await;
    // Some of a closed task: nothing moves any more, but what was done was done.
    let more: Vec<Value> = (0..10).map(|n| update(&format!("Note {n}"))).collect();
    let other = parties.open("brand-campaign").await;
    let first = with(submit("agent"), &json!({ "id": new_id() }));
    let answer = parties.partner.send(&other, &first).await;
    for command in &more {
        parties.partner.done(&other, command).await;
    }
    played.sent.clear();
    played.task.clone_from(&other);
    played.sent.push((parties.partner.clone(), first, answer));
    assert_replayed(&played, None).await;
    parties.platform.done(&other, &with(cancel(), &json!({ "immediate": true }))).await;
    assert_replayed(&played, None).await;
}

#[tokio::test]
async fn every_write_is_answered_the_same_by_another_replica() {
    let parties = Parties::start().await;
    let played = play(&parties).await;
    let other = Service::replica(&parties.service.db, &parties.service.clock).await;
    let rows = parties.trail(&played.task).await.len();
    assert_replayed(&played, Some(&other)).await;
    assert_eq!(parties.trail(&played.task).await.len(), rows, "nothing was written");
}

#[tokio::test]
async fn every_write_is_answered_the_same_by_a_new_process() {
    let parties = Parties::start().await;
    let played = play(&parties).await;
    let url = parties.service.db.owner.to_url_lossy().to_string();
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("STAGEGATE_PLATFORM_KEYS", PLATFORM_KEY),
        ("STAGEGATE_BUYER_JWT_SECRET", BUYER_SECRET),
    ];
    let arguments = ["serve", "--listen", "127.0.0.1:0"];
    let mut service_process = process::stagegate_with(&arguments, Path::new("/nonexistent"), &environment);
    let address = process::address(&mut service_process).await;
    for (client, command, first) in &played.sent {
        let (status, body) = post(&address, &played.task, client, command).await;
        let expected = if first.status == 201 { 200 } else { first.status };
        assert_eq!(status, expected, "{command}: {body}");
        assert_eq!(comparable(&body), comparable(&first.body), "{command}");
    }
    process::terminate(&mut service_process).await;
}

#[tokio::test]
async fn an_id_is_spent_on_one_body_of_one_party_and_task() {
    let parties = Parties::start().await;
    let (id, other) = (parties.open("brand-campaign").await, parties.open("brand-campaign").await);
    let command = with(update("x"), &json!({ "id": new_id() }));
    parties.partner.done(&id, &command).await;
    for change in
        [json!({ "message": "y" }), json!({ "percent": 1 }), json!({ "note": "z" }), json!({ "type": "resumed" })]
    {
        let mut changed = with(command.clone(), &change);
        if changed["type"] == "resumed" {
            changed.as_object_mut().unwrap().remove("message");
        }
        parties.partner.refused(&id, &changed, (422, "event_id_reused")).await;
    }
    parties.partner.done(&other, &command).await;
    // Members in another order and another way to write a text are the same body.
    let rewritten = format!(r#"{{"message":"\u0078","type":"status_updated","id":{}}}"#, command["id"]);
    let same: Value = serde_json::from_str(&rewritten).unwrap();
    assert_eq!(parties.partner.send(&id, &same).await.status, 200);
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let vote = with(approve(at("copy", 1, 0), "u-copy"), &json!({ "id": new_id() }));
    parties.partner.refused(&id, &vote, (409, "wrong_phase")).await;
    parties.partner.done(&id, &submit("agent")).await;
    let vote = with(vote, &json!({ "revision": 1 }));
    parties.partner.done(&id, &vote).await;
}

/// A task through everything that can be written, each command with an id; at its end a late decision.
async fn play(parties: &Parties) -> Played {
    let task = parties.open("brand-campaign").await;
    let mut played = Played { task, sent: Vec::new() };
    let (partner, buyer, platform) = (&parties.partner, &parties.buyer, &parties.platform);
    played.step(partner, submit("agent")).await;
    played.step(partner, approve(at("copy", 1, 1), "u-copy")).await;
    played.step(partner, update("Counsel is on it")).await;
    played.step(partner, approve(at("legal", 1, 1), "u-anna")).await;
    played.step(platform, json!({ "type": "held", "reason": "Waiting" })).await;
    parties.pass(1);
    played.step(platform, json!({ "type": "resumed" })).await;
    played.step(partner, with(reject(at("legal", 1, 1), "u-bo"), &json!({ "return_to": "legal" }))).await;
    played.step(partner, submit("agent")).await;
    let asked = played.step(partner, escalate(at("legal", 2, 2), "u-bo", "platform")).await;
    let redirect = with(resolve(asked, "redirect", "ops"), &json!({ "to": "buyer", "advice": "Please decide." }));
    played.step(platform, redirect).await;
    let asked = parties.task(&played.task).await["escalation"]["seq"].as_u64().unwrap();
    played.step(buyer, with(resolve(asked, "return", ""), &json!({ "advice": "Go on." }))).await;
    parties.pass(1);
    played.step(buyer, cancel()).await;
    played.step(partner, approve(at("legal", 2, 2), "u-chi")).await;
    let salvaged = json!({ "type": "cancellation_acknowledged", "in_flight": "salvaged",
        "artifacts": [{ "name": "draft", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }] });
    played.step(partner, salvaged).await;
    played.step(partner, reject(at("legal", 2, 2), "u-anna")).await;
    let statuses: Vec<_> = played.sent.iter().map(|(_, _, answer)| (answer.status, code(answer).to_owned())).collect();
    let late = statuses.iter().filter(|(status, _)| *status == 409).map(|(_, code)| code.as_str());
    assert_eq!(late.collect::<Vec<_>>(), ["cancelling", "task_closed"], "{statuses:?}");
    played
}

impl Played {
    /// Sends a command and gives the `seq` of its row.
    async fn step(&mut self, client: &Client, command: Value) -> u64 {
        let command = with(command, &json!({ "id": new_id() }));
        let answer = client.send(&self.task, &command).await;
        assert!(answer.status == 201 || answer.body["recorded"].is_object(), "{command}: {}", answer.text);
        let seq = answer.body["event"]["seq"].as_u64().or(answer.body["recorded"]["seq"].as_u64());
        self.sent.push((client.clone(), command, answer));
        seq.unwrap()
    }
}

async fn assert_replayed(played: &Played, replica: Option<&HttpService>) {
    for (client, command, first) in &played.sent {
        let client = replica.map_or_else(|| client.clone(), |router| client.at(router));
        let again = client.send(&played.task, command).await;
        let expected = if first.status == 201 { 200 } else { first.status };
        assert_eq!(again.status, expected, "{command}: {}", again.text);
        assert_eq!(comparable(&again.body), comparable(&first.body), "{command}");
        assert_eq!(again.headers.get("etag"), first.headers.get("etag"));
        assert_eq!(again.headers.contains_key("idempotent-replayed"), expected == 200);
    }
}

fn comparable(body: &Value) -> Value {
    let mut body = body.clone();
    let members = body.as_object_mut().unwrap();
    members.remove("request_id");
    // The other process does not know its public URL.
    if members.get("status").is_some_and(Value::is_number) {
        members.remove("type");
    }
    body
}

/// Posts a command over a socket.
async fn post(address: &str, task: &str, client: &Client, command: &Value) -> (u16, Value) {
    let (path, body) = (events(task), command.to_string());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        client.credential,
        body.len(),
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}
