//! Who may decide an escalation: a second person for what the platform escalated itself, and a
//! partner's approval of its own stage as one vote of its quorum.

use crate::domain::absence::Moment;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::seats::{Cast, Filled, Tally, filled, named, tallies};
use crate::domain::task::{Raiser, Task, Verdict};
use crate::domain::values::credential;
use crate::domain::values::id::ActorId;
use crate::domain::values::party::{ActorRef, Party, Sender};
use crate::domain::workflow::Workflow;

/// Whether `sender` differs by person and by key from everybody who escalated for the platform in
/// this round. A session of a link counts as the key that made the link. Always true of other parties.
pub(super) fn is_second_person(task: &Task, sender: &Sender) -> bool {
    let (actor, key) = (sender.actor_ref(), credential::vouching(&sender.credential_id));
    let other =
        |raiser: &Raiser| actor.as_ref() != Some(&raiser.actor) && key != credential::vouching(&raiser.credential_id);
    sender.party != Party::Platform || task.platform_raisers.iter().all(other)
}

/// Checks that `actor` of the partner may approve the open escalation: the partner reviews the
/// stage, and the approval, counted as this actor's vote, meets the quorum. Returns the seat in which it
/// counts.
pub(super) fn check_vote_of_partner<'a>(
    workflow: &'a Workflow,
    task: &'a Task,
    actor: &ActorRef,
    moment: Moment<'_>,
) -> Result<Filled<'a>, Refusal> {
    let stage = task.stage_in(workflow);
    if stage.reviewer != Party::Partner {
        return Err(Refusal::ResolutionNotAllowed(
            "the partner can resolve with approve only on stages that the partner reviews",
        ));
    }
    let seat = filled(workflow, task, actor, moment).ok_or(Refusal::ResolutionNotAllowed(
        "the partner's approve is a vote, and the actor is not one of the stage's named reviewers",
    ))?;
    if let Some(refusal) = seat.bar(workflow, task, actor) {
        return Err(refusal);
    }
    let cast = Cast { actor, seat, decision: Verdict::Approved };
    if !tallies(workflow, task, Some(cast)).iter().all(Tally::is_approved) {
        return Err(Refusal::ResolutionNotAllowed(
            "the partner's approve is one vote, and with the standing votes it does not meet the quorum of the stage or of each panel",
        ));
    }
    Ok(seat)
}

/// Whether some actor of the partner may approve the open escalation.
pub(super) fn can_partner_approve(workflow: &Workflow, task: &Task, moment: Moment<'_>) -> bool {
    let stage = task.stage_in(workflow);
    if stage.reviewer != Party::Partner {
        return false;
    }
    let may = |id: &ActorId| {
        let actor = ActorRef { party: Party::Partner, id: id.clone() };
        check_vote_of_partner(workflow, task, &actor, moment).is_ok()
    };
    match named(workflow, task) {
        // Somebody who has not voted yet adds a vote.
        None => tallies(workflow, task, None).iter().all(|tally| tally.approvals + 1 >= tally.needed),
        Some(people) => people.into_iter().any(|id| may(id) || moment.substitute(id).is_some_and(may)),
    }
}
