//! The sessions that were looked up, for a few seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use moka::future::Cache;

use crate::app::error::Error;
use crate::domain::link::SecretHash;
use crate::domain::values::id::LinkId;
use crate::domain::values::time::Time;
use crate::store::links::sessions::{Session, find_by_secret};
use crate::store::{self, Pool};

/// How long a session is cached. The documented limit is 5 s; the rest is for the look-up itself.
const MAX_AGE: Duration = Duration::from_secs(4);

/// How often the last use of a session is written at most, in microseconds.
const TOUCH: i64 = 60_000_000;

/// A session that was looked up.
#[derive(Debug)]
pub(super) struct Known {
    /// The session.
    pub(super) session: Session,
    /// When it was last used, as far as this replica knows, in microseconds since the epoch.
    seen: AtomicI64,
}

impl Known {
    fn new(session: Session) -> Self {
        let seen = AtomicI64::new(session.opening.last_seen_at.micros());
        Self { session, seen }
    }

    /// When it was last used.
    pub(super) fn last_seen(&self) -> Time {
        Time::from_micros(self.seen.load(Ordering::Relaxed))
    }

    /// Notes a use at `now`; whether it is to be written. Of concurrent requests one writes.
    pub(super) fn is_seen(&self, now: Time) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        now.micros() - seen >= TOUCH
            && self.seen.compare_exchange(seen, now.micros(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// The cache. Unknown secrets are in it too, so that a browser with an old cookie does not reach the
/// database with every request.
#[derive(Debug)]
pub(super) struct Sessions {
    known: Cache<SecretHash, Option<Arc<Known>>>,
    /// Links that this replica ended. A look-up that began before may fill `known` afterwards; this
    /// entry outlives that.
    ended: Cache<LinkId, ()>,
    /// The same for single sessions.
    left: Cache<SecretHash, ()>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            known: Cache::builder().max_capacity(100_000).time_to_live(MAX_AGE).build(),
            ended: Cache::builder().max_capacity(100_000).time_to_live(10 * MAX_AGE).build(),
            left: Cache::builder().max_capacity(100_000).time_to_live(10 * MAX_AGE).build(),
        }
    }
}

impl Sessions {
    /// The session with this secret; `None` if it is unknown or was ended.
    pub(super) async fn find(&self, pool: &Pool, hash: SecretHash) -> Result<Option<Arc<Known>>, Error> {
        let look_up = async {
            let found = find_by_secret(pool, hash).await?;
            Ok::<_, store::Error>(found.map(|session| Arc::new(Known::new(session))))
        };
        let found = self.known.try_get_with(hash, look_up).await?;
        Ok(found.filter(|known| !self.ended.contains_key(&known.session.link.id) && !self.left.contains_key(&hash)))
    }

    /// Forgets the sessions of a link that was ended here.
    pub(super) async fn end_link(&self, link: LinkId) {
        self.ended.insert(link, ()).await;
    }

    /// Forgets a session that was ended here.
    pub(super) async fn leave(&self, hash: SecretHash) {
        self.left.insert(hash, ()).await;
    }

    /// Forgets all, after a change to many links.
    pub(super) fn forget_all(&self) {
        self.known.invalidate_all();
    }
}
