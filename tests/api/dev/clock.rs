//! Moving the clock: everything that is due on the way happens at its own instant, within one call.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use stagegate::clock::Clock;
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use super::world::{DevWorld, time};
use crate::harness::parties::text;
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::waiting::until;

#[tokio::test]
async fn a_deadline_of_two_days_plays_within_one_call() {
    let world = DevWorld::start().await;
    let task = world.parties.open_in_legal().await;
    let review = world.parties.task(&task).await;
    let (since, due_at) = (time(&review["since"]), time(&review["due_at"]));
    assert_eq!(due_at - since, TimeDelta::hours(48));

    let moved = world.advance("PT48H").await;
    let escalated = &world.entries(&task, "task.stage_escalated").await[0];
    assert_eq!(time(&escalated["recorded_at"]), due_at, "at the instant it was due");
    let ran: Vec<_> =
        moved["ran"].as_array().unwrap().iter().map(|ran| (text(&ran["timer"]), time(&ran["at"]))).collect();
    let reminder = ("reminder".to_owned(), due_at - TimeDelta::hours(8));
    assert_eq!(ran, [reminder, ("stage_deadline".to_owned(), due_at)]);
    assert!(moved["ran"][1]["events"].as_array().unwrap().contains(&json!("task.stage_escalated")), "{moved}");
    assert!(time(&moved["now"]) >= due_at);

    // Nothing more is due, and time goes on from there.
    let later = world.parties.task(&task).await;
    assert_eq!(later["phase"], "escalated");
    let (status, clock) = world.call("GET", "/dev/clock", &Value::Null).await;
    assert_eq!(status, 200);
    assert!(time(&clock["now"]) >= time(&moved["now"]));
    let ahead = time(&clock["now"]) - time(&clock["machine"]);
    assert!(ahead > TimeDelta::hours(47) && ahead <= TimeDelta::hours(48), "{clock}");
}

#[tokio::test]
async fn a_chain_of_timers_plays_at_the_instants_of_life() {
    let world = DevWorld::start().await;
    let task = world.parties.open_in_legal().await;
    let begun = time(&world.parties.task(&task).await["since"]);
    let opened = time(&world.parties.task(&task).await["opened_at"]);
    let before = world.parties.trail(&task).await.len();

    // Reminder, deadline, the escalation's own limit, and in the end the whole task's.
    world.advance("P15D").await;
    let trail = world.parties.trail(&task).await;
    let played: Vec<(String, TimeDelta)> =
        trail[before..].iter().map(|entry| (text(&entry["type"]), time(&entry["recorded_at"]) - begun)).collect();
    let instants: BTreeSet<_> = played.iter().map(|(_, after)| after.num_hours()).collect();
    assert!(instants.contains(&40) && instants.contains(&48) && instants.contains(&72), "{played:?}");
    let (last, after) = played.last().unwrap();
    assert_eq!((last.as_str(), begun + *after), ("task.workflow_expired", opened + TimeDelta::days(14)), "{played:?}");
    let at = |hours| played.iter().filter(|(_, after)| *after == TimeDelta::hours(hours)).count();
    assert!(at(40) > 0 && at(48) > 0 && at(72) > 0, "exactly, to the microsecond: {played:?}");
}

#[tokio::test]
async fn webhooks_go_out_at_each_instant_and_retries_at_theirs() {
    let world = DevWorld::start().await;
    let receiver = Receiver::accepting().await;
    world.set_webhook(&receiver).await;
    // Two attempts fail: the retries are due seconds and minutes later.
    receiver.script([Reply::Status(500), Reply::Status(500)]);
    let task = world.parties.open_in_legal().await;
    let moved = world.advance("PT48H").await;

    let length = world.parties.trail(&task).await.len() as u64;
    assert_eq!(receiver.seqs(&task), [vec![1, 1, 1], (2..=length).collect()].concat(), "in order, and none is missing");
    let attempts: Vec<_> = moved["ran"].as_array().unwrap().iter().filter(|ran| ran["what"] == "webhook").collect();
    assert_eq!([&attempts[0]["status"], &attempts[1]["status"], &attempts[2]["status"]], [500, 500, 200]);
    let gap = |from: usize| time(&attempts[from + 1]["at"]) - time(&attempts[from]["at"]);
    assert!(gap(0) >= TimeDelta::seconds(4) && gap(0) <= TimeDelta::seconds(6), "{attempts:?}");
    assert!(gap(1) >= TimeDelta::minutes(4) && gap(1) <= TimeDelta::minutes(6), "{attempts:?}");

    // A receiver compares the time of an attempt with its own clock.
    let now = Clock::system().now().utc().timestamp();
    for received in receiver.received() {
        let signed: i64 = received.header("webhook-timestamp").parse().unwrap();
        assert!((now - signed).abs() < 200, "{signed} is not the time outside, {now}");
    }
}

#[tokio::test]
async fn keys_links_and_tokens_follow_the_clock() {
    let world = DevWorld::start().await;
    let parties = &world.parties;
    let (_, clock) = world.call("GET", "/dev/clock", &Value::Null).await;
    let expires_at = time(&clock["now"]) + TimeDelta::hours(1);
    let made =
        parties.partner.call("POST", "/api/v1/keys", &json!({ "label": "short", "expires_at": expires_at })).await;
    let short = crate::harness::parties::Client { credential: text(&made.body["key"]), ..parties.partner.clone() };
    let link =
        parties.partner.call("POST", "/api/v1/links", &json!({ "to": "inbox", "actor": { "id": "u-anna" } })).await;
    let link_path = format!("/api/v1/links/{}", text(&link.body["id"]));
    assert_eq!(short.get("/api/v1/workflows").await.status, 200);
    assert_eq!(parties.partner.read(&link_path).await["state"], "open");

    let mut anna = parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-anna").await;
    anna.read("/inbox").await;

    world.advance("PT2H").await;
    assert_eq!(short.get("/api/v1/workflows").await.status, 401);
    world.advance("P300D").await;
    assert_eq!(parties.partner.read(&link_path).await["state"], "expired");
    assert_ne!(anna.get("/inbox").await.status, 200, "the session has ended");
    assert_eq!(parties.buyer.get("/api/v1/statuses").await.status, 200);
    // The token of the tests ends with the year 2029.
    for _ in 0..4 {
        world.advance("P366D").await;
    }
    assert_eq!(parties.buyer.get("/api/v1/statuses").await.status, 401);
}

#[tokio::test]
async fn the_check_of_the_clock_looks_at_the_machine() {
    let world = DevWorld::start().await;
    world.advance("P30D").await;
    let skew = world.parties.service.app.operations.measure_skew().await.unwrap();
    assert!(skew.abs() < TimeDelta::seconds(15), "{skew}");
    assert!(!world.parties.service.app.operations.skew.is_too_large());
}

#[tokio::test]
async fn as_time_goes_on_timers_run_without_a_call() {
    let world = DevWorld::start().await;
    let definition = json!({ "name": "Quick", "stages": [{ "key": "check", "name": "Check", "buyer_label": "Checking",
        "deadline": { "within": "PT1S", "on_timeout": { "action": "approve" } } }] });
    world.parties.register("quick", &definition).await;
    let task = world.parties.open("quick").await;
    let dev = std::sync::Arc::clone(&world.dev);
    let running = tokio::spawn(async move { dev.player.run().await });
    until("it is delivered", async || world.parties.task(&task).await["phase"] == "delivery").await;
    world.parties.service.app.drain();
    running.await.unwrap();
}

#[tokio::test]
async fn a_delivery_that_is_under_way_is_waited_for() {
    let world = DevWorld::with_limit(Duration::from_millis(500)).await;
    let receiver = Receiver::start(Reply::WhenLetGo).await;
    world.set_webhook(&receiver).await;
    let task = world.parties.open_in_legal().await;
    let worker = std::sync::Arc::clone(&world.deliveries);
    let running = tokio::spawn(async move { worker.run().await });
    receiver.wait_for(1).await;
    // The worker holds the delivery for half a minute of the service's time.
    let (status, moved) = world.call("POST", "/dev/clock", &json!({ "advance": "PT5M" })).await;
    assert_eq!((status, &moved["quiet"]), (200, &json!(false)), "{moved}");
    receiver.let_go();
    while world.call("POST", "/dev/clock", &json!({ "advance": "PT5M" })).await.1["quiet"] != true {}
    let length = world.parties.trail(&task).await.len() as u64;
    assert_eq!(receiver.seqs(&task), (1..=length).collect::<Vec<_>>(), "none came twice");
    world.parties.service.app.drain();
    running.await.unwrap();
}

#[tokio::test]
async fn a_move_that_takes_too_long_ends_where_it_is_and_the_next_one_goes_on() {
    let world = DevWorld::with_limit(Duration::from_millis(500)).await;
    let receiver = Receiver::start(Reply::WhenLetGo).await;
    world.set_webhook(&receiver).await;
    let task = world.parties.open_in_legal().await;
    let (status, moved) = world.call("POST", "/dev/clock", &json!({ "advance": "PT48H" })).await;
    assert_eq!((status, &moved["quiet"]), (200, &json!(false)), "{moved}");
    assert!(world.entries(&task, "task.stage_escalated").await.is_empty(), "the clock has not got there");
    receiver.let_go();
    let mut quiet = false;
    while !quiet {
        let (status, moved) = world.call("POST", "/dev/clock", &json!({ "advance": "PT48H" })).await;
        assert_eq!(status, 200, "{moved}");
        quiet = moved["quiet"] == true;
    }
    let length = world.parties.trail(&task).await.len() as u64;
    let came: BTreeSet<u64> = receiver.seqs(&task).into_iter().collect();
    assert_eq!(came, (1..=length).collect());
}
