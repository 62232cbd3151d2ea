//! Cancelling.

use crate::domain::task::command::{CancellationAcknowledged, CancellationRequested, Command};
use crate::domain::task::event::{Fact, InFlight};
use crate::domain::task::refusal::Refusal;
use crate::domain::task::{Outcome, Phase, PhaseName};
use crate::domain::values::party::Party;
use crate::domain::workflow::CancellationRule;

use super::draft::{By, Draft};
use super::{check_revision, guard};

pub(super) fn request(draft: &mut Draft<'_>, command: &Command, body: &CancellationRequested) -> Result<(), Refusal> {
    guard(draft, command, &Party::ALL)?;
    let grace = match &draft.task().phase {
        Phase::Cancelling(_) if !body.immediate => return Err(Refusal::AlreadyCancelling),
        Phase::InReview(_) | Phase::Escalated(_) if !body.immediate => match &draft.stage().cancellation {
            CancellationRule::LetFinish { grace, clock } => Some(draft.after(*clock, grace)),
            CancellationRule::Withdraw => None,
        },
        Phase::Preparing
        | Phase::InReview(_)
        | Phase::Escalated(_)
        | Phase::OnHold(_)
        | Phase::Cancelling(_)
        | Phase::Closed(_) => None,
    };
    check_revision(draft.task(), command)?;
    // The grace period ends with the task's own deadline at the latest.
    let grace_until = grace.map(|until| draft.task().deadline_at().map_or(until, |deadline| deadline.min(until)));
    let reason = Some(body.reason.clone());
    draft.push(Fact::CancellationRequested { reason, immediate: body.immediate, grace_until }, By::Sender);
    if grace_until.is_none() {
        draft.close(Outcome::Cancelled);
    }
    Ok(())
}

pub(super) fn acknowledge(
    draft: &mut Draft<'_>,
    command: &Command,
    body: &CancellationAcknowledged,
) -> Result<(), Refusal> {
    guard(draft, command, &[Party::Partner])?;
    if draft.task().phase() != PhaseName::Cancelling {
        return Err(Refusal::WrongPhase);
    }
    check_revision(draft.task(), command)?;
    let salvaged = body.in_flight == InFlight::Salvaged;
    if salvaged && body.artifacts.is_empty() {
        return Err(Refusal::required("/artifacts"));
    }
    if !salvaged && !body.artifacts.is_empty() {
        return Err(Refusal::invalid("/artifacts", "not_allowed", "is only allowed with in_flight salvaged"));
    }
    let artifacts = Some(body.artifacts.clone()).filter(|list| !list.is_empty());
    let notes = body.notes.clone();
    draft.push(Fact::CancellationAcknowledged { in_flight: body.in_flight, notes, artifacts }, By::Sender);
    draft.push(Fact::WorkflowCancelled {}, By::Service);
    Ok(())
}
