//! Tags of actors: every party can check that different people decided, and nobody learns who they
//! are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::worker::erasures::Erasures;

use crate::audit::export::{Assignee, export};
use crate::harness::commands::{approve, at, cancel, submit, with};
use crate::harness::parties::{Client, Parties, code};

fn definition() -> Value {
    let stage = |key: &str, more: &Value| with(json!({ "key": key, "name": key, "buyer_label": key }), more);
    let two = json!({ "approvals": 2, "rejections": 2 });
    json!({ "name": "Two pairs of eyes", "stages": [
        stage("legal", &json!({ "submission": "required", "self_approval": true, "quorum": two })),
        stage("brand", &json!({ "quorum": two, "distinct_from": ["legal"] })),
    ] })
}

/// A delivered task: its maker approved one stage with somebody else, two others the next.
async fn delivered(parties: &Parties) -> String {
    let task = parties.open("pairs").await;
    parties.partner.done(&task, &submit("u-maker")).await;
    for (stage, people) in [("legal", ["u-anna", "u-maker"]), ("brand", ["u-bo", "u-chi"])] {
        for person in people {
            parties.partner.done(&task, &approve(at(stage, 1, 1), person)).await;
        }
    }
    task
}

/// The tags of a task's entries, by the id of the actor, as the partner sees them.
async fn tags(parties: &Parties, task: &str) -> BTreeMap<String, String> {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let trail = parties.trail(task).await;
    trail.iter().filter_map(|entry| Some((word(&entry["actor"]["id"])?, word(&entry["actor_tag"])?))).collect()
}

async fn entries(reader: &Client, task: &str) -> Vec<Value> {
    reader.read(&format!("/api/v1/tasks/{task}/audit")).await["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn both_verifiers_tell_a_buyer_how_many_people_approved_and_who_of_them_made_it() {
    let parties = Parties::start().await;
    parties.register("pairs", &definition()).await;
    let task = delivered(&parties).await;
    let desk = Assignee::new(&parties).await;
    for reader in [&parties.buyer, &parties.partner, &parties.platform] {
        let text = export(reader, &format!("/api/v1/tasks/{task}/audit/export")).await;
        let (_, said) = desk.check(&text, None);
        for line in [
            "stage legal, round 1, revision 1: approved by 2 different people, one of whom submitted that revision; not bound\n",
            "stage brand, round 1, revision 1: approved by 2 different people, not by its submitter; not bound\n",
        ] {
            assert!(said.contains(line), "{said}");
        }
        let (_, said) = desk.check_independently(&text, None).await;
        assert!(said.contains(" legal 1 1 2 1 0, ") && said.contains(" brand 1 1 2 0 0"), "{said}");
    }
}

#[tokio::test]
async fn equal_tags_are_one_person_within_a_task_and_tell_nothing_across_tasks() {
    let parties = Parties::start().await;
    parties.register("pairs", &definition()).await;
    let (one, other) = (delivered(&parties).await, delivered(&parties).await);
    let (first, second) = (tags(&parties, &one).await, tags(&parties, &other).await);
    assert_eq!(first.keys().collect::<Vec<_>>(), ["u-anna", "u-bo", "u-chi", "u-maker"]);
    let all: BTreeSet<&String> = first.values().chain(second.values()).collect();
    assert_eq!(all.len(), 8, "no tag stands for two people or in two tasks");

    // A buyer sees the tags, also those of votes that it does not see, and no ids.
    let seen = entries(&parties.buyer, &one).await;
    let approved = |stage: &str| {
        seen.iter().find(|entry| entry["type"] == "task.stage_approved" && entry["stage"] == stage).unwrap().clone()
    };
    assert_eq!(approved("legal")["data"]["voters"], json!([first["u-anna"], first["u-maker"]]));
    assert_eq!(approved("brand")["data"]["voters"], json!([first["u-bo"], first["u-chi"]]));
    assert_eq!(approved("brand")["actor_tag"], json!(first["u-chi"]));
    assert!(!json!(seen).to_string().contains("u-"), "a buyer reads no ids");
}

#[tokio::test]
async fn a_tag_outlives_an_erasure_and_a_late_decision_has_none() {
    let parties = Parties::start().await;
    parties.register("pairs", &definition()).await;
    let task = parties.open("pairs").await;
    parties.partner.done(&task, &submit("u-maker")).await;
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-anna")).await;
    parties.buyer.done(&task, &cancel()).await;
    let anna = tags(&parties, &task).await["u-anna"].clone();
    let late = parties.partner.send(&task, &approve(at("legal", 1, 1), "u-bo")).await;
    assert_eq!(code(&late), "task_closed");
    let erase = json!({ "party": "partner", "partner_id": parties.partner_id, "actor_id": "u-anna", "reason": "x" });
    let asked = parties.platform.call("POST", "/api/v1/erasures", &erase).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    parties.pass(1);
    Erasures::new(Arc::clone(&parties.service.app)).run_due().await.unwrap();
    let trail = parties.trail(&task).await;
    let vote = trail.iter().find(|entry| entry["type"] == "task.vote_recorded").unwrap();
    assert_eq!((&vote["actor"]["id"], &vote["actor_tag"]), (&Value::Null, &json!(anna)));
    let late = trail.iter().find(|entry| entry["type"] == "task.late_decision_recorded").unwrap();
    assert_eq!((&late["actor"]["id"], &late["actor_tag"]), (&json!("u-bo"), &Value::Null));
}
