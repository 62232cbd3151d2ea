//! Why valid requests are refused (429 and 503): one list for all layers, for the metrics.

use tokio::time::error::Elapsed;

use crate::store;

use super::shares::{AllTaken, Resource};
use super::{Contended, Error};

/// Declares the reasons with their names.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $word:literal;)+) => {
        /// Why a request was not served. The names are a contract with monitoring systems.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// All of them, in declaration order.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

reasons! {
    /// The caller has reached its share of request-body bytes in progress.
    CallerBodies "caller_bodies";
    /// The caller has reached its share of waits and streams for statuses.
    CallerStatusWaits "caller_status_waits";
    /// The caller has reached its share of waits for the feed.
    CallerFeedWaits "caller_feed_waits";
    /// The caller has reached its share of simulations.
    CallerSimulations "caller_simulations";
    /// The caller has reached its share of proofs and exports.
    CallerProofsAndExports "caller_proofs_and_exports";
    /// Request bodies in progress have reached the total byte limit.
    Bodies "bodies";
    /// The total limit of waits and streams for statuses is reached.
    StatusWaits "status_waits";
    /// The total limit of waits for the feed is reached.
    FeedWaits "feed_waits";
    /// The total limit of simulations is reached.
    Simulations "simulations";
    /// The total limit of proofs and exports is reached.
    ProofsAndExports "proofs_and_exports";
    /// No database connection became free in time, or the server cancelled the statement.
    Database "database_busy";
    /// The limit of transitions that wait to be written is reached.
    WriteQueue "write_queue";
    /// Another session holds the task's row.
    RowLocked "row_locked";
    /// Other writers won every attempt.
    Contended "contended";
    /// There is no connection to the database.
    Unreachable "database_unreachable";
    /// The database was asked and did not answer.
    Unanswered "database_unanswered";
    /// A newer build wrote the row.
    NewerFormat "newer_format";
    /// The status is older than the requested version.
    Behind "behind";
    /// The response was not ready in time.
    Slow "slow";
    /// Another dependency is unavailable, such as the keys for buyers' tokens.
    Other "other";
}

impl Error {
    /// Why a request with this outcome was refused, if the request itself was valid.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::TooManyAtOnce(resource) => Some(of_caller(*resource)),
            Self::Overloaded(source) | Self::Unavailable(source) | Self::Unanswered(source) => Some(of(&**source)),
            Self::Behind => Some(Reason::Behind),
            Self::NotFound
            | Self::Refused(..)
            | Self::Rejected(_)
            | Self::PreconditionFailed(_)
            | Self::EventIdReused
            | Self::ErasureIdReused
            | Self::TaskExists(_)
            | Self::WorkflowUnavailable
            | Self::WorkflowChanged(_)
            | Self::NoAuditKey
            | Self::NoCheckpoint
            | Self::NotLogged
            | Self::FeedRestored
            | Self::TrailDamaged(..)
            | Self::Expired
            | Self::Definition(_)
            | Self::Internal(_) => None,
        }
    }
}

fn of_caller(resource: Resource) -> Reason {
    match resource {
        Resource::StatusWaits => Reason::CallerStatusWaits,
        Resource::FeedWaits => Reason::CallerFeedWaits,
        Resource::Simulations => Reason::CallerSimulations,
        Resource::LongReads => Reason::CallerProofsAndExports,
    }
}

fn of(source: &(dyn std::error::Error + Send + Sync + 'static)) -> Reason {
    if let Some(AllTaken(resource)) = source.downcast_ref() {
        return match resource {
            Resource::StatusWaits => Reason::StatusWaits,
            Resource::FeedWaits => Reason::FeedWaits,
            Resource::Simulations => Reason::Simulations,
            Resource::LongReads => Reason::ProofsAndExports,
        };
    }
    match source.downcast_ref() {
        Some(store::Error::Busy(_)) => Reason::Database,
        Some(store::Error::Full) => Reason::WriteQueue,
        Some(store::Error::Locked) => Reason::RowLocked,
        Some(store::Error::Unreachable(_)) => Reason::Unreachable,
        Some(store::Error::Unanswered(_)) => Reason::Unanswered,
        Some(store::Error::Newer { .. }) => Reason::NewerFormat,
        None if source.is::<Contended>() => Reason::Contended,
        None if source.is::<Elapsed>() => Reason::Slow,
        Some(
            store::Error::NoPartner
            | store::Error::NoWorkflow
            | store::Error::Failed(_)
            | store::Error::Impossible { .. },
        )
        | None => Reason::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn each_reason_has_a_word_of_its_own_and_is_found_at_its_number() {
        let words: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().enumerate().all(|(at, reason)| *reason as usize == at));
    }

    #[test]
    fn what_was_refused_for_no_fault_of_its_own_says_why() {
        let timed_out = || sqlx::Error::PoolTimedOut;
        let cases = [
            (Error::TooManyAtOnce(Resource::FeedWaits), Some("caller_feed_waits")),
            (Error::Overloaded(Arc::new(AllTaken(Resource::LongReads))), Some("proofs_and_exports")),
            (store::Error::Busy(timed_out()).into(), Some("database_busy")),
            (store::Error::Full.into(), Some("write_queue")),
            (store::Error::Locked.into(), Some("row_locked")),
            (store::Error::Unreachable(timed_out()).into(), Some("database_unreachable")),
            (store::Error::Unanswered(timed_out()).into(), Some("database_unanswered")),
            (Error::contended(), Some("contended")),
            (Error::Behind, Some("behind")),
            (Error::NotFound, None),
            (store::Error::Failed(timed_out()).into(), None),
        ];
        for (error, word) in cases {
            assert_eq!(error.reason().map(Reason::as_str), word, "{error:?}");
        }
    }
}
