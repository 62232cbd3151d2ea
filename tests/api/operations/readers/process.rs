//! The program with `STAGEGATE_READ_ONLY`: its settings, its metrics and its log.

use std::path::Path;

use serde_json::Value;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use super::World;
use crate::harness::balancer::Balancer;
use crate::harness::commands::update;
use crate::harness::parties::new_id;
use crate::harness::process;
use crate::harness::service::PLATFORM_KEY;
use crate::harness::settings::setting;
use crate::harness::waiting::{PATIENCE, until, until_some};

/// The value of a metric; `None` if it is not shown.
fn value(text: &str, metric: &str) -> Option<f64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    lines.next().map(|value| value.parse().unwrap())
}

/// Scrapes until the replay lag is as wanted.
async fn until_lag(metrics: &str, wanted: impl Fn(f64) -> bool) -> String {
    until_some("the replay lag is as wanted", async || {
        let text = process::fetch(&format!("http://{metrics}/metrics"), None).await;
        value(&text, "stagegate_database_replay_lag_seconds").is_some_and(&wanted).then_some(text)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_reads_from_a_standby_shows_its_lag_and_tells_of_a_promotion() {
    let world = World::start(&[]).await;
    let (mut service, metrics, address) = serve(&world.standby.options, &[("STAGEGATE_READ_ONLY", "true")]).await;
    process::fetch(&format!("http://{metrics}/ready"), None).await;
    process::fetch(&format!("http://{address}/api/v1/tasks"), Some(PLATFORM_KEY)).await;
    let text = until_lag(&metrics, |lag| lag == 0.0).await;
    for name in ["timers_oldest_due_age_seconds", "webhooks_pending", "timers_lag_seconds", "webhooks_lag_seconds"] {
        assert_eq!(value(&text, &format!("stagegate_{name}")), None, "what writes is not its to show");
    }
    let pages = process::client(PATIENCE).get(format!("http://{address}/go/x")).send().await.unwrap();
    assert_eq!(pages.status(), 404);

    let task = world.parties.open("brand-campaign").await;
    world.standby.pause().await;
    world.parties.partner.done(&task, &update("x")).await;
    until_lag(&metrics, |lag| lag > 0.0).await;
    world.standby.resume().await;
    until_lag(&metrics, |lag| lag == 0.0).await;

    world.standby.promote().await;
    let mut log = BufReader::new(service.stderr.take().unwrap()).lines();
    let told = timeout(PATIENCE, async {
        while let Some(line) = log.next_line().await.unwrap() {
            if line.contains("no longer a standby") {
                return line;
            }
        }
        panic!("it ended");
    });
    let told = told.await.expect("the promotion is told");
    assert!(told.contains("only reads (STAGEGATE_READ_ONLY)"), "{told}");
    process::fetch(&format!("http://{metrics}/ready"), None).await;
    process::terminate(&mut service).await;
    world.stop().await;
}

/// Starts a service on this database, with these settings; what it is, and where: for operators, and for callers.
async fn serve(database: &PgConnectOptions, settings: &[(&str, &str)]) -> (Child, String, String) {
    let url = database.to_url_lossy().to_string();
    let common = [
        ("DATABASE_URL", url.as_str()),
        ("STAGEGATE_POOL_SIZE", "2"),
        ("STAGEGATE_PLATFORM_KEYS", PLATFORM_KEY),
        ("STAGEGATE_METRICS_LISTEN", "127.0.0.1:0"),
        ("STAGEGATE_LOG", "warn"),
    ];
    let arguments = ["serve", "--listen", "127.0.0.1:0"];
    let mut service = process::stagegate_with(&arguments, Path::new("/nonexistent"), &[&common, settings].concat());
    let (metrics, address) = process::addresses(&mut service).await;
    (service, metrics, address)
}

/// Asks the platform's question; the status and the body.
async fn ask(method: reqwest::Method, url: &str, body: &Value) -> (u16, Value) {
    let request = process::client(PATIENCE).request(method, url).bearer_auth(PLATFORM_KEY);
    let request = if body.is_null() { request } else { request.json(body) };
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_balancer_sends_reports_to_the_reader_and_all_else_to_the_writer() {
    if setting("STAGEGATE_TEST_PATRONI").is_none() {
        eprintln!("skipped: there is no HAProxy here; ./test installs it where apt-get is");
        return;
    }
    let world = World::start(&[]).await;
    let primary = &world.parties.service.db.owner;
    let (mut reader, reading, reader_at) = serve(&world.standby.options, &[("STAGEGATE_READ_ONLY", "true")]).await;
    let (mut writer, writing, writer_at) = serve(primary, &[("STAGEGATE_MIGRATE", "false")]).await;
    let balancer = Balancer::start((&reader_at, &reading), (&writer_at, &writing));
    let (get, at) = (reqwest::Method::GET, |path: &str| format!("{}/api/v1{path}", balancer.url));
    until_it_serves(&balancer.url).await;
    world.standby.pause().await;
    let id = new_id();
    let opened = ask(reqwest::Method::POST, &at("/tasks"), &world.parties.opening(&id, "brand-campaign")).await;
    assert_eq!(opened.0, 201, "{opened:?}");
    // The reports are those of the standby, which has no task yet; the task is that of the primary.
    let lists = async || {
        let tasks = ask(get.clone(), &at("/tasks"), &Value::Null).await;
        let events = ask(get.clone(), &at("/events"), &Value::Null).await;
        assert_eq!((tasks.0, events.0), (200, 200), "{tasks:?} {events:?}");
        (tasks.1["items"].as_array().unwrap().len(), events.1["items"].as_array().unwrap().len())
    };
    assert_eq!(lists().await, (0, 0));
    for path in [format!("/tasks/{id}"), format!("/tasks/{id}/status"), format!("/tasks/{id}/audit/export")] {
        assert_eq!(ask(get.clone(), &at(&path), &Value::Null).await.0, 200, "{path}");
    }
    world.standby.resume().await;
    assert_eq!(lists().await, (1, 2));
    // Without the reader, the writer answers.
    process::terminate(&mut reader).await;
    let answered = async || ask(get.clone(), &at("/tasks"), &Value::Null).await.0;
    until("the writer takes over", async || answered().await == 200).await;
    process::terminate(&mut writer).await;
    world.stop().await;
}

/// Waits until the balancer listens.
async fn until_it_serves(url: &str) {
    let client = process::client(PATIENCE);
    until("it listens", async || client.get(format!("{url}/health")).send().await.is_ok()).await;
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_named() {
    let nowhere = Path::new("/nonexistent");
    let url = ("DATABASE_URL", "postgres://nobody@localhost:1/none");
    for name in ["STAGEGATE_MIGRATE", "STAGEGATE_TIMERS", "STAGEGATE_DELIVERIES", "STAGEGATE_PAGES"] {
        let mut command = process::command(nowhere);
        let command = command.arg("serve").envs([url, ("STAGEGATE_READ_ONLY", "true"), (name, "true")]);
        let (started, said) = process::run(command).await;
        assert!(!started && said.contains(&format!("STAGEGATE_READ_ONLY and {name} are both true")), "{said}");
    }
    let mut command = process::command(nowhere);
    let (started, said) = process::run(command.arg("serve").env("STAGEGATE_READ_ONLY", "true")).await;
    assert!(!started && said.contains("STAGEGATE_READ_ONLY needs DATABASE_URL"), "{said}");
}
