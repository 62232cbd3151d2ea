//! The account of votes by panel: who sits where, how many votes each panel has, and what they amount
//! to.

use std::collections::BTreeSet;

use serde_json::json;

use crate::domain::task::event::{Event, VoteRecorded};
use crate::domain::task::{PanelState, Verdict};
use crate::domain::values::id::ActorId;
use crate::domain::workflow::{Approvals, Panel, Stage, Voting, Workflow};

use super::{Reader, Who, who};

/// The panel that somebody sits in.
pub(super) fn panel_of<'w>(stage: &'w Stage, who: &Who) -> Option<&'w Panel> {
    stage.panels().iter().find(|panel| sits(&panel.reviewers, who))
}

fn sits(people: &[ActorId], (_, id): &Who) -> bool {
    let id = id.as_ref().and_then(|id| serde_json::from_value::<ActorId>(json!(id)).ok());
    id.is_some_and(|id| people.contains(&id))
}

impl Reader {
    /// The people who have cast such a vote.
    pub(super) fn people(&self, verdict: Verdict) -> BTreeSet<Who> {
        self.of(verdict).into_iter().map(|(who, ..)| who.clone()).collect()
    }

    /// A vote names the panel of its actor, and how that panel stands with it.
    pub(super) fn check_panel(&self, workflow: &Workflow, event: &Event, vote: &VoteRecorded, place: &str) {
        let stage = &workflow.stages[self.stage];
        let Some(panel) = panel_of(stage, &who(event)) else {
            assert!(stage.panels().is_empty() && vote.panel.is_none(), "{place}: a vote without a panel");
            return;
        };
        let against = self.people(Verdict::Rejected).iter().filter(|who| sits(&panel.reviewers, who)).count();
        let approved = self.enough((workflow, stage), (&panel.reviewers, panel.approvals), None);
        let expected =
            if approved && against < panel.rejections as usize { PanelState::Approved } else { PanelState::Open };
        let said = vote.panel.as_ref().map(|panel| (&panel.key, panel.state));
        assert_eq!(said, Some((&panel.key, expected)), "{place}: the panel of a vote");
    }

    /// Every panel has enough approvals, or the stage has; `more` approves as well.
    pub(super) fn check_quorum(&self, workflow: &Workflow, more: Option<&Who>, place: &str) {
        let stage = &workflow.stages[self.stage];
        let met = match stage.review.as_ref().map(|rule| &rule.voting) {
            None => true,
            Some(Voting::Quorum { quorum, reviewers }) => {
                self.enough((workflow, stage), (reviewers, quorum.approvals), more)
            }
            Some(Voting::Panels(panels)) => {
                panels.iter().all(|panel| self.enough((workflow, stage), (&panel.reviewers, panel.approvals), more))
            }
        };
        assert!(met, "{place}: quorum");
    }

    /// `people`: those who may vote; none: anyone.
    fn enough(
        &self,
        (workflow, stage): (&Workflow, &Stage),
        (people, approvals): (&[ActorId], Approvals),
        more: Option<&Who>,
    ) -> bool {
        let mut approving = self.people(Verdict::Approved);
        approving.extend(more.cloned());
        approving.retain(|who| people.is_empty() || sits(people, who));
        match approvals {
            Approvals::Votes(number) => approving.len() >= number as usize,
            Approvals::All => {
                let party = stage.reviewer.into();
                let mut missing = people.iter().map(|id| (party, Some(id.as_str().to_owned())));
                !approving.is_empty()
                    && missing.all(|who| approving.contains(&who) || self.is_barred(workflow, stage, &who))
            }
        }
    }

    pub(super) fn is_barred(&self, workflow: &Workflow, stage: &Stage, who: &Who) -> bool {
        let Some(rule) = &stage.review else { return false };
        let mut earlier = rule.distinct_from.iter().filter_map(|key| self.approved[workflow.index_of(key)].as_ref());
        (!rule.self_approval && self.submitters.contains(who)) || earlier.any(|approvers| approvers.contains(who))
    }
}
