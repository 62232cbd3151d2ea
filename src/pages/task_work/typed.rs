//! What somebody typed into the forms of the page, kept word by word when a form comes back.

use serde_json::{Value, json};

use crate::domain::task::event::ItemId;
use crate::domain::task::limits::MAX_ANSWERS;
use crate::domain::task::view::TaskView;
use crate::domain::values::party::Party;
use crate::pages::forms::Fields;
use crate::pages::texts::{Texts, written};

use super::people::People;

/// The rows of points that a form has at first.
const FIRST_POINTS: usize = 3;
/// The rows of pieces of work that a form has at first.
const FIRST_PIECES: usize = 1;
/// The most pieces of work.
pub(super) const MAX_PIECES: usize = 50;
/// The most points of a feedback.
pub(super) const MAX_POINTS: usize = 100;

/// The severity of a point that does not block.
pub(super) const COULD: &str = "could";

/// The most characters of long texts.
pub(super) const PROSE: usize = 4000;
/// The most characters of what every party reads.
pub(super) const MESSAGE: usize = 500;

/// What somebody typed, as it stands in the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a box of a form")]
pub(super) struct Typed {
    /// The value of the choice.
    pub(super) choice: String,
    /// The stage to send back to.
    pub(super) return_to: String,
    /// The key of the reason.
    pub(super) cause: String,
    /// The reasons in short.
    pub(super) summary: String,
    /// The points.
    pub(super) points: Vec<Point>,
    /// Whether the buyer may read the feedback.
    pub(super) share: bool,
    /// The remarks of an approval.
    pub(super) praise: String,
    /// Whether the buyer may read them.
    pub(super) praise_share: bool,
    /// The party that an escalation goes to.
    pub(super) to: String,
    /// The question of an escalation.
    pub(super) reason: String,
    /// The advice with which an escalation is returned.
    pub(super) advice: String,
    /// The message to the next party.
    pub(super) message: String,
    /// The note to the own people.
    pub(super) note: String,
    /// The party asked.
    pub(super) ask_to: String,
    /// The question.
    pub(super) question: String,
    /// The suggested answers, one a line.
    pub(super) options: String,
    /// Whether the buyer may read the question.
    pub(super) ask_share: bool,
    /// The answer.
    pub(super) answer: String,
    /// The chosen answer, from 1.
    pub(super) option: String,
    /// The work in short.
    pub(super) work: String,
    /// The pieces of work.
    pub(super) pieces: Vec<Piece>,
    /// The answers to feedback.
    pub(super) replies: Vec<Reply>,
    /// What the buyer is told about the progress.
    pub(super) progress: String,
    /// The progress in percent.
    pub(super) percent: String,
    /// Who comes and who goes.
    pub(super) people: People,
    /// Why the task is put on hold.
    pub(super) hold: String,
    /// Why the task is cancelled.
    pub(super) cancel: String,
    /// Whether it is cancelled at once, whatever the stage says.
    pub(super) at_once: bool,
    /// What became of the work.
    pub(super) in_flight: String,
    /// Remarks on that.
    pub(super) remarks: String,
}

/// What a choice is about: the state that the form was rendered for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// The key of the stage.
    pub(super) stage: String,
    /// Its round.
    pub(super) round: String,
    /// The revision under review.
    pub(super) revision: String,
    /// The escalation or question, by the `seq` of its event; empty without one.
    pub(super) seq: String,
}

/// A point of the feedback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    /// How important it is.
    pub(super) severity: String,
    /// Where it is.
    pub(super) anchor: String,
    /// What it is.
    pub(super) text: String,
    /// The id of the earlier item that it raises again.
    pub(super) reopens: String,
}

/// The answer to an item of feedback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    /// The id of the item.
    pub(super) item: String,
    /// What became of it.
    pub(super) how: String,
    /// The answer in words.
    pub(super) text: String,
}

/// A piece of work, by reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its name.
    pub(super) name: String,
    /// Where it is.
    pub(super) url: String,
    /// The SHA-256 of its bytes.
    pub(super) digest: String,
}

impl Piece {
    /// What was typed, in the order of the fields.
    pub(super) fn texts(&self) -> [&str; 3] {
        [&self.name, &self.url, &self.digest]
    }

    fn is_empty(&self) -> bool {
        self.texts().iter().all(|text| text.trim().is_empty())
    }
}

impl Point {
    /// The point as the API takes it. What could be done does not block.
    fn as_item(&self) -> Value {
        let members =
            [("severity", &self.severity), ("anchor", &self.anchor), ("text", &self.text), ("reopens", &self.reopens)];
        let texts = members.into_iter().filter_map(|(name, text)| Some((name.to_owned(), filled(text)?.into())));
        let blocking = (filled(&self.severity) == Some(COULD)).then(|| ("blocking".to_owned(), false.into()));
        Value::Object(texts.chain(blocking).collect())
    }

    fn is_empty(&self) -> bool {
        [&self.severity, &self.anchor, &self.text, &self.reopens].iter().all(|text| text.trim().is_empty())
    }
}

impl Default for Typed {
    fn default() -> Self {
        Self::of(&Fields::default())
    }
}

impl Typed {
    /// The fields of a form.
    pub(super) fn of(fields: &Fields) -> Self {
        let get = |name: &str| fields.get(name).to_owned();
        Self {
            choice: get("choice"),
            return_to: get("return-to"),
            summary: get("summary"),
            points: points(fields),
            share: fields.has("share"),
            cause: get("cause"),
            praise: get("praise"),
            praise_share: fields.has("praise-share"),
            to: get("to"),
            reason: get("reason"),
            advice: get("advice"),
            message: get("message"),
            note: get("note"),
            ask_to: get("ask-to"),
            question: get("question"),
            options: get("options"),
            ask_share: fields.has("ask-share"),
            answer: get("answer"),
            option: get("option"),
            work: get("work-summary"),
            pieces: pieces(fields),
            replies: replies(fields),
            progress: get("progress"),
            percent: get("percent"),
            people: People::of(fields),
            hold: get("hold"),
            cancel: get("cancel"),
            at_once: fields.has("at-once"),
            in_flight: get("in-flight"),
            remarks: get("remarks"),
        }
    }

    /// The least that a command says, to learn what it would do.
    pub(super) fn least(to: Option<Party>, return_to: Option<&str>) -> Self {
        let party = to.map(|party| party.as_str().to_owned()).unwrap_or_default();
        let text = || "-".to_owned();
        Self {
            return_to: return_to.unwrap_or_default().to_owned(),
            summary: text(),
            points: Vec::new(),
            reason: text(),
            question: text(),
            answer: text(),
            ask_to: party.clone(),
            to: party,
            work: text(),
            progress: text(),
            hold: text(),
            cancel: text(),
            in_flight: "discarded".to_owned(),
            ..Self::default()
        }
    }

    /// The same with what a stage and a return demand: a reason, and answers.
    pub(super) fn with_demands(self, reason: Option<&str>, unanswered: &[ItemId]) -> Self {
        let done = |item: &ItemId| Reply { item: item.to_string(), how: "done".to_owned(), text: String::new() };
        let replies = unanswered.iter().map(done).collect();
        Self { cause: reason.unwrap_or_default().to_owned(), replies, ..self }
    }

    /// The answers that are sent, as the API takes them.
    pub(super) fn answers(&self) -> Value {
        let answer = |reply: &Reply| {
            let mut answer = json!({ "item": reply.item, "how": reply.how });
            if let Some(text) = filled(&reply.text) {
                answer["text"] = text.into();
            }
            answer
        };
        self.sent_replies().map(answer).collect()
    }

    /// The answers that are sent: those that say what became of the item, or say something.
    pub(super) fn sent_replies(&self) -> impl Iterator<Item = &Reply> {
        self.replies.iter().filter(|reply| !reply.how.is_empty() || filled(&reply.text).is_some())
    }

    /// The member with the remarks of an approval, as the API takes it; none if nothing was typed.
    pub(super) fn remarks_of_approval(&self) -> Option<(String, Value)> {
        let feedback = |summary| json!({ "summary": summary, "share_with_buyer": self.praise_share });
        filled(&self.praise).map(|summary| ("feedback".to_owned(), feedback(summary)))
    }

    /// The same with room for more points.
    pub(super) fn with_more_points(mut self) -> Self {
        let rows = (self.points.len() + FIRST_POINTS).min(MAX_POINTS);
        self.points.resize(rows, Point::default());
        self
    }

    /// The same with room for more pieces of work.
    pub(super) fn with_more_pieces(mut self) -> Self {
        let rows = (self.pieces.len() + FIRST_POINTS).min(MAX_PIECES);
        self.pieces.resize(rows, Piece::default());
        self
    }

    /// The pieces of work as the API takes them. Rows without a word are left out.
    pub(super) fn artifacts(&self) -> Value {
        let artifact = |(_, piece): (usize, &Piece)| {
            let members = ["name", "url", "sha256"].into_iter().zip(piece.texts());
            let members = members.filter_map(|(name, text)| Some((name.to_owned(), filled(text)?.into())));
            Value::Object(members.collect())
        };
        self.piece_rows().map(artifact).collect()
    }

    /// The pieces of work that are sent, each with its row in the form.
    pub(super) fn piece_rows(&self) -> impl Iterator<Item = (usize, &Piece)> {
        self.pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty())
    }

    /// The feedback as the API takes it. Rows without a word are left out.
    pub(super) fn feedback(&self) -> Value {
        let mut feedback = json!({ "share_with_buyer": self.share });
        if let Some(summary) = filled(&self.summary) {
            feedback["summary"] = summary.into();
        }
        if let Some(reason) = filled(&self.cause) {
            feedback["reason"] = reason.into();
        }
        feedback["items"] = self.rows().map(|(_, point)| point.as_item()).collect();
        feedback
    }

    /// The points that are sent, each with its row in the form.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, &Point)> {
        self.points.iter().enumerate().filter(|(_, point)| !point.is_empty())
    }

    /// Every text that somebody typed, with the id of its label: nothing of it may be lost.
    pub(super) fn texts(&self, t: Texts) -> Vec<(String, String)> {
        let one = |label: &str, text: &str| Some((t.text(label).into_owned(), filled(text)?.to_owned()));
        let mut texts: Vec<_> = [one("review-summary", &self.summary)].into_iter().flatten().collect();
        texts.extend(one("review-praise", &self.praise));
        texts.extend(self.rows().map(|(row, point)| {
            let parts: Vec<&str> =
                [&point.severity, &point.anchor, &point.text].into_iter().filter_map(|text| filled(text)).collect();
            (t.with("review-point", "number", row + 1).into_owned(), parts.join("\n"))
        }));
        let rest = [
            one("review-escalate-question", &self.reason),
            one("review-advice", &self.advice),
            one("review-message", &self.message),
            one("review-note", &self.note),
            one("review-question", &self.question),
            one("review-options", &self.options),
            one("review-answer-text", &self.answer),
            one("review-work-summary", &self.work),
            one("review-progress", &self.progress),
            one("review-come", &self.people.come),
            one("review-leave", &self.people.leaving_in_words()),
            one("review-people-reason", &self.people.reason),
            one("review-hold-reason", &self.hold),
            one("review-cancel-reason", &self.cancel),
            one("review-remarks", &self.remarks),
        ];
        texts.extend(rest.into_iter().flatten());
        let replies = self.replies.iter().filter_map(|reply| {
            Some((
                t.with("review-reply-to", "item", written(&reply.item)).into_owned(),
                filled(&reply.text)?.to_owned(),
            ))
        });
        texts.extend(replies);
        texts.extend(self.piece_rows().map(|(row, piece)| {
            let parts: Vec<&str> = piece.texts().into_iter().filter_map(filled).collect();
            (t.with("review-piece", "number", row + 1).into_owned(), parts.join("\n"))
        }));
        texts
    }
}

/// The rows of points: each has all three fields, so that they pair by their order.
fn points(fields: &Fields) -> Vec<Point> {
    let column = |name: &str| fields.all(name).map(str::to_owned).collect::<Vec<_>>();
    let [severities, places, texts, earlier] =
        ["point-severity", "point-where", "point-text", "point-reopens"].map(column);
    let at = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
    let point = |row: usize| Point {
        severity: at(&severities, row),
        anchor: at(&places, row),
        text: at(&texts, row),
        reopens: at(&earlier, row),
    };
    let mut points: Vec<Point> = (0..texts.len().min(MAX_POINTS)).map(point).collect();
    let rows = points.len().max(FIRST_POINTS);
    points.resize(rows, Point::default());
    points
}

/// The answers, each in fields that its item names.
fn replies(fields: &Fields) -> Vec<Reply> {
    let reply = |item: &str| Reply {
        item: item.to_owned(),
        how: fields.get(&format!("how-{item}")).to_owned(),
        text: fields.get(&format!("why-{item}")).to_owned(),
    };
    fields.all("reply").take(MAX_ANSWERS).map(reply).collect()
}

/// The rows of pieces of work: each has all three fields, so that they pair by their order.
fn pieces(fields: &Fields) -> Vec<Piece> {
    let names = fields.all("piece-name");
    let addresses = fields.all("piece-url").map(Some).chain(std::iter::repeat(None));
    let digests = fields.all("piece-digest").map(Some).chain(std::iter::repeat(None));
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let rows = names.zip(addresses.zip(digests)).take(MAX_PIECES);
    let mut pieces: Vec<Piece> = rows
        .map(|(name, (url, digest))| Piece { name: name.to_owned(), url: text(url), digest: text(digest) })
        .collect();
    let rows = pieces.len().max(FIRST_PIECES);
    pieces.resize(rows, Piece::default());
    pieces
}

/// The text without blanks around it, if there is any.
pub(super) fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// The target of a form for the present state.
pub(super) fn target(task: &TaskView, seq: Option<u64>) -> Target {
    Target {
        stage: task.stage.key.to_string(),
        round: task.round.to_string(),
        revision: task.revision.to_string(),
        seq: seq.map(|seq| seq.to_string()).unwrap_or_default(),
    }
}
