//! Counts by stage that statistics need and that the rest of the state does not tell. Nothing is
//! stored for a task that is approved stage by stage. Only `evolve` changes it.

use serde::{Deserialize, Serialize};

use super::event::{Event, Fact};
use super::{Cause, Phase, Task, Verdict};

/// What happened in each stage: entries ordered by stage, then kind, each above 0. A closed task
/// counts no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(Vec<Entry>);

/// One count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Columns", into = "Columns")]
struct Entry {
    stage: usize,
    what: Counted,
    count: u64,
}

/// Stored as an array without names, as the ledger is.
type Columns = (usize, Counted, u64);

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Approvals of the stage before its latest decision, which the record of the stage has.
    Approved,
    /// The same for rejections.
    Rejected,
    /// Whether one of those approvals was in the first round: 1.
    FirstPass,
    /// Escalations that began with this cause. One that changes hands stays one.
    Escalated(Cause),
    /// Deadlines of reviewers, or of a party that had to decide, that passed.
    Overdue,
    /// Questions.
    Question,
    /// Microseconds that a returned task waited for the partner to submit work again.
    Revising,
    /// Rejections that gave this reason of the definition.
    Reason(String),
}

impl From<Columns> for Entry {
    fn from((stage, what, count): Columns) -> Self {
        Self { stage, what, count }
    }
}

impl From<Entry> for Columns {
    fn from(Entry { stage, what, count }: Entry) -> Self {
        (stage, what, count)
    }
}

impl Tally {
    /// Counts an event. `task` is the state before it.
    pub(in crate::domain) fn count(&mut self, task: &Task, event: &Event) {
        if matches!(task.phase, Phase::Closed(_)) {
            return;
        }
        let stage = task.stage;
        self.add(stage, Counted::Revising, revised(task, event));
        for what in counted(task, event) {
            self.add(stage, what, 1);
        }
        let decided = matches!(event.fact, Fact::StageApproved { .. } | Fact::StageRejected(_));
        if let Some(earlier) = task.decision(stage).filter(|_| decided) {
            match earlier.decision {
                Verdict::Approved => self.add(stage, Counted::Approved, 1),
                Verdict::Rejected => self.add(stage, Counted::Rejected, 1),
            }
            if earlier.decision == Verdict::Approved && earlier.round == 1 {
                self.add(stage, Counted::FirstPass, 1);
            }
        }
    }

    fn add(&mut self, stage: usize, what: Counted, count: u64) {
        if count == 0 {
            return;
        }
        match self.0.binary_search_by(|entry| (entry.stage, &entry.what).cmp(&(stage, &what))) {
            Ok(index) => {
                if let Some(entry) = self.0.get_mut(index) {
                    entry.count = entry.count.saturating_add(count);
                }
            }
            Err(index) => self.0.insert(index, Entry { stage, what, count }),
        }
    }

    /// How much was counted of something in a stage.
    pub fn of(&self, stage: usize, what: &Counted) -> u64 {
        self.in_stage(stage).find(|(counted, _)| *counted == what).map_or(0, |(_, count)| count)
    }

    /// What was counted in a stage.
    pub fn in_stage(&self, stage: usize) -> impl Iterator<Item = (&Counted, u64)> {
        self.0.iter().filter(move |entry| entry.stage == stage).map(|entry| (&entry.what, entry.count))
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The time from the task's last event to this one, if the task waited for a revision.
fn revised(task: &Task, event: &Event) -> u64 {
    let waits = task.returned && matches!(task.phase, Phase::Preparing) && task.question.is_none();
    let micros = (event.recorded_at - task.recorded_at).num_microseconds().unwrap_or(i64::MAX);
    if waits { u64::try_from(micros).unwrap_or(0) } else { 0 }
}

/// What an event adds to, by 1 each.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other event is no part of the statistics")]
fn counted(task: &Task, event: &Event) -> Vec<Counted> {
    match &event.fact {
        Fact::StageEscalated(escalated) if !matches!(task.phase, Phase::Escalated(_)) => {
            vec![Counted::Escalated(escalated.cause)]
        }
        Fact::StageRejected(rejected) => reasons(rejected).into_iter().map(Counted::Reason).collect(),
        Fact::DeadlinePassed { .. } => vec![Counted::Overdue],
        Fact::QuestionAsked(_) => vec![Counted::Question],
        _ => Vec::new(),
    }
}

/// The reasons of the definition that a rejection names, one for each author, if its entry has some.
fn reasons(rejected: &impl Serialize) -> Vec<String> {
    let stored = serde_json::to_value(rejected).unwrap_or_default();
    let named = stored["reasons"].as_array().into_iter().flatten();
    named.filter_map(|reason| reason.as_str().map(ToOwned::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rejection_counts_for_each_reason_that_it_names() {
        assert_eq!(reasons(&json!({ "revision": 1, "reasons": ["tone", "facts", "tone"] })), ["tone", "facts", "tone"]);
        assert_eq!(reasons(&json!({ "revision": 1 })), [""; 0]);
        let mut tally = Tally::default();
        for reason in ["tone", "facts", "tone"] {
            tally.add(1, Counted::Reason(reason.to_owned()), 1);
        }
        tally.add(1, Counted::Overdue, 0);
        let stored = serde_json::to_value(&tally).unwrap();
        assert_eq!(stored, json!([[1, { "reason": "facts" }, 1], [1, { "reason": "tone" }, 2]]));
        assert_eq!(serde_json::from_value::<Tally>(stored).unwrap(), tally);
    }
}
