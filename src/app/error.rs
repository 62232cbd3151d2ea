//! Why a use case did not succeed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::error::Elapsed;
use uuid::Uuid;

use crate::app::conflict::ConflictContext;
use crate::app::refusals::Reason;
use crate::app::shares::{AllTaken, Exceeded, Resource};
use crate::domain::audit::Hash;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::domain::workflow::Mistake;
use crate::store;
use crate::store::tasks::claims::Claim;

/// Why no link is made for a decision.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NothingToDecide {
    /// The task waits for no decision.
    #[error("the task waits for no decision")]
    NotWaiting,
    /// The actor can do nothing about it.
    #[error(transparent)]
    Refused(Refusal),
}

/// Where a task is that was put away, as far as the caller may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The task.
    pub task_id: TaskId,
    /// When it ended.
    pub closed_at: Time,
    /// When it was put away.
    pub archived_at: Time,
    /// The SHA-256 of the file that has its trail.
    pub sha256: Hash,
    /// Where that file is, below the archive's directory. Buyers are not told: they cannot ask the
    /// operator for it, since it shows what a buyer may not see.
    pub file: Option<String>,
}

/// Why a use case did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It does not exist, or it belongs to somebody else.
    #[error("not found")]
    NotFound,
    /// The task was put away: its trail is a file of the archive.
    #[error("put away")]
    Archived(Box<Archived>),
    /// The command was refused; includes the state of the task.
    #[error("refused")]
    Refused(#[source] Refusal, Box<ConflictContext>),
    /// The request was refused before there was a task.
    #[error("refused")]
    Rejected(#[source] Refusal),
    /// The caller's precondition names a version that is no longer the current one.
    #[error("the view has changed")]
    PreconditionFailed(Box<ConflictContext>),
    /// The command's id was used before, with another body.
    #[error("the command's id was used before")]
    EventIdReused,
    /// The erasure's id was used before, with another body.
    #[error("the erasure's id was used before")]
    ErasureIdReused,
    /// The task's id was used before, with another body.
    #[error("the task's id was used before")]
    TaskExists(Box<ConflictContext>),
    /// The partner's id was used before, with another name.
    #[error("the partner's id was used before")]
    PartnerExists,
    /// The task's id was used before, and that task was put away.
    #[error("the id is that of a task that was put away")]
    TaskExisted(Box<Archived>),
    /// A link for a decision that its actor could do nothing about; includes the state of the task.
    #[error("nothing to decide")]
    NothingToDecide(#[source] NothingToDecide, Box<ConflictContext>),
    /// Others have claimed the task: the claim that ends first, and the state of the task.
    #[error("claimed by others")]
    Claimed(Box<Claim>, Box<ConflictContext>),
    /// The caller made too many requests of a kind; it may try again after this time.
    #[error("too many requests")]
    TooManyRequests(Duration),
    /// A parameter of the request breaks a rule that is checked once the task is found.
    #[error("a parameter has a mistake")]
    Parameter {
        /// The place, such as `/query/actor`.
        pointer: &'static str,
        /// The code of the rule.
        code: &'static str,
        /// The rule in words.
        rule: &'static str,
    },
    /// The workflow or version does not exist, or is retired.
    #[error("no such workflow")]
    WorkflowUnavailable,
    /// The latest version of the workflow, if any, is not the one that the caller expects.
    #[error("the workflow has changed")]
    WorkflowChanged(Option<u32>),
    /// The service has no key for checkpoints and receipts.
    #[error("no key for checkpoints and receipts is configured")]
    NoAuditKey,
    /// No checkpoint of that size exists, or none at all yet.
    #[error("no such checkpoint")]
    NoCheckpoint,
    /// The trail, up to the requested entry, is not in the log at that checkpoint.
    #[error("not in the log yet")]
    NotLogged,
    /// The caller's position in the feed no longer exists.
    #[error("the database was restored to an earlier time")]
    FeedRestored,
    /// Events after the caller's position have left the feed.
    #[error("events after the position have left the feed")]
    CursorExpired,
    /// The entry with this `seq` is not stored as it was written.
    #[error("entry {1} of the trail {0} is damaged")]
    TrailDamaged(Uuid, u64),
    /// The credential expired while the response was being sent.
    #[error("the credential has expired")]
    Expired,
    /// The definition has mistakes.
    #[error("the definition has mistakes")]
    Definition(Vec<Mistake>),
    /// The caller has reached its share of this resource; nothing was done.
    #[error("the caller has reached its limit of {0}")]
    TooManyAtOnce(Resource),
    /// The service is overloaded; nothing was done.
    #[error("overloaded")]
    Overloaded(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The database is unreachable; nothing was done.
    #[error("unavailable")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The database was asked and did not answer: the change may have happened or not.
    #[error("unanswered")]
    Unanswered(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// This replica does not have the version that the caller has seen or asked for, and did not get it
    /// in time.
    #[error("this replica is behind")]
    Behind,
    /// The replica only reads; nothing was done.
    #[error("this replica only reads")]
    ReadOnly,
    /// An internal error.
    #[error("internal fault")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Other writers won every attempt; nothing was done.
    pub(in crate::app) fn contended() -> Self {
        Self::Overloaded(Arc::new(Contended))
    }

    /// Why a request with this outcome was refused, if the request itself was valid.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::TooManyAtOnce(resource) => Some(of_caller(*resource)),
            Self::Overloaded(source) | Self::Unavailable(source) | Self::Unanswered(source) => Some(of(&**source)),
            Self::Behind => Some(Reason::Behind),
            Self::ReadOnly => Some(Reason::ReadOnly),
            Self::NotFound
            | Self::Archived(_)
            | Self::Refused(..)
            | Self::Rejected(_)
            | Self::PreconditionFailed(_)
            | Self::EventIdReused
            | Self::ErasureIdReused
            | Self::TaskExists(_)
            | Self::Claimed(..)
            | Self::PartnerExists
            | Self::TaskExisted(_)
            | Self::NothingToDecide(..)
            | Self::TooManyRequests(_)
            | Self::WorkflowUnavailable
            | Self::WorkflowChanged(_)
            | Self::NoAuditKey
            | Self::NoCheckpoint
            | Self::NotLogged
            | Self::FeedRestored
            | Self::CursorExpired
            | Self::TrailDamaged(..)
            | Self::Expired
            | Self::Definition(_)
            | Self::Parameter { .. }
            | Self::Internal(_) => None,
        }
    }

    /// Whether the whole database is unreachable or overloaded, so that another task would fail as
    /// well.
    pub fn is_outage(&self) -> bool {
        let is_away = matches!(self, Self::Overloaded(_) | Self::Unavailable(_) | Self::Unanswered(_));
        is_away && !matches!(self.reason(), Some(Reason::Contended | Reason::RowLocked | Reason::NewerFormat))
    }

    /// Why the row that was read cannot be shown, if that is the only error; else the error
    /// unchanged. The full error is logged.
    pub(in crate::app) fn unreadable(self) -> Result<Unreadable, Self> {
        let (Self::Unavailable(source) | Self::Internal(source)) = &self else { return Err(self) };
        let why = match source.downcast_ref() {
            Some(store::Error::Newer { .. }) => Unreadable::NewerFormat,
            Some(store::Error::Impossible { .. }) => Unreadable::Damaged,
            None if source.is::<Impossible>() => Unreadable::Damaged,
            Some(_) | None => return Err(self),
        };
        tracing::warn!(error = &**source as &(dyn std::error::Error + 'static), "a stored row cannot be read");
        Ok(why)
    }

    /// An error for a state that cannot occur.
    pub(in crate::app) fn impossible(what: &'static str) -> Self {
        Self::Internal(Arc::new(Impossible(what)))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("other writers won every attempt")]
struct Contended;

#[derive(Debug, thiserror::Error)]
#[error("impossible: {0}")]
struct Impossible(&'static str);

fn of_caller(resource: Resource) -> Reason {
    match resource {
        Resource::StatusWaits => Reason::CallerStatusWaits,
        Resource::FeedWaits => Reason::CallerFeedWaits,
        Resource::Simulations => Reason::CallerSimulations,
        Resource::Analytics => Reason::CallerStatistics,
        Resource::LongReads => Reason::CallerProofsAndExports,
    }
}

fn of(source: &(dyn std::error::Error + Send + Sync + 'static)) -> Reason {
    if let Some(AllTaken(resource)) = source.downcast_ref() {
        return match resource {
            Resource::StatusWaits => Reason::StatusWaits,
            Resource::FeedWaits => Reason::FeedWaits,
            Resource::Simulations => Reason::Simulations,
            Resource::Analytics => Reason::Statistics,
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

impl From<Arc<store::Error>> for Error {
    fn from(error: Arc<store::Error>) -> Self {
        match *error {
            store::Error::Busy(_) | store::Error::Full | store::Error::Locked => Self::Overloaded(error),
            store::Error::Unanswered(_) => Self::Unanswered(error),
            // A newer replica wrote the row. It can serve the request; this one cannot.
            store::Error::Unreachable(_) | store::Error::Newer { .. } => Self::Unavailable(error),
            store::Error::NoPartner | store::Error::NoWorkflow => Self::NotFound,
            store::Error::Failed(_) | store::Error::Impossible { .. } => Self::Internal(error),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Arc::new(error).into()
    }
}

impl From<Exceeded> for Error {
    fn from(exceeded: Exceeded) -> Self {
        match exceeded {
            Exceeded::Own(resource) => Self::TooManyAtOnce(resource),
            Exceeded::Total(all_taken) => Self::Overloaded(Arc::new(all_taken)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (Error::ReadOnly, Some("read_only")),
            (Error::NotFound, None),
            (store::Error::Failed(timed_out()).into(), None),
        ];
        for (error, word) in cases {
            assert_eq!(error.reason().map(Reason::as_str), word, "{error:?}");
        }
    }
}
