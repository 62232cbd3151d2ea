//! Holding and resuming.

use crate::domain::task::command::{Command, Held};
use crate::domain::task::event::Fact;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::{Phase, PhaseName};
use crate::domain::values::party::Party;

use super::draft::{By, Draft};
use super::{check_length, check_revision, guard, review};

pub(super) fn hold(draft: &mut Draft<'_>, command: &Command, body: &Held) -> Result<(), Refusal> {
    guard(draft, command, &[Party::Partner, Party::Platform])?;
    if !matches!(draft.task().phase(), PhaseName::Preparing | PhaseName::InReview) {
        return Err(Refusal::WrongPhase);
    }
    check_revision(draft.task(), command)?;
    check_length(draft.task())?;
    draft.push(Fact::Held { reason: Some(body.reason.clone()) }, By::Sender);
    Ok(())
}

pub(super) fn resume(draft: &mut Draft<'_>, command: &Command) -> Result<(), Refusal> {
    guard(draft, command, &[Party::Partner, Party::Platform])?;
    let Phase::OnHold(hold) = &draft.task().phase else { return Err(Refusal::WrongPhase) };
    let party = command.meta.sender.party;
    if party != hold.by && party != Party::Platform {
        return Err(Refusal::HeldByOther);
    }
    check_revision(draft.task(), command)?;
    let question = draft.task().question;
    let review = hold.review.as_ref().filter(|_| question.is_none());
    let clock = review.and_then(|review| draft.resume_clock(&review.clock));
    let answer_due_at = question.and_then(|question| draft.resume_answer(question.clock));
    draft.push(Fact::Resumed { clock, answer_due_at }, By::Sender);
    review::count_left(draft);
    Ok(())
}
