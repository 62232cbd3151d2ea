//! All that the page of a task shows, for the templates: the same for the hosted page and for the
//! element in other pages.

use std::borrow::Cow;
use std::fmt::Debug;

use sha2::{Digest as _, Sha256};

use crate::domain::audit::EntryView;
use crate::domain::task::PhaseName;
use crate::domain::values::party::Source;
use crate::domain::values::time::Time;
use crate::pages::frame::Frame;
use crate::pages::texts::Texts;

use super::choice::{Choice, Point};
use super::consequence;
use super::head::{self, Head, Step};
use super::history::{History, string};
use super::load::{Loaded, Offer};
use super::panel::{self, Filled, Panel, TextField};

type Words = Cow<'static, str>;

/// Where the view is shown: forms go to other places in the element.
#[derive(Clone, Debug)]
pub(in crate::pages) struct Place {
    /// Where forms go.
    pub(in crate::pages) action: String,
    /// Tokens for the two forms; the id of a command is part of each.
    pub(in crate::pages) tokens: [String; 2],
    /// The page of the task; none in the element.
    pub(in crate::pages) page: Option<String>,
    /// Where and when the page is read, for paper; none in the element.
    pub(in crate::pages) printed: Option<(String, Time)>,
}

/// The page of a task.
#[derive(Debug)]
pub(in crate::pages) struct TaskPage {
    /// What was just done, before the title.
    pub(in crate::pages) outcome: Option<String>,
    /// The title.
    pub(in crate::pages) title: String,
    /// Whether the title is somebody's words.
    pub(in crate::pages) is_titled: bool,
    /// Something to say before all else.
    pub(in crate::pages) banner: Option<Banner>,
    /// Where the task is.
    pub(in crate::pages) head: Head,
    /// What the buyer is asked to do.
    pub(in crate::pages) panel: Option<Panel>,
    /// A choice to be checked before it is sent: all else is left out then.
    pub(in crate::pages) check: Option<Check>,
    /// What the forms are about. News about something else hold the forms back.
    pub(in crate::pages) about: String,
    /// The stages.
    pub(in crate::pages) steps: Vec<Step>,
    /// What happened.
    pub(in crate::pages) history: History,
    /// Stopping the task.
    pub(in crate::pages) stop: Option<Stop>,
    /// All mistakes, for the summary.
    pub(in crate::pages) mistakes: Vec<(String, String)>,
    /// Where it is shown.
    pub(in crate::pages) place: Place,
    /// The version of the status, its phase, and the party that it waits on, for the element.
    pub(in crate::pages) state: (u64, &'static str, &'static str),
    /// On paper: the hash of the last entry, and when and whence it was printed.
    pub(in crate::pages) foot: Option<String>,
    /// The type of the command that was just done.
    pub(in crate::pages) done: Option<String>,
}

/// Something to say before all else.
#[derive(Debug)]
pub(in crate::pages) struct Banner {
    /// The class of the note.
    pub(in crate::pages) class: &'static str,
    /// What is said.
    pub(in crate::pages) text: String,
    /// What was typed and found no place in a form: label and text.
    pub(in crate::pages) typed: Vec<(String, String)>,
}

/// Stopping the task.
#[derive(Debug)]
pub(in crate::pages) struct Stop {
    /// What it would do.
    pub(in crate::pages) consequence: Words,
    /// The reason.
    pub(in crate::pages) text: Option<TextField>,
    /// Whether it is shown at once.
    pub(in crate::pages) is_open: bool,
}

/// A choice to be checked before it is sent.
#[derive(Debug)]
pub(in crate::pages) struct Check {
    /// The choice.
    pub(in crate::pages) label: Words,
    /// The revision that it is about.
    pub(in crate::pages) revision: Option<Words>,
    /// What it would do.
    pub(in crate::pages) consequence: Words,
    /// What was typed: label and text.
    pub(in crate::pages) texts: Vec<(String, String)>,
    /// The fields of the form, to be sent again.
    pub(in crate::pages) fields: Vec<(String, String)>,
}

/// What a page shows beside the task.
#[derive(Debug, Default)]
pub(in crate::pages) struct Around {
    /// What the forms are filled with.
    pub(in crate::pages) filled: Filled,
    /// The entry of what was just done.
    pub(in crate::pages) done: Option<u64>,
    /// The title and text of a refusal, with what was typed.
    pub(in crate::pages) refused: Option<(String, String)>,
    /// A choice to be checked.
    pub(in crate::pages) checked: Option<Choice>,
}

impl TaskPage {
    /// The page of a task.
    pub(in crate::pages) fn new(loaded: &Loaded, around: &Around, place: Place, frame: &Frame) -> Self {
        let t = frame.t;
        let panel = Panel::new(loaded, &around.filled, frame);
        let done = around.done.and_then(|seq| loaded.entry(seq)).filter(|entry| entry.party == Some(Source::Buyer));
        let refused = around.refused.as_ref().map(|(title, _)| title.clone());
        let error = (!around.filled.mistakes.is_empty()).then(|| t.text("error-title").into_owned());
        let checked = around.checked.map(|_| t.text("check-title").into_owned());
        let outcome = done.map(|entry| t.text(done_title(loaded, entry)).into_owned());
        let mistakes = around.filled.mistakes.iter().map(|mistake| (mistake.field.clone(), mistake.text.clone()));
        Self {
            outcome: outcome.or(refused).or(checked).or(error),
            title: loaded.title.clone().unwrap_or_else(|| t.text("untitled").into_owned()),
            is_titled: loaded.title.is_some(),
            banner: banner(loaded, around, done.is_some(), frame),
            head: Head::new(loaded, frame),
            about: about(loaded),
            check: around.checked.and_then(|choice| Check::new(loaded, choice, &around.filled, frame)),
            steps: head::steps(loaded, frame),
            history: History::new(loaded, frame),
            stop: loaded.offer(Choice::Cancel).map(|offer| Stop::new(loaded, offer, &around.filled, frame)),
            mistakes: mistakes.collect(),
            state: (
                loaded.status.version,
                loaded.status.phase.as_str(),
                loaded.status.waiting_on.map_or("", |party| party.as_str()),
            ),
            done: done.and_then(|entry| entry.kind).map(ToOwned::to_owned),
            foot: place.printed.as_ref().map(|printed| foot(loaded, printed, frame)),
            panel,
            place,
        }
    }

    /// The title of the document.
    pub(in crate::pages) fn document_title(&self) -> String {
        match &self.outcome {
            Some(outcome) => format!("{outcome} – {}", self.title),
            None => self.title.clone(),
        }
    }

    /// One sentence for the status line.
    pub(in crate::pages) fn news(&self) -> String {
        format!("{}. {}", self.head.label.text, self.head.turn)
    }
}

/// A digest of what a region shows: the script replaces a region whose digest is another.
pub(in crate::pages) fn digest(region: &impl Debug) -> String {
    hex::encode(&Sha256::digest(format!("{region:?}"))[..8])
}

/// What the forms are about.
fn about(loaded: &Loaded) -> String {
    let target = loaded.status.action.as_ref().map(panel::target).unwrap_or_default();
    let values: Vec<String> = target.into_iter().map(|(_, value)| value).collect();
    let stop = if loaded.offer(Choice::Cancel).is_some() { "open" } else { "closed" };
    format!("{}/{stop}", values.join("/"))
}

/// What a printed page says of itself.
fn foot(loaded: &Loaded, (address, at): &(String, Time), frame: &Frame) -> String {
    let hash = loaded.entries.last().and_then(|entry| entry.hash).map_or_else(String::new, |hash| hash.to_string());
    let variables = [("at", frame.times.text(at).into()), ("address", address.as_str().into()), ("hash", hash.into())];
    frame.t.with_all("printed", variables).into_owned()
}

/// What was just done, in two or three words.
fn done_title(loaded: &Loaded, entry: &EntryView) -> &'static str {
    match (entry.kind.unwrap_or_default(), string(entry, "resolution"), string(entry, "decision")) {
        ("task.vote_recorded", _, Some("approved")) | ("task.escalation_resolved", Some("approve"), _) => {
            "done-approved"
        }
        ("task.vote_recorded", ..) | ("task.escalation_resolved", Some("reject"), _) => "done-rejected",
        ("task.escalation_resolved", Some("return"), _) => "done-advised",
        ("task.stage_escalated" | "task.escalation_resolved", ..) => "done-passed-on",
        ("task.question_answered", ..) => "done-answered",
        ("task.question_closed", ..) => "done-withdrawn",
        ("task.cancellation_requested", ..) if loaded.status.phase == PhaseName::Cancelling => "done-stopping",
        ("task.cancellation_requested", ..) => "done-stopped",
        _ => "done-sent",
    }
}

fn banner(loaded: &Loaded, around: &Around, is_done: bool, frame: &Frame) -> Option<Banner> {
    if is_done {
        let text = frame.t.text("done-text").into_owned();
        return Some(Banner { class: "done", text, typed: Vec::new() });
    }
    let (_, text) = around.refused.as_ref()?;
    let choice = Choice::parse(around.filled.fields.get("choice"));
    // What a form on the page has is not shown twice.
    let is_in_form = choice.and_then(|choice| loaded.offer(choice)).is_some_and(|offer| offer.outcome.is_ok());
    let typed = choice.filter(|_| !is_in_form).map(|choice| typed(choice, &around.filled, frame.t));
    Some(Banner { class: "stop", text: text.clone(), typed: typed.unwrap_or_default() })
}

/// What was typed for a choice: label and text.
fn typed(choice: Choice, filled: &Filled, t: Texts) -> Vec<(String, String)> {
    let text = filled.fields.filled(&choice.text_field());
    let text = text.map(|text| (t.text(panel::text_label(choice)).into_owned(), text.to_owned()));
    let rows = if choice.has_points() { Point::rows(&filled.fields) } else { Vec::new() };
    let points = rows.into_iter().filter(|point| !point.text.is_empty()).map(|point| {
        let words = [severity(&point.severity, t), point.place, point.text];
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        (t.text("point").into_owned(), words.join(" · "))
    });
    text.into_iter().chain(points).collect()
}

fn severity(value: &str, t: Texts) -> String {
    match value {
        "must" => t.text("severity-must").into_owned(),
        "could" => t.text("severity-could").into_owned(),
        other => other.to_owned(),
    }
}

impl Stop {
    fn new(loaded: &Loaded, offer: &Offer, filled: &Filled, frame: &Frame) -> Self {
        Self {
            consequence: consequence::sentence(loaded, offer, frame),
            text: panel::text_field(Choice::Cancel, filled, frame.t),
            is_open: filled.fields.get("choice") == Choice::Cancel.to_string(),
        }
    }
}

impl Check {
    fn new(loaded: &Loaded, choice: Choice, filled: &Filled, frame: &Frame) -> Option<Self> {
        let offer = loaded.offer(choice)?;
        let revision = filled.fields.get("revision").parse().ok().filter(|revision: &u32| *revision > 0);
        let fields =
            filled.fields.iter().filter(|(name, _)| !matches!(*name, "form" | "confirmed" | "change" | "more"));
        Some(Self {
            label: frame.t.text(panel::label(choice)),
            revision: revision.map(|revision| frame.t.with("work-title", "revision", revision)),
            consequence: consequence::sentence(loaded, offer, frame),
            texts: typed(choice, filled, frame.t),
            fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        })
    }
}
