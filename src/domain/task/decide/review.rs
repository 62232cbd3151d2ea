//! Submissions, status updates and votes.

use crate::domain::task::command::{Command, StageApproved, StageRejected, StatusUpdated, WorkSubmitted};
use crate::domain::task::event::{Fact, Feedback, VotePanel, VoteRecorded};
use crate::domain::task::limits::{MAX_REVISIONS, MAX_STATUS_UPDATES, MAX_VOTES};
use crate::domain::task::refusal::Refusal;
use crate::domain::task::seats::{self, Cast, Tally};
use crate::domain::task::{PanelState, PhaseName, Verdict, Vote};
use crate::domain::values::id::{PanelKey, StageKey};
use crate::domain::values::party::Party;
use crate::domain::workflow::{Stage, Workflow};

use super::draft::{By, Draft};
use super::{check_bound, check_length, check_revision, feedback, only, place};

pub(super) fn submit(draft: &mut Draft<'_>, command: &Command, body: &WorkSubmitted) -> Result<(), Refusal> {
    let place = place(draft.workflow, draft.task(), command)?;
    only(&[Party::Partner], &command.meta.sender)?;
    place.check?;
    let task = draft.task();
    match task.phase() {
        PhaseName::Preparing => {}
        PhaseName::InReview if task.stage == 0 || task.began_preparing => {}
        PhaseName::InReview => return Err(Refusal::SubmissionNotOpen),
        PhaseName::Escalated
        | PhaseName::OnHold
        | PhaseName::Cancelling
        | PhaseName::Delivery
        | PhaseName::Cancelled
        | PhaseName::Expired
        | PhaseName::Failed => return Err(Refusal::WrongPhase),
    }
    check_revision(task, command)?;
    if body.summary.is_none() && body.artifacts.is_empty() {
        return Err(Refusal::invalid("/artifacts", "required", "at least one of artifacts and summary is required"));
    }
    let revision = task.revision() + 1;
    if revision > MAX_REVISIONS {
        return Err(Refusal::LimitReached("a task can have at most 500 revisions"));
    }
    if task.phase() == PhaseName::InReview {
        check_length(task)?;
    }
    let (shared_answers, internal_answers) = feedback::answers(draft.workflow, task, &body.answers)?;
    let artifacts = Some(body.artifacts.clone()).filter(|list| !list.is_empty());
    let (summary, clock) = (body.summary.clone(), draft.start_clock(draft.stage()));
    let fact = Fact::WorkSubmitted { revision, summary, artifacts, shared_answers, internal_answers, clock };
    draft.push(fact, By::Sender);
    draft.ensure_quorum();
    Ok(())
}

pub(super) fn update_status(draft: &mut Draft<'_>, command: &Command, body: &StatusUpdated) -> Result<(), Refusal> {
    let place = place(draft.workflow, draft.task(), command)?;
    only(&[Party::Partner], &command.meta.sender)?;
    place.check?;
    check_revision(draft.task(), command)?;
    check_length(draft.task())?;
    if draft.task().status_updates >= MAX_STATUS_UPDATES {
        return Err(Refusal::LimitReached("a task can have at most 1,000 status updates"));
    }
    let message = Some(body.message.clone());
    draft.push(Fact::StatusUpdated { message, percent: body.percent, eta: body.eta }, By::Sender);
    Ok(())
}

/// A vote.
#[derive(Clone, Copy)]
pub(super) enum Ballot<'a> {
    Approve(&'a StageApproved),
    Reject(&'a StageRejected),
}

impl<'a> Ballot<'a> {
    fn decision(self) -> Verdict {
        match self {
            Self::Approve(_) => Verdict::Approved,
            Self::Reject(_) => Verdict::Rejected,
        }
    }

    fn feedback(self) -> Option<&'a Feedback> {
        match self {
            Self::Approve(body) => body.feedback.as_ref(),
            Self::Reject(body) => body.feedback.as_ref(),
        }
    }
}

pub(super) fn vote(draft: &mut Draft<'_>, command: &Command, ballot: Ballot<'_>) -> Result<(), Refusal> {
    let actor = command.meta.sender.actor_ref().ok_or_else(|| Refusal::required("/actor"))?;
    let place = place(draft.workflow, draft.task(), command)?;
    only(&[place.stage.reviewer], &command.meta.sender)?;
    check_bound(place.stage, &command.meta.sender)?;
    place.check?;
    let (stage, task) = (place.stage, draft.task());
    if task.phase() != PhaseName::InReview {
        return Err(Refusal::WrongPhase);
    }
    let seat = seats::filled(draft.workflow, task, &actor, draft.moment).ok_or(Refusal::NotAReviewer)?;
    if ballot.decision() == Verdict::Approved
        && let Some(refusal) = seat.bar(draft.workflow, task, &actor)
    {
        return Err(refusal);
    }
    check_revision(task, command)?;
    let return_to = match ballot {
        Ballot::Approve(_) => None,
        Ballot::Reject(body) => {
            feedback::check(stage, task, body.feedback.as_ref(), command.meta.sender.party)?;
            Some(target(draft.workflow, stage, body.return_to.as_ref())?)
        }
    };
    let cast = Cast { actor: &actor, seat, decision: ballot.decision() };
    let key = seat.group.key();
    let panel = key.map(|key| in_panel(draft, cast, key));
    let reopened = seats::reopened(draft.workflow, task, key, |vote| cast.replaces(vote));
    let vote = VoteRecorded {
        decision: ballot.decision(),
        revision: task.revision(),
        return_to,
        feedback: ballot.feedback().map(|feedback| feedback.numbered(draft.next_seq())),
        panel,
        stands_for: seat.stands_for.cloned(),
        reopened,
        bound: command.meta.sender.bound,
    };
    check_votes(draft, command, cast, (&vote, ballot.feedback()))?;
    let length = check_length(draft.task());
    draft.push(Fact::VoteRecorded(vote), By::Sender);
    if count(draft, By::Sender) { Ok(()) } else { length }
}

/// The panel of a vote that is cast now.
fn in_panel(draft: &Draft<'_>, cast: Cast<'_>, key: &PanelKey) -> VotePanel {
    let tallies = seats::tallies(draft.workflow, draft.task(), Some(cast));
    let own = tallies.iter().find(|tally| tally.group.key() == Some(key));
    VotePanel { key: key.clone(), state: own.map_or(PanelState::Open, Tally::state) }
}

/// Refuses a repeated vote, and too many changes of vote.
fn check_votes(
    draft: &Draft<'_>,
    command: &Command,
    cast: Cast<'_>,
    (vote, feedback): (&VoteRecorded, Option<&Feedback>),
) -> Result<(), Refusal> {
    let standing = draft.votes(Verdict::Approved).chain(draft.votes(Verdict::Rejected));
    let replaced: Vec<&Vote> = standing.filter(|earlier| cast.replaces(earlier)).collect();
    let said = |seq| draft.snapshot().notes.votes.iter().find(|note| note.seq == seq);
    let is_same = |earlier: &&&Vote| {
        earlier.actor == *cast.actor
            && earlier.stands_for == vote.stands_for
            && earlier.decision == vote.decision
            && earlier.return_to == vote.return_to
            && said(earlier.seq).is_some_and(|said| said.feedback.as_ref().map(Feedback::as_sent).as_ref() == feedback)
            && command.meta.note.is_none()
    };
    if let Some(same) = replaced.iter().find(is_same) {
        return Err(Refusal::AlreadyVoted { recorded: same.seq });
    }
    if replaced.iter().any(|earlier| earlier.cast >= MAX_VOTES) {
        return Err(Refusal::LimitReached("an actor can vote at most 20 times on one revision; the last vote stands"));
    }
    Ok(())
}

/// The target of a rejection: the named stage, if the definition allows it, or the default.
pub(super) fn target(workflow: &Workflow, stage: &Stage, named: Option<&StageKey>) -> Result<StageKey, Refusal> {
    let allowed = &stage.on_reject.return_to;
    match named {
        Some(key) if allowed.contains(key) => Ok(key.clone()),
        Some(_) => {
            let keys: Vec<&str> = allowed.iter().map(StageKey::as_str).collect();
            let rule = format!("must be one of the stage's return_to: {}", keys.join(", "));
            Err(Refusal::invalid("/return_to", "not_allowed", rule))
        }
        None => Ok(stage.default_return(workflow).1.key.clone()),
    }
}

/// Decides the stage by the standing votes if there are enough of them, since others may vote now than
/// when the last one was cast. Nothing happens without a running review.
pub(super) fn count_left(draft: &mut Draft<'_>) {
    if draft.task().phase() == PhaseName::InReview {
        count(draft, By::Reviewers);
    }
}

/// Decides the stage if there are enough votes, in every panel or to reject in one; returns whether it
/// did.
fn count(draft: &mut Draft<'_>, by: By) -> bool {
    let tallies = seats::tallies(draft.workflow, draft.task(), None);
    if let Some(rejected) = tallies.iter().find(|tally| tally.is_rejected()) {
        let panel = rejected.group.key().cloned();
        let counted = draft.votes(Verdict::Rejected).filter(|vote| vote.panel == panel);
        let named = counted.filter_map(|vote| vote.return_to.as_ref());
        let earliest = named.map(|key| draft.workflow.index_of(key)).min();
        let target = earliest.unwrap_or_else(|| draft.stage().default_return(draft.workflow).0);
        draft.reject(target, by, panel.as_ref());
        true
    } else if tallies.iter().all(Tally::is_approved) {
        draft.approve(by);
        true
    } else {
        false
    }
}
