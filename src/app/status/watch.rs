//! Waiting for a status to change.
//!
//! **Topics.** All watchers of a task share one topic, which holds the newest status that this
//! replica has seen and disappears with its last watcher. There are no queues: a slow reader gets
//! the newest status and misses those in between.
//!
//! **Wake-ups.** Watchers are woken by this replica's writes, after the commit
//! (`crate::app::commits`), by notifications of other replicas and, since either can be lost, by a
//! look once a second at the versions of all watched tasks together. All three only say that a
//! newer status exists; one reader then reads each such status once, several tasks at a time,
//! however many watchers it has. [`replication`] has these loops, and a worker runs them.
//!
//! **Order.** A topic exists before its status is first read, so that no change is missed in
//! between; its status only ever gets newer.

use std::collections::{HashMap, HashSet};
use std::mem::take;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::app::access::{Caller, may_see};
use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::shares::{Share, Shares};
use crate::domain::values::id::TaskId;
use crate::store::db::notify::Change;

use super::compressed::Status;
use super::reader::{AtLeast, StatusReader};

pub mod replication;

/// Maximum number of pending announcements to other replicas. More are dropped, since the replicas
/// also find changes by looking.
const MAX_OUTGOING: usize = 20_000;

/// The watchers by task, and the pending work for them.
#[derive(Debug)]
pub struct Watchers {
    reader: Arc<StatusReader>,
    shares: Shares,
    topics: Mutex<Topics>,
    /// Watched tasks for which a newer status exists.
    stale: Mutex<HashSet<TaskId>>,
    stale_notify: Notify,
    /// Changes written by this replica and not announced yet.
    outgoing: Mutex<HashMap<TaskId, u64>>,
    outgoing_notify: Notify,
    /// Notified when a change may have been missed.
    look_notify: Notify,
}

#[derive(Debug, Default)]
struct Topics {
    watched: HashMap<TaskId, Entry>,
    watchers: usize,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    topic: Arc<Topic>,
    watchers: usize,
}

#[derive(Debug)]
struct Topic {
    id: TaskId,
    /// The newest version known to exist.
    exists: AtomicU64,
    seen: watch::Sender<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    status: Option<Arc<Status>>,
    stopping: bool,
}

/// A watcher of a task's status; dropping it removes every trace.
#[derive(Debug)]
pub struct Watch {
    _seat: Seat,
    seen: watch::Receiver<Seen>,
    status: Arc<Status>,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There is a newer status.
    Changed,
    /// The service is about to stop.
    Stopping,
}

impl Watch {
    /// The newest status as of the last wait, or of the start.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Whether the status can never change again.
    pub fn is_final(&self) -> bool {
        self.status.course.phase.is_terminal()
    }

    /// Waits for a newer status, or until the service is about to stop. May be dropped at any time
    /// and called again.
    ///
    /// # Panics
    ///
    /// Never: the topic lives as long as this value.
    pub async fn changed(&mut self) -> Woken {
        let than = self.status.version;
        let seen = self.seen.wait_for(|seen| seen.stopping || seen.version() > than).await;
        let seen = seen.expect("this holds the topic, and the topic the sender").clone();
        match seen.status.filter(|status| status.version > than) {
            Some(status) => {
                self.status = status;
                Woken::Changed
            }
            None => Woken::Stopping,
        }
    }
}

/// A watcher's place in the count, returned when dropped; the topic disappears with the last one.
#[derive(Debug)]
struct Seat {
    watchers: Arc<Watchers>,
    topic: Arc<Topic>,
    _share: Share,
}

impl Seat {
    fn take(watchers: &Arc<Watchers>, caller: &Caller, id: TaskId) -> Result<Self, Error> {
        let share = watchers.shares.take(caller)?;
        let mut topics = watchers.topics();
        topics.watchers += 1;
        let stopping = topics.closed;
        let entry = topics.watched.entry(id).or_insert_with(|| Entry { topic: Topic::new(id, stopping), watchers: 0 });
        entry.watchers += 1;
        let topic = Arc::clone(&entry.topic);
        drop(topics);
        Ok(Self { watchers: Arc::clone(watchers), topic, _share: share })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut topics = self.watchers.topics();
        topics.watchers -= 1;
        if let Some(entry) = topics.watched.get_mut(&self.topic.id) {
            entry.watchers -= 1;
            if entry.watchers == 0 {
                topics.watched.remove(&self.topic.id);
            }
        }
    }
}

impl Seen {
    fn version(&self) -> u64 {
        self.status.as_ref().map_or(0, |status| status.version)
    }
}

impl Topic {
    fn new(id: TaskId, stopping: bool) -> Arc<Self> {
        let seen = watch::Sender::new(Seen { status: None, stopping });
        Arc::new(Self { id, exists: AtomicU64::new(0), seen })
    }

    /// The newest status that the watchers know, if it has at least this version; else the newest
    /// one in the database, which is then published to them.
    async fn at_least(&self, reader: &Arc<StatusReader>, version: u64) -> Result<Arc<Status>, Error> {
        let known = self.seen.borrow().status.clone();
        if let Some(status) = known.filter(|status| status.as_of >= version) {
            return Ok(status);
        }
        let status = reader.newest(self.id, version).await?;
        self.publish(Arc::clone(&status));
        Ok(status)
    }

    fn publish(&self, status: Arc<Status>) {
        self.seen.send_if_modified(|seen| {
            let newer = status.version > seen.version();
            if newer {
                seen.status = Some(status);
            }
            newer
        });
    }
}

impl Watchers {
    pub(super) fn new(base: &Base, reader: Arc<StatusReader>) -> Self {
        Self {
            reader,
            shares: base.shares.watchers.clone(),
            topics: Mutex::default(),
            stale: Mutex::default(),
            stale_notify: Notify::new(),
            outgoing: Mutex::default(),
            outgoing_notify: Notify::new(),
            look_notify: Notify::new(),
        }
    }

    /// Starts to watch a task that the caller may see.
    pub async fn watch_task_status(
        self: &Arc<Self>,
        caller: &Caller,
        id: TaskId,
        at_least: AtLeast,
    ) -> Result<Watch, Error> {
        let seat = Seat::take(self, caller, id)?;
        let seen = seat.topic.seen.subscribe();
        // A caller that has just written here reads its own write.
        let exists = seat.topic.exists.load(Ordering::SeqCst);
        let mut status = match seat.topic.at_least(&self.reader, at_least.version().max(exists)).await {
            Ok(status) if may_see(caller, id, (status.model.partner_id, status.buyer_id)) => status,
            Ok(_) | Err(Error::NotFound) => return Err(Box::pin(self.reader.missing(caller, id, at_least)).await),
            Err(error) => return Err(error),
        };
        if status.as_of < self.reader.needed(at_least) {
            status = self.reader.caught_up(status, at_least).await?;
            seat.topic.publish(Arc::clone(&status));
        }
        Ok(Watch { _seat: seat, seen, status })
    }

    /// The number of watchers, and of the tasks that they watch.
    pub fn count(&self) -> (usize, usize) {
        let topics = self.topics();
        (topics.watchers, topics.watched.len())
    }

    /// Publishes a status version that this replica has written, here and to other replicas.
    pub(in crate::app) fn committed(&self, change: Change) {
        self.heard(&[change]);
        self.announce(change);
    }

    /// Drops what this replica has in memory of a task that is not there any more. Other replicas
    /// find out as they look for changes.
    pub(in crate::app) fn forget(&self, task_id: TaskId) {
        self.reader.changed(Change { task_id, version: u64::MAX });
    }

    /// Queues an announcement to other replicas. Does not block.
    fn announce(&self, change: Change) {
        let mut outgoing = lock(&self.outgoing);
        if outgoing.len() < MAX_OUTGOING || outgoing.contains_key(&change.task_id) {
            let newest = outgoing.entry(change.task_id).or_default();
            *newest = change.version.max(*newest);
        }
        drop(outgoing);
        self.outgoing_notify.notify_one();
    }

    /// Publishes new status versions: later reads return at least these. Those that are watched and
    /// newer than the known ones will be read for the watchers.
    fn heard(&self, changes: &[Change]) {
        for change in changes {
            self.reader.changed(*change);
        }
        let topics = self.topics();
        let news = changes.iter().filter(|change| {
            let Some(Entry { topic, .. }) = topics.watched.get(&change.task_id) else { return false };
            topic.exists.fetch_max(change.version, Ordering::SeqCst);
            topic.seen.borrow().version() < change.version
        });
        let news: Vec<TaskId> = news.map(|change| change.task_id).collect();
        drop(topics);
        if !news.is_empty() {
            lock(&self.stale).extend(news);
            self.stale_notify.notify_one();
        }
    }

    /// Releases all watchers, and those that come later.
    pub(in crate::app) fn close(&self) {
        let mut topics = self.topics();
        topics.closed = true;
        for entry in topics.watched.values() {
            entry.topic.seen.send_modify(|seen| seen.stopping = true);
        }
    }

    /// The topics of the watched tasks among these.
    fn find(&self, ids: &[TaskId]) -> Vec<Arc<Topic>> {
        let topics = self.topics();
        ids.iter().filter_map(|id| Some(Arc::clone(&topics.watched.get(id)?.topic))).collect()
    }

    fn watched(&self) -> Vec<TaskId> {
        self.topics().watched.keys().copied().collect()
    }

    fn take_stale(&self) -> Vec<TaskId> {
        take(&mut *lock(&self.stale)).into_iter().collect()
    }

    fn take_outgoing(&self) -> Vec<Change> {
        let outgoing = take(&mut *lock(&self.outgoing)).into_iter();
        outgoing.map(|(task_id, version)| Change { task_id, version }).collect()
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        lock(&self.topics)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
