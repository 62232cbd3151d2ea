//! What a stage asks of the feedback of a rejection, and of the answers to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::task::Task;
use crate::domain::task::event::{Answer, Feedback, ItemId};
use crate::domain::task::refusal::Refusal;
use crate::domain::values::id::ReasonKey;
use crate::domain::values::party::Party;
use crate::domain::workflow::{Stage, Workflow};

/// Checks the feedback with which `party` rejects the stage.
pub(super) fn check(stage: &Stage, task: &Task, feedback: Option<&Feedback>, party: Party) -> Result<(), Refusal> {
    let feedback = feedback.ok_or_else(|| Refusal::required("/feedback"))?;
    check_reason(stage, feedback.reason.as_ref())?;
    // A buyer must not find out which items it may not read.
    let readable = task.items().filter(|item| item.shared || party != Party::Buyer);
    let known: BTreeSet<ItemId> = readable.map(|item| item.id).collect();
    match feedback.items.iter().position(|item| item.reopens.is_some_and(|id| !known.contains(&id))) {
        None => Ok(()),
        Some(index) => Err(unknown_item(format!("/feedback/items/{index}/reopens"))),
    }
}

fn check_reason(stage: &Stage, reason: Option<&ReasonKey>) -> Result<(), Refusal> {
    let reasons = &stage.on_reject.reasons;
    let names = || reasons.iter().map(|reason| reason.key.as_str()).collect::<Vec<_>>().join(", ");
    match reason {
        None if reasons.is_empty() => Ok(()),
        Some(key) if reasons.iter().any(|reason| reason.key == *key) => Ok(()),
        None => {
            let rule = format!("is required: one of the stage's reasons: {}", names());
            Err(Refusal::invalid("/feedback/reason", "required", rule))
        }
        Some(_) if reasons.is_empty() => {
            Err(Refusal::invalid("/feedback/reason", "not_allowed", "is not allowed: the stage lists no reasons"))
        }
        Some(_) => {
            let rule = format!("must be one of the stage's reasons: {}", names());
            Err(Refusal::invalid("/feedback/reason", "unknown_value", rule))
        }
    }
}

fn unknown_item(pointer: String) -> Refusal {
    let rule = "must be an item of the latest feedback of a stage that was not approved since";
    Refusal::invalid(pointer, "unknown_item", rule)
}

/// A list of answers for an entry; none if it is empty.
type Answers = Option<Vec<Answer>>;

/// Checks the answers of a submission. Returns those that the buyer may read too, and those for the
/// partner and the platform only.
pub(super) fn answers(workflow: &Workflow, task: &Task, answers: &[Answer]) -> Result<(Answers, Answers), Refusal> {
    let known: BTreeMap<ItemId, bool> = task.items().map(|item| (item.id, item.shared)).collect();
    if let Some(index) = answers.iter().position(|answer| !known.contains_key(&answer.item)) {
        return Err(unknown_item(format!("/answers/{index}/item")));
    }
    let answered: BTreeSet<ItemId> = answers.iter().map(|answer| answer.item).collect();
    let mut items = task.unanswered(workflow);
    items.retain(|id| !answered.contains(id));
    if !items.is_empty() {
        return Err(Refusal::UnansweredFeedback { items });
    }
    let is_shared = |answer: &&Answer| known.get(&answer.item).copied().unwrap_or_default();
    let (shared, internal): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(is_shared);
    let list = |answers: Vec<&Answer>| (!answers.is_empty()).then(|| answers.into_iter().cloned().collect());
    Ok((list(shared), list(internal)))
}
