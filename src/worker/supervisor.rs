//! The supervisor: starts the background workers, and restarts one that ends before the service
//! stops.
//!
//! A worker lives until the service drains. One that panics or returns earlier is logged with its
//! panic message, counted, and restarted after a pause that doubles while it keeps failing. Panics
//! do not leave this module, so a stop still waits for requests and the process exits normally.
//!
//! Each worker reports its turns ([`crate::app::workers`]). The last turn of each is a
//! gauge, and a worker without a turn for too long makes the replica not ready.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::app::App;

/// The pause before a restart: the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// A worker that has run this long has recovered: its next pause is the first one again.
const RECOVERED: Duration = Duration::from_mins(5);

/// The workers of one process.
#[derive(Debug)]
pub struct Supervisor {
    app: Arc<App>,
    running: JoinSet<()>,
    restarts: Family<Name, Counter>,
    pauses: (Duration, Duration),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    worker: &'static str,
}

impl Supervisor {
    /// Creates a supervisor without workers.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, running: JoinSet::new(), restarts: Family::default(), pauses: PAUSES }
    }

    /// Registers the count of restarts and the last turn of each worker.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Restarts of workers that ended before the service stopped";
        registry.register("worker_restarts", help, self.restarts.clone());
        registry.register_collector(Box::new(LastTurns(Arc::clone(&self.app))));
    }

    /// Runs a worker from now on until the service drains. Its turns must come within `bound`; a
    /// worker without a bound waits for events.
    pub fn spawn<F>(
        &mut self,
        name: &'static str,
        bound: impl Into<Option<Duration>>,
        run: impl Fn() -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let (app, bound, pauses) = (Arc::clone(&self.app), bound.into(), self.pauses);
        let restarts = self.restarts.get_or_create(&Name { worker: name }).clone();
        self.running.spawn(async move {
            let mut pause = pauses.0;
            loop {
                app.operations.workers.begin(name, bound);
                let begun = Instant::now();
                let ended = AssertUnwindSafe(async { run().await }).catch_unwind().await;
                if app.shutdown.is_draining() {
                    return;
                }
                restarts.inc();
                let why = ended.err().map_or_else(|| "it returned".to_owned(), |panic| message(&*panic));
                tracing::error!(worker = name, why, "a worker ended; it restarts after a pause");
                if begun.elapsed() >= RECOVERED {
                    pause = pauses.0;
                }
                app.shutdown.pause(pause).await;
                pause = (pause * 2).min(pauses.1);
                if app.shutdown.is_draining() {
                    return;
                }
            }
        });
    }

    /// Waits until all workers have ended, which they do once the service drains.
    pub async fn join(mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

/// Extracts the message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}

/// The last turn of each worker, read at each scrape.
#[derive(Debug)]
struct LastTurns(Arc<App>);

impl Collector for LastTurns {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let now = self.0.clock().now();
        let help = "Time of the worker's last turn, in seconds since 1970";
        let (name, unit) = ("worker_last_turn", Some(&Unit::Seconds));
        let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (worker, age) in self.0.operations.workers.ages() {
            let at = now - chrono::TimeDelta::from_std(age).unwrap_or_default();
            ConstGauge::new(at.utc().timestamp()).encode(family.encode_family(&Name { worker })?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::clock::Clock;

    fn metrics(supervisor: &Supervisor) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        supervisor.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        text
    }

    #[tokio::test]
    async fn a_worker_that_panics_or_returns_is_begun_again_and_counted_and_a_stop_still_ends_all() {
        let app = Arc::new(App::without_database(Clock::system()));
        let mut supervisor = Supervisor::new(Arc::clone(&app));
        supervisor.pauses = (Duration::from_millis(1), Duration::from_millis(2));
        let begun = Arc::new(AtomicU32::new(0));
        let (worker, count) = (Arc::clone(&app), Arc::clone(&begun));
        supervisor.spawn("tripped", Duration::from_secs(100), move || {
            let (app, begun) = (Arc::clone(&worker), Arc::clone(&count));
            async move {
                match begun.fetch_add(1, Ordering::SeqCst) {
                    0 => panic!("a row that nobody can read"),
                    1 => {}
                    _ => app.shutdown.stopped().await,
                }
            }
        });
        while begun.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        let text = metrics(&supervisor);
        assert!(text.contains("worker_restarts_total{worker=\"tripped\"} 2\n"), "{text}");
        assert!(text.contains("worker_last_turn_seconds{worker=\"tripped\"} "), "{text}");
        assert_eq!(app.operations.workers.still(), []);
        app.drain();
        supervisor.join().await;
    }
}
