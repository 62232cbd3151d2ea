//! Reads every few seconds what operators monitor and exports it; see
//! [`crate::app::operations::monitor`].
//!
//! What takes a statement is read here, so its cost does not depend on who scrapes and how often.
//! The rest costs nothing and is read at each scrape.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::app::operations::monitor::Held;
use crate::app::{App, Error};

/// The name of the worker.
pub const NAME: &str = "monitor";
/// The limit of a turn.
pub const BOUND: Duration = Duration::from_mins(1);
/// The interval between two looks.
const INTERVAL: Duration = Duration::from_secs(5);

/// The monitor worker. One per process.
#[derive(Debug)]
pub struct Monitor {
    app: Arc<App>,
    failed: Counter,
}

impl Monitor {
    /// Creates the worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, failed: Counter::default() }
    }

    /// Registers the worker's metrics.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Failed reads of the database for these metrics";
        registry.register("monitor_looks_failed", help, self.failed.clone());
        registry.register_collector(Box::new(Shown(Arc::clone(&self.app))));
    }

    /// Looks until the service drains.
    pub async fn run(&self) {
        while !self.app.shutdown.is_draining() {
            if let Err(error) = self.step().await {
                // Another worker reports that the database is unavailable.
                tracing::debug!(%error, "reading the database for metrics failed");
            }
            self.app.operations.workers.turned(NAME);
            self.app.shutdown.pause(INTERVAL).await;
        }
    }

    /// Looks once. Returns what was reported, if anything.
    pub async fn step(&self) -> Result<Option<Held>, Error> {
        let held = self.app.operations.monitor.look().await.inspect_err(|_| {
            self.failed.inc();
        })?;
        if let Some(held) = &held {
            tracing::warn!(
                held_by = %held,
                "a transaction has been open for a long time: the feed and the checkpoints wait for it to end"
            );
        }
        Ok(held)
    }
}

/// Metrics that are read at each scrape.
#[derive(Debug)]
struct Shown(Arc<App>);

#[derive(Clone, Copy, Debug, EncodeLabelSet)]
struct PoolLabel {
    pool: &'static str,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet)]
struct StateLabels {
    pool: &'static str,
    state: &'static str,
}

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_pools(&mut encoder)?;
        self.encode_writer(&mut encoder)?;
        self.encode_ages(&mut encoder)
    }
}

impl Shown {
    fn encode_pools(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let pools = self.0.operations.monitor.connections();
        let help = "Connections to the database, by pool and state";
        let mut family = encoder.encode_descriptor("database_connections", help, None, MetricType::Gauge)?;
        for (pool, usage) in pools {
            for (state, number) in [("in_use", usage.in_use), ("idle", usage.idle)] {
                ConstGauge::new(i64::from(number)).encode(family.encode_family(&StateLabels { pool, state })?)?;
            }
        }
        let help = "Maximum number of connections to the database, by pool";
        let mut family = encoder.encode_descriptor("database_connections_max", help, None, MetricType::Gauge)?;
        for (pool, usage) in pools {
            ConstGauge::new(i64::from(usage.max)).encode(family.encode_family(&PoolLabel { pool })?)?;
        }
        let help = "Statements that wait for a connection, by pool";
        let mut family = encoder.encode_descriptor("database_statements_waiting", help, None, MetricType::Gauge)?;
        for (pool, usage) in pools {
            let waiting = i64::try_from(usage.waiting).unwrap_or(i64::MAX);
            ConstGauge::new(waiting).encode(family.encode_family(&PoolLabel { pool })?)?;
        }
        let help = "Statements refused because too many waited or this one waited too long, by pool";
        let mut family = encoder.encode_descriptor("database_statements_refused", help, None, MetricType::Counter)?;
        for (pool, usage) in pools {
            ConstCounter::new(usage.refused).encode(family.encode_family(&PoolLabel { pool })?)?;
        }
        Ok(())
    }

    fn encode_writer(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let writer = self.0.operations.monitor.writer();
        let help = "Transitions that wait to be written";
        show(encoder, "writer_queued_transitions", help, None, &ConstGauge::new(writer.queued))?;
        let help = "Maximum number of transitions that wait to be written";
        show(encoder, "writer_queued_transitions_max", help, None, &ConstGauge::new(writer.room))?;
        let help = "Statements that the writer sent";
        show(encoder, "writer_statements", help, None, &ConstCounter::new(writer.statements))?;
        let help = "Transitions in those statements; divided by the statements, the average batch";
        show(encoder, "writer_transitions", help, None, &ConstCounter::new(writer.transitions))
    }

    fn encode_ages(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(ages) = self.0.operations.monitor.ages() else { return Ok(()) };
        let seconds = |time: chrono::TimeDelta| ConstGauge::new(time.as_seconds_f64());
        let unit = Some(&Unit::Seconds);
        let help = "Age of the last successful read of the database, which is tried every 5 s";
        let answered = ConstGauge::new(ages.answered.as_secs_f64());
        show(encoder, "database_answer_age", help, unit, &answered)?;
        let help = "How far the database, as a standby, is behind its primary; 0 on a primary";
        show(encoder, "database_replay_lag", help, unit, &seconds(ages.replay_lag))?;
        if self.0.operations.monitor.is_read_only() {
            return Ok(());
        }
        let help = "How long an open transaction of the database server has blocked the feed and the checkpoints";
        show(encoder, "horizon_age", help, unit, &seconds(ages.horizon))?;
        let help = "How long the earliest timer has been due, including those set aside";
        show(encoder, "timers_oldest_due_age", help, unit, &seconds(ages.due_timer))?;
        let help = "Unsettled deliveries to enabled endpoints, counted up to 1,000 per endpoint and 20,000 in all";
        show(encoder, "webhooks_pending", help, None, &ConstGauge::new(ages.pending))?;
        let help = "How long ago the oldest event of those deliveries was recorded";
        show(encoder, "webhooks_oldest_pending_age", help, unit, &seconds(ages.oldest_pending))?;
        let Some(uncovered) = ages.uncovered else { return Ok(()) };
        let help = "How long ago the first entry was recorded that no checkpoint covers";
        show(encoder, "audit_uncovered_age", help, unit, &seconds(uncovered))
    }
}

/// Adds a metric without labels.
fn show(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, unit, metric.metric_type())?)
}
