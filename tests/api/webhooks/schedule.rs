//! When deliveries are tried again, and when they and their endpoints are given up.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::audit::transparency_log::settle;
use crate::harness::commands::update;
use crate::harness::parties::{Client, text};
use crate::harness::receiver::{Receiver, Reply};

use super::world::{World, seconds};

/// The time until the first delivery of the list is due.
async fn wait_of_first(world: &World) -> TimeDelta {
    let due = text(&world.deliveries(&world.parties.partner, "a").await[0]["due_at"]);
    let due: DateTime<Utc> = due.parse().unwrap();
    due - world.parties.service.clock.now().utc()
}

#[tokio::test]
async fn a_delivery_is_tried_ten_times_and_then_the_next_one_goes_on() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::start(Reply::Status(500)).await;
    world.put(partner, "a", &json!({ "url": receiver.url(), "types": ["task.status_updated"] })).await;
    let id = world.open().await;
    partner.done(&id, &update("one")).await;
    partner.done(&id, &update("two")).await;
    for (attempt, gap) in (1..).zip([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]) {
        assert_eq!(world.send().await, 0);
        assert_eq!(receiver.seqs(&id), vec![3; attempt], "attempt {attempt}");
        let wait = wait_of_first(&world).await;
        assert!(wait >= seconds(gap) * 4 / 5 && wait <= seconds(gap) * 6 / 5, "attempt {attempt}: {wait}");
        world.pass(wait - seconds(1));
        world.send().await;
        assert_eq!(receiver.received().len(), attempt, "too early");
        world.pass(seconds(1));
    }
    receiver.script([Reply::Status(404)]);
    receiver.answer(Reply::Status(204));
    assert_eq!(world.send().await, 1, "the next one, at once");
    assert_eq!(receiver.seqs(&id)[9..], [3, 4]);
    let deliveries = world.deliveries(partner, "a").await;
    assert_eq!((&deliveries[0]["state"], &deliveries[0]["due_at"]), (&json!("failed"), &Value::Null));
    let attempts = deliveries[0]["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[9]["status"]), (10, &json!(404)));
    assert_eq!((&deliveries[1]["state"], &deliveries[1]["attempts_made"]), (&json!("delivered"), &json!(1)));
}

#[tokio::test]
async fn an_endpoint_that_asks_for_time_gets_it_up_to_a_day() {
    let world = World::start().await;
    let receiver = Receiver::accepting().await;
    world.set(&world.parties.partner, "a", &receiver).await;
    world.open().await;
    let asks = |headers: &'static str| Reply::With(503, headers, "busy".to_owned());
    for (headers, least) in [
        ("retry-after: 600\r\n", seconds(600)),
        ("retry-after: Fri, 15 Jan 2027 10:10:00 GMT\r\n", seconds(7_200)),
        ("retry-after: 9999999999\r\n", TimeDelta::hours(24)),
    ] {
        receiver.script([asks(headers)]);
        assert_eq!(world.send().await, 0);
        let wait = wait_of_first(&world).await;
        assert!(wait >= least && wait < TimeDelta::hours(25), "{headers}: {wait}");
        world.pass(wait);
    }
    assert_eq!(world.send().await, 2);
    assert_eq!(world.deliveries(&world.parties.partner, "a").await[0]["answer"], json!(""));
}

#[tokio::test]
async fn gone_disables_at_once_and_what_is_recorded_meanwhile_is_sent_when_enabled() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::accepting().await;
    world.set(partner, "a", &receiver).await;
    let id = world.open().await;
    receiver.script([Reply::Status(410)]);
    assert_eq!(world.send().await, 0);
    let endpoint = world.read(partner, "a").await;
    assert_eq!((&endpoint["state"], &endpoint["disabled_reason"]), (&json!("disabled"), &json!("gone")));
    // Its owner's feed tells it, and no other's.
    settle(&world.parties).await;
    let feed = partner.read("/api/v1/events?limit=100").await["items"].as_array().unwrap().clone();
    let notice = json!({ "id": feed[2]["id"], "kind": "webhook_disabled", "type": "webhook.disabled", "webhook": "a", "reason": "gone", "recorded_at": endpoint["updated_at"] });
    assert_eq!((feed.len(), &feed[2]), (3, &notice));
    let after = async |client: &Client, query: &str| client.read(&format!("/api/v1/events?{query}")).await;
    let (mut cursor, mut ids) = (String::new(), Vec::new());
    loop {
        let page = after(partner, &format!("limit=1{cursor}")).await;
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
        cursor = format!("&after={}", text(&page["next"]));
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(ids, feed.iter().map(|item| item["id"].clone()).collect::<Vec<_>>(), "one by one it is the same");
    for other in [&world.parties.platform, &world.parties.another_partner().await] {
        let seen = after(other, "limit=100").await;
        assert!(seen["items"].as_array().unwrap().iter().all(|item| item["type"] != "webhook.disabled"), "{seen}");
    }
    partner.done(&id, &update("meanwhile")).await;
    world.pass(TimeDelta::hours(1));
    assert_eq!((world.send().await, receiver.received().len()), (0, 1));
    let enabled = world.put(partner, "a", &json!({ "url": receiver.url() })).await;
    assert_eq!(
        (&enabled["state"], &enabled["disabled_reason"], enabled.get("secret")),
        (&json!("enabled"), &Value::Null, None)
    );
    assert_eq!(world.send().await, 3);
    assert_eq!(receiver.seqs(&id), [1, 1, 2, 3]);
}

#[tokio::test]
async fn five_days_of_nothing_but_failures_disable() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::start(Reply::Status(500)).await;
    world.set(partner, "a", &receiver).await;
    let id = world.open().await;
    world.send().await;
    let began = world.parties.service.clock.now();
    assert_eq!(world.read(partner, "a").await["failing_since"], began.to_string());
    let mut day = 0;
    while world.read(partner, "a").await["state"] == "enabled" {
        assert!(day < 8, "it is never given up");
        world.pass(TimeDelta::hours(24));
        day += 1;
        partner.done(&id, &update("still here")).await;
        world.send().await;
    }
    assert_eq!((day, &world.read(partner, "a").await["disabled_reason"]), (5, &json!("failing")));
    // Enabled again, it goes on at once with what had waited for its next attempt.
    receiver.answer(Reply::Status(200));
    world.put(partner, "a", &json!({ "url": receiver.url() })).await;
    assert!(world.send().await >= 5);
    assert_eq!(world.read(partner, "a").await["failing_since"], Value::Null);
    let states = world.states(partner, "a").await;
    assert!(states.iter().all(|state| state == "delivered"), "{states:?}");
}

#[tokio::test]
async fn a_success_in_between_begins_the_five_days_anew() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::start(Reply::Status(500)).await;
    world.set(partner, "a", &receiver).await;
    world.open().await;
    world.send().await;
    world.pass(TimeDelta::days(4));
    receiver.script([Reply::Status(200)]);
    assert_eq!(world.send().await, 1);
    world.pass(TimeDelta::days(4));
    world.open().await;
    world.send().await;
    assert_eq!(world.read(partner, "a").await["state"], "enabled");
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_alone_for_a_while_whatever_waits_for_it() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::start(Reply::Status(500)).await;
    world.set(partner, "a", &receiver).await;
    for _ in 0..20 {
        world.open().await;
    }
    world.send().await;
    assert_eq!(receiver.received().len(), 3, "then it is left alone");
    world.pass(seconds(4));
    world.send().await;
    assert_eq!(receiver.received().len(), 3);
    world.pass(seconds(1));
    world.send().await;
    assert_eq!(receiver.received().len(), 4, "one to see how it is");
    receiver.answer(Reply::Status(200));
    world.pass(seconds(10));
    // Three tasks wait for their second attempt.
    assert!(world.send().await >= 2 * 17);
    world.pass(seconds(600));
    world.send().await;
    assert_eq!(world.count("select count(*) from webhook_deliveries where state <> 'delivered'").await, 0);
}
