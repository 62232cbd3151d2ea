//! A service whose worker sends when it is told to.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use stagegate::app::{App, Options, Reach};
use stagegate::worker::deliveries::Deliveries;

use crate::harness::database::connect;
use crate::harness::parties::{Client, Parties, text};
use crate::harness::receiver::Receiver;

/// A service, its parties and a worker.
pub struct World {
    pub parties: Parties,
    pub worker: Deliveries,
}

impl World {
    pub async fn start() -> Self {
        let parties = Parties::start().await;
        let worker = Deliveries::new(Arc::clone(&parties.service.app));
        Self { parties, worker }
    }

    /// Sets up an endpoint for all types; its secret.
    pub async fn set(&self, owner: &Client, id: &str, receiver: &Receiver) -> String {
        let answer = self.put(owner, id, &json!({ "url": receiver.url() })).await;
        text(&answer["secret"])
    }

    /// Sets up or changes an endpoint.
    pub async fn put(&self, owner: &Client, id: &str, body: &Value) -> Value {
        let answer = owner.call("PUT", &path(id), body).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
        answer.body
    }

    pub async fn read(&self, owner: &Client, id: &str) -> Value {
        owner.read(&path(id)).await
    }

    /// An endpoint's deliveries, the oldest event first.
    pub async fn deliveries(&self, owner: &Client, id: &str) -> Vec<Value> {
        let page = owner.read(&format!("{}/deliveries?limit=100", path(id))).await;
        assert_eq!(page["next"], Value::Null, "more than a page");
        page["items"].as_array().unwrap().iter().rev().cloned().collect()
    }

    /// The states of an endpoint's deliveries, the oldest event first.
    pub async fn states(&self, owner: &Client, id: &str) -> Vec<String> {
        self.deliveries(owner, id).await.iter().map(|delivery| text(&delivery["state"])).collect()
    }

    /// Sends what is due; how many deliveries were accepted.
    pub async fn send(&self) -> u64 {
        self.worker.run_due().await.unwrap()
    }

    pub fn pass(&self, time: TimeDelta) {
        let clock = &self.parties.service.clock;
        clock.set(clock.now() + time);
    }

    /// A task of which two events are recorded.
    pub async fn open(&self) -> String {
        self.parties.open("brand-campaign").await
    }

    /// Another replica, with connections and a worker of its own.
    pub async fn replica(&self, connections: u32) -> Arc<App> {
        let service = &self.parties.service;
        let pool = connect(&service.db.owner, connections).await;
        let options = Options { webhook_reach: Reach::Anywhere, ..Options::default() };
        Arc::new(App::with_options(pool, service.clock.clone(), options))
    }

    /// Does as the owner of the tables may.
    pub async fn execute(&self, statement: impl Into<String>) {
        let statement = sqlx::query(AssertSqlSafe(statement.into()));
        statement.execute(&mut self.parties.service.db.owner().await).await.unwrap();
    }

    pub async fn count(&self, query: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&self.parties.service.db.pool).await.unwrap()
    }
}

/// Where an endpoint is.
pub fn path(id: &str) -> String {
    format!("/api/v1/webhooks/{id}")
}

pub fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}
