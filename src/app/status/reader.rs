//! Reads statuses: each was current less than a second ago, and a statement serves many callers.
//!
//! **Age.** Every status returned from here was current less than a second ago: it was read then,
//! or a look at all later changes did not find it ([`super::refresh`]). This bound alone
//! guarantees freshness, since a notification of another replica's write may be lost. A write of
//! this replica, and a notification that arrives, removes older statuses at once
//! (`StatusReader::changed`).
//!
//! **Misses.** One statement at a time reads all tasks that are wanted when it starts: a lone
//! caller waits for nobody, and callers of different tasks share statements. A caller for a task
//! that is being read waits for the same result, unless that turns out to be older than a version
//! that the caller knows; then the next statement reads it again.
//!
//! **Memory.** The entries read first are evicted first: when they are too old, or when all entries
//! together are too large. All are compressed ([`Status`]).

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::app::access::Caller;
use crate::app::archived::missing;
use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::replay::Replay;
use crate::app::shutdown::Shutdown;
use crate::clock::Clock;
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::store::db::notify::Change;
use crate::store::tasks::StatusRecord;
use crate::store::{self, Pool};

use super::cache::{StatusCache, Watch};
use super::compressed::Status;

/// The memory limit of the cache in bytes.
const ROOM: usize = 64 << 20;
/// Maximum number of tasks per statement.
const CHUNK: usize = 500;
/// The time limit of a statement, including the waits before it, each of which has a limit of its
/// own. No caller waits longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// The pauses in milliseconds before a stale status is read again. A replica lags by less than
/// their sum, or by far more.
const PAUSES: [u64; 4] = [50, 100, 200, 400];

/// The versions of a task or its status that a caller knows: it never gets an older status.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtLeast {
    /// From an `ETag`. Ignored if that version does not exist, as after a restore of the database;
    /// a standby may not have it yet, so there the caller gets an error.
    pub seen: u64,
    /// From `min_version`. If the status is older, the caller gets an error.
    pub required: u64,
}

impl AtLeast {
    pub(super) fn version(self) -> u64 {
        self.seen.max(self.required)
    }
}

/// Reads statuses, through a cache that all callers share.
#[derive(Debug)]
pub(super) struct StatusReader {
    pool: Pool,
    clock: Clock,
    shutdown: Shutdown,
    replay: Replay,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    cache: StatusCache,
    /// The tasks of the statement in progress; none without one.
    reading: Option<Batch>,
    /// The tasks of the next statement.
    wanted: Batch,
    /// When a caller last asked.
    asked_at: Time,
}

type Batch = HashMap<TaskId, Read>;

/// A task that is being read, or will be.
#[derive(Debug, Default)]
struct Read {
    /// The newest version known to exist; the statement may have started before it did.
    exists: u64,
    waiting: Vec<oneshot::Sender<Answer>>,
}

type Found = (TaskId, Result<StatusRecord, store::Error>);
type Packed = (TaskId, Result<Arc<Status>, Error>);
type Answer = Result<Option<Arc<Status>>, Error>;

/// The source of a caller's result.
enum Source {
    StatusCache(Arc<Status>),
    /// The statement in progress, if it finds this version or a newer one.
    Shared(oneshot::Receiver<Answer>, u64),
    /// A statement that starts after the caller arrived.
    Own(oneshot::Receiver<Answer>),
}

async fn received(answer: oneshot::Receiver<Answer>) -> Result<Arc<Status>, Error> {
    answer.await.unwrap_or_else(|_| Err(Error::impossible("a statement that answers nobody")))?.ok_or(Error::NotFound)
}

impl StatusReader {
    pub(super) fn new(base: &Base) -> Self {
        let known = Known {
            cache: StatusCache::new(ROOM),
            reading: None,
            wanted: Batch::new(),
            asked_at: Time::from_micros(i64::MIN),
        };
        let (pool, clock, shutdown) = (base.pool.clone(), base.clock.clone(), base.shutdown.clone());
        Self { pool, clock, shutdown, replay: base.replay.clone(), known: Mutex::new(known) }
    }

    /// A task's status, current less than a second ago. A caller that knows the version `at_least`
    /// never gets an older one, unless that version does not exist.
    pub(super) async fn newest(self: &Arc<Self>, id: TaskId, at_least: u64) -> Result<Arc<Status>, Error> {
        let answer = match self.look(id, at_least) {
            Source::StatusCache(status) => return Ok(status),
            Source::Own(answer) => answer,
            Source::Shared(answer, exists) => {
                // A missing task may have been opened after the statement started.
                match received(answer).await {
                    Ok(status) if status.version >= exists && status.as_of >= at_least => return Ok(status),
                    Ok(_) | Err(Error::NotFound) => {}
                    Err(error) => return Err(error),
                }
                self.want(id)
            }
        };
        received(answer).await
    }

    /// The version that a status must have. A standby may lack what the caller has seen.
    pub(super) fn needed(&self, at_least: AtLeast) -> u64 {
        if self.replay.may_lack() { at_least.version() } else { at_least.required }
    }

    /// The status, read again until it has the needed version.
    pub(super) async fn caught_up(
        self: &Arc<Self>,
        mut status: Arc<Status>,
        at_least: AtLeast,
    ) -> Result<Arc<Status>, Error> {
        let needed = self.needed(at_least);
        for pause in PAUSES {
            if status.as_of >= needed {
                return Ok(status);
            }
            self.shutdown.pause(Duration::from_millis(pause)).await;
            status = self.newest(status.task_id, needed).await?;
        }
        if status.as_of < at_least.required {
            return Err(Error::Behind);
        }
        if status.as_of < needed {
            self.replay.require_complete().await?;
        }
        Ok(status)
    }

    /// Why the caller gets no status of a task that is not there, or not the caller's. A standby may
    /// not have the task yet whose version the caller knows; the two cases must look the same.
    pub(super) async fn missing(&self, caller: &Caller, id: TaskId, at_least: AtLeast) -> Error {
        let missing = missing(&self.pool, caller, id).await;
        if at_least.version() == 0 || !matches!(missing, Error::NotFound) {
            return missing;
        }
        self.replay.require_complete().await.err().unwrap_or(Error::NotFound)
    }

    /// Reads these tasks, and then those that become wanted meanwhile.
    async fn read(self: Arc<Self>, mut ids: Vec<TaskId>) {
        while !ids.is_empty() {
            let at = self.clock.now();
            let statement = timeout(PATIENCE, store::tasks::list_statuses(&self.pool, &ids));
            let reading = async { statement.await.map(|found| found.map(|found| self.pack(found, at))) };
            // Even if this statement panics, its callers get an answer and the next one starts.
            let packed = match AssertUnwindSafe(reading).catch_unwind().await {
                Ok(Ok(packed)) => packed.map_err(Error::from),
                Ok(Err(elapsed)) => Err(Error::Overloaded(Arc::new(elapsed))),
                Err(_) => Err(Error::impossible("a statement that panics")),
            };
            ids = self.finish(packed);
        }
    }

    /// Records that this version exists, so that older ones are no longer returned.
    pub(super) fn changed(&self, change: Change) {
        let mut known = self.known();
        known.cache.drop_older(change);
        if let Some(read) = known.reading.as_mut().and_then(|batch| batch.get_mut(&change.task_id)) {
            read.exists = read.exists.max(change.version);
        }
    }

    /// Records that these tasks changed, and no others since the watch began.
    pub(super) fn watched(&self, changed: &[TaskId], watch: Watch) {
        let mut known = self.known();
        for id in changed {
            known.cache.take(*id);
            if let Some(read) = known.reading.as_mut().and_then(|batch| batch.get_mut(id)) {
                // The running statement may have read it before the change.
                read.exists = u64::MAX;
            }
        }
        known.cache.watched(watch);
    }

    /// Whether a caller has asked since then.
    pub(super) fn was_asked(&self, since: Time) -> bool {
        self.known().asked_at >= since
    }

    fn look(self: &Arc<Self>, id: TaskId, at_least: u64) -> Source {
        let now = self.clock.now();
        let mut known = self.known();
        known.asked_at = now;
        if let Some(status) = known.cache.find(id, now).filter(|status| status.as_of >= at_least) {
            return Source::StatusCache(status);
        }
        let reading = known.reading.as_mut().and_then(|batch| batch.get_mut(&id));
        match reading {
            Some(read) => Source::Shared(read.wait(), read.exists),
            None => Source::Own(known.want(self, id)),
        }
    }

    fn want(self: &Arc<Self>, id: TaskId) -> oneshot::Receiver<Answer> {
        self.known().want(self, id)
    }

    /// Compresses what was found, as of `at`. Meanwhile other callers can use the cache.
    fn pack(&self, found: Vec<Found>, at: Time) -> Vec<Packed> {
        let mut known = self.known();
        let modelled = found.into_iter().map(|(id, status)| {
            let with_model = status.map(|status| (known.cache.model(&status), status));
            (id, with_model.map_err(Error::from))
        });
        let modelled: Vec<_> = modelled.collect();
        drop(known);
        let pack = |(model, status)| Arc::new(Status::new(&status, model, at));
        modelled.into_iter().map(|(id, status)| (id, status.map(pack))).collect()
    }

    /// The same for statuses that others read for themselves and that are not cached here.
    pub(super) fn pack_aside(&self, found: Vec<Found>, at: Time) -> Vec<Packed> {
        let packed = self.pack(found, at);
        let mut known = self.known();
        packed.iter().filter_map(|(_, status)| status.as_ref().ok()).for_each(|status| known.cache.leave_out(status));
        packed
    }

    /// Caches the results and sends them to the callers; returns the tasks to read next.
    fn finish(&self, found: Result<Vec<Packed>, Error>) -> Vec<TaskId> {
        let mut known = self.known();
        let mut batch = known.reading.take().unwrap_or_default();
        let missing = found.as_ref().map(|_| None).map_err(Clone::clone);
        for (id, status) in found.into_iter().flatten() {
            let read = batch.remove(&id);
            if let Ok(status) = &status {
                match &read {
                    Some(read) if status.version >= read.exists => known.cache.put(Arc::clone(status)),
                    Some(_) | None => known.cache.leave_out(status),
                }
            }
            if let Some(read) = read {
                read.tell(&status.map(Some));
            }
        }
        for (_, read) in batch {
            read.tell(&missing);
        }
        known.begin()
    }

    /// How many statuses are in memory, and their bytes.
    pub(super) fn cached(&self) -> (usize, usize) {
        self.known().cache.size()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Adds this task to the next statement.
    fn want(&mut self, reader: &Arc<StatusReader>, id: TaskId) -> oneshot::Receiver<Answer> {
        let answer = self.wanted.entry(id).or_default().wait();
        if self.reading.is_none() {
            tokio::spawn(Arc::clone(reader).read(self.begin()));
        }
        answer
    }

    /// Starts the next statement; returns its tasks.
    fn begin(&mut self) -> Vec<TaskId> {
        let ids: Vec<TaskId> = self.wanted.keys().take(CHUNK).copied().collect();
        let batch: Batch = ids.iter().filter_map(|id| self.wanted.remove_entry(id)).collect();
        self.reading = Some(batch).filter(|batch| !batch.is_empty());
        ids
    }
}

impl Read {
    fn wait(&mut self) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.push(sender);
        receiver
    }

    fn tell(self, answer: &Answer) {
        for waiting in self.waiting {
            // A caller that disconnected needs no answer.
            let _ = waiting.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::status::cache::tests::record;
    use crate::ids;

    fn change(task_id: TaskId, version: u64) -> Change {
        Change { task_id, version }
    }

    // On one thread, so that the statement that the test answers itself does not start.
    #[tokio::test(flavor = "current_thread")]
    async fn a_task_that_is_opened_while_it_is_looked_for_is_found() {
        let reader = Arc::new(StatusReader::new(&Base::without_database(Clock::system())));
        let (id, now) = (TaskId(ids::new()), reader.clock.now());
        let early = reader.want(id);
        let late = reader.newest(id, 0);
        let answer = async {
            assert!(reader.finish(Ok(vec![])).is_empty(), "the statement began before the task was opened");
            while reader.known().reading.is_none() {
                tokio::task::yield_now().await;
            }
            let packed = reader.pack(vec![(id, Ok(record(id, 1)))], now);
            reader.finish(Ok(packed));
        };
        let (late, ()) = tokio::join!(late, answer);
        assert!(matches!(received(early).await, Err(Error::NotFound)));
        assert_eq!(late.unwrap().version, 1);
    }

    #[tokio::test]
    async fn what_is_read_while_something_newer_is_written_is_not_kept_and_not_enough() {
        let reader = Arc::new(StatusReader::new(&Base::without_database(Clock::system())));
        let (id, now) = (TaskId(ids::new()), reader.clock.now());
        for (written, enough) in [(1, true), (2, false)] {
            let first = reader.want(id);
            reader.changed(change(id, written));
            let Source::Shared(second, exists) = reader.look(id, 0) else { panic!("it is being read") };
            assert_eq!(exists, written);
            let packed = reader.pack(vec![(id, Ok(record(id, 1)))], now);
            let next = reader.finish(Ok(packed));
            assert!(next.is_empty());
            for answer in [first, second] {
                assert_eq!(received(answer).await.unwrap().version, 1);
            }
            let kept = matches!(reader.look(id, 0), Source::StatusCache(_));
            assert_eq!(kept, enough);
        }
    }
}
