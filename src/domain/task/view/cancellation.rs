//! A cancellation in progress, and what may still be sent meanwhile.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::task::command::CommandType;
use crate::domain::task::notes::Notes;
use crate::domain::task::{Phase, Task, WindDown};
use crate::domain::values::party::Party;
use crate::domain::values::text::Message;
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;

/// A cancellation in progress. The task is `cancelled` at `grace_until` at the latest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CancellationView {
    /// The party that requested it.
    pub by: Party,
    /// The reason.
    #[schema(required = true)]
    pub reason: Option<Message>,
    /// When the task is cancelled if the partner does not acknowledge earlier.
    pub grace_until: Time,
    /// The party that is still expected to act.
    pub waiting_on: Party,
    /// The command expected from it.
    pub expected: CommandType,
    /// Optional commands that may still be sent, by whom, and their effect.
    pub possible: Vec<Possible>,
}

/// An optional command while a task is being cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Possible {
    /// Who may send it.
    pub party: Party,
    /// The command.
    pub command: CommandType,
    /// What it does.
    pub effect: PossibleEffect,
}

/// The effect of a command that may still be sent while a task is being cancelled. `recorded`: the
/// decision no longer counts and is refused with `409 cancelling`, but the trail keeps it
/// (`recorded.seq`), once per person. `cancels_at_once`: with `immediate: true` the grace period
/// ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PossibleEffect {
    /// Recorded without effect.
    Recorded,
    /// Ends the task.
    CancelsAtOnce,
}

pub(super) fn cancellation(workflow: &Workflow, task: &Task, notes: &Notes) -> Option<CancellationView> {
    let Phase::Cancelling(wind_down) = &task.phase else { return None };
    Some(CancellationView {
        by: wind_down.by,
        reason: notes.reason.clone(),
        grace_until: wind_down.grace_until,
        waiting_on: Party::Partner,
        expected: CommandType::CancellationAcknowledged,
        possible: possible(workflow, task, wind_down),
    })
}

/// Those who were asked to decide may still do so.
fn possible(workflow: &Workflow, task: &Task, wind_down: &WindDown) -> Vec<Possible> {
    let may = |party, command, effect| Possible { party, command, effect };
    let reviewer = task.stage_in(workflow).reviewer;
    let votes = [CommandType::StageApproved, CommandType::StageRejected]
        .map(|vote| may(reviewer, vote, PossibleEffect::Recorded));
    let asked =
        wind_down.open.escalation.map(|asked| may(asked.to, CommandType::EscalationResolved, PossibleEffect::Recorded));
    let end = may(Party::Platform, CommandType::CancellationRequested, PossibleEffect::CancelsAtOnce);
    votes.into_iter().filter(|_| wind_down.open.review).chain(asked).chain([end]).collect()
}
