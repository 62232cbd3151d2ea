//! Tasks in which every type of event happens, with a marked text in every field that takes one, and what every
//! door shows meanwhile.
//!
//! A mark is `<step/field>`. The doors that show events are compared field by field; of the others the texts are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::worker::deliveries::Deliveries;

use crate::audit::transparency_log::settle;
use crate::harness::commands::with;
use crate::harness::parties::{Client, Parties, events, new_id, text};
use crate::harness::receiver::Receiver;

/// Who reads.
pub const PARTIES: [&str; 3] = ["partner", "buyer", "platform"];

/// Rows of events as a door showed them to a party: by task and `seq`.
pub type Rows = BTreeMap<(String, u64), Value>;

/// A service that is watched at all of its doors.
pub struct Story {
    pub parties: Parties,
    /// Every task that was opened.
    pub tasks: Vec<String>,
    /// What doors that show no events have answered, by door and party.
    pub answers: BTreeMap<(&'static str, &'static str), String>,
    /// The events in the answers to commands, by party.
    pub told: BTreeMap<&'static str, Rows>,
    receivers: [(&'static str, Receiver); 2],
}

impl Story {
    pub async fn start() -> Self {
        let parties = Parties::start().await;
        let receivers = [("partner", Receiver::accepting().await), ("platform", Receiver::accepting().await)];
        let story = Self { parties, tasks: Vec::new(), answers: BTreeMap::new(), told: BTreeMap::new(), receivers };
        for (party, receiver) in &story.receivers {
            let set = story.client(party).call("PUT", "/api/v1/webhooks/all", &json!({ "url": receiver.url() })).await;
            assert_eq!(set.status, 201, "{}", set.text);
        }
        story
    }

    pub fn client(&self, party: &str) -> &Client {
        match party {
            "partner" => &self.parties.partner,
            "buyer" => &self.parties.buyer,
            "platform" => &self.parties.platform,
            _ => panic!("no party is called {party}"),
        }
    }

    /// Opens a task.
    pub async fn open(&mut self, step: &str, workflow: &str) -> String {
        let id = new_id();
        let more =
            json!({ "title": "<title>", "metadata": { "key": "<metadata>" }, "deadline_at": "2028-01-01T00:00:00Z" });
        let opening = with(self.parties.opening(&id, workflow), &planted(step, &more));
        let answer = self.parties.platform.call("POST", "/api/v1/tasks", &opening).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        self.tasks.push(id.clone());
        self.look(&id).await;
        id
    }

    /// A command that is carried out. Texts like `<reason>` become marks of the step.
    pub async fn step(&mut self, (party, step): (&'static str, &str), task: &str, command: Value) {
        let answer = self.send((party, step), task, command).await;
        assert_eq!(answer.status, 201, "{step}: {}", answer.text);
        let rows = answer.body["events"].as_array().unwrap();
        assert_eq!(answer.body["event"], rows[0], "{step}");
        let told = self.told.entry(party).or_default();
        told.extend(rows.iter().map(|row| ((task.to_owned(), row["seq"].as_u64().unwrap()), row.clone())));
        let door = if party == "buyer" { "status" } else { "task" };
        self.keep(door, party, &answer.body[door].to_string());
        self.look(task).await;
    }

    /// A decision that comes too late: it is refused, and recorded.
    pub async fn late(&mut self, (party, step): (&'static str, &str), task: &str, command: Value) {
        let answer = self.send((party, step), task, command).await;
        assert_eq!(answer.status, 409, "{step}: {}", answer.text);
        assert!(answer.body["recorded"]["seq"].is_u64(), "{step}: {}", answer.text);
        self.keep("problem", party, &answer.text);
        self.look(task).await;
    }

    /// Lets timers fire until one of this type did.
    pub async fn wait(&mut self, task: &str, kind: &str) {
        for _ in 0..500 {
            self.parties.pass(1);
            self.parties.tick(task).await;
            if self.parties.trail(task).await.iter().any(|row| row["type"] == kind) {
                return self.look(task).await;
            }
        }
        panic!("no {kind}");
    }

    async fn send(&self, (party, step): (&str, &str), task: &str, command: Value) -> crate::harness::service::Answer {
        let meta =
            json!({ "id": new_id(), "note": "<note>", "occurred_at": self.parties.service.clock.now().to_string() });
        let command = with(command, &meta);
        let person = json!({ "actor": { "id": "<id>", "name": "<name>", "role": "<role>" } });
        let command = if party == "buyer" { command } else { with(command, &person) };
        self.client(party).send(task, &planted(step, &command)).await
    }

    /// Every door that shows no events, for every party that it is open to.
    async fn look(&mut self, task: &str) {
        let here = self.parties.task(task).await;
        // Nobody may send these now: what is said of them is a problem.
        let stale = json!({ "type": "stage_approved", "stage": here["stage"]["key"], "round": 99, "revision": 99 });
        let unanswerable = json!({ "type": "escalation_resolved", "escalation": 9999, "resolution": "approve" });
        for party in PARTIES {
            let actor = if party == "buyer" { "" } else { "?actor=u-other" };
            for (door, path) in [
                ("status", format!("/api/v1/tasks/{task}/status")),
                ("task", format!("/api/v1/tasks/{task}")),
                ("inbox", "/api/v1/reviews?limit=100".to_owned()),
                ("why", format!("/api/v1/tasks/{task}/why{actor}")),
            ] {
                let answer = self.client(party).get(&path).await;
                let is_open = (door, party) != ("task", "buyer");
                assert_eq!(answer.status, if is_open { 200 } else { 403 }, "{path} for the {party}: {}", answer.text);
                self.keep(if is_open { door } else { "problem" }, party, &answer.text);
            }
            for command in [&stale, &unanswerable] {
                let path = format!("{}?dry_run=true", events(task));
                let person = json!({ "actor": { "id": "u-other" } });
                let command = if party == "buyer" { command.clone() } else { with(command.clone(), &person) };
                let answer = self.client(party).call("POST", &path, &command).await;
                assert!((400..500).contains(&answer.status), "{}", answer.text);
                self.keep("problem", party, &answer.text);
            }
        }
    }

    fn keep(&mut self, door: &'static str, party: &'static str, text: &str) {
        let kept = self.answers.entry((door, party)).or_default();
        kept.push_str(text);
        kept.push('\n');
    }

    /// The trails as a party reads them.
    pub async fn trails(&self, party: &str) -> Rows {
        let mut rows = Rows::new();
        for task in &self.tasks {
            let page = self.client(party).read(&format!("/api/v1/tasks/{task}/audit?limit=100")).await;
            assert_eq!(page["next"], Value::Null, "more than a page");
            rows.extend(by_seq(task, page["items"].as_array().unwrap()));
        }
        rows
    }

    /// The feed as partner or platform reads it; the statuses in it are kept.
    pub async fn feed(&mut self, party: &'static str) -> Rows {
        settle(&self.parties).await;
        let (mut rows, mut path) = (Rows::new(), "/api/v1/events?limit=100".to_owned());
        loop {
            let page = self.client(party).read(&path).await;
            let items = page["items"].as_array().unwrap().clone();
            if items.is_empty() {
                return rows;
            }
            self.tell(&mut rows, party, &items);
            path = format!("/api/v1/events?limit=100&after={}", text(&page["next"]));
        }
    }

    /// What the receiver of partner or platform got: `count` deliveries.
    pub async fn deliveries(&mut self, party: &'static str, count: usize) -> Rows {
        let worker = Deliveries::new(Arc::clone(&self.parties.service.app));
        while worker.run_due().await.unwrap() > 0 {}
        let (_, receiver) = self.receivers.iter().find(|(of, _)| *of == party).unwrap();
        receiver.wait_for(count).await;
        let bodies: Vec<Value> = receiver.received().iter().map(crate::harness::receiver::Received::body).collect();
        let mut rows = Rows::new();
        self.tell(&mut rows, party, &bodies);
        rows
    }

    /// Takes an item's event apart from what else it tells.
    fn tell(&mut self, rows: &mut Rows, party: &'static str, items: &[Value]) {
        for item in items {
            let mut item = item.clone();
            let event = item.as_object_mut().unwrap().remove("event").unwrap();
            rows.insert((text(&item["task_id"]), event["seq"].as_u64().unwrap()), event);
            self.keep("status", party, &item.to_string());
        }
    }
}

fn by_seq(task: &str, rows: &[Value]) -> Rows {
    rows.iter().map(|row| ((task.to_owned(), row["seq"].as_u64().unwrap()), row.clone())).collect()
}

/// `value` with its texts like `<reason>` as marks of the step.
fn planted(step: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('<') => json!(text.replacen('<', &format!("<{step}/"), 1)),
        Value::Array(items) => items.iter().map(|item| planted(step, item)).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), planted(step, value))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
