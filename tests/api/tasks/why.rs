//! Why a task waits, over HTTP: it agrees with the refusals of real commands, and names nobody to a buyer.

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, escalate, resolve, submit};
use crate::harness::parties::{Client, Parties, code, new_id};

async fn why(client: &Client, task: &str, actor: &str) -> Value {
    let query = if actor.is_empty() { String::new() } else { format!("?actor={actor}") };
    client.read(&format!("/api/v1/tasks/{task}/why{query}")).await
}

fn entry<'a>(why: &'a Value, command: &str, resolution: Option<&str>) -> &'a Value {
    let is = |row: &&Value| row["command"] == command && row.get("resolution") == resolution.map(Value::from).as_ref();
    why["you"].as_array().unwrap().iter().find(is).unwrap()
}

#[tokio::test]
async fn an_actor_reads_what_the_real_command_would_answer() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    parties.partner.done(&task, &submit("u-anna")).await;
    parties.partner.done(&task, &approve(at("copy", 1, 1), "u-copy")).await;
    let anna = why(&parties.partner, &task, "u-anna").await;
    assert_eq!((&anna["waiting_on"], &anna["due_at"]), (&json!("partner"), &parties.task(&task).await["due_at"]));
    assert_eq!(anna["needs"]["eligible"], json!(["u-bo", "u-chi"]));
    assert_eq!(anna["needs"]["approvals"], json!({ "have": 0, "want": 2 }));
    let approval = entry(&anna, "stage_approved", None);
    assert_eq!((&approval["allowed"], &approval["code"]), (&json!(false), &json!("self_approval")));
    let refused = parties.partner.refused(&task, &approve(at("legal", 1, 1), "u-anna"), (403, "self_approval")).await;
    assert_eq!(approval["detail"], refused["detail"]);
    assert_eq!(entry(&anna, "stage_rejected", None)["allowed"], true);
    let dora = why(&parties.partner, &task, "u-dora").await;
    assert_eq!(entry(&dora, "stage_approved", None)["code"], "not_a_reviewer");
    let bo = why(&parties.partner, &task, "u-bo").await;
    let approval = entry(&bo, "stage_approved", None);
    assert_eq!((&approval["allowed"], approval.get("code")), (&json!(true), None));
    parties.platform.done(&task, &escalate(at("legal", 1, 1), "ops-anna", "platform")).await;
    let seq = parties.task(&task).await["escalation"]["seq"].as_u64().unwrap();
    let ops = why(&parties.platform, &task, "ops-anna").await;
    let approve = entry(&ops, "escalation_resolved", Some("approve"));
    assert_eq!(approve["code"], "second_person");
    parties.platform.refused(&task, &resolve(seq, "approve", "ops-anna"), (403, "second_person")).await;
    assert_eq!(entry(&ops, "escalation_resolved", Some("return"))["allowed"], true);
    let other = why(&parties.platform_with_another_key(), &task, "ops-bo").await;
    assert_eq!(entry(&other, "escalation_resolved", Some("approve"))["allowed"], true);
}

#[tokio::test]
async fn a_buyer_learns_nothing_of_the_partners_people() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-bo")).await;
    let answer = why(&parties.buyer, &task, "").await;
    assert_eq!(
        (&answer["waiting_on"], &answer["needs"], &answer["then"]),
        (&json!("partner"), &json!(null), &json!(null))
    );
    assert!(!answer.to_string().contains("u-"), "{answer}");
    assert_eq!(entry(&answer, "stage_approved", None)["code"], "wrong_party");
    assert_eq!(entry(&answer, "cancellation_requested", None)["allowed"], true);
}

#[tokio::test]
async fn the_actor_is_asked_for_and_only_from_those_who_have_several() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let path = format!("/api/v1/tasks/{task}/why");
    for client in [&parties.partner, &parties.platform] {
        let answer = client.get(&path).await;
        assert_eq!((answer.status, code(&answer)), (400, "invalid_parameter"), "{}", answer.text);
        assert_eq!(answer.body["errors"][0]["pointer"], "/query/actor");
    }
    let answer = parties.buyer.get(&format!("{path}?actor=u-anna")).await;
    assert_eq!((answer.status, &answer.body["errors"][0]["code"]), (400, &json!("not_allowed")));
    let stranger = parties.another_partner().await;
    assert_eq!(stranger.get(&format!("{path}?actor=u-anna")).await.status, 404);
    assert_eq!(parties.another_buyer().get(&path).await.status, 404);
    assert_eq!(parties.platform.get(&format!("/api/v1/tasks/{}/why?actor=a", new_id())).await.status, 404);
    assert_eq!(parties.partner.get(&format!("{path}?actor=")).await.status, 400);
}
