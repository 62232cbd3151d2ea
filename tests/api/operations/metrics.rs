//! What operators see: the metrics, who holds the horizon still, and that the documentation names each metric.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use stagegate::app::operations::monitor::Held;
use stagegate::app::{App, Options};
use stagegate::clock::Clock;
use stagegate::embedded::Postgres;
use stagegate::http::{AppState, HttpService, Settings, operator_router};
use stagegate::store;
use stagegate::worker::checkpoints::Checkpoints;
use stagegate::worker::monitor::Monitor;
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::harness::commands::{cancel, update};
use crate::harness::database::{TestDb, connect, scratch_options};
use crate::harness::parties::{Parties, code};
use crate::harness::process::{addresses, fetch, stagegate_with, terminate};
use crate::harness::receiver::Receiver;
use crate::harness::service::{PLATFORM_KEY, audit_signer};
use crate::harness::waiting::{PATIENCE, until, until_some};

/// What the worker shows.
fn shown(worker: &Monitor) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    worker.register(&mut registry);
    encode(&mut text, &registry).unwrap();
    text
}

/// The value of a metric with its labels.
fn value(text: &str, metric: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {metric} in {text}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

fn pass(parties: &Parties, seconds: i64) {
    let clock = &parties.service.clock;
    clock.set(clock.now() + TimeDelta::seconds(seconds));
}

/// Keeps what is logged by this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Steps, a minute apart, until a transaction is reported; it must be this one. Other tests hold some for a moment.
async fn until_reported(clock: &Clock, worker: &Monitor, transaction: u64) -> Held {
    let reported = async {
        loop {
            let held = worker.step().await.unwrap();
            if let Some(held) = held.filter(|held| held.transaction == transaction) {
                return held;
            }
            clock.set(clock.now() + TimeDelta::seconds(61));
        }
    };
    timeout(PATIENCE, reported).await.expect("it is reported")
}

// On one thread, to which the log is confined.
#[tokio::test(flavor = "current_thread")]
async fn a_transaction_of_another_database_that_stays_open_is_seen_and_reported() {
    let parties = Parties::start().await;
    let worker = Monitor::new(Arc::clone(&parties.service.app));
    let elsewhere = TestDb::empty().await;
    let mut other = PgConnection::connect_with(&elsewhere).await.unwrap();
    sqlx::query("begin").execute(&mut other).await.unwrap();
    let begun = "select pg_current_xact_id()::text, pg_backend_pid(), current_database()::text -- \u{1b}[2J";
    let (transaction, pid, database): (String, i32, String) =
        sqlx::query_as(begun).fetch_one(&mut other).await.unwrap();
    // What is newer ends, so the older one is in its way.
    parties.open("brand-campaign").await;

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_ansi(false);
    let subscriber = subscriber.with_writer(move || writer.clone()).finish();
    // With a single subscriber in the process, what it thinks of a call site is kept for all threads.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let logging = tracing::subscriber::set_default(subscriber);
    let held = until_reported(&parties.service.clock, &worker, transaction.parse().unwrap()).await;
    drop(logging);
    assert_eq!((held.holder.pid, held.holder.database.as_ref()), (Some(pid), Some(&database)));
    assert!(held.holder.age.is_some_and(|age| age >= 0.0), "{held:?}");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let warning = log.lines().find(|line| line.contains(&transaction)).unwrap_or_else(|| panic!("{log}"));
    for part in [
        "WARN",
        &format!("process {pid} of database {database:?}"),
        "state \"idle in transaction\"",
        "select pg_current_xact_id()",
        "\\u{1b}[2J",
    ] {
        assert!(warning.contains(part), "no {part} in {warning}");
    }
    // Not again within a minute; the gauges grow by the clock.
    assert_eq!(worker.step().await.unwrap(), None);
    let before = value(&shown(&worker), "horizon_age_seconds");
    assert!(before >= 60.0, "{before}");
    pass(&parties, 30);
    assert_eq!(worker.step().await.unwrap(), None);
    let text = shown(&worker);
    assert!((value(&text, "horizon_age_seconds") - before - 30.0).abs() < 0.001, "{text}");
    assert!(value(&text, "audit_uncovered_age_seconds") >= 90.0, "{text}");

    // Once it has ended, what holds the horizon is at most another test's for a moment.
    sqlx::query("rollback").execute(&mut other).await.unwrap();
    let moves_on = async {
        loop {
            worker.step().await.unwrap();
            if value(&shown(&worker), "horizon_age_seconds") < 30.0 {
                return;
            }
        }
    };
    timeout(PATIENCE, moves_on).await.expect("the age falls when the transaction is over");
}

#[tokio::test]
async fn a_prepared_transaction_that_nobody_ends_is_reported_by_its_name() {
    // A server of its own, since by default a server takes no prepared transactions.
    let options = scratch_options();
    let postgres = Postgres::start(&options, "stagegate").await.unwrap();
    let settings = postgres.data_dir().join("postgresql.conf");
    fs::OpenOptions::new()
        .append(true)
        .open(&settings)
        .unwrap()
        .write_all(b"\nmax_prepared_transactions = 2\n")
        .unwrap();
    assert!(postgres.stop().await.unwrap());
    let postgres = Postgres::start(&options, "stagegate").await.unwrap();
    let server = postgres.connect_options("stagegate");
    store::db::connect::migrate(&server).await.unwrap();

    let mut session = PgConnection::connect_with(&server).await.unwrap();
    sqlx::query("begin").execute(&mut session).await.unwrap();
    let transaction: String =
        sqlx::query_scalar("select pg_current_xact_id()::text").fetch_one(&mut session).await.unwrap();
    sqlx::query("prepare transaction 'forgotten'").execute(&mut session).await.unwrap();
    session.close().await.unwrap();

    let clock = Clock::fixed("2027-01-15T08:00:00Z".parse::<DateTime<Utc>>().unwrap().into());
    let worker = Monitor::new(Arc::new(App::new(connect(&server, 1).await, clock.clone())));
    let holder = until_reported(&clock, &worker, transaction.parse().unwrap()).await.holder;
    assert_eq!((holder.gid.as_deref(), holder.pid), (Some("forgotten"), None));
    assert_eq!((holder.database.as_deref(), holder.user.as_deref()), (Some("stagegate"), Some("postgres")));
    assert!(holder.age.is_some_and(|age| age >= 0.0));
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_due_or_waits_has_an_age() {
    let parties = Parties::start().await;
    let worker = Monitor::new(Arc::clone(&parties.service.app));
    assert!(!shown(&worker).contains("_age_seconds"), "nothing is known before the first look");
    worker.step().await.unwrap();
    let text = shown(&worker);
    for idle in ["timers_oldest_due_age_seconds", "webhooks_oldest_pending_age_seconds", "webhooks_pending"] {
        assert!(value(&text, idle).abs() < 0.001, "{text}");
    }
    let (receiver, disabled) = (Receiver::accepting().await, Receiver::accepting().await);
    for (id, receiver) in [("a", &receiver), ("b", &disabled)] {
        let set =
            parties.partner.call("PUT", &format!("/api/v1/webhooks/{id}"), &json!({ "url": receiver.url() })).await;
        assert_eq!(set.status, 201, "{}", set.text);
    }
    let disable = "update webhook_endpoints set state = 'disabled', disabled_reason = 'gone' where id = 'b'";
    sqlx::query(disable).execute(&mut parties.service.db.owner().await).await.unwrap();
    let id = parties.open("brand-campaign").await;
    pass(&parties, 100);
    parties.partner.done(&id, &update("later")).await;
    worker.step().await.unwrap();
    let text = shown(&worker);
    assert_eq!((value(&text, "webhooks_pending"), value(&text, "webhooks_oldest_pending_age_seconds")), (3.0, 100.0));
    assert!(value(&text, "audit_uncovered_age_seconds") >= 100.0, "{text}");
    assert!(value(&text, "timers_oldest_due_age_seconds").abs() < 0.001, "{text}");
    assert!(value(&text, "database_answer_age_seconds") < PATIENCE.as_secs_f64(), "{text}");

    let wake = "select wake_at from tasks";
    let wake: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar(wake).fetch_one(&parties.service.db.pool).await.unwrap();
    parties.service.clock.set(stagegate::domain::values::time::Time::from(wake) + TimeDelta::seconds(7));
    assert!((value(&shown(&worker), "timers_oldest_due_age_seconds") - 7.0).abs() < 0.001, "{}", shown(&worker));
    // Once a checkpoint covers all, nothing is uncovered.
    crate::audit::transparency_log::settle(&parties).await;
    Checkpoints::new(Arc::clone(&parties.service.app)).tick().await.unwrap();
    worker.step().await.unwrap();
    assert!(value(&shown(&worker), "audit_uncovered_age_seconds").abs() < 0.001);
}

#[tokio::test]
async fn a_replica_without_a_key_has_no_entries_to_cover() {
    let parties = Parties::start().await;
    let app = Arc::new(App::new(parties.service.db.pool.clone(), parties.service.clock.clone()));
    let worker = Monitor::new(app);
    worker.step().await.unwrap();
    assert!(!shown(&worker).contains("audit_uncovered"));
}

#[tokio::test]
async fn what_the_pools_and_the_writer_do_is_counted() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let pool = connect(&parties.service.db.owner, 1).await;
    let app = Arc::new(App::new(pool.clone(), parties.service.clock.clone()));
    let worker = Monitor::new(Arc::clone(&app));
    let replica = HttpService::new(AppState::new(Arc::clone(&app), settings()).await.unwrap());
    parties.platform.at(&replica).done(&id, &cancel()).await;
    let text = shown(&worker);
    assert_eq!((value(&text, "writer_statements_total"), value(&text, "writer_transitions_total")), (1.0, 1.0));
    assert_eq!(
        (value(&text, "writer_queued_transitions"), value(&text, "writer_queued_transitions_max")),
        (0.0, 1024.0)
    );

    let mut owner = parties.service.db.owner().await;
    sqlx::query("select pg_advisory_lock(1)").execute(&mut owner).await.unwrap();
    let lock = || {
        tokio::spawn({
            let pool = pool.clone();
            async move { sqlx::query("select pg_advisory_xact_lock(1)").execute(&pool).await.map(drop) }
        })
    };
    let asked: Vec<_> = (0..3).map(|_| lock()).collect();
    until("two wait", async || pool.usage().waiting >= 2).await;
    let text = shown(&worker);
    for (metric, expected) in [
        ("database_connections{pool=\"serving\",state=\"in_use\"}", 1.0),
        ("database_connections{pool=\"serving\",state=\"idle\"}", 0.0),
        ("database_connections{pool=\"writer\",state=\"idle\"}", 1.0),
        ("database_connections_max{pool=\"serving\"}", 1.0),
        ("database_connections_max{pool=\"writer\"}", 2.0),
        ("database_statements_waiting{pool=\"serving\"}", 2.0),
        ("database_statements_refused_total{pool=\"serving\"}", 0.0),
    ] {
        assert!((value(&text, metric) - expected).abs() < 0.001, "{metric}: {text}");
    }
    sqlx::query("select pg_advisory_unlock(1)").execute(&mut owner).await.unwrap();
    join_all(asked).await;
    // The monitor has a connection of its own, so it looks also where no statement gets through.
    worker.step().await.unwrap();
    assert!(app.operations.monitor.ages().is_some());
}

fn settings() -> Settings {
    Settings { platform_keys: vec![PLATFORM_KEY.into()], ..Settings::default() }
}

#[tokio::test]
async fn a_refusal_is_counted_by_its_reason() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let options = Options { write_capacity: Some(0), ..Options::default() };
    let app = App::with_options(parties.service.db.pool.clone(), parties.service.clock.clone(), options);
    let state = AppState::new(Arc::new(app), settings()).await.unwrap();
    let (replica, operators) = (HttpService::new(state.clone()), operator_router(state));
    let refused = parties.platform.at(&replica).send(&id, &cancel()).await;
    assert_eq!((refused.status, code(&refused)), (503, "overloaded"), "{}", refused.text);
    let scrape = Request::builder().uri("/metrics").body(Body::empty()).unwrap();
    let answer = operators.oneshot(scrape).await.unwrap();
    let text = String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await.unwrap().into()).unwrap();
    assert!((value(&text, "stagegate_http_refusals_total{reason=\"write_queue\"}") - 1.0).abs() < 0.5, "{text}");
    assert!(
        (value(&text, "stagegate_http_refusals_total{reason=\"caller_bodies\"}") - 0.0).abs() < 0.5,
        "all from the start"
    );
    assert!((value(&text, "stagegate_http_problems_total{code=\"overloaded\"}") - 1.0).abs() < 0.5, "{text}");
}

/// The names in the table of the documentation.
fn documented() -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let table = text.split("<!-- metrics -->").nth(1).expect("the table is between two marks");
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let names = cells.flat_map(|cell| cell.split('`').step_by(2).map(str::to_owned).collect::<Vec<_>>());
    let names = names.map(|name| name.split('{').next().unwrap_or_default().to_owned());
    names.filter(|name| !name.trim().is_empty()).collect()
}

/// The names that a scrape shows, as they are asked for.
fn scraped(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let names = types.map(|(name, kind)| match kind {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.to_owned(),
    });
    names.map(|name| name.strip_prefix("stagegate_").unwrap_or(&name).to_owned()).collect()
}

/// What a scrape of a service shows after its first look and its first request.
pub async fn scrape() -> String {
    let db = TestDb::new().await;
    let url = sqlx::ConnectOptions::to_url_lossy(&db.owner).to_string();
    let (arguments, key) = (["serve", "--listen", "127.0.0.1:0"], audit_signer().reveal());
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("STAGEGATE_POOL_SIZE", "2"),
        ("STAGEGATE_PLATFORM_KEYS", PLATFORM_KEY),
        ("STAGEGATE_AUDIT_KEY", key.as_str()),
        ("STAGEGATE_METRICS_LISTEN", "127.0.0.1:0"),
        // Nobody reads its log.
        ("STAGEGATE_LOG", "off"),
    ];
    let mut service = stagegate_with(&arguments, Path::new("/nonexistent"), &environment);
    let (metrics, _) = addresses(&mut service).await;
    let text = until_some("all metrics, after the first look and the first request", async || {
        let text = fetch(&format!("http://{metrics}/metrics"), None).await;
        let all = ["stagegate_horizon_age_seconds", "stagegate_http_requests_total{"];
        all.iter().all(|metric| text.contains(metric)).then_some(text)
    })
    .await;
    terminate(&mut service).await;
    text
}

#[tokio::test]
async fn the_documentation_has_every_metric_and_no_other() {
    let text = scrape().await;
    let (documented, scraped) = (documented(), scraped(&text));
    let missing: Vec<_> = scraped.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&scraped).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not documented: {missing:?}; documented and not there: {gone:?}");
}
