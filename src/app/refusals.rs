//! Why valid requests are refused (429 and 503): one list for all layers, for the metrics.

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
    /// The caller has reached its share of statistics.
    CallerStatistics "caller_statistics";
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
    /// The total limit of statistics is reached.
    Statistics "statistics";
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
    /// The replica does not have the requested version.
    Behind "behind";
    /// The replica only reads, and the request writes.
    ReadOnly "read_only";
    /// The response was not ready in time.
    Slow "slow";
    /// Another dependency is unavailable, such as the keys for buyers' tokens.
    Other "other";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_reason_has_a_word_of_its_own_and_is_found_at_its_number() {
        let words: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().enumerate().all(|(at, reason)| *reason as usize == at));
    }
}
