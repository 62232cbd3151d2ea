//! The end of the feed, read once for all waiting readers.
//!
//! While there are waiting readers, one worker per process ([`Tail::run`]) looks for new rows:
//! after each write of this process, and otherwise every `INTERVAL`. A look takes two statements
//! for any number of readers. It wakes the readers whose owner has new rows and gives them the
//! horizon that it read.
//!
//! No row is missed between a reader's own read and the first look for it: each owner's channel
//! holds the horizon up to which to read, starting with that of the first look. It wakes a reader
//! that has not read that far.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::app::base::Base;
use crate::app::commits::Commits;
use crate::app::shutdown::Shutdown;
use crate::app::workers::Workers;
use crate::domain::values::id::TaskId;
use crate::domain::webhook::Owner;
use crate::store::db::horizon::Transaction;
use crate::store::feed::News;
use crate::store::{self, Pool};

/// The worker's name.
pub const NAME: &str = "feed_tail";
/// How often to look for new rows while there are waiting readers.
const INTERVAL: Duration = Duration::from_millis(250);
/// The shortest time between two looks, however much is written.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the worker reports a turn without waiting readers.
const IDLE: Duration = Duration::from_secs(10);
/// How many new rows a look assigns to their owners; beyond that it wakes everybody.
const MOST: usize = 5_000;

/// The end of the feed: looks for new rows while there are waiting readers.
#[derive(Debug)]
pub struct Tail {
    pool: Pool,
    shutdown: Shutdown,
    workers: Arc<Workers>,
    commits: Arc<Commits>,
    followers: Followers,
}

/// The waiting readers, and how far the looks for them have reached.
#[derive(Debug, Default)]
struct Followers {
    first_waits: Notify,
    followed: Mutex<Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    /// None while nobody waits.
    looked: Option<Looked>,
    targets: HashMap<Target, watch::Sender<Found>>,
}

/// Whose rows a reader waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// Those that an owner may see.
    Owner(Owner),
    /// Those of one task, for a page that shows it.
    Task(TaskId),
}

impl Target {
    fn is_in(self, news: &News) -> bool {
        match self {
            Self::Owner(owner) => news.concern(owner),
            Self::Task(task) => news.concern_task(task),
        }
    }
}

/// What the looks have covered so far.
#[derive(Clone, Copy, Debug)]
struct Looked {
    /// All rows below this horizon are known.
    horizon: Transaction,
    /// The last committed transaction among those since the first look, if known.
    last: Option<Transaction>,
}

/// What the looks have found for one owner.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    /// The owner may have rows below this horizon, but has none between it and the last look's.
    horizon: Transaction,
    /// The previous horizon, and a committed transaction up to which the owner has no rows from
    /// there on.
    quiet: Option<(Transaction, Transaction)>,
}

/// What ended a wait. `passed` is a committed transaction up to which the owner has no rows that
/// the reader has not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// The owner may have rows below `horizon`.
    News { horizon: Transaction, passed: Option<Transaction> },
    /// The wait timed out, or the service is about to stop.
    Nothing { passed: Option<Transaction> },
}

/// A waiting reader; dropping it ends the wait.
#[derive(Debug)]
pub(super) struct Follower(watch::Receiver<Found>);

impl Tail {
    pub(super) fn new(base: &Base, commits: Arc<Commits>) -> Self {
        let (pool, shutdown, workers) = (base.pool.clone(), base.shutdown.clone(), Arc::clone(&base.workers));
        Self { pool, shutdown, workers, commits, followers: Followers::default() }
    }

    /// Includes this target in the looks until the returned value is dropped.
    pub(super) fn follow(&self, target: Target) -> Follower {
        self.followers.follow(target)
    }

    /// The number of requests that wait for new rows.
    pub fn count(&self) -> usize {
        self.followers.count()
    }

    /// Looks for new rows while there are waiting readers, until the service drains.
    pub async fn run(&self) {
        while !self.shutdown.is_draining() {
            self.workers.turned(NAME);
            if !self.followers.is_followed() {
                tokio::select! {
                    () = self.followers.first_waits.notified() => {}
                    () = self.shutdown.pause(IDLE) => {}
                }
                continue;
            }
            if let Err(error) = self.look().await {
                // Waiting readers are answered at their timeout; their next request reports the
                // error.
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::debug!(error, "the end of the feed could not be read");
            }
            self.shutdown.pause(PAUSE).await;
            tokio::select! {
                () = self.commits.feed.notified() => {}
                () = self.shutdown.pause(INTERVAL) => {}
            }
        }
    }

    async fn look(&self) -> Result<(), store::Error> {
        let since = self.followers.horizon();
        match store::feed::list_news(&self.pool, since, MOST).await? {
            (horizon, Some(news)) => self.followers.tell(horizon, &news),
            (horizon, None) if since == Some(horizon) => {}
            // A restored database has a lower horizon, and so has a standby that is behind the one
            // that was read before; waiting readers notice it with their next request.
            (horizon, None) => self.followers.begin(horizon),
        }
        Ok(())
    }
}

impl Followers {
    /// Includes this target in the looks until the returned value is dropped.
    fn follow(&self, target: Target) -> Follower {
        let mut followed = self.followed();
        let horizon = followed.looked.map_or(Transaction::NONE, |looked| looked.horizon);
        let found = Found { horizon, quiet: None };
        let news = followed.targets.entry(target).or_insert_with(|| watch::Sender::new(found)).subscribe();
        drop(followed);
        self.first_waits.notify_one();
        Follower(news)
    }

    /// The number of waiting readers.
    fn count(&self) -> usize {
        self.followed().targets.values().map(watch::Sender::receiver_count).sum()
    }

    /// Whether any reader waits. If none does, forgets what was covered.
    fn is_followed(&self) -> bool {
        let mut followed = self.followed();
        followed.targets.retain(|_, found| found.receiver_count() > 0);
        if followed.targets.is_empty() {
            followed.looked = None;
        }
        !followed.targets.is_empty()
    }

    fn horizon(&self) -> Option<Transaction> {
        self.followed().looked.map(|looked| looked.horizon)
    }

    /// Starts at this horizon: looks cover rows at or above it.
    fn begin(&self, horizon: Transaction) {
        let mut followed = self.followed();
        followed.looked = Some(Looked { horizon, last: None });
        for found in followed.targets.values() {
            found.send_replace(Found { horizon, quiet: None });
        }
    }

    /// Extends the coverage to this horizon and wakes the readers with new rows.
    fn tell(&self, horizon: Transaction, news: &News) {
        let mut followed = self.followed();
        let last = followed.looked.and_then(|looked| looked.last);
        for (target, found) in &followed.targets {
            if target.is_in(news) {
                found.send_modify(|found| {
                    *found = Found { horizon, quiet: last.map(|last| (found.horizon, last)) };
                });
            }
        }
        followed.looked = Some(Looked { horizon, last: news.last.or(last) });
    }

    fn followed(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    /// Waits until the owner may have rows at `read` or above, for a reader that has read all rows
    /// below it.
    pub(super) async fn wait(&mut self, tail: &Tail, read: Transaction, until: Instant) -> Woken {
        tokio::select! {
            _ = self.0.wait_for(|found| found.horizon > read) => {}
            () = sleep_until(until) => {}
            () = tail.shutdown.stopped() => {}
        }
        self.woken(&tail.followers, read)
    }

    /// Why a reader that has read up to `read` should continue.
    fn woken(&self, followers: &Followers, read: Transaction) -> Woken {
        // Under the lock, the findings are complete up to the covered horizon.
        let followed = followers.followed();
        let found = *self.0.borrow();
        if found.horizon > read {
            // If several looks found rows, it is not known from where on the owner has none.
            let passed = found.quiet.filter(|(since, _)| *since <= read).map(|(_, last)| last);
            return Woken::News { horizon: found.horizon, passed };
        }
        Woken::Nothing { passed: followed.looked.and_then(|looked| looked.last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64) -> Transaction {
        Transaction { epoch: 0, number }
    }

    fn of(target: Target, last: u64) -> News {
        let mut news = News { last: Some(at(last)), ..News::default() };
        match target {
            Target::Owner(owner) => news.owners.insert(owner),
            Target::Task(task) => news.tasks.insert(task),
        };
        news
    }

    fn partner(number: u128) -> Target {
        Target::Owner(Owner::of(uuid::Uuid::from_u128(number)))
    }

    #[test]
    fn who_follows_a_task_is_woken_by_its_rows_alone() {
        let task = |number| Target::Task(TaskId(uuid::Uuid::from_u128(number)));
        let tail = Followers::default();
        let (one, other) = (tail.follow(task(1)), tail.follow(task(2)));
        tail.begin(at(10));
        tail.tell(at(20), &of(task(1), 15));
        assert_eq!(one.woken(&tail, at(10)), Woken::News { horizon: at(20), passed: None });
        assert_eq!(other.woken(&tail, at(10)), Woken::Nothing { passed: Some(at(15)) });
    }

    #[test]
    fn only_the_owner_of_new_rows_is_woken_and_others_pass_them() {
        let (tail, busy, quiet) = (Followers::default(), partner(1), partner(2));
        let (one, other) = (tail.follow(busy), tail.follow(quiet));
        tail.begin(at(10));
        tail.tell(at(20), &of(busy, 15));
        assert_eq!(one.woken(&tail, at(10)), Woken::News { horizon: at(20), passed: None });
        assert_eq!(other.woken(&tail, at(10)), Woken::Nothing { passed: Some(at(15)) });
        // The next look finds a row of this owner, so the passed range ends before it.
        tail.tell(at(30), &of(quiet, 25));
        assert_eq!(other.woken(&tail, at(10)), Woken::News { horizon: at(30), passed: Some(at(15)) });
        // Two looks found rows: nothing is passed.
        tail.tell(at(40), &of(quiet, 35));
        assert_eq!(other.woken(&tail, at(10)), Woken::News { horizon: at(40), passed: None });
    }

    #[test]
    fn a_reader_that_has_read_less_than_the_first_look_reads_again() {
        let (tail, owner) = (Followers::default(), partner(1));
        let early = tail.follow(owner);
        assert_eq!(early.woken(&tail, at(5)), Woken::Nothing { passed: None });
        tail.begin(at(10));
        assert_eq!(early.woken(&tail, at(5)), Woken::News { horizon: at(10), passed: None });
        assert_eq!(early.woken(&tail, at(10)), Woken::Nothing { passed: None });
        // The first reader of another owner arrives during the looks.
        tail.tell(at(20), &of(owner, 12));
        let late = tail.follow(partner(2));
        assert_eq!(late.woken(&tail, at(15)), Woken::News { horizon: at(20), passed: None });
        drop((early, late));
        assert!(!tail.is_followed() && tail.horizon().is_none() && tail.count() == 0);
    }

    #[test]
    fn more_rows_than_are_told_apart_wake_everybody() {
        let (tail, owner) = (Followers::default(), partner(1));
        let follower = tail.follow(owner);
        tail.begin(at(10));
        tail.tell(at(20), &News { more: true, ..News::default() });
        assert_eq!(follower.woken(&tail, at(10)), Woken::News { horizon: at(20), passed: None });
    }
}
