//! Who may decide an escalation: a second person for what the platform escalated itself, and a
//! partner's approval of its own stage as one vote of its quorum.

use crate::domain::task::refusal::Refusal;
use crate::domain::task::seats::{Tally, bar, named, seat, tallies};
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
/// stage, and the approval, counted as this actor's vote, meets the quorum.
pub(super) fn check_vote_of_partner(workflow: &Workflow, task: &Task, actor: &ActorRef) -> Result<(), Refusal> {
    let stage = task.stage_in(workflow);
    if stage.reviewer != Party::Partner {
        return Err(Refusal::ResolutionNotAllowed(
            "the partner can resolve with approve only on stages that the partner reviews",
        ));
    }
    if seat(workflow, task, actor).is_none() {
        return Err(Refusal::ResolutionNotAllowed(
            "the partner's approve is a vote, and the actor is not one of the stage's named reviewers",
        ));
    }
    if let Some(refusal) = bar(workflow, task, actor) {
        return Err(refusal);
    }
    if !tallies(workflow, task, Some((actor, Verdict::Approved))).iter().all(Tally::is_approved) {
        return Err(Refusal::ResolutionNotAllowed(
            "the partner's approve is one vote, and with the standing votes it does not meet the quorum of the stage or of each panel",
        ));
    }
    Ok(())
}

/// Whether some actor of the partner may approve the open escalation.
pub(super) fn can_partner_approve(workflow: &Workflow, task: &Task) -> bool {
    let stage = task.stage_in(workflow);
    if stage.reviewer != Party::Partner {
        return false;
    }
    let partner = |id: &ActorId| ActorRef { party: Party::Partner, id: id.clone() };
    match named(workflow, task) {
        // Somebody who has not voted yet adds a vote.
        None => tallies(workflow, task, None).iter().all(|tally| tally.approvals + 1 >= tally.needed),
        Some(people) => people.into_iter().any(|id| check_vote_of_partner(workflow, task, &partner(id)).is_ok()),
    }
}
