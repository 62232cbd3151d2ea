//! Two schemas of one database are strangers: neither waits for the other, hears it, or meets its rows.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use stagegate::app::{App, Options};
use stagegate::clock::Clock;
use stagegate::domain::values::cell::{Cell, CellName};
use stagegate::domain::values::id::TaskId;
use stagegate::http::HttpService;
use stagegate::ids;
use stagegate::store::db::connect;
use stagegate::store::db::notify::{Announcer, Change, Listener};
use stagegate::store::db::probe::{Fitness, Probe};
use stagegate::worker::timers::Timers;
use tokio::time::timeout;

use crate::harness::database::{TestDb, connect as connect_to, execute, query};
use crate::harness::parties::{events, new_id, text};
use crate::harness::service::{self, Answer, PLATFORM_KEY, Service};
use crate::harness::waiting::{PATIENCE, until};

/// One of the schemas: how its owner connects, and a replica on it.
struct Schema {
    owner: PgConnectOptions,
    app: Arc<App>,
    router: HttpService,
    clock: Clock,
}

fn name(schema: &str) -> CellName {
    CellName::parse(schema).unwrap()
}

/// A new database with these two schemas, which are not migrated.
async fn schemas() -> [PgConnectOptions; 2] {
    let database = TestDb::empty().await;
    execute(&database, "create schema eu1; create schema us1").await;
    ["eu1", "us1"].map(|schema| database.clone().options([("search_path", schema)]))
}

impl Schema {
    async fn start(owner: PgConnectOptions, schema: &str) -> Self {
        connect::migrate_cell(&owner, Some(&name(schema)), false).await.unwrap();
        let clock = Clock::fixed("2027-01-15T08:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().into());
        let options = Options { cell: Cell::named(name(schema), false), ..Options::default() };
        let app = Arc::new(App::with_options(connect_to(&owner, 3).await, clock.clone(), options));
        let router = Service::router_of(&app).await;
        Self { owner, app, router, clock }
    }

    async fn call(&self, method: &str, path: &str, credential: &str, body: &Value) -> Answer {
        service::call(&self.router, method, path, credential, body).await
    }

    /// Adds a partner with a workflow, and opens a task on it that waits for work until its deadline.
    async fn open(&self, partner: &str, task: &str) -> String {
        let call = async |method: &str, path: &str, key: &str, body: Value| {
            let answer = self.call(method, path, key, &body).await;
            assert_eq!(answer.status, 201, "{path}: {}", answer.text);
            answer.body
        };
        call("POST", "/api/v1/partners", PLATFORM_KEY, json!({ "id": partner, "name": "Northwind" })).await;
        let key = call("POST", &format!("/api/v1/partners/{partner}/keys"), PLATFORM_KEY, Value::Null).await;
        let key = text(&key["key"]);
        let workflow = json!({ "name": "Logo", "stages": [{ "key": "check", "name": "Check", "buyer_label": "In check" }],
            "deadline": { "within": "P1D" } });
        call("PUT", "/api/v1/workflows/logo", &key, workflow).await;
        let opening = json!({ "id": task, "partner_id": partner, "buyer_id": new_id(), "workflow": { "key": "logo" },
            "title": "A logo" });
        call("POST", "/api/v1/tasks", PLATFORM_KEY, opening).await;
        key
    }

    async fn task(&self, task: &str) -> (u64, String) {
        let read = self.call("GET", &format!("/api/v1/tasks/{task}"), PLATFORM_KEY, &Value::Null).await;
        (read.body["version"].as_u64().unwrap(), text(&read.body["phase"]))
    }
}

#[tokio::test]
async fn a_schema_that_is_being_migrated_holds_up_no_other() {
    let [eu, us] = schemas().await;
    connect::migrate(&eu).await.unwrap();
    // A migration of the one that does not come to its end.
    let mut holder = PgConnection::connect_with(&eu).await.unwrap();
    sqlx::raw_sql("begin; lock table _sqlx_migrations").execute(&mut holder).await.unwrap();
    let meanwhile = async {
        let is_waiting = |what| format!("select exists (select from pg_locks where not granted and {what})::text");
        let table = is_waiting("relation = '_sqlx_migrations'::regclass");
        until("a migration waits for the table", async || query(&eu, &table).await == "true").await;
        // Another process of the same schema takes its turn after that one.
        let turn = is_waiting("locktype = 'advisory'");
        until("another waits for its turn", async || query(&eu, &turn).await == "true").await;
        timeout(PATIENCE, connect::migrate(&us)).await.expect("another schema waits for neither").unwrap();
        sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    };
    let (first, second, ()) = tokio::join!(connect::migrate(&eu), connect::migrate(&eu), meanwhile);
    first.unwrap();
    second.unwrap();
}

#[tokio::test]
async fn schemas_hear_only_their_own_replicas() {
    let [eu, us] = schemas().await;
    let eu = Schema::start(eu, "eu1").await;
    let us = Schema::start(us, "us1").await;
    let (eu_pool, us_pool) = (connect_to(&eu.owner, 1).await, connect_to(&us.owner, 1).await);
    let mut listener = Listener::connect(&us_pool).await.unwrap();
    let change = |version| Change { task_id: TaskId(ids::new()), version };
    let (foreign, own) = (change(1), change(2));
    Announcer::connect(&eu_pool).await.unwrap().announce(&[foreign]).await.unwrap();
    Announcer::connect(&us_pool).await.unwrap().announce(&[own]).await.unwrap();
    // Notifications come in the order of their commits, so the foreign one would be first.
    assert_eq!(timeout(PATIENCE, listener.next()).await.unwrap().unwrap(), [own]);

    // The one is fit as itself, and not as the other.
    assert_eq!(Probe::beside(&us_pool).of(us.app.cell()).look().await.unwrap(), Fitness::Fit);
    assert_eq!(Probe::beside(&us_pool).of(eu.app.cell()).look().await.unwrap(), Fitness::OtherCell);
}

#[tokio::test]
async fn one_partner_and_one_task_in_both_schemas_are_two() {
    let [eu, us] = schemas().await;
    let eu = Schema::start(eu, "eu1").await;
    let us = Schema::start(us, "us1").await;
    let (partner, task) = (new_id(), new_id());
    let eu_key = eu.open(&partner, &task).await;
    let us_key = us.open(&partner, &task).await;
    assert!(eu_key.starts_with("ait_eu1_") && us_key.starts_with("ait_us1_"));
    let work = json!({ "type": "work_submitted", "actor": { "id": "u-dora" }, "summary": "A draft" });
    assert_eq!(eu.call("POST", &events(&task), &eu_key, &work).await.status, 201);
    let refused = us.call("POST", &events(&task), &eu_key, &work).await;
    assert_eq!((refused.status, text(&refused.body["code"])), (401, "unauthorized".to_owned()));
    let (before, phase) = eu.task(&task).await;
    assert!(before > us.task(&task).await.0);
    assert_eq!(phase, "in_review");

    // The timers of the one end its task at the deadline, and leave that of the other.
    us.clock.set("2027-01-17T08:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().into());
    let timers = Timers::new(Arc::clone(&us.app));
    assert_eq!(timers.run_due().await.unwrap(), 1);
    assert_eq!(us.task(&task).await.1, "expired");
    assert_eq!(eu.task(&task).await, (before, phase));

    // Nothing that is counted or locked belongs to the whole database.
    assert_eq!(query(&eu.owner, "select count(*)::text from pg_sequences").await, "0");
    let advisory = "select count(*)::text from pg_locks where locktype = 'advisory'
         and database = (select oid from pg_database where datname = current_database())";
    assert_eq!(query(&eu.owner, advisory).await, "0");
}
