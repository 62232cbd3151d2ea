//! The feed while events leave it: no reader skips one without being told.

use serde_json::Value;

use super::world::World;
use crate::audit::transparency_log::settle;
use crate::harness::commands::update;
use crate::harness::parties::{Client, code, text};

/// Reads on from a cursor to the end; the tasks of the events, and the cursor there.
async fn follow(world: &World, reader: &Client, mut cursor: Option<String>, limit: usize) -> (Vec<String>, String) {
    settle(&world.parties).await;
    let mut tasks = Vec::new();
    loop {
        let after = cursor.map(|cursor| format!("&after={cursor}")).unwrap_or_default();
        let page = reader.read(&format!("/api/v1/events?limit={limit}{after}")).await;
        tasks.extend(page["items"].as_array().unwrap().iter().map(|item: &Value| text(&item["task_id"])));
        let next = text(&page["next"]);
        if page["more"] == false {
            return (tasks, next);
        }
        cursor = Some(next);
    }
}

async fn page(reader: &Client, after: &str) -> (u16, String) {
    let answer = reader.get(&format!("/api/v1/events?limit=100&after={after}")).await;
    (answer.status, code(&answer).to_owned())
}

#[tokio::test]
async fn a_cursor_before_what_has_left_is_refused_and_every_other_goes_on() {
    let world = World::start().await;
    let parties = &world.parties;
    let old = world.deliver().await;
    let (_, behind) = follow(&world, &parties.partner, None, 100).await;
    let first = parties.partner.read("/api/v1/events?limit=2").await;
    let middle = text(&first["next"]);
    let open = parties.open("brand-campaign").await;
    let stranger = parties.another_partner().await;
    let (_, others) = follow(&world, &stranger, None, 100).await;
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 1);
    settle(parties).await;
    // The reader that stopped in the middle began before the events left, but it may still catch up: it was told
    // from the beginning that old events leave. What is newer than its beginning is all there.
    assert_eq!(page(&parties.partner, &middle).await.0, 200);
    assert_eq!(page(&parties.partner, &behind).await.0, 200, "it has read what has left");
    assert_eq!(page(&stranger, &others).await.0, 200, "nothing of its own has left");
    let (tasks, _) = follow(&world, &parties.partner, None, 100).await;
    assert!(!tasks.contains(&old) && tasks.contains(&open), "{tasks:?}");
    // Another task ends and leaves, which both of the first cursors have not seen.
    let late = world.deliver().await;
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 1);
    settle(parties).await;
    for cursor in [&middle, &behind] {
        assert_eq!(page(&parties.partner, cursor).await, (410, "cursor_expired".to_owned()), "{late} is skipped");
        assert_eq!(page(&stranger, &others).await.0, 200);
    }
}

#[tokio::test]
async fn a_reader_from_the_start_gets_through_while_old_events_leave() {
    let world = World::start().await;
    let parties = &world.parties;
    // It stays, and so do its old events.
    let open = parties.open_in_legal().await;
    let mut old = Vec::new();
    for _ in 0..3 {
        old.push(world.deliver().await);
    }
    parties.partner.done(&open, &update("still here")).await;
    world.log().await;
    world.pass(31);
    let page = parties.partner.read("/api/v1/events?limit=2").await;
    assert_eq!(page["items"][0]["task_id"], open.as_str());
    assert_eq!(world.run().await, 3);
    parties.partner.done(&open, &update("and here")).await;
    let (tasks, end) = follow(&world, &parties.partner, Some(text(&page["next"])), 2).await;
    assert!(tasks.iter().all(|task| *task == open) && tasks.len() > 2, "{tasks:?}");
    let (whole, _) = follow(&world, &parties.partner, None, 3).await;
    assert_eq!(whole.len(), tasks.len() + 2, "the same from the start again");
    // It has caught up, and is a reader as any other.
    let gone = world.deliver().await;
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 1);
    settle(parties).await;
    let answer = parties.partner.get(&format!("/api/v1/events?after={end}")).await;
    assert_eq!((answer.status, code(&answer)), (410, "cursor_expired"), "{gone}");
}

/// Events leave while a reader turns the pages: each answer is a whole one, or says that it is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_page_is_whole_while_its_events_leave() {
    let world = World::start().await;
    let parties = &world.parties;
    let open = parties.open_in_legal().await;
    for _ in 0..30 {
        world.deliver().await;
    }
    world.log().await;
    world.pass(31);
    let worker = world.replica();
    let leaving = tokio::spawn(async move { worker.run_due().await.unwrap() });
    let mut turns = 0;
    while !leaving.is_finished() || turns < 3 {
        // Every event that is shown has the status of its own time, which a page that lost rows could not compute.
        let page = parties.platform.get("/api/v1/events?limit=100").await;
        assert!(page.status == 200 || code(&page) == "overloaded", "{}", page.text);
        for item in page.body["items"].as_array().into_iter().flatten() {
            assert_ne!(item["type"], "event.unreadable", "{item}");
            if item["seq"] == 1 || item["seq"] == 2 {
                assert_eq!(item["status"]["phase"], "preparing", "{item}");
            }
        }
        turns += 1;
    }
    assert_eq!(leaving.await.unwrap(), 30);
    let (tasks, _) = follow(&world, &parties.platform, None, 100).await;
    assert!(tasks.iter().all(|task| *task == open), "{tasks:?}");
}
