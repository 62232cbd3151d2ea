//! What statistics keep of a task that has closed: numbers by stage, of no person and without a
//! text that somebody wrote.

use std::collections::BTreeMap;

use crate::domain::values::id::StageKey;
use crate::domain::values::party::Party;

use super::snapshot::Snapshot;
use super::{Cause, Counted, Task, Verdict};

/// The numbers of one stage that the task entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFacts {
    /// The stage's key.
    pub stage: StageKey,
    /// Its index in the workflow. Every task enters the first one, 0.
    pub position: usize,
    /// How many times the task entered it.
    pub rounds: u32,
    /// How many times it was approved.
    pub approved: u64,
    /// How many times it was rejected, exhausted rounds included.
    pub rejected: u64,
    /// Whether it was approved in its first round.
    pub first_pass: bool,
    /// How many escalations began there, in the order of [`Cause::ALL`].
    pub escalated: [u64; 4],
    /// How many deadlines passed.
    pub overdue: u64,
    /// How many questions were asked.
    pub questions: u64,
    /// The microseconds that the task waited, in the order of [`Party::ALL`].
    pub waited: [i64; 3],
    /// The part of the partner's time in which the returned task waited for a revision.
    pub revising: u64,
    /// How many rejections gave each reason of the definition.
    pub reasons: BTreeMap<String, u64>,
}

impl StageFacts {
    /// The facts of a task, stage by stage; those that it never entered are left out.
    pub fn of(Snapshot { task, status, .. }: &Snapshot) -> Vec<Self> {
        let keys = status.stages.iter().map(|stage| &stage.key).enumerate();
        keys.filter_map(|(position, key)| Self::of_stage(task, position, key)).collect()
    }

    fn of_stage(task: &Task, position: usize, key: &StageKey) -> Option<Self> {
        let record = task.stages.get(position).filter(|record| record.rounds > 0)?;
        let tally = |what| task.tally.of(position, &what);
        let latest = |verdict| record.decision.as_ref().filter(|latest| latest.decision == verdict);
        let approved = latest(Verdict::Approved);
        let reasons = task.tally.in_stage(position).filter_map(|(what, count)| match what {
            Counted::Reason(reason) => Some((reason.clone(), count)),
            Counted::Approved
            | Counted::Rejected
            | Counted::FirstPass
            | Counted::Escalated(_)
            | Counted::Overdue
            | Counted::Question
            | Counted::Revising => None,
        });
        Some(Self {
            stage: key.clone(),
            position,
            rounds: record.rounds,
            approved: tally(Counted::Approved) + u64::from(approved.is_some()),
            rejected: tally(Counted::Rejected) + u64::from(latest(Verdict::Rejected).is_some()),
            first_pass: tally(Counted::FirstPass) > 0 || approved.is_some_and(|latest| latest.round == 1),
            escalated: Cause::ALL.map(|cause| tally(Counted::Escalated(cause))),
            overdue: tally(Counted::Overdue),
            questions: tally(Counted::Question),
            waited: Party::ALL.map(|party| waited(task, position, party)),
            revising: tally(Counted::Revising),
            reasons: reasons.collect(),
        })
    }
}

fn waited(task: &Task, stage: usize, party: Party) -> i64 {
    let waits = task.spent.waits().iter().filter(|wait| wait.stage == stage && wait.party == party);
    waits.map(|wait| wait.micros).sum()
}
