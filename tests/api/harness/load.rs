//! Writers that keep going whatever happens to the service or its database, and the check that nothing acknowledged
//! was lost.
//!
//! Each writer has a task of its own and sends numbered updates, each under an id of its own, until it is
//! acknowledged: the same id is sent again after a refusal, an error, and an answer that never came. The history is
//! then compared with the trail.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use stagegate::ids;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::parties::events;
use super::process::client;
use super::service::PLATFORM_KEY;
use super::waiting::PATIENCE;

/// Updates that a task may have; a writer then rests.
const MOST: u64 = 900;

/// What the writers talk to, and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where the service is; it may move.
    pub url: Arc<Mutex<String>>,
    /// The partner's id and key.
    pub partner: (String, String),
    client: Client,
    /// The cell that is named to a gateway.
    cell: Option<&'static str>,
}

/// Writers at work.
#[derive(Debug)]
pub struct Load {
    target: Target,
    stop: Arc<AtomicBool>,
    /// Acknowledgements so far.
    count: watch::Sender<usize>,
    /// The status of the last refusal; 0 before.
    refusals: watch::Sender<u16>,
    writers: JoinSet<History>,
}

/// What one writer saw.
#[derive(Debug)]
pub struct History {
    /// Its task.
    pub task: String,
    /// The acknowledged updates: the place in the trail and the hash there, by number.
    pub acknowledged: BTreeMap<u64, (u64, String)>,
    /// The longest time between two acknowledgements.
    pub gap: Duration,
    /// Answers by status; 0 where there was none.
    pub answers: BTreeMap<u16, u64>,
}

impl Target {
    /// A service that is ready, with a partner and a workflow of its own.
    pub async fn prepare(url: &str) -> Self {
        Self::prepare_in(url, None).await
    }

    /// The same in this cell of several behind a gateway.
    pub async fn prepare_in(url: &str, cell: Option<&'static str>) -> Self {
        let client = client(Duration::from_secs(30));
        let url = Arc::new(Mutex::new(url.to_owned()));
        let mut target = Self { url, partner: (String::new(), String::new()), client, cell };
        let partner = target.must("POST", "/api/v1/partners", PLATFORM_KEY, &json!({ "name": "Northwind" })).await;
        let id = partner["id"].as_str().unwrap().to_owned();
        let key = target.must("POST", &format!("/api/v1/partners/{id}/keys"), PLATFORM_KEY, &Value::Null).await;
        target.partner = (id, key["key"].as_str().unwrap().to_owned());
        let workflow =
            json!({ "name": "Written", "stages": [{ "key": "check", "name": "Check", "buyer_label": "In check" }] });
        target.must("PUT", "/api/v1/workflows/written", &target.partner.1, &workflow).await;
        target
    }

    /// Opens a task.
    pub async fn open(&self) -> String {
        let id = ids::new().to_string();
        let opening = json!({ "id": id, "partner_id": self.partner.0, "buyer_id": ids::new(), "workflow": { "key": "written" },
            "title": "Autumn campaign" });
        self.must("POST", "/api/v1/tasks", PLATFORM_KEY, &opening).await;
        id
    }

    /// Sends a request: the status and the body; `None` where the connection failed.
    pub async fn send(&self, method: &str, path: &str, key: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("{}{path}", self.url.lock().unwrap());
        let request = self.client.request(method.parse().unwrap(), url).bearer_auth(key);
        let request = self.cell.into_iter().fold(request, |request, cell| request.header("stagegate-cell", cell));
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    async fn must(&self, method: &str, path: &str, key: &str, body: &Value) -> Value {
        let (status, answer) = self.send(method, path, key, body).await.unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// The whole trail of a task, as the platform sees it.
    pub async fn trail(&self, task: &str) -> Vec<Value> {
        let mut entries = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/api/v1/tasks/{task}/audit?limit=100{after}");
            let page = self.must("GET", &path, PLATFORM_KEY, &Value::Null).await;
            entries.extend(page["items"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(next) => after = format!("&cursor={next}"),
                None => return entries,
            }
        }
    }
}

impl Load {
    /// Starts so many writers, each on a new task.
    pub async fn start(target: &Target, writers: usize) -> Self {
        let (stop, count, refusals) = (Arc::default(), watch::Sender::new(0), watch::Sender::new(0));
        let mut load = Self { target: target.clone(), stop, count, refusals, writers: JoinSet::new() };
        for _ in 0..writers {
            let (target, task) = (target.clone(), target.open().await);
            let told = (load.count.clone(), load.refusals.clone());
            load.writers.spawn(write(target, Arc::clone(&load.stop), told, task));
        }
        load
    }

    /// Waits until so many more updates are acknowledged.
    pub async fn go_on(&self, more: usize) {
        let mut count = self.count.subscribe();
        let wanted = *count.borrow() + more;
        let reached = timeout(PATIENCE, count.wait_for(|count| *count >= wanted)).await;
        assert!(reached.is_ok(), "the writers stand still");
    }

    /// Waits until a writer is refused with this status.
    pub async fn refused(&self, status: u16) {
        let mut refusals = self.refusals.subscribe();
        let refused = timeout(PATIENCE, refusals.wait_for(|last| *last == status)).await;
        assert!(refused.is_ok(), "nobody is refused");
    }

    /// Stops the writers, each with its last update acknowledged, and checks what they saw against the trails:
    /// every acknowledged update is there as it was acknowledged, none twice, and nothing else. No answer was a
    /// fault of the service.
    pub async fn finish(mut self) -> Vec<History> {
        self.stop.store(true, Ordering::SeqCst);
        let mut histories = Vec::new();
        while let Some(history) = self.writers.join_next().await {
            let history = history.unwrap();
            check(&self.target, &history).await;
            histories.push(history);
        }
        histories
    }
}

async fn write(
    target: Target,
    stop: Arc<AtomicBool>,
    (count, refusals): (watch::Sender<usize>, watch::Sender<u16>),
    task: String,
) -> History {
    let (mut acknowledged, mut answers, mut gap) = (BTreeMap::new(), BTreeMap::new(), Duration::ZERO);
    let mut last = Instant::now();
    for number in 1..=MOST {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let command = json!({ "id": ids::new(), "type": "status_updated", "message": format!("Update {number}") });
        let event = loop {
            let answered = target.send("POST", &events(&task), &target.partner.1, &command).await;
            *answers.entry(answered.as_ref().map_or(0, |(status, _)| *status)).or_default() += 1;
            match answered {
                Some((200 | 201, body)) => break body["event"].clone(),
                Some((status @ (429 | 503), _)) => {
                    refusals.send_replace(status);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                None => tokio::time::sleep(Duration::from_millis(50)).await,
                Some((status, body)) => panic!("{status}: {body}"),
            }
        };
        gap = gap.max(last.elapsed());
        last = Instant::now();
        count.send_modify(|count| *count += 1);
        acknowledged.insert(number, (event["seq"].as_u64().unwrap(), event["hash"].as_str().unwrap().to_owned()));
    }
    History { task, acknowledged, gap, answers }
}

async fn check(target: &Target, history: &History) {
    let trail = target.trail(&history.task).await;
    for (index, entry) in trail.iter().enumerate() {
        assert_eq!(entry["seq"].as_u64(), Some(index as u64 + 1), "a trail without gaps");
    }
    let updates: Vec<&Value> = trail.iter().filter(|entry| entry["type"] == "task.status_updated").collect();
    assert_eq!(updates.len(), history.acknowledged.len(), "one entry for each acknowledged update, and no other");
    for (entry, (number, (seq, hash))) in updates.iter().zip(&history.acknowledged) {
        assert_eq!(entry["data"]["message"], format!("Update {number}"));
        assert_eq!((entry["seq"].as_u64(), entry["hash"].as_str()), (Some(*seq), Some(hash.as_str())));
    }
}
