//! Why a statement failed, in terms that a caller can act on.

use std::fmt::Display;

use super::session::{NoConnection, is_of_the_way};

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The partner does not exist.
    #[error("there is no such partner")]
    NoPartner,
    /// The partner has no such version of a workflow.
    #[error("there is no such version of a workflow")]
    NoWorkflow,
    /// No connection became free in time, or a time limit cancelled the statement.
    #[error("the database is too busy")]
    Busy(#[source] sqlx::Error),
    /// The queue of transitions to write is full.
    #[error("too many writes are waiting")]
    Full,
    /// Another session held the lock on the task's row for longer than the writer waits.
    #[error("the task's row is locked by another session")]
    Locked,
    /// No working connection to the database, or the database takes no writes. Nothing was done.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The statement was sent and no answer came. It may or may not have taken effect.
    #[error("the database did not answer")]
    Unanswered(#[source] sqlx::Error),
    /// A statement failed through a fault of this program.
    #[error("a statement failed")]
    Failed(#[source] sqlx::Error),
    /// The row was written by a newer build. It must be neither read nor overwritten.
    #[error("{table} {key} has format {format}, which is newer than this build")]
    Newer {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// The row's format number.
        format: i64,
    },
    /// The row holds something that neither this build nor an older one would have written.
    #[error("{table} {key} holds something impossible: {what}")]
    Impossible {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    /// Creates the error for a row that holds something impossible.
    pub fn impossible(table: &'static str, key: impl Display, what: impl Display) -> Self {
        Self::Impossible { table, key: key.to_string(), what: what.to_string() }
    }

    /// Whether the server refused the statement for its values (a constraint, or a text or number
    /// that it cannot hold). The same statement without them may pass.
    pub(in crate::store) fn is_of_content(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // Cardinality, data, integrity, program limit.
        code.is_some_and(|code| ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class)))
    }

    /// Whether the statement exceeded its session's `lock_timeout`. Nothing was done.
    pub(in crate::store) fn is_lock_timeout(&self) -> bool {
        let Self::Busy(error) = self else { return false };
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "55P03")
    }

    /// Returns the name of the constraint that the statement violated, if it failed for that.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Failed(error) => constraint(error),
            Self::NoPartner
            | Self::NoWorkflow
            | Self::Busy(_)
            | Self::Full
            | Self::Locked
            | Self::Unreachable(_)
            | Self::Unanswered(_)
            | Self::Newer { .. }
            | Self::Impossible { .. } => None,
        }
    }
}

/// Returns the name of the constraint that refused the statement, as the migrations have it.
pub(in crate::store) fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint).map(without_number)
}

/// The name without the number of a shard or a partition, as in `tasks_workflow_fkey_102040`. No
/// constraint of ours ends with a number.
fn without_number(name: &str) -> &str {
    let shorter = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if shorter.len() < name.len() { shorter.strip_suffix('_').unwrap_or(name) } else { name }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match constraint(&error) {
            Some("workflows_partner_fkey") => return Self::NoPartner,
            Some("tasks_workflow_fkey") => return Self::NoWorkflow,
            Some(_) | None => {}
        }
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy(error);
        }
        if matches!(error, sqlx::Error::PoolClosed) || NoConnection::is_why(&error) {
            return Self::Unreachable(error);
        }
        if is_of_the_way(&error) {
            return Self::Unanswered(error);
        }
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(String::from);
        match code.as_deref().unwrap_or_default() {
            // Cancelled by a time limit, chosen as a deadlock's victim, in conflict with a
            // standby's recovery, or out of connections or memory.
            "57014" | "55P03" | "40P01" | "40001" | "25P03" | "25P04" => Self::Busy(error),
            code if code.starts_with("53") => Self::Busy(error),
            "25006" => Self::Unreachable(error),
            // The session ended and its last statement may have taken effect, or the server's disk
            // or memory fails.
            code if ["08", "57P", "58"].iter().any(|class| code.starts_with(class)) => Self::Unanswered(error),
            _ => Self::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_shard_is_no_part_of_a_constraints_name() {
        for (reported, name) in [
            ("tasks_workflow_fkey", "tasks_workflow_fkey"),
            ("tasks_workflow_fkey_102040", "tasks_workflow_fkey"),
            ("task_events_command_1", "task_events_command"),
            ("audit_nodes_pkey1", "audit_nodes_pkey1"),
            ("_7", ""),
            ("7", "7"),
            ("", ""),
        ] {
            assert_eq!(without_number(reported), name, "{reported}");
        }
    }
}
