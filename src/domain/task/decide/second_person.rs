//! Who may decide an escalation: a second person for what the platform escalated itself, and a
//! partner's approval of its own stage as one vote of its quorum.

use crate::domain::task::refusal::Refusal;
use crate::domain::task::{Phase, Raiser, Task, Verdict};
use crate::domain::values::credential;
use crate::domain::values::id::ActorId;
use crate::domain::values::party::{ActorRef, Party, Sender};
use crate::domain::workflow::Workflow;

use super::draft::bar;

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
    if !stage.reviewers().is_empty() && !stage.reviewers().contains(&actor.id) {
        return Err(Refusal::ResolutionNotAllowed(
            "the partner's approve is a vote, and the actor is not one of the stage's named reviewers",
        ));
    }
    if let Some(refusal) = bar(workflow, task, actor) {
        return Err(refusal);
    }
    if approvals_with(task, actor) < stage.quorum().approvals as usize {
        return Err(Refusal::ResolutionNotAllowed(
            "the partner's approve is one vote, and with the standing votes it does not meet the stage's quorum",
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
    if stage.reviewers().is_empty() {
        // Somebody who has not voted yet adds a vote.
        return standing_approvals(task).count() + 1 >= stage.quorum().approvals as usize;
    }
    stage.reviewers().iter().any(|id| check_vote_of_partner(workflow, task, &partner(id)).is_ok())
}

/// The approvals of the interrupted review with `actor`'s own among them.
fn approvals_with(task: &Task, actor: &ActorRef) -> usize {
    standing_approvals(task).filter(|voter| *voter != actor).count() + 1
}

fn standing_approvals(task: &Task) -> impl Iterator<Item = &ActorRef> {
    let votes = match &task.phase {
        Phase::Escalated(escalation) => escalation.review.as_ref().map_or(&[][..], |review| &review.votes),
        Phase::Preparing | Phase::InReview(_) | Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => &[],
    };
    votes.iter().filter(|vote| vote.decision == Verdict::Approved).map(|vote| &vote.actor)
}
