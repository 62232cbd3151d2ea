//! Who may fill which seat of the current stage's review, and what its votes amount to. A seat is the
//! right of one actor to vote in one group: a panel, or everybody in a stage without panels.
//!
//! Votes, resolutions, views, the inbox and claims all ask here, so that a rule about people has one
//! place.

use std::ops::RangeInclusive;

use crate::domain::values::id::{ActorId, PanelKey};
use crate::domain::values::party::ActorRef;
use crate::domain::workflow::{Approvals, Group, MAX_REVIEWERS, Stage, Workflow};

use super::refusal::Refusal;
use super::{PanelState, Phase, Task, Verdict, Vote};

/// The groups whose votes are counted apart in the current stage, with the people who may vote in each.
pub(in crate::domain) fn groups<'a>(workflow: &'a Workflow, task: &'a Task) -> impl Iterator<Item = Group<'a>> {
    groups_of(workflow, task, task.stage)
}

/// The same of the stage with this index. Everything else about people asks here, so that a change of
/// people has to be known here alone.
pub(in crate::domain) fn groups_of<'a>(
    workflow: &'a Workflow,
    task: &'a Task,
    stage: usize,
) -> impl Iterator<Item = Group<'a>> {
    let record = task.stages.get(stage);
    let groups = workflow.stages.get(stage).into_iter().flat_map(Stage::groups);
    groups.map(move |group| record.map_or(group, |record| record.with_people(group)))
}

/// The group in which `actor` votes; none if the actor has no seat. Who has one may still be barred
/// from approving.
pub(in crate::domain) fn seat<'a>(workflow: &'a Workflow, task: &'a Task, actor: &ActorRef) -> Option<Group<'a>> {
    let is_theirs = task.stage_in(workflow).reviewer == actor.party;
    groups(workflow, task).find(|group| is_theirs && group.admits(&actor.id))
}

/// Why `actor` may not approve the current stage, if so. Nobody is barred from rejecting.
pub(in crate::domain) fn bar(workflow: &Workflow, task: &Task, actor: &ActorRef) -> Option<Refusal> {
    bar_in(workflow, task, task.stage, actor)
}

/// The same of the stage with this index, as far as it is known now: by the latest revision, and by the
/// stages that were approved.
pub(in crate::domain) fn bar_in(workflow: &Workflow, task: &Task, stage: usize, actor: &ActorRef) -> Option<Refusal> {
    let stage = workflow.stages.get(stage)?;
    if stage.bars_submitter() && task.submitters().any(|submitter| submitter == actor) {
        return Some(Refusal::SelfApproval);
    }
    let mut earlier = stage.distinct_from().iter().filter_map(|key| task.stages.get(workflow.index_of(key)));
    earlier.any(|record| record.approvers.contains(actor)).then_some(Refusal::NotDistinct)
}

/// The named people of all groups; none if anyone may vote in one.
pub(in crate::domain) fn named<'a>(workflow: &'a Workflow, task: &'a Task) -> Option<Vec<&'a ActorId>> {
    let people: Option<Vec<&[ActorId]>> = groups(workflow, task).map(|group| group.named).collect();
    Some(people?.into_iter().flatten().collect())
}

/// The actors of a group who may approve; none: anyone who is not barred.
pub(in crate::domain) fn eligible<'a>(workflow: &Workflow, task: &Task, group: &Group<'a>) -> Option<Vec<&'a ActorId>> {
    Some(eligible_in(workflow, task, task.stage, group.named?))
}

/// Those of `named` who may approve the stage with this index, as far as that is known now.
pub(in crate::domain) fn eligible_in<'a>(
    workflow: &Workflow,
    task: &Task,
    stage: usize,
    named: &'a [ActorId],
) -> Vec<&'a ActorId> {
    let Some(party) = workflow.stages.get(stage).map(|stage| stage.reviewer) else { return Vec::new() };
    let may = |id: &&ActorId| bar_in(workflow, task, stage, &ActorRef { party, id: (*id).clone() }).is_none();
    named.iter().filter(may).collect()
}

/// Whether in some group too few of the named reviewers may approve. An empty panel never approves.
pub(in crate::domain) fn is_short(workflow: &Workflow, task: &Task) -> bool {
    let is_short = |group: Group<'_>| {
        eligible(workflow, task, &group).is_some_and(|may| may.len() < needed(workflow, task, &group))
    };
    groups(workflow, task).any(is_short)
}

/// How many approving votes the group needs: at least one.
pub(in crate::domain) fn needed(workflow: &Workflow, task: &Task, group: &Group<'_>) -> usize {
    match group.approvals {
        Approvals::Votes(number) => number as usize,
        Approvals::All => eligible(workflow, task, group).map_or(0, |may| may.len()).max(1),
    }
}

/// The votes of a group.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Tally<'a> {
    pub(in crate::domain) group: Group<'a>,
    pub(in crate::domain) approvals: usize,
    pub(in crate::domain) rejections: usize,
    /// How many approvals it needs.
    pub(in crate::domain) needed: usize,
}

impl Tally<'_> {
    pub(in crate::domain) fn is_approved(&self) -> bool {
        self.approvals >= self.needed
    }

    pub(in crate::domain) fn is_rejected(&self) -> bool {
        self.rejections >= self.group.rejections as usize
    }

    /// The state of its panel.
    pub(in crate::domain) fn state(&self) -> PanelState {
        if self.is_approved() && !self.is_rejected() { PanelState::Approved } else { PanelState::Open }
    }
}

/// The votes of every group, with `cast` in place of an earlier vote of that actor. Without a review
/// there are no votes.
pub(in crate::domain) fn tallies<'a>(
    workflow: &'a Workflow,
    task: &'a Task,
    cast: Option<(&ActorRef, Verdict)>,
) -> Vec<Tally<'a>> {
    let own = cast.and_then(|(actor, _)| seat(workflow, task, actor));
    let standing = task.phase.votes().unwrap_or_default();
    let tally = |group: Group<'a>| {
        let is_here = |panel: Option<&PanelKey>| panel == group.key();
        let kept = |vote: &&Vote| is_here(vote.panel.as_ref()) && cast.is_none_or(|(actor, _)| vote.actor != *actor);
        let votes = standing.iter().filter(kept).map(|vote| vote.decision);
        let cast = cast.filter(|_| own.is_some_and(|own| is_here(own.key()))).map(|(_, decision)| decision);
        tally(workflow, task, group, votes.chain(cast))
    };
    groups(workflow, task).map(tally).collect()
}

/// What these votes of a group of the current stage amount to.
pub(in crate::domain) fn tally<'a>(
    workflow: &Workflow,
    task: &Task,
    group: Group<'a>,
    votes: impl Iterator<Item = Verdict>,
) -> Tally<'a> {
    let (approvals, rejections): (Vec<_>, Vec<_>) = votes.partition(|decision| *decision == Verdict::Approved);
    let needed = needed(workflow, task, &group);
    Tally { group, approvals: approvals.len(), rejections: rejections.len(), needed }
}

/// The places of a group of people who can decide a task together. People take one when they claim
/// the task, so that not more of them work on it than are needed.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    /// The numbers of the places, from 1, apart from those of other groups. Each group has a hundred
    /// numbers to itself, so that they stay the same when people come and go.
    pub numbers: RangeInclusive<u32>,
    /// Whether the group is still asked.
    pub is_open: bool,
    group: Group<'a>,
}

impl<'a> Places<'a> {
    /// The groups that can decide the task: those of its review, or else one of one person.
    pub fn of(workflow: &'a Workflow, task: &'a Task) -> Vec<Self> {
        if !matches!(task.phase, Phase::InReview(_)) {
            return vec![Self { numbers: 1..=1, is_open: true, group: Group::ANYONE }];
        }
        let groups = groups(workflow, task).zip((1_u32..).step_by(MAX_REVIEWERS)).map(|(group, first)| {
            let needed = u32::try_from(needed(workflow, task, &group)).unwrap_or(u32::MAX);
            let numbers = first..=(first - 1).saturating_add(needed);
            Self { numbers, is_open: group.key().is_none_or(|key| !task.has_approved(key)), group }
        });
        groups.collect()
    }

    /// Whether this actor of the deciding party belongs to the group.
    pub fn admits(&self, actor: &ActorId) -> bool {
        self.group.admits(actor)
    }

    /// How many places there are.
    pub fn count(&self) -> usize {
        self.numbers.clone().count()
    }
}

impl Phase {
    /// The standing votes of a review, running or paused; none without one.
    pub(in crate::domain) fn votes(&self) -> Option<&[Vote]> {
        match self {
            Self::InReview(review) => Some(&review.votes),
            Self::Escalated(escalation) => escalation.review.as_ref().map(|review| &review.votes[..]),
            Self::OnHold(hold) => hold.review.as_ref().map(|review| &review.votes[..]),
            Self::Preparing | Self::Cancelling(_) | Self::Closed(_) => None,
        }
    }

    /// The same, to be changed.
    pub(in crate::domain) fn votes_mut(&mut self) -> Option<&mut Vec<Vote>> {
        match self {
            Self::InReview(review) => Some(&mut review.votes),
            Self::Escalated(escalation) => escalation.review.as_mut().map(|review| &mut review.votes),
            Self::OnHold(hold) => hold.review.as_mut().map(|review| &mut review.votes),
            Self::Preparing | Self::Cancelling(_) | Self::Closed(_) => None,
        }
    }
}
