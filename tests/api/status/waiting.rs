//! Waiting for a status to change: long polls and streams, on one replica and across two.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::PgConnection;
use stagegate::app::audit::transparency_log::Keys;
use stagegate::app::{App, Options};
use stagegate::http::serve::server::{ConnectionLimits, serve};
use stagegate::worker::watchers::Watchers;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::harness::commands::{cancel, update, with};
use crate::harness::parties::{Client, Parties, code, text};
use crate::harness::service::{Answer, buyer_token, router_with_heartbeat};
use crate::harness::streams::Stream;
use crate::harness::waiting::{PATIENCE, until};
use crate::store::statements::Statements;

const OFTEN: Duration = Duration::from_millis(5);

#[tokio::test]
async fn a_wait_ends_with_the_change() {
    let (parties, task) = in_legal().await;
    let app = run(&parties.service.app);
    for (client, message) in [(&parties.buyer, "one"), (&parties.partner, "two"), (&parties.platform, "three")] {
        let version = version(&parties, &task).await;
        let waiting = wait(client, &task, version);
        until_watched(&app, 1).await;
        parties.partner.done(&task, &update(message)).await;
        let answer = waiting.await.unwrap();
        assert_eq!((answer.status, &answer.body["message"]), (200, &json!(message)));
        assert_eq!(answer.body, parties.status(&task).await);
        assert_eq!(answer.headers["etag"], format!("\"{}\"", version + 1));
        assert_eq!(app.statuses.watchers.count(), (0, 0));
    }
}

#[tokio::test]
async fn who_does_not_have_the_present_status_does_not_wait() {
    let (parties, task) = in_legal().await;
    let version = version(&parties, &task).await;
    let path = format!("/api/v1/tasks/{task}/status?wait=55");
    assert_eq!(parties.buyer.get(&path).await.status, 200, "without If-None-Match");
    for (tag, expected) in [(version - 1, 200), (version + 1, 200), (u64::MAX, 200)] {
        assert_eq!(wait(&parties.buyer, &task, tag).await.unwrap().status, expected, "{tag}");
    }
    let weak = format!("W/\"{version}\"");
    let path = path.replace("wait=55", "wait=0");
    let answer = parties.buyer.call_with(("GET", &path), ("if-none-match", &weak), &Value::Null).await;
    assert_eq!(answer.status, 304, "no time to wait");
    parties.platform.done(&task, &with(cancel(), &json!({ "immediate": true }))).await;
    let last = self::version(&parties, &task).await;
    assert_eq!(wait(&parties.buyer, &task, last).await.unwrap().status, 304, "it is over");
    assert_eq!(parties.service.app.statuses.watchers.count(), (0, 0));
}

#[tokio::test]
async fn what_is_somebody_elses_is_not_waited_for() {
    let (parties, task) = in_legal().await;
    let version = version(&parties, &task).await;
    for stranger in [parties.another_buyer(), parties.another_partner().await] {
        let answer = wait(&stranger, &task, version).await.unwrap();
        assert_eq!((answer.status, code(&answer)), (404, "not_found"));
        let answer = stranger.get(&format!("/api/v1/tasks/{task}/status/stream")).await;
        assert_eq!((answer.status, code(&answer)), (404, "not_found"));
    }
    assert_eq!(parties.service.app.statuses.watchers.count(), (0, 0));
}

#[tokio::test]
async fn another_replica_hears_of_it_at_once() {
    let (parties, task) = in_legal().await;
    run(&parties.service.app);
    let (app, router) = parties.service.replica_with(Keys::default()).await;
    // It hears and reads, and never looks by itself.
    let other = Arc::clone(&app);
    tokio::spawn(
        async move { tokio::join!(other.statuses.replication.listen(), other.statuses.replication.refresh()) },
    );
    let mut owner = parties.service.db.owner().await;
    while listeners(&mut owner).await.len() < 2 {}
    wakes(&parties, &parties.buyer.at(&router), &app, &task).await;
}

#[tokio::test]
async fn a_replica_that_hears_nothing_looks() {
    let (parties, task) = in_legal().await;
    run(&parties.service.app);
    let (app, router) = parties.service.replica_with(Keys::default()).await;
    let other = Arc::clone(&app);
    tokio::spawn(async move { tokio::join!(other.statuses.replication.look(), other.statuses.replication.refresh()) });
    wakes(&parties, &parties.buyer.at(&router), &app, &task).await;
}

#[tokio::test]
async fn a_connection_that_is_lost_loses_no_change() {
    let (parties, task) = in_legal().await;
    run(&parties.service.app);
    let (app, router) = parties.service.replica_with(Keys::default()).await;
    run(&app);
    let (mut owner, client) = (parties.service.db.owner().await, parties.buyer.at(&router));
    for _ in 0..3 {
        let listening = loop {
            let listening = listeners(&mut owner).await;
            if listening.len() == 2 {
                break listening;
            }
        };
        let version = version(&parties, &task).await;
        let waiting = wait(&client, &task, version);
        until_watched(&app, 1).await;
        for pid in &listening {
            sqlx::query("select pg_terminate_backend($1)").bind(pid).execute(&mut owner).await.unwrap();
        }
        parties.partner.done(&task, &update(&version.to_string())).await;
        assert_eq!(waiting.await.unwrap().status, 200);
        while listeners(&mut owner).await.iter().any(|pid| listening.contains(pid)) {}
    }
    wakes(&parties, &client, &app, &task).await;
}

#[tokio::test]
async fn time_never_runs_backwards() {
    let (parties, task) = in_legal().await;
    let (app, router) = parties.service.replica_with(Keys::default()).await;
    let client = parties.buyer.at(&router);
    let old = version(&parties, &task).await;
    // Nothing wakes this replica: it goes on knowing the old status.
    let waiting = wait(&client, &task, old);
    until_watched(&app, 1).await;
    parties.partner.done(&task, &update("one")).await;
    let new = version(&parties, &task).await;
    let second = wait(&client, &task, new);
    // Who has seen more than the replica makes it look, and so wakes the others.
    assert_eq!(waiting.await.unwrap().body["version"], new);
    assert!(!second.is_finished(), "it has the newest, and waits");
    second.abort();
}

#[tokio::test]
async fn a_stream_tells_each_change_and_resumes() {
    let (parties, task) = in_legal().await;
    let app = run(&parties.service.app);
    let path = format!("/api/v1/tasks/{task}/status/stream");
    let mut stream = Stream::open(&parties.buyer, &path, "").await;
    assert_eq!(stream.headers["cache-control"], "private, no-cache");
    let (first, told) = parse(&stream.next().await.unwrap());
    assert_eq!(told, parties.status(&task).await);
    parties.partner.done(&task, &update("one")).await;
    let (second, told) = parse(&stream.next().await.unwrap());
    assert_eq!((second, &told["message"]), (first + 1, &json!("one")));
    // Who reads slowly gets the latest alone.
    for message in ["two", "three", "four"] {
        parties.partner.done(&task, &update(message)).await;
    }
    let mut resumed = Stream::open(&parties.buyer, &path, &second.to_string()).await;
    assert_eq!(parse(&resumed.next().await.unwrap()).1["message"], "four");
    while parse(&stream.next().await.unwrap()).1["message"] != "four" {}
    drop((stream, resumed));
    let mut resumed = Stream::open(&parties.buyer, &path, &(second + 3).to_string()).await;
    parties.partner.done(&task, &update("five")).await;
    assert_eq!(parse(&resumed.next().await.unwrap()).1["message"], "five", "what it had does not come again");
    let mut unknown = Stream::open(&parties.buyer, &path, "x").await;
    assert_eq!(parse(&unknown.next().await.unwrap()).1["message"], "five");
    drop((resumed, unknown));
    assert_eq!(app.statuses.watchers.count(), (0, 0));
}

#[tokio::test]
async fn a_stream_ends_with_the_task() {
    let parties = Parties::start().await;
    let app = run(&parties.service.app);
    let task = parties.open("brand-campaign").await;
    let path = format!("/api/v1/tasks/{task}/status/stream");
    let mut stream = Stream::open(&parties.buyer, &path, "").await;
    assert_eq!(parse(&stream.next().await.unwrap()).1["phase"], "preparing");
    parties.buyer.done(&task, &cancel()).await;
    let (version, told) = parse(&stream.next().await.unwrap());
    assert_eq!((told["phase"].as_str(), stream.next().await), (Some("cancelled"), None));
    let mut again = Stream::open(&parties.buyer, &path, "").await;
    assert_eq!((parse(&again.next().await.unwrap()).0, again.next().await), (version, None));
    let stop = parties.buyer.call_with(("GET", &path), ("last-event-id", &version.to_string()), &Value::Null).await;
    assert_eq!(stop.status, 204, "browsers do not reconnect");
    drop((stream, again));
    assert_eq!(app.statuses.watchers.count(), (0, 0));
}

#[tokio::test]
async fn a_service_that_stops_lets_everybody_go() {
    let (parties, task) = in_legal().await;
    let app = Arc::clone(&parties.service.app);
    let worker = tokio::spawn({
        let worker = Watchers::new(Arc::clone(&app));
        async move { worker.run().await }
    });
    let version = version(&parties, &task).await;
    let waiting = wait(&parties.buyer, &task, version);
    let path = format!("/api/v1/tasks/{task}/status/stream");
    let mut stream = Stream::open(&parties.buyer, &path, &version.to_string()).await;
    until_watched(&app, 2).await;
    app.drain();
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, &answer.headers["connection"]), (304, &"close".parse().unwrap()));
    let retry = stream.next().await.unwrap();
    let pause: u64 = retry.strip_prefix("retry: ").unwrap().trim_end().parse().unwrap();
    assert!((500..2_500).contains(&pause) && retry.ends_with("\n\n"), "{retry:?}");
    assert_eq!(stream.next().await, None);
    // Whoever comes now is not held.
    assert_eq!(wait(&parties.buyer, &task, version).await.unwrap().status, 304);
    let mut late = Stream::open(&parties.buyer, &path, "").await;
    assert_eq!(parse(&late.next().await.unwrap()).0, version);
    assert!(late.next().await.unwrap().starts_with("retry: "));
    timeout(PATIENCE, worker).await.unwrap().unwrap();
    drop((stream, late));
    assert_eq!(app.statuses.watchers.count(), (0, 0));
}

#[tokio::test]
async fn nothing_outlasts_its_token() {
    let (parties, task) = in_legal().await;
    let app = run(&parties.service.app);
    let router = router_with_heartbeat(&app, OFTEN).await;
    // With the leeway of 30 s it is accepted for an hour.
    let expiry = parties.service.clock.now().utc().timestamp() + 3570;
    let credential = buyer_token(&parties.buyer_id, expiry);
    let buyer = Client { router, credential };
    let version = version(&parties, &task).await;
    let mut stream = Stream::open(&buyer, &format!("/api/v1/tasks/{task}/status/stream"), "").await;
    assert_eq!(parse(&stream.next().await.unwrap()).0, version);
    assert_eq!(stream.next().await.as_deref(), Some(":\n\n"));
    let waiting = wait(&buyer, &task, version);
    until_watched(&app, 2).await;
    parties.pass(1);
    parties.partner.done(&task, &update("not for this token")).await;
    let last = stream.event().await.unwrap();
    assert!(last.starts_with("retry: "), "{last}");
    assert_eq!(stream.event().await, None);
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, code(&answer)), (401, "unauthorized"));
}

#[tokio::test]
async fn a_token_in_its_leeway_waits_and_streams_as_any_other() {
    let (parties, task) = in_legal().await;
    let app = run(&parties.service.app);
    let router = router_with_heartbeat(&app, OFTEN).await;
    let expiry = parties.service.clock.now().utc().timestamp() - 10;
    let buyer = Client { router, credential: buyer_token(&parties.buyer_id, expiry) };
    let version = version(&parties, &task).await;
    let mut stream = Stream::open(&buyer, &format!("/api/v1/tasks/{task}/status/stream"), "").await;
    assert_eq!(parse(&stream.next().await.unwrap()).0, version);
    for _ in 0..3 {
        assert_eq!(stream.next().await.as_deref(), Some(":\n\n"), "it goes on");
    }
    let waiting = wait(&buyer, &task, version);
    until_watched(&app, 2).await;
    parties.partner.done(&task, &update("for this token")).await;
    assert_eq!(parse(&stream.event().await.unwrap()).0, version + 1);
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, &answer.body["message"]), (200, &json!("for this token")));
}

#[tokio::test]
async fn nothing_outlasts_its_key() {
    let (parties, task) = in_legal().await;
    let app = run(&parties.service.app);
    let partner = parties.partner.at(&router_with_heartbeat(&app, OFTEN).await);
    let version = version(&parties, &task).await;
    let mut stream = Stream::open(&partner, &format!("/api/v1/tasks/{task}/status/stream"), "").await;
    assert_eq!(parse(&stream.next().await.unwrap()).0, version);
    assert_eq!(stream.next().await.as_deref(), Some(":\n\n"));
    let waiting = wait(&partner, &task, version);
    until_watched(&app, 2).await;
    let keys = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let key = parties.platform.read(&keys).await["items"][0]["id"].as_str().unwrap().to_owned();
    let revoked = parties.platform.call("DELETE", &format!("{keys}/{key}"), &Value::Null).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(stream.event().await, None, "within a heartbeat");
    parties.buyer.done(&task, &cancel()).await;
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, code(&answer)), (401, "unauthorized"));
}

#[tokio::test]
async fn nothing_outlasts_a_key_that_expires() {
    let (parties, task) = in_legal().await;
    let app = run(&parties.service.app);
    let keys = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let limits = json!({ "scopes": ["read"], "expires_at": parties.service.clock.now() + TimeDelta::hours(1) });
    let key = parties.platform.call("POST", &keys, &limits).await;
    assert_eq!(key.status, 201, "{}", key.text);
    let router = router_with_heartbeat(&app, OFTEN).await;
    let partner = Client { router, credential: text(&key.body["key"]) };
    let version = version(&parties, &task).await;
    let mut stream = Stream::open(&partner, &format!("/api/v1/tasks/{task}/status/stream"), "").await;
    assert_eq!(parse(&stream.next().await.unwrap()).0, version);
    let waiting = wait(&partner, &task, version);
    until_watched(&app, 2).await;
    parties.pass(1);
    parties.buyer.done(&task, &cancel()).await;
    let last = stream.event().await.unwrap();
    assert!(last.starts_with("retry: "), "not the status after the expiry: {last}");
    assert_eq!(stream.event().await, None);
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, code(&answer)), (401, "unauthorized"));
}

// On one thread, to which the log is confined.
#[tokio::test(flavor = "current_thread")]
async fn many_watchers_of_a_task_cost_one_read() {
    let (parties, task) = in_legal().await;
    let version = version(&parties, &task).await;
    let app = run(&parties.service.app);
    let statements = Statements::default();
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let log = tracing::subscriber::set_default(tracing_subscriber::registry().with(statements.clone()));
    let reads = || {
        let sent = statements.take();
        sent.into_iter().filter(|sent| sent.contains("jsonb_build_object('phase', phase")).count()
    };
    let waiting: Vec<_> = (0..60).map(|_| wait(&parties.buyer, &task, version)).collect();
    until_watched(&app, 60).await;
    parties.partner.done(&task, &update("news")).await;
    for answer in waiting {
        let answer = answer.await.unwrap();
        assert_eq!((answer.status, &answer.body["message"]), (200, &json!("news")));
    }
    let reads = reads();
    drop(log);
    assert!((1..=2).contains(&reads), "{reads} reads: one when they came, one for the change");
    assert_eq!(app.statuses.watchers.count(), (0, 0));
}

#[tokio::test]
async fn there_are_only_so_many_watchers() {
    let (parties, task) = in_legal().await;
    let service = &parties.service;
    let options = Options { max_watchers: 1, ..Options::default() };
    let app = App::with_options(service.db.pool.clone(), service.clock.clone(), options);
    let app = Arc::new(app);
    let buyer = parties.buyer.at(&router_with_heartbeat(&app, OFTEN).await);
    let path = format!("/api/v1/tasks/{task}/status/stream");
    let stream = Stream::open(&buyer, &path, "").await;
    let answer = buyer.get(&path).await;
    assert_eq!(
        (answer.status, code(&answer), &answer.headers["retry-after"]),
        (503, "overloaded", &"1".parse().unwrap())
    );
    let version = version(&parties, &task).await;
    assert_eq!(wait(&buyer, &task, version).await.unwrap().status, 503);
    assert_eq!(buyer.get(&format!("/api/v1/tasks/{task}/status")).await.status, 200, "reading goes on");
    drop(stream);
    drop(Stream::open(&buyer, &path, "").await);
    assert_eq!(app.statuses.watchers.count(), (0, 0));
}

#[tokio::test]
async fn one_caller_has_its_share_of_the_watchers_and_no_more() {
    let (parties, task) = in_legal().await;
    let service = &parties.service;
    let options = Options { max_watchers: 9, max_watchers_each: Some(2), ..Options::default() };
    let app = App::with_options(service.db.pool.clone(), service.clock.clone(), options);
    let router = router_with_heartbeat(&Arc::new(app), OFTEN).await;
    let (buyer, partner) = (parties.buyer.at(&router), parties.partner.at(&router));
    let path = format!("/api/v1/tasks/{task}/status/stream");
    let _held = [Stream::open(&buyer, &path, "").await, Stream::open(&buyer, &path, "").await];
    let version = version(&parties, &task).await;
    for answer in [buyer.get(&path).await, wait(&buyer, &task, version).await.unwrap()] {
        assert_eq!((answer.status, code(&answer)), (429, "too_many_at_once"), "{}", answer.text);
        assert_eq!(answer.headers["retry-after"], "1");
    }
    drop(Stream::open(&partner, &path, "").await);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing() {
    let (parties, task) = in_legal().await;
    let app = run(&parties.service.app);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ConnectionLimits { max_connections: 10, header_timeout: PATIENCE, drain_timeout: PATIENCE };
    tokio::spawn(serve(listener, parties.service.router.clone(), limits, std::future::pending()));
    let version = version(&parties, &task).await;
    let credential = &parties.buyer.credential;
    for (path, header) in [("status?wait=55", "if-none-match"), ("status/stream", "accept")] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /api/v1/tasks/{task}/{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {credential}\r\n{header}: \"{version}\"\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        if header == "accept" {
            let mut answer = Vec::new();
            while !String::from_utf8_lossy(&answer).contains("event: status\nid: ") {
                assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0);
            }
        }
        until_watched(&app, 1).await;
        drop(socket);
        until_watched(&app, 0).await;
    }
}

async fn in_legal() -> (Parties, String) {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    (parties, task)
}

/// Runs what wakes the watchers of this replica.
pub fn run(app: &Arc<App>) -> Arc<App> {
    let watchers = Watchers::new(Arc::clone(app));
    tokio::spawn(async move { watchers.run().await });
    Arc::clone(app)
}

async fn version(parties: &Parties, task: &str) -> u64 {
    parties.status(task).await["version"].as_u64().unwrap()
}

/// A long poll by whoever has this version.
fn wait(client: &Client, task: &str, version: u64) -> JoinHandle<Answer> {
    let (client, path) = (client.clone(), format!("/api/v1/tasks/{task}/status?wait=55"));
    let tag = format!("\"{version}\"");
    tokio::spawn(async move { client.call_with(("GET", &path), ("if-none-match", &tag), &Value::Null).await })
}

async fn until_watched(app: &App, watchers: usize) {
    until("so many wait", async || app.statuses.watchers.count().0 == watchers).await;
}

/// A change made on the first replica ends a wait of `client` on the other.
async fn wakes(parties: &Parties, client: &Client, app: &Arc<App>, task: &str) {
    let version = version(parties, task).await;
    let waiting = wait(client, task, version);
    until_watched(app, 1).await;
    parties.partner.done(task, &update("heard")).await;
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, &answer.body["message"]), (200, &json!("heard")));
    assert_eq!(app.statuses.watchers.count(), (0, 0));
}

async fn listeners(owner: &mut PgConnection) -> Vec<i32> {
    let listening = "select pid from pg_stat_activity where datname = current_database() and query like 'LISTEN %'";
    sqlx::query_scalar(listening).fetch_all(owner).await.unwrap()
}

/// The id and the data of an event.
fn parse(event: &str) -> (u64, Value) {
    let lines: Vec<&str> = event.strip_suffix("\n\n").unwrap().split('\n').collect();
    let [name, id, data] = lines[..] else { panic!("{event:?}") };
    assert_eq!(name, "event: status");
    let id = id.strip_prefix("id: ").unwrap().parse().unwrap();
    let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(data["version"], id);
    (id, data)
}
