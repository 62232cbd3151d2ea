//! Why requests are refused though nothing is wrong with them (429 and 503): one list for all layers, for those who
//! count.

use tokio::time::error::Elapsed;

use crate::store;

use super::shares::{AllTaken, Resource};
use super::{Contended, Error};

/// Declares the reasons with their words.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $word:literal;)+) => {
        /// Why a request was not served. The words are the contract with those who watch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

reasons! {
    /// The caller has its share of bytes of bodies under way.
    CallerBodies "caller_bodies";
    /// The caller has its share of waits and streams for statuses.
    CallerStatusWaits "caller_status_waits";
    /// The caller has its share of waits for the feed.
    CallerFeedWaits "caller_feed_waits";
    /// The caller has its share of simulations.
    CallerSimulations "caller_simulations";
    /// The caller has its share of proofs and exports.
    CallerProofsAndExports "caller_proofs_and_exports";
    /// Bodies under way take all the bytes that they may.
    Bodies "bodies";
    /// There are as many waits and streams for statuses as there may be.
    StatusWaits "status_waits";
    /// There are as many waits for the feed as there may be.
    FeedWaits "feed_waits";
    /// There are as many simulations as there may be.
    Simulations "simulations";
    /// There are as many proofs and exports as there may be.
    ProofsAndExports "proofs_and_exports";
    /// No connection to the database came free in time, or the server cut the statement off.
    Database "database_busy";
    /// As many transitions wait to be written as may.
    WriteQueue "write_queue";
    /// Another session holds the task's row.
    RowLocked "row_locked";
    /// Others changed the same thing first, every time.
    Contended "contended";
    /// There is no connection to the database.
    Unreachable "database_unreachable";
    /// The database was asked and did not answer.
    Unanswered "database_unanswered";
    /// A newer build wrote the row.
    NewerFormat "newer_format";
    /// The status is older than the version that was asked for.
    Behind "behind";
    /// The answer was not made in time.
    Slow "slow";
    /// Something else that the service depends on is away, such as the keys for buyers' tokens.
    Other "other";
}

impl Error {
    /// Why a request with this outcome was refused, if that is for no fault of its own.
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
