//! The platform does not decide alone what it escalated itself; a partner's approval of an escalation is one vote.

use serde_json::{Value, json};
use stagegate::clock::Clock;

use crate::harness::commands::{approve, at, escalate, resolve, submit, with};
use crate::harness::parties::{Client, Parties, events};

/// One stage, which the buyer reviews.
fn sign_off() -> Value {
    json!({ "name": "Sign-off", "stages": [
        { "key": "sign-off", "name": "Sign-off", "buyer_label": "Your sign-off", "reviewer": "buyer",
          "on_reject": { "return_to": ["sign-off"] } } ] })
}

/// Escalates a buyer's stage to the platform under `client`; gives the task and the escalation.
async fn taken(parties: &Parties, client: &Client) -> (String, u64) {
    let task = parties.open("sign-off").await;
    let escalated = client.done(&task, &escalate(at("sign-off", 1, 0), "ops-anna", "platform")).await;
    (task, escalated["event"]["seq"].as_u64().unwrap())
}

#[tokio::test]
async fn a_buyers_stage_takes_two_people_with_two_keys_of_the_platform() {
    let parties = Parties::start().await;
    parties.register("sign-off", &sign_off()).await;
    let other_key = parties.platform_with_another_key();
    let (task, seq) = taken(&parties, &parties.platform).await;
    for resolution in ["approve", "reject"] {
        let mut command = resolve(seq, resolution, "ops-anna");
        if resolution == "reject" {
            command = with(command, &json!({ "feedback": { "summary": "Not yet." } }));
        }
        let refusal = parties.platform.refused(&task, &command, (403, "second_person")).await;
        assert!(refusal["detail"].as_str().unwrap().contains("another person under another key"), "{refusal}");
        other_key.refused(&task, &command, (403, "second_person")).await;
        let colleague = with(command, &json!({ "actor": { "id": "ops-bo" } }));
        parties.platform.refused(&task, &colleague, (403, "second_person")).await;
        let dry = other_key.call("POST", &format!("{}?dry_run=true", events(&task)), &colleague).await;
        assert_eq!(dry.status, 200, "{}", dry.text);
    }
    let inbox = async |client: &Client, who: &str| {
        let page = client.read(&format!("/api/v1/reviews?actor={who}")).await;
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(inbox(&parties.platform, "ops-anna").await, 0);
    assert_eq!(inbox(&other_key, "ops-anna").await, 0);
    assert_eq!(inbox(&parties.platform, "ops-bo").await, 0);
    assert_eq!(inbox(&other_key, "ops-bo").await, 1);
    let done = other_key.done(&task, &resolve(seq, "approve", "ops-bo")).await;
    assert_eq!(done["event"]["data"]["overrides"], true);
    assert_eq!(done["event"]["data"].get("single_person"), None);
    assert_eq!(done["task"]["stages"][0]["overridden"], true);
    let status = parties.status(&task).await;
    assert_eq!((&status["phase"], &status["stages"][0]["overridden"]), (&json!("delivery"), &json!(true)));
    let trail = parties.buyer.read(&format!("/api/v1/tasks/{task}/audit")).await;
    let resolved = trail["items"].as_array().unwrap().iter().find(|row| row["type"] == "task.escalation_resolved");
    assert_eq!(resolved.unwrap()["data"]["overrides"], true, "the buyer reads it");
}

#[tokio::test]
async fn the_platform_may_give_back_what_it_took_and_decide_alone_what_others_escalate() {
    let parties = Parties::start().await;
    parties.register("sign-off", &sign_off()).await;
    let (task, seq) = taken(&parties, &parties.platform).await;
    parties.platform.done(&task, &resolve(seq, "return", "ops-anna")).await;
    let asked = parties.buyer.done(&task, &escalate(at("sign-off", 1, 0), "", "platform")).await;
    let seq = asked["event"]["seq"].as_u64().unwrap();
    parties.platform.refused(&task, &resolve(seq, "approve", "ops-anna"), (403, "second_person")).await;
    parties.platform_with_another_key().done(&task, &resolve(seq, "approve", "ops-bo")).await;
    let task = parties.open("sign-off").await;
    let asked = parties.buyer.done(&task, &escalate(at("sign-off", 1, 0), "", "platform")).await;
    let seq = asked["event"]["seq"].as_u64().unwrap();
    parties.platform.done(&task, &resolve(seq, "approve", "ops-anna")).await;
}

#[tokio::test]
async fn a_platform_of_one_person_decides_alone_and_every_party_reads_it() {
    let parties = Parties::start().await;
    parties.register("sign-off", &sign_off()).await;
    let platform = parties.platform.at(&parties.service.replica_without_dual_control().await);
    let (task, seq) = taken(&parties, &platform).await;
    let inbox = platform.read("/api/v1/reviews?actor=ops-anna").await;
    assert_eq!(inbox["items"].as_array().unwrap().len(), 1);
    let dry_run = format!("{}?dry_run=true", events(&task));
    let dry = platform.call("POST", &dry_run, &resolve(seq, "approve", "ops-anna")).await;
    assert_eq!(dry.body["event"]["data"]["single_person"], true);
    platform.done(&task, &resolve(seq, "approve", "ops-anna")).await;
    for client in [&parties.partner, &parties.buyer, &parties.platform] {
        let trail = client.read(&format!("/api/v1/tasks/{task}/audit")).await;
        let resolved = trail["items"].as_array().unwrap().iter().find(|row| row["type"] == "task.escalation_resolved");
        let data = &resolved.unwrap()["data"];
        assert_eq!((&data["overrides"], &data["single_person"]), (&json!(true), &json!(true)));
    }
}

#[tokio::test]
async fn a_partners_approval_of_an_escalation_is_one_vote() {
    let parties = Parties::start().await;
    let definition = json!({ "name": "Legal", "stages": [
        { "key": "legal", "name": "Legal", "buyer_label": "Legal review", "reviewers": ["u-anna", "u-bo", "u-chi"],
          "quorum": { "approvals": 2, "rejections": 1 }, "escalation": { "to": ["partner", "platform"] } } ] });
    let registered = parties.partner.call("PUT", "/api/v1/workflows/legal", &definition).await;
    let alone = json!([{ "key": "legal", "alone": [
        { "party": "partner", "by": "vote" }, { "party": "partner", "by": "escalation" },
        { "party": "platform", "by": "escalation" } ] }]);
    assert_eq!((registered.status, &registered.body["stages"]), (201, &alone));
    let dry = parties.partner.call("PUT", "/api/v1/workflows/legal?dry_run=true", &definition).await;
    assert_eq!(dry.body["stages"], alone);
    let task = parties.open("legal").await;
    parties.partner.done(&task, &submit("agent")).await;
    let asked = parties.partner.done(&task, &escalate(at("legal", 1, 1), "u-anna", "partner")).await;
    let seq = asked["event"]["seq"].as_u64().unwrap();
    for who in ["u-anna", "u-dora"] {
        let approve = resolve(seq, "approve", who);
        parties.partner.refused(&task, &approve, (403, "resolution_not_allowed")).await;
    }
    parties.partner.done(&task, &resolve(seq, "return", "u-anna")).await;
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-anna")).await;
    let asked = parties.partner.done(&task, &escalate(at("legal", 1, 1), "u-anna", "partner")).await;
    let seq = asked["event"]["seq"].as_u64().unwrap();
    let again = resolve(seq, "approve", "u-anna");
    parties.partner.refused(&task, &again, (403, "resolution_not_allowed")).await;
    let done = parties.partner.done(&task, &resolve(seq, "approve", "u-bo")).await;
    assert_eq!(done["events"][1]["data"]["votes"].as_array().unwrap().len(), 2);
    assert_eq!(done["task"]["stages"][0].get("overridden"), None);
}

#[tokio::test]
async fn a_simulation_needs_the_second_person_as_well() {
    let parties = Parties::start().await;
    let clock: &Clock = &parties.service.clock;
    let now = clock.now().to_string();
    let sent = |command: Value| with(command, &json!({ "at": now, "party": "platform" }));
    let commands = [
        escalate(at("sign-off", 1, 0), "ops-anna", "platform"),
        resolve(3, "approve", "ops-anna"),
        resolve(3, "approve", "ops-bo"),
    ];
    let body = json!({ "definition": sign_off(), "opened_at": now, "commands": commands.map(sent).to_vec() });
    let answer = parties.partner.call("POST", "/api/v1/workflows/sign-off/simulate", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let steps = answer.body["steps"].as_array().unwrap();
    assert_eq!(steps[2]["refusal"]["code"], "second_person");
    assert_eq!(steps[3]["refusal"], Value::Null);
}
