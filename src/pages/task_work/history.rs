//! What happened, as the visitor's party may read it: an entry of the trail is a sentence with what
//! was said.

use serde_json::Value;

use crate::domain::audit::EntryView;
use crate::domain::values::id::ActorId;
use crate::domain::values::party::Source;
use crate::domain::workflow::{Stage, Workflow};
use crate::pages::frame::Frame;
use crate::pages::texts::{Texts, written};
use crate::pages::times::TimeTag;

use super::words;

/// How many entries a page shows.
pub(super) const ROWS: u32 = 50;

/// What happened.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// The entries, the latest first.
    pub(super) rows: Vec<Row>,
    /// How many of them the party may not read.
    pub(super) hidden: usize,
    /// The entry before which older ones are.
    pub(super) older: Option<u64>,
}

/// An entry.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its number.
    pub(super) seq: u64,
    /// When it was recorded.
    pub(super) at: Option<TimeTag>,
    /// Who it is from: the person, if there is one, and the party.
    pub(super) who: (Option<String>, String),
    /// What happened.
    pub(super) what: String,
    /// What was said.
    pub(super) quotes: Vec<String>,
    /// A note for the own people.
    pub(super) note: Option<String>,
}

impl History {
    /// The history of a page of entries, oldest first.
    pub(super) fn new(entries: &[EntryView], workflow: &Workflow, frame: &Frame) -> Self {
        let row = |entry: &EntryView| Row::new((entry, entries), workflow, frame);
        let rows: Vec<Row> = entries.iter().rev().filter_map(row).collect();
        let older = entries.first().map(|entry| entry.seq).filter(|seq| *seq > 1);
        Self { hidden: entries.len() - rows.len(), rows, older }
    }
}

impl Row {
    fn new((entry, entries): (&EntryView, &[EntryView]), workflow: &Workflow, frame: &Frame) -> Option<Self> {
        let t = frame.t;
        let what = sentence(t, entry, workflow)?;
        Some(Self {
            seq: entry.seq,
            at: entry.recorded_at.as_ref().map(|at| frame.times.tag(at)),
            who: (actor(entry).map(|who| voter(t, entry, entries, who)), source(t, entry.party)),
            what,
            quotes: quotes(entry, t),
            note: entry.note.as_ref().map(ToString::to_string),
        })
    }
}

/// The person of an entry, and the absent person that the entry's vote or call is for.
fn voter(t: Texts, entry: &EntryView, entries: &[EntryView], who: String) -> String {
    let holder = entry.data.as_ref().and_then(|data| data.get("for")).and_then(Value::as_str);
    match holder.and_then(|id| ActorId::stored(id).ok()) {
        Some(holder) => {
            let holder = name_of(&holder, entries);
            let values = [("who", written(&who)), ("holder", written(&holder))];
            t.with_all("review-for", values).into_owned()
        }
        None => who,
    }
}

/// The name under which somebody acted in these entries last; the id if there is none.
pub(super) fn name_of(id: &ActorId, entries: &[EntryView]) -> String {
    let named = entries.iter().rev().filter_map(|entry| entry.actor.as_ref()).find_map(|actor| {
        let is_theirs = actor.id.as_ref().is_some_and(|other| other == id);
        actor.name.as_ref().filter(|_| is_theirs)
    });
    named.map_or_else(|| id.to_string(), ToString::to_string)
}

/// The person of an entry.
pub(super) fn actor(entry: &EntryView) -> Option<String> {
    let actor = entry.actor.as_ref()?;
    actor.name.as_ref().map(ToString::to_string).or_else(|| actor.id.as_ref().map(ToString::to_string))
}

/// Where an entry is from.
pub(super) fn source(t: Texts, source: Option<Source>) -> String {
    match source.map(Source::party) {
        Some(Some(party)) => words::party(t, party),
        Some(None) => t.text("review-service").into_owned(),
        None => String::new(),
    }
}

fn sentence(t: Texts, entry: &EntryView, workflow: &Workflow) -> Option<String> {
    let member = |name: &str| entry.data.as_ref()?.get(name)?.as_str();
    let stage = entry.stage.as_ref().map(|key| words::stage(workflow, key.as_str())).unwrap_or_default();
    let party = member("to").and_then(|name| serde_json::from_value(name.into()).ok());
    let party = party.map(|party| words::party(t, party)).unwrap_or_default();
    let plain = |id: &str| t.text(id).into_owned();
    let at_stage = |id: &str| words::quoted(t, id, "stage", &stage);
    let sentence = match entry.kind? {
        "task.opened" => plain("review-event-opened"),
        "task.work_submitted" => t.with("review-event-submitted", "revision", number(entry, "revision")).into_owned(),
        "task.status_updated" => plain("review-event-status"),
        "task.vote_recorded" if member("decision") == Some("approved") => at_stage("review-event-approved"),
        "task.vote_recorded" => at_stage("review-event-objected"),
        "task.stage_entered" => at_stage("review-event-entered"),
        "task.stage_approved" => at_stage("review-event-stage-approved"),
        "task.stage_rejected" => at_stage("review-event-stage-rejected"),
        "task.stage_escalated" => t.with("review-event-escalated", "party", party).into_owned(),
        "task.escalation_resolved" => match member("resolution") {
            Some("approve") => plain("review-event-resolved-approve"),
            Some("reject") => plain("review-event-resolved-reject"),
            Some("return") => plain("review-event-resolved-return"),
            _ => t.with("review-event-resolved-redirect", "party", party).into_owned(),
        },
        "task.question_asked" => t.with("review-event-asked", "party", party).into_owned(),
        "task.question_answered" => plain("review-event-answered"),
        "task.question_closed" => match member("why") {
            Some("withdrawn") => plain("review-event-question-withdrawn"),
            Some("lapsed") => plain("review-event-question-lapsed"),
            _ => plain("review-event-question-overtaken"),
        },
        "task.deadline_reminded" => plain("review-event-reminded"),
        "task.deadline_passed" => plain("review-event-late"),
        "task.reviewers_changed" => reviewers_changed(t, entry, workflow),
        "task.held" => plain("review-event-held"),
        "task.resumed" => plain("review-event-resumed"),
        "task.cancellation_requested" => plain("review-event-cancelled-by"),
        "task.review_withdrawn" => plain("review-event-review-withdrawn"),
        "task.cancellation_acknowledged" => plain("review-event-acknowledged"),
        "task.late_decision_recorded" => plain("review-event-late-decision"),
        "task.workflow_completed" => plain("review-event-completed"),
        "task.workflow_cancelled" => plain("review-event-cancelled"),
        "task.workflow_expired" => plain("review-event-expired"),
        "task.workflow_failed" => plain("review-event-failed"),
        "task.personal_data_erased" => plain("review-event-erased"),
        other => t.with("review-event-other", "type", written(other)).into_owned(),
    };
    Some(sentence)
}

/// Where people came and went, and who, as far as that is known.
fn reviewers_changed(t: Texts, entry: &EntryView, workflow: &Workflow) -> String {
    let data = |name: &str| entry.data.as_ref()?.get(name);
    let key = data("of").and_then(Value::as_str).unwrap_or_default();
    let stage = workflow.stages.iter().find(|stage| stage.key.as_str() == key);
    let panel = data("panel").and_then(|panel| panel.get("key")?.as_str());
    let known = stage.into_iter().flat_map(Stage::panels).find(|known| Some(known.key.as_str()) == panel);
    let place = words::place(&words::stage(workflow, key), known.map(|known| known.name.as_str()).or(panel));
    let people = |name: &str, id: &str| {
        let ids: Vec<&str> = data(name)?.as_array()?.iter().filter_map(Value::as_str).collect();
        Some(t.with(id, "who", words::list(ids)).into_owned())
    };
    let people: Vec<String> =
        [people("added", "review-event-came"), people("removed", "review-event-went")].into_iter().flatten().collect();
    let what = words::quoted(t, "review-event-reviewers", "stage", &place);
    if people.is_empty() { what } else { format!("{what} ({})", people.join("; ")) }
}

fn number(entry: &EntryView, name: &str) -> u64 {
    entry.data.as_ref().and_then(|data| data.get(name)).and_then(Value::as_u64).unwrap_or_default()
}

/// What was said in an entry, as far as the party may read it.
pub(super) fn quotes(entry: &EntryView, t: Texts) -> Vec<String> {
    let Some(data) = &entry.data else { return Vec::new() };
    let mut quotes = Vec::new();
    for name in ["summary", "message", "reason", "question", "answer", "advice", "notes"] {
        quotes.extend(data.get(name).and_then(Value::as_str).map(ToOwned::to_owned));
    }
    let lists = ["shared_feedback", "internal_feedback"].into_iter().filter_map(|name| data.get(name)?.as_array());
    let feedback = data.get("feedback").into_iter().chain(lists.flatten());
    for feedback in feedback {
        quotes.extend(words_of(feedback));
    }
    let lists = ["shared_answers", "internal_answers"].into_iter().filter_map(|name| data.get(name)?.as_array());
    quotes.extend(lists.flatten().filter_map(|answer| answer_of(answer, t)));
    quotes
}

/// An answer to an item of feedback in a line.
fn answer_of(answer: &Value, t: Texts) -> Option<String> {
    let member = |name: &str| answer.get(name).and_then(Value::as_str);
    let how = t.text(if member("how")? == "declined" { "review-declined" } else { "review-done" });
    let parts = [member("item"), Some(&*how), member("text")];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" · "))
}

/// The words of a feedback: the reasons in short, then a line for each point.
fn words_of(feedback: &Value) -> Vec<String> {
    let summary = feedback.get("summary").and_then(Value::as_str).map(ToOwned::to_owned);
    let items = feedback.get("items").and_then(Value::as_array).into_iter().flatten().map(|item| {
        let parts = ["id", "severity", "anchor", "text"].into_iter().filter_map(|part| item.get(part)?.as_str());
        parts.collect::<Vec<_>>().join(" · ")
    });
    summary.into_iter().chain(items).collect()
}
