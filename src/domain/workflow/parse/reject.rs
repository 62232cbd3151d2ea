//! Reads what follows from a rejection: where the task returns to, the reasons to choose from, and
//! the answers that its feedback gets.

use crate::domain::values::party::Party;
use crate::domain::workflow::{Answers, OnExhausted, OnReject, Reason};

use super::super::finding::MistakeCode as Code;
use super::node::{Fields, Node, Read};
use super::{Context, action, stage_reference};

/// The most reasons of a stage.
const MAX_REASONS: usize = 30;

pub(super) fn on_reject(stage: &Fields, context: &Context) -> Read<OnReject> {
    let default_target = || Ok(vec![context.position.before()?]);
    let default_exhausted = || {
        let to = context.escalation_to.as_ref().map_err(|reported| *reported)?;
        Ok(OnExhausted::Escalate { to: to.first().copied().unwrap_or(Party::Platform) })
    };
    let Some(node) = stage.get("on_reject") else {
        return Ok(OnReject {
            return_to: default_target()?,
            max_rounds: None,
            on_exhausted: default_exhausted()?,
            reasons: Vec::new(),
            answers: Answers::Optional,
        });
    };
    let fields = node.object(&["return_to", "max_rounds", "on_exhausted", "reasons", "answers"])?;
    let return_to = fields.optional("return_to", |node| {
        node.set(1..=50, |node| stage_reference(node, context.position, true), PartialEq::eq)
    });
    let max_rounds = fields.optional("max_rounds", |node| node.number(1..=1000));
    let on_exhausted = fields.optional("on_exhausted", |node| {
        action(node, context, |to| OnExhausted::Escalate { to }, &[("fail", OnExhausted::Fail)], None)
    });
    let reasons = fields.or("reasons", Vec::new(), reasons);
    let answers = fields.or("answers", Answers::Optional, |node| {
        node.word(&[("optional", Answers::Optional), ("required", Answers::Required)])
    });
    Ok(OnReject {
        return_to: return_to?.map_or_else(default_target, Ok)?,
        max_rounds: max_rounds?,
        on_exhausted: on_exhausted?.map_or_else(default_exhausted, Ok)?,
        reasons: reasons?,
        answers: answers?,
    })
}

fn reasons(node: &Node) -> Read<Vec<Reason>> {
    let (nodes, counted) = node.elements(0..=MAX_REASONS)?;
    let mut keys = Vec::with_capacity(nodes.len());
    let mut reason = |node: &Node| {
        let fields = node.object(&["key", "name"])?;
        let key = fields.required("key", |node| {
            let key = node.reason_key()?;
            if keys.contains(&key) {
                return Err(node.report(Code::Duplicate, "is already the key of an earlier reason"));
            }
            keys.push(key.clone());
            Ok(key)
        });
        let name = fields.required("name", Node::text);
        Ok(Reason { key: key?, name: name? })
    };
    let reasons: Vec<Read<Reason>> = nodes.iter().map(&mut reason).collect();
    counted?;
    reasons.into_iter().collect()
}
