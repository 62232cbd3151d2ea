//! What happened: the buyer's view of the trail, in sentences.

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::audit::EntryView;
use crate::domain::values::id::StageKey;
use crate::domain::values::party::Source;
use crate::pages::frame::Frame;
use crate::pages::texts::{Texts, written};
use crate::pages::times::TimeTag;

use super::load::Loaded;

/// What happened, the oldest first.
#[derive(Debug)]
pub(in crate::pages) struct History {
    /// The rows.
    pub(in crate::pages) rows: Vec<Row>,
    /// What it is called.
    pub(in crate::pages) title: Cow<'static, str>,
    /// Whether there are earlier ones.
    pub(in crate::pages) has_earlier: bool,
}

/// One thing that happened, or entries that the buyer does not see.
#[derive(Debug)]
pub(in crate::pages) struct Row {
    /// When.
    pub(in crate::pages) at: Option<TimeTag>,
    /// The sentence.
    pub(in crate::pages) text: String,
    /// What people wrote.
    pub(in crate::pages) quotes: Vec<String>,
    /// The points of feedback.
    pub(in crate::pages) points: Vec<PointView>,
}

/// A point of feedback.
#[derive(Debug)]
pub(in crate::pages) struct PointView {
    /// How much it matters, in the reviewer's words.
    pub(in crate::pages) severity: Option<String>,
    /// Where in the work.
    pub(in crate::pages) place: Option<String>,
    /// What it says.
    pub(in crate::pages) text: String,
    /// In a submission: what became of the point, and words.
    pub(in crate::pages) answer: Option<(Cow<'static, str>, Option<String>)>,
}

impl History {
    /// The rows of a task.
    pub(super) fn new(loaded: &Loaded, frame: &Frame) -> Self {
        let mut rows = Vec::with_capacity(loaded.entries.len());
        let mut hidden = 0_usize;
        for entry in &loaded.entries {
            let Some(text) = sentence(loaded, entry, frame.t) else {
                hidden += 1;
                continue;
            };
            rows.extend(hidden_row(&mut hidden, frame.t));
            rows.push(row(loaded, entry, text.into_owned(), frame));
        }
        rows.extend(hidden_row(&mut hidden, frame.t));
        Self {
            rows,
            title: frame.t.with("history-title", "count", loaded.entries.len()),
            has_earlier: loaded.has_earlier,
        }
    }
}

fn hidden_row(hidden: &mut usize, t: Texts) -> Option<Row> {
    let count = std::mem::take(hidden);
    let text = t.with("history-hidden", "count", count).into_owned();
    (count > 0).then(|| Row { at: None, text, quotes: Vec::new(), points: Vec::new() })
}

fn row(loaded: &Loaded, entry: &EntryView, text: String, frame: &Frame) -> Row {
    let mut row = Row {
        at: entry.recorded_at.as_ref().map(|at| frame.times.tag(at)),
        text,
        quotes: chosen_option(loaded, entry).into_iter().collect(),
        points: Vec::new(),
    };
    for name in ["message", "reason", "question", "answer", "advice"] {
        row.quotes.extend(string(entry, name).map(ToOwned::to_owned));
    }
    for feedback in data(entry, "feedback").into_iter().chain(list(entry, "shared_feedback")) {
        row.quotes.extend(member(feedback, "summary"));
        let items = feedback.get("items").and_then(Value::as_array);
        row.points.extend(items.into_iter().flatten().filter_map(point));
    }
    row.points.extend(list(entry, "shared_answers").filter_map(|answer| answered(loaded, answer, frame.t)));
    row
}

fn point(item: &Value) -> Option<PointView> {
    let text = member(item, "text")?;
    Some(PointView { severity: member(item, "severity"), place: member(item, "anchor"), text, answer: None })
}

/// The answer to a point, with the point if its entry is among those shown.
fn answered(loaded: &Loaded, answer: &Value, t: Texts) -> Option<PointView> {
    let id = answer.get("item")?.as_str()?;
    let entries = loaded.entries.iter();
    let feedback = entries.flat_map(|entry| data(entry, "feedback").into_iter().chain(list(entry, "shared_feedback")));
    let mut items = feedback.filter_map(|feedback| feedback.get("items")?.as_array()).flatten();
    let asked = items.find(|item| item.get("id").and_then(Value::as_str) == Some(id)).and_then(point);
    let how = t.text(if member(answer, "how")? == "declined" { "answer-declined" } else { "answer-done" });
    let asked = asked.unwrap_or_else(|| PointView { severity: None, place: None, text: id.to_owned(), answer: None });
    Some(PointView { answer: Some((how, member(answer, "text"))), ..asked })
}

/// The words of the option that an answer chose.
fn chosen_option(loaded: &Loaded, entry: &EntryView) -> Option<String> {
    let asked = loaded.entry(data(entry, "question")?.as_u64()?)?;
    let position = usize::try_from(data(entry, "option")?.as_u64()?).ok()?.checked_sub(1)?;
    list(asked, "options").nth(position)?.as_str().map(ToOwned::to_owned)
}

/// The sentence of an entry; none for one that the buyer does not see.
fn sentence(loaded: &Loaded, entry: &EntryView, t: Texts) -> Option<Cow<'static, str>> {
    let kind = entry.kind?;
    // A change of reviewers names its stage, which need not be the current one.
    let of = string(entry, "of").or_else(|| entry.stage.as_ref().map(StageKey::as_str));
    let stage = loaded.stage_name(of.unwrap_or_default());
    let (id, variables) = match work(entry, kind).or_else(|| decision(entry, kind)) {
        Some(id) => (id, [("stage", stage), ("to", "")]),
        None if kind == "task.stage_rejected" => {
            let to = string(entry, "return_to").map_or(stage, |key| loaded.stage_name(key));
            (rejected(entry), [("stage", stage), ("to", to)])
        }
        None => (
            asking(entry, kind).or_else(|| timing(entry, kind)).or_else(|| ending(entry, kind))?,
            [("stage", stage), ("to", "")],
        ),
    };
    let number = |name| data(entry, name).and_then(Value::as_u64).unwrap_or_default();
    let words = variables.map(|(name, text)| (name, written(text)));
    let numbers = [("round", entry.round.unwrap_or_default().into()), ("revision", number("revision").into())];
    Some(t.with_all(id, words.into_iter().chain(numbers)))
}

fn work(entry: &EntryView, kind: &str) -> Option<&'static str> {
    Some(match kind {
        "task.opened" => "history-opened",
        "task.work_submitted" => "history-submitted",
        "task.status_updated" => "history-updated",
        "task.reviewers_changed" => "history-reviewers",
        "task.stage_entered" if is(entry, "returned") => "history-returned",
        "task.stage_entered" if entry.round > Some(1) => "history-entered-again",
        "task.stage_entered" => "history-entered",
        _ => return None,
    })
}

fn decision(entry: &EntryView, kind: &str) -> Option<&'static str> {
    Some(match (kind, entry.party) {
        ("task.vote_recorded", _) if string(entry, "decision") == Some("approved") => "history-you-voted-for",
        ("task.vote_recorded", _) => "history-you-voted-against",
        ("task.stage_approved", Some(Source::Buyer)) => "history-you-approved",
        ("task.stage_approved", Some(Source::Service)) => "history-silence-approved",
        ("task.stage_approved", _) => "history-approved",
        ("task.late_decision_recorded", _) => "history-late",
        _ => return None,
    })
}

fn rejected(entry: &EntryView) -> &'static str {
    match entry.party {
        _ if is(entry, "exhausted") => "history-exhausted",
        Some(Source::Buyer) => "history-you-rejected",
        Some(Source::Service) => "history-silence-rejected",
        Some(Source::Partner | Source::Platform) | None => "history-rejected",
    }
}

fn asking(entry: &EntryView, kind: &str) -> Option<&'static str> {
    let is_own = entry.party == Some(Source::Buyer);
    Some(match (kind, string(entry, "to").unwrap_or_default()) {
        ("task.stage_escalated", "buyer") => "history-escalated-buyer",
        ("task.stage_escalated", "partner") => "history-escalated-partner",
        ("task.stage_escalated", _) => "history-escalated-platform",
        ("task.escalation_resolved", _) => return resolved(entry, is_own),
        ("task.question_asked", "buyer") => "history-asked-buyer",
        ("task.question_asked", "partner") => "history-asked-partner",
        ("task.question_asked", _) => "history-asked-platform",
        ("task.question_answered", _) if is_own => "history-you-answered",
        ("task.question_answered", _) => "history-answered",
        ("task.question_closed", _) => match string(entry, "why") {
            Some("withdrawn") => "history-question-withdrawn",
            Some("lapsed") => "history-question-lapsed",
            _ => "history-question-overtaken",
        },
        _ => return None,
    })
}

fn resolved(entry: &EntryView, is_own: bool) -> Option<&'static str> {
    Some(match (string(entry, "resolution")?, is_own) {
        ("approve", true) => "history-you-resolved-approve",
        ("approve", false) => "history-resolved-approve",
        ("reject", true) => "history-you-resolved-reject",
        ("reject", false) => "history-resolved-reject",
        ("return", true) => "history-you-resolved-return",
        ("return", false) => "history-resolved-return",
        (_, true) => "history-you-resolved-redirect",
        (_, false) => "history-resolved-redirect",
    })
}

fn timing(entry: &EntryView, kind: &str) -> Option<&'static str> {
    Some(match kind {
        "task.deadline_reminded" => "history-reminded",
        "task.deadline_passed" if string(entry, "deadline") == Some("escalation") => "history-overdue-escalation",
        "task.deadline_passed" => "history-overdue",
        "task.held" => "history-held",
        "task.resumed" => "history-resumed",
        _ => return None,
    })
}

fn ending(entry: &EntryView, kind: &str) -> Option<&'static str> {
    Some(match (kind, entry.party) {
        ("task.cancellation_requested", Some(Source::Buyer)) => "history-you-cancelled",
        ("task.cancellation_requested", Some(Source::Platform)) => "history-platform-cancelled",
        ("task.cancellation_requested", _) => "history-partner-cancelled",
        ("task.review_withdrawn", _) => "history-withdrawn",
        ("task.workflow_completed", _) => "history-completed",
        ("task.workflow_cancelled", _) => "history-cancelled",
        ("task.workflow_expired", _) => "history-expired",
        ("task.workflow_failed", _) => "history-failed",
        ("task.personal_data_erased", _) => "history-erased",
        _ => return None,
    })
}

/// A field of an entry.
pub(super) fn data<'a>(entry: &'a EntryView, name: &str) -> Option<&'a Value> {
    entry.data.as_ref()?.get(name)
}

/// A field of an entry that is a text.
pub(super) fn string<'a>(entry: &'a EntryView, name: &str) -> Option<&'a str> {
    data(entry, name)?.as_str()
}

fn is(entry: &EntryView, name: &str) -> bool {
    data(entry, name) == Some(&Value::Bool(true))
}

fn list<'a>(entry: &'a EntryView, name: &str) -> impl Iterator<Item = &'a Value> {
    data(entry, name).and_then(Value::as_array).into_iter().flatten()
}

fn member(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(ToOwned::to_owned)
}
