//! The background workers: when each last completed a turn, and which have stalled.
//!
//! The supervisor adds a worker when it starts it, the worker reports each turn, and readiness asks
//! which have stalled. All times are by the monotonic clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The background workers of this process, by name.
#[derive(Debug, Default)]
pub struct Workers(Mutex<BTreeMap<&'static str, Worker>>);

#[derive(Clone, Copy, Debug)]
struct Worker {
    /// The time limit of a turn; none for a worker that waits for events.
    bound: Option<Duration>,
    last_turn: Instant,
}

impl Workers {
    /// Starts to track a worker, which must complete each turn within `bound`.
    pub fn begin(&self, name: &'static str, bound: Option<Duration>) {
        self.workers().insert(name, Worker { bound, last_turn: Instant::now() });
    }

    /// Records a completed turn. A worker that was not started (a test runs its steps) is not
    /// tracked.
    pub fn turned(&self, name: &str) {
        if let Some(worker) = self.workers().get_mut(name) {
            worker.last_turn = Instant::now();
        }
    }

    /// The workers whose last turn is longer ago than their bound, each with that time.
    pub fn still(&self) -> Vec<(&'static str, Duration)> {
        self.still_at(Instant::now())
    }

    fn still_at(&self, now: Instant) -> Vec<(&'static str, Duration)> {
        let workers = self.workers();
        let ages = workers.iter().map(|(name, worker)| (*name, now.duration_since(worker.last_turn), worker.bound));
        let still = ages.filter(|(_, age, bound)| bound.is_some_and(|bound| *age > bound));
        still.map(|(name, age, _)| (name, age)).collect()
    }

    /// How long ago each worker completed its last turn.
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
