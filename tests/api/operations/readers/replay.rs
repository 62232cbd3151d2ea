//! While the replay of a standby is paused, nothing that is older than what is asked for is answered as if it were
//! current.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::worker::checkpoints::Checkpoints;

use super::World;
use crate::audit::transparency_log::tick;
use crate::harness::commands::{submit, update, with};
use crate::harness::parties::{Client, code, events, text};
use crate::harness::service::Answer;
use crate::harness::waiting::until;
use crate::mcp::world::Agent;
use crate::status::waiting::run;

/// Reads with a header.
async fn get(client: &Client, path: &str, header: (&str, &str)) -> Answer {
    client.call_with(("GET", path), header, &Value::Null).await
}

fn assert_behind(answer: &Answer, what: &str) {
    assert_eq!((answer.status, code(answer)), (503, "behind"), "{what}: {}", answer.text);
    assert_eq!(answer.headers["retry-after"], "1", "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_was_not_replayed_is_waited_for_and_never_replaced_by_an_older_one() {
    let world = World::start(&[]).await;
    run(&world.reader);
    let parties = &world.parties;
    let task = parties.open("brand-campaign").await;
    let status = format!("/api/v1/tasks/{task}/status");
    let (buyer, partner) = (world.reading(&parties.buyer), world.reading(&parties.partner));
    world.standby.pause().await;
    let old = parties.status(&task).await["version"].as_u64().unwrap();
    parties.partner.done(&task, &submit("agent")).await;
    let young = parties.open("brand-campaign").await;
    let new = parties.status(&task).await["version"].as_u64().unwrap();
    assert!(new > old);
    let tag = format!("\"{new}\"");

    // Who asks for nothing in particular gets what there is.
    assert_eq!(buyer.read(&status).await["version"], old);
    assert_eq!(buyer.read(&format!("{status}?min_version={old}")).await["version"], old);
    assert_eq!(get(&buyer, &status, ("if-none-match", &format!("\"{old}\""))).await.status, 304);
    // Who names something newer does not.
    let cases = [
        ("min_version", buyer.get(&format!("{status}?min_version={new}")).await),
        ("a tag", get(&buyer, &status, ("if-none-match", &tag)).await),
        ("a long poll", get(&buyer, &format!("{status}?wait=55"), ("if-none-match", &tag)).await),
        ("a stream", get(&buyer, &format!("{status}/stream"), ("last-event-id", &new.to_string())).await),
        ("a task", get(&partner, &format!("/api/v1/tasks/{task}"), ("if-none-match", &tag)).await),
        ("a task that is not there", buyer.get(&format!("/api/v1/tasks/{young}/status?min_version=1")).await),
        (
            "the same for the partner",
            get(&partner, &format!("/api/v1/tasks/{young}"), ("if-none-match", "\"1\"")).await,
        ),
        ("somebody else's task", world.reading(&parties.another_buyer()).get(&format!("{status}?min_version=1")).await),
        ("a receipt", buyer.get(&format!("/api/v1/tasks/{task}/audit/{new}/receipt")).await),
    ];
    for (what, answer) in &cases {
        assert_behind(answer, what);
    }
    let dry = format!("{}?dry_run=true", events(&task));
    let dry_run = async || partner.call_with(("POST", &dry), ("if-match", &tag), &update("x")).await;
    assert_behind(&dry_run().await, "a dry run");
    let wait = json!({ "name": "wait", "arguments": { "task_id": task, "after": new, "seconds": 0 } });
    let refused = Agent(partner.clone()).ask("tools/call", wait).await;
    assert!(refused["isError"] == true && refused.to_string().contains("behind"), "{refused}");
    assert_eq!(buyer.get(&format!("/api/v1/tasks/{young}/status")).await.status, 404);

    // On the primary a version that does not exist is none that could come.
    let lost = get(&parties.buyer, &status, ("if-none-match", "\"99\"")).await;
    assert_eq!((lost.status, &lost.body["version"]), (200, &json!(new)));

    world.standby.resume().await;
    assert_eq!(buyer.read(&format!("{status}?min_version={new}")).await["version"], new);
    assert_eq!(get(&buyer, &status, ("if-none-match", &tag)).await.status, 304);
    assert_eq!(get(&partner, &format!("/api/v1/tasks/{task}"), ("if-none-match", &tag)).await.status, 304);
    assert_eq!(buyer.get(&format!("/api/v1/tasks/{task}/audit/{new}/receipt")).await.status, 200);
    assert_eq!(dry_run().await.status, 200);
    assert_eq!(buyer.read(&format!("/api/v1/tasks/{young}/status?min_version=1")).await["task_id"], young);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_poll_ends_when_the_standby_has_replayed_the_change() {
    let world = World::start(&[]).await;
    run(&world.reader);
    let task = world.parties.open("brand-campaign").await;
    world.standby.pause().await;
    let old = world.parties.status(&task).await["version"].as_u64().unwrap();
    let (path, tag) = (format!("/api/v1/tasks/{task}/status?wait=55"), format!("\"{old}\""));
    let buyer = world.reading(&world.parties.buyer);
    let waiting = tokio::spawn(async move { get(&buyer, &path, ("if-none-match", &tag)).await });
    world.parties.partner.done(&task, &submit("agent")).await;
    until("one waits", async || world.reader.statuses.watchers.count().0 > 0).await;
    world.standby.resume().await;
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, &answer.body["phase"]), (200, &json!("in_review")), "{}", answer.text);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_that_was_not_replayed_is_not_denied() {
    let world = World::start(&[]).await;
    let worker = Checkpoints::new(Arc::clone(&world.parties.service.app));
    world.parties.open("brand-campaign").await;
    assert_eq!(tick(&world.parties, &worker).await, 1);
    let size = async || {
        let newest = world.parties.platform.get("/api/v1/audit/checkpoint").await;
        newest.text.lines().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let old = size().await;
    world.standby.pause().await;
    world.parties.open("brand-campaign").await;
    world.parties.pass(1);
    assert_eq!(tick(&world.parties, &worker).await, 1);
    let new = size().await;
    assert!(new > old);
    let platform = world.reading(&world.parties.platform);
    let paths = [
        format!("/api/v1/audit/checkpoint?size={new}"),
        format!("/api/v1/audit/consistency?from={old}&to={new}"),
        format!("/api/v1/audit/consistency?from={new}"),
    ];
    for path in &paths {
        assert_behind(&platform.get(path).await, path);
    }
    // The log of the standby is longer than this, so nothing of that size will come.
    assert_eq!(code(&platform.get("/api/v1/audit/checkpoint?size=1").await), "no_checkpoint");
    assert_eq!(platform.get(&format!("/api/v1/audit/checkpoint?size={old}")).await.status, 200);
    world.standby.resume().await;
    for path in &paths {
        assert_eq!(platform.get(path).await.status, 200, "{path}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_is_ahead_waits_and_skips_nothing() {
    let world = World::start(&[]).await;
    run(&world.reader);
    let task = world.parties.open("brand-campaign").await;
    world.standby.pause().await;
    world.parties.partner.done(&task, &submit("agent")).await;
    crate::audit::transparency_log::settle(&world.parties).await;
    let there = world.parties.partner.read("/api/v1/events?limit=100").await;
    let cursor = text(&there["next"]);
    let path = format!("/api/v1/events?after={cursor}");
    let partner = world.reading(&world.parties.partner);
    for wait in ["", "&wait=1"] {
        let page = partner.read(&format!("{path}{wait}")).await;
        assert_eq!(page, json!({ "items": [], "next": cursor, "more": false, "epoch": there["epoch"] }));
    }
    let held = tokio::spawn({
        let (partner, path) = (partner.clone(), format!("{path}&wait=55"));
        async move { partner.read(&path).await }
    });
    until("one waits", async || world.reader.feed.tail.count() > 0).await;
    let message = with(update("after the pause"), &json!({}));
    world.parties.partner.done(&task, &message).await;
    world.standby.resume().await;
    let page = held.await.unwrap();
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{page}");
    assert_eq!(items[0]["type"], "task.status_updated", "{page}");
    world.stop().await;
}
