//! Escalations and their resolutions.

use crate::domain::task::command::{Command, EscalationResolved, StageEscalated};
use crate::domain::task::event::{self, Fact, Resolution};
use crate::domain::task::limits::MAX_HANDOVERS;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::seats;
use crate::domain::task::{Cause, Escalation, Phase, PhaseName};
use crate::domain::values::id::{ActorId, StageKey};
use crate::domain::values::party::{Party, Sender};
use crate::domain::workflow::Stage;

use super::draft::{By, Draft};
use super::review::{self, target};
use super::second_person::{check_vote_of_partner, is_second_person};
use super::{check_bound, check_length, check_revision, feedback, only, place};

pub(super) fn raise(draft: &mut Draft<'_>, command: &Command, body: &StageEscalated) -> Result<(), Refusal> {
    let sender = &command.meta.sender;
    let place = place(draft.workflow, draft.task(), command)?;
    let mut parties = vec![Party::Partner, Party::Platform];
    if !parties.contains(&place.stage.reviewer) {
        parties.push(place.stage.reviewer);
    }
    only(&parties, sender)?;
    place.check?;
    let task = draft.task();
    if task.phase() != PhaseName::InReview {
        return Err(Refusal::WrongPhase);
    }
    check_revision(task, command)?;
    check_target(place.stage, sender, body.to)?;
    let respond_by = draft.respond_by();
    let reason = Some(body.reason.clone());
    let revision = task.revision();
    let escalated = event::StageEscalated { to: body.to, cause: Cause::Person, revision, respond_by, reason };
    draft.push(Fact::StageEscalated(escalated), By::Sender);
    Ok(())
}

/// Checks that the stage allows this party. The platform may always name itself.
fn check_target(stage: &Stage, sender: &Sender, to: Party) -> Result<(), Refusal> {
    let own = sender.party == Party::Platform && to == Party::Platform;
    if own || stage.escalation.to.contains(&to) {
        return Ok(());
    }
    let names: Vec<&str> = stage.escalation.to.iter().map(|party| party.as_str()).collect();
    Err(Refusal::invalid(
        "/to",
        "not_allowed",
        format!("must be one of the stage's escalation.to: {}", names.join(", ")),
    ))
}

pub(super) fn resolve(draft: &mut Draft<'_>, command: &Command, body: &EscalationResolved) -> Result<(), Refusal> {
    let sender = &command.meta.sender;
    let place = place(draft.workflow, draft.task(), command)?;
    let stage = place.stage;
    if let Phase::Escalated(escalation) = &draft.task().phase {
        only(&[escalation.to], sender)?;
        if body.resolution == Resolution::Approve {
            check_bound(stage, sender)?;
        }
    }
    place.check?;
    let Phase::Escalated(escalation) = &draft.task().phase else { return Err(Refusal::WrongPhase) };
    if escalation.seq != body.escalation {
        return Err(Refusal::StaleEscalation);
    }
    let stands_for = check_resolution(draft, escalation, command, body)?;
    check_revision(draft.task(), command)?;
    let return_to = check_content(draft, stage, sender, body)?;
    let decides = matches!(body.resolution, Resolution::Approve | Resolution::Reject);
    let said = body.feedback.as_ref().map(|feedback| feedback.numbered(draft.next_seq()));
    let resolved = event::EscalationResolved {
        escalation: body.escalation,
        resolution: body.resolution,
        revision: draft.task().revision(),
        return_to: return_to.clone(),
        to: if body.resolution == Resolution::Return { Some(asking(escalation, stage)) } else { body.to },
        feedback: said.clone(),
        advice: body.advice.clone(),
        stands_for: stands_for.clone(),
        overrides: decides && sender.party != stage.reviewer,
        single_person: decides && !is_second_person(draft.task(), sender),
        clock: if body.resolution == Resolution::Return { draft.returned_clock(escalation) } else { None },
        bound: sender.bound,
    };
    let cause = escalation.cause;
    draft.push(Fact::EscalationResolved(resolved), By::Sender);
    match (body.resolution, return_to, body.to) {
        (Resolution::Approve, _, _) => match sender.actor_ref() {
            Some(actor) if actor.party == Party::Partner => draft.approve_by_resolution(&actor, stands_for.as_ref()),
            Some(_) | None => draft.approve(By::Sender),
        },
        (Resolution::Reject, Some(key), _) => {
            draft.send_back(draft.workflow.index_of(&key), By::Sender, said.map(|said| (said, sender.party)));
        }
        (Resolution::Redirect, _, Some(to)) => {
            let respond_by = draft.respond_by();
            let revision = draft.task().revision();
            let reason = body.advice.clone();
            let escalated = event::StageEscalated { to, cause, revision, respond_by, reason };
            draft.push(Fact::StageEscalated(escalated), By::Sender);
        }
        (Resolution::Return, _, _) => {
            review::count_left(draft);
            draft.ensure_quorum();
        }
        (Resolution::Reject | Resolution::Redirect, _, _) => {}
    }
    Ok(())
}

/// The recipient of a resolution: the party that escalated, or the reviewing party if the service
/// did.
fn asking(escalation: &Escalation, stage: &Stage) -> Party {
    escalation.raised_by.party().unwrap_or(stage.reviewer)
}

/// Checks phase and actor: whether this kind of resolution is open to this party and person. Returns the
/// absent person in whose seat it counts as a vote, if the actor stands in.
fn check_resolution(
    draft: &Draft<'_>,
    escalation: &Escalation,
    command: &Command,
    body: &EscalationResolved,
) -> Result<Option<ActorId>, Refusal> {
    let sender = &command.meta.sender;
    match body.resolution {
        Resolution::Approve if sender.party == Party::Partner => {
            let actor = sender.actor_ref().ok_or_else(|| Refusal::required("/actor"))?;
            let seat = check_vote_of_partner(draft.workflow, draft.task(), &actor, draft.moment)?;
            return Ok(seat.stands_for.cloned());
        }
        Resolution::Approve | Resolution::Reject
            if command.meta.dual_control && !is_second_person(draft.task(), sender) =>
        {
            return Err(Refusal::SecondPerson);
        }
        Resolution::Return => match escalation.cause {
            Cause::Exhausted => return Err(Refusal::NothingToReturnTo),
            // Other people may vote by now.
            Cause::NoQuorum if seats::is_short(draft.workflow, draft.task(), draft.moment) => {
                return Err(Refusal::NothingToReturnTo);
            }
            Cause::NoQuorum | Cause::Person | Cause::Deadline => check_length(draft.task())?,
        },
        Resolution::Redirect if escalation.handovers >= MAX_HANDOVERS => return Err(Refusal::RedirectLimit),
        Resolution::Approve | Resolution::Reject | Resolution::Redirect => {}
    }
    Ok(None)
}

/// Checks the fields of each resolution and returns a rejection's target.
fn check_content(
    draft: &Draft<'_>,
    stage: &Stage,
    sender: &Sender,
    body: &EscalationResolved,
) -> Result<Option<StageKey>, Refusal> {
    let (reject, redirect) = (body.resolution == Resolution::Reject, body.resolution == Resolution::Redirect);
    let foreign = [
        ("/feedback", "is only allowed with the resolution reject", body.feedback.is_some() && !reject),
        ("/return_to", "is only allowed with the resolution reject", body.return_to.is_some() && !reject),
        ("/to", "is only allowed with the resolution redirect", body.to.is_some() && !redirect),
        (
            "/advice",
            "is only allowed with the resolutions return and redirect",
            body.advice.is_some() && !redirect && body.resolution != Resolution::Return,
        ),
    ];
    if let Some((pointer, rule, _)) = foreign.iter().find(|(_, _, wrong)| *wrong) {
        return Err(Refusal::invalid(*pointer, "not_allowed", *rule));
    }
    if reject {
        feedback::check(stage, draft.task(), body.feedback.as_ref(), sender.party)?;
        return target(draft.workflow, stage, body.return_to.as_ref()).map(Some);
    }
    if redirect {
        let to = body.to.ok_or_else(|| Refusal::required("/to"))?;
        if to == sender.party {
            return Err(Refusal::invalid("/to", "not_allowed", "must be another party"));
        }
        check_target(stage, sender, to)?;
    }
    Ok(None)
}
