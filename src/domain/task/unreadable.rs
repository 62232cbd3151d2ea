//! Placeholders for stored rows that cannot be read, so that one such row does not make the others
//! unavailable.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::id::TaskId;

use super::view::TaskView;

/// Why a stored row cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// A newer version of the service wrote it. Read it again when all replicas run that version.
    NewerFormat,
    /// It is damaged. The platform's operators must look at it.
    Damaged,
}

/// A task that this replica cannot read, in its place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnreadableTask {
    /// The task.
    pub task_id: TaskId,
    /// Why it cannot be shown.
    pub unreadable: Unreadable,
}

/// A task in a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ListedTask {
    /// A readable task.
    Task(Box<TaskView>),
    /// A task that cannot be read: it has `unreadable`, which no readable task has.
    Unreadable(UnreadableTask),
}
