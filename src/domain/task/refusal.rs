//! Why a command was refused. A refusal carries what the caller needs to act; which HTTP status it becomes is
//! `http/problem.rs`'s business.

use super::Decision;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The body says something that cannot be: which field, a stable code, the rule.
    #[error("{pointer}: {message}")]
    Invalid {
        /// JSON pointer (RFC 6901) into the body.
        pointer: &'static str,
        /// Stable code.
        code: &'static str,
        /// The rule.
        message: String,
    },
    /// The command is not this party's to send here.
    #[error("this is for another party: {0}")]
    WrongParty(String),
    /// The stage names its reviewers and this actor is none of them.
    #[error("the actor is not one of the stage's named reviewers")]
    NotAReviewer,
    /// Whoever handed in work in this round may not approve it.
    #[error(
        "the actor handed in this revision or an earlier one of the round, and the stage bars self-approval; rejecting is open"
    )]
    SelfApproval,
    /// Someone who approved an earlier stage may not approve this one.
    #[error("the actor's approval counted in a stage that this one must be distinct from; rejecting is open")]
    NotDistinct,
    /// Somebody else paused the task.
    #[error("only the party that held the task, or the platform, can resume it")]
    HeldByOther,
    /// The partner may not approve its own escalation.
    #[error("the partner can resolve with approve only on stages that the partner reviews")]
    ResolutionNotAllowed,
    /// The stage and round were decided before.
    #[error("this stage and round were decided already")]
    AlreadyDecided {
        /// The decision; none if it is older than what the task remembers.
        decision: Option<Decision>,
    },
    /// The same vote of this actor stands.
    #[error("this actor's vote on this revision stands already and says the same")]
    AlreadyVoted {
        /// The `seq` of its row.
        recorded: u64,
    },
    /// The task is at another stage.
    #[error("the task is at another stage")]
    StageMismatch,
    /// The stage is in another round.
    #[error("the stage is in another round")]
    RoundMismatch,
    /// The phase does not take this command.
    #[error("the task's phase does not take this command")]
    WrongPhase,
    /// Handing in now would bypass an earlier approval.
    #[error("work cannot be handed in here without bypassing an earlier stage's approval; it can after a rejection")]
    SubmissionNotOpen,
    /// The resolution answers another escalation.
    #[error("the escalation named is not the one that is open")]
    StaleEscalation,
    /// There is no review to go back to.
    #[error("there is no review to return to; approve, reject or redirect")]
    NothingToReturnTo,
    /// The escalation changed hands too often.
    #[error("the escalation changed hands 3 times; decide it")]
    RedirectLimit,
    /// A cancellation is under way.
    #[error("the task is being cancelled already")]
    AlreadyCancelling,
    /// The task is winding down.
    #[error("the task is being cancelled; decisions no longer count")]
    Cancelling {
        /// The `seq` of the row that keeps this decision, if it could have been made.
        recorded: Option<u64>,
    },
    /// The task is over.
    #[error("the task is closed")]
    TaskClosed {
        /// The `seq` of the row that keeps this decision, if it could have been made.
        recorded: Option<u64>,
    },
    /// The decision is about an older revision than the latest.
    #[error("a newer revision was handed in")]
    StaleRevision,
    /// A bound of the task is reached.
    #[error("{0}")]
    LimitReached(&'static str),
    /// A tick came and no timer was due.
    #[error("no timer is due")]
    NothingDue,
}

impl Refusal {
    /// The same without a row to point to: a dry run keeps none.
    #[must_use]
    pub fn unrecorded(&self) -> Self {
        let mut refusal = self.clone();
        if let Self::Cancelling { recorded } | Self::TaskClosed { recorded } = &mut refusal {
            *recorded = None;
        }
        refusal
    }

    /// A field that must be there is not.
    pub(in crate::domain) fn required(pointer: &'static str) -> Self {
        Self::invalid(pointer, "required", "is required")
    }

    /// A field breaks a rule.
    pub fn invalid(pointer: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { pointer, code, message: message.into() }
    }
}
