//! Commands as their senders write them.

use serde_json::{Value, json};

/// Where a vote or an escalation is meant to count.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The stage's key.
    pub stage: &'a str,
    /// Its round.
    pub round: u32,
    /// The revision that was seen.
    pub revision: u32,
}

/// At a stage, round and revision.
pub const fn at(stage: &str, round: u32, revision: u32) -> At<'_> {
    At { stage, round, revision }
}

/// Work, handed in by `actor`.
pub fn submit(actor: &str) -> Value {
    json!({ "type": "work_submitted", "actor": { "id": actor }, "summary": "A draft." })
}

/// An approval by `actor`; by the buyer if empty.
pub fn approve(at: At<'_>, actor: &str) -> Value {
    placed("stage_approved", at, actor)
}

/// A rejection by `actor`; by the buyer if empty.
pub fn reject(at: At<'_>, actor: &str) -> Value {
    with(placed("stage_rejected", at, actor), &json!({ "feedback": { "summary": "Not yet." } }))
}

/// A question to a party.
pub fn escalate(at: At<'_>, actor: &str, to: &str) -> Value {
    with(placed("stage_escalated", at, actor), &json!({ "to": to, "reason": "May we?" }))
}

/// The answer to the escalation with this `seq`.
pub fn resolve(escalation: u64, resolution: &str, actor: &str) -> Value {
    let body = json!({ "type": "escalation_resolved", "escalation": escalation, "resolution": resolution });
    if actor.is_empty() { body } else { with(body, &json!({ "actor": { "id": actor } })) }
}

/// A cancellation.
pub fn cancel() -> Value {
    json!({ "type": "cancellation_requested", "reason": "Called off." })
}

/// A checkpoint for the buyer.
pub fn update(message: &str) -> Value {
    json!({ "type": "status_updated", "message": message })
}

/// `body` with the members of `more` in place of or beside its own.
pub fn with(mut body: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn placed(kind: &str, at: At<'_>, actor: &str) -> Value {
    let body = json!({ "type": kind, "stage": at.stage, "round": at.round, "revision": at.revision });
    if actor.is_empty() { body } else { with(body, &json!({ "actor": { "id": actor } })) }
}
