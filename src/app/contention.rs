//! Serializes retries of writers of one task, or of one partner's trail, that lost a race.
//!
//! The first attempt of a command is made at once, since most tasks have one writer at a time. A
//! writer that lost waits for its turn before it reads and decides again: of fifty simultaneous
//! commands, each replica then has one that tries, not fifty that make each other fail. The version
//! still guards every write; turns only save work. Each wait holds a request, so the number of
//! waiting writers is limited.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::error::Error;

/// How often a writer tries again when others were faster. Writers of one replica take turns after
/// the first attempt, so only other replicas can still win; one of them can win many times in a
/// row, since it has the latest copy of the task.
pub(super) const MAX_ATTEMPTS: usize = 64;
/// Tasks that share a slot share its turns, which costs only a short wait.
const PLACES: usize = 256;
/// Maximum number of writers that wait for one slot; more are refused with [`Error::Overloaded`].
const MAX_WAITING: usize = 128;

/// The turns of the writers of tasks, or of partners' trails, by id.
#[derive(Debug)]
pub(super) struct Turns(Vec<Place>);

#[derive(Debug, Default)]
struct Place {
    turn: Mutex<()>,
    waiting: AtomicUsize,
}

/// Counts a writer while it waits, however the wait ends.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self((0..PLACES).map(|_| Place::default()).collect())
    }
}

impl Turns {
    /// Waits for the turn of a writer of this task or partner; dropping the returned guard ends it.
    /// A writer takes one turn of a kind at a time.
    pub(super) async fn take(&self, id: Uuid) -> Result<MutexGuard<'_, ()>, Error> {
        self.place(id).take().await
    }

    fn place(&self, id: Uuid) -> &Place {
        // The last byte is random in every UUID version used for ids.
        &self.0[usize::from(id.as_bytes()[15]) % PLACES]
    }
}

impl Place {
    async fn take(&self) -> Result<MutexGuard<'_, ()>, Error> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= MAX_WAITING {
            return Err(Error::contended());
        }
        Ok(self.turn.lock().await)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn only_so_many_wait_for_a_turn_and_those_who_leave_make_room() {
        let (turns, task) = (Turns::default(), Uuid::from_u128(7));
        let first = turns.take(task).await.unwrap();
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(turns.take(task))).collect();
        for wait in &mut waiting {
            assert!(wait.now_or_never().is_none());
        }
        assert!(matches!(turns.take(task).await, Err(Error::Overloaded(_))));
        assert!(turns.take(Uuid::from_u128(8)).await.is_ok(), "another task");
        waiting.pop();
        assert!(turns.take(task).now_or_never().is_none(), "there is room again");
        drop(first);
        assert!(waiting.remove(0).await.is_ok());
    }
}
