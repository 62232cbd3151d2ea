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

/// A task that this replica cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnreadableTask {
    /// The task.
    pub task_id: TaskId,
    /// Why it cannot be shown.
    pub unreadable: Unreadable,
}

/// A task in a list.
#[derive(Clone, Debug, PartialEq)]
pub enum ListedTask {
    /// A readable task.
    Task(Box<TaskView>),
    /// A task that cannot be read.
    Unreadable(UnreadableTask),
}

impl ListedTask {
    /// The task, if it is readable.
    ///
    /// # Errors
    ///
    /// Says why, if it is not.
    pub fn readable(self) -> Result<TaskView, UnreadableTask> {
        match self {
            Self::Task(task) => Ok(*task),
            Self::Unreadable(task) => Err(task),
        }
    }
}
