//! Erasures and the archive: nothing is put away that one must still visit, and each says which files it cannot reach.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::worker::erasures::Erasures;

use super::world::World;
use crate::harness::commands::{approve, at, update};
use crate::harness::parties::text;
use crate::tasks::reviewers::change;

async fn ask(world: &World, party: &str, actor: &str) -> Value {
    let mut body = json!({ "party": party, "actor_id": actor, "reason": "Request 118" });
    if party == "partner" {
        body["partner_id"] = json!(world.parties.partner_id);
    }
    let answer = world.parties.platform.call("POST", "/api/v1/erasures", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.body
}

async fn run(world: &World) {
    world.pass_minutes(60);
    Erasures::new(Arc::clone(&world.parties.service.app)).run_due().await.unwrap();
}

async fn read(world: &World, id: &Value) -> Value {
    world.parties.platform.read(&format!("/api/v1/erasures/{}", text(id))).await
}

/// The tasks whose files an erasure does not reach, page by page.
async fn unreached(world: &World, id: &Value) -> Vec<String> {
    let (path, mut cursor, mut found) =
        (format!("/api/v1/erasures/{}/archived-tasks?limit=1", text(id)), String::new(), Vec::new());
    loop {
        let page = world.parties.platform.read(&format!("{path}{cursor}")).await;
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["file"], json!(world.name(item["task_id"].as_str().unwrap()).await));
            found.push(text(&item["task_id"]));
        }
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn an_erasure_that_has_to_visit_a_task_comes_first() {
    let world = World::start().await;
    let task = world.deliver().await;
    world.log().await;
    world.pass(31);
    let asked = ask(&world, "partner", "u-anna").await;
    assert_eq!(asked["progress"]["tasks_archived"], 0);
    assert_eq!(world.run().await, 0, "it is outstanding");
    run(&world).await;
    assert_eq!(read(&world, &asked["id"]).await["state"], "done");
    assert_eq!(world.run().await, 0, "the erasure was recorded a moment ago");
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 1);
    let file = world.file(&task).await;
    assert!(!file.contains("u-anna") && file.contains("u-bo") && file.contains("personal_data_erased"));
    world.assert_verifies(&file).await;
    let again = ask(&world, "partner", "u-anna").await;
    assert_eq!(again["progress"]["tasks_archived"], 0, "nothing of hers is in it");
}

#[tokio::test]
async fn an_erasure_that_does_not_concern_a_task_does_not_keep_it() {
    let world = World::start().await;
    world.deliver().await;
    world.log().await;
    world.pass(31);
    ask(&world, "buyer", &crate::harness::parties::new_id()).await;
    assert_eq!(world.run().await, 1);
}

#[tokio::test]
async fn an_erasure_says_which_files_it_does_not_reach() {
    let world = World::start().await;
    let parties = &world.parties;
    let mut archived = [world.deliver().await, world.deliver().await];
    archived.sort();
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 2);
    let open = parties.open_in_legal().await;
    parties.partner.done(&open, &update("by nobody")).await;
    for (party, actor, count) in
        [("partner", "u-anna", 2), ("buyer", parties.buyer_id.as_str(), 2), ("platform", "u-anna", 0)]
    {
        let asked = ask(&world, party, actor).await;
        assert_eq!(asked["progress"]["tasks_archived"], count, "{party} {actor}");
        run(&world).await;
        let after = read(&world, &asked["id"]).await;
        assert_eq!((&after["state"], &after["progress"]["tasks_archived"]), (&json!("done"), &json!(count)));
        assert_eq!(unreached(&world, &asked["id"]).await, archived[..count]);
    }
    // The index of actors names nobody.
    let dump: String = sqlx::query_scalar("select string_agg(a::text, ' ') from archived_actors a")
        .fetch_one(&parties.service.db.pool)
        .await
        .unwrap();
    assert!(!dump.contains("u-anna") && !dump.contains(&parties.buyer_id), "{dump}");
    let other =
        parties.partner.get(&format!("/api/v1/erasures/{}/archived-tasks", crate::harness::parties::new_id())).await;
    assert_eq!(other.status, 403);
}

/// Whom others let into a task is in its file, whatever that person did.
#[tokio::test]
async fn an_erasure_finds_the_files_that_name_a_person_who_came_or_went() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let task = world.parties.open_in_legal().await;
    partner.done(&task, &change("legal", &["u-came"], &["u-chi"])).await;
    for actor in ["u-anna", "u-bo"] {
        partner.done(&task, &approve(at("legal", 1, 1), actor)).await;
    }
    world.parties.buyer.done(&task, &approve(at("signoff", 1, 1), "")).await;
    world.deliver().await;
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 2);
    assert!(world.file(&task).await.contains("u-came"));
    for (party, actor, found) in
        [("partner", "u-came", 1), ("partner", "u-chi", 1), ("platform", "u-came", 0), ("partner", "u-other", 0)]
    {
        let asked = ask(&world, party, actor).await;
        assert_eq!(asked["progress"]["tasks_archived"], found, "{party} {actor}");
        run(&world).await;
        assert_eq!(unreached(&world, &asked["id"]).await, vec![task.clone(); found]);
    }
}

/// A task is put away between the request and the run of an erasure by a replica that did not see the request.
#[tokio::test]
async fn what_was_put_away_meanwhile_is_noted_in_the_end() {
    let world = World::start().await;
    let task = world.deliver().await;
    world.log().await;
    world.pass(31);
    let asked = ask(&world, "partner", "u-anna").await;
    assert_eq!(asked["progress"]["tasks_archived"], 0);
    world.execute("update erasures set state = 'running', started_at = requested_at, last_task = 'ffffffff-ffff-ffff-ffff-ffffffffffff'").await;
    assert_eq!(world.run().await, 1);
    run(&world).await;
    assert_eq!(unreached(&world, &asked["id"]).await, [task]);
}
