//! The decision that a task waits for, and whether somebody can make it.

use crate::app::conflict::ConflictContext;
use crate::app::error::{Error, NothingToDecide};
use crate::domain::link::BoundTo;
use crate::domain::task::command::CommandType;
use crate::domain::task::why::{Asker, Why};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;

use super::load::Loaded;

/// The decision that the task waits for, if the asker can make it in some way, according to the
/// rules of its commands. `party` is the caller's.
///
/// # Errors
///
/// [`Error::NothingToDecide`].
pub(in crate::app) fn decision(task: &Loaded, party: Party, asker: Asker<'_>, now: Time) -> Result<BoundTo, Error> {
    let context = || Box::new(ConflictContext::new(&task.workflow, task.snapshot(), party));
    let bound = BoundTo::of(&task.workflow, &task.snapshot().task)
        .ok_or_else(|| Error::NothingToDecide(NothingToDecide::NotWaiting, context()))?;
    let why = Why::new(&task.workflow, task.snapshot(), asker, task.moment(now));
    let decisions = why.you.into_iter().filter(|ability| is_decision(&bound, ability.command));
    let mut refusals = Vec::new();
    for ability in decisions {
        match ability.refusal {
            None => return Ok(bound),
            Some(refusal) => refusals.push(refusal),
        }
    }
    let why = refusals.into_iter().next().map_or(NothingToDecide::NotWaiting, NothingToDecide::Refused);
    Err(Error::NothingToDecide(why, context()))
}

/// Whether the command makes that decision.
fn is_decision(bound: &BoundTo, command: CommandType) -> bool {
    if bound.escalation.is_some() {
        command == CommandType::EscalationResolved
    } else {
        matches!(command, CommandType::StageApproved | CommandType::StageRejected)
    }
}
