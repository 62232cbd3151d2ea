//! A development service in-process, whose clock runs and can be moved.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use stagegate::app::{App, Options, Reach};
use stagegate::clock::Clock;
use stagegate::dev::faults::FaultyWire;
use stagegate::dev::{Dev, LIMIT, routes};
use stagegate::pages;
use stagegate::worker::deliveries::Deliveries;
use tower::ServiceExt as _;

use crate::harness::database::TestDb;
use crate::harness::parties::{Client, Parties, text};
use crate::harness::receiver::Receiver;
use crate::harness::service::{self, PUBLIC_ORIGIN, Service};

/// A service and its three parties, with what `stagegate dev` adds.
pub struct DevWorld {
    pub parties: Parties,
    pub dev: Arc<Dev>,
    /// The worker that sends webhooks.
    pub deliveries: Arc<Deliveries>,
}

/// The status of an answer, and its body.
pub type Answered = (u16, Value);

impl DevWorld {
    pub async fn start() -> Self {
        Self::with_limit(LIMIT).await
    }

    /// One in which a move of the clock may take this long.
    pub async fn with_limit(limit: Duration) -> Self {
        let (db, clock) = (TestDb::new().await, Clock::movable(TimeDelta::zero()));
        let wire = FaultyWire::new(clock.clone());
        let options = Options {
            webhook_reach: Reach::Anywhere,
            webhook_wire: Some(wire.clone()),
            public_origin: Some(PUBLIC_ORIGIN.to_owned()),
            ..Options::default()
        };
        let app = Arc::new(App::with_options(db.pool.clone(), clock.clone(), options));
        let deliveries = Arc::new(Deliveries::new(Arc::clone(&app)));
        let dev = Dev::new(Arc::clone(&app), wire, Some(Arc::clone(&deliveries)), (None, limit));
        let router = service::router_with(&app, pages::mount().and(routes::mount(&dev))).await;
        let parties = Parties::with_service(Service { router, app, clock, db }).await;
        Self { parties, dev, deliveries }
    }

    /// Calls a route of the development service.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Answered {
        self.call_as(&self.parties.platform, (method, path), body).await
    }

    /// The same as somebody else.
    pub async fn call_as(&self, client: &Client, (method, path): (&str, &str), body: &Value) -> Answered {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if !client.credential.is_empty() {
            request = request.header("authorization", format!("Bearer {}", client.credential));
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        };
        let answer = client.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Moves the clock by this duration; all must be quiet then.
    pub async fn advance(&self, by: &str) -> Value {
        let (status, moved) = self.call("POST", "/dev/clock", &json!({ "advance": by })).await;
        assert_eq!((status, &moved["quiet"]), (200, &json!(true)), "{moved}");
        moved
    }

    pub async fn set_scripts(&self, scripts: Value) -> Value {
        let (status, set) = self.call("PUT", "/dev/scripts", &json!({ "scripts": scripts })).await;
        assert_eq!(status, 200, "{set}");
        set
    }

    pub async fn set_faults(&self, faults: &Value) -> Value {
        let (status, set) = self.call("PUT", "/dev/faults", faults).await;
        assert_eq!(status, 200, "{set}");
        set
    }

    /// Has events sent to the receiver; the secret.
    pub async fn set_webhook(&self, receiver: &Receiver) -> String {
        let set = self.parties.partner.call("PUT", "/api/v1/webhooks/main", &json!({ "url": receiver.url() })).await;
        assert_eq!(set.status, 201, "{}", set.text);
        text(&set.body["secret"])
    }

    /// The entries of a trail of this type, in order.
    pub async fn entries(&self, task: &str, kind: &str) -> Vec<Value> {
        let trail = self.parties.trail(task).await;
        trail.into_iter().filter(|entry| entry["type"] == kind).collect()
    }
}

/// When an entry was recorded, or another time on the wire.
pub fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("{value} is no time")).parse().unwrap()
}
