//! Cells behind the published gateway: requests reach their own, and nothing of one is taken for another's.

use serde_json::{Value, json};
use stagegate::embedded::Postgres;
use tokio::process::Child;

use crate::harness::cells::{Gateway, Reply, ask, replica};
use crate::harness::database::{execute, scratch_options};
use crate::harness::parties::{events, new_id, text};
use crate::harness::process::{self, addresses};
use crate::harness::service::{PLATFORM_KEY, buyer_token};
use crate::harness::settings::setting;
use crate::harness::waiting::PATIENCE;

mod moving;
mod names;

/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:9";
const IN_2100: i64 = 4_102_444_800;

/// Whether ./test found or installed `HAProxy`.
fn is_wanted() -> bool {
    let is_wanted = setting("STAGEGATE_TEST_PATRONI").is_some();
    if !is_wanted {
        eprintln!("skipped: there is no HAProxy here; ./test installs it where apt-get is");
    }
    is_wanted
}

/// The URL of a database that is used by this schema alone.
fn of_schema(url: &str, schema: &str) -> String {
    format!("{url}&options=-c%20search_path%3D{schema}")
}

/// Two cells of one server behind a gateway: `eu1` is a schema, `us1` a database. Each has two partners, and one of
/// them is in both.
struct World {
    postgres: Postgres,
    gateway: Gateway,
    replicas: Vec<Child>,
    /// Where the replica of `eu1` is reached by others than the gateway: its metrics, and itself.
    direct: (String, String),
    /// The partners: of `eu1`, of `us1`, of both.
    partners: [String; 3],
}

impl World {
    async fn start() -> Option<Self> {
        if !is_wanted() {
            return None;
        }
        let postgres = Postgres::start(&scratch_options(), "shared").await.unwrap();
        execute(&postgres.connect_options("shared"), "create schema eu1").await;
        execute(&postgres.connect_options("shared"), "create database us1").await;
        let (url, partners) = (Gateway::plan(), [new_id(), new_id(), new_id()]);
        let eu = of_schema(&postgres.url("shared"), "eu1");
        let mut replicas = vec![replica("eu1", &eu, &url), replica("us1", &postgres.url("us1"), &url)];
        let direct = addresses(&mut replicas[0]).await;
        let (_, us) = addresses(&mut replicas[1]).await;
        let map = format!("{} eu1\n{} us1\n", partners[0], partners[1]);
        // The second replica of `eu1` is one of `us1` by mistake, which the gateway must notice.
        let gateway = Gateway::start(url, [&direct.1, &us, &us, NOBODY], &map).await;
        let world = Self { postgres, gateway, replicas, direct, partners };
        for (cell, partner) in [("eu1", 0), ("us1", 1), ("eu1", 2), ("us1", 2)] {
            let new = json!({ "id": world.partners[partner], "name": "Northwind" });
            assert_eq!(world.platform("POST", "/api/v1/partners", cell, &new).await.status, 201, "{cell}");
        }
        Some(world)
    }

    /// Sends a request through the gateway.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        ask(method, &format!("{}{path}", self.gateway.url), headers, body).await
    }

    /// Sends a request of the platform to the cell that it names.
    async fn platform(&self, method: &str, path: &str, cell: &str, body: &Value) -> Reply {
        let key = format!("Bearer {PLATFORM_KEY}");
        let reply = self.ask(method, path, &[("authorization", &key), ("stagegate-cell", cell)], body).await;
        assert_eq!(reply.cell(), cell, "{reply:?}");
        reply
    }

    /// Sends a request of a partner, who names no cell.
    async fn partner(&self, method: &str, path: &str, key: &str, body: &Value) -> Reply {
        self.ask(method, path, &[("authorization", &format!("Bearer {key}"))], body).await
    }

    /// Gives a partner of this cell a key and a workflow, and opens a task on it for a buyer.
    async fn task(&self, cell: &str, partner: &str, buyer: &str) -> (String, String) {
        let made = self.platform("POST", &format!("/api/v1/partners/{partner}/keys"), cell, &Value::Null).await;
        let key = text(&made.body["key"]);
        let workflow =
            json!({ "name": "Logo", "stages": [{ "key": "check", "name": "Check", "buyer_label": "In check" }] });
        let registered = self.partner("PUT", "/api/v1/workflows/logo", &key, &workflow).await;
        assert_eq!((registered.status, registered.cell()), (201, cell), "{registered:?}");
        let id = new_id();
        let task = json!({ "id": id, "partner_id": partner, "buyer_id": buyer, "workflow": { "key": "logo" }, "title": "A logo" });
        assert_eq!(self.platform("POST", "/api/v1/tasks", cell, &task).await.status, 201);
        (key, id)
    }

    async fn stop(mut self) {
        for service in &mut self.replicas {
            process::terminate(service).await;
        }
        self.postgres.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_party_reaches_its_own_cell_and_nothing_else_does() {
    let Some(world) = World::start().await else { return };
    let buyer = new_id();
    let token = format!("Bearer {}", buyer_token(&buyer, IN_2100));
    for (cell, other, partner) in [("eu1", "us1", 0), ("us1", "eu1", 1), ("eu1", "us1", 2), ("us1", "eu1", 2)] {
        let partner = world.partners[partner].clone();
        let (key, task) = world.task(cell, &partner, &buyer).await;
        assert!(key.starts_with(&format!("ait_{cell}_")), "{key}");

        // The partner, by its key: in both headers, reading, writing and in its own lists.
        let work = json!({ "type": "work_submitted", "actor": { "id": "u-dora" }, "summary": "A draft" });
        let submitted = world.partner("POST", &events(&task), &key, &work).await;
        assert_eq!((submitted.status, submitted.cell()), (201, cell), "{submitted:?}");
        let keys = world.ask("GET", "/api/v1/keys", &[("x-aitasker-key", &key)], &Value::Null).await;
        assert_eq!((keys.status, keys.cell()), (200, cell));
        let hint = text(&keys.body["items"][0]["hint"]);
        assert!(key.starts_with(&hint) && hint.len() == format!("ait_{cell}_").len() + 4, "{hint}");

        // The buyer, by the platform's word.
        let status = format!("/api/v1/tasks/{task}/status");
        let named = [("authorization", token.as_str()), ("stagegate-cell", cell)];
        let seen = world.ask("GET", &status, &named, &Value::Null).await;
        assert_eq!((seen.status, seen.cell(), &seen.body["label"]), (200, cell, &json!("In check")), "{seen:?}");
        let unnamed = world.ask("GET", &status, &[("authorization", &token)], &Value::Null).await;
        assert_eq!((unnamed.problem(), unnamed.cell()), ((400, "invalid_parameter"), ""));
        assert_eq!(unnamed.body["errors"][0]["pointer"], "/header/Stagegate-Cell");
        let view = world.ask("GET", &format!("/embed/v1/tasks/{task}"), &named, &Value::Null).await;
        assert_eq!((view.status, view.cell()), (200, cell));
        assert!(view.text.contains("In check"), "{}", view.text);

        // A key and a header that disagree: neither cell guesses.
        let key = format!("Bearer {key}");
        let both = [("authorization", key.as_str()), ("stagegate-cell", other)];
        let refused = world.ask("GET", "/api/v1/keys", &both, &Value::Null).await;
        assert_eq!((refused.problem(), refused.cell()), ((401, "unauthorized"), other));
        let detail = text(&refused.body["detail"]);
        assert!(detail.contains(&format!("`{cell}`")) && detail.contains(&format!("`{other}`")), "{detail}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platform_and_people_find_a_cell_by_a_partner_a_link_and_a_session() {
    let Some(world) = World::start().await else { return };
    let platform = format!("Bearer {PLATFORM_KEY}");
    let key = ("authorization", platform.as_str());
    for (cell, partner) in [("eu1", &world.partners[0]), ("us1", &world.partners[1])] {
        // By the file, in path and query, in any spelling.
        for path in
            [format!("/api/v1/partners/{partner}"), format!("/api/v1/tasks?partner_id={}", partner.to_uppercase())]
        {
            let found = world.ask("GET", &path, &[key], &Value::Null).await;
            assert_eq!((found.status, found.cell()), (200, cell), "{path}");
        }
        // The same id and name again, and the same id with another name.
        let again = json!({ "id": partner, "name": "Northwind" });
        assert_eq!(world.platform("POST", "/api/v1/partners", cell, &again).await.status, 200);
        let renamed = json!({ "id": partner, "name": "Southwind" });
        assert_eq!(world.platform("POST", "/api/v1/partners", cell, &renamed).await.problem(), (409, "partner_exists"));

        // A link leads to its cell, and so does the session that it begins.
        let (api_key, _) = world.task(cell, partner, &new_id()).await;
        let link = json!({ "to": "inbox", "actor": { "id": "u-anna", "name": "Anna" } });
        let link = world.partner("POST", "/api/v1/links", &api_key, &link).await;
        let url = text(&link.body["url"]);
        let path = url.strip_prefix(&world.gateway.url).unwrap_or_else(|| panic!("{link:?}"));
        assert!(path.starts_with(&format!("/go/sgl_{cell}_")), "{path}");
        let page = world.ask("GET", path, &[], &Value::Null).await;
        assert_eq!((page.status, page.cell()), (200, cell));
        let form = [
            ("origin", world.gateway.url.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let opened = world.ask("POST", path, &form, &Value::Null).await;
        let cookie = opened.header("set-cookie").split(';').next().unwrap();
        assert!(cookie.starts_with(&format!("stagegate=sgs_{cell}_")), "{opened:?}");
        let inbox = world.ask("GET", "/inbox", &[("cookie", &format!("other=1; {cookie}"))], &Value::Null).await;
        assert_eq!((inbox.status, inbox.cell()), (200, cell));
        assert!(inbox.text.contains("Anna"), "{}", inbox.text);
    }
    // What is the same in every cell needs none.
    for path in ["/docs", "/openapi.json", "/embed/v1/status.js", "/inbox"] {
        let answered = world.ask("GET", path, &[], &Value::Null).await;
        assert!(!answered.cell().is_empty() && answered.status != 400, "{path}: {answered:?}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_names_no_cell_or_another_one_is_refused() {
    let Some(world) = World::start().await else { return };
    let key = format!("Bearer {PLATFORM_KEY}");
    let platform = ("authorization", key.as_str());
    let unknown = [("stagegate-cell", "ap1"), platform];
    let none = world.ask("GET", "/api/v1/partners", &[platform], &Value::Null).await;
    assert_eq!((none.problem(), none.cell()), ((400, "invalid_parameter"), ""));
    let unknown = world.ask("GET", "/api/v1/partners", &unknown, &Value::Null).await;
    assert_eq!((unknown.problem(), unknown.cell()), ((421, "wrong_cell"), ""));
    assert!(text(&unknown.body["detail"]).contains("`ap1`"), "{unknown:?}");
    let quoted = [("stagegate-cell", r#"a"b\c"#), platform];
    let quoted = world.ask("GET", "/api/v1/partners", &quoted, &Value::Null).await;
    assert_eq!(quoted.problem(), (421, "wrong_cell"), "the answer stays JSON");
    let foreign = world.partner("GET", "/api/v1/keys", &format!("ait_ap1_{}", "0".repeat(49)), &Value::Null).await;
    assert_eq!(foreign.problem(), (421, "wrong_cell"));

    // Past the gateway: a cell refuses what is meant for another one, and says which one it is.
    let (metrics, address) = &world.direct;
    let misdirected = [platform, ("stagegate-cell", "us1")];
    let path = format!("http://{address}/api/v1/partners");
    let refused = ask("GET", &path, &misdirected, &Value::Null).await;
    assert_eq!((refused.problem(), refused.cell()), ((421, "wrong_cell"), "eu1"));
    let ready = ask("GET", &format!("http://{metrics}/ready"), &[], &Value::Null).await;
    assert_eq!(ready.body, json!({ "status": "ok", "cell": "eu1" }));
    let scraped = ask("GET", &format!("http://{metrics}/metrics"), &[], &Value::Null).await.text;
    let build = scraped.lines().find(|line| line.starts_with("stagegate_build_info{")).unwrap();
    assert!(build.contains(r#"cell="eu1""#), "{build}");

    // A cursor of the feed and one of a list, each at the other cell.
    for (list, parameter) in [("/api/v1/events?limit=1", "after"), ("/api/v1/partners?limit=1", "cursor")] {
        let next = text(&world.platform("GET", list, "eu1", &Value::Null).await.body["next"]);
        let path = format!("{list}&{parameter}={next}");
        assert_eq!(world.platform("GET", &path, "eu1", &Value::Null).await.status, 200);
        let refused = world.platform("GET", &path, "us1", &Value::Null).await;
        assert_eq!(refused.problem(), (400, "invalid_parameter"));
        let error = &refused.body["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!(format!("/query/{parameter}")), &json!("other_cell")));
        assert_eq!(error["message"], "is of the cell `eu1`, and this is the cell `us1`");
    }

    // Two logs, two names.
    let name = async |cell: &str| {
        let key = world.ask("GET", "/.well-known/stagegate-audit-key", &[("stagegate-cell", cell)], &Value::Null).await;
        key.text.split('+').next().unwrap().to_owned()
    };
    assert_eq!(name("eu1").await, "audit.example.com/stagegate/eu1");
    assert_eq!(name("us1").await, "audit.example.com/stagegate/us1");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_and_long_waits_pass_the_gateway_as_they_come() {
    let Some(world) = World::start().await else { return };
    let buyer = new_id();
    let (key, task) = world.task("us1", &world.partners[1], &buyer).await;
    let stream = process::client(PATIENCE)
        .get(format!("{}/api/v1/tasks/{task}/status/stream", world.gateway.url))
        .bearer_auth(buyer_token(&buyer, IN_2100))
        .header("stagegate-cell", "us1");
    let mut stream = stream.send().await.unwrap().error_for_status().unwrap();
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("event: status"), "{first:?}");

    // Nothing comes before the command, and the change right after it.
    let feed = text(&world.partner("GET", "/api/v1/events", &key, &Value::Null).await.body["next"]);
    let path = format!("/api/v1/events?wait=50&after={feed}");
    let waiting = world.partner("GET", &path, &key, &Value::Null);
    let command = async {
        let work = json!({ "type": "work_submitted", "actor": { "id": "u-dora" }, "summary": "A draft" });
        assert_eq!(world.partner("POST", &events(&task), &key, &work).await.status, 201);
    };
    let (waited, ()) = tokio::join!(waiting, command);
    assert!(!waited.body["items"].as_array().unwrap().is_empty(), "{waited:?}");
    let update = json!({ "type": "stage_rejected", "stage": "check", "round": 1, "revision": 1, "actor": { "id": "u-eli" },
        "feedback": { "summary": "The name is misspelt." } });
    let rejected = world.partner("POST", &events(&task), &key, &update).await;
    assert_eq!(rejected.status, 201, "{rejected:?}");
    let mut changed = false;
    while !changed {
        let piece = stream.chunk().await.unwrap().expect("the stream goes on");
        changed = String::from_utf8_lossy(&piece).contains(r#""round":2"#);
    }
    drop(stream);
    world.stop().await;
}
