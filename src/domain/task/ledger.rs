//! Waiting time by stage and party. Only `evolve` changes it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;

use super::{PhaseName, Task};

/// How long a task waited, by stage and party. Entries exist only where time passed, ordered by
/// stage and party.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger(Vec<Wait>);

/// The time that one party took in one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Columns", into = "Columns")]
pub struct Wait {
    /// The stage's index.
    pub stage: usize,
    /// The party that the task waited on.
    pub party: Party,
    /// The time in microseconds.
    pub micros: i64,
    /// The part of it on hold, in microseconds.
    pub held: i64,
}

/// Stored as an array without names, since every transition writes it.
type Columns = (usize, Party, i64, i64);

impl From<Columns> for Wait {
    fn from((stage, party, micros, held): Columns) -> Self {
        Self { stage, party, micros, held }
    }
}

impl From<Wait> for Columns {
    fn from(Wait { stage, party, micros, held }: Wait) -> Self {
        (stage, party, micros, held)
    }
}

impl Ledger {
    /// Adds the time from the task's last event to `at` to the party that it waited on; to none
    /// once the task has ended.
    pub(in crate::domain) fn wait(&mut self, task: &Task, workflow: &Workflow, at: Time) {
        if let Some(party) = task.waiting_on(workflow) {
            self.add(task.stage, party, at - task.recorded_at, task.phase() == PhaseName::OnHold);
        }
    }

    /// Adds time spent waiting on `party` in a stage; as held time if that party had put the task
    /// on hold.
    fn add(&mut self, stage: usize, party: Party, time: TimeDelta, on_hold: bool) {
        let micros = time.num_microseconds().unwrap_or(i64::MAX);
        if micros <= 0 {
            return;
        }
        let place = self.0.binary_search_by_key(&(stage, party), |wait| (wait.stage, wait.party));
        let index = place.unwrap_or_else(|index| {
            self.0.insert(index, Wait { stage, party, micros: 0, held: 0 });
            index
        });
        if let Some(wait) = self.0.get_mut(index) {
            wait.micros = wait.micros.saturating_add(micros);
            wait.held = wait.held.saturating_add(if on_hold { micros } else { 0 });
        }
    }

    /// The entries, by stage, then party.
    pub fn waits(&self) -> &[Wait] {
        &self.0
    }

    /// Whether no time has passed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
