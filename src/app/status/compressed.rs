//! Statuses as they are kept: a status differs little from others of its workflow version, so it is kept as that
//! difference (LZ4 with one of them as its dictionary), at a fraction of what it takes as JSON. Whoever has the
//! version already needs no more of it than a number.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use lz4_flex::block::{compress_with_dict, decompress_with_dict};

use crate::domain::task::event::WorkflowRef;
use crate::domain::task::forecast::Timeline;
use crate::domain::task::status;
use crate::domain::values::id::{BuyerId, PartnerId, TaskId};
use crate::domain::values::time::Time;
use crate::store::tasks::StatusRecord;

/// The buyer's view of a task as it is kept, who may ask for it, and what is added when it is answered.
#[derive(Debug)]
pub struct Status {
    /// The task.
    pub task_id: TaskId,
    /// Who ordered it.
    pub buyer_id: BuyerId,
    /// The version of the status: its `ETag`.
    pub version: u64,
    /// The version of the task when it was read.
    pub as_of: u64,
    /// What its pace is reckoned from.
    pub course: Timeline,
    /// The workflow version.
    pub model: Arc<Model>,
    /// When it was read.
    pub(super) read_at: Time,
    /// Of the JSON.
    length: u32,
    packed: Box<[u8]>,
}

/// A workflow version, and a status of it that others are told apart from.
#[derive(Debug)]
pub struct Model {
    /// Whose workflow it is.
    pub partner_id: PartnerId,
    /// The version.
    pub workflow: WorkflowRef,
    json: String,
}

impl Status {
    /// Packs what was read at `read_at`.
    pub(super) fn new(record: &StatusRecord, model: Arc<Model>, read_at: Time) -> Self {
        let StatusRecord { task_id, buyer_id, ref course, version, as_of, ref json, .. } = *record;
        let packed = compress_with_dict(json.as_bytes(), model.json.as_bytes()).into();
        let length = u32::try_from(json.len()).expect("a status has a few kilobytes");
        Self { task_id, buyer_id, version, as_of, course: course.clone(), model, read_at, length, packed }
    }

    /// What is stored of the answer's body.
    ///
    /// # Panics
    ///
    /// Never: it was packed here, with the same model.
    pub fn json(&self) -> String {
        let length = usize::try_from(self.length).expect("this is no machine of 16 bits");
        let json = decompress_with_dict(&self.packed, length, self.model.json.as_bytes());
        String::from_utf8(json.expect("what was packed is unpacked with the same model")).expect("it was a text")
    }

    /// Bytes that it takes, without its model.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.packed.len()
    }
}

/// The models of what is kept: each stays as long as it is used.
#[derive(Debug, Default)]
pub(super) struct Models {
    used: HashMap<(PartnerId, WorkflowRef), (Arc<Model>, usize)>,
    size: usize,
}

impl Models {
    /// The model of this status' version, or itself if there is none. To be given back with [`Models::release`].
    pub(super) fn take(&mut self, record: &StatusRecord) -> Arc<Model> {
        let used = self.used.entry((record.partner_id, record.workflow.clone())).or_insert_with(|| {
            let StatusRecord { partner_id, ref workflow, ref json, .. } = *record;
            let model = Model { partner_id, workflow: workflow.clone(), json: without_texts(json) };
            self.size += model.size();
            (Arc::new(model), 0)
        });
        used.1 += 1;
        Arc::clone(&used.0)
    }

    /// One use less.
    pub(super) fn release(&mut self, model: &Model) {
        if let Entry::Occupied(mut used) = self.used.entry((model.partner_id, model.workflow.clone())) {
            used.get_mut().1 -= 1;
            if used.get().1 == 0 {
                self.size -= model.size();
                used.remove();
            }
        }
    }

    /// Bytes that all of them take.
    pub(super) fn size(&self) -> usize {
        self.size
    }
}

/// A status without what people wrote: a model may stay for long after that was erased. Empty if it is not one that
/// this build reads.
fn without_texts(json: &str) -> String {
    let Ok(status) = serde_json::from_str::<status::Status>(json) else { return String::new() };
    serde_json::to_string(&status::Status { message: None, action: None, ..status }).unwrap_or_default()
}

impl Model {
    /// With its place among the others.
    fn size(&self) -> usize {
        2 * (size_of::<Self>() + self.workflow.key.as_str().len()) + self.json.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::status::cache::tests::{at, record};
    use crate::ids;

    #[test]
    fn what_is_packed_is_unpacked_the_same_and_small() {
        let mut models = Models::default();
        let first = record(TaskId(ids::new()), 1);
        let model = models.take(&first);
        assert!(first.json.contains("PLANTED") && !model.json.contains("PLANTED") && model.json.contains("legal"));
        for json in [first.json.clone(), first.json.replace("legal", "brand \u{1f600}"), "{}".into(), String::new()] {
            let status = Status::new(&StatusRecord { json: json.clone(), ..first.clone() }, Arc::clone(&model), at(0));
            assert_eq!(status.json(), json);
        }
        let other = record(TaskId(ids::new()), 2);
        let packed = Status::new(&other, model, at(0)).packed.len();
        assert!(packed * 4 < other.json.len(), "{packed} of {}", other.json.len());
    }

    #[test]
    fn a_model_goes_with_the_last_that_uses_it() {
        let mut models = Models::default();
        let one = record(TaskId(ids::new()), 1);
        let other = StatusRecord { workflow: WorkflowRef { version: 2, ..one.workflow.clone() }, ..one.clone() };
        let (first, again, second) = (models.take(&one), models.take(&one), models.take(&other));
        assert!(Arc::ptr_eq(&first, &again) && !Arc::ptr_eq(&first, &second));
        assert_eq!(models.size(), first.size() + second.size());
        models.release(&first);
        assert!(Arc::ptr_eq(&first, &models.take(&one)), "it is used still");
        for _ in 0..2 {
            models.release(&first);
        }
        models.release(&second);
        assert_eq!((models.size(), models.used.len()), (0, 0));
    }
}
