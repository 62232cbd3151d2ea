//! The forms of the desk: what can be chosen, filled with what was typed.

use crate::app::tasks::Desk;
use crate::domain::link::LinkKind;
use crate::domain::task::PhaseName;
use crate::domain::task::event::{Answered, FeedbackItem, ItemId, Resolution};
use crate::domain::values::party::Party;
use crate::domain::workflow::Reason;
use crate::pages::session::Visitor;
use crate::pages::texts::Texts;

use super::choice::Choice;
use super::consequence::Consequence;
use super::mistakes::{Mistake, reply_field};
use super::notice::Notice;
use super::offers::{Offer, Offers, seq_of};
use super::people::{self, Place};
use super::typed::{MAX_PIECES, MAX_POINTS, MESSAGE, PROSE, Piece, Point, Target, Typed, target};
use super::words;

/// What the forms are filled with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filled {
    /// What was typed.
    pub(super) typed: Typed,
    /// What the form was rendered for, if it stays bound to that.
    pub(super) target: Option<Target>,
    /// The mistakes in it.
    pub(super) mistakes: Vec<Mistake>,
    /// Whether to show what the buyer would read.
    pub(super) preview: bool,
    /// What to say before all else.
    pub(super) notice: Option<Notice>,
}

/// A form.
#[derive(Debug)]
pub(super) struct Panel {
    /// Its token.
    pub(super) token: String,
    /// What it is about: the values of hidden fields.
    pub(super) target: Target,
    /// What can be chosen.
    pub(super) options: Vec<Choosable>,
    /// The note to the own people.
    pub(super) note: Option<Area>,
}

/// Something to choose, with its fields.
#[derive(Debug)]
pub(super) struct Choosable {
    /// The value of the choice.
    pub(super) value: &'static str,
    /// What it is called.
    pub(super) label: String,
    /// What it does.
    pub(super) consequence: String,
    /// Whether it is chosen.
    pub(super) is_chosen: bool,
    /// Whether a form of its own is unfolded.
    pub(super) is_open: bool,
    /// Whom or where to.
    pub(super) select: Option<Select>,
    /// Who can go from where, and what is wrong with the choice.
    pub(super) leave: Option<(Vec<Place>, Option<String>)>,
    /// Its texts.
    pub(super) areas: Vec<Area>,
    /// A number.
    pub(super) number: Option<Area>,
    /// The reason.
    pub(super) cause: Option<Select>,
    /// Its points.
    pub(super) points: Option<Points>,
    /// The items of feedback to answer.
    pub(super) replies: Vec<ReplyRow>,
    /// Its pieces of work.
    pub(super) pieces: Option<Pieces>,
    /// Something to tick.
    pub(super) tick: Option<Tick>,
    /// The suggested answers of a question: number, text, whether it is chosen.
    pub(super) answers: Vec<(usize, String, bool)>,
}

impl Choosable {
    /// Whether there is anything to fill in.
    pub(super) fn has_fields(&self) -> bool {
        self.select.is_some()
            || !self.areas.is_empty()
            || self.points.is_some()
            || self.tick.is_some()
            || !self.replies.is_empty()
    }
}

/// A box to tick.
#[derive(Debug)]
pub(super) struct Tick {
    /// The field and its id.
    pub(super) name: &'static str,
    /// Its label.
    pub(super) label: String,
    /// Whether it is ticked.
    pub(super) is_ticked: bool,
}

/// A field with a few values.
#[derive(Debug)]
pub(super) struct Select {
    /// The field.
    pub(super) name: &'static str,
    /// Its label.
    pub(super) label: String,
    /// Value, text, whether it is selected.
    pub(super) options: Vec<(String, String, bool)>,
    /// What is wrong with it.
    pub(super) mistake: Option<String>,
}

/// A field for a long text.
#[derive(Debug)]
pub(super) struct Area {
    /// The field and its id.
    pub(super) name: &'static str,
    /// Its label.
    pub(super) label: String,
    /// What it is for.
    pub(super) hint: Option<String>,
    /// What was typed.
    pub(super) value: String,
    /// The most characters.
    pub(super) limit: usize,
    /// How many rows it has at first.
    pub(super) rows: u32,
    /// What is wrong with it.
    pub(super) mistake: Option<String>,
}

/// The points of a feedback.
#[derive(Debug)]
pub(super) struct Points {
    /// The rows.
    pub(super) rows: Vec<PointRow>,
    /// Whether there may be more.
    pub(super) more: bool,
    /// What the buyer would read, if that was asked for.
    pub(super) preview: Option<(String, Vec<Point>)>,
}

/// A row of points.
#[derive(Debug)]
pub(super) struct PointRow {
    /// Its place, from 0.
    pub(super) row: usize,
    /// What was typed.
    pub(super) point: Point,
    /// What is wrong with severity, place and text.
    pub(super) mistakes: [Option<String>; 3],
    /// The earlier items that it can raise again: id, text, whether it is chosen.
    pub(super) earlier: Vec<(String, String, bool)>,
    /// What is wrong with that.
    pub(super) mistake: Option<String>,
}

/// An item of feedback to answer.
#[derive(Debug)]
pub(super) struct ReplyRow {
    /// The item.
    pub(super) item: String,
    /// The id of the field with what became of it, and of the field with words.
    pub(super) ids: [String; 2],
    /// Where it is.
    pub(super) anchor: Option<String>,
    /// What it asks for.
    pub(super) text: String,
    /// Whether it must be answered.
    pub(super) is_required: bool,
    /// What became of it: value, text, whether it is chosen.
    pub(super) how: Vec<(&'static str, String, bool)>,
    /// The answer in words.
    pub(super) words: String,
    /// What is wrong with the two.
    pub(super) mistakes: [Option<String>; 2],
}

/// The pieces of work.
#[derive(Debug)]
pub(super) struct Pieces {
    /// The rows.
    pub(super) rows: Vec<PieceRow>,
    /// Whether there may be more.
    pub(super) more: bool,
}

/// A row of pieces of work.
#[derive(Debug)]
pub(super) struct PieceRow {
    /// Its place, from 0.
    pub(super) row: usize,
    /// Its fields: name, label, value, what is wrong.
    pub(super) fields: Vec<(&'static str, String, String, Option<String>)>,
}

/// All forms of a page.
#[derive(Debug, Default)]
pub(super) struct Panels {
    /// The decision.
    pub(super) decide: Option<Panel>,
    /// What else can be done: questions, work, and the course of the task, each a form of its own.
    pub(super) others: Vec<Panel>,
}

/// The choices that have a form of their own, in the order of the page.
const OTHERS: [Choice; 10] = [
    Choice::Answer,
    Choice::Withdraw,
    Choice::HandIn,
    Choice::Acknowledge,
    Choice::Resume,
    Choice::Inform,
    Choice::Ask,
    Choice::Reviewers,
    Choice::Hold,
    Choice::Cancel,
];

impl Panels {
    /// The forms for what can be chosen.
    pub(super) fn new(visitor: &Visitor, desk: &Desk, offers: &Offers, filled: &Filled) -> Self {
        let build = |choices: &[Choice]| {
            let offers: Vec<&Offer> = choices.iter().filter_map(|choice| offers.get(*choice)).collect();
            (!offers.is_empty()).then(|| Builder { visitor, desk, filled, t: visitor.untitled().t }.panel(&offers))
        };
        let decisions: Vec<Choice> = Choice::ALL.into_iter().filter(|choice| choice.decides()).collect();
        Self { decide: build(&decisions), others: OTHERS.iter().filter_map(|choice| build(&[*choice])).collect() }
    }
}

/// Where the forms of a task go.
pub(super) fn action(desk: &Desk) -> String {
    format!("/tasks/{}/commands", desk.task.id)
}

struct Builder<'a> {
    visitor: &'a Visitor,
    desk: &'a Desk,
    filled: &'a Filled,
    t: Texts,
}

impl Builder<'_> {
    fn panel(&self, offers: &[&Offer]) -> Panel {
        let choices: Vec<Choice> = offers.iter().map(|offer| offer.choice).collect();
        let is_sent = choices.iter().any(|choice| choice.value() == self.filled.typed.choice);
        let bound = self.filled.target.clone().filter(|_| is_sent);
        let present = || target(&self.desk.task, choices.iter().find_map(|choice| seq_of(self.desk, *choice)));
        let is_decision = choices[0].decides();
        let note = || self.area("note", "review-note", (&self.filled.typed.note, PROSE, 2));
        Panel {
            token: self.visitor.form_token(&action(self.desk)),
            target: bound.unwrap_or_else(present),
            options: offers.iter().map(|offer| self.choosable(offer)).collect(),
            note: is_decision.then(note).map(|area| Area { hint: Some(self.note_hint()), ..area }),
        }
    }

    fn note_hint(&self) -> String {
        let id = match self.visitor.party() {
            Party::Platform => "review-note-hint-platform",
            Party::Partner | Party::Buyer => "review-note-hint-partner",
        };
        self.t.text(id).into_owned()
    }

    fn choosable(&self, offer: &Offer) -> Choosable {
        let (choice, typed) = (offer.choice, &self.filled.typed);
        Choosable {
            value: choice.value(),
            label: self.t.text(choice.label()).into_owned(),
            consequence: offer.consequence.promise(self.t),
            is_chosen: typed.choice == choice.value(),
            is_open: typed.choice == choice.value() || self.is_wanted(choice),
            select: self.select(offer),
            leave: (choice == Choice::Reviewers).then(|| (self.places(), self.mistake("leave"))),
            areas: self.areas(choice),
            number: (choice == Choice::Inform).then(|| self.area("percent", "review-percent", (&typed.percent, 3, 1))),
            cause: self.cause(choice),
            points: choice.returns().then(|| self.points()),
            replies: if choice == Choice::HandIn { self.replies() } else { Vec::new() },
            pieces: choice.has_pieces().then(|| self.pieces()),
            tick: self.tick(choice),
            answers: if choice == Choice::Answer { self.answers() } else { Vec::new() },
        }
    }

    /// Whether this is what the task waits for.
    fn is_wanted(&self, choice: Choice) -> bool {
        let is_ours = self.desk.why.waiting_on == Some(self.visitor.party());
        match choice {
            Choice::Answer | Choice::Acknowledge => true,
            Choice::HandIn => is_ours && self.desk.task.phase == PhaseName::Preparing,
            Choice::Approve
            | Choice::SendBack
            | Choice::Escalate
            | Choice::Resolve(_)
            | Choice::Ask
            | Choice::Withdraw
            | Choice::Inform
            | Choice::Reviewers
            | Choice::Hold
            | Choice::Resume
            | Choice::Cancel => false,
        }
    }

    fn tick(&self, choice: Choice) -> Option<Tick> {
        let typed = &self.filled.typed;
        let (name, label, is_ticked) = match choice {
            Choice::SendBack | Choice::Resolve(Resolution::Reject) => ("share", "review-share", typed.share),
            Choice::Approve => ("praise-share", "review-praise-share", typed.praise_share),
            Choice::Ask => ("ask-share", "review-share", typed.ask_share),
            Choice::Cancel if self.visitor.party() == Party::Platform => ("at-once", "review-at-once", typed.at_once),
            Choice::Escalate
            | Choice::Resolve(_)
            | Choice::Answer
            | Choice::Withdraw
            | Choice::HandIn
            | Choice::Inform
            | Choice::Reviewers
            | Choice::Hold
            | Choice::Resume
            | Choice::Cancel
            | Choice::Acknowledge => return None,
        };
        Some(Tick { name, label: self.t.text(label).into_owned(), is_ticked })
    }

    fn select(&self, offer: &Offer) -> Option<Select> {
        let (t, typed) = (self.t, &self.filled.typed);
        let (name, label, chosen) = match offer.choice {
            Choice::Acknowledge => return Some(self.in_flight()),
            Choice::Reviewers => return Some(self.place()),
            Choice::SendBack | Choice::Resolve(Resolution::Reject) => {
                ("return-to", "review-return-to", &typed.return_to)
            }
            Choice::Escalate => ("to", "review-escalate-to", &typed.to),
            Choice::Resolve(Resolution::Redirect) => ("to", "review-redirect-to", &typed.to),
            Choice::Ask => ("ask-to", "review-ask-to", &typed.ask_to),
            Choice::Approve
            | Choice::Resolve(Resolution::Approve | Resolution::Return)
            | Choice::Answer
            | Choice::Withdraw
            | Choice::HandIn
            | Choice::Inform
            | Choice::Hold
            | Choice::Resume
            | Choice::Cancel => return None,
        };
        let parties = offer.parties.iter().map(|party| (party.as_str().to_owned(), words::party(t, *party)));
        let stages = offer.targets.iter().map(|(key, found)| (key.clone(), self.stage(key, found.as_ref())));
        let options: Vec<_> = parties.chain(stages).map(|(value, text)| (value == **chosen, value, text)).collect();
        let options = options.into_iter().map(|(is_chosen, value, text)| (value, text, is_chosen)).collect();
        Some(Select { name, label: t.text(label).into_owned(), options, mistake: self.mistake(name) })
    }

    fn places(&self) -> Vec<Place> {
        people::places(self.desk, &self.filled.typed.people)
    }

    /// The stages and panels whose people can change.
    fn place(&self) -> Select {
        let chosen = &self.filled.typed.people.place;
        let option = |place: Place| (place.value == *chosen, place.value, place.name);
        let options = self.places().into_iter().map(option).map(|(is_chosen, value, name)| (value, name, is_chosen));
        let label = self.t.text("review-place-of-reviewers").into_owned();
        Select { name: "place", label, options: options.collect(), mistake: self.mistake("place") }
    }

    /// The reasons of the stage, if it has any.
    fn cause(&self, choice: Choice) -> Option<Select> {
        let reasons = &self.desk.workflow.stages[self.desk.task.stage.position - 1].on_reject.reasons;
        if reasons.is_empty() || !choice.returns() {
            return None;
        }
        let chosen = &self.filled.typed.cause;
        let none = (String::new(), self.t.text("review-cause-choose").into_owned(), chosen.is_empty());
        let option = |reason: &Reason| {
            let key = reason.key.to_string();
            (key.clone(), reason.name.to_string(), *chosen == key)
        };
        let options = std::iter::once(none).chain(reasons.iter().map(option)).collect();
        let label = self.t.text("review-cause").into_owned();
        Some(Select { name: "cause", label, options, mistake: self.mistake("cause") })
    }

    /// The items of the feedback that returned the task.
    fn items(&self) -> impl Iterator<Item = (ItemId, &FeedbackItem)> {
        let returned = self.desk.task.feedback.iter().flat_map(|returned| &returned.feedback);
        returned.flat_map(|feedback| &feedback.items).filter_map(|item| Some((item.id?, item)))
    }

    fn replies(&self) -> Vec<ReplyRow> {
        let row = |(id, item): (ItemId, &FeedbackItem)| {
            let (typed, id) = (&self.filled.typed, (id, id.to_string()));
            let reply = typed.replies.iter().find(|reply| reply.item == id.1).cloned().unwrap_or_default();
            let ids = ["how", "why"].map(|part| reply_field(part, &id.1));
            ReplyRow {
                anchor: item.anchor.as_ref().map(ToString::to_string),
                text: item.text.to_string(),
                is_required: self.desk.task.unanswered.contains(&id.0),
                how: [Answered::Done, Answered::Declined]
                    .map(|how| (how.as_str(), words::answered(self.t, how), reply.how == how.as_str()))
                    .into(),
                words: reply.text,
                mistakes: [0, 1].map(|part: usize| self.mistake(&ids[part])),
                item: id.1,
                ids,
            }
        };
        self.items().map(row).collect()
    }

    fn in_flight(&self) -> Select {
        let chosen = &self.filled.typed.in_flight;
        let options = [("discarded", "review-discarded"), ("salvaged", "review-salvaged")];
        let options = options.map(|(value, id)| (value.to_owned(), self.t.text(id).into_owned(), chosen == value));
        let label = self.t.text("review-in-flight").into_owned();
        Select { name: "in-flight", label, options: options.into(), mistake: self.mistake("in-flight") }
    }

    /// The name of a stage to return to, and where the task goes if that is another one.
    fn stage(&self, key: &str, found: Option<&Consequence>) -> String {
        let name = words::stage(&self.desk.workflow, key);
        match found {
            Some(Consequence::Returns(to)) if *to != name => self
                .t
                .with_all("review-return-differs", [("named", (&*name).into()), ("stage", (&**to).into())])
                .into_owned(),
            _ => name,
        }
    }

    fn areas(&self, choice: Choice) -> Vec<Area> {
        let typed = &self.filled.typed;
        match choice {
            Choice::SendBack | Choice::Resolve(Resolution::Reject) => {
                vec![self.area("summary", "review-summary", (&typed.summary, PROSE, 4))]
            }
            Choice::Escalate => vec![self.area("reason", "review-escalate-question", (&typed.reason, PROSE, 4))],
            Choice::Resolve(Resolution::Return) => {
                vec![self.area("advice", "review-advice", (&typed.advice, PROSE, 4))]
            }
            Choice::Resolve(Resolution::Redirect) => {
                vec![self.area("message", "review-message", (&typed.message, PROSE, 3))]
            }
            Choice::Ask => {
                let options = self.area("options", "review-options", (&typed.options, 2010, 3));
                let hint = Some(self.t.text("review-options-hint").into_owned());
                vec![self.area("question", "review-question", (&typed.question, PROSE, 3)), Area { hint, ..options }]
            }
            Choice::Answer => vec![self.area("answer", "review-answer-text", (&typed.answer, PROSE, 3))],
            Choice::HandIn => vec![self.area("work-summary", "review-work-summary", (&typed.work, PROSE, 4))],
            Choice::Inform => vec![self.area("progress", "review-progress", (&typed.progress, MESSAGE, 2))],
            Choice::Reviewers => {
                let come = self.area("come", "review-come", (&typed.people.come, 20_100, 3));
                let hint = Some(self.t.text("review-come-hint").into_owned());
                let reason = ("people-reason", "review-people-reason", (&*typed.people.reason, PROSE, 3));
                vec![Area { hint, ..come }, self.area(reason.0, reason.1, reason.2)]
            }
            Choice::Hold => vec![self.area("hold", "review-hold-reason", (&typed.hold, MESSAGE, 2))],
            Choice::Cancel => vec![self.area("cancel", "review-cancel-reason", (&typed.cancel, MESSAGE, 2))],
            Choice::Acknowledge => vec![self.area("remarks", "review-remarks", (&typed.remarks, PROSE, 3))],
            Choice::Approve => vec![self.area("praise", "review-praise", (&typed.praise, PROSE, 2))],
            Choice::Resolve(Resolution::Approve) | Choice::Withdraw | Choice::Resume => Vec::new(),
        }
    }

    fn area(&self, name: &'static str, label: &str, (value, limit, rows): (&str, usize, u32)) -> Area {
        let label = self.t.text(label).into_owned();
        Area { name, label, hint: None, value: value.to_owned(), limit, rows, mistake: self.mistake(name) }
    }

    fn points(&self) -> Points {
        let (typed, preview) = (&self.filled.typed, self.filled.preview);
        let row = |(row, point): (usize, &Point)| PointRow {
            row,
            point: point.clone(),
            mistakes: ["severity", "where", "text"].map(|part| self.mistake(&format!("point-{part}-{row}"))),
            earlier: self.items().map(|(id, item)| earlier(id, item, point)).collect(),
            mistake: self.mistake(&format!("point-reopens-{row}")),
        };
        Points {
            rows: typed.points.iter().enumerate().map(row).collect(),
            more: typed.points.len() < MAX_POINTS,
            preview: preview.then(|| (typed.summary.clone(), typed.rows().map(|(_, point)| point.clone()).collect())),
        }
    }

    fn pieces(&self) -> Pieces {
        let pieces = &self.filled.typed.pieces;
        let names = [
            ("piece-name", "review-piece-name"),
            ("piece-url", "review-piece-url"),
            ("piece-digest", "review-piece-digest"),
        ];
        let row = |(row, piece): (usize, &Piece)| {
            let fields = names.into_iter().zip(piece.texts()).map(|((name, label), text)| {
                let mistake = self.mistake(&format!("{name}-{row}"));
                (name, self.t.text(label).into_owned(), text.to_owned(), mistake)
            });
            PieceRow { row, fields: fields.collect() }
        };
        Pieces { rows: pieces.iter().enumerate().map(row).collect(), more: pieces.len() < MAX_PIECES }
    }

    fn answers(&self) -> Vec<(usize, String, bool)> {
        let options = self.desk.task.question.iter().flat_map(|question| &question.options);
        let is_chosen = |number: usize| self.filled.typed.option == number.to_string();
        options.zip(1..).map(|(option, number)| (number, option.to_string(), is_chosen(number))).collect()
    }

    fn mistake(&self, field: &str) -> Option<String> {
        let found = self.filled.mistakes.iter().find(|mistake| mistake.field == field);
        found.map(|mistake| mistake.text.clone())
    }
}

/// An earlier item as a value of a field, in as many words as fit there.
fn earlier(id: ItemId, item: &FeedbackItem, point: &Point) -> (String, String, bool) {
    const SHOWN: usize = 60;
    let mut text: String = item.text.as_str().chars().take(SHOWN).collect();
    if item.text.as_str().chars().nth(SHOWN).is_some() {
        text.push('…');
    }
    let id = id.to_string();
    (id.clone(), format!("{id} {text}"), point.reopens == id)
}

/// Whether the visitor has an inbox to go back to.
pub(super) fn has_inbox(visitor: &Visitor) -> bool {
    visitor.reach.kind == LinkKind::Inbox
}
