//! Serves pollers and waiters: runs the loops that keep cached statuses current and wake waiting
//! requests, and counts those requests. See [`crate::app::status`], [`crate::app::status::watch`]
//! and, for the feed, [`crate::app::feed::tail`].

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::app::feed::tail;

use super::supervisor::Supervisor;

/// A loop that runs until the service drains.
type Loop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The limit of a turn of the loops that search.
const BOUND: Duration = Duration::from_mins(1);
/// The interval at which waiters are counted.
const COUNT: TimeDelta = TimeDelta::seconds(1);

/// The watcher worker. One per process.
#[derive(Debug)]
pub struct Watchers {
    app: Arc<App>,
    waiting: Gauge,
    tasks: Gauge,
    feed_readers: Gauge,
    cached: Gauge,
    cached_bytes: Gauge,
}

impl Watchers {
    /// Creates the worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        let [waiting, tasks, feed_readers, cached, cached_bytes] = [(); 5].map(|()| Gauge::default());
        Self { app, waiting, tasks, feed_readers, cached, cached_bytes }
    }

    /// Registers the worker's metrics.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Requests and streams that wait for a status to change";
        registry.register("status_watchers", help, self.waiting.clone());
        registry.register("status_watched_tasks", "Tasks whose status is waited for", self.tasks.clone());
        let help = "Requests that wait for new entries of the feed";
        registry.register("feed_watchers", help, self.feed_readers.clone());
        registry.register("status_cached", "Statuses in memory, for polls", self.cached.clone());
        registry.register("status_cached_bytes", "Bytes of these", self.cached_bytes.clone());
    }

    /// Runs the loops until the service drains.
    pub async fn run(self) {
        let mut supervisor = Supervisor::new(Arc::clone(&self.app));
        self.spawn(&mut supervisor);
        supervisor.join().await;
    }

    /// Runs each loop as a worker of its own. Those that wait for events have no bound.
    pub fn spawn(self, supervisor: &mut Supervisor) {
        let app = Arc::clone(&self.app);
        let worker = |run: fn(Arc<App>) -> Loop| {
            let app = Arc::clone(&app);
            move || run(Arc::clone(&app))
        };
        supervisor.spawn(
            "status_refresh",
            None,
            worker(|app| Box::pin(async move { app.statuses.replication.refresh().await })),
        );
        supervisor.spawn(
            "status_look",
            BOUND,
            worker(|app| Box::pin(async move { app.statuses.replication.look().await })),
        );
        // A standby allows no `LISTEN`, and a replica that only reads has nothing to announce.
        if !app.is_read_only() {
            supervisor.spawn(
                "status_listen",
                None,
                worker(|app| Box::pin(async move { app.statuses.replication.listen().await })),
            );
            supervisor.spawn(
                "status_announce",
                None,
                worker(|app| Box::pin(async move { app.statuses.replication.announce().await })),
            );
        }
        supervisor.spawn(tail::NAME, BOUND, worker(|app| Box::pin(async move { app.feed.tail.run().await })));
        let renew = |app: Arc<App>| -> Loop { Box::pin(async move { app.statuses.refresh.run().await }) };
        supervisor.spawn("status_renewal", BOUND, worker(renew));
        let watchers = Arc::new(self);
        supervisor.spawn("status_count", None, move || {
            let watchers = Arc::clone(&watchers);
            async move { watchers.count().await }
        });
    }

    async fn count(&self) {
        while !self.app.shutdown.is_draining() {
            let (watchers, watched) = self.app.statuses.watchers.count();
            self.waiting.set(i64::try_from(watchers).unwrap_or(i64::MAX));
            self.tasks.set(i64::try_from(watched).unwrap_or(i64::MAX));
            self.feed_readers.set(i64::try_from(self.app.feed.tail.count()).unwrap_or(i64::MAX));
            let (cached, bytes) = self.app.statuses.cached();
            self.cached.set(i64::try_from(cached).unwrap_or(i64::MAX));
            self.cached_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
            self.app.shutdown.pause_until(self.app.clock().now() + COUNT, self.app.clock()).await;
        }
    }
}
