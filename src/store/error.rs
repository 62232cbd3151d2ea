//! Why the database could not do what it was asked, in words that a caller can act on.

use std::fmt;

use sqlx::error::DatabaseError;

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The partner does not exist.
    #[error("there is no such partner")]
    NoPartner,
    /// The partner has no such version of a workflow.
    #[error("there is no such version of a workflow")]
    NoWorkflow,
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
    /// Everything else: connection lost, time limit, a bug.
    #[error("the database")]
    Database(#[source] sqlx::Error),
}

impl Error {
    pub(super) fn impossible(table: &'static str, key: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self::Impossible { table, key: key.to_string(), what: what.to_string() }
    }

    /// Whether the same may well work in a moment: the database is away, starting, full, read-only for now (a failover), or took too long.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoPartner | Self::NoWorkflow | Self::Impossible { .. } => false,
            Self::Newer { .. } => true,
            Self::Database(error) => match error.as_database_error() {
                Some(error) => error.code().is_some_and(|code| is_transient(&code)),
                None => matches!(
                    error,
                    sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed
                ),
            },
        }
    }
}

/// By SQLSTATE: connection exceptions, serialization and deadlocks, insufficient resources, operator intervention
/// (shutdown, start, time limit), lock not available, read-only transaction.
fn is_transient(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "40" | "53" | "57")) || matches!(code, "55P03" | "25006")
}

/// The name of the constraint that refused the statement.
pub(super) fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(DatabaseError::constraint)
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match constraint(&error) {
            Some("workflows_partner_fkey") => Self::NoPartner,
            Some("tasks_workflow_fkey") => Self::NoWorkflow,
            _ => Self::Database(error),
        }
    }
}
