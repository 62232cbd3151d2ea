//! How long pages of lists take with many open tasks of one partner, compared with few.
//!
//! There are two databases on one private Postgres, which differ only in the number of tasks. The
//! service runs in this process and is called through its router. `README.md` explains the numbers.

mod fill;
#[path = "../shared/mod.rs"]
mod shared;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use serde_json::{Value, json};
use stagegate::app::App;
use stagegate::clock::Clock;
use stagegate::embedded::Postgres;
use stagegate::http::{AppState, HttpService, Settings};
use stagegate::store::db::connect;
use tower::ServiceExt as _;

use self::shared::{Durability, Failure, median};

const PLATFORM_KEY: &str = "platform-key-of-the-benchmark";

/// How long pages take with many open tasks of one partner, compared with few.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Open tasks in the smaller database.
    #[arg(long, default_value_t = 1_000)]
    few: i64,
    /// Open tasks in the larger one.
    #[arg(long, default_value_t = 1_000_000)]
    many: i64,
    /// How often each page is requested from each database, in turns.
    #[arg(long, default_value_t = 41)]
    rounds: usize,
    /// Cargo passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The service on a database of its own, with one partner.
struct Service {
    router: HttpService,
    partner_id: String,
    partner_key: String,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    // Durability is off, since only reading is measured.
    shared::run("few", Durability::Off, async |postgres| measure(&options, postgres).await)
}

async fn measure(options: &Options, postgres: &Postgres) -> Result<(), Failure> {
    fill::create(&postgres.connect_options("few"), "many").await?;
    let clock = Clock::system();
    let few = Service::start(postgres, "few", &clock).await?;
    fill::fill(&few, &postgres.connect_options("few"), options.few).await?;
    let many = Service::start(postgres, "many", &clock).await?;
    fill::fill(&many, &postgres.connect_options("many"), options.many).await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n| page | rows | with {} | with {} | ratio |\n|---|---|---|---|---|", options.few, options.many)?;
    for (what, path) in pages(clock.now().utc()) {
        let (mut with_few, mut with_many, mut rows) = (Vec::new(), Vec::new(), (0, 0));
        for _ in 0..options.rounds {
            rows = (few.page(&path, &mut with_few).await?, many.page(&path, &mut with_many).await?);
        }
        let (few, many) = (median(with_few), median(with_many));
        writeln!(out, "| {what} | {}, {} | {few:.2} ms | {many:.2} ms | {:.2} |", rows.0, rows.1, many / few)?;
    }
    Ok(())
}

/// The requests, by the partner, or by the platform if the path has the prefix `platform:`.
fn pages(now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let cursor = |key: Value| format!("cursor={}", URL_SAFE_NO_PAD.encode(key.to_string()));
    let middle = "80000000-0000-4000-8000-000000000000";
    let halfway = cursor(json!([now + TimeDelta::days(fill::DAYS / 2), middle]));
    let no_limit = cursor(json!([null, middle]));
    let opened = cursor(json!([now - TimeDelta::days(fill::DAYS / 2), middle]));
    let reviews = |query: &str| format!("/api/v1/reviews?{query}");
    let tasks = |query: &str| format!("/api/v1/tasks?{query}");
    vec![
        ("reviews: the first page", reviews("")),
        ("reviews: 100 rows", reviews("limit=100")),
        ("reviews: a page halfway", reviews(&halfway)),
        ("reviews: a page among those without a limit", reviews(&no_limit)),
        ("reviews: `stage`", reviews("stage=stage-2")),
        ("reviews: `stage`, halfway", reviews(&format!("stage=stage-2&{halfway}"))),
        ("reviews: `stage` with 3 tasks", reviews("stage=rare")),
        ("reviews: `workflow`", reviews("workflow=w-2")),
        ("reviews: `overdue=true`, 3 tasks", reviews("overdue=true")),
        ("reviews: `overdue=false`", reviews("overdue=false")),
        ("reviews: `reviewer` of every stage", reviews("reviewer=u-1")),
        ("reviews: `reviewer` of one stage of one version, 3 tasks", reviews("reviewer=u-rare")),
        ("reviews: `actor` who may decide all", reviews("actor=u-1")),
        ("reviews: `actor` who may decide nothing", reviews("actor=u-9")),
        ("reviews: four filters", reviews("stage=stage-2&workflow=w-2&overdue=false&reviewer=u-2")),
        ("reviews: the platform's, 3 tasks", format!("platform:{}", reviews(""))),
        ("tasks: the first page", tasks("")),
        ("tasks: a page halfway", tasks(&opened)),
        ("tasks: `phase`", tasks("phase=in_review")),
        ("tasks: `stage`", tasks("stage=stage-2")),
        ("tasks: `stage` with 3 open tasks, `phase`", tasks("stage=rare&phase=in_review")),
        ("tasks: `workflow`", tasks("workflow=w-2")),
        ("tasks: `overdue=true`, 3 tasks", tasks("overdue=true")),
        ("tasks: `waiting_on`, 3 tasks", tasks("waiting_on=platform")),
        ("tasks: `waiting_on`, nearly all", tasks("waiting_on=partner")),
        ("tasks: `phase`, finished", tasks("phase=delivery")),
        ("tasks: the platform's first page", format!("platform:{}", tasks(""))),
        ("tasks: the platform's, `stage`", format!("platform:{}", tasks("stage=stage-2"))),
        (
            "tasks: the platform's, `stage` with 3 open tasks, `phase`",
            format!("platform:{}", tasks("stage=rare&phase=in_review")),
        ),
    ]
}

impl Service {
    async fn start(postgres: &Postgres, database: &str, clock: &Clock) -> Result<Self, Failure> {
        let options = postgres.connect_options(database);
        connect::migrate(&options).await?;
        let app = Arc::new(App::new(connect::connect(&options, 2).await?, clock.clone()));
        let settings = Settings { platform_keys: vec![PLATFORM_KEY.into()], ..Settings::default() };
        let router = HttpService::new(AppState::new(app, settings).await?);
        let mut service = Self { router, partner_id: String::new(), partner_key: String::new() };
        let partner = service.call("POST", "/api/v1/partners", PLATFORM_KEY, &json!({ "name": "Partner" })).await?;
        service.partner_id = text(&partner["id"]);
        let keys = format!("/api/v1/partners/{}/keys", service.partner_id);
        service.partner_key = text(&service.call("POST", &keys, PLATFORM_KEY, &Value::Null).await?["key"]);
        Ok(service)
    }

    /// Requests a page, adds its time in milliseconds to `took`, and returns its number of rows.
    async fn page(&self, path: &str, took: &mut Vec<f64>) -> Result<usize, Failure> {
        let (path, key) = match path.strip_prefix("platform:") {
            Some(path) => (path, PLATFORM_KEY),
            None => (path, self.partner_key.as_str()),
        };
        let start = Instant::now();
        let page = self.call("GET", path, key, &Value::Null).await?;
        took.push(start.elapsed().as_secs_f64() * 1_000.0);
        Ok(page["items"].as_array().map_or(0, Vec::len))
    }

    async fn call(&self, method: &str, path: &str, key: &str, body: &Value) -> Result<Value, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "x")
            .header("authorization", format!("Bearer {key}"));
        let request = if body.is_null() {
            request.body(Body::empty())?
        } else {
            request.header("content-type", "application/json").body(body.to_string().into())?
        };
        let (head, body) = self.router.clone().oneshot(request).await?.into_parts();
        let body = to_bytes(body, 10_000_000).await?;
        if !head.status.is_success() {
            return Err(format!("{method} {path}: {} {}", head.status, String::from_utf8_lossy(&body)).into());
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
