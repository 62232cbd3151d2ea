//! Retention: closed tasks become files that verify for ever, their rows go, and whoever asks for one is told where
//! it is, if it may know.

mod crashes;
mod erasures;
mod feed;
mod gone;
mod kept;
mod many;
pub mod world;

use std::fs;

use chrono::TimeDelta;
use serde_json::{Value, json};
use stagegate::check::Verdict;
use stagegate::domain::values::time::Time;

use crate::audit::export::export;
use crate::audit::transparency_log::scalar;
use crate::harness::commands::{approve, at, update};
use crate::harness::parties::text;
use world::World;

#[tokio::test]
async fn a_task_that_was_closed_for_long_becomes_a_file_that_verifies() {
    let world = World::start().await;
    let parties = &world.parties;
    let webhook = json!({ "url": "http://127.0.0.1:9/hook" });
    parties.partner.call("PUT", "/api/v1/webhooks/first", &webhook).await;
    let (task, open) = (world.deliver().await, parties.open("brand-campaign").await);
    parties.partner.call("DELETE", "/api/v1/webhooks/first", &Value::Null).await;
    world.log().await;
    let size = scalar(parties, "select max(size) from audit_checkpoints").await;
    let before = export(&parties.platform, &format!("/api/v1/tasks/{task}/audit/export?size={size}")).await;
    world.pass(29);
    assert_eq!(world.run().await, 0, "not yet");
    world.pass(2);
    assert_eq!(world.run().await, 1);
    for table in ["tasks", "task_events", "webhook_deliveries", "links"] {
        assert_eq!(world.rows(table, &task).await, 0, "{table}");
    }
    assert_eq!((world.rows("tasks", &open).await, world.rows("archived_tasks", &task).await), (1, 1));
    assert!(scalar(parties, "select count(*) from webhook_deliveries").await > 0, "those of the open one");
    let file = world.file(&task).await;
    assert_eq!(file, before, "what the platform exported before, to the byte");
    assert_eq!(world.files(), [world.name(&task).await]);
    world.assert_verifies(&file).await;
    assert_eq!(world.run().await, 0, "there is nothing left to do");
}

#[tokio::test]
async fn the_partners_trail_proves_what_was_put_away_and_the_log_goes_on() {
    let world = World::start().await;
    let parties = &world.parties;
    let (first, second) = (world.deliver().await, world.deliver().await);
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 2);
    let kept = parties.platform.get("/api/v1/audit/checkpoint").await.text;
    let trail = parties.partner.read(&format!("/api/v1/partners/{}/audit", parties.partner_id)).await;
    let entry = trail["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&entry["type"], &entry["party"]), (&json!("partner.tasks_archived"), &json!("service")));
    let mut named: Vec<(String, String)> = entry["data"]["archived"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| (text(&of["task_id"]), text(&of["sha256"])))
        .collect();
    named.sort();
    let mut expected = vec![(first.clone(), world.sha256(&first).await), (second.clone(), world.sha256(&second).await)];
    expected.sort();
    assert_eq!(named, expected);
    // The log has that entry, checks itself from end to end, and proves that it continues what it was.
    world.log().await;
    let own = export(&parties.partner, &format!("/api/v1/partners/{}/audit/export", parties.partner_id)).await;
    world.assert_verifies(&own).await;
    let mut from = parties.service.app.audit.log.check_leaves(0).await.unwrap();
    while from > 0 {
        from = parties.service.app.audit.log.check_leaves(from).await.unwrap();
    }
    parties.partner.done(&parties.open("brand-campaign").await, &update("later")).await;
    world.log().await;
    // A file verifies against a later checkpoint, too.
    let newest = parties.platform.get("/api/v1/audit/checkpoint").await.text;
    assert_ne!(newest, kept);
    let (verdict, said) = world.check_against(&first, &newest).await;
    assert_eq!(verdict, Verdict::Sound, "{said}");
    assert!(said.contains("kept checkpoint agrees"), "{said}");
}

#[tokio::test]
async fn a_forecast_counts_the_tasks_that_were_put_away() {
    let world = World::start().await;
    let parties = &world.parties;
    let stage = |key: &str| json!({ "key": key, "name": key, "buyer_label": key });
    parties.register("flow", &json!({ "name": "Flow", "stages": [stage("a"), stage("b")] })).await;
    for _ in 0..24 {
        let id = parties.open("flow").await;
        for stage in ["a", "b"] {
            world.pass_minutes(5);
            parties.partner.done(&id, &approve(at(stage, 1, 0), "u-1")).await;
        }
    }
    world.log().await;
    world.pass(31);
    let open = parties.open("flow").await;
    let forecast = parties.status(&open).await["remaining_seconds"].clone();
    assert!(forecast["p50"].as_u64().unwrap() > 0, "{forecast}");
    assert_eq!(world.run().await, 24);
    // The forecast of a version is kept for a minute.
    world.pass_minutes(2);
    let another = parties.open("flow").await;
    assert_eq!(parties.status(&another).await["remaining_seconds"], forecast);
}

#[tokio::test]
async fn a_second_replica_waits_for_its_turn_and_takes_it_over() {
    let world = World::start().await;
    let (first, second) = (world.worker(), world.replica());
    let tasks = [world.deliver().await, world.deliver().await];
    world.log().await;
    world.pass(31);
    let took = tokio::join!(first.run_due(), second.run_due());
    let mut took = [took.0.unwrap(), took.1.unwrap()];
    took.sort_unstable();
    assert_eq!(took, [0, 2]);
    // The first one from now on.
    world.execute("update archive_turns set until = now()").await;
    assert_eq!(first.run_due().await.unwrap(), 0);
    for task in &tasks {
        world.assert_verifies(&world.file(task).await).await;
    }
    let later = world.deliver().await;
    world.log().await;
    world.pass(31);
    assert_eq!(second.run_due().await.unwrap(), 0, "the first one still has the turn");
    world.execute("update archive_turns set until = now()").await;
    assert_eq!(second.run_due().await.unwrap(), 1);
    assert_eq!(first.run_due().await.unwrap(), 0);
    world.assert_verifies(&world.file(&later).await).await;
}

#[tokio::test]
async fn files_are_named_by_the_day_and_read_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::start().await;
    let task = world.deliver().await;
    let closed: Time = world.parties.service.clock.now();
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 1);
    let name = world.name(&task).await;
    assert_eq!(name, format!("{}/{}/{task}.jsonl", closed.utc().format("%Y/%m/%d"), &task[34..]));
    let mode = fs::metadata(world.dir.join(&name)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(TimeDelta::days(31) > World::period());
}
