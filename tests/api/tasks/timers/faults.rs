//! What the timers must withstand: services that are killed, clocks that disagree, many replicas, rows that nobody
//! can have.

use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _};
use stagegate::clock::Clock;
use stagegate::domain::task::event::Fact;
use stagegate::domain::values::time::Time;
use stagegate::ids;
use stagegate::worker::timers::Timers;
use tokio::time::timeout;

use crate::harness::process;
use crate::harness::service::{self, PLATFORM_KEY, Service};
use crate::harness::waiting::PATIENCE;

use super::world::{World, fail, hour, minute, opening};

/// What the two timers of a task in an hour's review leave behind.
const HOUR: &str = "deadline_reminded deadline_passed review_withdrawn workflow_failed";

#[tokio::test]
async fn a_service_that_is_killed_five_times_fires_every_timer_once() {
    const TASKS: i64 = 1000;
    let world = World::new(&hour(&fail())).await;
    // Long ago, so that everything is due for whoever goes by the machine's clock.
    world.service.clock.set(Time::from_micros(1_600_000_000_000_000));
    let mut tasks = Vec::new();
    for _ in 0..TASKS / 50 {
        tasks.extend(join_all((0..50).map(|_| world.open())).await);
    }
    let url = sqlx::ConnectOptions::to_url_lossy(&world.service.db.owner).to_string();
    let arguments = ["serve", "--log", "error", "--listen", "127.0.0.1:0", "--platform-keys", PLATFORM_KEY];
    let arguments = [&arguments[..], &["--pool-size", "4", "--database-url", &url]].concat();
    let mut owner = world.service.db.owner().await;
    let mut done = async || -> i64 {
        let query = "select count(*) from tasks where phase = 'failed'";
        sqlx::query_scalar(query).fetch_one(&mut owner).await.unwrap()
    };
    for kill in 1..=5 {
        let mut service = process::stagegate(&arguments, Path::new("/nonexistent"));
        let some_done = async { while done().await < 120 * kill {} };
        timeout(PATIENCE, some_done).await.unwrap();
        // SIGKILL.
        service.kill().await.unwrap();
        assert!(kill > 1 || done().await < TASKS, "it was killed when all was done");
    }
    let mut service = process::stagegate(&arguments, Path::new("/nonexistent"));
    let all_done = async { while done().await < TASKS {} };
    timeout(PATIENCE, all_done).await.unwrap();
    process::address(&mut service).await;
    process::terminate(&mut service).await;
    assert_eq!(world.trails().await, [(HOUR.to_owned(), TASKS)].into());
    for task in &tasks {
        assert_eq!(world.events(task).await.len(), 6);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_replicas_have_one_effect() {
    let world = World::new(&hour(&fail())).await;
    let clock = Clock::fixed(minute(60));
    let replicas = join_all((0..10).map(|_| world.replica(&clock, 2))).await;
    // One task, which all ten want; then many.
    for (many, in_all) in [(1_u64, 1), (100, 101)] {
        join_all((0..many).map(|_| world.open())).await;
        let fired = join_all(replicas.iter().map(Timers::run_due)).await;
        let fired: u64 = fired.into_iter().map(Result::unwrap).sum();
        // Who comes second to all of its part leaves the rest to the others.
        let left = world.replica(&clock, 2).await.run_due().await.unwrap();
        assert_eq!(fired + left, 2 * many);
        assert_eq!(world.trails().await, [(HOUR.to_owned(), in_all)].into());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::wildcard_enum_match_arm, reason = "every other event is no timer's own")]
async fn of_two_clocks_half_a_minute_apart_none_fires_earlier_than_the_faster_one_says() {
    let ahead = TimeDelta::seconds(30);
    let world = World::new(&hour(&json!({ "action": "escalate", "to": "platform" }))).await;
    let fast_clock = Clock::fixed(minute(0) + ahead);
    let fast = world.replica(&fast_clock, 4).await;
    let tasks = join_all((0..20).map(|_| world.open())).await;
    // Past reminder, deadline, two hand-overs and expiry, in steps that do not divide the difference.
    let (mut now, mut fired, end) = (minute(0), 0, minute(1441));
    while now < end {
        // Quickly through the times at which nothing is due.
        let near = [45, 60, 120, 180, 1440].iter().any(|due| (minute(*due) - now).abs() < TimeDelta::seconds(330));
        now = now + TimeDelta::seconds(if near { 13 } else { 300 });
        world.service.clock.set(now);
        fast_clock.set(now + ahead);
        let (slow, fast) = tokio::join!(world.timers.run_due(), fast.run_due());
        fired += slow.unwrap() + fast.unwrap();
    }
    let trail = "deadline_reminded deadline_passed stage_escalated deadline_passed stage_escalated \
        deadline_passed stage_escalated review_withdrawn workflow_expired";
    assert_eq!(world.trails().await, [(trail.to_owned(), 20)].into());
    assert_eq!(fired, 20 * 5, "each once");
    for task in &tasks {
        for event in world.events(task).await {
            let due = match event.fact {
                Fact::DeadlineReminded { due_at } => due_at - TimeDelta::minutes(15),
                Fact::DeadlinePassed { due_at, .. } => due_at,
                Fact::WorkflowExpired { .. } => minute(1440),
                _ => continue,
            };
            assert!(event.recorded_at >= due - ahead, "{event:?} is earlier than any clock");
        }
    }
}

#[tokio::test]
async fn a_row_that_somebody_else_has_locked_keeps_no_other_waiting() {
    let world = World::new(&hour(&fail())).await;
    let (locked, other) = (world.open().await, world.open().await);
    let mut owner = world.service.db.owner().await;
    let mut lock = owner.begin().await.unwrap();
    let statement = format!("select 1 from tasks where task_id = '{locked}' for update");
    sqlx::query(AssertSqlSafe(statement)).execute(&mut *lock).await.unwrap();
    world.at(60);
    assert_eq!(world.timers.run_due().await.unwrap(), 2, "those of the other");
    assert_eq!((world.phase(&other).await.as_str(), world.phase(&locked).await.as_str()), ("failed", "in_review"));
    lock.rollback().await.unwrap();
    assert_eq!((world.fired_at(61).await, world.phase(&locked).await), (2, "failed".into()));
}

#[tokio::test]
async fn any_number_of_tasks_that_cannot_be_read_leave_the_others_their_turn() {
    let world = World::new(&hour(&fail())).await;
    let model = world.open().await;
    let mut owner = world.service.db.owner().await;
    let copies = format!(
        "insert into tasks (task_id, partner_id, buyer_id, workflow_key, workflow_version, title, open_digest, opened_at, version,
            phase, stage, round, waiting_on, due_at, overdue, wake_at, format, state, notes, buyer_status, status_version, head_hash, updated_at)
         select gen_random_uuid(), partner_id, buyer_id, workflow_key, workflow_version, title, open_digest, opened_at, version,
            phase, stage, round, waiting_on, due_at, overdue, '2020-01-01', 99, state, notes, buyer_status, status_version, head_hash, updated_at
         from tasks, generate_series(1, 3000) where task_id = '{model}'"
    );
    sqlx::query(AssertSqlSafe(copies)).execute(&mut owner).await.unwrap();
    assert_eq!(world.fired_at(60).await, 2, "the one that can be read");
    // All of them are to be tried again now, and were due long before this one.
    world.at(0);
    let other = world.open().await;
    world.at(120);
    let (app, before) = (Arc::clone(&world.app), world.failed());
    let sweep = world.timers.run_due();
    let watch = async {
        while world.phase(&other).await != "failed" {}
        app.drain();
    };
    let (swept, ()) = tokio::join!(sweep, watch);
    assert_eq!(swept.unwrap(), 2);
    assert_eq!(before, 3000);
    assert!(world.failed() - before < 1500, "{} came first", world.failed() - before);
}

#[tokio::test]
async fn a_clock_that_is_put_back_stops_no_timer() {
    let world = World::new(&hour(&fail())).await;
    let app = Arc::clone(&world.service.app);
    let worker = Timers::new(Arc::clone(&app));
    let running = tokio::spawn(async move { worker.run().await });
    // Each time an hour and a half earlier: what its own replica writes rings for the worker, which then sees the
    // new time.
    for step in 1..=8 {
        world.at(1000 - 90 * step);
        world.open().await;
    }
    // What another replica writes, it finds by looking.
    let other = Service::replica(&world.service.db, &Clock::fixed(minute(100))).await;
    let id = ids::new().to_string();
    let opened = service::call(&other, "POST", "/api/v1/tasks", PLATFORM_KEY, &opening(&id, &world.partner)).await;
    assert_eq!(opened.status, 201);
    let fired = async { while world.phase(&id).await != "failed" {} };
    timeout(PATIENCE, fired).await.unwrap();
    app.drain();
    timeout(PATIENCE, running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_time_that_cannot_be_read_is_refused_and_where_it_is_stored_keeps_no_other_waiting() {
    let world = World::new(&hour(&fail())).await;
    let (bad, other) = (world.open().await, world.open().await);
    let mut owner = world.service.db.owner().await;
    for time in ["-infinity", "infinity", "200000-01-01"] {
        let spoil = format!("update tasks set wake_at = '{time}' where task_id = '{bad}'");
        let refused = sqlx::query(AssertSqlSafe(spoil.clone())).execute(&mut owner).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().constraint(), Some("tasks_times_are_real"), "{time}");
    }
    // As a row of before the constraint.
    sqlx::raw_sql("alter table tasks drop constraint tasks_times_are_real").execute(&mut owner).await.unwrap();
    let spoil = format!("update tasks set wake_at = '-infinity' where task_id = '{bad}'");
    sqlx::query(AssertSqlSafe(spoil)).execute(&mut owner).await.unwrap();
    world.at(60);
    assert_eq!(world.timers.run_due().await.unwrap(), 4, "those of both");
    assert_eq!((world.phase(&other).await.as_str(), world.phase(&bad).await.as_str()), ("failed", "failed"));
}
