//! Who may fill which seat of the current stage's review, and what its votes amount to. A seat is the
//! right of one actor to vote in one group: a panel, or everybody in a stage without panels. While the
//! person who holds a named seat is absent, a substitute may vote in it as well. No person votes in two
//! seats, and a seat has one vote.
//!
//! Votes, resolutions, views, the inbox and claims all ask here, so that a rule about people has one
//! place.

use std::ops::RangeInclusive;

use crate::domain::absence::Moment;
use crate::domain::values::id::{ActorId, PanelKey};
use crate::domain::values::party::{ActorRef, Party};
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

/// The group in which `actor` has a seat of their own; none if there is none. Who has one may still be
/// barred from approving.
pub(in crate::domain) fn seat<'a>(workflow: &'a Workflow, task: &'a Task, actor: &ActorRef) -> Option<Group<'a>> {
    let is_theirs = task.stage_in(workflow).reviewer == actor.party;
    groups(workflow, task).find(|group| is_theirs && group.admits(&actor.id))
}

/// The seat that an actor votes in.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Filled<'a> {
    pub(in crate::domain) group: Group<'a>,
    /// The absent person whose seat it is; none: the actor's own.
    pub(in crate::domain) stands_for: Option<&'a ActorId>,
}

impl Filled<'_> {
    /// Why `actor` may not approve in this seat, if so: all bars hold for both people.
    pub(in crate::domain) fn bar(&self, workflow: &Workflow, task: &Task, actor: &ActorRef) -> Option<Refusal> {
        let holder = self.stands_for.map(|id| ActorRef { party: actor.party, id: id.clone() });
        bar(workflow, task, actor).or_else(|| bar(workflow, task, &holder?))
    }
}

/// The seat that `actor` votes in at this moment; none if the actor has none.
///
/// It is the actor's own, if there is one. Else it is that of an absent person for whom the actor stands
/// in: of several, the one in which the actor's vote stands already, or else the first in which the actor
/// may approve, or else the first.
pub(in crate::domain) fn filled<'a>(
    workflow: &'a Workflow,
    task: &'a Task,
    actor: &ActorRef,
    moment: Moment<'_>,
) -> Option<Filled<'a>> {
    if let Some(group) = seat(workflow, task, actor) {
        return Some(Filled { group, stands_for: None });
    }
    let stage = task.stage_in(workflow);
    if (stage.reviewer, actor.party) != (Party::Partner, Party::Partner) || !stage.allows_substitutes() {
        return None;
    }
    let represented = groups(workflow, task).flat_map(move |group| {
        let named = group.named.unwrap_or_default().iter();
        let absent = named.filter(move |holder| moment.substitute(holder) == Some(&actor.id));
        absent.map(move |holder| Filled { group, stands_for: Some(holder) })
    });
    let represented: Vec<Filled<'a>> = represented.collect();
    let votes = task.phase.votes().unwrap_or_default();
    let has_vote = |seat: &&Filled<'a>| {
        let is_here = |vote: &Vote| vote.actor == *actor && vote.stands_for.as_ref() == seat.stands_for;
        votes.iter().any(|vote| is_here(vote) && vote.panel.as_ref() == seat.group.key())
    };
    let may_approve = |seat: &&Filled<'a>| seat.bar(workflow, task, actor).is_none();
    let found = represented.iter().find(has_vote).or_else(|| represented.iter().find(may_approve));
    found.or(represented.first()).copied()
}

/// The absent person in whose seat `actor` votes at this moment in the review, running or paused; none
/// if there is no review, or the seat is the actor's own.
pub(in crate::domain) fn represented<'a>(
    workflow: &'a Workflow,
    task: &'a Task,
    actor: &ActorRef,
    moment: Moment<'_>,
) -> Option<&'a ActorId> {
    task.phase.votes()?;
    filled(workflow, task, actor, moment)?.stands_for
}

/// Who votes in the seat of a named person who is absent: the substitute, unless that person votes
/// elsewhere; none if nobody does, or the person is there.
pub(in crate::domain) fn substitute<'a>(
    workflow: &Workflow,
    task: &Task,
    holder: &ActorId,
    moment: Moment<'a>,
) -> Option<&'a ActorId> {
    let substitute = moment.substitute(holder)?;
    let party = task.stage_in(workflow).reviewer;
    let seat = filled(workflow, task, &ActorRef { party, id: substitute.clone() }, moment)?;
    (seat.stands_for == Some(holder)).then_some(substitute)
}

/// The people who may approve in the seats of a group at this moment, each holder followed by the
/// substitute; none: anyone who is not barred. A person who is absent may still approve.
pub(in crate::domain) fn approvers(
    workflow: &Workflow,
    task: &Task,
    group: &Group<'_>,
    moment: Moment<'_>,
) -> Option<Vec<ActorId>> {
    let may = eligible(workflow, task, group)?;
    let mut people = Vec::with_capacity(may.len());
    for holder in may {
        people.push(holder.clone());
        people.extend(able_substitute(workflow, task, holder, moment).cloned());
    }
    Some(people)
}

/// The substitute who may approve in the seat of a named person who is absent.
fn able_substitute<'a>(workflow: &Workflow, task: &Task, holder: &ActorId, moment: Moment<'a>) -> Option<&'a ActorId> {
    let found = substitute(workflow, task, holder, moment)?;
    let party = task.stage_in(workflow).reviewer;
    bar(workflow, task, &ActorRef { party, id: found.clone() }).is_none().then_some(found)
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

/// Whether a task at this stage can name this actor, or somebody for whom the actor stands in: the
/// definition does, or lets the people change.
pub fn may_name(stage: &Stage, actor: &ActorId, moment: Moment<'_>) -> bool {
    let stands_in = |named: &ActorId| stage.allows_substitutes() && moment.substitute(named) == Some(actor);
    let is_theirs = || stage.reviewers().any(|named| named == actor || stands_in(named));
    stage.names_reviewers() && (!stage.fixes_reviewers() || is_theirs())
}

/// Whether the current stage names this actor of the reviewing party, as its people are now, or somebody
/// absent for whom the actor stands in.
pub fn names(workflow: &Workflow, task: &Task, actor: &ActorId, moment: Moment<'_>) -> bool {
    let actor = ActorRef { party: task.stage_in(workflow).reviewer, id: actor.clone() };
    filled(workflow, task, &actor, moment).is_some_and(|seat| seat.group.named.is_some())
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

/// Whether in some group too few of the named reviewers can approve: those who may, are there or are
/// represented, or have approved already. An empty panel never approves.
pub(in crate::domain) fn is_short(workflow: &Workflow, task: &Task, moment: Moment<'_>) -> bool {
    let votes = task.phase.votes().unwrap_or_default();
    let has_approved =
        |holder: &ActorId| votes.iter().any(|vote| vote.holder() == holder && vote.decision == Verdict::Approved);
    let is_able = |holder: &&ActorId| {
        moment.absence(holder).is_none()
            || has_approved(holder)
            || able_substitute(workflow, task, holder, moment).is_some()
    };
    let is_short = |group: Group<'_>| {
        let able = eligible(workflow, task, &group).map(|may| may.into_iter().filter(is_able).count());
        able.is_some_and(|able| able < needed(workflow, task, &group))
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

/// A vote that is about to be cast.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Cast<'a> {
    pub(in crate::domain) actor: &'a ActorRef,
    pub(in crate::domain) seat: Filled<'a>,
    pub(in crate::domain) decision: Verdict,
}

impl Cast<'_> {
    /// Whether it takes the place of this standing vote: one of the same actor, or in the same seat.
    pub(in crate::domain) fn replaces(&self, vote: &Vote) -> bool {
        vote.is_replaced(self.actor, self.seat.stands_for)
    }
}

/// The votes of every group, with `cast` in place of those that it replaces. Without a review there are
/// no votes.
pub(in crate::domain) fn tallies<'a>(workflow: &'a Workflow, task: &'a Task, cast: Option<Cast<'_>>) -> Vec<Tally<'a>> {
    let standing = task.phase.votes().unwrap_or_default();
    let tally = |group: Group<'a>| {
        let is_here = |panel: Option<&PanelKey>| panel == group.key();
        let kept = |vote: &&Vote| is_here(vote.panel.as_ref()) && cast.is_none_or(|cast| !cast.replaces(vote));
        let votes = standing.iter().filter(kept).map(|vote| vote.decision);
        let cast = cast.filter(|cast| is_here(cast.seat.group.key())).map(|cast| cast.decision);
        tally(workflow, task, group, votes.chain(cast))
    };
    groups(workflow, task).map(tally).collect()
}

/// The panels beside `own` that have approved and would not have without the votes that fall.
pub(in crate::domain) fn reopened(
    workflow: &Workflow,
    task: &Task,
    own: Option<&PanelKey>,
    falls: impl Fn(&Vote) -> bool,
) -> Vec<PanelKey> {
    let standing = task.phase.votes().unwrap_or_default();
    let others = groups(workflow, task).filter(|group| group.key() != own);
    let reopens = others.filter_map(|group| {
        let key = group.key().filter(|key| task.has_approved(key))?;
        let here = standing.iter().filter(|vote| vote.panel.as_ref() == Some(key));
        let left = tally(workflow, task, group, here.filter(|vote| !falls(vote)).map(|vote| vote.decision));
        (left.state() == PanelState::Open).then(|| key.clone())
    });
    reopens.collect()
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
    /// The review that the group decides; none: another decision, of anybody.
    review: Option<(&'a Workflow, &'a Task, Moment<'a>)>,
}

impl<'a> Places<'a> {
    /// The groups that can decide the task at this moment: those of its review, or else one of one
    /// person.
    pub fn of(workflow: &'a Workflow, task: &'a Task, moment: Moment<'a>) -> Vec<Self> {
        if !matches!(task.phase, Phase::InReview(_)) {
            return vec![Self { numbers: 1..=1, is_open: true, group: Group::ANYONE, review: None }];
        }
        let groups = groups(workflow, task).zip((1_u32..).step_by(MAX_REVIEWERS)).map(|(group, first)| {
            let needed = u32::try_from(needed(workflow, task, &group)).unwrap_or(u32::MAX);
            let numbers = first..=(first - 1).saturating_add(needed);
            let is_open = group.key().is_none_or(|key| !task.has_approved(key));
            Self { numbers, is_open, group, review: Some((workflow, task, moment)) }
        });
        groups.collect()
    }

    /// Whether this actor of the deciding party belongs to the group, or stands in for somebody who does.
    pub fn admits(&self, actor: &ActorId) -> bool {
        let Some((workflow, task, moment)) = self.review else { return self.group.admits(actor) };
        let actor = ActorRef { party: task.stage_in(workflow).reviewer, id: actor.clone() };
        filled(workflow, task, &actor, moment).is_some_and(|seat| seat.group.key() == self.group.key())
    }

    /// Whether this actor of the deciding party has this place by right: the place is one of the group's
    /// hundred, and the actor belongs to the group, also after people have come and gone.
    pub fn holds(&self, place: u32, actor: &ActorId) -> bool {
        let first = *self.numbers.start();
        let beyond = first.saturating_add(u32::try_from(MAX_REVIEWERS).unwrap_or(u32::MAX));
        (first..beyond).contains(&place) && self.admits(actor)
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
