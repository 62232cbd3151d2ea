//! Signs of life of the background workers: when each has turned last, and which have been still for too long.
//!
//! Readiness asks [`check`], which knows of the clock as well ([`super::clock_skew`]).
//!
//! The supervisor adds a worker when it starts it, the worker reports each turn, and readiness asks which are
//! still. Kept by a clock that nobody can set.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use crate::app::App;

/// The background workers of this process, by name.
#[derive(Debug, Default)]
pub struct Workers(Mutex<BTreeMap<&'static str, Worker>>);

#[derive(Clone, Copy, Debug)]
struct Worker {
    /// How long a turn may take; none for a worker that waits for something to happen.
    bound: Option<Duration>,
    last_turn: Instant,
}

/// Why a replica should have no requests though its database is well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A background worker hangs, or ends whenever it is begun.
    #[error("the worker {worker} has not turned for {} s", still.as_secs())]
    Still {
        /// Its name.
        worker: &'static str,
        /// Since when.
        still: Duration,
    },
    /// Its deadlines would not be those of the other replicas.
    #[error("the clock is {} ms ahead of the database's", .0.num_milliseconds())]
    Clock(TimeDelta),
}

/// Whether the background workers turn and the clock is right. Asks nobody and waits for nothing.
///
/// # Errors
///
/// The first reason that is found.
pub fn check(app: &App) -> Result<(), Unfit> {
    if app.skew.is_too_large() {
        return Err(Unfit::Clock(app.skew.ahead()));
    }
    match app.workers.still().first() {
        Some((worker, still)) => Err(Unfit::Still { worker, still: *still }),
        None => Ok(()),
    }
}

impl Workers {
    /// A worker begins, and turns within `bound` as long as it lives.
    pub fn begin(&self, name: &'static str, bound: Option<Duration>) {
        self.workers().insert(name, Worker { bound, last_turn: Instant::now() });
    }

    /// The worker has finished a turn. One that was not begun (a test runs its steps) is not watched.
    pub fn turned(&self, name: &str) {
        if let Some(worker) = self.workers().get_mut(name) {
            worker.last_turn = Instant::now();
        }
    }

    /// Those that have not turned for longer than their bound, each with how long ago that was.
    pub fn still(&self) -> Vec<(&'static str, Duration)> {
        self.still_at(Instant::now())
    }

    fn still_at(&self, now: Instant) -> Vec<(&'static str, Duration)> {
        let workers = self.workers();
        let ages = workers.iter().map(|(name, worker)| (*name, now.duration_since(worker.last_turn), worker.bound));
        let still = ages.filter(|(_, age, bound)| bound.is_some_and(|bound| *age > bound));
        still.map(|(name, age, _)| (name, age)).collect()
    }

    /// How long ago each has turned.
    pub fn ages(&self) -> Vec<(&'static str, Duration)> {
        self.workers().iter().map(|(name, worker)| (*name, worker.last_turn.elapsed())).collect()
    }

    fn workers(&self) -> MutexGuard<'_, BTreeMap<&'static str, Worker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_still_once_its_last_turn_is_older_than_its_bound() {
        let (workers, bound) = (Workers::default(), Duration::from_secs(10));
        workers.begin("bounded", Some(bound));
        workers.begin("waiting", None);
        let begun = Instant::now();
        assert_eq!(workers.still_at(begun + bound / 2), []);
        let [(name, age)] = workers.still_at(begun + bound * 2)[..] else { panic!("one of them") };
        assert_eq!((name, age > bound), ("bounded", true));
        workers.turned("bounded");
        workers.turned("unknown");
        assert!(workers.workers()["bounded"].last_turn >= begun);
        assert_eq!(workers.ages().len(), 2);
    }
}
