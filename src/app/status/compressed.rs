//! Compressed statuses. A status differs little from others of its workflow version, so it is
//! stored as that difference (LZ4 with one of them as the dictionary), in a fraction of the space
//! of its JSON. A caller that already has the version needs only its number.

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

/// The compressed buyer's view of a task, with its access data and the data of its forecast.
#[derive(Debug)]
pub struct Status {
    /// The task.
    pub task_id: TaskId,
    /// The task's buyer.
    pub buyer_id: BuyerId,
    /// The version of the status: its `ETag`.
    pub version: u64,
    /// The version of the task when it was read.
    pub as_of: u64,
    /// The data of its forecast.
    pub course: Timeline,
    /// The workflow version.
    pub model: Arc<Model>,
    /// When it was read.
    pub(super) read_at: Time,
    /// The length of the JSON.
    length: u32,
    packed: Box<[u8]>,
}

/// A workflow version, and the status that serves as the dictionary for others of it.
#[derive(Debug)]
pub struct Model {
    /// The workflow's partner.
    pub partner_id: PartnerId,
    /// The version.
    pub workflow: WorkflowRef,
    json: String,
}

impl Status {
    /// Compresses a status read at `read_at`.
    pub(super) fn new(record: &StatusRecord, model: Arc<Model>, read_at: Time) -> Self {
        let StatusRecord { task_id, buyer_id, ref course, version, as_of, ref json, .. } = *record;
        let packed = compress_with_dict(json.as_bytes(), model.json.as_bytes()).into();
        let length = u32::try_from(json.len()).expect("a status has a few kilobytes");
        Self { task_id, buyer_id, version, as_of, course: course.clone(), model, read_at, length, packed }
    }

    /// The stored part of the response's body.
    ///
    /// # Panics
    ///
    /// Never: the data was compressed here, with the same model.
    pub fn json(&self) -> String {
        let length = usize::try_from(self.length).expect("this is no machine of 16 bits");
        let json = decompress_with_dict(&self.packed, length, self.model.json.as_bytes());
        String::from_utf8(json.expect("what was packed is unpacked with the same model")).expect("it was a text")
    }

    /// The size in bytes, without its model.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.packed.len()
    }
}

/// The models in use: each is kept as long as a status uses it.
#[derive(Debug, Default)]
pub(super) struct Models {
    used: HashMap<(PartnerId, WorkflowRef), (Arc<Model>, usize)>,
    size: usize,
}

impl Models {
    /// The model of this status' version; the status itself becomes it if there is none. Return it
    /// with [`Models::release`].
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

    /// Ends one use of a model.
    pub(super) fn release(&mut self, model: &Model) {
        if let Entry::Occupied(mut used) = self.used.entry((model.partner_id, model.workflow.clone())) {
            used.get_mut().1 -= 1;
            if used.get().1 == 0 {
                self.size -= model.size();
                used.remove();
            }
        }
    }

    /// The size of all models in bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }
}

/// A status without texts of people, since a model may outlive their erasure. Empty if this build
/// cannot parse it.
fn without_texts(json: &str) -> String {
    let Ok(status) = serde_json::from_str::<status::Status>(json) else { return String::new() };
    serde_json::to_string(&status::Status { message: None, action: None, ..status }).unwrap_or_default()
}

impl Model {
    /// The size, including its slot in the map.
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
