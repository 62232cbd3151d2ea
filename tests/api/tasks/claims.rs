//! Claims: as many as can decide, for a while, and nothing that a vote waits for.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::commands::{approve, at, escalate, reject, resolve, submit, with};
use crate::harness::parties::{Client, Parties, code, text};
use crate::harness::service::Answer;

fn path(task: &str) -> String {
    format!("/api/v1/tasks/{task}/claim")
}

async fn claim(client: &Client, task: &str, body: Value) -> Answer {
    client.call("PUT", &path(task), &body).await
}

fn by(actor: &str) -> Value {
    json!({ "actor": { "id": actor } })
}

/// Who has claimed the task, the first to end first.
async fn claimed(client: &Client, task: &str) -> Vec<String> {
    let claims = client.read(&path(task)).await;
    claims["items"].as_array().unwrap().iter().map(|claim| text(&claim["actor"]["id"])).collect()
}

/// The inbox row of a task.
async fn row(client: &Client, task: &str, filter: &str) -> Option<Value> {
    let inbox = client.read(&format!("/api/v1/reviews?limit=100{filter}")).await;
    inbox["items"].as_array().unwrap().iter().find(|row| row["task_id"] == task).cloned()
}

#[tokio::test]
async fn as_many_as_decide_together_can_claim_a_task_however_many_try_at_once() {
    let parties = Parties::start().await;
    // Two approvals are needed here, of three named people.
    let task = parties.open_in_legal().await;
    let people = ["u-anna", "u-bo", "u-chi"];
    let answers =
        join_all(people.iter().cycle().take(12).map(|person| claim(&parties.partner, &task, by(person)))).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    let holders = claimed(&parties.partner, &task).await;
    assert_eq!(holders.len(), 2, "{holders:?}");
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert!(done.len() == 8 && refused.len() == 4, "all tries of one person are refused: {statuses:?}");
    for answer in refused {
        assert_eq!((answer.status, code(answer)), (409, "claimed"), "{}", answer.text);
        assert!(
            holders.contains(&text(&answer.body["by"]["id"])) && answer.body["until"].is_string(),
            "{}",
            answer.text
        );
        assert_eq!(answer.body["phase"], "in_review");
    }
    // Who has none votes all the same, and so does who has one.
    let other = people.into_iter().find(|person| !holders.iter().any(|holder| holder == person)).unwrap();
    parties.partner.done(&task, &approve(at("legal", 1, 1), other)).await;
    let version = parties.task(&task).await["version"].clone();
    assert_eq!(claim(&parties.partner, &task, by(&holders[0])).await.status, 200, "it is renewed");
    assert_eq!(parties.task(&task).await["version"], version, "a claim is no event");
    parties.partner.done(&task, &approve(at("legal", 1, 1), &holders[0])).await;
    assert_eq!(claimed(&parties.partner, &task).await, Vec::<String>::new(), "the stage is decided");
}

#[tokio::test]
async fn a_claim_ends_with_its_lease_is_taken_over_or_given_up() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    parties.partner.done(&task, &submit("u-dora")).await;
    let first = claim(&parties.partner, &task, with(by("u-copy"), &json!({ "lease": "PT2H" }))).await;
    assert_eq!((first.status, &first.body["until"]), (200, &json!("2027-01-15T10:00:00Z")), "{}", first.text);
    let row_of = async |filter: &str| row(&parties.partner, &task, filter).await;
    assert_eq!(row_of("").await.unwrap()["claimed_by"][0]["actor"]["id"], "u-copy");
    assert_eq!(row_of("&unclaimed=true").await, None);
    assert_eq!(row(&parties.platform, &task, "").await, None, "it does not wait on the platform");
    assert_eq!(claimed(&parties.platform, &task).await, ["u-copy"]);
    let platforms = claim(&parties.platform, &task, by("ops")).await;
    assert_eq!((platforms.status, code(&platforms)), (409, "nothing_to_decide"), "{}", platforms.text);
    // The stage has nobody named, so another person may take it over.
    let refused = claim(&parties.partner, &task, by("u-eve")).await;
    assert_eq!((refused.status, code(&refused)), (409, "claimed"));
    let taken =
        claim(&parties.partner, &task, with(by("u-eve"), &json!({ "take_over": true, "lease": "PT30M" }))).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    assert_eq!(claimed(&parties.partner, &task).await, ["u-eve"]);
    parties.pass(1);
    assert_eq!(claimed(&parties.partner, &task).await, Vec::<String>::new(), "the lease is over");
    assert!(row_of("&unclaimed=true").await.is_some());
    assert_eq!(claim(&parties.partner, &task, by("u-copy")).await.status, 200);
    let give_up = format!("{}?actor=u-copy", path(&task));
    for _ in 0..2 {
        assert_eq!(parties.partner.call("DELETE", &give_up, &Value::Null).await.status, 204);
    }
    assert_eq!(claimed(&parties.partner, &task).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_claim_is_for_one_decision() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    assert_eq!(claim(&parties.partner, &task, by("u-anna")).await.status, 200);
    let escalated = parties.partner.done(&task, &escalate(at("legal", 1, 1), "u-anna", "platform")).await;
    assert_eq!(claimed(&parties.platform, &task).await, Vec::<String>::new(), "the escalation is another decision");
    let partners = claim(&parties.partner, &task, by("u-anna")).await;
    assert_eq!((partners.status, code(&partners)), (409, "nothing_to_decide"), "{}", partners.text);
    assert_eq!(claim(&parties.platform, &task, by("ops")).await.status, 200);
    let second = claim(&parties.platform, &task, by("lead")).await;
    assert_eq!((second.status, code(&second)), (409, "claimed"), "one person decides an escalation");
    assert_eq!(row(&parties.platform, &task, "").await.unwrap()["claimed_by"][0]["actor"]["id"], "ops");
    let seq = escalated["event"]["seq"].as_u64().unwrap();
    parties.platform.done(&task, &resolve(seq, "return", "lead")).await;
    assert_eq!(claim(&parties.partner, &task, by("u-bo")).await.status, 200);
    parties.partner.done(&task, &reject(at("legal", 1, 1), "u-bo")).await;
    let ended = claim(&parties.partner, &task, by("u-bo")).await;
    assert!(matches!(code(&ended), "nothing_to_decide"), "{}", ended.text);
}

#[tokio::test]
async fn who_may_not_decide_claims_nothing() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    for (body, refusal) in [
        (by("u-mallory"), (409, "nothing_to_decide")),
        (json!({}), (422, "invalid_body")),
        (with(by("u-anna"), &json!({ "lease": "P2D" })), (422, "invalid_body")),
        (with(by("u-anna"), &json!({ "lease": "soon" })), (422, "invalid_body")),
        (with(by("u-anna"), &json!({ "more": 1 })), (422, "invalid_body")),
    ] {
        let answer = claim(&parties.partner, &task, body.clone()).await;
        assert_eq!((answer.status, code(&answer)), refusal, "{body}: {}", answer.text);
    }
    let key = async |body: Value| {
        let made = parties.partner.call("POST", "/api/v1/keys", &body).await;
        Client { credential: text(&made.body["key"]), ..parties.partner.clone() }
    };
    let bound = key(json!({ "scopes": ["review"], "actors": ["u-bo"] })).await;
    assert_eq!(claim(&bound, &task, json!({})).await.status, 200, "the key names the person");
    assert_eq!(claimed(&parties.partner, &task).await, ["u-bo"]);
    let others = claim(&bound, &task, by("u-anna")).await;
    assert_eq!((others.status, code(&others)), (403, "key_actor"));
    let others = bound.call("DELETE", &format!("{}?actor=u-anna", path(&task)), &Value::Null).await;
    assert_eq!((others.status, code(&others)), (403, "key_actor"));
    let worker = claim(&key(json!({ "scopes": ["work"] })).await, &task, by("u-anna")).await;
    assert_eq!((worker.status, code(&worker)), (403, "key_scope"));
    for (method, client) in [("GET", &parties.buyer), ("PUT", &parties.buyer)] {
        let answer = client.call(method, &path(&task), &by("u-anna")).await;
        assert_eq!((answer.status, code(&answer)), (403, "forbidden"));
    }
    let filtered = parties.buyer.get("/api/v1/reviews?unclaimed=true").await;
    assert_eq!((filtered.status, &filtered.body["errors"][0]["pointer"]), (400, &json!("/query/unclaimed")));
}
