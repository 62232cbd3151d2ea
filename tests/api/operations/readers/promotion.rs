//! The standby below a replica that only reads is promoted: it goes on, and its feed has no gap and no repetition.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{World, ready};
use crate::harness::commands::{submit, update};
use crate::harness::database;
use crate::harness::parties::{Client, text};
use crate::harness::service::Service;

/// Follows the feed in small pages until there is nothing more.
async fn follow(client: &Client, cursor: &mut String, items: &mut Vec<Value>) {
    loop {
        let after = if cursor.is_empty() { String::new() } else { format!("&after={cursor}") };
        let page = client.read(&format!("/api/v1/events?limit=3{after}")).await;
        items.extend(page["items"].as_array().unwrap().clone());
        *cursor = text(&page["next"]);
        if page["more"] != true {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_goes_on_across_a_promotion_without_a_gap_or_a_repetition() {
    let world = World::start(&[]).await;
    let reader = world.reading(&world.parties.partner);
    let (mut cursor, mut items) = (String::new(), Vec::new());
    let mut tasks = Vec::new();
    for number in 0..6 {
        let task = world.parties.open("brand-campaign").await;
        world.parties.partner.done(&task, &submit("agent")).await;
        if number % 2 == 0 {
            world.standby.catch_up().await;
        }
        follow(&reader, &mut cursor, &mut items).await;
        tasks.push(task);
    }
    world.standby.catch_up().await;
    let World { postgres, standby, parties, reader: app, router } = world;
    assert_eq!(ready(&router).await.0, 200);
    // The primary is gone for good.
    postgres.stop().await.unwrap();
    follow(&reader, &mut cursor, &mut items).await;
    standby.promote().await;
    follow(&reader, &mut cursor, &mut items).await;
    let pool = database::connect(&standby.options, 2).await;
    let (_, writing) = Service::reader_on(pool, &parties.service.clock).await;
    let partner = parties.partner.at(&writing);
    for (number, task) in tasks.iter().enumerate() {
        partner.done(task, &update(&format!("after the promotion, {number}"))).await;
        follow(&reader, &mut cursor, &mut items).await;
    }
    // A session that only reads cannot write, although the server could.
    let pool = standby.pool(1).await;
    let refused = sqlx::query("delete from tasks").execute(&pool).await.unwrap_err();
    assert_eq!(refused.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(), Some("25006"));
    let refused = reader.send(&tasks[0], &update("x")).await;
    assert_eq!((refused.status, &refused.body["code"]), (503, &json!("read_only")));
    assert_eq!(ready(&router).await.0, 200);

    let (mut everything, mut start) = (Vec::new(), String::new());
    follow(&partner, &mut start, &mut everything).await;
    assert_eq!(items, everything);
    let ids: BTreeSet<String> = items.iter().map(|item| text(&item["id"])).collect();
    assert_eq!(ids.len(), items.len(), "nothing comes twice");
    assert!(items.len() >= 24, "{}", items.len());
    drop(app);
}
