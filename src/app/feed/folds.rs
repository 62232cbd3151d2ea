//! How far the trails of tasks were folded for past events, so that the next page or delivery
//! continues there. A reader that fell behind would otherwise fold a trail from its beginning for
//! every event.
//!
//! An erasure changes entries that were already folded. So a fold is continued only if no erasure
//! was recorded since it was made. The age limit and the memory limit bound how long erased texts
//! remain here; they are never sent.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::app::error::Error;
use crate::app::tasks::load::Loaded;
use crate::domain::audit::Hash;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::values::id::TaskId;
use crate::store::{self, Pool};

/// How long a fold is kept.
const MAX_AGE: Duration = Duration::from_secs(10);
/// The memory limit of all folds in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// The size of a task's folds besides their texts.
const OVERHEAD: u32 = 1024;

/// How many folds of one task are kept: readers may be at different places in its trail.
const MAX_FOLDS: usize = 4;

/// The latest folds of each task, the newest last.
#[derive(Debug)]
pub(super) struct Folds(Cache<TaskId, Arc<[Arc<Fold>]>>);

#[derive(Debug)]
struct Fold {
    /// The state after a past transition.
    present: Snapshot,
    /// The task's version and the hash of its last event when the entries were read. No later
    /// erasure has changed them.
    read_at: (u64, Hash),
    /// The size of the state's JSON in bytes.
    size: usize,
}

impl Fold {
    fn version(&self) -> u64 {
        self.present.task.version()
    }
}

impl Default for Folds {
    fn default() -> Self {
        let cache = Cache::builder().time_to_live(MAX_AGE).max_capacity(MAX_BYTES).weigher(weight);
        Self(cache.build())
    }
}

/// A value takes about twice the size of its JSON in memory.
fn weight(_: &TaskId, folds: &Arc<[Arc<Fold>]>) -> u32 {
    let size = folds.iter().map(|fold| u32::try_from(fold.size).unwrap_or(u32::MAX).saturating_mul(2));
    size.fold(OVERHEAD, u32::saturating_add)
}

impl Folds {
    /// The latest folded state whose last entry is not after `last`.
    pub(super) async fn find(&self, pool: &Pool, task: &Loaded, last: u64) -> Result<Option<Snapshot>, Error> {
        let folds = self.0.get(&task.id()).await;
        let before = folds.iter().flat_map(|folds| folds.iter()).filter(|fold| fold.version() <= last);
        let Some(fold) = before.max_by_key(|fold| fold.version()) else { return Ok(None) };
        let (version, head) = fold.read_at;
        let is_valid = match task.snapshot().task.version().cmp(&version) {
            Ordering::Equal => task.head == head,
            Ordering::Greater => !store::tasks::events::was_erased_after(pool, task.id(), version).await?,
            // The database lost what was read.
            Ordering::Less => false,
        };
        if !is_valid {
            self.0.invalidate(&task.id()).await;
            return Ok(None);
        }
        Ok(Some(fold.present.clone()))
    }

    /// Keeps a fold of entries that were read after the task was, in place of the one that it
    /// continued.
    pub(super) async fn keep(&self, task: &Loaded, start: Option<&Snapshot>, present: Snapshot) {
        let read_at = (task.snapshot().task.version(), task.head);
        let continued = start.map(|start| start.task.version());
        let earlier = self.0.get(&task.id()).await;
        let others = earlier.iter().flat_map(|folds| folds.iter()).filter(|fold| Some(fold.version()) != continued);
        let size = size(&present);
        let mut folds: Vec<Arc<Fold>> = others.cloned().chain([Arc::new(Fold { present, read_at, size })]).collect();
        let excess = folds.len().saturating_sub(MAX_FOLDS);
        folds.drain(..excess);
        self.0.insert(task.id(), folds.into()).await;
    }
}

fn size(Snapshot { task, notes, status }: &Snapshot) -> usize {
    serde_json::to_vec(&(task, notes, status)).map_or(usize::MAX, |json| json.len())
}
