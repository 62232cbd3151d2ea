//! Ten thousand tasks are put away beside thirty-two writers, which takes more than a minute, most of it to open the
//! tasks. `STAGEGATE_TEST_ARCHIVED` sets another number.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use stagegate::app::App;
use stagegate::check::{Verdict, With, verify};
use stagegate::http::HttpService;
use stagegate::worker::retention::Retention;
use stagegate::worker::timers::Timers;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::world::World;
use crate::harness::commands::update;
use crate::harness::parties::{events, new_id};
use crate::harness::service::Service;
use crate::harness::settings::setting;

const WRITERS: usize = 32;

/// How many tasks are put away.
fn tasks_to_archive() -> usize {
    setting("STAGEGATE_TEST_ARCHIVED").map_or(10_000, |tasks| tasks.parse().unwrap())
}

/// Sends a request without comparing the answer with the contract, which takes longer than the service.
async fn post(router: &HttpService, path: &str, credential: &str, body: String) -> (u16, String) {
    let request = Request::post(path).header("host", "stagegate.test").header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {credential}")).body(Body::from(body)).unwrap();
    let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    (head.status.as_u16(), String::from_utf8(to_bytes(body, 1_000_000).await.unwrap().to_vec()).unwrap())
}

/// Opens so many tasks that end an hour later, with six events each.
async fn open_and_end(world: &World, (app, router): (&Arc<App>, &HttpService), tasks: usize) {
    let parties = &world.parties;
    let stage = json!({ "key": "only", "name": "Only", "buyer_label": "In review",
        "deadline": { "within": "PT1H", "on_timeout": { "action": "fail" } } });
    parties.register("short", &json!({ "name": "Short", "stages": [stage] })).await;
    let opened = stream::iter(0..tasks).map(async |_| {
        let opening = parties.opening(&new_id(), "short").to_string();
        post(router, "/api/v1/tasks", &parties.platform.credential, opening).await
    });
    let opened = opened.buffer_unordered(16).filter(|answer| std::future::ready(answer.0 == 201)).count().await;
    assert_eq!(opened, tasks);
    parties.pass(2);
    let timers = Timers::new(Arc::clone(app));
    while timers.run_due().await.unwrap() > 0 {}
}

/// A writer with a task of its own: it reports until it is stopped; how often it did.
async fn write(router: HttpService, credential: String, task: String, stop: Arc<AtomicBool>) -> u64 {
    let mut written = 0;
    while !stop.load(Ordering::SeqCst) && written < 900 {
        let command = update(&format!("step {written}")).to_string();
        let (status, text) = post(&router, &events(&task), &credential, command).await;
        assert_eq!(status, 201, "{text}");
        written += 1;
    }
    written
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_are_put_away_beside_thirty_two_writers() {
    let (world, count) = (World::start().await, tasks_to_archive());
    let parties = &world.parties;
    let app = world.wide_app(16).await;
    let router = Service::router_of(&app).await;
    open_and_end(&world, (&app, &router), count).await;
    world.log().await;
    world.pass(31);
    let mut tasks = Vec::new();
    for _ in 0..WRITERS {
        tasks.push(parties.open("brand-campaign").await);
    }
    let events_before = world.scalar("select count(*) from task_events").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for task in &tasks {
        writers.spawn(write(router.clone(), parties.partner.credential.clone(), task.clone(), Arc::clone(&stop)));
    }
    let worker = Retention::new(Arc::clone(&app));
    let mut archived = 0;
    while archived < count as u64 {
        archived += worker.run_due().await.unwrap();
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::SeqCst);
    let written = writers.join_all().await;
    assert!(written.iter().all(|written| *written > 0), "{written:?}");
    let rows = i64::try_from(count).unwrap();
    // Nothing that was acknowledged is missing, and nothing else is left.
    let written = i64::try_from(written.iter().sum::<u64>()).unwrap();
    let gone = world.scalar("select sum(version)::bigint from archived_tasks").await;
    assert_eq!(world.scalar("select count(*) from task_events").await, events_before + written - gone);
    assert_eq!(world.scalar("select count(*) from tasks").await, i64::try_from(WRITERS).unwrap());
    assert_eq!(world.scalar("select count(*) from archived_tasks").await, rows);
    assert_eq!(world.scalar("select count(*) from archive_writes").await, 0);
    assert_eq!(world.scalar("select count(*) from feed_starts").await, 2, "the partner's and the platform's");
    let heads = "select count(*) from archived_tasks a join audit_leaves l
        on (l.subject, l.subject_id, l.seq, l.head) = ('task', a.task_id, a.version, a.head_hash)";
    assert_eq!(world.scalar(heads).await, rows);
    check_files(&world, count).await;
}

/// The program verifies every file, the slower verifier ten of them.
async fn check_files(world: &World, count: usize) {
    let files = world.files();
    assert_eq!(files.len(), count);
    let key = world.parties.buyer.get("/.well-known/stagegate-audit-key").await.text;
    let trusted = With { keys: key.lines().map(str::to_owned).collect(), ..With::default() }.load().unwrap();
    let mut said = Vec::new();
    for file in &files {
        let verdict = verify(&world.dir.join(file), &trusted, &mut said).unwrap();
        assert_eq!(verdict, Verdict::Sound, "{}", String::from_utf8_lossy(&said));
        said.clear();
    }
    for file in files.iter().step_by(count.div_ceil(10)) {
        world.assert_verifies(&fs::read_to_string(world.dir.join(file)).unwrap()).await;
    }
}
