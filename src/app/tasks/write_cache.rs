//! Tasks as this replica has just written them, so that the next command on one is decided without reading it first.
//!
//! What is here may be older than what is stored: another replica may have written since. A write shows it, as the
//! version that was decided on guards it, and costs one read then. Nothing else may be answered from here: a
//! refusal, a dry run, a view.
//!
//! Bounded in bytes and in age. The age bound is also what personal texts can outlive their erasure by another
//! replica here; this replica's own erasures drop the task.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::domain::task::decide::Transition;
use crate::domain::values::id::TaskId;
use crate::store::tasks::transitions::Written;

use super::Loaded;

/// How long a task is kept after it was written.
const MAX_AGE: Duration = Duration::from_secs(10);
/// What all of them may take.
const MAX_BYTES: u64 = 16 << 20;
/// What a task takes beside its texts.
const OVERHEAD: u32 = 1024;

/// The tasks, by id.
#[derive(Debug)]
pub(in crate::app) struct Recent(Cache<TaskId, Arc<Loaded>>);

impl Default for Recent {
    fn default() -> Self {
        let cache = Cache::builder().time_to_live(MAX_AGE).max_capacity(MAX_BYTES).weigher(weight);
        Self(cache.build())
    }
}

/// In memory a value takes about twice its JSON.
fn weight(_: &TaskId, task: &Arc<Loaded>) -> u32 {
    u32::try_from(task.size).unwrap_or(u32::MAX).saturating_mul(2).saturating_add(OVERHEAD)
}

impl Recent {
    /// The task as it was written last, by all that is known here.
    pub(in crate::app) async fn find(&self, id: TaskId) -> Option<Arc<Loaded>> {
        self.0.get(&id).await
    }

    /// The task was just read, or opened.
    pub(in crate::app) async fn keep(&self, task: Arc<Loaded>) {
        self.0.insert(task.id(), task).await;
    }

    /// The task was moved on by this transition. A closed one has nothing more to decide.
    pub(in crate::app) async fn moved(&self, task: &Loaded, transition: Transition, written: &Written) {
        let moved = task.moved(transition, written);
        if moved.snapshot.task.phase().is_terminal() {
            self.forget(moved.id()).await;
        } else {
            self.keep(Arc::new(moved)).await;
        }
    }

    /// Nothing is kept of this task.
    pub(in crate::app) async fn forget(&self, id: TaskId) {
        self.0.invalidate(&id).await;
    }
}
