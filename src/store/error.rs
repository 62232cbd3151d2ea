//! Why the database did not do what was asked, in the words that a caller can act on.

use std::borrow::Cow;

use sqlx::error::DatabaseError;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection became free in time, or the statement was cut off by a time limit.
    #[error("the database is too busy")]
    Busy(#[source] sqlx::Error),
    /// There is no working connection to the database, or it is starting or stopping.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// A statement failed for a reason that is ours.
    #[error("a statement failed")]
    Failed(#[source] sqlx::Error),
    /// A row that a newer build wrote: nothing may be read out of it here, and nothing written to it.
    #[error("row {key} in {table} has format {format}, which is newer than this build")]
    Newer {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// The row's format number.
        format: i64,
    },
    /// A row that cannot be: the table, its key, and what is wrong with it.
    #[error("impossible row {key} in {table}: {what}")]
    Impossible {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// What is wrong.
        what: String,
    },
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy(error);
        }
        if matches!(
            error,
            sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed
        ) {
            return Self::Unreachable(error);
        }
        match error.as_database_error().and_then(DatabaseError::code).unwrap_or(Cow::Borrowed("")).as_ref() {
            // Cancelled by statement_timeout, lock_timeout, too many connections, deadlock, serialization failure.
            "57014" | "55P03" | "53300" | "40P01" | "40001" => Self::Busy(error),
            code if code.starts_with("08") || code.starts_with("57P") => Self::Unreachable(error),
            // A primary that became a standby.
            "25006" => Self::Unreachable(error),
            _ => Self::Failed(error),
        }
    }
}

impl Error {
    /// A row that cannot be.
    pub fn impossible(table: &'static str, key: impl ToString, what: impl ToString) -> Self {
        Self::Impossible { table, key: key.to_string(), what: what.to_string() }
    }

    /// The name of the constraint that a statement violated, if that is why it failed.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Failed(error) => error.as_database_error()?.constraint(),
            Self::Busy(_) | Self::Unreachable(_) | Self::Newer { .. } | Self::Impossible { .. } => None,
        }
    }
}
