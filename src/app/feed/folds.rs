//! How far the trails of tasks were folded for past events, so that the next page or delivery
//! continues there. A reader that fell behind would otherwise fold a trail from its beginning for
//! every event.
//!
//! An erasure changes entries that were already folded. So a fold is continued only if no erasure
//! was recorded since it was made. The age limit bounds how long erased texts remain here.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::app::error::Error;
use crate::app::tasks::load::Loaded;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::values::id::TaskId;
use crate::store::{self, Pool};

/// How long a fold is kept.
const MAX_AGE: Duration = Duration::from_secs(10);
/// The memory limit of all folds in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// The size of a fold besides its texts.
const OVERHEAD: u32 = 1024;

/// The latest fold of each task.
#[derive(Debug)]
pub(super) struct Folds(Cache<TaskId, Arc<Fold>>);

#[derive(Debug)]
struct Fold {
    /// The state after a past transition.
    present: Snapshot,
    /// The task's version when its entries were read. No later erasure has changed them.
    read_at: u64,
    /// The approximate size of the task's JSON in bytes.
    size: usize,
}

impl Default for Folds {
    fn default() -> Self {
        let cache = Cache::builder().time_to_live(MAX_AGE).max_capacity(MAX_BYTES).weigher(weight);
        Self(cache.build())
    }
}

/// A value takes about twice the size of its JSON in memory.
fn weight(_: &TaskId, fold: &Arc<Fold>) -> u32 {
    u32::try_from(fold.size).unwrap_or(u32::MAX).saturating_mul(2).saturating_add(OVERHEAD)
}

impl Folds {
    /// The state after the latest folded transition, if its last entry is not after `last`.
    pub(super) async fn find(&self, pool: &Pool, task: &Loaded, last: u64) -> Result<Option<Snapshot>, Error> {
        let Some(fold) = self.0.get(&task.id()).await else { return Ok(None) };
        if fold.present.task.version() > last {
            return Ok(None);
        }
        let is_unchanged = fold.read_at == task.snapshot().task.version();
        if !is_unchanged && store::tasks::events::was_erased_after(pool, task.id(), fold.read_at).await? {
            self.0.invalidate(&task.id()).await;
            return Ok(None);
        }
        Ok(Some(fold.present.clone()))
    }

    /// Keeps a fold of entries that were read after the task was.
    pub(super) async fn keep(&self, task: &Loaded, present: Snapshot) {
        let fold = Fold { present, read_at: task.snapshot().task.version(), size: task.size };
        self.0.insert(task.id(), Arc::new(fold)).await;
    }
}
