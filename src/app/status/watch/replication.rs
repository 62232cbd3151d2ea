//! The loops that wake watchers: between this replica's watchers, its writes, and the other
//! replicas. They run side by side, each until the service drains.
//!
//! **Failure.** None of them can fail. Without a connection to announce or listen (through a pooler
//! there may never be one), changes of other replicas are found by looking, within about a second.
//! While the database is unreachable nothing changes, and nothing is found.

use std::sync::Arc;
use std::time::Duration;

use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::shutdown::Shutdown;
use crate::app::status::reader::StatusReader;
use crate::app::workers::Workers;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::domain::values::id::TaskId;
use crate::ids;
use crate::store::db::notify::{Announcer, Listener};
use crate::store::{self, Pool};

use super::Watchers;

/// How often the versions of all watched tasks are compared, and so the delay of a change whose
/// notification was lost.
const LOOK: Duration = Duration::from_secs(1);
/// The pause between two announcements, so that many writes share one, and with it the lock that
/// each takes at its commit.
const GAP: Duration = Duration::from_millis(10);
/// Maximum number of tasks per statement.
const CHUNK: usize = 2_000;
/// Maximum number of statuses per statement.
const READ_CHUNK: usize = 200;
/// The longest pause before a lost connection is retried.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The loops of one replica.
#[derive(Debug)]
pub struct Replication {
    pool: Pool,
    clock: Clock,
    shutdown: Shutdown,
    workers: Arc<Workers>,
    reader: Arc<StatusReader>,
    watchers: Arc<Watchers>,
}

impl Replication {
    pub(in crate::app::status) fn new(base: &Base, reader: Arc<StatusReader>, watchers: Arc<Watchers>) -> Self {
        let (pool, clock, shutdown) = (base.pool.clone(), base.clock.clone(), base.shutdown.clone());
        Self { pool, clock, shutdown, workers: Arc::clone(&base.workers), reader, watchers }
    }

    /// Reads the statuses that are newer than those of the watchers, once for all watchers.
    pub async fn refresh(&self) {
        while !self.shutdown.is_draining() {
            tokio::select! {
                () = self.watchers.stale_notify.notified() => {}
                () = self.shutdown.stopped() => return,
            }
            if let Err(error) = self.read_stale().await {
                // The next look finds again what was not read.
                tracing::debug!(error = with_causes(&error), "changed statuses could not be read");
            }
        }
    }

    /// Compares the versions of all watched tasks with those of the watchers, periodically and when
    /// notifications may have been lost.
    pub async fn look(&self) {
        while !self.shutdown.is_draining() {
            if let Err(error) = self.compare().await {
                tracing::debug!(error = with_causes(&error), "the versions of watched tasks could not be read");
            }
            self.workers.turned("status_look");
            tokio::select! {
                () = self.watchers.look_notify.notified() => {}
                () = self.shutdown.pause(LOOK) => {}
            }
        }
    }

    /// Announces this replica's writes to the other replicas.
    pub async fn announce(&self) {
        let (mut announcer, mut trouble) = (None, Trouble::default());
        loop {
            tokio::select! {
                () = self.watchers.outgoing_notify.notified() => {}
                () = self.shutdown.stopped() => {}
            }
            let told = self.announce_all(&mut announcer).await;
            if self.shutdown.is_draining() {
                return;
            }
            match told {
                Ok(()) => {
                    trouble.is_over();
                    self.shutdown.pause(GAP).await;
                }
                Err(error) => {
                    announcer = None;
                    trouble
                        .pause(&self.shutdown, &error, "other replicas see changes by looking, within about a second")
                        .await;
                }
            }
        }
    }

    /// Listens for the writes of other replicas.
    pub async fn listen(&self) {
        let mut trouble = Trouble::default();
        while !self.shutdown.is_draining() {
            let lost = tokio::select! {
                lost = self.hear(&mut trouble) => lost,
                () = self.shutdown.stopped() => return,
            };
            trouble
                .pause(&self.shutdown, &lost, "changes of other replicas are seen by looking, within about a second")
                .await;
        }
    }

    /// Listens until the connection is lost.
    async fn hear(&self, trouble: &mut Trouble) -> Error {
        let mut listener = match Listener::connect(&self.pool).await {
            Ok(listener) => listener,
            Err(error) => return error.into(),
        };
        // Notifications sent before this point are lost.
        self.watchers.look_notify.notify_one();
        trouble.is_over();
        loop {
            match listener.next().await {
                Ok(changes) => self.watchers.heard(&changes),
                Err(error) => return error.into(),
            }
        }
    }

    async fn announce_all(&self, announcer: &mut Option<Announcer>) -> Result<(), Error> {
        let changes = self.watchers.take_outgoing();
        if changes.is_empty() {
            return Ok(());
        }
        let connected = match announcer.take() {
            Some(connected) => connected,
            None => Announcer::connect(&self.pool).await?,
        };
        // Removed again if this fails, since the state of the connection is then unknown.
        let connected = announcer.insert(connected);
        connected.announce(&changes).await.map_err(Error::from)
    }

    async fn read_stale(&self) -> Result<(), Error> {
        for ids in self.watchers.take_stale().chunks(READ_CHUNK) {
            let topics = self.watchers.find(ids);
            let ids: Vec<TaskId> = topics.iter().map(|topic| topic.id).collect();
            let at = self.clock.now();
            let found = store::tasks::list_statuses(&self.pool, &ids).await?;
            for (id, status) in self.reader.pack_aside(found, at) {
                if let (Some(topic), Ok(status)) = (topics.iter().find(|topic| topic.id == id), status) {
                    topic.publish(status);
                }
            }
        }
        Ok(())
    }

    async fn compare(&self) -> Result<(), Error> {
        for ids in self.watchers.watched().chunks(CHUNK) {
            let versions = store::tasks::list_status_versions(&self.pool, ids).await?;
            self.watchers.heard(&versions);
        }
        Ok(())
    }
}

/// A missing connection: logged once, and retried with growing pauses.
#[derive(Debug, Default)]
struct Trouble {
    failures: u32,
}

impl Trouble {
    fn is_over(&mut self) {
        if self.failures > 0 {
            tracing::info!("connected for notifications again");
        }
        self.failures = 0;
    }

    async fn pause(&mut self, shutdown: &Shutdown, error: &Error, meanwhile: &str) {
        if self.failures == 0 {
            tracing::warn!(error = with_causes(error), "no connection for notifications; {meanwhile}");
        }
        let longest = (Duration::from_millis(100) * (1 << self.failures.min(9))).min(MAX_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let part = f64::from(u16::from_ne_bytes(ids::random())) / f64::from(u16::MAX);
        shutdown.pause(longest.mul_f64(0.5 + part / 2.0)).await;
    }
}
