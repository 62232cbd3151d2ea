//! Questions: asking, answering, withdrawing, and the ends that a question has without any of them.

use crate::domain::task::command::{Command, QuestionAnswered, QuestionAsked, QuestionWithdrawn};
use crate::domain::task::event::{self, Fact, QuestionEnd};
use crate::domain::task::question::Question;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::{Phase, PhaseName, Task};
use crate::domain::values::party::Party;
use crate::domain::workflow::{Stage, Workflow};

use super::draft::{By, Draft};
use super::{check_length, check_revision, only, place};

pub(super) fn ask(draft: &mut Draft<'_>, command: &Command, body: &QuestionAsked) -> Result<(), Refusal> {
    let place = place(draft.workflow, draft.task(), command)?;
    only(&askers(place.stage), &command.meta.sender)?;
    place.check?;
    let task = draft.task();
    let party = command.meta.sender.party;
    if !may_ask(draft.workflow, task, party) {
        return Err(Refusal::WrongPhase);
    }
    if let Some(open) = &task.question {
        return Err(Refusal::QuestionOpen { seq: open.seq, to: open.to });
    }
    check_revision(task, command)?;
    let rule = &place.stage.questions;
    if !rule.to.contains(&body.to) {
        let names: Vec<&str> = rule.to.iter().map(|party| party.as_str()).collect();
        let rule = format!("must be one of the stage's questions.to: {}", names.join(", "));
        return Err(Refusal::invalid("/to", "not_allowed", rule));
    }
    if task.questions.asked >= rule.max_per_round {
        return Err(Refusal::LimitReached("as many questions were asked in this round as the stage allows"));
    }
    check_length(task)?;
    let asked = event::QuestionAsked {
        to: body.to,
        revision: task.revision(),
        respond_by: draft.after(rule.clock, &rule.respond_within),
        share_with_buyer: body.share_with_buyer,
        question: Some(body.question.clone()),
        options: Some(body.options.clone()).filter(|list| !list.is_empty()),
    };
    draft.push(Fact::QuestionAsked(asked), By::Sender);
    Ok(())
}

pub(super) fn answer(draft: &mut Draft<'_>, command: &Command, body: &QuestionAnswered) -> Result<(), Refusal> {
    let question = open(draft, command, body.question, |question| question.to)?;
    let notes = draft.snapshot().notes.question_asked.as_ref();
    let options = notes.map_or(0, |asked| asked.options.len());
    let offered = |option: u32| (1..=options).contains(&(option as usize));
    if body.option.is_some_and(|option| !offered(option)) {
        let rule = match options {
            0 => "is only allowed if the question has options".to_owned(),
            _ => format!("must be from 1 to {options}"),
        };
        return Err(Refusal::invalid("/option", "out_of_range", rule));
    }
    let answered = event::QuestionAnswered {
        question: question.seq,
        to: question.from,
        share_with_buyer: notes.is_some_and(|asked| asked.share_with_buyer),
        option: body.option,
        answer: body.answer.clone(),
        artifacts: Some(body.artifacts.clone()).filter(|list| !list.is_empty()),
        clock: draft.answered_clock(),
    };
    draft.push(Fact::QuestionAnswered(answered), By::Sender);
    Ok(())
}

pub(super) fn withdraw(draft: &mut Draft<'_>, command: &Command, body: &QuestionWithdrawn) -> Result<(), Refusal> {
    open(draft, command, body.question, |question| question.from)?;
    draft.close_question(QuestionEnd::Withdrawn, By::Sender);
    Ok(())
}

/// The open question that a command names. Only the party that `whose` picks may send the command.
fn open(
    draft: &Draft<'_>,
    command: &Command,
    named: u64,
    whose: impl Fn(&Question) -> Party,
) -> Result<Question, Refusal> {
    let task = draft.task();
    let place = place(draft.workflow, task, command)?;
    let question = task.question.filter(|question| question.seq == named);
    if let Some(question) = &question {
        only(&[whose(question)], &command.meta.sender)?;
    }
    place.check?;
    if !is_asked_in(&task.phase) {
        return Err(Refusal::WrongPhase);
    }
    let closed = task.questions.last.filter(|closed| closed.question == named);
    let question = question.ok_or(Refusal::StaleQuestion { closed })?;
    check_revision(task, command)?;
    Ok(question)
}

/// The parties that can ask in some phase of the stage.
fn askers(stage: &Stage) -> Vec<Party> {
    let mut parties = vec![Party::Partner, Party::Platform];
    if !parties.contains(&stage.reviewer) {
        parties.push(stage.reviewer);
    }
    parties
}

/// Whether the phase lets `party` ask: partner and platform from the preparation on, the reviewing
/// party in a review.
fn may_ask(workflow: &Workflow, task: &Task, party: Party) -> bool {
    match task.phase() {
        PhaseName::Preparing => party != Party::Buyer,
        PhaseName::InReview => askers(task.stage_in(workflow)).contains(&party),
        PhaseName::Escalated
        | PhaseName::OnHold
        | PhaseName::Cancelling
        | PhaseName::Delivery
        | PhaseName::Cancelled
        | PhaseName::Expired
        | PhaseName::Failed => false,
    }
}

/// Whether `party` can ask, answer and withdraw now.
pub(super) fn open_to(workflow: &Workflow, task: &Task, party: Party) -> [bool; 3] {
    let rule = &task.stage_in(workflow).questions;
    let left = task.questions.asked < rule.max_per_round && rule.to.iter().any(|to| *to != party);
    let open = task.question.as_ref().filter(|_| is_asked_in(&task.phase));
    [
        task.question.is_none() && left && may_ask(workflow, task, party),
        open.is_some_and(|question| question.to == party),
        open.is_some_and(|question| question.from == party),
    ]
}

/// Whether questions are open in this phase.
fn is_asked_in(phase: &Phase) -> bool {
    match phase {
        Phase::Preparing | Phase::InReview(_) => true,
        Phase::Escalated(_) | Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => false,
    }
}
