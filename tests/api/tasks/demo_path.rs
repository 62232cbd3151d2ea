//! One task from its opening to its delivery, through everything that the demo's workflow has; the important
//! answers as a whole.

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, cancel, escalate, reject, resolve, submit, update, with};
use crate::harness::parties::{Parties, redacted};

#[tokio::test]
async fn a_task_goes_through_rejection_escalation_and_sign_off_to_delivery() {
    let parties = Parties::start().await;
    let (partner, buyer, platform) = (&parties.partner, &parties.buyer, &parties.platform);
    let id = parties.open("brand-campaign").await;
    assert_json("status_when_opened", &parties.status(&id).await);

    partner.done(&id, &update("Writing the first draft")).await;
    partner.done(&id, &submit("agent-7")).await;
    partner.done(&id, &approve(at("copy", 1, 1), "u-copy")).await;
    assert_label(&parties, &id, "In legal review").await;
    partner.refused(&id, &approve(at("legal", 1, 1), "u-dora"), (403, "not_a_reviewer")).await;
    let rejection = with(reject(at("legal", 1, 1), "u-anna"), &json!({ "return_to": "copy", "note": "See clause 4." }));
    assert_json("answer_to_a_rejection", &partner.done(&id, &rejection).await);
    assert_label(&parties, &id, "Changes are being made").await;

    parties.pass(1);
    partner.done(&id, &submit("agent-7")).await;
    partner.done(&id, &approve(at("copy", 2, 2), "u-copy")).await;
    partner.done(&id, &approve(at("legal", 2, 2), "u-anna")).await;
    let again = with(approve(at("legal", 2, 2), "u-bo"), &json!({ "dry_run": true }));
    partner.refused(&id, &again, (422, "invalid_body")).await;
    assert_json("task_short_of_its_quorum", &parties.task(&id).await);

    let asked = partner.done(&id, &escalate(at("legal", 2, 2), "u-anna", "buyer")).await;
    let status = parties.status(&id).await;
    assert_json("status_with_a_question", &status);
    let ready = status["action"]["commands"][0].clone();
    assert_eq!((&ready["resolution"], &ready["escalation"]), (&json!("approve"), &asked["event"]["seq"]));
    partner.refused(&id, &resolve(1, "approve", "u-bo"), (403, "wrong_party")).await;
    // The command is as the status has it.
    assert_json("answer_to_a_resolution", &buyer.done(&id, &ready).await);
    assert_label(&parties, &id, "Awaiting your design approval").await;

    platform.refused(&id, &approve(at("signoff", 1, 2), "ops"), (403, "wrong_party")).await;
    let ready = parties.status(&id).await["action"]["commands"][0].clone();
    let delivered = buyer.done(&id, &ready).await;
    assert_eq!(delivered["status"]["phase"], "delivery");
    assert_json("status_in_the_end", &parties.status(&id).await);
    assert_json("task_in_the_end", &parties.task(&id).await);
    buyer.refused(&id, &cancel(), (409, "task_closed")).await;
    let types: Vec<Value> = parties.trail(&id).await.iter().map(|row| row["type"].clone()).collect();
    assert_json("trail", &json!(types));
}

#[tokio::test]
async fn two_of_the_named_reviewers_must_approve() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    let first = parties.partner.done(&id, &approve(at("legal", 1, 1), "u-anna")).await;
    assert_eq!((first["events"].as_array().unwrap().len(), &first["task"]["phase"]), (1, &json!("in_review")));
    let same = parties.partner.refused(&id, &approve(at("legal", 1, 1), "u-anna"), (409, "already_voted")).await;
    assert_eq!(same["recorded"]["seq"], first["event"]["seq"], "one actor has one vote");
    let second = parties.partner.done(&id, &approve(at("legal", 1, 1), "u-chi")).await;
    assert_eq!(second["task"]["stage"]["key"], "signoff");
    let counted = parties.trail(&id).await;
    let decided = counted.iter().rfind(|row| row["type"] == "task.stage_approved").unwrap();
    assert_eq!(decided["data"]["votes"], json!([first["event"]["seq"], second["event"]["seq"]]));
}

#[tokio::test]
async fn a_review_that_nobody_decides_is_reminded_of_and_escalated_and_answered_with_advice() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    assert_eq!(parties.tick(&id).await, 0);
    parties.pass(40);
    assert_eq!(parties.tick(&id).await, 1, "8 hours before the deadline");
    parties.pass(8);
    assert_eq!(parties.tick(&id).await, 1);
    let task = parties.task(&id).await;
    assert_eq!((&task["phase"], &task["escalation"]["cause"]), (&json!("escalated"), &json!("deadline")));
    assert_eq!(parties.status(&id).await["label"], "AITasker is deciding");
    let seq = task["escalation"]["seq"].as_u64().unwrap();
    let advice = with(resolve(seq, "return", "ops"), &json!({ "advice": "Take the short version." }));
    let back = parties.platform.done(&id, &advice).await;
    assert_eq!((&back["task"]["phase"], &back["task"]["round"]), (&json!("in_review"), &json!(1)));
    assert_eq!(back["task"]["review"]["advice"], "Take the short version.");
    assert_eq!(back["task"]["due_at"], "2027-01-19T08:00:00Z", "a full clock after a deadline");
}

#[tokio::test]
async fn a_task_that_is_forgotten_expires() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    parties.pass(14 * 24);
    assert_eq!(parties.tick(&id).await, 1);
    let status = parties.status(&id).await;
    assert_eq!((&status["phase"], &status["label"]), (&json!("expired"), &json!("Not finished in time")));
    assert_eq!(parties.tick(&id).await, 0);
}

#[tokio::test]
async fn a_cancellation_lets_the_review_finish_and_is_acknowledged() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    let asked = parties.buyer.done(&id, &cancel()).await;
    assert_eq!(
        (&asked["status"]["phase"], &asked["status"]["due_at"]),
        (&json!("cancelling"), &json!("2027-01-15T10:00:00Z"))
    );
    parties.buyer.refused(&id, &cancel(), (409, "already_cancelling")).await;
    let late = parties.partner.refused(&id, &approve(at("legal", 1, 1), "u-anna"), (409, "cancelling")).await;
    assert_json("refusal_of_a_late_decision", &late);
    let salvaged = json!({ "type": "cancellation_acknowledged", "in_flight": "salvaged" });
    parties.partner.refused(&id, &salvaged, (422, "invalid_body")).await;
    let discarded =
        json!({ "type": "cancellation_acknowledged", "in_flight": "discarded", "notes": "Nothing of use." });
    let done = parties.partner.done(&id, &discarded).await;
    assert_eq!(done["task"]["phase"], "cancelled");
    // The same person, again and late: one row.
    let again = parties.partner.refused(&id, &reject(at("legal", 1, 1), "u-anna"), (409, "task_closed")).await;
    assert_eq!(again["recorded"], late["recorded"]);
}

#[tokio::test]
async fn a_hold_stops_the_stage_clock() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    parties.pass(10);
    let held = json!({ "type": "held", "reason": "Waiting for the brand guide" });
    parties.buyer.refused(&id, &held, (403, "wrong_party")).await;
    parties.platform.done(&id, &held).await;
    let status = parties.status(&id).await;
    assert_eq!((&status["message"], &status["due_at"]), (&json!("Waiting for the brand guide"), &Value::Null));
    parties.pass(100);
    assert_eq!(parties.tick(&id).await, 0);
    let resumed = json!({ "type": "resumed" });
    parties.partner.refused(&id, &resumed, (403, "held_by_other")).await;
    parties.platform.done(&id, &resumed).await;
    assert_eq!(parties.status(&id).await["due_at"], "2027-01-21T12:00:00Z", "38 hours from now");
}

async fn assert_label(parties: &Parties, id: &str, label: &str) {
    assert_eq!(parties.status(id).await["label"], label);
}

fn assert_json(name: &str, value: &Value) {
    insta::assert_json_snapshot!(name, redacted(value));
}
