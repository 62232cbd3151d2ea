//! Faults of webhooks, each seen by a real receiver.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::world::{DevWorld, time};
use crate::harness::parties::Parties;
use crate::harness::receiver::Receiver;

/// A task with so many events that the network has something to disturb.
async fn play(parties: &Parties) -> (String, u64) {
    let task = parties.open_in_legal().await;
    let length = parties.trail(&task).await.len() as u64;
    (task, length)
}

async fn start(faults: &Value) -> (DevWorld, Receiver) {
    let (world, receiver) = (DevWorld::start().await, Receiver::accepting().await);
    world.set_webhook(&receiver).await;
    world.set_faults(faults).await;
    (world, receiver)
}

#[tokio::test]
async fn without_faults_each_event_comes_once_and_in_order() {
    let (world, receiver) = start(&json!({})).await;
    let (task, length) = play(&world.parties).await;
    world.advance("PT1S").await;
    assert_eq!(receiver.seqs(&task), (1..=length).collect::<Vec<_>>());
}

#[tokio::test]
async fn duplicates_come_twice_with_the_same_id() {
    let (world, receiver) = start(&json!({ "webhooks": { "duplicate": 1 } })).await;
    let (task, length) = play(&world.parties).await;
    world.advance("PT1S").await;
    assert_eq!(receiver.seqs(&task), (1..=length).flat_map(|seq| [seq, seq]).collect::<Vec<_>>());
    let ids: Vec<_> = receiver.received().iter().map(|received| received.header("webhook-id").to_owned()).collect();
    assert!(ids.chunks(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
}

#[tokio::test]
async fn a_lost_answer_makes_the_service_send_again() {
    let (world, receiver) = start(&json!({ "webhooks": { "drop_answer": 1 } })).await;
    let (task, length) = play(&world.parties).await;
    world.advance("PT1S").await;
    assert_eq!(receiver.seqs(&task), [1], "it waits for the answer");
    world.set_faults(&json!({})).await;
    world.advance("PT1M").await;
    assert_eq!(receiver.seqs(&task), [vec![1], (1..=length).collect()].concat());
}

#[tokio::test]
async fn delayed_events_arrive_later_and_in_order() {
    let (world, receiver) = start(&json!({ "webhooks": { "delay": "PT10M" } })).await;
    let (task, length) = play(&world.parties).await;
    world.advance("PT5M").await;
    assert_eq!(receiver.seqs(&task), Vec::<u64>::new());
    let (_, report) = world.call("GET", "/dev/faults", &Value::Null).await;
    assert_eq!((&report["kept"], &report["lost"]), (&json!(length), &json!(0)));
    let moved = world.advance("PT6M").await;
    assert_eq!(receiver.seqs(&task), (1..=length).collect::<Vec<_>>());
    let recorded = time(&world.parties.trail(&task).await[0]["recorded_at"]);
    let first = time(&moved["ran"][0]["at"]) - recorded;
    assert!(first >= TimeDelta::minutes(10) && first < TimeDelta::minutes(11), "{moved}");
}

#[tokio::test]
async fn an_event_is_overtaken_by_the_next_one() {
    let (world, receiver) = start(&json!({ "webhooks": { "reorder": 1 } })).await;
    let (task, length) = play(&world.parties).await;
    world.advance("PT5M").await;
    let came = receiver.seqs(&task);
    assert_eq!(came[..4], [2, 1, 4, 3], "each second one overtakes the one before it");
    let mut all = came.clone();
    all.sort_unstable();
    assert_eq!(all, (1..=length).collect::<Vec<_>>(), "none is missing");
}

#[tokio::test]
async fn a_late_event_that_is_refused_is_sent_again() {
    let (world, receiver) = start(&json!({ "webhooks": { "delay": "PT1M" } })).await;
    let (task, length) = play(&world.parties).await;
    receiver.script([crate::harness::receiver::Reply::Status(503)]);
    world.advance("PT5M").await;
    let mut came = receiver.seqs(&task);
    assert_eq!(came.len() as u64, length + 1);
    came.sort_unstable();
    came.dedup();
    assert_eq!(came, (1..=length).collect::<Vec<_>>());
    let (_, report) = world.call("GET", "/dev/faults", &Value::Null).await;
    assert_eq!((&report["kept"], &report["lost"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn the_same_seed_disturbs_the_same_messages() {
    let mut traffic = Vec::new();
    for seed in [7, 7, 8] {
        let (world, receiver) = start(&json!({ "webhooks": { "duplicate": 0.5 }, "seed": seed })).await;
        let (task, _) = play(&world.parties).await;
        world.advance("PT1S").await;
        let mut seqs = receiver.seqs(&task);
        let (task, _) = play(&world.parties).await;
        world.advance("PT1S").await;
        seqs.extend(receiver.seqs(&task));
        traffic.push(seqs);
    }
    assert_eq!(traffic[0], traffic[1]);
    assert_ne!(traffic[0], traffic[2]);
}
