//! A service with one workflow and a worker that runs when told.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use stagegate::app::App;
use stagegate::clock::Clock;
use stagegate::domain::audit::{self, Origin};
use stagegate::domain::task::event::Event;
use stagegate::domain::values::id::{BuyerId, PartnerId, TaskId};
use stagegate::domain::values::time::Time;
use stagegate::worker::timers::Timers;
use stagegate::{ids, store};

use crate::harness::database::connect;
use crate::harness::service::{PLATFORM_KEY, Service};

/// Who ordered every task.
pub const BUYER: &str = "0199a000-0000-7000-8000-00000000000b";
/// A service, a partner with one workflow, and a replica that runs timers when told.
pub struct World {
    pub service: Service,
    pub app: Arc<App>,
    pub timers: Timers,
    pub partner: String,
    pub key: String,
}

/// A workflow of one stage, which lasts an hour and reminds a quarter before its end.
pub fn hour(on_timeout: &Value) -> Value {
    json!({
        "name": "An hour",
        "stages": [{
            "key": "copy", "name": "Copy review", "buyer_label": "Copy is being reviewed",
            "deadline": { "within": "PT1H", "remind_before": ["PT15M"], "on_timeout": on_timeout },
            "escalation": {
                "to": ["platform", "buyer"], "respond_within": "PT1H", "on_timeout": { "action": "escalate", "to": "buyer" }
            },
            "cancellation": { "in_flight": "let_finish", "grace": "PT30M" }
        }],
        "deadline": { "within": "P1D" }
    })
}

impl World {
    pub async fn new(definition: &Value) -> Self {
        let service = Service::start().await;
        let app = Arc::new(App::new(service.db.pool.clone(), service.clock.clone()));
        let timers = Timers::new(Arc::clone(&app));
        let mut world = Self { service, app, timers, partner: String::new(), key: String::new() };
        world.partner = world.platform("/api/v1/partners", &json!({ "name": "Northwind" })).await["id"].to_text();
        let keys = format!("/api/v1/partners/{}/keys", world.partner);
        world.key = world.platform(&keys, &Value::Null).await["key"].to_text();
        let registered = world.service.call("PUT", "/api/v1/workflows/flow", &world.key, definition).await;
        assert_eq!(registered.status, 201, "{}", registered.body);
        world
    }

    pub async fn platform(&self, path: &str, body: &Value) -> Value {
        let answer = self.service.call("POST", path, PLATFORM_KEY, body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body
    }

    pub async fn open(&self) -> String {
        let id = ids::new().to_string();
        self.platform("/api/v1/tasks", &opening(&id, &self.partner)).await;
        id
    }

    /// So many minutes after the beginning.
    pub fn at(&self, minutes: i64) {
        self.service.clock.set(minute(minutes));
    }

    /// Another replica's worker, with a clock and connections of its own.
    pub async fn replica(&self, clock: &Clock, connections: u32) -> Timers {
        let pool = connect(&self.service.db.owner, connections).await;
        Timers::new(Arc::new(App::new(pool, clock.clone())))
    }

    /// The task's events; its chain must hold and its time never go back.
    pub async fn events(&self, task: &str) -> Vec<Event> {
        let task_id = TaskId(task.parse().unwrap());
        let rows = store::tasks::events::list(&self.service.db.pool, task_id, 0, 10_000).await.unwrap().rows;
        let (partner_id, buyer_id) = (PartnerId(self.partner.parse().unwrap()), BuyerId(BUYER.parse().unwrap()));
        let head =
            audit::verify(&Origin { task_id, partner_id, buyer_id }, rows.iter().map(|row| &row.sealed)).unwrap();
        let stored = store::tasks::find(&self.service.db.pool, task_id).await.unwrap().unwrap();
        assert_eq!(head.hash, stored.head);
        let events: Vec<Event> = rows.into_iter().map(|row| row.event).collect();
        assert!(events.windows(2).all(|pair| pair[0].recorded_at <= pair[1].recorded_at), "{events:?}");
        events
    }

    /// How often the worker has failed at a task.
    pub fn failed(&self) -> u64 {
        let (mut registry, mut text) = (Registry::default(), String::new());
        self.timers.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        text.lines().find_map(|line| line.strip_prefix("timers_failed_total ")).unwrap().parse().unwrap()
    }

    /// How many tasks have each trail, after the two events of their opening.
    pub async fn trails(&self) -> BTreeMap<String, i64> {
        let query = "select trail, count(*) from (select string_agg(substr(type, 6), ' ' order by seq) as trail
            from task_events where seq > 2 group by task_id) trails group by trail";
        let trails: Vec<(String, i64)> = sqlx::query_as(query).fetch_all(&self.service.db.pool).await.unwrap();
        trails.into_iter().collect()
    }

    /// How many timers fire at that minute.
    pub async fn fired_at(&self, minutes: i64) -> u64 {
        self.at(minutes);
        self.timers.run_due().await.unwrap()
    }

    pub async fn command(&self, task: &str, command: &Value) {
        self.platform(&format!("/api/v1/tasks/{task}/events"), command).await;
    }

    pub async fn phase(&self, task: &str) -> String {
        self.column(task, "phase").await
    }

    pub async fn column(&self, task: &str, column: &str) -> String {
        let query = format!("select coalesce({column}::text, '-') from tasks where task_id = '{task}'");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&self.service.db.pool).await.unwrap()
    }

    /// The types of the task's events after the two of its opening, without their `task.`.
    pub async fn trail(&self, task: &str) -> Vec<String> {
        let query = "select substr(type, 6) from task_events where task_id::text = $1 and seq > 2 order by seq";
        sqlx::query_scalar(query).bind(task).fetch_all(&self.service.db.pool).await.unwrap()
    }

    /// How often each event that no party caused is in the trail, over all tasks.
    pub async fn counts(&self) -> BTreeMap<String, i64> {
        let query = "select substr(type, 6), count(*) from task_events where seq > 2 group by 1";
        let counts: Vec<(String, i64)> = sqlx::query_as(query).fetch_all(&self.service.db.pool).await.unwrap();
        counts.into_iter().collect()
    }
}

/// So many minutes after the beginning.
pub fn minute(minutes: i64) -> Time {
    let start: Time = "2027-01-15T08:00:00Z".parse::<DateTime<Utc>>().unwrap().into();
    start + TimeDelta::minutes(minutes)
}

/// What opens a task with this id.
pub fn opening(id: &str, partner: &str) -> Value {
    json!({ "id": id, "partner_id": partner, "buyer_id": BUYER, "workflow": { "key": "flow" }, "title": "A title" })
}

/// A value that is a string.
pub trait ToText {
    fn to_text(&self) -> String;
}

impl ToText for Value {
    fn to_text(&self) -> String {
        self.as_str().unwrap().to_owned()
    }
}

/// A deadline that ends the task.
pub fn fail() -> Value {
    json!({ "action": "fail" })
}
