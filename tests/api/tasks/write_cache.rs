//! A task that this replica wrote a moment ago is not read again before the next decision. Another replica may have
//! moved it on since, and nothing shows it.

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, update, with};
use crate::harness::parties::{Client, Parties, code, events, new_id};
use crate::harness::service::Service;

/// A task whose stage `a` one replica has approved, after the other wrote last: who asks the other, which knows of
/// stage `a` alone.
async fn behind() -> (Parties, Client, String) {
    let parties = Parties::start().await;
    let stage = |key: &str| json!({ "key": key, "name": key, "buyer_label": key });
    parties.register("three", &json!({ "name": "Three", "stages": [stage("a"), stage("b"), stage("c")] })).await;
    let id = parties.open("three").await;
    parties.partner.done(&id, &update("Known here")).await;
    let elsewhere = parties.partner.at(&Service::replica(&parties.service.db, &parties.service.clock).await);
    elsewhere.done(&id, &approve(at("a", 1, 0), "u-1")).await;
    (parties, elsewhere, id)
}

async fn types(parties: &Parties, id: &str) -> Vec<String> {
    parties.trail(id).await.iter().map(|row| row["type"].as_str().unwrap().replace("task.", "")).collect()
}

#[tokio::test]
async fn what_is_accepted_is_decided_on_what_is_stored() {
    let (parties, _, id) = behind().await;
    let answer = parties.partner.done(&id, &update("Still going on")).await;
    assert_eq!((&answer["task"]["stage"]["key"], &answer["event"]["stage"]), (&json!("b"), &json!("b")));
    let expected = [
        "opened",
        "stage_entered",
        "status_updated",
        "vote_recorded",
        "stage_approved",
        "stage_entered",
        "status_updated",
    ];
    assert_eq!(types(&parties, &id).await, expected);
}

#[tokio::test]
async fn what_only_the_present_allows_is_not_refused() {
    let (parties, _, id) = behind().await;
    let rehearsed =
        parties.partner.call("POST", &format!("{}?dry_run=true", events(&id)), &approve(at("b", 1, 0), "u-1")).await;
    assert_eq!((rehearsed.status, &rehearsed.body["task"]["stage"]["key"]), (200, &json!("c")), "{}", rehearsed.text);
    parties.partner.done(&id, &approve(at("b", 1, 0), "u-1")).await;
}

#[tokio::test]
async fn what_the_present_refuses_is_refused_with_the_present() {
    let (parties, _, id) = behind().await;
    let refused = parties.partner.refused(&id, &approve(at("a", 1, 0), "u-2"), (409, "already_decided")).await;
    assert_eq!((&refused["stage"], &refused["decision"]["seq"]), (&json!("b"), &json!(5)));
    let wrong = parties.partner.refused(&id, &approve(at("c", 1, 0), "u-2"), (409, "stage_mismatch")).await;
    assert_eq!(wrong["stage"], "b");
}

#[tokio::test]
async fn if_match_means_the_present() {
    let (parties, elsewhere, id) = behind().await;
    let path = format!("/api/v1/tasks/{id}");
    let current = elsewhere.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(parties.partner.get(&path).await.headers["etag"].to_str().unwrap(), current);
    let send = async |tag: &str| {
        parties.partner.call_with(("POST", &events(&id)), ("if-match", tag), &update("As of now")).await
    };
    let old = send("\"3\"").await;
    assert_eq!(
        (old.status, code(&old), &old.body["etag"]),
        (412, "precondition_failed", &json!(current)),
        "{}",
        old.text
    );
    assert_eq!(send(&current).await.status, 201);
}

#[tokio::test]
async fn a_replay_is_found_wherever_it_was_carried_out() {
    let (parties, elsewhere, id) = behind().await;
    let command: Value = with(update("Once"), &json!({ "id": new_id() }));
    let first = elsewhere.done(&id, &command).await;
    let again = parties.partner.send(&id, &command).await;
    assert_eq!((again.status, &again.body), (200, &first));
}

#[tokio::test]
async fn somebody_elses_task_does_not_exist_here_either() {
    let (parties, _, id) = behind().await;
    let other = parties.another_partner().await;
    other.refused(&id, &update("Mine?"), (404, "not_found")).await;
}
