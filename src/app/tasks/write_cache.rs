//! Tasks that this replica has just written, so that the next command on one is decided without
//! reading it first.
//!
//! An entry may be older than the stored state, since another replica may have written. A write
//! then fails, because it is guarded by the version that was decided on, and costs one read.
//! Nothing else may be answered from this cache: no refusal, no dry run, no view.
//!
//! Limited in bytes and in age. The age limit also bounds how long personal texts can remain here
//! after another replica erased them; this replica's own erasures remove the task.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::domain::task::decide::Transition;
use crate::domain::values::id::TaskId;
use crate::store::tasks::transitions::Written;

use super::load::Loaded;

/// How long a task is kept after it was written.
const MAX_AGE: Duration = Duration::from_secs(10);
/// The memory limit of all entries.
const MAX_BYTES: u64 = 16 << 20;
/// The size of an entry besides its texts.
const OVERHEAD: u32 = 1024;

/// The cached tasks, by id.
#[derive(Debug)]
pub(in crate::app) struct Recent(Cache<TaskId, Arc<Loaded>>);

impl Default for Recent {
    fn default() -> Self {
        let cache = Cache::builder().time_to_live(MAX_AGE).max_capacity(MAX_BYTES).weigher(weight);
        Self(cache.build())
    }
}

/// A value takes about twice the size of its JSON in memory.
fn weight(_: &TaskId, task: &Arc<Loaded>) -> u32 {
    u32::try_from(task.size).unwrap_or(u32::MAX).saturating_mul(2).saturating_add(OVERHEAD)
}

impl Recent {
    /// The task as last written, as far as this replica knows.
    pub(in crate::app) async fn find(&self, id: TaskId) -> Option<Arc<Loaded>> {
        self.0.get(&id).await
    }

    /// Adds a task that was just read or opened.
    pub(in crate::app) async fn keep(&self, task: Arc<Loaded>) {
        self.0.insert(task.id(), task).await;
    }

    /// Replaces a task after this transition. A closed one is removed, since it needs no more
    /// decisions.
    pub(in crate::app) async fn moved(&self, task: &Loaded, transition: Transition, written: &Written) {
        let moved = task.moved(transition, written);
        if moved.snapshot.task.phase().is_terminal() {
            self.forget(moved.id()).await;
        } else {
            self.keep(Arc::new(moved)).await;
        }
    }

    /// Removes this task.
    pub(in crate::app) async fn forget(&self, id: TaskId) {
        self.0.invalidate(&id).await;
    }
}
