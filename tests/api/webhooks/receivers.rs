//! Receivers that do not do as they should: no other endpoint notices.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::worker::deliveries::Deliveries;

use crate::harness::receiver::{Receiver, Reply};

use super::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_misbehaves_fails_by_itself_and_the_others_go_on() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let elsewhere = Receiver::accepting().await;
    let moved = format!("location: {}\r\n", elsewhere.url());
    let moved: &'static str = Box::leak(moved.into_boxed_str());
    // What each comes to: its state, the status or the error of its attempt.
    let bad = [
        ("silent", Reply::Never, "pending", json!(null), json!(null)),
        ("closing", Reply::Close, "pending", json!(null), json!("closed")),
        ("broken", Reply::Status(500), "pending", json!(500), json!(null)),
        ("moved", Reply::With(301, moved, String::new()), "pending", json!(301), json!(null)),
        ("garbage", Reply::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n"), "pending", json!(null), json!("not_http")),
        ("huge", Reply::With(200, "", "x".repeat(10_000_000)), "delivered", json!(200), json!(null)),
        ("endless", Reply::Endless, "delivered", json!(200), json!(null)),
        (
            "binary",
            Reply::Bytes(b"HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\n\0\xff\0a"),
            "pending",
            json!(500),
            json!(null),
        ),
    ];
    let mut receivers = Vec::new();
    for (id, reply, ..) in &bad {
        let receiver = Receiver::start(reply.clone()).await;
        world.set(partner, id, &receiver).await;
        receivers.push(receiver);
    }
    let (live, dead) = (Receiver::accepting().await, "http://127.0.0.1:1/");
    world.set(partner, "live", &live).await;
    world.put(partner, "dead", &json!({ "url": dead })).await;
    let worker = Deliveries::new(Arc::clone(&world.parties.service.app));
    let running = tokio::spawn(async move { worker.run().await });
    for _ in 0..10 {
        world.open().await;
    }
    live.wait_for(20).await;
    for receiver in &receivers {
        receiver.wait_for(1).await;
    }
    let first = async |id: &str| world.deliveries(partner, id).await[0].clone();
    for (id, _, state, status, error) in &bad {
        // The silent one is still waited for.
        let settled = async { while *id != "silent" && first(id).await["attempts"][0].is_null() {} };
        settled.await;
        let delivery = first(id).await;
        let attempt = &delivery["attempts"][0];
        assert_eq!((&delivery["state"], &attempt["status"], &attempt["error"]), (&json!(state), status, error), "{id}");
    }
    assert_eq!(first("endless").await["answer"].as_str().map(str::len), Some(2_048));
    assert_eq!(first("binary").await["answer"], "\u{fffd}\u{fffd}\u{fffd}a");
    assert_eq!(first("dead").await["attempts"][0]["error"], "connection_refused");
    assert!(elsewhere.received().is_empty(), "a redirect is not followed");
    assert_eq!(first("silent").await["attempts"], Value::Array(vec![]));
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_endpoints_a_hundred_that_never_answer_keep_none_of_the_others_waiting() {
    let world = World::start().await;
    let (live, dead) = (Receiver::accepting().await, Receiver::start(Reply::Never).await);
    world.set(&world.parties.platform, "model", &live).await;
    world
        .execute(format!(
            "insert into webhook_endpoints (owner_id, id, url, types, state, secret, secret_created_at, created_at, updated_at)
             select owner_id, 'e-' || n, case when n % 10 = 0 then '{}' else url end, types, state, secret, created_at, created_at, created_at
             from webhook_endpoints, generate_series(1, 1000) n",
            dead.url()
        ))
        .await;
    let worker = Deliveries::new(Arc::clone(&world.parties.service.app));
    let running = tokio::spawn(async move { worker.run().await });
    for task in 1..=2 {
        world.open().await;
        // All of the living have what is new, and each of those that never answer was asked once per task at the most.
        live.wait_for(901 * 2 * task).await;
        assert!(dead.received().len() <= 100 * task, "{}", dead.received().len());
    }
    let accepted = "select count(*) from webhook_deliveries where state = 'delivered' and endpoint_id ";
    assert_eq!(world.count(&format!("{accepted} like 'e-%0'")).await, 0);
    running.abort();
}
