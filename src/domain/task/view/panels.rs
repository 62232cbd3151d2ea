//! How many votes a review needs, and its panels: who sits in each, and how it stands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::absence::Moment;
use crate::domain::task::seats::{self, Tally};
use crate::domain::task::{PanelState, Task};
use crate::domain::values::id::{ActorId, PanelKey};
use crate::domain::values::text::Name;
use crate::domain::workflow::Workflow;

/// How many votes decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VotesNeeded {
    /// Approving votes. Where `all` must approve: as many as may.
    pub approvals: u32,
    /// Rejecting votes.
    pub rejections: u32,
}

/// A panel of the open review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PanelView {
    /// The panel's key.
    pub key: PanelKey,
    /// The display name.
    pub name: Name,
    /// Whether it has approved.
    pub state: PanelState,
    /// How many votes of its own make it approve, or reject the stage.
    pub needed: VotesNeeded,
    /// Who may vote in it.
    pub reviewers: Vec<ActorId>,
    /// Those of them who may approve.
    pub eligible: Vec<ActorId>,
}

impl VotesNeeded {
    pub(super) fn of(tallies: &[Tally<'_>]) -> Self {
        let approvals: usize = tallies.iter().map(|tally| tally.needed).sum();
        let rejections = tallies.iter().map(|tally| tally.group.rejections).min();
        Self { approvals: u32::try_from(approvals).unwrap_or(u32::MAX), rejections: rejections.unwrap_or(1) }
    }
}

pub(super) fn panels(workflow: &Workflow, task: &Task, moment: Moment<'_>) -> Vec<PanelView> {
    let tallies = seats::tallies(workflow, task, None);
    let view = |tally: &Tally<'_>| {
        let panel = tally.group.panel?;
        let state = if task.has_approved(&panel.key) { PanelState::Approved } else { PanelState::Open };
        Some(PanelView {
            key: panel.key.clone(),
            name: panel.name.clone(),
            state,
            needed: VotesNeeded::of(&[*tally]),
            reviewers: tally.group.named.unwrap_or_default().to_vec(),
            eligible: seats::approvers(workflow, task, &tally.group, moment).unwrap_or_default(),
        })
    };
    tallies.iter().filter_map(view).collect()
}
