//! The account of votes by panel: who sits where, how many votes each panel has, and what they amount
//! to.

use std::collections::BTreeSet;

use serde_json::json;

use crate::domain::task::event::{Event, ReviewersChanged, VoteRecorded};
use crate::domain::task::{PanelState, Verdict};
use crate::domain::values::id::{ActorId, PanelKey};
use crate::domain::values::party::Source;
use crate::domain::workflow::{Approvals, Stage, Workflow};

use super::{Reader, Who, seat};

/// The people whose votes are counted together now, and how many of them decide. Without people,
/// anyone may vote.
#[derive(Clone, PartialEq)]
pub(super) struct Seats {
    pub(super) key: Option<PanelKey>,
    people: Vec<ActorId>,
    approvals: Approvals,
    pub(super) rejections: u32,
}

impl Seats {
    pub(super) fn admit(&self, who: &Who) -> bool {
        self.people.is_empty() || self.name(who)
    }

    fn name(&self, (_, id): &Who) -> bool {
        let id = id.as_ref().and_then(|id| serde_json::from_value::<ActorId>(json!(id)).ok());
        id.is_some_and(|id| self.people.contains(&id))
    }
}

impl Reader {
    /// The people who have cast such a vote.
    pub(super) fn people(&self, verdict: Verdict) -> BTreeSet<Who> {
        self.of(verdict).into_iter().map(|(who, ..)| who.clone()).collect()
    }

    /// The groups of a stage as they are now.
    pub(super) fn seats(&self, workflow: &Workflow, stage: usize) -> Vec<Seats> {
        let seats = workflow.stages[stage].groups().map(|group| {
            let key = group.key().cloned();
            let changed = self.changed.get(&(stage, key.clone())).cloned();
            let people = changed.unwrap_or_else(|| group.named.unwrap_or_default().to_vec());
            Seats { key, people, approvals: group.approvals, rejections: group.rejections }
        });
        seats.collect()
    }

    /// The panel that somebody sits in.
    pub(super) fn panel_of(&self, workflow: &Workflow, who: &Who) -> Option<Seats> {
        self.seats(workflow, self.stage).into_iter().find(|seats| seats.key.is_some() && seats.name(who))
    }

    /// A vote names the panel of its actor, and how that panel stands with it.
    pub(super) fn check_panel(&self, workflow: &Workflow, event: &Event, vote: &VoteRecorded, place: &str) {
        let stage = &workflow.stages[self.stage];
        let Some(panel) = self.panel_of(workflow, &seat(event, vote)) else {
            assert!(stage.panels().is_empty() && vote.panel.is_none(), "{place}: a vote without a panel");
            return;
        };
        let said = vote.panel.as_ref().map(|panel| (Some(&panel.key), panel.state));
        assert_eq!(said, Some((panel.key.as_ref(), self.state_of(workflow, &panel))), "{place}: the panel of a vote");
    }

    /// The panels of the stage that have approved.
    pub(super) fn approved_panels(&self, workflow: &Workflow) -> Vec<PanelKey> {
        let panels = self.seats(workflow, self.stage).into_iter().filter(|seats| seats.key.is_some());
        let approved = panels.filter(|panel| self.state_of(workflow, panel) == PanelState::Approved);
        approved.filter_map(|panel| panel.key).collect()
    }

    /// A vote says which other panels have not approved any more, since one of the same person fell.
    pub(super) fn check_reopened(
        &self,
        workflow: &Workflow,
        mut before: Vec<PanelKey>,
        vote: &VoteRecorded,
        place: &str,
    ) {
        let after = self.approved_panels(workflow);
        let own = vote.panel.as_ref().map(|panel| &panel.key);
        before.retain(|key| !after.contains(key) && Some(key) != own);
        assert_eq!(before, vote.reopened, "{place}: the panels that are open again");
    }

    fn state_of(&self, workflow: &Workflow, panel: &Seats) -> PanelState {
        let against = self.people(Verdict::Rejected).iter().filter(|who| panel.name(who)).count();
        let approved = self.enough(workflow, panel, None) && against < panel.rejections as usize;
        if approved { PanelState::Approved } else { PanelState::Open }
    }

    /// Every panel has enough approvals, or the stage has; `more` approves as well.
    pub(super) fn check_quorum(&self, workflow: &Workflow, more: Option<&Who>, place: &str) {
        let seats = self.seats(workflow, self.stage);
        assert!(seats.iter().all(|seats| self.enough(workflow, seats, more)), "{place}: quorum");
    }

    fn enough(&self, workflow: &Workflow, seats: &Seats, more: Option<&Who>) -> bool {
        let stage = &workflow.stages[self.stage];
        let mut approving = self.people(Verdict::Approved);
        approving.extend(more.cloned());
        approving.retain(|who| seats.admit(who));
        match seats.approvals {
            Approvals::Votes(number) => approving.len() >= number as usize,
            Approvals::All => {
                let party = stage.reviewer.into();
                let mut missing = seats.people.iter().map(|id| (party, Some(id.as_str().to_owned())));
                !approving.is_empty()
                    && missing.all(|who| approving.contains(&who) || self.is_barred(workflow, stage, &who))
            }
        }
    }

    /// Other people may vote in a stage that is not decided yet. Their votes fall, and nobody else's.
    pub(super) fn people_changed(
        &mut self,
        workflow: &Workflow,
        event: &Event,
        changed: &ReviewersChanged,
        place: &str,
    ) {
        let (index, stage) = workflow.find(&changed.of).unwrap();
        assert!(index >= self.stage && !self.cancelling, "{place}: a stage that is still to be decided");
        assert!(stage.names_reviewers() && !stage.fixes_reviewers(), "{place}: named people who may change");
        assert!(event.party == Source::Partner && event.actor.is_some(), "{place}: somebody of the partner");
        let key = changed.panel.as_ref().map(|panel| panel.key.clone());
        let all = self.seats(workflow, index);
        let mut seats = all.iter().find(|seats| seats.key == key).unwrap().clone();
        for gone in changed.removed.iter().flatten() {
            let at = seats.people.iter().position(|id| id == gone);
            seats.people.remove(at.unwrap_or_else(|| panic!("{place}: {gone} sat there")));
        }
        for new in changed.added.iter().flatten() {
            assert!(all.iter().all(|seats| !seats.people.contains(new)), "{place}: {new} has two seats");
            seats.people.push(new.clone());
        }
        assert!(!seats.people.is_empty(), "{place}: somebody is left");
        self.changed.insert((index, key), seats.people.clone());
        let is_in = |who: &Who, list: &Option<Vec<ActorId>>| {
            list.iter().flatten().any(|id| Some(id.as_str()) == who.1.as_deref())
        };
        // Those of people who left, and those that people cast for somebody else who have a seat now.
        let falls = |seat: &Who, seq: u64| {
            index == self.stage && (is_in(seat, &changed.removed) || is_in(&self.voters[&seq], &changed.added))
        };
        let fallen = self.votes.iter().filter(|(seat, vote)| falls(seat, vote.1));
        let mut fallen: Vec<u64> = fallen.map(|(_, vote)| vote.1).collect();
        fallen.sort_unstable();
        let mut open_again = self.approved_panels(workflow);
        assert_eq!(fallen, changed.votes, "{place}: the votes of those who left");
        self.votes.retain(|_, vote| !fallen.contains(&vote.1));
        let approved = self.approved_panels(workflow);
        let own = changed.panel.as_ref().map(|panel| &panel.key);
        open_again.retain(|key| !approved.contains(key) && Some(key) != own);
        assert_eq!(open_again, changed.reopened, "{place}: the panels that are open again");
        if let Some(panel) = &changed.panel {
            let expected = if index == self.stage { self.state_of(workflow, &seats) } else { PanelState::Open };
            assert_eq!(panel.state, expected, "{place}: how the panel stands");
        }
    }

    pub(super) fn is_barred(&self, workflow: &Workflow, stage: &Stage, who: &Who) -> bool {
        let Some(rule) = &stage.review else { return false };
        let mut earlier = rule.distinct_from.iter().filter_map(|key| self.approved[workflow.index_of(key)].as_ref());
        (!rule.self_approval && self.submitters.contains(who)) || earlier.any(|approvers| approvers.contains(who))
    }
}
