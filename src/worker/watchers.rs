//! Those who poll and those who wait for statuses: runs what keeps the former up to date and wakes the latter, and counts them; see
//! [`crate::app::statuses`] and [`crate::app::watch`].

use std::sync::Arc;

use chrono::TimeDelta;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::app::statuses::renewal::Renewal;
use crate::app::watch::{self, relay};

/// How often they are counted.
const COUNT: TimeDelta = TimeDelta::seconds(1);

/// The worker. One per process.
#[derive(Debug)]
pub struct Watchers {
    app: Arc<App>,
    waiting: Gauge,
    tasks: Gauge,
}

impl Watchers {
    /// A worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, waiting: Gauge::default(), tasks: Gauge::default() }
    }

    /// Adds what the worker counts.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Requests and streams that wait for a status to change";
        registry.register("status_watchers", help, self.waiting.clone());
        registry.register("status_watched_tasks", "Tasks that they wait for", self.tasks.clone());
    }

    /// Wakes watchers until the service drains.
    pub async fn run(&self) {
        let (app, count) = (&*self.app, self.count());
        let relay =
            async { tokio::join!(relay::refresh(app), relay::look(app), relay::listen(app), relay::announce(app)) };
        tokio::join!(relay, Renewal::default().run(app), count);
    }

    async fn count(&self) {
        while !self.app.is_draining() {
            let (watchers, watched) = watch::count(&self.app);
            self.waiting.set(i64::try_from(watchers).unwrap_or(i64::MAX));
            self.tasks.set(i64::try_from(watched).unwrap_or(i64::MAX));
            self.app.pause_until(self.app.clock().now() + COUNT).await;
        }
    }
}
