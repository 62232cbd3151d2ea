//! Why the database could not do what it was asked, in words that a caller can act on.

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
    /// No connection became free in time, or the statement was cut off by a time limit.
    #[error("the database is too busy")]
    Busy(#[source] sqlx::Error),
    /// As many transitions wait to be written as may.
    #[error("too many writes are waiting")]
    Full,
    /// Another session has held the task's row for longer than a writer waits.
    #[error("the task's row is locked by another session")]
    Locked,
    /// There is no working connection to the database, or it takes no writes: nothing was done.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The statement was sent, and its answer never came: what it says may have been done or not.
    #[error("the database did not answer")]
    Unanswered(#[source] sqlx::Error),
    /// A statement failed for a reason that is ours.
    #[error("a statement failed")]
    Failed(#[source] sqlx::Error),
    /// The row was written by a newer build: nothing may be read out of it, and nothing written to it.
    #[error("{table} {key} has format {format}, which is newer than this build")]
    Newer {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// The row's format number.
        format: i64,
    },
    /// A row that this build, and every one before it, would never have written.
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
    /// A row that cannot be.
    pub fn impossible(table: &'static str, key: impl Display, what: impl Display) -> Self {
        Self::Impossible { table, key: key.to_string(), what: what.to_string() }
    }

    /// Whether the server refused the statement for the values in it (a constraint, a text or number that it cannot
    /// hold), so that the same without them may pass.
    pub(in crate::store) fn is_of_content(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // Cardinality, data, integrity, a limit of the program.
        code.is_some_and(|code| ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class)))
    }

    /// Whether the statement waited for a lock for longer than its session allows, so that nothing was done.
    pub(in crate::store) fn is_lock_timeout(&self) -> bool {
        let Self::Busy(error) = self else { return false };
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "55P03")
    }

    /// The name of the constraint that a statement violated, if that is why it failed.
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

/// The name of the constraint that refused the statement.
pub(in crate::store) fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
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
            // Cut off by a time limit; a deadlock's victim; in the way of a standby's recovery; out of connections
            // or memory.
            "57014" | "55P03" | "40P01" | "40001" | "25P03" | "25P04" => Self::Busy(error),
            code if code.starts_with("53") => Self::Busy(error),
            "25006" => Self::Unreachable(error),
            // The session ended, and its last statement may have been carried out; the server's disk or memory fails.
            code if ["08", "57P", "58"].iter().any(|class| code.starts_with(class)) => Self::Unanswered(error),
            _ => Self::Failed(error),
        }
    }
}
