//! Timers: what each does when its time comes, and that it does so once, whoever else is at work.

mod faults;
mod races;
mod world;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use stagegate::app::App;
use stagegate::ids;
use stagegate::worker::timers::Timers;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::database::TestDb;
use crate::harness::process;
use crate::harness::service::PLATFORM_KEY;
use crate::harness::waiting::{PATIENCE, until};

use self::world::{ToText as _, World, fail, hour, opening};

#[tokio::test]
async fn a_stage_that_is_overdue_ends_as_its_definition_says() {
    let cases: [(Value, &str, &[&str]); 5] = [
        (json!({ "action": "none" }), "in_review", &["deadline_passed"]),
        (json!({ "action": "escalate", "to": "platform" }), "escalated", &["deadline_passed", "stage_escalated"]),
        (json!({ "action": "reject" }), "preparing", &["deadline_passed", "stage_rejected", "stage_entered"]),
        (json!({ "action": "approve" }), "delivery", &["deadline_passed", "stage_approved", "workflow_completed"]),
        (fail(), "failed", &["deadline_passed", "review_withdrawn", "workflow_failed"]),
    ];
    for (on_timeout, phase, events) in cases {
        let world = World::new(&hour(&on_timeout)).await;
        let task = world.open().await;
        assert_eq!(world.fired_at(44).await, 0);
        assert_eq!(world.fired_at(45).await, 1, "the reminder");
        assert_eq!(world.fired_at(59).await, 0);
        assert_eq!(world.fired_at(60).await, 1, "{on_timeout}");
        assert_eq!(world.phase(&task).await, phase, "{on_timeout}");
        assert_eq!(world.trail(&task).await, [&["deadline_reminded"], events].concat(), "{on_timeout}");
        assert_eq!(world.fired_at(61).await, 0, "{on_timeout}");
    }
}

#[tokio::test]
async fn timers_that_were_missed_are_handled_in_their_order() {
    let world = World::new(&hour(&fail())).await;
    let task = world.open().await;
    assert_eq!(world.fired_at(500).await, 2);
    assert_eq!(world.trail(&task).await[..2], ["deadline_reminded", "deadline_passed"]);
}

#[tokio::test]
async fn an_escalation_that_nobody_answers_moves_on_from_desk_to_desk() {
    let world = World::new(&hour(&json!({ "action": "escalate", "to": "platform" }))).await;
    let task = world.open().await;
    let desk = async || world.column(&task, "waiting_on").await;
    assert_eq!((world.fired_at(60).await, desk().await), (2, "platform".into()));
    assert_eq!((world.fired_at(119).await, desk().await), (0, "platform".into()));
    assert_eq!((world.fired_at(120).await, desk().await), (1, "buyer".into()));
    // A time-out that names the silent holder gives it to the platform, without a clock.
    assert_eq!((world.fired_at(180).await, desk().await), (1, "platform".into()));
    assert_eq!((world.fired_at(1439).await, desk().await), (0, "platform".into()));
    assert_eq!((world.fired_at(1440).await, world.phase(&task).await), (1, "expired".into()));
}

#[tokio::test]
async fn a_hold_stops_the_stage_and_never_the_task() {
    let world = World::new(&hour(&fail())).await;
    let (task, held) = (world.open().await, world.open().await);
    world.at(30);
    for task in [&task, &held] {
        world.command(task, &json!({ "type": "held", "reason": "The client is away" })).await;
    }
    assert_eq!(world.fired_at(300).await, 0);
    world.command(&task, &json!({ "type": "resumed" })).await;
    assert_eq!(world.fired_at(314).await, 0);
    assert_eq!(world.fired_at(315).await, 1, "the reminder, with what was left");
    assert_eq!(world.fired_at(329).await, 0);
    assert_eq!((world.fired_at(330).await, world.phase(&task).await), (1, "failed".into()));
    assert_eq!((world.fired_at(1439).await, world.phase(&held).await), (0, "on_hold".into()));
    assert_eq!((world.fired_at(1440).await, world.phase(&held).await), (1, "expired".into()));
}

#[tokio::test]
async fn a_grace_ends_in_cancellation() {
    let world = World::new(&hour(&fail())).await;
    let task = world.open().await;
    world.command(&task, &json!({ "type": "cancellation_requested", "reason": "Not needed any more" })).await;
    assert_eq!((world.fired_at(29).await, world.phase(&task).await), (0, "cancelling".into()));
    assert_eq!((world.fired_at(30).await, world.phase(&task).await), (1, "cancelled".into()));
    assert_eq!(world.trail(&task).await, ["cancellation_requested", "review_withdrawn", "workflow_cancelled"]);
    assert_eq!(world.fired_at(3000).await, 0);
}

#[tokio::test]
async fn two_replicas_handle_every_timer_once() {
    let world = World::new(&hour(&fail())).await;
    for _ in 0..200 {
        world.open().await;
    }
    let other = Timers::new(Arc::new(App::new(world.service.db.pool.clone(), world.service.clock.clone())));
    world.at(60);
    let (one, two) = tokio::join!(world.timers.run_due(), other.run_due());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one + two, 400, "{one} and {two}");
    assert!(one > 50 && two > 50, "they share the work: {one} and {two}");
    let counts = world.counts().await;
    for event in ["deadline_reminded", "deadline_passed", "review_withdrawn", "workflow_failed"] {
        assert_eq!(counts[event], 200, "{event}");
    }
    assert_eq!(world.timers.run_due().await.unwrap(), 0);
}

#[tokio::test]
async fn a_task_that_cannot_be_read_stops_no_other() {
    let world = World::new(&hour(&fail())).await;
    let (damaged, newer, sound) = (world.open().await, world.open().await, world.open().await);
    let mut owner = world.service.db.owner().await;
    let state: String = world.column(&damaged, "state").await;
    for (set, task) in [("state = '{}'", &damaged), ("format = 99", &newer)] {
        let statement = format!("update tasks set {set}, wake_at = '2020-01-01' where task_id = '{task}'");
        sqlx::query(AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
    }
    assert_eq!((world.fired_at(60).await, world.phase(&sound).await), (2, "failed".into()));
    // It is left alone for a while, and done once it can be.
    let statement = format!("update tasks set state = '{state}' where task_id = '{damaged}'");
    sqlx::query(AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
    assert_eq!(world.timers.run_due().await.unwrap(), 0);
    assert_eq!((world.fired_at(61).await, world.phase(&damaged).await), (2, "failed".into()));
    assert_eq!(world.phase(&newer).await, "in_review");
}

#[tokio::test]
async fn what_became_due_while_the_database_was_away_is_done_when_it_is_back() {
    let world = World::new(&hour(&fail())).await;
    let task = world.open().await;
    world.at(60);
    let name = world.service.db.owner.get_database().unwrap();
    let mut admin = PgConnection::connect_with(&world.service.db.owner.clone().database("postgres")).await.unwrap();
    let allow = |allowed: bool| AssertSqlSafe(format!("alter database {name} with allow_connections {allowed}"));
    sqlx::query(allow(false)).execute(&mut admin).await.unwrap();
    let end = format!("select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{name}'");
    sqlx::query(AssertSqlSafe(end)).execute(&mut admin).await.unwrap();
    assert!(world.timers.run_due().await.is_err());

    let (app, timers) = (Arc::clone(&world.app), Timers::new(Arc::clone(&world.app)));
    let worker = tokio::spawn(async move { timers.run().await });
    sqlx::query(allow(true)).execute(&mut admin).await.unwrap();
    // Not through the pool, whose connections may still be the dead ones.
    let mut owner = world.service.db.owner().await;
    let phase = format!("select phase from tasks where task_id = '{task}'");
    let done = async {
        while sqlx::query_scalar::<_, String>(AssertSqlSafe(phase.clone())).fetch_one(&mut owner).await.unwrap()
            != "failed"
        {}
    };
    timeout(PATIENCE, done).await.unwrap();
    app.drain();
    timeout(PATIENCE, worker).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_running_service_wakes_by_itself() {
    let db = TestDb::new().await;
    let url = sqlx::ConnectOptions::to_url_lossy(&db.owner).to_string();
    // A line for each request would fill the pipe that nobody reads.
    let base = [
        "serve",
        "--log",
        "warn",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "127.0.0.1:0",
        "--pool-size",
        "3",
        "--platform-keys",
        PLATFORM_KEY,
    ];
    let mut service = process::stagegate(&[&base[..], &["--database-url", &url]].concat(), Path::new("/nonexistent"));
    let (metrics, address) = process::addresses(&mut service).await;
    let platform = async |method, path: &str, body: &Value| call(&address, method, path, PLATFORM_KEY, body).await;

    let partner = platform("POST", "/api/v1/partners", &json!({ "name": "Northwind" })).await["id"].to_text();
    let key = platform("POST", &format!("/api/v1/partners/{partner}/keys"), &Value::Null).await["key"].to_text();
    let mut definition = hour(&fail());
    definition["stages"][0]["deadline"] = json!({ "within": "PT1S", "on_timeout": { "action": "fail" } });
    call(&address, "PUT", "/api/v1/workflows/flow", &key, &definition).await;
    let task = ids::new().to_string();
    platform("POST", "/api/v1/tasks", &opening(&task, &partner)).await;
    let failed = async {
        loop {
            let status = platform("GET", &format!("/api/v1/tasks/{task}/status"), &Value::Null).await;
            if status["phase"] == "failed" {
                return;
            }
            assert_eq!(status["phase"], "in_review", "{status}");
        }
    };
    timeout(PATIENCE, failed).await.unwrap();
    let early = "select updated_at < opened_at + interval '1 second' from tasks";
    assert!(!sqlx::query_scalar::<_, bool>(early).fetch_one(&db.pool).await.unwrap(), "not before its time");
    let trail = "select string_agg(substr(type, 6), ' ' order by seq) from task_events where seq > 2";
    let trail: String = sqlx::query_scalar(trail).fetch_one(&db.pool).await.unwrap();
    assert_eq!(trail, "deadline_passed review_withdrawn workflow_failed");
    // It is counted once the worker has the answer of the database, which others can see before.
    until("it is counted", async || {
        let shown = exchange(&metrics, "GET", "/metrics", "", &Value::Null).await;
        shown.contains("stagegate_timers_fired_total 1\n")
    })
    .await;
    process::terminate(&mut service).await;
}

async fn call(address: &str, method: &str, path: &str, credential: &str, body: &Value) -> Value {
    let answer = exchange(address, method, path, credential, body).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 20"), "{method} {path}: {answer}");
    serde_json::from_str(body).unwrap()
}

/// One request over a connection of its own; the whole answer.
async fn exchange(address: &str, method: &str, path: &str, credential: &str, body: &Value) -> String {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {credential}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}
