//! Writers of one task, or of one partner's trail, that lost a race take turns.
//!
//! The first attempt of a command is made at once, as most tasks have one writer at a time. Who loses waits for a turn before it reads
//! and decides again: of fifty commands at once, each replica has one that tries and not fifty that push each other back. The version
//! guards the write as before; turns only save work.

use tokio::sync::{Mutex, MutexGuard};

use uuid::Uuid;

use crate::domain::id::{PartnerId, TaskId};

/// Tasks that share a place share their turns, which costs them a short wait and nothing else.
const PLACES: usize = 256;

/// Who may try again now, by task.
#[derive(Debug)]
pub(super) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..PLACES).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    /// Waits for the turn of a writer of this task; it ends with what is returned. A writer takes one turn at a time.
    pub(super) async fn take(&self, id: TaskId) -> MutexGuard<'_, ()> {
        self.place(id.0).lock().await
    }

    /// Waits for the turn of a writer of this partner's trail.
    pub(super) async fn take_of_partner(&self, id: PartnerId) -> MutexGuard<'_, ()> {
        self.place(id.0).lock().await
    }

    fn place(&self, id: Uuid) -> &Mutex<()> {
        // The last byte is random in every version of UUID that is in use for ids.
        &self.0[usize::from(id.as_bytes()[15]) % PLACES]
    }
}
