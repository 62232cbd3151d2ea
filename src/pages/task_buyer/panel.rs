//! What the buyer is asked to do: the question, the work, and the choices with their consequences.

use std::borrow::Cow;

use crate::domain::task::event::{Answered as How, Artifact, Resolution, TimeoutAction};
use crate::domain::task::status::{AnsweredItem, Ask, BuyerAction, RevisionUnderReview};
use crate::domain::values::party::{Party, Source};
use crate::domain::workflow::Reason;
use crate::pages::forms::Fields;
use crate::pages::frame::Frame;
use crate::pages::texts::Texts;
use crate::pages::times::TimeTag;

use super::choice::{Choice, POINTS, Point};
use super::conflict::Mistake;
use super::consequence;
use super::load::{Loaded, Offer};

type Words = Cow<'static, str>;

/// What a form is filled with, and what is wrong with that.
#[derive(Debug, Default)]
pub(in crate::pages) struct Filled {
    /// The fields.
    pub(super) fields: Fields,
    /// The mistakes in them.
    pub(super) mistakes: Vec<Mistake>,
    /// How many empty rows of points are added to the first ones.
    pub(super) more_points: usize,
}

/// What the buyer is asked to do.
#[derive(Debug)]
pub(in crate::pages) struct Panel {
    /// What is asked.
    pub(in crate::pages) ask: Words,
    /// Who asks.
    pub(in crate::pages) who: Option<Words>,
    /// The question.
    pub(in crate::pages) question: Option<String>,
    /// The advice that came back to a review.
    pub(in crate::pages) advice: Option<String>,
    /// What was asked for before, and how that was answered.
    pub(in crate::pages) answered: Vec<Answered>,
    /// When an answer is due. The distance from now stands in the head: here it would push the sentence
    /// aside as it appears.
    pub(in crate::pages) due: Option<TimeTag>,
    /// What happens without one.
    pub(in crate::pages) silence: Option<Words>,
    /// The work to decide on.
    pub(in crate::pages) work: Option<Work>,
    /// The hidden fields: what the form is about.
    pub(in crate::pages) target: Vec<(&'static str, String)>,
    /// The choices.
    pub(in crate::pages) choices: Vec<ChoiceView>,
    /// The mistake that no choice was made.
    pub(in crate::pages) mistake: Option<String>,
    /// Whether a choice is possible.
    pub(in crate::pages) is_open: bool,
}

/// A choice with its consequence.
#[derive(Debug)]
pub(in crate::pages) struct ChoiceView {
    /// The value of the field.
    pub(in crate::pages) value: String,
    /// What it is called.
    pub(in crate::pages) label: String,
    /// Whether that is somebody's own words.
    pub(in crate::pages) is_written: bool,
    /// What it would do, or why it is not possible.
    pub(in crate::pages) consequence: Words,
    /// Whether it is possible.
    pub(in crate::pages) is_possible: bool,
    /// Whether it is chosen.
    pub(in crate::pages) is_chosen: bool,
    /// The text that it comes with.
    pub(in crate::pages) text: Option<TextField>,
    /// The reasons of which it names one.
    pub(in crate::pages) cause: Option<Cause>,
    /// The points that it can have.
    pub(in crate::pages) points: Vec<PointField>,
}

/// The reasons of a stage.
#[derive(Debug)]
pub(in crate::pages) struct Cause {
    /// Key, name, whether it is chosen.
    pub(in crate::pages) options: Vec<(String, String, bool)>,
    /// What is wrong with the choice.
    pub(in crate::pages) mistake: Option<String>,
}

/// A point of earlier feedback, and its answer.
#[derive(Debug)]
pub(in crate::pages) struct Answered {
    /// Where it is.
    pub(in crate::pages) anchor: Option<String>,
    /// What was asked for.
    pub(in crate::pages) text: String,
    /// What became of it, and words.
    pub(in crate::pages) answer: Option<(Words, Option<String>)>,
}

/// A field for a text.
#[derive(Debug)]
pub(in crate::pages) struct TextField {
    /// Name and id.
    pub(in crate::pages) name: String,
    /// The label.
    pub(in crate::pages) label: Words,
    /// What was typed.
    pub(in crate::pages) value: String,
    /// What is wrong with it.
    pub(in crate::pages) mistake: Option<String>,
}

/// A row for a point.
#[derive(Debug)]
pub(in crate::pages) struct PointField {
    /// The row.
    pub(in crate::pages) row: usize,
    /// What it is called.
    pub(in crate::pages) title: Words,
    /// What was typed.
    pub(in crate::pages) point: Point,
    /// What is wrong with the text.
    pub(in crate::pages) mistake: Option<String>,
    /// What is wrong with the place.
    pub(in crate::pages) place_mistake: Option<String>,
    /// The earlier points that it can raise again: id, text, whether it is chosen.
    pub(in crate::pages) earlier: Vec<(String, String, bool)>,
}

/// The work to decide on.
#[derive(Debug)]
pub(in crate::pages) struct Work {
    /// Which revision it is.
    pub(in crate::pages) title: Words,
    /// When it was handed in.
    pub(in crate::pages) at: TimeTag,
    /// What the partner says about it.
    pub(in crate::pages) summary: Option<String>,
    /// Its parts.
    pub(in crate::pages) items: Vec<Item>,
}

/// A part of the work.
#[derive(Debug)]
pub(in crate::pages) struct Item {
    /// The name.
    pub(in crate::pages) name: String,
    /// Kind and size.
    pub(in crate::pages) about: String,
    /// The address and its host.
    pub(in crate::pages) link: Option<(String, String)>,
    /// The digest.
    pub(in crate::pages) sha256: String,
}

impl Panel {
    /// The panel of a status that asks something.
    pub(super) fn new(loaded: &Loaded, filled: &Filled, frame: &Frame) -> Option<Self> {
        let action = loaded.status.action.as_ref()?;
        let offers: Vec<&Offer> = loaded.offers.iter().filter(|offer| offer.choice != Choice::Cancel).collect();
        let is_only = offers.len() == 1;
        let choices: Vec<_> = offers.iter().map(|offer| choice(loaded, offer, filled, (is_only, frame))).collect();
        let t = frame.t;
        Some(Self {
            ask: t.text(ask(action)),
            who: who(loaded, action).map(|id| t.text(id)),
            question: action.question.as_ref().map(|text| text.as_str().to_owned()),
            advice: action.advice.as_ref().map(|text| text.as_str().to_owned()),
            answered: action.items.iter().map(|item| answered(item, t)).collect(),
            due: action.due_at.as_ref().map(|due| frame.times.tag(due)),
            silence: silence(action).map(|id| t.text(id)),
            work: action.revision.as_ref().map(|revision| Work::new(revision, frame)),
            target: target(action),
            is_open: choices.iter().any(|choice| choice.is_possible),
            mistake: mistake_at(filled, "choice"),
            choices,
        })
    }
}

fn ask(action: &BuyerAction) -> &'static str {
    match action.ask {
        Ask::Review => "ask-review",
        Ask::Decide => "ask-decide",
        Ask::Answer if action.revision.is_some() => "ask-answer-and-review",
        Ask::Answer => "ask-answer",
    }
}

/// Who put the question: the trail has the entry that the answer refers to.
fn who(loaded: &Loaded, action: &BuyerAction) -> Option<&'static str> {
    let seq = action.commands.iter().find_map(|ready| ready.escalation.or(ready.question))?;
    match loaded.entry(seq)?.party? {
        Source::Partner => Some("asks-partner"),
        Source::Platform => Some("asks-platform"),
        Source::Service | Source::Buyer => None,
    }
}

/// What it means not to answer.
fn silence(action: &BuyerAction) -> Option<&'static str> {
    action.due_at?;
    Some(match (action.ask, action.on_silence?) {
        (Ask::Answer, _) => "silence-answer",
        (_, TimeoutAction::Approve) => "silence-approve",
        (_, TimeoutAction::Reject) => "silence-reject",
        (_, TimeoutAction::Escalate) => "silence-escalate",
        (_, TimeoutAction::Fail) => "silence-fail",
        (_, TimeoutAction::None) => "silence-none",
    })
}

/// What the form is about, for the command and for noticing that the task went on.
pub(super) fn target(action: &BuyerAction) -> Vec<(&'static str, String)> {
    let Some(ready) = action.commands.first() else { return Vec::new() };
    let of_any = |number: fn(&crate::domain::task::status::ReadyCommand) -> Option<u64>| {
        action.commands.iter().find_map(number).map(|number| number.to_string())
    };
    let mut target = vec![
        ("stage", ready.stage.to_string()),
        ("round", ready.round.to_string()),
        ("revision", ready.revision.to_string()),
    ];
    target.extend(of_any(|ready| ready.escalation).map(|seq| ("escalation", seq)));
    target.extend(of_any(|ready| ready.question).map(|seq| ("question", seq)));
    target
}

fn choice(loaded: &Loaded, offer: &Offer, filled: &Filled, (is_only, frame): (bool, &Frame)) -> ChoiceView {
    let (choice, t) = (offer.choice, frame.t);
    let option = option_label(loaded, choice);
    let value = choice.to_string();
    let is_possible = offer.outcome.is_ok();
    ChoiceView {
        is_written: option.is_some(),
        label: option.unwrap_or_else(|| t.text(label(choice)).into_owned()),
        consequence: consequence::sentence(loaded, offer, frame),
        is_chosen: is_possible && (is_only || filled.fields.get("choice") == value),
        text: text_field(choice, filled, t).filter(|_| is_possible),
        cause: if is_possible { cause(loaded, choice, filled) } else { None },
        points: if choice.has_points() && is_possible { point_fields(loaded, filled, t) } else { Vec::new() },
        is_possible,
        value,
    }
}

fn option_label(loaded: &Loaded, choice: Choice) -> Option<String> {
    let Choice::Option(position) = choice else { return None };
    let index = usize::try_from(position).ok()?.checked_sub(1)?;
    Some(loaded.status.action.as_ref()?.options.get(index)?.as_str().to_owned())
}

/// What a choice is called.
pub(super) fn label(choice: Choice) -> &'static str {
    match choice {
        Choice::Approve | Choice::Resolve(Resolution::Approve) => "choice-approve",
        Choice::Reject | Choice::Resolve(Resolution::Reject) => "choice-reject",
        Choice::Escalate(Party::Partner) | Choice::Redirect(Party::Partner) => "choice-partner",
        Choice::Escalate(_) | Choice::Redirect(_) => "choice-platform",
        Choice::Resolve(Resolution::Return | Resolution::Redirect) => "choice-advise",
        Choice::Option(_) => "choice-option",
        Choice::Answer => "choice-answer",
        Choice::Withdraw => "choice-withdraw",
        Choice::Cancel => "choice-cancel",
    }
}

/// The label of a choice's text.
pub(super) fn text_label(choice: Choice) -> &'static str {
    match choice {
        Choice::Escalate(_) => "text-question",
        Choice::Redirect(_) => "text-message",
        Choice::Resolve(Resolution::Return) => "text-advice",
        Choice::Answer => "text-answer",
        Choice::Cancel => "text-reason",
        Choice::Approve => "text-remarks",
        Choice::Reject | Choice::Resolve(_) | Choice::Option(_) | Choice::Withdraw => "text-changes",
    }
}

/// The field of a choice's text.
pub(super) fn text_field(choice: Choice, filled: &Filled, t: Texts) -> Option<TextField> {
    choice.asks()?;
    let name = choice.text_field();
    Some(TextField {
        label: t.text(text_label(choice)),
        value: filled.fields.get(&name).to_owned(),
        mistake: mistake_at(filled, &name),
        name,
    })
}

/// The reasons of which a rejection names one; none if the stage lists none.
fn cause(loaded: &Loaded, choice: Choice, filled: &Filled) -> Option<Cause> {
    let reasons = loaded.status.action.as_ref().map(|action| &action.reasons).filter(|reasons| !reasons.is_empty())?;
    let chosen = filled.fields.get("cause");
    let option = |reason: &Reason| (reason.key.to_string(), reason.name.to_string(), reason.key.as_str() == chosen);
    choice
        .has_points()
        .then(|| Cause { options: reasons.iter().map(option).collect(), mistake: mistake_at(filled, "cause") })
}

fn answered(item: &AnsweredItem, t: Texts) -> Answered {
    let answer = item.answer.as_ref().map(|answer| {
        let id = match answer.how {
            How::Done => "answer-done",
            How::Declined => "answer-declined",
        };
        (t.text(id), answer.text.as_ref().map(ToString::to_string))
    });
    Answered { anchor: item.anchor.as_ref().map(ToString::to_string), text: item.text.to_string(), answer }
}

/// The earlier points that a point can raise again, each in as many words as fit in a field.
fn earlier(loaded: &Loaded, point: &Point) -> Vec<(String, String, bool)> {
    const SHOWN: usize = 60;
    let items = loaded.status.action.iter().flat_map(|action| &action.items);
    let item = |item: &AnsweredItem| {
        let (id, text) = (item.id.to_string(), item.text.as_str());
        let mut short: String = text.chars().take(SHOWN).collect();
        if text.chars().nth(SHOWN).is_some() {
            short.push('…');
        }
        let is_chosen = point.reopens == id;
        (id, short, is_chosen)
    };
    items.map(item).collect()
}

fn point_fields(loaded: &Loaded, filled: &Filled, t: Texts) -> Vec<PointField> {
    let mut rows = Point::rows(&filled.fields);
    let wanted = rows.len().max(POINTS) + filled.more_points;
    rows.resize_with(wanted, Point::default);
    let field = |(row, point): (usize, Point)| PointField {
        title: t.with("point-number", "number", row + 1),
        earlier: earlier(loaded, &point),
        row,
        point,
        mistake: mistake_at(filled, &format!("point-text-{row}")),
        place_mistake: mistake_at(filled, &format!("point-where-{row}")),
    };
    rows.into_iter().enumerate().map(field).collect()
}

fn mistake_at(filled: &Filled, field: &str) -> Option<String> {
    filled.mistakes.iter().find(|mistake| mistake.field == field).map(|mistake| mistake.text.clone())
}

impl Work {
    fn new(revision: &RevisionUnderReview, frame: &Frame) -> Self {
        Self {
            title: frame.t.with("work-title", "revision", revision.revision),
            at: frame.times.tag(&revision.submitted_at),
            summary: revision.summary.as_ref().map(|text| text.as_str().to_owned()),
            items: revision.artifacts.iter().map(|artifact| item(artifact, frame.t)).collect(),
        }
    }
}

fn item(artifact: &Artifact, t: Texts) -> Item {
    let kind = artifact.media_type.as_ref().map(|kind| kind.as_str().to_owned());
    let about: Vec<String> = kind.into_iter().chain(artifact.size.map(|bytes| size(bytes, t))).collect();
    // The domain takes https addresses only; what is not one is never a link.
    let url = artifact.url.clone().map(String::from).filter(|url| url.starts_with("https://"));
    let link = url.map(|url| {
        let host = url.trim_start_matches("https://").split(['/', '?', '#']).next().unwrap_or_default().to_owned();
        (url, host)
    });
    Item {
        name: artifact.name.as_str().to_owned(),
        about: about.join(", "),
        link,
        sha256: artifact.sha256.clone().into(),
    }
}

/// A size in the unit in which it is a short number.
fn size(bytes: u64, t: Texts) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{} {name}", bytes.div_ceil(*unit)),
        None => t.with("size-bytes", "count", bytes).into_owned(),
    }
}
