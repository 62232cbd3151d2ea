//! Bodies made from good ones by chance: whatever comes, the answer is in the contract and never a fault of ours.

use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::harness::commands::{approve, at, cancel, escalate, reject, resolve, submit, update};
use crate::harness::parties::{Client, DEMO, Parties, events, new_id};
use crate::harness::service;

#[tokio::test]
async fn a_body_that_was_changed_by_chance_is_never_a_fault_of_ours() {
    let parties = Parties::start().await;
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut statuses = Vec::new();
    let mut task = parties.open_in_legal().await;
    for round in 0..400 {
        // A fresh one from time to time, as each ends sooner or later.
        if round % 20 == 19 {
            task = parties.open_in_legal().await;
        }
        let targets = targets(&parties, &task);
        let (client, method, path, body) = &targets[round % targets.len()];
        let change = changes().new_tree(&mut runner).unwrap().current();
        let text = changed(body, &change);
        let status = send(client, method, path, &text).await;
        assert!(status < 500, "{method} {path} {text}: {status}");
        statuses.push(status);
    }
    let of = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert!(of(422) > 100 && of(400) > 10, "{} unacceptable, {} malformed", of(422), of(400));
    assert!(statuses.iter().any(|status| matches!(status, 200 | 201)), "some still do something");
}

/// What is done to a body.
#[derive(Clone, Debug)]
enum Change {
    /// The member or item with this number, counted through the whole of the body, becomes another value.
    Replace(usize, Value),
    /// It goes.
    Remove(usize),
    /// Its object gets a member more.
    Add(usize, String, Value),
    /// The text loses its end.
    Cut(usize),
    /// Some bytes of the text are others.
    Overwrite(usize, String),
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<usize>(), values()).prop_map(|(at, value)| Change::Replace(at, value)),
        2 => any::<usize>().prop_map(Change::Remove),
        2 => (any::<usize>(), names(), values()).prop_map(|(at, name, value)| Change::Add(at, name, value)),
        1 => any::<usize>().prop_map(Change::Cut),
        1 => (any::<usize>(), ".{1,8}").prop_map(|(at, text)| Change::Overwrite(at, text)),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let numbers = [0, 1, -1, 255, 256, 2_147_483_648, 4_294_967_295, 4_294_967_296, 9_007_199_254_740_991, i64::MAX];
    let texts = [
        "",
        " ",
        "..",
        "u-anna",
        "copy",
        "buyer",
        "approve",
        "reject",
        "PT0S",
        "P999999999999D",
        "9999-12-31T23:59:60Z",
        "0000-01-01T00:00:00+23:59",
        "2027-01-15T08:00:00.1234567891234Z",
        "\u{feff}",
        "\u{202e}x",
        "\u{1f600}",
        "00000000-0000-0000-0000-000000000000",
        "https://x",
        "https://[::1",
        "http://x",
        "javascript:x",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        proptest::sample::select(numbers.to_vec()).prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        proptest::sample::select(texts.to_vec()).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        (1..5_000_usize).prop_map(|length| json!("\u{e4}".repeat(length))),
        (0..200_usize).prop_map(|length| json!(vec![json!({}); length])),
        Just(json!({ "id": "u-anna" })),
        Just(json!([[[[]]]])),
    ]
}

fn names() -> impl Strategy<Value = String> {
    let known = [
        "id",
        "type",
        "stage",
        "round",
        "revision",
        "actor",
        "note",
        "feedback",
        "return_to",
        "artifacts",
        "immediate",
    ];
    prop_oneof![proptest::sample::select(known.to_vec()).prop_map(str::to_owned), ".{0,8}"]
}

fn changed(body: &Value, change: &Change) -> String {
    let mut body = body.clone();
    let places = places(&body, "");
    let place = |at: &usize| places[at % places.len()].clone();
    match change {
        Change::Replace(at, value) => *body.pointer_mut(&place(at)).unwrap() = value.clone(),
        Change::Remove(at) => {
            let place = place(at);
            let (parent, name) = place.rsplit_once('/').unwrap();
            match body.pointer_mut(parent).unwrap() {
                Value::Object(members) => drop(members.remove(name)),
                Value::Array(items) => drop(items.remove(name.parse().unwrap())),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        Change::Add(at, name, value) => {
            let place = place(at);
            let (parent, _) = place.rsplit_once('/').unwrap();
            if let Value::Object(members) = body.pointer_mut(parent).unwrap() {
                members.insert(name.clone(), value.clone());
            }
        }
        Change::Cut(at) => {
            let text = body.to_string();
            return text.chars().take(at % text.len()).collect();
        }
        Change::Overwrite(at, with) => {
            let text = body.to_string();
            let start = at % text.len();
            return text.chars().take(start).chain(with.chars()).chain(text.chars().skip(start + 3)).collect();
        }
    }
    body.to_string()
}

/// Pointers to every member and item.
fn places(value: &Value, here: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut descend = |name: String, inner: &Value| {
        let place = format!("{here}/{name}");
        found.push(place.clone());
        found.extend(places(inner, &place));
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, inner)| descend(name.clone(), inner)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, inner)| descend(n.to_string(), inner)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

type Target = (Client, &'static str, String, Value);

fn targets(parties: &Parties, task: &str) -> Vec<Target> {
    let (partner, buyer, platform) = (&parties.partner, &parties.buyer, &parties.platform);
    let here = at("legal", 1, 1);
    let update = crate::harness::commands::with(update("x"), &json!({ "percent": 5, "eta": "2027-02-01T00:00:00Z" }));
    let plan = json!({ "until": "2027-03-01T00:00:00Z", "commands": [
        { "at": "2027-01-16T00:00:00Z", "party": "partner", "type": "work_submitted", "actor": { "id": "a" }, "summary": "x" }] });
    let opening = parties.opening(&new_id(), "brand-campaign");
    let opening = crate::harness::commands::with(
        opening,
        &json!({ "metadata": { "a": 1 }, "deadline_at": "2027-02-01T00:00:00Z" }),
    );
    let command = |client: &Client, body: Value| (client.clone(), "POST", events(task), body);
    vec![
        command(partner, submit("agent")),
        command(partner, update),
        command(partner, approve(here, "u-anna")),
        command(partner, reject(here, "u-bo")),
        command(partner, escalate(here, "u-chi", "platform")),
        command(platform, resolve(7, "return", "ops")),
        command(platform, json!({ "type": "held", "reason": "x" })),
        command(buyer, cancel()),
        (partner.clone(), "PUT", "/api/v1/workflows/fuzzed".to_owned(), DEMO.clone()),
        (partner.clone(), "POST", "/api/v1/workflows/brand-campaign/simulate".to_owned(), plan),
        (platform.clone(), "POST", "/api/v1/tasks".to_owned(), opening),
        (platform.clone(), "POST", "/api/v1/partners".to_owned(), json!({ "name": "Contoso" })),
    ]
}

async fn send(client: &Client, method: &str, path: &str, text: &str) -> u16 {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", client.credential))
        .header("content-type", "application/json");
    service::send(&client.router, request.body(Body::from(text.to_owned())).unwrap()).await.status
}
