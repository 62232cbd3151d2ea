//! The limits of a task.

/// Maximum number of revisions per task.
pub const MAX_REVISIONS: u32 = 500;
/// Maximum number of status updates per task.
pub const MAX_STATUS_UPDATES: u32 = 1_000;

/// Trail length from which only entries that advance or end the task are accepted.
pub const MAX_ENTRIES: u64 = 10_000;
/// Maximum number of votes of one actor on one revision in one round, including changes of vote.
pub const MAX_VOTES: u32 = 20;
/// How often an escalation may change hands by redirect or timeout.
pub const MAX_HANDOVERS: u32 = 3;
/// Maximum number of items in a feedback.
pub const MAX_FEEDBACK_ITEMS: usize = 100;
/// Maximum number of answers in a submission: as many as the items that can return a task, by a
/// hundred votes and a resolution.
pub const MAX_ANSWERS: usize = 101 * MAX_FEEDBACK_ITEMS;
