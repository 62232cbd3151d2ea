//! What no feedback and no answers may be, whatever the task is.

use std::collections::BTreeSet;

use crate::domain::task::event::{Answer, Answered, Feedback, FeedbackItem};
use crate::domain::task::limits::{MAX_ANSWERS, MAX_FEEDBACK_ITEMS};
use crate::domain::task::refusal::Refusal;

use super::Action;

impl Action {
    /// Spells out which items of feedback block, where that was left to the default.
    pub fn spell_out(&mut self) {
        let (feedback, blocking) = if let Self::StageApproved(body) = self {
            (&mut body.feedback, false)
        } else if let Self::StageRejected(body) = self {
            (&mut body.feedback, true)
        } else if let Self::EscalationResolved(body) = self {
            (&mut body.feedback, true)
        } else {
            return;
        };
        if let Some(feedback) = feedback {
            feedback.spell_out(blocking);
        }
    }
}

/// The feedback of a rejection, as far as no stage matters.
pub(super) fn check_length(feedback: &Feedback) -> Option<Refusal> {
    let too_many = || Refusal::invalid("/feedback/items", "too_many", "must have at most 100 items");
    (feedback.items.len() > MAX_FEEDBACK_ITEMS).then(too_many)
}

/// The feedback of an approval: it neither blocks nor rejects anything.
pub(super) fn check_remarks(feedback: &Feedback) -> Vec<Refusal> {
    let only_reject = "is only allowed in a rejection";
    let mut wrong: Vec<Refusal> = check_length(feedback).into_iter().collect();
    if feedback.reason.is_some() {
        wrong.push(Refusal::invalid("/feedback/reason", "not_allowed", only_reject));
    }
    let at = |index: usize, member: &str| format!("/feedback/items/{index}/{member}");
    let blocks = |(index, item): (usize, &FeedbackItem)| {
        let rule = "must not be true in an approval, whose remarks do not block; reject the stage instead";
        (item.blocking == Some(true)).then(|| Refusal::invalid(at(index, "blocking"), "not_allowed", rule))
    };
    wrong.extend(feedback.items.iter().enumerate().filter_map(blocks));
    let reopens = |(index, item): (usize, &FeedbackItem)| {
        item.reopens.map(|_| Refusal::invalid(at(index, "reopens"), "not_allowed", only_reject))
    };
    wrong.extend(feedback.items.iter().enumerate().filter_map(reopens));
    wrong
}

pub(super) fn check_answers(answers: &[Answer]) -> Vec<Refusal> {
    if answers.len() > MAX_ANSWERS {
        return vec![Refusal::invalid("/answers", "too_many", "must have at most 10,100 items")];
    }
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (index, answer) in answers.iter().enumerate() {
        if !seen.insert(answer.item) {
            let rule = "is already answered in this list";
            wrong.push(Refusal::invalid(format!("/answers/{index}/item"), "duplicate", rule));
        }
        if answer.how == Answered::Declined && answer.text.is_none() {
            let rule = "is required with declined: say why";
            wrong.push(Refusal::invalid(format!("/answers/{index}/text"), "required", rule));
        }
    }
    wrong
}
