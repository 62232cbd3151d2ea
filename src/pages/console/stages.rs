//! The stages of a workflow in words: the drawing for those who do not see it.

use crate::domain::values::party::Party;
use crate::domain::values::time::Span;
use crate::domain::workflow::{
    Approvals, CancellationRule, ClockKind, EscalationTimeout, Group, OnExhausted, Stage, StageDeadline, StageTimeout,
    Submission, Warning, Workflow,
};
use crate::pages::texts::{Texts, Value, written};

use super::words::{self, or_list};

/// A stage and its rules.
#[derive(Clone, Debug)]
pub(super) struct StageItem {
    /// Its key.
    pub(super) key: String,
    /// Its name.
    pub(super) name: String,
    /// What the buyer reads.
    pub(super) label: String,
    /// Its rules, each a sentence.
    pub(super) rules: Vec<String>,
}

/// A warning about a definition.
#[derive(Clone, Debug)]
pub(super) struct WarningItem {
    /// Where.
    pub(super) pointer: String,
    /// The line of the text that was pasted, if one was.
    pub(super) line: Option<usize>,
    /// The kind.
    pub(super) code: &'static str,
    /// What can happen, and how to prevent it.
    pub(super) message: String,
}

/// The stages of a workflow.
pub(super) fn of(workflow: &Workflow, t: Texts) -> Vec<StageItem> {
    let item = |stage: &Stage| StageItem {
        key: stage.key.to_string(),
        name: stage.name.to_string(),
        label: stage.buyer_label.to_string(),
        rules: rules(workflow, stage, t),
    };
    workflow.stages.iter().map(item).collect()
}

/// Warnings, with their lines in a text.
pub(super) fn warnings(warnings: Vec<Warning>, line: impl Fn(&str) -> Option<usize>) -> Vec<WarningItem> {
    let item = |Warning { pointer, code, message }: Warning| WarningItem {
        line: line(&pointer),
        pointer,
        code: code.as_str(),
        message,
    };
    warnings.into_iter().map(item).collect()
}

/// The warnings about a definition that was registered.
pub(super) fn warnings_of(workflow: &Workflow) -> Vec<Warning> {
    let value = serde_json::to_value(workflow).unwrap_or_default();
    Workflow::parse(&value).map(|parsed| parsed.warnings).unwrap_or_default()
}

fn rules(workflow: &Workflow, stage: &Stage, t: Texts) -> Vec<String> {
    let mut rules = Vec::new();
    if stage.submission == Submission::Required {
        rules.push(t.text("console-rule-work").into_owned());
    }
    rules.push(review(stage, t));
    rules.extend(stage.deadline.as_ref().map(|deadline| deadline_rule(deadline, t)));
    rules.push(rejection(workflow, stage, t));
    rules.push(escalation(stage, t));
    if let CancellationRule::LetFinish { grace, clock } = &stage.cancellation {
        rules.push(t.with("console-rule-let-finish", "time", span(t, *clock, grace)).into_owned());
    }
    rules
}

fn review(stage: &Stage, t: Texts) -> String {
    let Some(rule) = &stage.review else {
        return t
            .with("console-rule-reviewer", "party", t.text(words::party(stage.reviewer)).into_owned())
            .into_owned();
    };
    let groups: Vec<String> = stage.groups().map(|group| votes(&group, t)).collect();
    let mut text = groups.join(" ");
    if !stage.panels().is_empty() {
        text = format!("{} {text}", t.text("console-rule-panels"));
    }
    if !rule.self_approval {
        text = format!("{text} {}", t.text("console-rule-not-own"));
    }
    if !rule.distinct_from.is_empty() {
        let stages = rule.distinct_from.iter().map(ToString::to_string).collect();
        text = format!("{text} {}", t.with("console-rule-distinct", "stages", or_list(t, stages)));
    }
    text
}

/// How many votes of a group decide, and who has them.
fn votes(group: &Group<'_>, t: Texts) -> String {
    let counts = |approvals: u32| [("approvals", approvals.into()), ("rejections", group.rejections.into())];
    let people = || -> Vec<String> { group.named.into_iter().flatten().map(|id| isolated(id.as_str())).collect() };
    let named = |text: String| match group.named {
        Some(_) => format!("{text} {}", t.with("console-rule-named", "people", people().join(", "))),
        None => text,
    };
    match (group.panel, group.approvals) {
        (None, Approvals::Votes(approvals)) => named(t.with_all("console-rule-quorum", counts(approvals)).into_owned()),
        (None, Approvals::All) => named(t.text("console-rule-quorum-all").into_owned()),
        (Some(panel), approvals) => {
            let own = [("panel", written(panel.name.as_str())), ("people", people().join(", ").into())];
            match approvals {
                Approvals::All => t.with_all("console-rule-panel-all", own).into_owned(),
                Approvals::Votes(approvals) => {
                    let values = own.into_iter().chain(counts(approvals));
                    t.with_all("console-rule-panel", values).into_owned()
                }
            }
        }
    }
}

fn deadline_rule(deadline: &StageDeadline, t: Texts) -> String {
    let then = match deadline.on_timeout {
        StageTimeout::Escalate { to } => to_party(t, to),
        StageTimeout::Reject => t.text("console-then-reject").into_owned(),
        StageTimeout::Approve => t.text("console-then-approve").into_owned(),
        StageTimeout::Fail => t.text("console-then-fail").into_owned(),
        StageTimeout::None => t.text("console-then-nothing").into_owned(),
    };
    after(t, "console-rule-deadline", (deadline.clock, &deadline.within), then)
}

fn rejection(workflow: &Workflow, stage: &Stage, t: Texts) -> String {
    let name = |key| workflow.find(key).map_or_else(String::new, |(_, stage)| isolated(stage.name.as_str()));
    let targets = or_list(t, stage.on_reject.return_to.iter().map(name).collect());
    let returns = t.with("console-rule-return", "stages", targets).into_owned();
    let Some(rounds) = stage.on_reject.max_rounds else { return returns };
    let then = match stage.on_reject.on_exhausted {
        OnExhausted::Escalate { to } => to_party(t, to),
        OnExhausted::Fail => t.text("console-then-fail").into_owned(),
    };
    format!("{returns} {}", t.with_all("console-rule-rounds", [("rounds", rounds.into()), ("then", then.into())]))
}

fn escalation(stage: &Stage, t: Texts) -> String {
    let parties = stage.escalation.to.iter().map(|party| t.text(words::party(*party)).into_owned()).collect();
    let text = t.with("console-rule-escalation", "parties", or_list(t, parties)).into_owned();
    let Some(within) = &stage.escalation.respond_within else { return text };
    let then = match stage.escalation.on_timeout {
        Some(EscalationTimeout::Escalate { to }) => to_party(t, to),
        Some(EscalationTimeout::Reject) => t.text("console-then-reject").into_owned(),
        Some(EscalationTimeout::Fail) => t.text("console-then-fail").into_owned(),
        Some(EscalationTimeout::None) | None => t.text("console-then-nothing").into_owned(),
    };
    format!("{text} {}", after(t, "console-rule-answer", (stage.escalation.clock, within), then))
}

fn after(t: Texts, id: &str, (clock, within): (ClockKind, &Span), then: String) -> String {
    t.with_all(id, [("time", Value::from(span(t, clock, within))), ("then", then.into())]).into_owned()
}

fn to_party(t: Texts, party: Party) -> String {
    t.with("console-then-escalate", "party", t.text(words::party(party)).into_owned()).into_owned()
}

fn span(t: Texts, clock: ClockKind, span: &Span) -> String {
    let duration = words::duration(t, u64::from(span.seconds()));
    match clock {
        ClockKind::Wall => duration,
        ClockKind::Business => t.with("console-working-time", "time", duration).into_owned(),
    }
}

/// A name among words of ours.
fn isolated(name: &str) -> String {
    format!("\u{2068}{name}\u{2069}")
}
