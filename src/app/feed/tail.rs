//! The end of the feed, read once for all who wait for it to go on.
//!
//! While somebody waits, one worker per process ([`run`]) looks for new rows: after this process has written, and
//! otherwise every `INTERVAL`. A look is two statements, however many readers wait. It wakes the readers whose owner
//! has new rows and gives them the horizon that it read.
//!
//! Nothing is missed between a reader's own read and the first look for it: each owner's channel says up to which
//! horizon to read, and is set to that of the first look. A reader that has not read that far is woken by it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::domain::webhook::Owner;
use crate::store;
use crate::store::db::horizon::{Transaction, find_horizon};
use crate::store::feed::News;

/// The worker's name.
pub const NAME: &str = "feed_tail";
/// How often the end of the feed is looked for while somebody waits.
const INTERVAL: Duration = Duration::from_millis(250);
/// The least time between two looks, however much is written.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the worker shows that it lives while nobody waits.
const IDLE: Duration = Duration::from_secs(10);
/// How many new rows a look tells apart by their owners; after more of them everybody is woken.
const MOST: usize = 5_000;

/// Who waits for the feed to go on, and how far was looked for them.
#[derive(Debug, Default)]
pub(in crate::app) struct Tail {
    written: Notify,
    first_waits: Notify,
    followed: Mutex<Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    /// None while nobody waits.
    looked: Option<Looked>,
    owners: HashMap<Owner, watch::Sender<Found>>,
}

/// What the looks so far have covered.
#[derive(Clone, Copy, Debug)]
struct Looked {
    /// All rows below are known.
    horizon: Transaction,
    /// The last committed transaction among those since the first look, if one is known.
    last: Option<Transaction>,
}

/// What the looks have found for one owner.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    /// Rows of the owner may be below this horizon; none are between it and the last look's.
    horizon: Transaction,
    /// The horizon before that one, and a committed transaction up to which the owner has no rows from there on.
    quiet: Option<(Transaction, Transaction)>,
}

/// What ended a wait. `passed` is a committed transaction up to which there are no rows of the owner that the reader
/// has not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// There may be rows of the owner below `horizon`.
    News { horizon: Transaction, passed: Option<Transaction> },
    /// The time is over, or the service is about to stop.
    Nothing { passed: Option<Transaction> },
}

/// One who waits; dropped, the waiting is over.
#[derive(Debug)]
pub(super) struct Follower(watch::Receiver<Found>);

impl Tail {
    /// This process has written: the feed may have gone on.
    pub(in crate::app) fn look(&self) {
        self.written.notify_one();
    }

    /// From now on, looks are made for this owner, until what this gives is dropped.
    pub(super) fn follow(&self, owner: Owner) -> Follower {
        let mut followed = self.followed();
        let horizon = followed.looked.map_or(Transaction::NONE, |looked| looked.horizon);
        let found = Found { horizon, quiet: None };
        let news = followed.owners.entry(owner).or_insert_with(|| watch::Sender::new(found)).subscribe();
        drop(followed);
        self.first_waits.notify_one();
        Follower(news)
    }

    /// How many readers wait.
    fn count(&self) -> usize {
        self.followed().owners.values().map(watch::Sender::receiver_count).sum()
    }

    /// Whether anybody waits. If nobody does, what was looked at is forgotten.
    fn is_followed(&self) -> bool {
        let mut followed = self.followed();
        followed.owners.retain(|_, found| found.receiver_count() > 0);
        if followed.owners.is_empty() {
            followed.looked = None;
        }
        !followed.owners.is_empty()
    }

    fn horizon(&self) -> Option<Transaction> {
        self.followed().looked.map(|looked| looked.horizon)
    }

    /// The first look, at this horizon: looks cover what is at it or beyond.
    fn begin(&self, horizon: Transaction) {
        let mut followed = self.followed();
        followed.looked = Some(Looked { horizon, last: None });
        for found in followed.owners.values() {
            found.send_replace(Found { horizon, quiet: None });
        }
    }

    /// A further look, up to this horizon: wakes those whom it concerns.
    fn tell(&self, horizon: Transaction, news: &News) {
        let mut followed = self.followed();
        let last = followed.looked.and_then(|looked| looked.last);
        for (owner, found) in &followed.owners {
            if news.concern(*owner) {
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
    /// Waits until the owner may have rows at `read` or beyond, for a reader that has read all rows below it.
    pub(super) async fn wait(&mut self, app: &App, read: Transaction, until: Instant) -> Woken {
        let mut stopping = pin!(app.stopping.notified());
        // Before the look at the flag, so that a drain in between is not missed.
        stopping.as_mut().enable();
        if !app.is_draining() {
            tokio::select! {
                _ = self.0.wait_for(|found| found.horizon > read) => {}
                () = sleep_until(until) => {}
                () = stopping => {}
            }
        }
        self.woken(&app.feed, read)
    }

    /// Why a reader that has read up to `read` goes on.
    fn woken(&self, tail: &Tail, read: Transaction) -> Woken {
        // Under the lock, what was found is all that there is up to where was looked.
        let followed = tail.followed();
        let found = *self.0.borrow();
        if found.horizon > read {
            // Where more than one look found something, what is quiet is not known from `read` on.
            let passed = found.quiet.filter(|(since, _)| *since <= read).map(|(_, last)| last);
            return Woken::News { horizon: found.horizon, passed };
        }
        Woken::Nothing { passed: followed.looked.and_then(|looked| looked.last) }
    }
}

/// How many requests wait for the feed to go on.
pub fn count(app: &App) -> usize {
    app.feed.count()
}

/// Looks for new rows while somebody waits, until the service drains.
pub async fn run(app: &App) {
    while !app.is_draining() {
        app.workers.turned(NAME);
        if !app.feed.is_followed() {
            tokio::select! {
                () = app.feed.first_waits.notified() => {}
                () = app.pause(IDLE) => {}
            }
            continue;
        }
        if let Err(error) = look(app).await {
            // Those who wait are answered when their time is over; their next request says what is wrong.
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::debug!(error, "the end of the feed could not be read");
        }
        app.pause(PAUSE).await;
        tokio::select! {
            () = app.feed.written.notified() => {}
            () = app.pause(INTERVAL) => {}
        }
    }
}

async fn look(app: &App) -> Result<(), store::Error> {
    let horizon = find_horizon(&app.pool).await?;
    match app.feed.horizon() {
        Some(since) if since == horizon => {}
        Some(since) if since < horizon => {
            let news = store::feed::list_news(&app.pool, (since, horizon), MOST).await?;
            app.feed.tell(horizon, &news);
        }
        // A horizon goes back only with a restored database: those who wait find that out by their next request.
        None | Some(_) => app.feed.begin(horizon),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(number: u64) -> Transaction {
        Transaction { epoch: 0, number }
    }

    fn of(owner: Owner, last: u64) -> News {
        News { owners: BTreeSet::from([owner]), last: Some(at(last)), more: false }
    }

    fn partner(number: u128) -> Owner {
        Owner::of(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn only_the_owner_of_new_rows_is_woken_and_others_pass_them() {
        let (tail, busy, quiet) = (Tail::default(), partner(1), partner(2));
        let (one, other) = (tail.follow(busy), tail.follow(quiet));
        tail.begin(at(10));
        tail.tell(at(20), &of(busy, 15));
        assert_eq!(one.woken(&tail, at(10)), Woken::News { horizon: at(20), passed: None });
        assert_eq!(other.woken(&tail, at(10)), Woken::Nothing { passed: Some(at(15)) });
        // Its own row is found by the next look: what it passes ends before that.
        tail.tell(at(30), &of(quiet, 25));
        assert_eq!(other.woken(&tail, at(10)), Woken::News { horizon: at(30), passed: Some(at(15)) });
        // Two looks have found something: nothing is passed.
        tail.tell(at(40), &of(quiet, 35));
        assert_eq!(other.woken(&tail, at(10)), Woken::News { horizon: at(40), passed: None });
    }

    #[test]
    fn a_reader_that_has_read_less_than_the_first_look_reads_again() {
        let (tail, owner) = (Tail::default(), partner(1));
        let early = tail.follow(owner);
        assert_eq!(early.woken(&tail, at(5)), Woken::Nothing { passed: None });
        tail.begin(at(10));
        assert_eq!(early.woken(&tail, at(5)), Woken::News { horizon: at(10), passed: None });
        assert_eq!(early.woken(&tail, at(10)), Woken::Nothing { passed: None });
        // Another owner's first reader comes while looks are made.
        tail.tell(at(20), &of(owner, 12));
        let late = tail.follow(partner(2));
        assert_eq!(late.woken(&tail, at(15)), Woken::News { horizon: at(20), passed: None });
        drop((early, late));
        assert!(!tail.is_followed() && tail.horizon().is_none() && tail.count() == 0);
    }

    #[test]
    fn more_rows_than_are_told_apart_wake_everybody() {
        let (tail, owner) = (Tail::default(), partner(1));
        let follower = tail.follow(owner);
        tail.begin(at(10));
        tail.tell(at(20), &News { owners: BTreeSet::new(), last: None, more: true });
        assert_eq!(follower.woken(&tail, at(10)), Woken::News { horizon: at(20), passed: None });
    }
}
