//! Replicas whose clocks differ: what comes first is decided by the database, and a replica that is too far off
//! says so and keeps still.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use stagegate::app::operations::clock_skew::MOST;
use stagegate::app::{App, Options, Reach};
use stagegate::clock::Clock;
use stagegate::worker::clocks::Clocks;
use stagegate::worker::deliveries::Deliveries;
use stagegate::worker::erasures::Erasures;
use stagegate::worker::timers::Timers;

use crate::harness::commands::{update, with};
use crate::harness::parties::{Parties, new_id, text};
use crate::harness::receiver::Receiver;
use crate::harness::service::Service;

/// A clock that is this far ahead of the service's.
fn ahead(parties: &Parties, by: TimeDelta) -> Clock {
    Clock::fixed(parties.service.clock.now() + by)
}

fn app(parties: &Parties, clock: &Clock) -> Arc<App> {
    let options = Options { webhook_reach: Reach::Anywhere, ..Options::default() };
    Arc::new(App::with_options(parties.service.db.pool.clone(), clock.clone(), options))
}

#[tokio::test]
async fn an_erasure_takes_all_that_was_recorded_before_it_whatever_the_clocks_say() {
    for by in [-MOST, MOST] {
        let parties = Parties::start().await;
        let (id, other) = (parties.open("brand-campaign").await, ahead(&parties, by));
        let replica = Service::replica(&parties.service.db, &other).await;
        // By both replicas, in turns: times within the task go only forward.
        let (here, there) = (&parties.partner, parties.partner.at(&replica));
        let say = |message: &str| with(update(message), &json!({ "actor": { "id": "agent" } }));
        for (client, message) in [(here, "secret one"), (&there, "secret two"), (here, "secret three")] {
            client.done(&id, &say(message)).await;
        }
        let request = json!({ "id": new_id(), "party": "partner", "partner_id": parties.partner_id, "actor_id": "agent", "reason": "r" });
        let asked = parties.platform.at(&replica).call("POST", "/api/v1/erasures", &request).await;
        assert_eq!(asked.status, 202, "{}", asked.text);
        parties.partner.done(&id, &say("kept, as it is later")).await;

        other.set(other.now() + TimeDelta::hours(1));
        let worker = Erasures::new(app(&parties, &other));
        worker.run_due().await.unwrap();
        let trail = parties.trail(&id).await;
        let texts = Value::from(trail).to_string();
        assert!(!texts.contains("secret"), "{by}: {texts}");
        // Of what was recorded within the difference after the request, the clock that is ahead says that it was
        // before.
        assert_eq!(texts.contains("kept, as it is later"), by < TimeDelta::zero(), "{by}: {texts}");
    }
}

#[tokio::test]
async fn what_a_replica_an_hour_ahead_has_recorded_is_delivered_at_once() {
    let parties = Parties::start().await;
    let receiver = Receiver::accepting().await;
    let set = parties.partner.call("PUT", "/api/v1/webhooks/a", &json!({ "url": receiver.url() })).await;
    assert_eq!(set.status, 201, "{}", set.text);
    let replica = Service::replica(&parties.service.db, &ahead(&parties, TimeDelta::hours(1))).await;
    let id = parties.open("brand-campaign").await;
    let told = parties.partner.at(&replica).done(&id, &update("from the future")).await;
    assert!(text(&told["events"][0]["recorded_at"]).starts_with("2027-01-15T09:00:00"), "{told}");
    let worker = Deliveries::new(Arc::clone(&parties.service.app));
    assert_eq!(worker.run_due().await.unwrap(), 3, "two of the opening, and that one");
    // Within the task, times never go back; other tasks keep theirs.
    let next = parties.partner.done(&id, &update("after it")).await;
    assert_eq!(next["events"][0]["recorded_at"], told["events"][0]["recorded_at"]);
    let other = parties.open("brand-campaign").await;
    assert!(text(&parties.trail(&other).await[0]["recorded_at"]).starts_with("2027-01-15T08:00:00"));
    assert_eq!(worker.run_due().await.unwrap(), 3);
}

#[tokio::test]
async fn a_replica_whose_clock_is_too_far_off_runs_no_timers_and_is_not_ready() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let before = parties.trail(&id).await.len();
    let clock = ahead(&parties, TimeDelta::days(60));
    let (app, database) = (app(&parties, &clock), clock.now());
    let timers = Timers::new(Arc::clone(&app));
    let second = TimeDelta::seconds(1);
    for by in [MOST + second, -MOST - second, TimeDelta::days(300)] {
        app.operations.skew.measured(database + by, database, database + by);
        assert_eq!(timers.run_due().await.unwrap(), 0, "{by}");
        let unfit = app.operations.health.ready().await.unwrap_err();
        let reason = unfit.to_string();
        assert!(reason.contains("clock"), "{reason}");
    }
    assert_eq!(parties.trail(&id).await.len(), before);
    app.operations.skew.measured(database + MOST, database, database + MOST);
    app.operations.health.ready().await.unwrap();
    assert!(timers.run_due().await.unwrap() > 0);
}

#[tokio::test]
async fn a_deadline_fires_once_and_off_by_no_more_than_the_clocks_differ() {
    let within = json!({ "within": "PT1H", "on_timeout": { "action": "escalate", "to": "platform" } });
    let stage = json!({ "key": "a", "name": "A", "buyer_label": "In A", "deadline": within });
    for by in [-MOST, MOST] {
        let parties = Parties::start().await;
        parties.register("timed", &json!({ "name": "Timed", "stages": [stage] })).await;
        let id = parties.open("timed").await;
        let clock = &parties.service.clock;
        let due = clock.now() + TimeDelta::hours(1);
        let other = ahead(&parties, by);
        let (here, there) = (Arc::clone(&parties.service.app), app(&parties, &other));
        let (here, there) = (Timers::new(here), Timers::new(there));
        // In each second the replica fires whose clock has come to the due time first.
        let mut fired = Vec::new();
        for second in -20..=20 {
            clock.set(due + TimeDelta::seconds(second));
            other.set(due + TimeDelta::seconds(second) + by);
            if there.run_due().await.unwrap() + here.run_due().await.unwrap() > 0 {
                fired.push(second);
            }
        }
        let first = if by > TimeDelta::zero() { -by.num_seconds() } else { 0 };
        assert_eq!(fired, [first], "{by}");
        let escalated = parties.trail(&id).await.iter().filter(|entry| entry["type"] == "task.stage_escalated").count();
        assert_eq!(escalated, 1);
    }
}

#[tokio::test]
async fn the_machines_clock_is_compared_with_the_databases() {
    let parties = Parties::start().await;
    let app = app(&parties, &Clock::system());
    Clocks::new(Arc::clone(&app)).step().await;
    assert!(!app.operations.skew.is_too_large(), "both are this machine's: {}", app.operations.skew.ahead());
    // The clock of the tests is years from it.
    Clocks::new(Arc::clone(&parties.service.app)).step().await;
    assert!(parties.service.app.operations.skew.is_too_large());
}
