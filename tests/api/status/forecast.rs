//! Whose time it was, how long the stage has taken and how much longer it may take: what answers say that depends
//! on when they are given.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::harness::commands::{approve, at, cancel, reject, submit, update, with};
use crate::harness::parties::{Parties, new_id};
use crate::harness::service::Service;

const FLOW: &str = "flow";

async fn start() -> Parties {
    let parties = Parties::start().await;
    let stage = |key: &str| json!({ "key": key, "name": key, "buyer_label": key });
    parties.register(FLOW, &json!({ "name": "Flow", "stages": [stage("a"), stage("b")] })).await;
    parties
}

fn pass(parties: &Parties, time: TimeDelta) {
    let now: DateTime<Utc> = parties.service.clock.now().utc();
    parties.service.clock.set((now + time).into());
}

async fn deliver(parties: &Parties, id: &str) {
    parties.partner.done(id, &approve(at("a", 1, 0), "u-1")).await;
    parties.partner.done(id, &approve(at("b", 1, 0), "u-1")).await;
}

/// So many tasks that were delivered after one minute, two, three …; both stages are entered in the beginning and
/// at the end.
async fn deliver_each_minute(parties: &Parties, count: usize) {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(parties.open(FLOW).await);
    }
    for id in ids {
        pass(parties, TimeDelta::minutes(1));
        deliver(parties, &id).await;
    }
    pass(parties, TimeDelta::minutes(1));
}

async fn pace(parties: &Parties, id: &str) -> (u64, Value) {
    let status = parties.status(id).await;
    (status["stage_seconds"].as_u64().unwrap(), status["remaining_seconds"].clone())
}

fn minutes(p50: u64, p90: u64) -> Value {
    json!({ "p50": p50 * 60, "p90": p90 * 60 })
}

#[tokio::test]
async fn the_time_spent_adds_up_at_every_reading() {
    let parties = start().await;
    let id = parties.open(FLOW).await;
    let opened: Value = parties.task(&id).await["opened_at"].clone();
    let opened: DateTime<Utc> = opened.as_str().unwrap().parse().unwrap();
    let hold = json!({ "type": "held", "reason": "Waiting" });
    let steps = [
        (&parties.partner, reject(at("a", 1, 0), "u-1")),
        (&parties.partner, submit("agent")),
        (&parties.platform, hold),
        (&parties.platform, json!({ "type": "resumed" })),
        (&parties.partner, approve(at("a", 2, 1), "u-1")),
        (&parties.partner, update("On it")),
        (&parties.buyer, cancel()),
        (&parties.partner, approve(at("b", 1, 1), "u-late")),
    ];
    let mut ended = None;
    for (client, command) in steps {
        pass(&parties, TimeDelta::microseconds(3_661_000_123));
        let answer = client.send(&id, &command).await;
        assert!(answer.status == 201 || answer.status == 409, "{}", answer.text);
        for micros in [0, 1, 999_999] {
            pass(&parties, TimeDelta::microseconds(micros));
            let now = parties.service.clock.now().utc();
            let (mine, theirs) = (parties.task(&id).await, parties.partner.read(&format!("/api/v1/tasks/{id}")).await);
            assert_eq!(mine["time_spent"], theirs["time_spent"]);
            let listed = parties.platform.read("/api/v1/tasks").await["items"][0].clone();
            assert_eq!(listed["time_spent"], mine["time_spent"]);
            if mine["phase"] == "cancelled" && ended.is_none() {
                ended = Some(now);
            }
            let whole = ended.unwrap_or(now) - opened;
            assert_eq!(sum(&mine["time_spent"]), whole.num_microseconds().unwrap(), "{}", mine["time_spent"]);
        }
    }
    let spent = parties.task(&id).await["time_spent"].clone();
    let platform =
        json!({ "party": "platform", "stage": "a", "seconds": 3_662.000_123, "held_seconds": 3_662.000_123 });
    let own = |stage: &str, seconds: f64| json!({ "party": "partner", "stage": stage, "seconds": seconds, "held_seconds": 0 });
    assert_eq!(spent, json!([own("a", 14_647.000_492), platform, own("b", 7_324.000_246)]));
}

/// In microseconds, of which every number is a whole number.
fn sum(spent: &Value) -> i64 {
    let micros = |row: &Value| {
        let micros = row["seconds"].as_f64().unwrap() * 1e6;
        assert!((micros - micros.round()).abs() < 1e-3, "{row}");
        format!("{micros:.0}").parse::<i64>().unwrap()
    };
    spent.as_array().unwrap().iter().map(micros).sum()
}

#[tokio::test]
async fn every_door_says_how_long_the_stage_takes_and_the_status_stays_as_it_is() {
    let parties = start().await;
    deliver_each_minute(&parties, 20).await;
    let id = parties.open(FLOW).await;
    let path = format!("/api/v1/tasks/{id}/status");
    let first = parties.buyer.get(&path).await;
    assert_eq!((&first.body["stage_seconds"], &first.body["remaining_seconds"]), (&json!(0), &minutes(10, 18)));
    pass(&parties, TimeDelta::milliseconds(300_999));
    let later = parties.buyer.get(&path).await;
    // Of those that took longer than 5 minutes and a second's most, the middle one took 13 and the ninth in ten 19.
    let left = |whole: u64| whole * 60 - 300;
    let expected = json!({ "p50": left(13), "p90": left(19) });
    assert_eq!((&later.body["stage_seconds"], &later.body["remaining_seconds"]), (&json!(300), &expected));
    assert_eq!(first.headers["etag"], later.headers["etag"]);
    let unchanged = parties.buyer.call_with(
        ("GET", &path),
        ("if-none-match", first.headers["etag"].to_str().unwrap()),
        &Value::Null,
    );
    assert_eq!(unchanged.await.status, 304);
    for client in [&parties.partner, &parties.platform] {
        assert_eq!(client.read(&path).await, later.body, "the same for every reader");
    }
    let listed = parties.buyer.read("/api/v1/statuses").await;
    assert_eq!(listed["items"][0], later.body);
    let over = listed["items"].as_array().unwrap().iter().find(|status| status["phase"] == "delivery").unwrap();
    assert_eq!((&over["stage_seconds"], &over["remaining_seconds"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn a_command_is_answered_with_the_pace_of_its_time_whenever_it_is_sent_again() {
    let parties = start().await;
    parties.register("buyers", &json!({ "name": "Buyers", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "reviewer": "buyer", "escalation": { "to": ["platform"] } }] })).await;
    let mut ids = Vec::new();
    for _ in 0..21 {
        ids.push(parties.open("buyers").await);
    }
    let last = ids.pop().unwrap();
    for id in &ids {
        pass(&parties, TimeDelta::minutes(1));
        parties.buyer.done(id, &approve(at("a", 1, 0), "")).await;
    }
    let question = json!({ "id": new_id(), "type": "stage_escalated", "stage": "a", "round": 1, "revision": 0, "to": "platform", "reason": "May we?" });
    let other = parties.open("buyers").await;
    // Those of the running minute do not count yet.
    let dry = parties.buyer.call("POST", &format!("/api/v1/tasks/{other}/events?dry_run=true"), &question).await;
    assert_eq!(dry.body["task"]["remaining_seconds"], Value::Null, "{}", dry.text);
    pass(&parties, TimeDelta::minutes(1));
    let dry = parties.buyer.call("POST", &format!("/api/v1/tasks/{other}/events?dry_run=true"), &question).await;
    let told =
        |answer: &Value| (answer["status"]["stage_seconds"].clone(), answer["status"]["remaining_seconds"].clone());
    assert_eq!(told(&dry.body), (json!(60), minutes(10, 18)), "{}", dry.text);
    let first = parties.buyer.done(&other, &question).await;
    assert_eq!(told(&first), told(&dry.body));
    // More is finished, time passes, another replica is asked.
    pass(&parties, TimeDelta::hours(5));
    parties.buyer.done(&last, &approve(at("a", 1, 0), "")).await;
    pass(&parties, TimeDelta::minutes(2));
    let replica = Service::replica(&parties.service.db, &parties.service.clock).await;
    for client in [parties.buyer.clone(), parties.buyer.at(&replica)] {
        let again = client.send(&other, &question).await;
        assert_eq!((again.status, &again.body), (200, &first));
    }
}

#[tokio::test]
async fn nothing_is_said_of_what_remains_before_twenty_are_finished() {
    let parties = start().await;
    deliver_each_minute(&parties, 19).await;
    let id = parties.open(FLOW).await;
    assert_eq!(pace(&parties, &id).await, (0, Value::Null));
    let another = parties.open(FLOW).await;
    pass(&parties, TimeDelta::minutes(20));
    deliver(&parties, &another).await;
    // One that was not delivered says nothing.
    let cancelled = parties.open(FLOW).await;
    parties.buyer.done(&cancelled, &cancel()).await;
    let id = parties.open(FLOW).await;
    assert_eq!(pace(&parties, &id).await, (0, Value::Null), "what was finished counts from the next minute on");
    pass(&parties, TimeDelta::minutes(1));
    assert_eq!(pace(&parties, &id).await, (60, minutes(11 - 1, 19 - 1)));
    // Older than all but three of those that were finished.
    pass(&parties, TimeDelta::minutes(16));
    assert_eq!(pace(&parties, &id).await, (17 * 60, Value::Null));
    // Another version has its own.
    let stage = |key: &str| json!({ "key": key, "name": key, "buyer_label": key });
    parties.register(FLOW, &json!({ "name": "Flow, anew", "stages": [stage("a"), stage("b")] })).await;
    let newer = parties.open(FLOW).await;
    assert_eq!(pace(&parties, &newer).await, (0, Value::Null));
}

#[tokio::test]
async fn polling_reads_the_finished_tasks_once_a_minute() {
    let parties = start().await;
    deliver_each_minute(&parties, 20).await;
    let id = parties.open(FLOW).await;
    assert_eq!(pace(&parties, &id).await.1, minutes(10, 18));
    let mut owner = parties.service.db.owner().await;
    let set = |to: &str, from: &str| AssertSqlSafe(format!("update tasks set phase = '{to}' where phase = '{from}'"));
    sqlx::query(set("expired", "delivery")).execute(&mut owner).await.unwrap();
    // Somewhere in a minute the version is read again, and finds nothing. From there on a minute passes between two
    // looks.
    let mut waited = 0;
    while pace(&parties, &id).await.1 != Value::Null {
        assert!(waited < 60);
        pass(&parties, TimeDelta::seconds(1));
        waited += 1;
    }
    sqlx::query(set("delivery", "expired")).execute(&mut owner).await.unwrap();
    pass(&parties, TimeDelta::seconds(59));
    assert_eq!(pace(&parties, &id).await, (waited + 59, Value::Null));
    pass(&parties, TimeDelta::seconds(1));
    assert!(pace(&parties, &id).await.1.is_object());
}

#[tokio::test]
async fn a_simulated_task_has_a_pace_too() {
    let parties = start().await;
    let simulation = json!({ "opened_at": "2027-01-15T08:00:00Z", "commands": [
        with(approve(at("a", 1, 0), "u-1"), &json!({ "at": "2027-01-15T09:00:00Z", "party": "partner" })),
        with(update("On it"), &json!({ "at": "2027-01-15T09:00:30Z", "party": "partner" })),
    ] });
    let answer = parties.partner.call("POST", &format!("/api/v1/workflows/{FLOW}/simulate"), &simulation).await;
    let steps = answer.body["steps"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).iter();
    let told = steps.map(|step| (step["status"]["stage_seconds"].clone(), step["status"]["remaining_seconds"].clone()));
    assert_eq!(told.collect::<Vec<_>>(), [0, 0, 30].map(|seconds| (json!(seconds), Value::Null)));
}
