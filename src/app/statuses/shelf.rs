//! What was read of late, in the order in which it was read.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::domain::id::TaskId;
use crate::domain::time::Time;
use crate::store::changes::Change;
use crate::store::tasks::StatusRecord;

/// How old a status may get, by the app's clock.
const MAX_AGE_MICROS: i64 = 1_000_000;
/// What one takes beside its texts: its place in the map and in the queue, and the allocator's share.
const PLACE: usize = 160;

/// Statuses of less than a second ago, the newest for each task, bounded in weight. Not a general cache: with this bound on the age, the
/// order of reading is the order of leaving, and a queue does what a cache would count uses for.
#[derive(Debug)]
pub(super) struct Shelf {
    kept: HashMap<TaskId, Arc<Kept>>,
    /// All that is still held, the oldest first; what a newer one has replaced leaves in its turn.
    queue: VecDeque<Arc<Kept>>,
    weight: usize,
    room: usize,
}

#[derive(Debug)]
struct Kept {
    status: Arc<StatusRecord>,
    read_at: Time,
}

impl Shelf {
    /// An empty one for so many bytes.
    pub(super) fn new(room: usize) -> Self {
        Self { kept: HashMap::new(), queue: VecDeque::new(), weight: 0, room }
    }

    pub(super) fn find(&self, id: TaskId, now: Time) -> Option<Arc<StatusRecord>> {
        self.kept.get(&id).filter(|kept| kept.is_fresh(now)).map(|kept| Arc::clone(&kept.status))
    }

    /// Puts there what was read at `at`.
    pub(super) fn put(&mut self, status: Arc<StatusRecord>, at: Time) {
        let kept = Arc::new(Kept { status, read_at: at });
        self.weight += kept.weight();
        self.kept.insert(kept.status.task_id, Arc::clone(&kept));
        self.queue.push_back(kept);
        while self.queue.front().is_some_and(|oldest| self.weight > self.room || !oldest.is_fresh(at)) {
            self.drop_oldest();
        }
    }

    /// Takes away what is older than this.
    pub(super) fn drop_older(&mut self, than: Change) {
        if self.kept.get(&than.task_id).is_some_and(|kept| kept.status.version < than.version) {
            self.kept.remove(&than.task_id);
        }
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.queue.pop_front() else { return };
        self.weight -= oldest.weight();
        let id = oldest.status.task_id;
        if self.kept.get(&id).is_some_and(|kept| Arc::ptr_eq(kept, &oldest)) {
            self.kept.remove(&id);
        }
    }
}

impl Kept {
    /// A clock that was set back makes nothing younger.
    fn is_fresh(&self, now: Time) -> bool {
        (0..MAX_AGE_MICROS).contains(&(now.micros() - self.read_at.micros()))
    }

    fn weight(&self) -> usize {
        let texts = self.status.json.len() + self.status.workflow.key.as_str().len();
        size_of::<StatusRecord>() + texts + size_of::<Self>() + PLACE
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::event::WorkflowRef;
    use crate::domain::id::{BuyerId, PartnerId, WorkflowKey};
    use crate::domain::pace::Course;
    use crate::domain::task::PhaseName;
    use crate::ids;

    fn at(micros: i64) -> Time {
        Time::from_micros(1_800_000_000_000_000 + micros)
    }

    pub(in super::super) fn status(task_id: TaskId, version: u64) -> StatusRecord {
        let course =
            Course { phase: PhaseName::InReview, stage: 0, since: at(0), entered_at: None, first_entered_at: None };
        StatusRecord {
            task_id,
            partner_id: PartnerId(ids::new()),
            buyer_id: BuyerId(ids::new()),
            workflow: WorkflowRef { key: WorkflowKey::parse("w").unwrap(), version: 1 },
            course,
            opened_at: at(0),
            version,
            json: "x".repeat(1_000),
        }
    }

    fn version(shelf: &Shelf, id: TaskId, now: Time) -> Option<u64> {
        shelf.find(id, now).map(|status| status.version)
    }

    #[test]
    fn nothing_is_found_that_was_read_a_second_ago() {
        let (mut shelf, id) = (Shelf::new(1 << 20), TaskId(ids::new()));
        shelf.put(Arc::new(status(id, 1)), at(0));
        for (now, found) in [(0, Some(1)), (999_999, Some(1)), (1_000_000, None), (-1, None)] {
            assert_eq!(version(&shelf, id, at(now)), found, "{now}");
        }
    }

    #[test]
    fn what_is_older_than_what_exists_goes() {
        let (mut shelf, id) = (Shelf::new(1 << 20), TaskId(ids::new()));
        shelf.put(Arc::new(status(id, 3)), at(0));
        for (exists, found) in [(3, Some(3)), (2, Some(3)), (4, None)] {
            shelf.drop_older(Change { task_id: id, version: exists });
            assert_eq!(version(&shelf, id, at(0)), found, "{exists}");
        }
        shelf.put(Arc::new(status(id, 4)), at(0));
        assert_eq!(version(&shelf, id, at(0)), Some(4));
    }

    #[test]
    fn memory_is_bounded_by_weight_and_by_age() {
        let mut shelf = Shelf::new(100_000);
        let ids: Vec<TaskId> = (0..1_000).map(|_| TaskId(ids::new())).collect();
        for id in &ids {
            shelf.put(Arc::new(status(*id, 1)), at(0));
            shelf.put(Arc::new(status(*id, 2)), at(0));
            assert!(shelf.weight <= 100_000 && shelf.kept.len() <= shelf.queue.len());
        }
        let found = ids.iter().filter(|id| version(&shelf, **id, at(0)) == Some(2)).count();
        assert!((20..=50).contains(&found), "{found}");
        assert_eq!(version(&shelf, ids[999], at(0)), Some(2), "the oldest goes first");
        shelf.put(Arc::new(status(ids[0], 3)), at(1_000_000));
        assert_eq!((shelf.kept.len(), shelf.queue.len()), (1, 1));
        assert_eq!(shelf.weight, shelf.queue[0].weight());
    }
}
