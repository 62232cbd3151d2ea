//! Draws a definition: as Mermaid text here, as SVG in `diagram/svg.rs`, with the same content.
//! Names come from outside; they always appear as text and never as markup.

mod svg;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::domain::values::id::StageKey;
use crate::domain::values::party::Party;
use crate::domain::values::time::Span;

use super::{
    Approvals, CancellationRule, ClockKind, EscalationTimeout, Group, OnExhausted, Stage, StageDeadline, StageTimeout,
    Submission, Workflow,
};
pub use svg::svg;

/// The definition as a Mermaid flowchart: the stages in order, and where approvals, rejections,
/// timeouts and escalations lead.
pub fn mermaid(workflow: &Workflow) -> String {
    let mut lines = vec!["flowchart TD".to_owned(), "opened([\"Task opened\"]) --> s0".to_owned()];
    let mut fails = false;
    for (index, stage) in workflow.stages.iter().enumerate() {
        lines.push(format!("s{index}[\"{}\"]", stage_label(index, stage)));
        for edge in edges(workflow, index, stage) {
            fails |= edge.to == FAILED;
            lines.push(format!("{} {}|\"{}\"| {}", edge.from, edge.arrow, edge.label, edge.to));
        }
        let parties = or_list(stage.escalation.to.iter().map(|party| party_name(*party).to_owned()));
        lines.push(format!("e{index}{{{{\"Escalation of stage {}<br/>to {parties}\"}}}}", index + 1));
    }
    lines.push(format!("{DELIVERY}([\"Delivery\"])"));
    if let Some(deadline) = &workflow.deadline {
        let within = duration(deadline.clock, &deadline.within);
        lines.push(format!("opened -.->|\"not finished within {within}\"| expired([\"Expired\"])"));
    }
    if fails {
        lines.push(format!("{FAILED}([\"Failed\"])"));
    }
    lines.join("\n    ") + "\n"
}

const DELIVERY: &str = "delivery";
const FAILED: &str = "failed";

struct Edge {
    from: String,
    arrow: &'static str,
    label: String,
    to: String,
}

/// The edges from a stage and from its escalation.
fn edges(workflow: &Workflow, index: usize, stage: &Stage) -> Vec<Edge> {
    let node = |index: usize| format!("s{index}");
    let next = if index + 1 < workflow.stages.len() { node(index + 1) } else { DELIVERY.to_owned() };
    let call = format!("e{index}");
    let target = |key: &StageKey| node(workflow.index_of(key));
    let default_target = || stage.on_reject.return_to.first().map_or_else(|| node(index), target);
    let edge = |from: &str, arrow, label: String, to: String| Edge { from: from.to_owned(), arrow, label, to };

    let mut edges = vec![edge(&node(index), "==>", "approved".to_owned(), next.clone())];
    for (place, key) in stage.on_reject.return_to.iter().enumerate() {
        let label = match (place, stage.on_reject.max_rounds) {
            (_, Some(1)) => "rejected in an escalation",
            (0, _) => "rejected",
            (_, _) => "rejected, if the reviewer says so",
        };
        edges.push(edge(&node(index), "-.->", label.to_owned(), target(key)));
    }
    if let Some(rounds) = stage.on_reject.max_rounds {
        let (to, where_to) = match stage.on_reject.on_exhausted {
            OnExhausted::Escalate { to } => (call.clone(), format!(", to {}", party_name(to))),
            OnExhausted::Fail => (FAILED.to_owned(), String::new()),
        };
        edges.push(edge(&node(index), "-.->", format!("rejected in round {rounds}{where_to}"), to));
    }
    edges.push(edge(&node(index), "-.->", "escalated".to_owned(), call.clone()));
    if let Some(StageDeadline { within, on_timeout, clock, .. }) = &stage.deadline {
        let silence = format!("no decision within {}", duration(*clock, within));
        edges.extend(match on_timeout {
            StageTimeout::Escalate { to } => {
                Some(edge(&node(index), "-.->", format!("{silence}, to {}", party_name(*to)), call.clone()))
            }
            StageTimeout::Reject => Some(edge(&node(index), "-.->", silence, default_target())),
            StageTimeout::Approve => Some(edge(&node(index), "-.->", format!("{silence}, approves"), next)),
            StageTimeout::Fail => Some(edge(&node(index), "-.->", silence, FAILED.to_owned())),
            StageTimeout::None => None,
        });
    }
    if let Some(within) = &stage.escalation.respond_within {
        let silence = format!("no answer within {}", duration(stage.escalation.clock, within));
        edges.extend(match stage.escalation.on_timeout {
            Some(EscalationTimeout::Escalate { to }) => {
                Some(edge(&call, "-.->", format!("{silence}, to {}", party_name(to)), call.clone()))
            }
            Some(EscalationTimeout::Reject) => Some(edge(&call, "-.->", silence, default_target())),
            Some(EscalationTimeout::Fail) => Some(edge(&call, "-.->", silence, FAILED.to_owned())),
            Some(EscalationTimeout::None) | None => None,
        });
    }
    edges
}

fn stage_label(index: usize, stage: &Stage) -> String {
    let mut label = vec![format!("<b>{}. {}</b>", index + 1, mermaid_text(stage.name.as_str()))];
    for Fact { about, text } in facts(stage) {
        label.push(mermaid_text(&format!("{about} {text}")));
    }
    label.join("<br/>")
}

/// Escapes `text` for Mermaid: everything except letters, digits and a few marks becomes a numbered
/// entity. (A colon must be escaped: before Mermaid reads the lines, it searches them for style
/// statements, which have one.)
fn mermaid_text(text: &str) -> String {
    let mut escaped = String::new();
    for c in one_line(text).chars() {
        if c.is_alphanumeric() || matches!(c, ' ' | '.' | ',' | '-' | '(' | ')') {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "#{};", u32::from(c));
        }
    }
    escaped
}

/// `text` on one line, without characters that XML cannot represent or that change the direction of
/// text.
fn one_line(text: &str) -> String {
    let shown = |c: &char| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(shown).collect()
}

/// One line about a stage; `about` and `text` read as a sentence.
struct Fact {
    about: &'static str,
    text: String,
}

fn facts(stage: &Stage) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |about, text| facts.push(Fact { about, text });
    if stage.submission == Submission::Required {
        fact("Work", "is submitted before the review".to_owned());
    }
    fact("Review", review(stage));
    if let Some(deadline) = &stage.deadline {
        fact("Deadline", stage_deadline(deadline));
    }
    fact("Rejection", rejection(stage));
    fact("Escalation", escalation(stage));
    if let CancellationRule::LetFinish { grace, clock } = &stage.cancellation {
        fact(
            "Cancellation",
            format!("lets reviewers finish; the partner has {} to acknowledge", duration(*clock, grace)),
        );
    }
    facts
}

fn review(stage: &Stage) -> String {
    let Some(review) = &stage.review else { return format!("by {}", party_name(stage.reviewer)) };
    let groups = stage.groups().map(|group| match group.panel {
        Some(panel) => format!("{} with {}", panel.name.as_str(), votes(&group)),
        None => votes(&group),
    });
    let groups: Vec<_> = groups.collect();
    let mut text = format!("by the partner: {}", groups.join(", "));
    let mut barred: Vec<_> = review.distinct_from.iter().map(|key| format!("approvers of {key}")).collect();
    if !review.self_approval {
        barred.insert(0, "the submitter".to_owned());
    }
    if !barred.is_empty() {
        let _ = write!(text, "; not approved by {}", or_list(barred));
    }
    text
}

/// The votes of a group that decide.
fn votes(group: &Group<'_>) -> String {
    let rejections = counted(group.rejections, "rejection");
    let named = group.named.map_or(0, <[_]>::len);
    match group.approvals {
        Approvals::All => format!("the approval of all {named} named or {rejections}"),
        Approvals::Votes(number) if named == 0 => format!("{} or {rejections}", counted(number, "approval")),
        Approvals::Votes(number) => format!("{} or {rejections} of {named} named", counted(number, "approval")),
    }
}

fn stage_deadline(deadline: &StageDeadline) -> String {
    let then = match deadline.on_timeout {
        StageTimeout::Escalate { to } => format!("then escalated to {}", party_name(to)),
        StageTimeout::Reject => "then rejected".to_owned(),
        StageTimeout::Approve => "then approved by silence".to_owned(),
        StageTimeout::Fail => "then the task fails".to_owned(),
        StageTimeout::None => "then overdue".to_owned(),
    };
    let mut text = format!("{}, {then}", duration(deadline.clock, &deadline.within));
    if !deadline.remind_before.is_empty() {
        let reminders: Vec<_> = deadline.remind_before.iter().map(|before| duration(deadline.clock, before)).collect();
        let _ = write!(text, "; reminder {} before", reminders.join(", "));
    }
    text
}

fn rejection(stage: &Stage) -> String {
    let targets = or_list(stage.on_reject.return_to.iter().map(ToString::to_string));
    let Some(rounds) = stage.on_reject.max_rounds else { return format!("returns to {targets}") };
    let then = match stage.on_reject.on_exhausted {
        OnExhausted::Escalate { to } => format!("escalates to {}", party_name(to)),
        OnExhausted::Fail => "fails the task".to_owned(),
    };
    if rounds == 1 { then } else { format!("returns to {targets}; in round {rounds} it {then}") }
}

fn escalation(stage: &Stage) -> String {
    let parties = or_list(stage.escalation.to.iter().map(|party| party_name(*party).to_owned()));
    let Some(within) = &stage.escalation.respond_within else { return format!("to {parties}") };
    let then = match stage.escalation.on_timeout {
        Some(EscalationTimeout::Escalate { to }) => format!("then to {}", party_name(to)),
        Some(EscalationTimeout::Reject) => "then rejected".to_owned(),
        Some(EscalationTimeout::Fail) => "then the task fails".to_owned(),
        Some(EscalationTimeout::None) | None => "then overdue".to_owned(),
    };
    format!("to {parties}; {}, {then}", duration(stage.escalation.clock, within))
}

fn party_name(party: Party) -> &'static str {
    match party {
        Party::Partner => "the partner",
        Party::Buyer => "the buyer",
        Party::Platform => "AITasker",
    }
}

fn counted(number: u32, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The duration in the largest unit of which it is a whole multiple; days only from two on, and not
/// for working time.
fn duration(clock: ClockKind, span: &Span) -> String {
    let (hour, minute, second) = match clock {
        ClockKind::Wall => ("hour", "minute", "second"),
        ClockKind::Business => ("working hour", "working minute", "working second"),
    };
    match span.seconds() {
        seconds if seconds % 86_400 == 0 && seconds > 86_400 && clock == ClockKind::Wall => {
            counted(seconds / 86_400, "day")
        }
        seconds if seconds % 3600 == 0 => counted(seconds / 3600, hour),
        seconds if seconds % 60 == 0 => counted(seconds / 60, minute),
        seconds => counted(seconds, second),
    }
}

fn or_list(items: impl IntoIterator<Item = String>) -> String {
    let mut items: Vec<_> = items.into_iter().collect();
    let last = items.pop().unwrap_or_default();
    if items.is_empty() { last } else { format!("{} or {last}", items.join(", ")) }
}
