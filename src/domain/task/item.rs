//! The items of feedback that a task remembers, without their words: those of the latest rejection
//! of each stage, until that stage is approved or rejects again.

use serde::{Deserialize, Serialize};

use crate::domain::workflow::{Answers, Workflow};

use super::Task;
use super::event::{GivenItem, ItemId};

/// An item of feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub(in crate::domain) id: ItemId,
    /// Whether it blocks.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(in crate::domain) blocking: bool,
    /// Whether the buyer may read it, and so its answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::domain) shared: bool,
    /// Whether nothing requires an answer any more: work was submitted since, or the item was erased.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::domain) settled: bool,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

impl From<GivenItem> for Item {
    fn from(GivenItem { id, blocking, shared }: GivenItem) -> Self {
        Self { id, blocking, shared, settled: false }
    }
}

impl Task {
    /// The remembered items.
    pub(in crate::domain) fn items(&self) -> impl Iterator<Item = &Item> {
        self.stages.iter().flat_map(|record| &record.items)
    }

    /// The items that the next submission must answer.
    pub(in crate::domain) fn unanswered(&self, workflow: &Workflow) -> Vec<ItemId> {
        let records = self.stages.iter().zip(&workflow.stages);
        let required = records.filter(|(_, stage)| stage.on_reject.answers == Answers::Required);
        let items = required.flat_map(|(record, _)| &record.items);
        items.filter(|item| item.blocking && !item.settled).map(|item| item.id).collect()
    }

    /// Settles the items for which `is_settled` holds.
    pub(super) fn settle(&mut self, is_settled: impl Fn(&Item) -> bool) {
        for item in self.stages.iter_mut().flat_map(|record| &mut record.items) {
            item.settled |= is_settled(item);
        }
    }
}
