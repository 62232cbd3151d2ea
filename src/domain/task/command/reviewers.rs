//! What no change of reviewers may be, whatever the task is.

use crate::domain::task::refusal::Refusal;
use crate::domain::values::id::ActorId;
use crate::domain::workflow::MAX_REVIEWERS;

use super::ReviewersChanged;

pub(super) fn check(body: &ReviewersChanged) -> Vec<Refusal> {
    let mut wrong = Vec::new();
    if body.add.is_empty() && body.remove.is_empty() {
        wrong.push(Refusal::invalid("/add", "required", "at least one of add and remove must name somebody"));
    }
    for (pointer, list) in [("/add", &body.add), ("/remove", &body.remove)] {
        if list.len() > MAX_REVIEWERS {
            wrong.push(Refusal::invalid(pointer, "too_many", "must have at most 100 items"));
        }
        let repeats = |(index, id): (usize, &ActorId)| {
            let repeated = list.iter().take(index).any(|earlier| earlier == id);
            repeated.then(|| Refusal::invalid(format!("{pointer}/{index}"), "duplicate", "is already in this list"))
        };
        wrong.extend(list.iter().enumerate().filter_map(repeats));
    }
    let both = |(index, id): (usize, &ActorId)| {
        let both = body.add.contains(id);
        both.then(|| Refusal::invalid(format!("/remove/{index}"), "duplicate", "is in `add` as well"))
    };
    wrong.extend(body.remove.iter().enumerate().filter_map(both));
    wrong
}
