//! What is sent, to whom, in which order.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::worker::erasures::Erasures;

use crate::audit::transparency_log::settle;
use crate::harness::commands::{approve, at, cancel, submit, update, with};
use crate::harness::parties::{Client, new_id, text};
use crate::harness::receiver::{Received, Receiver, Reply};

use super::world::{World, path, seconds};

/// The feed of an owner from its start.
async fn feed(world: &World, owner: &Client) -> Vec<Value> {
    settle(&world.parties).await;
    owner.read("/api/v1/events?limit=100").await["items"].as_array().unwrap().clone()
}

/// A task that the buyer reviews, cancelled; then the buyer decides, which the partner may not see.
async fn play(world: &World) -> String {
    let parties = &world.parties;
    let stage = json!({ "key": "a", "name": "A", "buyer_label": "In A", "reviewer": "buyer" });
    parties.register("signoff", &json!({ "name": "Sign-off", "stages": [stage] })).await;
    let id = parties.open("signoff").await;
    parties.partner.done(&id, &with(update("on it"), &json!({ "note": "ours" }))).await;
    parties.platform.done(&id, &with(cancel(), &json!({ "immediate": true }))).await;
    let late = with(approve(at("a", 1, 0), ""), &json!({ "note": "secret" }));
    parties.buyer.refused(&id, &late, (409, "task_closed")).await;
    id
}

#[tokio::test]
async fn each_owner_is_sent_what_its_feed_has_and_in_its_order() {
    let world = World::start().await;
    let (partner, platform) = (&world.parties.partner, &world.parties.platform);
    let (to_partner, to_platform, to_stranger) =
        (Receiver::accepting().await, Receiver::accepting().await, Receiver::accepting().await);
    world.set(partner, "a", &to_partner).await;
    world.set(platform, "a", &to_platform).await;
    let stranger = world.parties.another_partner().await;
    world.set(&stranger, "a", &to_stranger).await;
    let id = play(&world).await;
    assert_eq!(world.send().await, 2 * to_partner.received().len() as u64);
    for (owner, receiver) in [(partner, &to_partner), (platform, &to_platform)] {
        let told = feed(&world, owner).await;
        let sent: Vec<Value> = receiver.received().iter().map(Received::body).collect();
        assert_eq!(sent, told);
        for (received, item) in receiver.received().iter().zip(&told) {
            assert_eq!(received.path, "/hooks");
            assert_eq!(received.header("content-type"), "application/json");
            for name in ["webhook-id", "x-aitasker-delivery-id"] {
                assert_eq!(received.header(name), item["id"].as_str().unwrap());
            }
        }
    }
    assert_eq!(to_partner.seqs(&id), (1..=to_partner.received().len() as u64).collect::<Vec<_>>());
    let hidden = to_partner.received().last().unwrap().body();
    assert_eq!((&hidden["type"], hidden["event"].get("note")), (&Value::Null, None), "it happened, and that is all");
    assert_eq!(to_platform.received().last().unwrap().body()["event"]["note"], "secret");
    assert!(to_stranger.received().is_empty());
    // Their lists say the same.
    let types = async |owner: &Client| -> Vec<Value> {
        world.deliveries(owner, "a").await.into_iter().map(|delivery| delivery["type"].clone()).collect()
    };
    assert_eq!(types(partner).await.last().unwrap(), &Value::Null);
    assert_eq!(types(platform).await.last().unwrap(), "task.late_decision_recorded");
    assert_eq!(world.send().await, 0, "each once");
}

#[tokio::test]
async fn an_endpoint_for_some_types_is_sent_those_that_its_owner_may_know() {
    let world = World::start().await;
    let (partner, platform) = (&world.parties.partner, &world.parties.platform);
    let (to_partner, to_platform) = (Receiver::accepting().await, Receiver::accepting().await);
    let types = json!(["task.opened", "task.late_decision_recorded"]);
    world.put(partner, "a", &json!({ "url": to_partner.url(), "types": types })).await;
    world.put(platform, "a", &json!({ "url": to_platform.url(), "types": types })).await;
    play(&world).await;
    world.send().await;
    let sent = |receiver: &Receiver| -> Vec<Value> {
        receiver.received().iter().map(|received| received.body()["type"].clone()).collect()
    };
    assert_eq!(sent(&to_partner), ["task.opened"]);
    assert_eq!(sent(&to_platform), ["task.opened", "task.late_decision_recorded"]);
}

#[tokio::test]
async fn what_follows_a_delivery_that_fails_waits_for_it_and_other_tasks_do_not() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::accepting().await;
    world.set(partner, "a", &receiver).await;
    let one = world.open().await;
    receiver.script([Reply::Status(500)]);
    assert_eq!(world.send().await, 0);
    let two = world.open().await;
    partner.done(&one, &update("news")).await;
    assert_eq!(world.send().await, 2, "those of the other task");
    assert_eq!((receiver.seqs(&one), receiver.seqs(&two)), (vec![1], vec![1, 2]));
    world.pass(seconds(6));
    assert_eq!(world.send().await, 3);
    assert_eq!(receiver.seqs(&one), [1, 1, 2, 3]);
    let ids: Vec<String> =
        receiver.received().iter().map(|received| received.header("webhook-id").to_owned()).collect();
    let first = receiver.places().iter().position(|place| *place == (one.clone(), 1)).unwrap();
    assert_eq!(ids.iter().filter(|id| **id == ids[first]).count(), 2, "the same id each time");
    assert_eq!(world.deliveries(partner, "a").await[0]["attempts_made"], 2);
}

#[tokio::test]
async fn nothing_is_recorded_before_an_endpoint_and_nothing_pending_is_sent_after_it() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::accepting().await;
    let before = world.open().await;
    world.set(partner, "a", &receiver).await;
    partner.done(&before, &update("first")).await;
    assert_eq!(partner.call("DELETE", &path("a"), &Value::Null).await.status, 204);
    assert_eq!(world.send().await, 0);
    partner.done(&before, &update("second")).await;
    // One that a writer adds who saw the endpoint before it was removed.
    world
        .execute(
            "insert into webhook_deliveries (task_id, seq, owner_id, endpoint_id, event_id, recorded_at, due_at)
         select task_id, 2, owner_id, endpoint_id, gen_random_uuid(), recorded_at, recorded_at from webhook_deliveries",
        )
        .await;
    assert_eq!(world.send().await, 0);
    world.set(partner, "a", &receiver).await;
    partner.done(&before, &update("third")).await;
    assert_eq!(world.send().await, 1);
    assert_eq!(receiver.seqs(&before), [5]);
    assert_eq!(world.states(partner, "a").await, ["failed", "failed", "delivered"]);
}

const ANSWERS: &str = "select count(*) from webhook_deliveries where answer is not null";

#[tokio::test]
async fn what_was_erased_meanwhile_is_not_sent() {
    let world = World::start().await;
    let parties = &world.parties;
    let receiver = Receiver::start(Reply::With(500, "", "By Anna.".to_owned())).await;
    world.set(&parties.partner, "a", &receiver).await;
    let id = world.open().await;
    let anna = json!({ "actor": { "id": "anna", "name": "Anna K." }, "summary": "By Anna." });
    parties.partner.done(&id, &with(submit("anna"), &anna)).await;
    parties.platform.done(&id, &with(cancel(), &json!({ "immediate": true }))).await;
    world.send().await;
    assert!(world.count(ANSWERS).await > 0, "a receiver may answer with what it was sent");
    let erasure = json!({ "id": new_id(), "party": "partner", "partner_id": parties.partner_id, "actor_id": "anna", "reason": "asked" });
    assert_eq!(parties.platform.call("POST", "/api/v1/erasures", &erasure).await.status, 202);
    world.pass(seconds(60));
    Erasures::new(Arc::clone(&parties.service.app)).run_due().await.unwrap();
    assert_eq!(world.count(ANSWERS).await, 0, "what it answered is erased, too");
    receiver.answer(Reply::Status(200));
    assert!(world.send().await > 3);
    let sent: Vec<String> = receiver.received().iter().map(|received| received.text.clone()).collect();
    assert_eq!(receiver.seqs(&id).iter().filter(|seq| **seq == 3).count(), 1);
    assert!(sent.iter().all(|text| !text.contains("Anna")), "{sent:#?}");
    let told = feed(&world, &parties.partner).await;
    let submitted = told.iter().position(|item| item["type"] == "task.work_submitted").unwrap();
    assert_eq!(receiver.received().iter().find(|one| one.place().1 == 3).unwrap().body(), told[submitted]);
    assert_eq!(text(&told[submitted]["task_id"]), id);
}
