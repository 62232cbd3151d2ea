//! The latest statuses, so that polling does not reach the database while nothing changes.
//!
//! **Age.** Every status returned from here was current less than a second ago: it was read then,
//! or a look at all later changes did not find it ([`revalidation`]). This bound alone guarantees
//! freshness, since a notification of another replica's write may be lost. A write of this replica,
//! and a notification that arrives, removes older statuses at once (`Statuses::changed`).
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

use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::store;
use crate::store::db::notify::Change;
use crate::store::tasks::StatusRecord;

use self::cache::{StatusCache, Watch};
pub use self::compressed::Status;
use super::{App, Error};

mod cache;
mod compressed;
pub(in crate::app) mod forecast;
pub mod revalidation;
pub mod watch;

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
    /// From an `ETag`. Ignored if that version does not exist, as after a restore of the database.
    pub seen: u64,
    /// From `min_version`. If the status is older, the caller gets an error.
    pub required: u64,
}

impl AtLeast {
    pub(super) fn version(self) -> u64 {
        self.seen.max(self.required)
    }
}

/// The cached statuses, and the callers that wait for others.
#[derive(Debug)]
pub(super) struct Statuses(Mutex<Known>);

#[derive(Debug)]
struct Known {
    shelf: StatusCache,
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

/// A task's status, current less than a second ago. A caller that knows the version `at_least`
/// never gets an older one, unless that version does not exist.
pub(super) async fn newest(app: &Arc<App>, id: TaskId, at_least: u64) -> Result<Arc<Status>, Error> {
    let answer = match app.statuses.look(app, id, at_least) {
        Source::StatusCache(status) => return Ok(status),
        Source::Own(answer) => answer,
        Source::Shared(answer, exists) => {
            // A missing task may have been opened after the statement started.
            match received(answer).await {
                Ok(status) if status.version >= exists && status.as_of >= at_least => return Ok(status),
                Ok(_) | Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
            app.statuses.want(app, id)
        }
    };
    received(answer).await
}

/// The status, read again until it has the required version.
pub(super) async fn caught_up(app: &Arc<App>, mut status: Arc<Status>, required: u64) -> Result<Arc<Status>, Error> {
    for pause in PAUSES {
        if status.as_of >= required {
            return Ok(status);
        }
        app.shutdown.pause(Duration::from_millis(pause)).await;
        status = newest(app, status.task_id, required).await?;
    }
    if status.as_of >= required { Ok(status) } else { Err(Error::Behind) }
}

async fn received(answer: oneshot::Receiver<Answer>) -> Result<Arc<Status>, Error> {
    answer.await.unwrap_or_else(|_| Err(Error::impossible("a statement that answers nobody")))?.ok_or(Error::NotFound)
}

/// Reads these tasks, and then those that become wanted meanwhile.
async fn read(app: Arc<App>, mut ids: Vec<TaskId>) {
    while !ids.is_empty() {
        let at = app.clock.now();
        let statement = timeout(PATIENCE, store::tasks::list_statuses(&app.pool, &ids));
        let reading = async { statement.await.map(|found| found.map(|found| app.statuses.pack(found, at))) };
        // Even if this statement panics, its callers get an answer and the next one starts.
        let packed = match AssertUnwindSafe(reading).catch_unwind().await {
            Ok(Ok(packed)) => packed.map_err(Error::from),
            Ok(Err(elapsed)) => Err(Error::Overloaded(Arc::new(elapsed))),
            Err(_) => Err(Error::impossible("a statement that panics")),
        };
        ids = app.statuses.finish(packed);
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Self(Mutex::new(Known {
            shelf: StatusCache::new(ROOM),
            reading: None,
            wanted: Batch::new(),
            asked_at: Time::from_micros(i64::MIN),
        }))
    }
}

impl Statuses {
    /// Records that this version exists, so that older ones are no longer returned.
    pub(super) fn changed(&self, change: Change) {
        let mut known = self.known();
        known.shelf.drop_older(change);
        if let Some(read) = known.reading.as_mut().and_then(|batch| batch.get_mut(&change.task_id)) {
            read.exists = read.exists.max(change.version);
        }
    }

    /// Records that these tasks changed, and no others since the watch began.
    fn watched(&self, changed: &[TaskId], watch: Watch) {
        let mut known = self.known();
        for id in changed {
            known.shelf.take(*id);
            if let Some(read) = known.reading.as_mut().and_then(|batch| batch.get_mut(id)) {
                // The running statement may have read it before the change.
                read.exists = u64::MAX;
            }
        }
        known.shelf.watched(watch);
    }

    /// Whether a caller has asked since then.
    fn was_asked(&self, since: Time) -> bool {
        self.known().asked_at >= since
    }

    fn look(&self, app: &Arc<App>, id: TaskId, at_least: u64) -> Source {
        let now = app.clock.now();
        let mut known = self.known();
        known.asked_at = now;
        if let Some(status) = known.shelf.find(id, now).filter(|status| status.as_of >= at_least) {
            return Source::StatusCache(status);
        }
        let reading = known.reading.as_mut().and_then(|batch| batch.get_mut(&id));
        match reading {
            Some(read) => Source::Shared(read.wait(), read.exists),
            None => Source::Own(known.want(app, id)),
        }
    }

    fn want(&self, app: &Arc<App>, id: TaskId) -> oneshot::Receiver<Answer> {
        self.known().want(app, id)
    }

    /// Compresses what was found, as of `at`. Meanwhile other callers can use the cache.
    fn pack(&self, found: Vec<Found>, at: Time) -> Vec<Packed> {
        let mut known = self.known();
        let modelled = found.into_iter().map(|(id, status)| {
            let with_model = status.map(|status| (known.shelf.model(&status), status));
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
        packed.iter().filter_map(|(_, status)| status.as_ref().ok()).for_each(|status| known.shelf.leave_out(status));
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
                    Some(read) if status.version >= read.exists => known.shelf.put(Arc::clone(status)),
                    Some(_) | None => known.shelf.leave_out(status),
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

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Adds this task to the next statement.
    fn want(&mut self, app: &Arc<App>, id: TaskId) -> oneshot::Receiver<Answer> {
        let answer = self.wanted.entry(id).or_default().wait();
        if self.reading.is_none() {
            tokio::spawn(read(Arc::clone(app), self.begin()));
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
    use crate::clock::Clock;
    use crate::ids;

    fn change(task_id: TaskId, version: u64) -> Change {
        Change { task_id, version }
    }

    // On one thread, so that the statement that the test answers itself does not start.
    #[tokio::test(flavor = "current_thread")]
    async fn a_task_that_is_opened_while_it_is_looked_for_is_found() {
        let app = Arc::new(App::without_database(Clock::system()));
        let (id, now) = (TaskId(ids::new()), app.clock.now());
        let early = app.statuses.want(&app, id);
        let late = newest(&app, id, 0);
        let answer = async {
            assert!(app.statuses.finish(Ok(vec![])).is_empty(), "the statement began before the task was opened");
            while app.statuses.known().reading.is_none() {
                tokio::task::yield_now().await;
            }
            let packed = app.statuses.pack(vec![(id, Ok(cache::tests::record(id, 1)))], now);
            app.statuses.finish(Ok(packed));
        };
        let (late, ()) = tokio::join!(late, answer);
        assert!(matches!(received(early).await, Err(Error::NotFound)));
        assert_eq!(late.unwrap().version, 1);
    }

    #[tokio::test]
    async fn what_is_read_while_something_newer_is_written_is_not_kept_and_not_enough() {
        let app = Arc::new(App::without_database(Clock::system()));
        let (id, now) = (TaskId(ids::new()), app.clock.now());
        for (written, enough) in [(1, true), (2, false)] {
            let first = app.statuses.want(&app, id);
            app.statuses.changed(change(id, written));
            let Source::Shared(second, exists) = app.statuses.look(&app, id, 0) else { panic!("it is being read") };
            assert_eq!(exists, written);
            let packed = app.statuses.pack(vec![(id, Ok(cache::tests::record(id, 1)))], now);
            let next = app.statuses.finish(Ok(packed));
            assert!(next.is_empty());
            for answer in [first, second] {
                assert_eq!(received(answer).await.unwrap().version, 1);
            }
            let kept = matches!(app.statuses.look(&app, id, 0), Source::StatusCache(_));
            assert_eq!(kept, enough);
        }
    }
}
