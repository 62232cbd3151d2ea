//! Rows that are stored and cannot be shown: what stands in their place, so that one of them does not take the
//! others along.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::id::TaskId;

use super::view::TaskView;

/// Why a row cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// A newer version of the service wrote it: read again later, when all replicas are of that version.
    NewerFormat,
    /// It is not what was written. The platform's people must look at it.
    Damaged,
}

/// A task that this replica cannot show, in its place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnreadableTask {
    /// The task.
    pub task_id: TaskId,
    /// Why it is not shown.
    pub unreadable: Unreadable,
}

/// A task in a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ListedTask {
    /// As it is.
    Task(Box<TaskView>),
    /// One that cannot be shown: it has `unreadable`, which no other has.
    Unreadable(UnreadableTask),
}
