//! Opening tasks, reading them, and acting on the version that was read.

mod bulk;
mod cancellations;
mod claims;
mod demo_path;
mod feedback;
pub mod inbox;
mod lists;
mod panels;
mod questions;
pub mod races;
mod replays;
pub mod reviewers;
mod second_person;
mod timers;
pub mod walk;
mod why;
mod write_cache;

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, submit, update, with};
use crate::harness::parties::{Parties, code, events, new_id};

const TASKS: &str = "/api/v1/tasks";

#[tokio::test]
async fn the_same_opening_again_is_the_same_task() {
    let parties = Parties::start().await;
    let id = new_id();
    let opening = with(parties.opening(&id, "brand-campaign"), &json!({ "metadata": { "size": 1.5, "b": [null] } }));
    let first = parties.platform.call("POST", TASKS, &opening).await;
    assert_eq!((first.status, &first.headers["etag"]), (201, &"\"2\"".parse().unwrap()));
    assert_eq!(first.headers["location"].to_str().unwrap(), format!("{TASKS}/{id}"));
    let second = parties.platform.call("POST", TASKS, &opening).await;
    assert_eq!((second.status, &second.body), (200, &first.body));
    parties.partner.done(&id, &submit("agent")).await;
    parties.partner.call("DELETE", "/api/v1/workflows/brand-campaign", &Value::Null).await;
    let third = parties.platform.call("POST", TASKS, &opening).await;
    assert_eq!((third.status, &third.body["revision"]), (200, &json!(1)), "as it is now, retired or not");
    for change in [json!({ "title": "Spring campaign" }), json!({ "buyer_id": new_id() }), json!({ "metadata": {} })] {
        let other = parties.platform.call("POST", TASKS, &with(opening.clone(), &change)).await;
        assert_eq!((other.status, code(&other)), (409, "task_exists"), "{change}");
    }
    assert_eq!(parties.trail(&id).await.len(), 3);
}

#[tokio::test]
async fn a_task_needs_a_workflow_of_that_partner() {
    let parties = Parties::start().await;
    let opening = parties.opening(&new_id(), "brand-campaign");
    for change in [
        json!({ "workflow": { "key": "nothing" } }),
        json!({ "workflow": { "key": "brand-campaign", "version": 2 } }),
        json!({ "partner_id": new_id() }),
    ] {
        let answer = parties.platform.call("POST", TASKS, &with(opening.clone(), &change)).await;
        assert_eq!((answer.status, code(&answer)), (422, "workflow_unavailable"), "{change}: {}", answer.text);
        assert_eq!(answer.body["errors"][0]["pointer"], "/workflow");
    }
}

#[tokio::test]
async fn the_platforms_deadline_counts_if_it_is_earlier() {
    let parties = Parties::start().await;
    let with_deadline = |at: &str| with(parties.opening(&new_id(), "brand-campaign"), &json!({ "deadline_at": at }));
    let earlier = parties.platform.call("POST", TASKS, &with_deadline("2027-01-16T08:00:00Z")).await;
    assert_eq!(earlier.body["deadline_at"], "2027-01-16T08:00:00Z");
    let later = parties.platform.call("POST", TASKS, &with_deadline("9999-12-31T23:59:59Z")).await;
    assert_eq!(later.body["deadline_at"], "2027-01-29T08:00:00Z");
    for past in ["2027-01-15T08:00:00Z", "0000-01-01T00:00:00Z"] {
        let answer = parties.platform.call("POST", TASKS, &with_deadline(past)).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["pointer"]), (422, &json!("/deadline_at")));
    }
}

#[tokio::test]
async fn a_deadline_in_the_last_second_of_the_calendar_is_kept() {
    let parties = Parties::start().await;
    parties
        .register(
            "endless",
            &json!({ "name": "Endless", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A" }] }),
        )
        .await;
    let opening = with(parties.opening(&new_id(), "endless"), &json!({ "deadline_at": "9999-12-31T23:59:59Z" }));
    let answer = parties.platform.call("POST", TASKS, &opening).await;
    assert_eq!((answer.status, &answer.body["deadline_at"]), (201, &json!("9999-12-31T23:59:59Z")));
}

#[tokio::test]
async fn a_status_that_says_the_same_keeps_its_version_and_its_tag() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    let path = format!("/api/v1/tasks/{id}/status");
    let first = parties.buyer.get(&path).await;
    assert_eq!(first.headers["cache-control"], "private, no-cache");
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", first.body["version"]));
    // A vote changes nothing that a buyer reads.
    let vote = parties.partner.done(&id, &approve(at("legal", 1, 1), "u-anna")).await;
    assert!(vote["task"]["version"].as_u64() > first.body["version"].as_u64());
    let second = parties.buyer.get(&path).await;
    assert_eq!((&second.headers["etag"], &second.text), (&first.headers["etag"], &first.text));
    for (tag, status) in [(tag.as_str(), 304), ("\"1\"", 200), ("*", 304), (&format!("\"1\", W/{tag}"), 304)] {
        let answer = parties.buyer.call_with(("GET", &path), ("if-none-match", tag), &Value::Null).await;
        assert_eq!(answer.status, status, "{tag}");
        assert_eq!(answer.headers["etag"], first.headers["etag"]);
    }
    parties.partner.done(&id, &update("Counsel is on it")).await;
    let third = parties.buyer.call_with(("GET", &path), ("if-none-match", &tag), &Value::Null).await;
    assert_eq!((third.status, &third.body["message"]), (200, &json!("Counsel is on it")));
    for reader in [&parties.partner, &parties.platform] {
        assert_eq!(reader.get(&path).await.text, third.text, "one status for all");
    }
}

#[tokio::test]
async fn what_is_acted_on_is_the_version_of_the_callers_own_view() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    let status = parties.buyer.get(&format!("/api/v1/tasks/{id}/status")).await;
    let (old, task_tag) = (status.headers["etag"].to_str().unwrap().to_owned(), tag(&parties, &id).await);
    parties.partner.done(&id, &approve(at("legal", 1, 1), "u-anna")).await;
    let post = ("POST", events(&id));
    let stale = parties.partner.call_with((post.0, &post.1), ("if-match", &task_tag), &update("x")).await;
    assert_eq!((stale.status, code(&stale)), (412, "precondition_failed"));
    assert_eq!(stale.body["etag"], tag(&parties, &id).await.as_str());
    // The buyer's view is as it was: no 412, though the task moved on.
    let cancel = crate::harness::commands::cancel();
    let moved = format!("\"{}\"", parties.task(&id).await["version"]);
    let answer = parties.buyer.call_with((post.0, &post.1), ("if-match", &moved), &cancel).await;
    assert_eq!((answer.status, &answer.body["etag"]), (412, &json!(old)), "the task's version is not the buyer's");
    for bad in ["7", "", "x"] {
        let answer = parties.buyer.call_with((post.0, &post.1), ("if-match", bad), &cancel).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["pointer"]), (400, &json!("/header/If-Match")), "{bad:?}");
    }
    let answer = parties.buyer.call_with((post.0, &post.1), ("if-match", &old), &cancel).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.headers["etag"].to_str().unwrap(), format!("\"{}\"", parties.status(&id).await["version"]));
}

#[tokio::test]
async fn a_dry_run_answers_and_writes_nothing() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let (before, dry) = (parties.task(&id).await, format!("{}?dry_run=true", events(&id)));
    let command = with(submit("agent"), &json!({ "id": new_id() }));
    let answer = parties.partner.call("POST", &dry, &command).await;
    assert_eq!((answer.status, &answer.body["task"]["phase"]), (200, &json!("in_review")), "{}", answer.text);
    assert_eq!(answer.body["event"]["hash"], Value::Null);
    assert_eq!(parties.task(&id).await, before);
    let refused = parties.partner.call("POST", &dry, &approve(at("copy", 1, 0), "u-copy")).await;
    assert_eq!((refused.status, code(&refused)), (409, "wrong_phase"));
    let done = parties.partner.done(&id, &command).await;
    assert_eq!(done["task"]["phase"], "in_review", "the id is still free after a dry run");
    let replayed = parties.partner.call("POST", &dry, &command).await;
    assert_eq!((replayed.status, &replayed.body), (200, &done));
    assert_eq!(replayed.headers["idempotent-replayed"], "true");
    // A late decision in a dry run is not kept.
    parties.platform.done(&id, &with(crate::harness::commands::cancel(), &json!({ "immediate": true }))).await;
    let rows = parties.trail(&id).await.len();
    let late = parties.partner.call("POST", &dry, &approve(at("copy", 1, 1), "u-copy")).await;
    assert_eq!((late.status, code(&late), &late.body["recorded"]), (409, "task_closed", &Value::Null));
    assert_eq!(parties.trail(&id).await.len(), rows);
}

#[tokio::test]
async fn the_id_of_a_command_may_come_in_a_header() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let (post, key) = (("POST", events(&id)), new_id());
    let send = async |header: &str, body: &Value| {
        parties.partner.call_with((post.0, &post.1), ("idempotency-key", header), body).await
    };
    let first = send(&key, &update("x")).await;
    assert_eq!((first.status, &first.body["event"]["id"]), (201, &json!(key)));
    let quoted = send(&format!("\"{key}\""), &update("x")).await;
    assert_eq!((quoted.status, &quoted.body), (200, &first.body));
    let in_body = parties.partner.send(&id, &with(update("x"), &json!({ "id": key }))).await;
    assert_eq!((in_body.status, &in_body.body), (200, &first.body));
    let other = send(&key, &update("y")).await;
    assert_eq!((other.status, code(&other)), (422, "event_id_reused"));
    let differs = send(&key, &with(update("x"), &json!({ "id": new_id() }))).await;
    assert_eq!((differs.status, &differs.body["errors"][0]["pointer"]), (422, &json!("/id")));
    let bad = send("7", &update("x")).await;
    assert_eq!((bad.status, &bad.body["errors"][0]["pointer"]), (400, &json!("/header/Idempotency-Key")));
    let theirs = parties.platform.send(&id, &json!({ "type": "held", "reason": "x", "id": key })).await;
    assert_eq!(theirs.status, 201, "ids are each party's own");
}

#[tokio::test]
async fn a_conflict_says_where_the_task_stands_for_this_caller() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    parties.partner.done(&id, &approve(at("legal", 1, 1), "u-anna")).await;
    let refused = parties.partner.refused(&id, &approve(at("copy", 1, 1), "u-copy"), (409, "already_decided")).await;
    assert_eq!(refused["decision"]["decision"], "approved");
    assert_eq!(
        (&refused["phase"], &refused["stage"], &refused["round"]),
        (&json!("in_review"), &json!("legal"), &json!(1))
    );
    assert_eq!(refused["version"], parties.task(&id).await["version"]);
    assert!(refused["allowed"].as_array().unwrap().contains(&json!("stage_approved")));
    let theirs = parties.buyer.refused(&id, &approve(at("signoff", 1, 1), ""), (409, "stage_mismatch")).await;
    assert_eq!(theirs["version"], parties.status(&id).await["version"]);
    assert_eq!(theirs["allowed"], json!(["cancellation_requested"]));
}

async fn tag(parties: &Parties, id: &str) -> String {
    let answer = parties.partner.get(&format!("/api/v1/tasks/{id}")).await;
    answer.headers["etag"].to_str().unwrap().to_owned()
}
