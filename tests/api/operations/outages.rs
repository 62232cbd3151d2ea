//! The database, or the way to it, misbehaves while sixteen writers and some readers are at work. Callers are
//! answered, never with `500`; readiness says what is the matter; all is as before once the cause is gone; and
//! nothing that was acknowledged is lost or there twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use stagegate::app::App;
use stagegate::http::HttpService;
use stagegate::store::Limits;
use stagegate::store::db::connect;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::harness::commands::{update, with};
use crate::harness::parties::{Client, Parties, code, new_id, text};
use crate::harness::process::{address, stagegate_with, terminate};
use crate::harness::proxy::{Mode, Proxy};
use crate::harness::service::router_with_heartbeat;
use crate::harness::waiting::{PATIENCE, until};

const WRITERS: usize = 16;
const READERS: usize = 4;
/// Those of the service, shorter.
fn limits() -> Limits {
    let millis = Duration::from_millis;
    Limits { wait: millis(1500), connect: millis(1500), ping: millis(1000), answer: millis(2500), close: millis(500) }
}

/// A service behind a proxy, and those who use it.
struct Load {
    parties: Parties,
    proxy: Proxy,
    router: HttpService,
    tasks: Vec<String>,
    seen: Arc<Seen>,
    users: Vec<JoinHandle<History>>,
}

/// What the users have seen so far.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    acknowledged: [AtomicUsize; WRITERS],
    read: [AtomicUsize; READERS],
    refused: AtomicUsize,
}

/// What one writer was told of each of its commands: whether it was acknowledged.
type History = HashMap<String, bool>;

impl Load {
    async fn start() -> Self {
        let parties = Parties::start().await;
        let tasks = join_all((0..WRITERS).map(|_| parties.open("brand-campaign"))).await;
        let proxy = Proxy::before(&parties.service.db.owner).await;
        let pool = connect::connect_lazily(&proxy.options, 4, limits());
        let app = Arc::new(App::new(pool, parties.service.clock.clone()));
        let router = router_with_heartbeat(&app, Duration::from_secs(15)).await;
        let seen = Arc::new(Seen::default());
        let writers = tasks.iter().enumerate().map(|(number, task)| {
            tokio::spawn(write(parties.partner.at(&router), task.clone(), number, Arc::clone(&seen)))
        });
        let readers = (0..READERS).map(|number| {
            tokio::spawn(read(parties.buyer.at(&router), tasks[number].clone(), number, Arc::clone(&seen)))
        });
        let users = writers.chain(readers).collect();
        let load = Self { parties, proxy, router, tasks, seen, users };
        load.progress("before anything happens").await;
        load
    }

    /// Waits until each writer and reader has been served several times more.
    async fn progress(&self, when: &str) {
        let counts = || self.seen.acknowledged.iter().chain(&self.seen.read);
        let before: Vec<usize> = counts().map(|count| count.load(Ordering::SeqCst)).collect();
        let served = async {
            while counts().zip(&before).any(|(count, before)| count.load(Ordering::SeqCst) < before + 3) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(PATIENCE, served).await.is_ok(), "nobody is served {when}");
    }

    /// Waits until so many have been told to come back.
    async fn refusals(&self, count: usize) {
        let before = self.seen.refused.load(Ordering::SeqCst);
        let refused = async {
            while self.seen.refused.load(Ordering::SeqCst) < before + count {
                sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(PATIENCE, refused).await.is_ok(), "nobody is told");
    }

    /// Waits until readiness is this: `ok`, or the code of a problem.
    async fn readiness(&self, expected: &str) {
        let anybody = Client { router: self.router.clone(), credential: String::new() };
        let ready = async {
            loop {
                let answer = anybody.get("/ready").await;
                let said = if answer.status == 200 { "ok" } else { code(&answer) };
                if said == expected {
                    return answer;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let answer = timeout(PATIENCE, ready).await.unwrap_or_else(|_| panic!("readiness is never {expected}"));
        assert_eq!(answer.status == 503, answer.headers.contains_key("retry-after"));
    }

    /// Lets everybody finish, and compares what they were told with the trails.
    async fn finish(self) {
        self.progress("after the end of the cause").await;
        self.readiness("ok").await;
        self.seen.stop.store(true, Ordering::SeqCst);
        let mut told = History::new();
        for user in self.users {
            told.extend(timeout(PATIENCE, user).await.expect("a user hangs").unwrap());
        }
        let mut stored: HashMap<String, usize> = HashMap::new();
        for task in &self.tasks {
            let rows = trail(&self.parties.platform, task).await;
            for (at, row) in rows.iter().enumerate() {
                assert_eq!(row["seq"], at + 1, "a gap in {task}");
                if let Some(message) = row["data"]["message"].as_str() {
                    *stored.entry(message.to_owned()).or_default() += 1;
                }
            }
        }
        for (message, acknowledged) in &told {
            let times = stored.get(message).copied().unwrap_or_default();
            assert!(
                times == 1 || (times == 0 && !acknowledged),
                "{message}, acknowledged {acknowledged}: {times} times"
            );
        }
        assert!(stored.keys().all(|message| told.contains_key(message)), "something that nobody wrote");
    }
}

async fn trail(reader: &Client, task: &str) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = reader.read(&format!("/api/v1/tasks/{task}/audit?limit=100{after}")).await;
        rows.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return rows };
        after = format!("&cursor={next}");
    }
}

/// Sends one command after another; after a refusal the same again, or now and then another.
async fn write(partner: Client, task: String, number: usize, seen: Arc<Seen>) -> History {
    let (mut told, mut tries) = (History::new(), 0);
    let mut command = None;
    while !seen.stop.load(Ordering::SeqCst) {
        let body = command.take().unwrap_or_else(|| with(update(&new_id()), &json!({ "id": new_id() })));
        let answer = partner.send(&task, &body).await;
        let message = text(&body["message"]);
        match answer.status {
            200 | 201 => {
                told.insert(message, true);
                seen.acknowledged[number].fetch_add(1, Ordering::SeqCst);
            }
            503 => {
                assert!(answer.headers.contains_key("retry-after"), "{}", answer.text);
                seen.refused.fetch_add(1, Ordering::SeqCst);
                told.insert(message, false);
                tries += 1;
                command = (tries % 5 > 0).then_some(body);
            }
            _ => panic!("{}", answer.text),
        }
        // A client that does nothing else; and one that takes a second before it comes back would see little.
        sleep(Duration::from_millis(20)).await;
    }
    told
}

async fn read(buyer: Client, task: String, number: usize, seen: Arc<Seen>) -> History {
    let mut newest = 0;
    while !seen.stop.load(Ordering::SeqCst) {
        let answer = buyer.get(&format!("/api/v1/tasks/{task}/status?min_version={newest}")).await;
        match answer.status {
            200 => {
                let version = answer.body["version"].as_u64().unwrap();
                assert!(version >= newest, "an older version than was asked for");
                newest = version;
                seen.read[number].fetch_add(1, Ordering::SeqCst);
            }
            503 => assert!(answer.headers.contains_key("retry-after"), "{}", answer.text),
            _ => panic!("{}", answer.text),
        }
        sleep(Duration::from_millis(20)).await;
    }
    History::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_die_without_a_word_are_replaced() {
    let load = Load::start().await;
    load.proxy.mute();
    // Of those whose statements were under way. The others wait, and are served.
    load.refusals(1).await;
    load.progress("though new connections work").await;
    load.readiness("ok").await;
    load.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_says_nothing_any_more_is_said_to_be_unreachable() {
    let load = Load::start().await;
    load.proxy.set(Mode::Mute);
    load.proxy.mute();
    load.readiness("database_unreachable").await;
    load.refusals(WRITERS).await;
    load.proxy.set(Mode::Pass);
    load.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_are_replaced() {
    let load = Load::start().await;
    for _ in 0..5 {
        load.proxy.cut();
        load.progress("after a cut").await;
    }
    load.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_before_a_connection_stands_is_an_outage_and_no_fault() {
    let load = Load::start().await;
    for mode in [Mode::HangUp, Mode::Http] {
        load.proxy.set(mode);
        load.proxy.cut();
        load.readiness("database_unreachable").await;
        load.refusals(WRITERS).await;
        load.proxy.set(Mode::Pass);
        load.progress("with a proxy that serves again").await;
    }
    load.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_refused_is_an_outage_and_no_fault() {
    let load = Load::start().await;
    let mut owner = load.parties.service.db.owner().await;
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(&mut owner).await.unwrap();
    for (refuse, admit) in [
        (
            format!("alter database {name} rename to {name}_gone"),
            format!("alter database {name}_gone rename to {name}"),
        ),
        (
            format!("alter database {name} is_template true allow_connections false"),
            format!("alter database {name} is_template false allow_connections true"),
        ),
    ] {
        // From another database: this one is being taken away.
        let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect_with(
            &load.parties.service.db.owner.clone().database("postgres"),
        )
        .await
        .unwrap();
        load.proxy.set(Mode::HangUp);
        let end = format!("select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{name}'");
        sqlx::query(AssertSqlSafe(end)).execute(&mut admin).await.unwrap();
        sqlx::query(AssertSqlSafe(refuse)).execute(&mut admin).await.unwrap();
        load.proxy.set(Mode::Pass);
        load.readiness("database_unreachable").await;
        load.refusals(WRITERS).await;
        sqlx::query(AssertSqlSafe(admit)).execute(&mut admin).await.unwrap();
        load.progress("with a database that is there again").await;
    }
    load.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_way_is_slow_and_nothing_else() {
    let load = Load::start().await;
    load.proxy.set(Mode::Delay(Duration::from_millis(30)));
    load.progress("with a delay").await;
    load.readiness("ok").await;
    load.proxy.set(Mode::Pass);
    load.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_turns_read_only_is_left_and_found_again() {
    let load = Load::start().await;
    let mut owner = load.parties.service.db.owner().await;
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(&mut owner).await.unwrap();
    let set = format!("alter database {name} set default_transaction_read_only = on");
    sqlx::query(AssertSqlSafe(set)).execute(&mut owner).await.unwrap();
    let end = "select pg_terminate_backend(pid, 10000) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query(end).execute(&mut owner).await.unwrap();
    load.readiness("database_read_only").await;
    load.refusals(WRITERS).await;
    let reset = format!("alter database {name} reset default_transaction_read_only");
    sqlx::query(AssertSqlSafe(reset)).execute(&mut owner).await.unwrap();
    load.finish().await;
}

#[tokio::test]
async fn a_session_that_turned_read_only_is_lost_to_every_pool_beside_it() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let db = &parties.service.db;
    let pool = connect::connect(&db.owner, 1).await.unwrap();
    let app = Arc::new(App::new(pool.clone(), parties.service.clock.clone()));
    let partner = parties.partner.at(&router_with_heartbeat(&app, Duration::from_secs(15)).await);
    partner.done(&task, &update("One.")).await;
    let backend = "select pg_backend_pid()";
    let before: i32 = sqlx::query_scalar(backend).fetch_one(&pool).await.unwrap();
    // The writer's sessions are others; to this one it happens as it does when the server's setting changes.
    sqlx::query("set default_transaction_read_only = on").execute(&pool).await.unwrap();
    let refused = sqlx::query("update tasks set version = version").execute(&pool).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "25006");
    let after: i32 = sqlx::query_scalar(backend).fetch_one(&pool).await.unwrap();
    assert_ne!(before, after, "the session was used again");
    let mut owner = db.owner().await;
    let writers =
        "select count(*) from pg_stat_activity where datname = current_database() and query like 'with row as (%'
         and state = 'idle'";
    partner.done(&task, &update("Two.")).await;
    until("one writer is left", async || {
        sqlx::query_scalar::<_, i64>(writers).fetch_one(&mut owner).await.unwrap() <= 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_does_not_wait_behind_requests() {
    let parties = Parties::start().await;
    let pool = connect::connect(&parties.service.db.owner, 1).await.unwrap();
    let app = Arc::new(App::new(pool.clone(), parties.service.clock.clone()));
    let router = router_with_heartbeat(&app, Duration::from_secs(15)).await;
    // The one connection is taken, and others wait for it.
    let mut busy = Vec::new();
    for _ in 0..30 {
        let pool = pool.clone();
        busy.push(tokio::spawn(async move { sqlx::query("select pg_sleep(2)").execute(&pool).await.map(drop) }));
    }
    until("29 wait", async || pool.usage().waiting >= 29).await;
    let anybody = Client { router, credential: String::new() };
    for _ in 0..100 {
        assert_eq!(anybody.get("/ready").await.status, 200);
    }
    assert!(!busy[0].is_finished() || pool.usage().waiting > 0, "it waited until all others were served");
    busy.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn sigterm_ends_the_service_though_the_database_says_nothing() {
    let parties = Parties::start().await;
    let proxy = Proxy::before(&parties.service.db.owner).await;
    let url = format!(
        "postgres://{}@127.0.0.1:{}/{}?sslmode=disable",
        proxy.options.get_username(),
        proxy.options.get_port(),
        proxy.options.get_database().unwrap()
    );
    for mute_first in [false, true] {
        proxy.set(if mute_first { Mode::Mute } else { Mode::Pass });
        let before = proxy.accepted();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--drain-timeout", "1", "--log", "warn"];
        let environment = [("DATABASE_URL", url.as_str()), ("STAGEGATE_PLATFORM_KEYS", "platform-key-of-this-test")];
        let mut service = stagegate_with(&arguments, std::path::Path::new("/nonexistent"), &environment);
        if mute_first {
            // It stands before its first connection.
            while proxy.accepted() == before {
                sleep(Duration::from_millis(10)).await;
            }
        } else {
            address(&mut service).await;
            proxy.mute();
            proxy.set(Mode::Mute);
        }
        terminate(&mut service).await;
    }
}
