//! A service with a partner, a buyer and the platform, each with a credential, and the workflow of the demo.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::Request;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use stagegate::domain::values::id::TaskId;
use stagegate::http::HttpService;
use stagegate::ids;

use super::service::{self, Answer, PLATFORM_KEY, SECOND_PLATFORM_KEY, Service, buyer_token};

/// The definition of the demo's workflow, registered as `brand-campaign`.
pub static DEMO: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(stagegate::domain::workflow::EXAMPLE).unwrap());

const IN_2030: i64 = 1_893_456_000;

/// Who calls: a credential and the replica that it is sent to.
#[derive(Clone, Debug)]
pub struct Client {
    /// The replica.
    pub router: HttpService,
    /// The bearer credential; none if empty.
    pub credential: String,
}

/// A service and its three parties.
pub struct Parties {
    /// The service.
    pub service: Service,
    /// The partner.
    pub partner: Client,
    /// Its id.
    pub partner_id: String,
    /// The buyer.
    pub buyer: Client,
    /// The `sub` of its tokens.
    pub buyer_id: String,
    /// The platform.
    pub platform: Client,
}

impl Client {
    /// Sends a request; no body if it is null.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        service::call(&self.router, method, path, &self.credential, body).await
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &Value::Null).await
    }

    /// Reads what must be there.
    pub async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.body
    }

    /// Sends a command to a task.
    pub async fn send(&self, task: &str, command: &Value) -> Answer {
        self.call("POST", &events(task), command).await
    }

    /// Sends a command that must be accepted.
    pub async fn done(&self, task: &str, command: &Value) -> Value {
        let answer = self.send(task, command).await;
        assert_eq!(answer.status, 201, "{command}: {}", answer.text);
        answer.body
    }

    /// Sends a command that must be refused with this status and code.
    pub async fn refused(&self, task: &str, command: &Value, refusal: (u16, &str)) -> Value {
        let answer = self.send(task, command).await;
        assert_eq!((answer.status, code(&answer)), refusal, "{command}: {}", answer.text);
        answer.body
    }

    /// Sends a request with one more header.
    pub async fn call_with(&self, (method, path): (&str, &str), header: (&str, &str), body: &Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header.0, header.1);
        if !self.credential.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.credential));
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json");
        }
        let text = if body.is_null() { String::new() } else { body.to_string() };
        service::send(&self.router, request.body(Body::from(text)).unwrap()).await
    }

    /// The same caller at another replica.
    pub fn at(&self, router: &HttpService) -> Self {
        Self { router: router.clone(), ..self.clone() }
    }
}

impl Parties {
    /// A fresh service with the demo's workflow.
    pub async fn start() -> Self {
        Self::with_service(Service::start().await).await
    }

    /// The same with this service, which is fresh.
    pub async fn with_service(service: Service) -> Self {
        let buyer_id = ids::new().to_string();
        let client = |credential: String| Client { router: service.router.clone(), credential };
        let (platform, buyer) = (client(PLATFORM_KEY.to_owned()), client(buyer_token(&buyer_id, IN_2030)));
        let partner_id =
            text(&platform.call("POST", "/api/v1/partners", &json!({ "name": "Northwind" })).await.body["id"]);
        let key = platform.call("POST", &format!("/api/v1/partners/{partner_id}/keys"), &Value::Null).await;
        let partner = client(text(&key.body["key"]));
        let parties = Self { service, partner, partner_id, buyer, buyer_id, platform };
        parties.register("brand-campaign", &DEMO).await;
        parties
    }

    /// Another partner of the same platform.
    pub async fn another_partner(&self) -> Client {
        let added = self.platform.call("POST", "/api/v1/partners", &json!({ "name": "Contoso" })).await;
        let keys = format!("/api/v1/partners/{}/keys", text(&added.body["id"]));
        let key = self.platform.call("POST", &keys, &Value::Null).await;
        Client { credential: text(&key.body["key"]), ..self.partner.clone() }
    }

    /// The platform under its other key.
    pub fn platform_with_another_key(&self) -> Client {
        Client { credential: SECOND_PLATFORM_KEY.to_owned(), ..self.platform.clone() }
    }

    /// Another buyer.
    pub fn another_buyer(&self) -> Client {
        Client { credential: buyer_token(&ids::new().to_string(), IN_2030), ..self.buyer.clone() }
    }

    /// Registers a definition of the partner.
    pub async fn register(&self, key: &str, definition: &Value) {
        let answer = self.partner.call("PUT", &format!("/api/v1/workflows/{key}"), definition).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }

    /// What opens a task of the buyer on a workflow of the partner.
    pub fn opening(&self, id: &str, workflow: &str) -> Value {
        json!({ "id": id, "partner_id": self.partner_id, "buyer_id": self.buyer_id, "workflow": { "key": workflow },
            "title": "Autumn campaign" })
    }

    /// Opens a task and gives its id.
    pub async fn open(&self, workflow: &str) -> String {
        let id = ids::new().to_string();
        let answer = self.platform.call("POST", "/api/v1/tasks", &self.opening(&id, workflow)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        id
    }

    /// Opens a task of the demo and brings it into legal review, with its first revision by `agent` and the copy
    /// approved by `u-copy`.
    pub async fn open_in_legal(&self) -> String {
        let id = self.open("brand-campaign").await;
        self.partner.done(&id, &super::commands::submit("agent")).await;
        let approval = super::commands::approve(super::commands::at("copy", 1, 1), "u-copy");
        self.partner.done(&id, &approval).await;
        id
    }

    /// The task as the platform sees it.
    pub async fn task(&self, id: &str) -> Value {
        self.platform.read(&format!("/api/v1/tasks/{id}")).await
    }

    /// What the buyer reads.
    pub async fn status(&self, id: &str) -> Value {
        self.buyer.read(&format!("/api/v1/tasks/{id}/status")).await
    }

    /// How many rows the trail has, as the platform sees it.
    pub async fn trail(&self, id: &str) -> Vec<Value> {
        let trail = self.platform.read(&format!("/api/v1/tasks/{id}/audit")).await;
        trail["items"].as_array().unwrap().clone()
    }

    /// Moves the clock on.
    pub fn pass(&self, hours: i64) {
        let now: DateTime<Utc> = self.service.clock.now().utc();
        self.service.clock.set((now + TimeDelta::hours(hours)).into());
    }

    /// Handles every timer that is due; how many there were.
    pub async fn tick(&self, task: &str) -> usize {
        let id = TaskId(task.parse().unwrap());
        let mut handled = 0;
        while self.service.app.tasks.commands.tick(id).await.unwrap() {
            handled += 1;
            assert!(handled < 100, "timers without end");
        }
        handled
    }
}

/// Where commands to a task go.
pub fn events(task: &str) -> String {
    format!("/api/v1/tasks/{task}/events")
}

/// A refusal's code.
pub fn code(answer: &Answer) -> &str {
    answer.body["code"].as_str().unwrap_or_default()
}

/// A value that is a string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}

/// An id that was never used.
pub fn new_id() -> String {
    ids::new().to_string()
}

/// A body without what differs from run to run: ids and hashes. Times stay, as the clock stands still.
pub fn redacted(value: &Value) -> Value {
    match value {
        Value::String(text) if text.parse::<uuid::Uuid>().is_ok() => json!("[id]"),
        Value::String(text) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => json!("[hash]"),
        Value::Array(items) => items.iter().map(redacted).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), redacted(value))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
