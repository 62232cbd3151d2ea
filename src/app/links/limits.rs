//! Limits on rates and on waiting requests, in memory of this process. A caller that is spread over
//! replicas has a limit on each.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::domain::values::id::{CredentialId, LinkId};

/// After how many checks the buckets that are full again are removed.
const SWEEP: u32 = 1024;

/// The most waiting requests of a session.
const MAX_WAITS: usize = 6;

/// The service's clock, as the library reads it: the time since the epoch.
#[derive(Clone, Debug)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.now().micros()).unwrap_or(0))
    }
}

/// The rate limits, each with a bucket for every key, in this process.
#[derive(Debug)]
pub(super) struct Limits {
    /// Links that a credential makes.
    pub(super) made: Limiter<CredentialId>,
    /// Attempts to open a link.
    pub(super) opened: Limiter<LinkId>,
    /// Pages of a session.
    pub(super) pages: Limiter<(LinkId, u16)>,
    /// Commands of a session.
    pub(super) commands: Limiter<(LinkId, u16)>,
    /// Waiting requests of a session.
    pub(super) waits: Waits,
}

impl Limits {
    pub(super) fn new(clock: &Clock) -> Self {
        const fn number(number: u32) -> NonZeroU32 {
            NonZeroU32::new(number).expect("limits are not zero")
        }
        Self {
            made: Limiter::per_minute(number(300), number(600), clock),
            opened: Limiter::per_minute(number(10), number(10), clock),
            pages: Limiter::per_minute(number(120), number(120), clock),
            commands: Limiter::per_minute(number(30), number(30), clock),
            waits: Waits::default(),
        }
    }
}

/// A token bucket for every key.
#[derive(Debug)]
pub(super) struct Limiter<K: Hash + Eq + Clone> {
    buckets: RateLimiter<K, HashMapStateStore<K>, Ticks, NoOpMiddleware<Duration>>,
    clock: Ticks,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// So many a minute, and at most `burst` at once.
    pub(super) fn per_minute(number: NonZeroU32, burst: NonZeroU32, clock: &Clock) -> Self {
        let (quota, clock) = (Quota::per_minute(number).allow_burst(burst), Ticks(clock.clone()));
        let buckets = RateLimiter::hashmap_with_clock(quota, clock.clone());
        Self { buckets, clock, checks: AtomicU32::new(0) }
    }

    /// Takes one from the bucket of `key`.
    ///
    /// # Errors
    ///
    /// The time until there is one, if the bucket is empty.
    pub(super) fn check(&self, key: &K) -> Result<(), Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.buckets.retain_recent();
        }
        self.buckets.check_key(key).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

/// The waiting requests of every session, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits(Arc<Mutex<HashMap<(LinkId, u16), Waiting>>>);

/// The waiting requests of one session, each with what ends it.
type Waiting = VecDeque<Arc<Notify>>;

/// A waiting request of a session. Dropping it gives the place back.
#[derive(Debug)]
pub struct Seat {
    waits: Waits,
    session: (LinkId, u16),
    ended: Arc<Notify>,
}

impl Waits {
    /// A place for one more request. Beyond the limit the session's oldest request is ended.
    pub(super) fn take(&self, session: (LinkId, u16)) -> Seat {
        let ended = Arc::<Notify>::default();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = sessions.entry(session).or_default();
        waiting.push_back(Arc::clone(&ended));
        if waiting.len() > MAX_WAITS
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.notify_one();
        }
        drop(sessions);
        Seat { waits: self.clone(), session, ended }
    }
}

impl Seat {
    /// Waits until the request must end, because the session has newer ones.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut sessions = self.waits.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = sessions.get_mut(&self.session) {
            waiting.retain(|other| !Arc::ptr_eq(other, &self.ended));
            if waiting.is_empty() {
                sessions.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;
    use crate::domain::values::time::Time;

    #[test]
    fn a_bucket_fills_with_the_clock_and_each_key_has_its_own() {
        let start = Time::from_micros(1_800_000_000_000_000);
        let clock = Clock::fixed(start);
        let number = |number| NonZeroU32::new(number).unwrap();
        let limiter = Limiter::per_minute(number(60), number(3), &clock);
        assert_eq!([0; 3].map(|_| limiter.check(&1)), [Ok(()); 3]);
        assert_eq!(limiter.check(&1), Err(Duration::from_secs(1)));
        assert_eq!(limiter.check(&2), Ok(()));
        clock.set(start + TimeDelta::seconds(1));
        assert_eq!((limiter.check(&1), limiter.check(&1)), (Ok(()), Err(Duration::from_secs(1))));
    }

    #[test]
    fn the_buckets_that_are_full_again_are_removed() {
        let start = Time::from_micros(1_800_000_000_000_000);
        let clock = Clock::fixed(start);
        let number = |number| NonZeroU32::new(number).unwrap();
        let limiter = Limiter::per_minute(number(60), number(3), &clock);
        for key in 0..1_000 {
            limiter.check(&key).unwrap();
        }
        clock.set(start + TimeDelta::minutes(1));
        for _ in 0..SWEEP {
            let _ = limiter.check(&0);
        }
        assert!(limiter.buckets.len() <= 2, "{}", limiter.buckets.len());
    }

    #[tokio::test]
    async fn the_oldest_of_seven_waiting_requests_ends() {
        let (waits, session) = (Waits::default(), (LinkId(Uuid::nil()), 1));
        let seats: Vec<Seat> = (0..7).map(|_| waits.take(session)).collect();
        seats[0].ended().await;
        let second = tokio::time::timeout(Duration::ZERO, seats[1].ended()).await;
        assert!(second.is_err(), "only the oldest ends");
        drop(seats);
        assert!(waits.0.lock().unwrap().is_empty());
    }
}
