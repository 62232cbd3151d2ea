//! Cache of recently read statuses that are known to be current, in the order in which they were
//! read.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::store::db::notify::Change;
use crate::store::tasks::StatusRecord;

use super::compressed::{Model, Models, Status};

/// The longest time for which a status counts as current, by the app's clock.
const MAX_AGE_MICROS: i64 = 1_000_000;
/// The overhead of an entry: its slots in the map and in the queue, both at their lowest load, and
/// the allocator's share.
const PLACE: usize = 120;

/// Statuses that were current less than a second ago, the newest per task, limited by size. The
/// first one read is evicted first, so a queue does the job of usage counters.
#[derive(Debug)]
pub(super) struct StatusCache {
    kept: HashMap<TaskId, Arc<Status>>,
    /// All entries still held, the oldest first. A replaced entry is evicted in its turn.
    queue: VecDeque<Arc<Status>>,
    models: Models,
    /// The size of the queued entries, without the models.
    weight: usize,
    room: usize,
    watch: Watch,
}

/// The period in which every changed status was removed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// Statuses read from this time on can be revalidated.
    pub(super) from: Option<Time>,
    /// Statuses read before this time that are still here are still current.
    pub(super) until: Option<Time>,
}

impl StatusCache {
    /// An empty cache of this many bytes.
    pub(super) fn new(room: usize) -> Self {
        let (kept, queue, models) = (HashMap::new(), VecDeque::new(), Models::default());
        Self { kept, queue, models, weight: 0, room, watch: Watch::default() }
    }

    /// How many statuses it holds, and their bytes with the models.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.kept.len(), self.weight + self.models.size())
    }

    pub(super) fn find(&self, id: TaskId, now: Time) -> Option<Arc<Status>> {
        self.kept.get(&id).filter(|status| self.is_fresh(status, now)).map(Arc::clone)
    }

    /// Records that every change from `from` until `until` was removed.
    pub(super) fn watched(&mut self, watch: Watch) {
        self.watch = watch;
    }

    /// The model to compress a status of this version with. The caller must then put the status
    /// here or release it.
    pub(super) fn model(&mut self, record: &StatusRecord) -> Arc<Model> {
        self.models.take(record)
    }

    /// Releases a compressed status that is not put here.
    pub(super) fn leave_out(&mut self, status: &Status) {
        self.models.release(&status.model);
    }

    /// Adds a status and evicts the oldest ones.
    pub(super) fn put(&mut self, status: Arc<Status>) {
        let at = status.read_at;
        self.weight += weight(&status);
        self.kept.insert(status.task_id, Arc::clone(&status));
        self.queue.push_back(status);
        while self.queue.front().is_some_and(|oldest| self.is_too_heavy() || !self.is_fresh(oldest, at)) {
            self.drop_oldest();
        }
    }

    /// Removes a status, whatever its version.
    pub(super) fn take(&mut self, id: TaskId) {
        self.kept.remove(&id);
    }

    /// Removes an entry older than this.
    pub(super) fn drop_older(&mut self, than: Change) {
        if self.kept.get(&than.task_id).is_some_and(|status| status.version < than.version) {
            self.kept.remove(&than.task_id);
        }
    }

    fn is_too_heavy(&self) -> bool {
        self.weight + self.models.size() > self.room
    }

    fn is_fresh(&self, status: &Status, now: Time) -> bool {
        let is_watched = self.watch.from.is_some_and(|from| from <= status.read_at);
        is_recent(status.read_at, now) || (is_watched && self.watch.until.is_some_and(|until| is_recent(until, now)))
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.queue.pop_front() else { return };
        self.weight -= weight(&oldest);
        self.models.release(&oldest.model);
        if self.kept.get(&oldest.task_id).is_some_and(|kept| Arc::ptr_eq(kept, &oldest)) {
            self.kept.remove(&oldest.task_id);
        }
    }
}

fn weight(status: &Status) -> usize {
    status.size() + PLACE
}

/// A clock that was set back must not make an entry younger.
fn is_recent(time: Time, now: Time) -> bool {
    (0..MAX_AGE_MICROS).contains(&(now.micros() - time.micros()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::task::PhaseName;
    use crate::domain::task::event::WorkflowRef;
    use crate::domain::task::forecast::Timeline;
    use crate::domain::values::id::{BuyerId, PartnerId, WorkflowKey};
    use crate::{domain, ids};
    use serde_json::json;
    use uuid::Uuid;

    pub(in crate::app) fn at(micros: i64) -> Time {
        Time::from_micros(1_800_000_000_000_000 + micros)
    }

    pub(in crate::app) fn record(task_id: TaskId, version: u64) -> StatusRecord {
        let course =
            Timeline { phase: PhaseName::InReview, stage: 0, since: at(0), entered_at: None, first_entered_at: None };
        StatusRecord {
            task_id,
            partner_id: PartnerId(Uuid::from_u128(1)),
            buyer_id: BuyerId(ids::new()),
            workflow: WorkflowRef { key: WorkflowKey::parse("w").unwrap(), version: 1 },
            course,
            opened_at: at(0),
            version,
            as_of: version,
            json: json(task_id, version),
        }
    }

    fn json(task_id: TaskId, version: u64) -> String {
        let stage = |key: &str| json!({ "key": key, "name": format!("Review of {key}"), "state": "pending", "decided_at": null });
        let stages: Vec<_> = ["copy", "brand", "legal", "media", "sign-off"].map(stage).into();
        let status = json!({
            "task_id": task_id, "version": version, "phase": "in_review", "label": "In legal review", "round": 1,
            "stage": { "key": "legal", "name": "Review of legal", "position": 3, "of": 5 }, "waiting_on": "partner",
            "since": at(0), "due_at": null, "overdue": false, "message": "PLANTED", "percent": null, "eta": null,
            "stages": stages, "action": null, "updated_at": at(0),
        });
        serde_json::from_value::<domain::task::status::Status>(status)
            .map(|status| serde_json::to_string(&status))
            .unwrap()
            .unwrap()
    }

    fn put(shelf: &mut StatusCache, record: &StatusRecord, at: Time) {
        let model = shelf.model(record);
        shelf.put(Arc::new(Status::new(record, model, at)));
    }

    fn version(shelf: &StatusCache, id: TaskId, now: Time) -> Option<u64> {
        shelf.find(id, now).map(|status| status.version)
    }

    #[test]
    fn nothing_is_found_that_was_read_a_second_ago() {
        let (mut shelf, id) = (StatusCache::new(1 << 20), TaskId(ids::new()));
        put(&mut shelf, &record(id, 1), at(0));
        for (now, found) in [(0, Some(1)), (999_999, Some(1)), (1_000_000, None), (-1, None)] {
            assert_eq!(version(&shelf, id, at(now)), found, "{now}");
        }
    }

    #[test]
    fn what_was_read_since_changes_are_taken_away_is_found_as_long_as_they_are() {
        let (mut shelf, before, since) = (StatusCache::new(1 << 20), TaskId(ids::new()), TaskId(ids::new()));
        put(&mut shelf, &record(before, 1), at(0));
        put(&mut shelf, &record(since, 1), at(10));
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
        let (mut shelf, id) = (StatusCache::new(1 << 20), TaskId(ids::new()));
        put(&mut shelf, &record(id, 3), at(0));
        for (exists, found) in [(3, Some(3)), (2, Some(3)), (4, None)] {
            shelf.drop_older(Change { task_id: id, version: exists });
            assert_eq!(version(&shelf, id, at(0)), found, "{exists}");
        }
        put(&mut shelf, &record(id, 4), at(0));
        assert_eq!(version(&shelf, id, at(0)), Some(4));
    }

    #[test]
    fn memory_is_bounded_by_weight_and_by_age() {
        let mut shelf = StatusCache::new(100_000);
        let ids: Vec<TaskId> = (0..1_000).map(|_| TaskId(ids::new())).collect();
        for (number, id) in (1..).zip(&ids) {
            put(&mut shelf, &record(*id, 1), at(0));
            let mut newer = record(*id, 2);
            // Some entries have models of their own.
            newer.workflow.version = if number % 3 == 0 { number } else { 1 };
            put(&mut shelf, &newer, at(0));
            assert!(shelf.weight + shelf.models.size() <= 100_000 && shelf.kept.len() <= shelf.queue.len());
        }
        let found = ids.iter().filter(|id| version(&shelf, **id, at(0)) == Some(2)).count();
        assert!((50..=150).contains(&found), "{found}");
        assert_eq!(version(&shelf, ids[999], at(0)), Some(2), "the oldest goes first");
        put(&mut shelf, &record(ids[0], 3), at(1_000_000));
        assert_eq!((shelf.kept.len(), shelf.queue.len()), (1, 1));
        assert_eq!(shelf.weight, weight(&shelf.queue[0]));
        let mut only = Models::default();
        only.take(&record(ids[0], 3));
        assert_eq!(shelf.models.size(), only.size());
    }
}
