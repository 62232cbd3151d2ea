//! Replicas that only read, on a standby: what they answer and what they refuse.

mod process;
mod promotion;
mod replay;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::stream::pending;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use stagegate::app::App;
use stagegate::clock::Clock;
use stagegate::embedded::Postgres;
use stagegate::http::HttpService;
use stagegate::http::problem::Problem;
use stagegate::worker::checkpoints::Checkpoints;
use stagegate::{app, store};

use crate::audit::transparency_log::tick;
use crate::harness::commands::{submit, update, with};
use crate::harness::contract::{Operation, operations};
use crate::harness::database::{TestDb, scratch_options};
use crate::harness::parties::{Client, DEMO, Parties, code, events, new_id, text};
use crate::harness::service::{self, Answer, PUBLIC_ORIGIN, Service};
use crate::harness::standby::Standby;
use crate::harness::waiting::until;
use crate::mcp::world::Agent;

const DATABASE: &str = "stagegate";

/// A service on a primary, and a replica of it that only reads, on a standby.
pub struct World {
    postgres: Postgres,
    standby: Standby,
    parties: Parties,
    reader: Arc<App>,
    router: HttpService,
}

impl World {
    async fn start(settings: &[&str]) -> Self {
        let postgres = Postgres::start(&scratch_options(), DATABASE).await.unwrap();
        let db = TestDb::at(postgres.connect_options(DATABASE)).await;
        let parties = Parties::with_service(Service::on(db, PUBLIC_ORIGIN).await).await;
        let standby = Standby::of(&postgres, DATABASE, settings).await;
        let (reader, router) = Service::reader_on(standby.pool(4).await, &parties.service.clock).await;
        Self { postgres, standby, parties, reader, router }
    }

    /// The same caller at the replica that only reads.
    fn reading(&self, client: &Client) -> Client {
        client.at(&self.router)
    }

    /// The callers that an operation is open to; nobody in particular if it is open to all.
    fn callers(&self, operation: &Operation) -> Vec<Client> {
        let Parties { partner, buyer, platform, .. } = &self.parties;
        let all = [("partner", partner), ("buyer", buyer), ("platform", platform)];
        let open = all.into_iter().filter(|(party, _)| operation.parties.contains(*party));
        let open: Vec<Client> = open.map(|(_, client)| client.clone()).collect();
        let anybody = Client { credential: String::new(), ..platform.clone() };
        if open.is_empty() { vec![anybody] } else { open }
    }

    async fn stop(self) {
        drop((self.router, self.reader, self.parties, self.standby));
        self.postgres.stop().await.unwrap();
    }
}

/// The path of an operation on what there is: a task, an erasure and a link.
fn path(world: &World, operation: &Operation, (task, erasure, link): (&str, &str, &str)) -> String {
    let mut path = operation.path.clone();
    for (what, id) in [
        ("tasks", task),
        ("erasures", erasure),
        ("links", link),
        ("partners", &world.parties.partner_id),
        ("webhooks", "a"),
    ] {
        path = path.replace(&format!("/{what}/{{id}}"), &format!("/{what}/{id}"));
    }
    let never = new_id();
    for (name, value) in [
        ("key", "brand-campaign"),
        ("actor", "u-anna"),
        ("n", "1"),
        ("seq", "1"),
        ("key_id", &*never),
        ("delivery_id", &*never),
    ] {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    assert!(!path.contains('{'), "{path}");
    path
}

fn query(world: &World, operation: &Operation, caller: &Client) -> String {
    match operation.id.as_str() {
        "get_log_consistency" => "?from=1".to_owned(),
        "get_why" if caller.credential != world.parties.buyer.credential => "?actor=u-anna".to_owned(),
        "get_workflow_analytics" => {
            let span = "?from=2027-01-01T00:00:00Z&until=2027-02-01T00:00:00Z";
            let partner = format!("&partner_id={}", world.parties.partner_id);
            let is_platform = caller.credential == world.parties.platform.credential;
            format!("{span}{}", if is_platform { partner.as_str() } else { "" })
        }
        "export_tasks" => format!("?partner_id={}", world.parties.partner_id),
        "list_absences" | "get_absence" if caller.credential == world.parties.platform.credential => {
            format!("?partner_id={}", world.parties.partner_id)
        }
        _ => String::new(),
    }
}

/// What of an answer must be the same. The cursor of the feed holds how far transactions have come where it was
/// read: whatever takes an id on the primary after the standby has caught up, such as a vacuum, moves it there first.
fn comparable(operation: &Operation, answer: &Answer) -> String {
    if operation.id != "list_events" {
        return answer.text.clone();
    }
    let mut page = answer.body.clone();
    assert!(page["next"].take().is_string(), "{}", answer.text);
    page.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_report_is_the_same_from_a_standby() {
    let world = World::start(&[]).await;
    let Parties { partner, platform, .. } = &world.parties;
    let task = world.parties.open_in_legal().await;
    let hook = partner.call("PUT", "/api/v1/webhooks/a", &json!({ "url": "https://127.0.0.1:1/hook" })).await;
    assert_eq!(hook.status, 201, "{}", hook.text);
    let away = json!({ "from": "2027-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z", "substitute": "u-bo" });
    assert_eq!(partner.call("PUT", "/api/v1/absences/u-anna", &away).await.status, 200);
    let link = json!({ "to": "inbox", "actor": { "id": "u-anna" } });
    let link = partner.call("POST", "/api/v1/links", &link).await;
    let erasure =
        json!({ "party": "partner", "partner_id": world.parties.partner_id, "actor_id": "u-x", "reason": "x" });
    let erasure = platform.call("POST", "/api/v1/erasures", &erasure).await;
    let (link, erasure) = (text(&link.body["id"]), text(&erasure.body["id"]));
    assert_eq!(tick(&world.parties, &Checkpoints::new(Arc::clone(&world.parties.service.app))).await, 1);
    world.standby.catch_up().await;
    let mut read = 0;
    let reports = operations().iter().filter(|operation| operation.method == "GET");
    for operation in reports.filter(|operation| operation.id != "stream_task_status") {
        for caller in world.callers(operation) {
            let path = path(&world, operation, (&task, &erasure, &link)) + &query(&world, operation, &caller);
            let reader = world.reading(&caller);
            if operation.id.starts_with("export_") && caller.credential == platform.credential {
                // It is recorded first, so not before the standby has everything else.
                let refused = reader.get(&path).await;
                assert_eq!((refused.status, code(&refused)), (503, "read_only"), "{path}");
                continue;
            }
            let (there, here) = (caller.get(&path).await, reader.get(&path).await);
            assert_eq!((here.status, code(&here)), (there.status, code(&there)), "{path}: {}", here.text);
            if there.status == 200 {
                let [shown, expected] = [&here, &there].map(|answer| comparable(operation, answer));
                assert_eq!((shown, here.headers.get("etag")), (expected, there.headers.get("etag")), "{path}");
                read += 1;
            }
        }
    }
    assert!(read > 50, "{read}");
    world.stop().await;
}

/// Sends a request whose body never comes.
async fn send_no_body(client: &Client, method: &str, path: &str) -> Answer {
    let body = Body::from_stream(pending::<Result<Bytes, Infallible>>());
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {}", client.credential));
    service::send(&client.router, request.body(body).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_writes_is_refused_before_its_body_is_read() {
    let world = World::start(&[]).await;
    let task = world.parties.open_in_legal().await;
    world.standby.catch_up().await;
    let before = world.parties.service.db.versions_of_every_row().await;
    let mut refused = 0;
    for operation in operations() {
        // A new operation is not among these two kinds until somebody has thought of it here.
        if operation.method == "GET" || operation.id == "simulate_workflow" {
            continue;
        }
        let path = path(&world, operation, (&task, &new_id(), &new_id()));
        for caller in world.callers(operation) {
            for path in [path.clone(), format!("{path}?dry_run=false"), format!("{path}?receipt=true")] {
                let answer = send_no_body(&world.reading(&caller), &operation.method, &path).await;
                let asked = format!("{} {path}: {}", operation.method, answer.text);
                assert_eq!((answer.status, code(&answer)), (503, "read_only"), "{asked}");
                assert!(answer.body["detail"].as_str().unwrap().contains("a replica on the primary"), "{asked}");
                refused += 1;
            }
        }
    }
    assert!(refused > 60, "{refused}");
    // What has no dry run does not get one by asking for it, and what is not there is not there.
    let platform = world.reading(&world.parties.platform);
    assert_eq!(code(&send_no_body(&platform, "POST", "/api/v1/tasks?dry_run=true").await), "read_only");
    assert_eq!(platform.call("POST", "/api/v1/nothing", &json!({})).await.status, 404);
    // A command that was accepted is refused when it is repeated.
    let command = with(update("x"), &json!({ "id": new_id() }));
    world.parties.partner.done(&task, &command).await;
    world.standby.catch_up().await;
    world.reading(&world.parties.partner).refused(&task, &command, (503, "read_only")).await;
    let after = world.parties.service.db.versions_of_every_row().await;
    assert!(before != after && before.lines().count() == after.lines().count());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stores_nothing_is_answered() {
    let world = World::start(&[]).await;
    let task = world.parties.open("brand-campaign").await;
    world.standby.catch_up().await;
    let (there, here) = (&world.parties.partner, world.reading(&world.parties.partner));
    let dry = format!("{}?dry_run=true", events(&task));
    let requests = [
        ("POST", &*dry, submit("agent")),
        ("POST", &dry, json!({ "type": "held", "reason": "x" })),
        ("PUT", "/api/v1/workflows/brand-campaign?dry_run=true", with(DEMO.clone(), &json!({ "name": "Other" }))),
        ("POST", "/api/v1/workflows/brand-campaign/simulate", json!({ "opened_at": "2027-01-15T08:00:00Z" })),
    ];
    for (method, path, body) in requests {
        let (there, here) = (there.call(method, path, &body).await, here.call(method, path, &body).await);
        assert_eq!((there.status, here.status), (200, 200), "{path}: {} {}", there.text, here.text);
        assert_eq!(unseeded(&here.body), unseeded(&there.body), "{path}");
    }
    world.stop().await;
}

/// A body without what is drawn anew each time: ids and hashes.
fn unseeded(body: &Value) -> Value {
    crate::harness::parties::redacted(body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_has_the_tools_that_read() {
    let world = World::start(&[]).await;
    let task = world.parties.open("brand-campaign").await;
    world.standby.catch_up().await;
    let there = Agent(world.parties.partner.clone());
    let here = Agent(world.reading(&world.parties.partner));
    let (all, reading) = (there.tools().await, here.tools().await);
    let is_reading = |tool: &&Value| tool["annotations"]["readOnlyHint"] == true;
    let expected: Vec<&String> = all.iter().filter(|(_, tool)| is_reading(tool)).map(|(name, _)| name).collect();
    assert_eq!(reading.keys().collect::<Vec<_>>(), expected);
    assert!(expected.len() >= 5 && expected.len() < all.len(), "{expected:?}");
    let read = here.ask("tools/call", json!({ "name": "get_task", "arguments": { "task_id": task } })).await;
    assert_ne!(read["isError"], true, "{read}");
    let arguments = json!({ "task_id": task, "actor": { "id": "agent" }, "summary": "x" });
    let refused = here.ask("tools/call", json!({ "name": "submit_work", "arguments": arguments })).await;
    assert!(refused["isError"] == true && refused.to_string().contains("read_only"), "{refused}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_recovery_cancels_is_answered_503() {
    let world = World::start(&["max_standby_streaming_delay=0"]).await;
    let pool = world.standby.pool(1).await;
    let running = tokio::spawn(async move {
        let slow = sqlx::query("select count(*) from tasks, pg_sleep(60)");
        slow.fetch_one(&pool).await.expect_err("it is cancelled")
    });
    let mut standby = world.standby.owner().await;
    let is_running =
        "select exists (select from pg_stat_activity where query like '%pg_sleep(60)' and wait_event = 'PgSleep')";
    until("the query runs", async || sqlx::query_scalar(is_running).fetch_one(&mut standby).await.unwrap()).await;
    // The replay needs the lock that the query has.
    let mut primary = PgConnection::connect_with(&world.parties.service.db.owner).await.unwrap();
    let lock = "set synchronous_commit = on; begin; lock table tasks in access exclusive mode; select pg_current_xact_id(); commit";
    sqlx::raw_sql(lock).execute(&mut primary).await.unwrap();
    let error = running.await.unwrap();
    assert_eq!(
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(),
        Some("40001"),
        "{error}"
    );
    let error = app::Error::from(store::Error::from(error));
    assert_eq!(error.reason().map(app::refusals::Reason::as_str), Some("database_busy"));
    assert_eq!(Problem::from(error).code().status().as_u16(), 503);
    world.stop().await;
}

/// What `/ready` of a replica says: the status and the code.
async fn ready(router: &HttpService) -> (u16, String) {
    let answer = service::call(router, "GET", "/ready", "", &Value::Null).await;
    (answer.status, code(&answer).to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_ready_on_a_standby_only_if_it_only_reads() {
    let world = World::start(&[]).await;
    assert_eq!(ready(&world.router).await, (200, String::new()));
    let clock = Clock::system();
    let (_, writing) = Service::reader_on(world.standby.writing_pool(), &clock).await;
    assert_eq!(ready(&writing).await, (503, "database_read_only".to_owned()));
    // The other conditions hold for it, too.
    let older = "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)";
    sqlx::query(older).execute(&mut world.parties.service.db.owner().await).await.unwrap();
    world.standby.catch_up().await;
    let (_, reading) = Service::reader_on(world.standby.pool(1).await, &clock).await;
    assert_eq!(ready(&reading).await, (503, "database_not_migrated".to_owned()));
    world.stop().await;
}
