//! One owner's receivers do not delay another owner's deliveries.

use std::sync::Arc;

use serde_json::Value;
use stagegate::worker::deliveries::Deliveries;

use crate::harness::receiver::{Receiver, Reply};

use super::world::World;

/// Attempts at a time of the worker here.
const SLOTS: usize = 16;

#[tokio::test]
async fn receivers_that_do_not_answer_leave_room_for_another_owner() {
    let world = World::start().await;
    let (partner, platform) = (&world.parties.partner, &world.parties.platform);
    let (slow, quick) = (Receiver::start(Reply::WhenLetGo).await, Receiver::accepting().await);
    for number in 0..20 {
        world.set(platform, &format!("slow-{number}"), &slow).await;
    }
    world.open().await;
    let worker = Deliveries::new(Arc::clone(&world.parties.service.app)).with_slots(SLOTS);
    let running = tokio::spawn(async move { worker.run().await });
    // All that one owner gets: half of the slots that are not kept for others.
    let held = SLOTS / 4;
    slow.wait_for(held).await;
    world.set(partner, "quick", &quick).await;
    world.open().await;
    quick.wait_for(2).await;
    assert_eq!(slow.received().len(), held, "the slow ones still hold what they held");
    slow.let_go();
    slow.wait_for(20).await;
    world.parties.service.app.drain();
    running.await.unwrap();
    // Had the quick one waited until an attempt ran out of time, that attempt would have failed.
    for number in 0..20 {
        for delivery in world.deliveries(platform, &format!("slow-{number}")).await {
            let attempts = delivery["attempts"].as_array().unwrap();
            assert!(attempts.iter().all(|attempt| attempt["status"] != Value::Null), "{delivery}");
        }
    }
}
