//! Turns errors of the use cases into problems.

use crate::app;
use crate::app::conflict::ConflictContext;
use crate::app::tasks::claims::Claim;
use crate::domain::task::event::ItemId;
use crate::domain::task::refusal::Refusal;
use crate::domain::workflow::Mistake;

use super::{Code, Conflict, FieldError, Problem, QuestionStanding, Recorded};

impl From<app::Error> for Problem {
    fn from(error: app::Error) -> Self {
        let reason = error.reason();
        Self::of(error).because(reason)
    }
}

impl Problem {
    fn of(error: app::Error) -> Self {
        match error {
            app::Error::NotFound => Self::not_found(),
            app::Error::Archived(archived) => task_archived(*archived),
            app::Error::TaskExisted(archived) => task_existed(*archived),
            app::Error::CursorExpired => cursor_expired(),
            app::Error::Refused(refusal, context) => refused(&refusal, *context),
            app::Error::Rejected(refusal) => refused_without_task(&refusal),
            app::Error::PreconditionFailed(context) => precondition_failed(*context),
            app::Error::ErasureIdReused => id_reused(
                Code::ErasureIdReused,
                "The id was already used for an erasure with another body.",
                "was already used for an erasure with another body",
            ),
            app::Error::EventIdReused => id_reused(
                Code::EventIdReused,
                "This party has already used the id on this task with another body.",
                "must be new, or be sent with its original body",
            ),
            app::Error::TaskExists(context) => {
                Self::new(Code::TaskExists, "A task with this id was opened with another body.")
                    .with_conflict(conflict(*context))
            }
            app::Error::Claimed(claim, context) => claimed(*claim, *context),
            app::Error::PartnerExists => {
                Self::new(Code::PartnerExists, "A partner with this id was added with another name.")
            }
            app::Error::WorkflowUnavailable => workflow_unavailable(),
            app::Error::WorkflowChanged(latest) => workflow_changed(latest),
            app::Error::NoAuditKey => {
                Self::new(Code::NoAuditKey, "This service has no signing key (STAGEGATE_AUDIT_KEY).")
            }
            app::Error::NoCheckpoint => Self::new(Code::NoCheckpoint, "There is no signed checkpoint of that size."),
            app::Error::NotLogged => Self::new(
                Code::NotLogged,
                "The log of that checkpoint does not contain the trail. A change is logged about a minute later.",
            ),
            app::Error::FeedRestored => Self::new(
                Code::FeedRestored,
                "The database was restored to a time before this cursor's position. Read the feed from the start.",
            ),
            app::Error::TrailDamaged(_, seq) => Self::damaged(seq, error),
            app::Error::Expired => Self::new(Code::Unauthorized, "The credential has expired."),
            app::Error::NothingToDecide(why, context) => nothing_to_decide(&why, *context),
            app::Error::TooManyRequests(pause) => Self::too_many_requests(pause),
            app::Error::Parameter { pointer, code, rule } => {
                Self::invalid_parameter(FieldError::new(pointer, code, rule))
            }
            app::Error::Definition(mistakes) => Self::invalid_body(mistakes.into_iter().map(mistake).collect()),
            app::Error::TooManyAtOnce(what) => Self::too_many_at_once(format!(
                "This caller has reached its limit of concurrent {what}. Try again when some have ended."
            )),
            app::Error::Overloaded(source) => Self::overloaded().caused_by(source),
            app::Error::Unavailable(source) => Self::unavailable(source),
            app::Error::Unanswered(source) => Self::unanswered(source),
            app::Error::Behind => Self::behind(),
            app::Error::ReadOnly => Self::read_only(),
            app::Error::Internal(source) => Self::internal(source),
        }
    }
}

fn claimed(claim: Claim, context: ConflictContext) -> Problem {
    let (by, until) = (Some(claim.actor), Some(claim.until));
    Problem::new(Code::Claimed, "Others have claimed the task. A claim blocks no vote.").with_conflict(Conflict {
        by,
        until,
        ..conflict(context)
    })
}

fn workflow_changed(latest: Option<u32>) -> Problem {
    let detail = latest.map_or("There is no such workflow yet.", |_| "The latest version is another one.");
    let etag = latest.map(|version| format!("\"{version}\""));
    Problem::new(Code::PreconditionFailed, detail).with_conflict(Conflict { etag, ..Conflict::default() })
}

fn precondition_failed(context: ConflictContext) -> Problem {
    let etag = Some(format!("\"{}\"", context.version));
    let detail = "The task has changed since it was read. Read it again and reconsider the command.";
    Problem::new(Code::PreconditionFailed, detail).with_conflict(Conflict { etag, ..conflict(context) })
}

fn nothing_to_decide(why: &app::NothingToDecide, context: ConflictContext) -> Problem {
    let (why, detail) = match why {
        app::NothingToDecide::NotWaiting => ("not_waiting", "The task waits for no decision.".to_owned()),
        app::NothingToDecide::Refused(refusal) => (code(refusal).as_str(), sentence(refusal)),
    };
    Problem::new(Code::NothingToDecide, detail).with_conflict(Conflict { why: Some(why), ..conflict(context) })
}

fn id_reused(code: Code, detail: &str, message: &str) -> Problem {
    Problem::new(code, detail.to_owned()).with_errors(vec![FieldError::new("/id", "reused", message)])
}

fn workflow_unavailable() -> Problem {
    let error = FieldError::new("/workflow", "unavailable", "must name a workflow of the partner that is not retired");
    Problem::new(Code::WorkflowUnavailable, "The partner has no such workflow or version, or the workflow was retired.")
        .with_errors(vec![error])
}

/// Converts a mistake in a definition.
pub(in crate::http) fn mistake(mistake: Mistake) -> FieldError {
    FieldError::new(mistake.pointer, mistake.code.as_str(), mistake.message)
}

/// A refusal before the task exists: only the input can be wrong.
fn refused_without_task(refusal: &Refusal) -> Problem {
    match field_error(refusal) {
        Some(error) => Problem::invalid_body(vec![error]),
        None => Problem::new(code(refusal), sentence(refusal)),
    }
}

fn refused(refusal: &Refusal, mut context: ConflictContext) -> Problem {
    if let Some(error) = field_error(refusal) {
        return Problem::invalid_body(vec![error]);
    }
    let code = code(refusal);
    let problem = Problem::new(code, sentence(refusal)).with_errors(unanswered(refusal));
    if !matches!(code.status().as_u16(), 409 | 412) {
        return problem;
    }
    let etag = (code == Code::StaleRevision).then(|| format!("\"{}\"", context.version));
    let answered = context.answered.take();
    let mut conflict = Conflict { etag, ..conflict(context) };
    if let Refusal::AlreadyDecided { decision: Some(decision) } = refusal {
        conflict.decision = serde_json::to_value(decision).ok();
    }
    if let Refusal::Cancelling { recorded } | Refusal::TaskClosed { recorded } = refusal {
        conflict.recorded = recorded.map(|seq| Recorded { seq });
    }
    if let Refusal::AlreadyVoted { recorded } = refusal {
        conflict.recorded = Some(Recorded { seq: *recorded });
    }
    if let Refusal::QuestionOpen { seq, .. } = refusal {
        conflict.question = Some(QuestionStanding::open(*seq));
    }
    if let Refusal::StaleQuestion { closed: Some(closed) } = refusal {
        conflict.question = Some(QuestionStanding::closed(*closed, answered));
    }
    problem.with_conflict(conflict)
}

fn task_archived(archived: app::Archived) -> Problem {
    let conflict = Conflict { archived: Some(archived.into()), ..Conflict::default() };
    Problem::new(Code::TaskArchived, "The task has ended, and its trail was put away.").with_conflict(conflict)
}

fn task_existed(archived: app::Archived) -> Problem {
    let conflict = Conflict { archived: Some(archived.into()), ..Conflict::default() };
    let detail = "A task with this id was opened before, and has been put away since.";
    Problem::new(Code::TaskExists, detail).with_conflict(conflict)
}

fn cursor_expired() -> Problem {
    let detail = "Events after this cursor's position have left the feed. Read the feed from the start.";
    Problem::new(Code::CursorExpired, detail)
}

fn conflict(context: ConflictContext) -> Conflict {
    Conflict {
        phase: Some(context.phase.as_str()),
        stage: Some(context.stage),
        round: Some(context.round),
        revision: Some(context.revision),
        version: Some(context.version),
        allowed: Some(context.allowed),
        ..Conflict::default()
    }
}

/// The domain's error about a field of the body.
pub(in crate::http) fn field_error(refusal: &Refusal) -> Option<FieldError> {
    let Refusal::Invalid { pointer, code, message } = refusal else { return None };
    Some(FieldError::new(pointer.clone(), code, message.clone()))
}

/// Each item of feedback that a submission leaves without an answer.
fn unanswered(refusal: &Refusal) -> Vec<FieldError> {
    let Refusal::UnansweredFeedback { items } = refusal else { return Vec::new() };
    let error = |item: &ItemId| FieldError {
        item: Some(*item),
        ..FieldError::new("/answers", "unanswered", format!("must answer the item {item}"))
    };
    items.iter().map(error).collect()
}

/// The code of a refusal and its sentence, as the problem of the real command has them.
pub(crate) fn explain(refusal: &Refusal) -> (Code, String) {
    (code(refusal), sentence(refusal))
}

fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::Invalid { .. } => Code::InvalidBody,
        Refusal::WrongParty(_) => Code::WrongParty,
        Refusal::KeyScope(_) => Code::KeyScope,
        Refusal::KeyActor => Code::KeyActor,
        Refusal::KeyUnbound => Code::KeyUnbound,
        Refusal::NotAReviewer => Code::NotAReviewer,
        Refusal::ReviewersFixed(_) => Code::ReviewersFixed,
        Refusal::SelfApproval => Code::SelfApproval,
        Refusal::NotDistinct => Code::NotDistinct,
        Refusal::HeldByOther => Code::HeldByOther,
        Refusal::ResolutionNotAllowed(_) => Code::ResolutionNotAllowed,
        Refusal::SecondPerson => Code::SecondPerson,
        Refusal::AlreadyDecided { .. } => Code::AlreadyDecided,
        Refusal::AlreadyVoted { .. } => Code::AlreadyVoted,
        Refusal::StageMismatch => Code::StageMismatch,
        Refusal::RoundMismatch => Code::RoundMismatch,
        Refusal::WrongPhase => Code::WrongPhase,
        Refusal::SubmissionNotOpen => Code::SubmissionNotOpen,
        Refusal::StaleEscalation => Code::StaleEscalation,
        Refusal::UnansweredFeedback { .. } => Code::UnansweredFeedback,
        Refusal::QuestionOpen { .. } => Code::QuestionOpen,
        Refusal::StaleQuestion { .. } => Code::StaleQuestion,
        Refusal::NothingToReturnTo => Code::NothingToReturnTo,
        Refusal::RedirectLimit => Code::RedirectLimit,
        Refusal::AlreadyCancelling => Code::AlreadyCancelling,
        Refusal::Cancelling { .. } => Code::Cancelling,
        Refusal::TaskClosed { .. } => Code::TaskClosed,
        Refusal::StaleRevision => Code::StaleRevision,
        Refusal::LimitReached(_) => Code::LimitReached,
        Refusal::NothingDue => Code::Internal,
    }
}

/// The refusal as a sentence.
fn sentence(refusal: &Refusal) -> String {
    let text = refusal.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
