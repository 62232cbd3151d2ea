//! Why a command was refused. A refusal carries what the caller needs to react; `http/problem.rs`
//! maps it to an HTTP status.

use std::borrow::Cow;

use crate::domain::values::party::Party;

use super::Decision;
use super::event::ItemId;
use super::question::ClosedQuestion;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The body breaks a rule: which field, a stable code, the rule.
    #[error("{pointer}: {message}")]
    Invalid {
        /// JSON pointer (RFC 6901) into the body.
        pointer: Cow<'static, str>,
        /// Stable code.
        code: &'static str,
        /// The rule.
        message: String,
    },
    /// The command belongs to another party.
    #[error("only another party can do this: {0}")]
    WrongParty(String),
    /// The key's scopes do not include what is asked for; says what is missing.
    #[error("{0}")]
    KeyScope(String),
    /// The credential is bound to other people.
    #[error("the key is bound to other actors than the one that the command names")]
    KeyActor,
    /// The stage accepts only credentials that are bound to their actor.
    #[error("the stage counts decisions only under a key that is bound to its actor")]
    KeyUnbound,
    /// The stage names its reviewers and this actor is not one of them.
    #[error("the actor is not one of the stage's named reviewers")]
    NotAReviewer,
    /// The stage's reviewers cannot be changed: the reason.
    #[error("{0}")]
    ReviewersFixed(&'static str),
    /// The actor submitted work in this round and may not approve it.
    #[error(
        "the actor submitted this revision or an earlier one of the round, and the stage bars self-approval; rejecting is allowed"
    )]
    SelfApproval,
    /// The actor approved an earlier stage and may not approve this one.
    #[error("the actor's approval counted in a stage that this one must be distinct from; rejecting is allowed")]
    NotDistinct,
    /// Another party paused the task.
    #[error("only the party that held the task, or the platform, can resume it")]
    HeldByOther,
    /// The partner may not approve this escalation: the reason.
    #[error("{0}")]
    ResolutionNotAllowed(&'static str),
    /// The platform escalated in this round with the same actor or key.
    #[error(
        "the platform escalated in this round with the same actor or key; another person under another key must approve or reject, while return and redirect are allowed"
    )]
    SecondPerson,
    /// The stage and round are already decided.
    #[error("this stage and round are already decided")]
    AlreadyDecided {
        /// The decision; none if it is older than the task's state remembers.
        decision: Option<Decision>,
    },
    /// The same vote of this actor already stands.
    #[error("this actor has already cast the same vote on this revision")]
    AlreadyVoted {
        /// The `seq` of its entry.
        recorded: u64,
    },
    /// The task is at another stage.
    #[error("the task is at another stage")]
    StageMismatch,
    /// The stage is in another round.
    #[error("the stage is in another round")]
    RoundMismatch,
    /// The phase does not accept this command.
    #[error("the task's phase does not accept this command")]
    WrongPhase,
    /// Submitting work now would bypass an earlier approval.
    #[error("work cannot be submitted now without bypassing an earlier stage's approval; it can after a rejection")]
    SubmissionNotOpen,
    /// The resolution refers to another escalation.
    #[error("the named escalation is not the open one")]
    StaleEscalation,
    /// The first submission after a return leaves blocking items without an answer.
    #[error("the stage that returned the work requires an answer to every blocking item; unanswered: {}", list(.items))]
    UnansweredFeedback {
        /// Those items.
        items: Vec<ItemId>,
    },
    /// A question is open already.
    #[error("a question to the {to} is open; one question can be open at a time")]
    QuestionOpen {
        /// The `seq` of its entry.
        seq: u64,
        /// The party asked.
        to: Party,
    },
    /// The command names a question that is not the open one.
    #[error("the named question is not the open one")]
    StaleQuestion {
        /// How that question was closed; none if it is not the latest one.
        closed: Option<ClosedQuestion>,
    },
    /// There is no review to return to.
    #[error("there is no review to return to; approve, reject or redirect")]
    NothingToReturnTo,
    /// The escalation changed hands too often.
    #[error("the escalation has already changed hands 3 times; decide it")]
    RedirectLimit,
    /// A cancellation is in progress.
    #[error("the task is already being cancelled")]
    AlreadyCancelling,
    /// The task is winding down.
    #[error("the task is being cancelled; decisions no longer count")]
    Cancelling {
        /// The `seq` of the entry that keeps this decision, if one does.
        recorded: Option<u64>,
    },
    /// The task has ended.
    #[error("the task is closed")]
    TaskClosed {
        /// The `seq` of the entry that keeps this decision, if one does.
        recorded: Option<u64>,
    },
    /// The decision is about a revision that is not the latest.
    #[error("a newer revision was submitted")]
    StaleRevision,
    /// A limit is reached.
    #[error("{0}")]
    LimitReached(&'static str),
    /// A tick arrived and no timer was due.
    #[error("no timer is due")]
    NothingDue,
}

impl Refusal {
    /// The same without the `seq` of an entry, since a dry run keeps none.
    #[must_use]
    pub fn unrecorded(&self) -> Self {
        let mut refusal = self.clone();
        if let Self::Cancelling { recorded } | Self::TaskClosed { recorded } = &mut refusal {
            *recorded = None;
        }
        refusal
    }

    /// A required field is missing.
    pub(crate) fn required(pointer: &'static str) -> Self {
        Self::invalid(pointer, "required", "is required")
    }

    /// A field breaks a rule.
    pub fn invalid(pointer: impl Into<Cow<'static, str>>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { pointer: pointer.into(), code, message: message.into() }
    }

    /// Whether it is about the content of the command, so that another content could be accepted.
    pub fn is_about_content(&self) -> bool {
        matches!(self, Self::Invalid { .. } | Self::UnansweredFeedback { .. })
    }
}

fn list(items: &[ItemId]) -> String {
    items.iter().map(ItemId::to_string).collect::<Vec<_>>().join(", ")
}
