//! What a request costs the database, counted in statements as sqlx logs them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use stagegate::ids;
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use crate::harness::service::{PLATFORM_KEY, Service, call};

/// Keeps every statement that the code of this thread sends, its text or its beginning, and counts the rows that
/// came back.
#[derive(Clone, Default)]
pub struct Statements(Arc<Mutex<Vec<String>>>, Arc<AtomicU64>);

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            event.record(&mut self.clone());
        }
    }
}

impl Visit for Statements {
    fn record_str(&mut self, field: &Field, value: &str) {
        let mut statements = self.0.lock().unwrap();
        match field.name() {
            "summary" => statements.push(value.to_owned()),
            // Comes after it, empty if there is no more than the summary.
            "db.statement" if !value.trim().is_empty() => value.trim().clone_into(statements.last_mut().unwrap()),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "rows_returned" {
            self.1.fetch_add(value, Ordering::Relaxed);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Statements {
    /// Those since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// How many rows came back so far.
    pub fn rows(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }
}

// On one thread, to which the log is confined.
#[tokio::test(flavor = "current_thread")]
async fn a_decision_costs_one_read_and_one_write_and_the_next_on_that_task_no_read() {
    let service = Service::start().await;
    let (task, partner) = open_task(&service).await;
    let replica = Service::replica(&service.db, &service.clock).await;
    let approve = |stage: &str| json!({ "id": ids::new(), "type": "stage_approved", "stage": stage, "round": 1, "revision": 0, "actor": { "id": "u-1" } });
    let path = format!("/api/v1/tasks/{task}/events");
    // The platform's key is not in the database; the definition is read once and kept.
    let definition = call(&replica, "GET", &format!("/api/v1/tasks/{task}"), PLATFORM_KEY, &json!(null)).await;
    assert_eq!(definition.status, 200, "{partner}: {:?}", definition.body);

    let statements = Statements::default();
    // With a single subscriber in the process, whichever thread meets a call site first would ask its own
    // subscriber alone whether anybody listens, and the answer is kept for all threads. With two, all are asked.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let log = tracing::subscriber::set_default(tracing_subscriber::registry().with(statements.clone()));
    let first = call(&replica, "POST", &path, PLATFORM_KEY, &approve("one")).await;
    // The writer connects at its first write, and asks then whether it may write at all.
    let mut sent_for_first = statements.take();
    sent_for_first.retain(|statement| !statement.starts_with("select not pg_is_in_recovery()"));
    let second = call(&replica, "POST", &path, PLATFORM_KEY, &approve("two")).await;
    let sent_for_second = statements.take();
    drop(log);
    assert_eq!((first.status, second.status), (201, 201), "{:?} {:?}", first.body, second.body);
    let [read, write] = sent_for_first.as_slice() else { panic!("{sent_for_first:?}") };
    assert!(read.trim_start().starts_with("select task_id"), "{read}");
    assert!(write.starts_with("with row as"), "{write}");
    assert_eq!(&sent_for_second[..], std::slice::from_ref(write));
}

async fn open_task(service: &Service) -> (uuid::Uuid, String) {
    let partner = service.call("POST", "/api/v1/partners", PLATFORM_KEY, &json!({ "name": "Partner" })).await;
    let partner = partner.body["id"].as_str().unwrap().to_owned();
    let key = service.call("POST", &format!("/api/v1/partners/{partner}/keys"), PLATFORM_KEY, &json!(null)).await;
    let stage = |key: &str| json!({ "key": key, "name": key, "buyer_label": key, "reviewer": "platform" });
    let workflow = json!({ "name": "Counted", "stages": [stage("one"), stage("two"), stage("three")] });
    let key = key.body["key"].as_str().unwrap().to_owned();
    let registered = service.call("PUT", "/api/v1/workflows/counted", &key, &workflow).await;
    assert_eq!(registered.status, 201, "{:?}", registered.body);
    let task = ids::new();
    let opening = json!({ "id": task, "partner_id": partner, "buyer_id": ids::new(), "workflow": { "key": "counted" }, "title": "Counted" });
    let opened = service.call("POST", "/api/v1/tasks", PLATFORM_KEY, &opening).await;
    assert_eq!(opened.status, 201, "{:?}", opened.body);
    (task, partner)
}
