//! The services of the scenarios: each with its parties, on a socket, with a clock that stands still.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stagegate::domain::values::time::Span;
use stagegate::http::serve::server::{ConnectionLimits, serve};
use stagegate::worker::deliveries::Deliveries;
use stagegate::worker::timers::Timers;
use stagegate::worker::watchers::Watchers;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::parties::Parties;
use crate::harness::service::Service;

use super::node::{Host, Request};

/// Limits that no scenario meets.
pub const LIMITS: ConnectionLimits = ConnectionLimits {
    max_connections: 1_000,
    header_timeout: Duration::from_mins(5),
    drain_timeout: Duration::from_secs(1),
};

/// The service of each running scenario.
#[derive(Default)]
pub struct Worlds(HashMap<String, World>);

/// A service that browsers can reach.
struct World {
    url: String,
    parties: Parties,
    timers: Timers,
    deliveries: Deliveries,
    serving: JoinHandle<()>,
}

impl Host for Worlds {
    async fn answer(&mut self, scenario: &str, request: Request) -> Value {
        if let Request::Start = request {
            let world = World::start().await;
            let started = world.describe();
            self.0.insert(scenario.to_owned(), world);
            return started;
        }
        if let Request::Stop = request {
            self.0.remove(scenario);
            return Value::Null;
        }
        self.0.get_mut(scenario).expect("it was started").answer(request).await
    }
}

impl World {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let parties = Parties::with_service(Service::start_at(&url).await).await;
        let (app, router) = (&parties.service.app, parties.service.router.clone());
        let (timers, deliveries) = (Timers::new(Arc::clone(app)), Deliveries::new(Arc::clone(app)));
        let watchers = Watchers::new(Arc::clone(app));
        tokio::spawn(watchers.run());
        let serving = tokio::spawn(async move {
            serve(listener, router, LIMITS, pending()).await;
        });
        Self { url, parties, timers, deliveries, serving }
    }

    /// What a scenario needs to know of its service.
    fn describe(&self) -> Value {
        let Self { url, parties, .. } = self;
        json!({
            "url": url,
            "now": parties.service.clock.now(),
            "parties": {
                "platform": { "credential": parties.platform.credential },
                "partner": { "credential": parties.partner.credential, "id": parties.partner_id },
                "buyer": { "credential": parties.buyer.credential, "id": parties.buyer_id },
            },
        })
    }

    async fn answer(&mut self, request: Request) -> Value {
        match request {
            Request::Advance { by } => self.advance(&by).await,
            Request::Open => json!({ "task": self.parties.open("brand-campaign").await }),
            Request::OpenInLegal => json!({ "task": self.parties.open_in_legal().await }),
            Request::Link { party, to, task, actor } => {
                let path = self.parties.link(party, to, task.as_deref(), &actor).await;
                json!({ "url": format!("{}{path}", self.url) })
            }
            Request::Deliver => json!({ "delivered": self.deliveries.run_due().await.unwrap() }),
            Request::Start | Request::Stop => unreachable!("not asked of a running service"),
        }
    }

    async fn advance(&self, by: &Span) -> Value {
        let clock = &self.parties.service.clock;
        clock.set(clock.now() + by.delta());
        while self.timers.run_due().await.unwrap() > 0 {}
        json!({ "now": clock.now() })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Ends the requests that wait for news, and the workers.
        self.parties.service.app.drain();
        self.serving.abort();
    }
}
