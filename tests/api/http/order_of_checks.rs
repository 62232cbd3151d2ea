//! The checks run in one order: each row breaks two neighbours, and the earlier one answers.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::commands::{approve, at, cancel, reject, submit, update, with};
use crate::harness::parties::{Client, Parties, code, events, new_id};
use crate::harness::service::{self, Answer};

#[tokio::test]
async fn the_credential_comes_before_the_route_and_the_route_before_the_task() {
    let parties = Parties::start().await;
    let stranger = Client { credential: "nobody".to_owned(), ..parties.buyer.clone() };
    let unknown = new_id();
    assert_code(&stranger.get("/api/v1/partners").await, 401, "unauthorized");
    assert_code(&stranger.send(&unknown, &json!({})).await, 401, "unauthorized");
    assert_code(&parties.buyer.get(&format!("/api/v1/tasks/{unknown}")).await, 403, "forbidden");
    assert_code(&parties.buyer.get("/api/v1/tasks?nope=1").await, 403, "forbidden");
    assert_code(&parties.buyer.get("/api/v1/tasks/7").await, 403, "forbidden");
    assert_code(&parties.partner.call("POST", "/api/v1/tasks", &json!({})).await, 403, "forbidden");
}

#[tokio::test]
async fn the_task_comes_before_the_body() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let stranger = parties.another_partner().await;
    for body in ["{", "{}", r#"{"type":"nope"}"#, "[]", ""] {
        assert_code(&raw(&stranger, &id, body, None).await, 404, "not_found");
        assert_code(&raw(&parties.another_buyer(), &id, body, None).await, 404, "not_found");
        assert!(matches!(raw(&parties.partner, &id, body, None).await.status, 400 | 422), "{body}");
    }
    assert_code(&raw(&stranger, &id, "{}", Some("nonsense")).await, 404, "not_found");
}

#[tokio::test]
async fn the_body_comes_before_the_id_and_the_id_before_the_version() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let command = with(update("x"), &json!({ "id": new_id() }));
    let done = parties.partner.done(&id, &command).await;
    let unknown_field = with(command.clone(), &json!({ "nope": 1 })).to_string();
    assert_code(&raw(&parties.partner, &id, &unknown_field, None).await, 422, "invalid_body");
    assert_code(&raw(&parties.partner, &id, &format!("{command},"), None).await, 400, "invalid_json");
    let stale = Some("\"1\"");
    let replayed = raw(&parties.partner, &id, &command.to_string(), stale).await;
    assert_eq!((replayed.status, &replayed.body), (200, &done));
    let other = with(command.clone(), &json!({ "message": "y" })).to_string();
    assert_code(&raw(&parties.partner, &id, &other, stale).await, 422, "event_id_reused");
    // The id is known: that the command could not be sent now plays no part.
    parties.platform.done(&id, &with(cancel(), &json!({ "immediate": true }))).await;
    let replayed = raw(&parties.partner, &id, &command.to_string(), stale).await;
    assert_eq!((replayed.status, &replayed.body), (200, &done));
    assert_code(&raw(&parties.partner, &id, &other, stale).await, 422, "event_id_reused");
}

#[tokio::test]
async fn the_version_comes_before_the_end_and_the_end_before_the_party() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    parties.platform.done(&id, &with(cancel(), &json!({ "immediate": true }))).await;
    assert_code(
        &raw(&parties.partner, &id, &submit("agent").to_string(), Some("\"1\"")).await,
        412,
        "precondition_failed",
    );
    // Work is the partner's to hand in, but the task is over.
    parties.platform.refused(&id, &submit("ops"), (409, "task_closed")).await;
    parties.buyer.refused(&id, &json!({ "type": "held", "reason": "x" }), (409, "task_closed")).await;
}

#[tokio::test]
async fn from_the_party_to_the_content_the_earlier_check_answers() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    // In preparation at the first stage.
    parties.buyer.refused(&id, &approve(at("legal", 1, 0), ""), (403, "wrong_party")).await;
    parties.partner.refused(&id, &approve(at("legal", 1, 0), "u-dora"), (409, "stage_mismatch")).await;
    parties.partner.refused(&id, &approve(at("copy", 2, 0), "u-copy"), (409, "round_mismatch")).await;
    parties.partner.refused(&id, &approve(at("copy", 1, 7), "u-copy"), (409, "wrong_phase")).await;
    parties.partner.done(&id, &submit("agent")).await;
    parties.partner.done(&id, &submit("agent")).await;
    parties.partner.done(&id, &approve(at("copy", 1, 2), "u-copy")).await;
    // In legal review, on the second revision.
    let cases: [(Value, u16, &str); 10] = [
        (approve(at("copy", 1, 1), "u-dora"), 409, "already_decided"),
        (approve(at("legal", 2, 1), "u-dora"), 409, "round_mismatch"),
        (approve(at("legal", 1, 1), "u-dora"), 403, "not_a_reviewer"),
        (without_feedback(reject(at("legal", 1, 1), "u-dora")), 403, "not_a_reviewer"),
        (without_feedback(reject(at("legal", 1, 1), "u-anna")), 412, "stale_revision"),
        (with(reject(at("legal", 1, 1), "u-anna"), &json!({ "return_to": "signoff" })), 412, "stale_revision"),
        (without_feedback(reject(at("legal", 1, 2), "u-anna")), 422, "invalid_body"),
        (with(reject(at("legal", 1, 2), "u-anna"), &json!({ "return_to": "signoff" })), 422, "invalid_body"),
        (approve(at("legal", 1, 3), "u-anna"), 422, "invalid_body"),
        (approve(at("nowhere", 1, 2), "u-anna"), 422, "invalid_body"),
    ];
    for (command, status, code) in cases {
        parties.partner.refused(&id, &command, (status, code)).await;
    }
    parties.partner.done(&id, &reject(at("legal", 1, 2), "u-anna")).await;
    parties.partner.done(&id, &submit("agent")).await;
    parties.partner.done(&id, &approve(at("copy", 2, 3), "u-anna")).await;
    // An actor that is barred comes before a revision that is old.
    parties.partner.refused(&id, &approve(at("legal", 2, 1), "u-anna"), (403, "not_distinct")).await;
    parties.partner.refused(&id, &reject(at("legal", 2, 1), "u-anna"), (412, "stale_revision")).await;
}

async fn raw(client: &Client, id: &str, body: &str, if_match: Option<&str>) -> Answer {
    let mut request = Request::builder()
        .method("POST")
        .uri(events(id))
        .header("authorization", format!("Bearer {}", client.credential))
        .header("content-type", "application/json");
    if let Some(tag) = if_match {
        request = request.header("if-match", tag);
    }
    service::send(&client.router, request.body(Body::from(body.to_owned())).unwrap()).await
}

fn without_feedback(mut command: Value) -> Value {
    command.as_object_mut().unwrap().remove("feedback");
    command
}

#[track_caller]
fn assert_code(answer: &Answer, status: u16, expected: &str) {
    assert_eq!((answer.status, code(answer)), (status, expected), "{}", answer.text);
}
