//! Other people may vote in a stage of a running task.

use std::borrow::Cow;

use crate::domain::task::command::{Command, ReviewersChanged};
use crate::domain::task::event::{self, Fact, VotePanel};
use crate::domain::task::refusal::Refusal;
use crate::domain::task::seats;
use crate::domain::task::{PanelState, PhaseName, Vote};
use crate::domain::values::id::ActorId;
use crate::domain::values::party::Party;
use crate::domain::workflow::{Approvals, Group, MAX_REVIEWERS, Stage};

use super::draft::{By, Draft};
use super::{check_length, check_revision, only, review, unknown_stage};

pub(super) fn change(draft: &mut Draft<'_>, command: &Command, body: &ReviewersChanged) -> Result<(), Refusal> {
    let task = draft.task();
    let (index, stage) = check_place(draft, command)?;
    check_open_to_change(stage)?;
    check_revision(task, command)?;
    check_length(task)?;
    let groups: Vec<Group<'_>> = seats::groups_of(draft.workflow, task, index).collect();
    let group = find_group(stage, &groups, body)?;
    check_people(&groups, &group, body)?;
    let mut changed = event::ReviewersChanged {
        of: stage.key.clone(),
        panel: None,
        added: Some(body.add.clone()).filter(|list| !list.is_empty()),
        removed: Some(body.remove.clone()).filter(|list| !list.is_empty()),
        reason: Some(body.reason.clone()),
        votes: Vec::new(),
        reopened: Vec::new(),
    };
    let named = changed.apply(group.named.unwrap_or_default());
    check_quorum(draft, index, &Group { named: Some(&named), ..group }, body)?;
    let cast = task.phase.votes().filter(|_| index == task.stage).unwrap_or_default();
    // Who is let in votes in a seat of their own, and no longer in that of an absent person.
    let falls = |vote: &Vote| body.remove.contains(vote.holder()) || body.add.contains(&vote.actor.id);
    changed.votes = cast.iter().filter(|vote| falls(vote)).map(|vote| vote.seq).collect();
    if index == task.stage {
        changed.reopened = seats::reopened(draft.workflow, task, group.key(), falls);
    }
    if let Some(panel) = group.panel {
        let stand = cast.iter().filter(|vote| vote.panel.as_ref() == group.key() && !falls(vote));
        let decisions = stand.map(|vote| vote.decision);
        let tally = seats::tally(draft.workflow, task, Group { named: Some(&named), ..group }, decisions);
        let key = panel.key.clone();
        // Of a stage that is still to come, no panel has approved.
        changed.panel = Some(if index == task.stage {
            VotePanel { key, state: tally.state() }
        } else {
            VotePanel { key, state: PanelState::Open }
        });
    }
    draft.push(Fact::ReviewersChanged(changed), By::Sender);
    review::count_left(draft);
    Ok(())
}

/// The stage that is named, if the task has yet to decide it, with its index.
fn check_place<'a>(draft: &Draft<'a>, command: &Command) -> Result<(usize, &'a Stage), Refusal> {
    let (task, meta) = (draft.task(), &command.meta);
    let key = meta.stage.as_ref().ok_or_else(|| Refusal::required("/stage"))?;
    let (index, stage) = draft.workflow.find(key).ok_or_else(|| unknown_stage(key))?;
    only(&[Party::Partner], &meta.sender)?;
    if index < task.stage {
        return Err(Refusal::StageMismatch);
    }
    let entered = task.stages.get(index).map_or(0, |record| record.rounds);
    let round = if index == task.stage { task.round() } else { entered + 1 };
    if meta.round.is_some_and(|named| named != round) {
        return Err(Refusal::RoundMismatch);
    }
    match task.phase() {
        PhaseName::Preparing | PhaseName::InReview | PhaseName::Escalated | PhaseName::OnHold => Ok((index, stage)),
        PhaseName::Cancelling | PhaseName::Delivery | PhaseName::Cancelled | PhaseName::Expired | PhaseName::Failed => {
            Err(Refusal::WrongPhase)
        }
    }
}

/// Checks that the stage names its reviewers, and that the definition lets them change.
fn check_open_to_change(stage: &Stage) -> Result<(), Refusal> {
    if !stage.names_reviewers() {
        return Err(Refusal::ReviewersFixed(
            "the stage names no reviewers: everybody of the reviewing party may vote in it",
        ));
    }
    if stage.fixes_reviewers() {
        return Err(Refusal::ReviewersFixed(
            "the definition fixes the stage's reviewers, so a running task cannot change them",
        ));
    }
    Ok(())
}

fn find_group<'a>(stage: &Stage, groups: &[Group<'a>], body: &ReviewersChanged) -> Result<Group<'a>, Refusal> {
    let keys = || stage.panels().iter().map(|panel| panel.key.as_str()).collect::<Vec<_>>().join(", ");
    match &body.panel {
        None if stage.panels().is_empty() => {}
        Some(_) if stage.panels().is_empty() => {
            return Err(Refusal::invalid("/panel", "not_allowed", "must not be sent: the stage has no panels"));
        }
        None => {
            let rule = format!("is required, since the stage has panels: {}", keys());
            return Err(Refusal::invalid("/panel", "required", rule));
        }
        Some(_) => {}
    }
    let found = groups.iter().find(|group| group.key() == body.panel.as_ref()).copied();
    found.ok_or_else(|| {
        Refusal::invalid("/panel", "unknown_panel", format!("must be one of the stage's panels: {}", keys()))
    })
}

/// Checks each person, and how many the stage names afterwards.
fn check_people(groups: &[Group<'_>], group: &Group<'_>, body: &ReviewersChanged) -> Result<(), Refusal> {
    let sits_in = |group: &Group<'_>, id: &ActorId| group.named.is_some_and(|named| named.contains(id));
    for (index, id) in body.add.iter().enumerate() {
        let Some(seat) = groups.iter().find(|group| sits_in(group, id)) else { continue };
        let at = format!("/add/{index}");
        return Err(match seat.key() {
            Some(panel) if seat.key() != group.key() => {
                let rule = format!("is already in the panel `{panel}`; an actor sits in one panel of a stage");
                Refusal::invalid(at, "two_panels", rule)
            }
            Some(_) | None => Refusal::invalid(at, "duplicate", "may already vote here"),
        });
    }
    if let Some(index) = body.remove.iter().position(|id| !sits_in(group, id)) {
        let rule = "must be one of those who may vote here";
        return Err(Refusal::invalid(format!("/remove/{index}"), "unknown_reviewer", rule));
    }
    let named: usize = groups.iter().filter_map(|group| group.named).map(<[ActorId]>::len).sum();
    if named + body.add.len() - body.remove.len() > MAX_REVIEWERS {
        let rule = "is too long: a stage can name at most 100 reviewers in all";
        return Err(Refusal::invalid("/add", "too_many", rule));
    }
    Ok(())
}

/// Checks that the people of `group` afterwards can reach its quorum. Those who may not approve do not
/// count.
fn check_quorum(draft: &Draft<'_>, stage: usize, group: &Group<'_>, body: &ReviewersChanged) -> Result<(), Refusal> {
    let at: Cow<'static, str> = if body.remove.is_empty() { "/add".into() } else { "/remove".into() };
    let unreachable = |rule: String| Refusal::invalid(at.clone(), "quorum_unreachable", rule);
    let named = group.named.unwrap_or_default();
    if named.is_empty() {
        return Err(unreachable("leaves nobody who may vote".to_owned()));
    }
    group.quorum().check_reachable(named.len()).map_err(&unreachable)?;
    let may = seats::eligible_in(draft.workflow, draft.task(), stage, named).len();
    let needed = match group.approvals {
        Approvals::Votes(number) => number as usize,
        Approvals::All => 1,
    };
    if may < needed {
        let rule = format!(
            "leaves {may} who may approve, and {needed} must: the others made the work or approved a stage that this one must be distinct from"
        );
        return Err(unreachable(rule));
    }
    Ok(())
}
