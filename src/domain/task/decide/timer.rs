//! The input of time: each `Tick` handles one due timer, the earliest first.

use crate::domain::task::event::{DeadlineKind, Fact, QuestionEnd};
use crate::domain::task::limits::MAX_HANDOVERS;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::{Cause, Outcome, Phase, Timer, Verdict};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::domain::workflow::{EscalationTimeout, StageTimeout};

use super::draft::{By, Draft};

pub(super) fn tick(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let due = draft.task().next_timer().filter(|(at, _)| *at <= draft.moment.now);
    let (due_at, timer) = due.ok_or(Refusal::NothingDue)?;
    match timer {
        Timer::Task => draft.close(Outcome::Expired),
        Timer::Grace => draft.close(Outcome::Cancelled),
        Timer::Escalation => escalation_passed(draft, due_at),
        Timer::Question => draft.close_question(QuestionEnd::Lapsed, By::Service),
        Timer::Stage => stage_passed(draft, due_at),
        Timer::Reminder => remind(draft),
    }
    Ok(())
}

fn remind(draft: &mut Draft<'_>) {
    if let Phase::InReview(_) = draft.task().phase
        && let Some(due_at) = draft.task().due_at()
    {
        draft.push(Fact::DeadlineReminded { due_at }, By::Service);
    }
}

fn stage_passed(draft: &mut Draft<'_>, due_at: Time) {
    let stage = draft.stage();
    let rule = stage.deadline.as_ref().map_or(StageTimeout::None, |deadline| deadline.on_timeout);
    draft.push(Fact::DeadlinePassed { deadline: DeadlineKind::Stage, due_at, action: rule.into() }, By::Service);
    match rule {
        StageTimeout::Escalate { to } => draft.escalate(to, Cause::Deadline, By::Service),
        StageTimeout::Reject => draft.reject(stage.default_return(draft.workflow).0, By::Service, None),
        StageTimeout::Approve if draft.votes(Verdict::Rejected).next().is_some() => {
            draft.escalate(stage.default_escalation(), Cause::Deadline, By::Service);
        }
        StageTimeout::Approve => draft.approve(By::Service),
        StageTimeout::Fail => draft.close(Outcome::Failed(Cause::Deadline)),
        StageTimeout::None => {}
    }
}

fn escalation_passed(draft: &mut Draft<'_>, due_at: Time) {
    let Phase::Escalated(escalation) = &draft.task().phase else { return };
    let (holder, handovers, cause) = (escalation.to, escalation.handovers, escalation.cause);
    let stage = draft.stage();
    let rule = stage.escalation.on_timeout.unwrap_or(EscalationTimeout::None);
    draft.push(Fact::DeadlinePassed { deadline: DeadlineKind::Escalation, due_at, action: rule.into() }, By::Service);
    match rule {
        EscalationTimeout::Escalate { to } if handovers < MAX_HANDOVERS && to != holder => {
            draft.escalate(to, cause, By::Service);
        }
        // The escalation changed hands too often, or would go to the party that did not answer: the
        // platform gets it, without a clock.
        EscalationTimeout::Escalate { .. } if holder != Party::Platform => {
            draft.escalate_until(Party::Platform, cause, By::Service, None);
        }
        EscalationTimeout::Reject => {
            draft.send_back(stage.default_return(draft.workflow).0, By::Service, None);
        }
        EscalationTimeout::Fail => draft.close(Outcome::Failed(Cause::Deadline)),
        EscalationTimeout::Escalate { .. } | EscalationTimeout::None => {}
    }
}
