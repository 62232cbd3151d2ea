//! What was read of late and is still known to be so, in the order in which it was read.

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

/// Statuses that were so less than a second ago, the newest for each task, bounded in weight. What was read first leaves first, so a queue does
/// what a cache would count uses for.
#[derive(Debug)]
pub(super) struct Shelf {
    kept: HashMap<TaskId, Arc<Kept>>,
    /// All that is still held, the oldest first; what a newer one has replaced leaves in its turn.
    queue: VecDeque<Arc<Kept>>,
    weight: usize,
    room: usize,
    watch: Watch,
}

/// Since when every change has been taken away here, and until when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// What was read from here on can be renewed.
    pub(super) from: Option<Time>,
    /// What was read before, and is still here, is still so.
    pub(super) until: Option<Time>,
}

#[derive(Debug)]
struct Kept {
    status: Arc<StatusRecord>,
    read_at: Time,
}

impl Shelf {
    /// An empty one for so many bytes.
    pub(super) fn new(room: usize) -> Self {
        Self { kept: HashMap::new(), queue: VecDeque::new(), weight: 0, room, watch: Watch::default() }
    }

    pub(super) fn find(&self, id: TaskId, now: Time) -> Option<Arc<StatusRecord>> {
        self.kept.get(&id).filter(|kept| self.is_fresh(kept, now)).map(|kept| Arc::clone(&kept.status))
    }

    /// Every change is taken away from `from` on, as of `until`.
    pub(super) fn watched(&mut self, watch: Watch) {
        self.watch = watch;
    }

    /// Puts there what was read at `at`.
    pub(super) fn put(&mut self, status: Arc<StatusRecord>, at: Time) {
        let kept = Arc::new(Kept { status, read_at: at });
        self.weight += kept.weight();
        self.kept.insert(kept.status.task_id, Arc::clone(&kept));
        self.queue.push_back(kept);
        while self.queue.front().is_some_and(|oldest| self.weight > self.room || !self.is_fresh(oldest, at)) {
            self.drop_oldest();
        }
    }

    /// Takes it away, whatever its version.
    pub(super) fn take(&mut self, id: TaskId) {
        self.kept.remove(&id);
    }

    /// Takes away what is older than this.
    pub(super) fn drop_older(&mut self, than: Change) {
        if self.kept.get(&than.task_id).is_some_and(|kept| kept.status.version < than.version) {
            self.kept.remove(&than.task_id);
        }
    }

    fn is_fresh(&self, kept: &Kept, now: Time) -> bool {
        let is_watched = self.watch.from.is_some_and(|from| from <= kept.read_at);
        is_recent(kept.read_at, now) || (is_watched && self.watch.until.is_some_and(|until| is_recent(until, now)))
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

/// A clock that was set back makes nothing younger.
fn is_recent(time: Time, now: Time) -> bool {
    (0..MAX_AGE_MICROS).contains(&(now.micros() - time.micros()))
}

impl Kept {
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
    fn what_was_read_since_changes_are_taken_away_is_found_as_long_as_they_are() {
        let (mut shelf, before, since) = (Shelf::new(1 << 20), TaskId(ids::new()), TaskId(ids::new()));
        shelf.put(Arc::new(status(before, 1)), at(0));
        shelf.put(Arc::new(status(since, 1)), at(10));
        shelf.watched(Watch { from: Some(at(10)), until: None });
        assert_eq!(version(&shelf, since, at(1_000_010)), None, "nobody has looked yet");
        shelf.watched(Watch { from: Some(at(10)), until: Some(at(900_000)) });
        for (id, now, found) in [
            (since, 1_899_999, Some(1)),
            (since, 1_900_000, None),
            (before, 1_000_000, None),
            (before, 999_999, Some(1)),
        ] {
            assert_eq!(version(&shelf, id, at(now)), found, "{now}");
        }
        shelf.take(since);
        assert_eq!(version(&shelf, since, at(900_000)), None);
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
