//! What a `decide` link is for, and whether the task still waits for that.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::task::{Open, Phase, Task};
use crate::domain::values::id::StageKey;
use crate::domain::workflow::Workflow;

use super::LinkState;

/// The decision that a link is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoundTo {
    /// The stage.
    pub stage: StageKey,
    /// Its round.
    pub round: u32,
    /// The revision under review.
    pub revision: u32,
    /// The escalation, by the `seq` of its event; null for a review.
    #[schema(required = true)]
    pub escalation: Option<u64>,
}

impl BoundTo {
    /// The decision that a task waits for; none in a phase that waits for no decision.
    pub fn of(workflow: &Workflow, task: &Task) -> Option<Self> {
        let escalation = match &task.phase {
            Phase::InReview(_) => None,
            Phase::Escalated(escalation) => Some(escalation.seq),
            Phase::Preparing | Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => return None,
        };
        let stage = task.stage_in(workflow).key.clone();
        Some(Self { stage, round: task.round, revision: task.revision, escalation })
    }

    /// Whether the task still waits for this decision: [`LinkState::Open`] or [`LinkState::Held`] if
    /// it does, else why not.
    pub fn compare(&self, workflow: &Workflow, task: &Task) -> LinkState {
        match &task.phase {
            Phase::Closed(closed) => self.after_the_end(workflow, task, &closed.open),
            Phase::Cancelling(wind_down) => self.after_the_end(workflow, task, &wind_down.open),
            Phase::Preparing | Phase::InReview(_) | Phase::Escalated(_) | Phase::OnHold(_) => {
                self.before_the_end(workflow, task)
            }
        }
    }

    fn before_the_end(&self, workflow: &Workflow, task: &Task) -> LinkState {
        if !self.is_round_of(workflow, task) {
            return LinkState::Decided;
        }
        if task.revision != self.revision {
            return LinkState::Superseded;
        }
        match (&task.phase, self.escalation) {
            (Phase::InReview(_), None) => LinkState::Open,
            (Phase::Escalated(escalation), Some(seq)) if escalation.seq == seq => LinkState::Open,
            // The review was interrupted and can go on.
            (Phase::Escalated(escalation), None) if escalation.review.is_some() => LinkState::Held,
            (Phase::OnHold(hold), None) if hold.review.is_some() => LinkState::Held,
            (
                Phase::Preparing
                | Phase::InReview(_)
                | Phase::Escalated(_)
                | Phase::OnHold(_)
                | Phase::Cancelling(_)
                | Phase::Closed(_),
                _,
            ) => LinkState::Decided,
        }
    }

    /// A task that ends, or has ended: the decision was withdrawn if it was open then.
    fn after_the_end(&self, workflow: &Workflow, task: &Task, open: &Open) -> LinkState {
        let was_open = match self.escalation {
            None => open.review,
            Some(seq) => open.escalation.is_some_and(|asked| asked.seq == seq),
        };
        match (self.is_round_of(workflow, task), task.revision == self.revision) {
            (true, true) if was_open && !self.is_decided(task) => LinkState::Withdrawn,
            (true, false) => LinkState::Superseded,
            (true, true) | (false, _) => LinkState::Decided,
        }
    }

    /// Whether the stage was decided in this round, after the escalation if it is for one. A task
    /// that ends with a decision also remembers what was open before it.
    fn is_decided(&self, task: &Task) -> bool {
        let decision = task.decision(task.stage).filter(|decision| decision.round == self.round);
        decision.is_some_and(|decision| self.escalation.is_none_or(|seq| decision.seq > seq))
    }

    fn is_round_of(&self, workflow: &Workflow, task: &Task) -> bool {
        task.stage_in(workflow).key == self.stage && task.round == self.round
    }
}
