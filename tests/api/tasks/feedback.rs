//! Feedback as a work list over the API: ids, answers, reasons and remarks, and who reads what.

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, reject, submit, with};
use crate::harness::parties::{Parties, events, new_id};

/// Copy, then the buyer; both must be answered, and the copy has reasons.
fn demanding() -> Value {
    let reasons = json!([{ "key": "text", "name": "The text" }, { "key": "design", "name": "The design" }]);
    json!({ "name": "Demanding", "deadline": { "within": "P14D" }, "stages": [
        { "key": "copy", "name": "Copy", "buyer_label": "In copy", "submission": "required",
          "on_reject": { "answers": "required", "reasons": reasons } },
        { "key": "look", "name": "Your look", "buyer_label": "Ready for your look", "reviewer": "buyer",
          "on_reject": { "return_to": ["copy"], "answers": "required", "reasons": reasons } } ] })
}

async fn start() -> (Parties, String) {
    let parties = Parties::start().await;
    parties.register("demanding", &demanding()).await;
    let task = parties.open("demanding").await;
    parties.partner.done(&task, &submit("u-dora")).await;
    (parties, task)
}

fn said(items: &Value) -> Value {
    json!({ "feedback": { "summary": "Not yet.", "reason": "text", "items": items } })
}

/// A rejection of the copy with an item that blocks and one that does not.
fn rejection(round: u32, revision: u32) -> Value {
    let items = json!([{ "text": "The price." }, { "text": "A comma.", "blocking": false }]);
    with(reject(at("copy", round, revision), "u-eli"), &said(&items))
}

#[tokio::test]
async fn a_return_is_answered_item_by_item() {
    let (parties, task) = start().await;
    let rejected = parties.partner.done(&task, &rejection(1, 1)).await;
    let seq = rejected["event"]["seq"].as_u64().unwrap();
    let ids = [1, 2].map(|index| format!("{seq}.{index}"));
    let items = &rejected["event"]["data"]["feedback"]["items"];
    assert_eq!((&items[0]["id"], &items[0]["blocking"]), (&json!(ids[0]), &json!(true)));
    assert_eq!((&items[1]["id"], &items[1]["blocking"]), (&json!(ids[1]), &json!(false)));
    assert_eq!(rejected["task"]["unanswered"], json!([ids[0]]));
    let refusal = parties.partner.refused(&task, &submit("u-dora"), (422, "unanswered_feedback")).await;
    let message = format!("must answer the item {}", ids[0]);
    assert_eq!(
        refusal["errors"],
        json!([{ "pointer": "/answers", "code": "unanswered", "message": message, "item": ids[0] }])
    );
    let answers = json!({ "answers": [{ "item": ids[0], "how": "done" }, { "item": ids[1], "how": "declined", "text": "House style." }] });
    let done = parties.partner.done(&task, &with(submit("u-dora"), &answers)).await;
    assert_eq!(done["event"]["data"]["internal_answers"], answers["answers"]);
    assert_eq!(done["task"]["feedback"]["answers"], answers["answers"]);
    assert_eq!(done["task"].get("unanswered"), None);
    let again = json!([{ "text": "Still the price.", "reopens": ids[0] }]);
    let rejected = parties.partner.done(&task, &with(reject(at("copy", 2, 2), "u-eli"), &said(&again))).await;
    assert_eq!(rejected["event"]["data"]["feedback"]["items"][0]["reopens"], json!(ids[0]));
    assert_eq!(rejected["events"][1]["data"]["reasons"], json!(["text"]));
}

#[tokio::test]
async fn every_mistake_in_feedback_and_answers_is_named_at_its_place() {
    let (parties, task) = start().await;
    let copy = at("copy", 1, 1);
    let item = |more: Value| with(reject(copy, "u-eli"), &said(&json!([with(json!({ "text": "x" }), &more)])));
    let remark = |feedback: Value| with(approve(copy, "u-eli"), &json!({ "feedback": feedback }));
    let remarked = |more: Value| remark(json!({ "summary": "x", "items": [with(json!({ "text": "x" }), &more)] }));
    let answer = |answers: Value| with(submit("u-dora"), &json!({ "answers": answers }));
    let table = [
        (item(json!({ "id": "4.1" })), "/feedback/items/0/id", "not_allowed"),
        (item(json!({ "id": "x" })), "/feedback/items/0/id", "invalid_value"),
        (item(json!({ "reopens": "9.1" })), "/feedback/items/0/reopens", "unknown_item"),
        (item(json!({ "reopens": "09.1" })), "/feedback/items/0/reopens", "invalid_value"),
        (reject(copy, "u-eli"), "/feedback/reason", "required"),
        (
            with(reject(copy, "u-eli"), &json!({ "feedback": { "summary": "x", "reason": "law" } })),
            "/feedback/reason",
            "unknown_value",
        ),
        (remark(json!({ "summary": "x", "reason": "text" })), "/feedback/reason", "not_allowed"),
        (remarked(json!({ "blocking": true })), "/feedback/items/0/blocking", "not_allowed"),
        (remarked(json!({ "reopens": "4.1" })), "/feedback/items/0/reopens", "not_allowed"),
        (remarked(json!({ "id": "4.1" })), "/feedback/items/0/id", "not_allowed"),
        (answer(json!([{ "item": "9.1", "how": "done" }])), "/answers/0/item", "unknown_item"),
        (answer(json!([{ "item": "9", "how": "done" }])), "/answers/0/item", "invalid_value"),
        (answer(json!([{ "item": "9.1", "how": "later" }])), "/answers/0/how", "invalid_value"),
        (
            answer(json!([{ "item": "9.1", "how": "done" }, { "item": "9.1", "how": "done" }])),
            "/answers/1/item",
            "duplicate",
        ),
        (answer(json!([{ "item": "9.1", "how": "declined" }])), "/answers/0/text", "required"),
    ];
    for (command, pointer, code) in table {
        let refusal = parties.partner.refused(&task, &command, (422, "invalid_body")).await;
        assert_eq!(
            (&refusal["errors"][0]["pointer"], &refusal["errors"][0]["code"]),
            (&json!(pointer), &json!(code)),
            "{command}"
        );
    }
}

#[tokio::test]
async fn a_repeated_rejection_may_leave_out_what_the_first_spelt_out() {
    let (parties, task) = start().await;
    let id = new_id();
    let with_id = |items: Value| with(reject(at("copy", 1, 1), "u-eli"), &with(said(&items), &json!({ "id": id })));
    let first = parties.partner.done(&task, &with_id(json!([{ "text": "x", "blocking": true }]))).await;
    let again = parties.partner.call("POST", &events(&task), &with_id(json!([{ "text": "x" }]))).await;
    assert_eq!((again.status, &again.body["event"]), (200, &first["event"]), "{}", again.text);
    let other =
        parties.partner.call("POST", &events(&task), &with_id(json!([{ "text": "x", "blocking": false }]))).await;
    assert_eq!((other.status, &other.body["code"]), (422, &json!("event_id_reused")));
}

#[tokio::test]
async fn an_approval_with_remarks_tells_the_buyer_what_was_shared() {
    let (parties, task) = start().await;
    let remarks = json!({ "feedback": { "summary": "Mind the margin.", "share_with_buyer": true, "items": [{ "text": "Page 2." }] } });
    let approved = parties.partner.done(&task, &with(approve(at("copy", 1, 1), "u-eli"), &remarks)).await;
    assert_eq!(approved["events"][1]["type"], "task.stage_approved");
    let shared = &approved["events"][1]["data"]["shared_feedback"][0];
    assert_eq!((&shared["items"][0]["id"], &shared["items"][0]["blocking"]), (&json!("4.1"), &json!(false)));
    let trail = parties.buyer.read(&format!("/api/v1/tasks/{task}/audit")).await;
    let row = trail["items"].as_array().unwrap().iter().find(|row| row["type"] == "task.stage_approved").unwrap();
    assert_eq!(row["data"]["shared_feedback"][0]["summary"], "Mind the margin.");
}

#[tokio::test]
async fn a_buyer_reads_the_reasons_and_the_answers_to_its_own_items() {
    let (parties, task) = start().await;
    parties.partner.done(&task, &approve(at("copy", 1, 1), "u-eli")).await;
    let status = parties.status(&task).await;
    assert_eq!(status["action"]["reasons"], demanding()["stages"][1]["on_reject"]["reasons"]);
    let offer = status["action"]["commands"].as_array().unwrap().iter().find(|offer| offer["type"] == "stage_rejected");
    let command = with(
        offer.unwrap().clone(),
        &json!({ "feedback": { "summary": "Not yet.", "reason": "design", "items": [{ "text": "Bluer." }] } }),
    );
    let rejected = parties.buyer.done(&task, &command).await;
    let id = format!("{}.1", rejected["event"]["seq"]);
    parties.partner.refused(&task, &submit("u-dora"), (422, "unanswered_feedback")).await;
    let answers = json!([{ "item": id, "how": "declined", "text": "The brand is green." }]);
    parties.partner.done(&task, &with(submit("u-dora"), &json!({ "answers": answers }))).await;
    let internal = json!([{ "text": "For our own people." }]);
    parties.partner.done(&task, &with(reject(at("copy", 2, 2), "u-eli"), &said(&internal))).await;
    let own = parties.task(&task).await["unanswered"][0].clone();
    let done = json!({ "answers": [{ "item": own, "how": "done", "text": "Only between us." }] });
    parties.partner.done(&task, &with(submit("u-dora"), &done)).await;
    parties.partner.done(&task, &approve(at("copy", 3, 3), "u-eli")).await;
    let status = parties.status(&task).await;
    assert_eq!(status["action"]["items"], json!([{ "id": id, "text": "Bluer.", "answer": answers[0] }]));
    let trail = parties.buyer.read(&format!("/api/v1/tasks/{task}/audit")).await.to_string();
    assert!(trail.contains("The brand is green.") && !trail.contains("Only between us."), "{trail}");
    // What the buyer may not read it cannot name either.
    let stale = |id: &Value| {
        let feedback = json!({ "summary": "x", "reason": "text", "items": [{ "text": "x", "reopens": id }] });
        with(reject(at("look", 2, 3), ""), &json!({ "feedback": feedback }))
    };
    parties.buyer.refused(&task, &stale(&own), (422, "invalid_body")).await;
    parties.buyer.done(&task, &stale(&json!(id))).await;
}
