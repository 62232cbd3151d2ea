//! The facts of a task that closes, as columns.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use crate::domain::task::decide::Transition;
use crate::domain::task::event::Event;
use crate::domain::task::facts::StageFacts;

/// A row of `stage_facts`, without what the task's own row has.
#[derive(Debug, Serialize)]
pub(super) struct FactRow {
    task_id: Uuid,
    stage: String,
    position: usize,
    rounds: u32,
    approved: u64,
    rejected: u64,
    first_pass: bool,
    escalated_person: u64,
    escalated_deadline: u64,
    escalated_exhausted: u64,
    escalated_no_quorum: u64,
    overdue: u64,
    questions: u64,
    partner_micros: i64,
    buyer_micros: i64,
    platform_micros: i64,
    revising_micros: u64,
    reasons: Option<BTreeMap<String, u64>>,
}

/// The rows of the task, if the transition closes it. One that only adds to the trail of a closed
/// task has none.
pub(super) fn of(transition: &Transition) -> Vec<FactRow> {
    let closes = |event: &Event| event.fact.closes();
    if !transition.events().iter().any(closes) {
        return Vec::new();
    }
    let task_id = transition.snapshot().task.id().0;
    StageFacts::of(transition.snapshot()).into_iter().map(|facts| row(task_id, facts)).collect()
}

fn row(task_id: Uuid, facts: StageFacts) -> FactRow {
    let [escalated_person, escalated_deadline, escalated_exhausted, escalated_no_quorum] = facts.escalated;
    let [partner_micros, buyer_micros, platform_micros] = facts.waited;
    FactRow {
        task_id,
        stage: facts.stage.as_str().to_owned(),
        position: facts.position,
        rounds: facts.rounds,
        approved: facts.approved,
        rejected: facts.rejected,
        first_pass: facts.first_pass,
        escalated_person,
        escalated_deadline,
        escalated_exhausted,
        escalated_no_quorum,
        overdue: facts.overdue,
        questions: facts.questions,
        partner_micros,
        buyer_micros,
        platform_micros,
        revising_micros: facts.revising,
        reasons: Some(facts.reasons).filter(|reasons| !reasons.is_empty()),
    }
}
