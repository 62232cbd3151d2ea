//! Mistakes in a form: where the API points into a command, the page points at a field.

use crate::domain::task::event::Resolution;
use crate::http::problem::FieldError;
use crate::pages::texts::Texts;

use super::choice::Choice;
use super::people;
use super::typed::{MESSAGE, PROSE, Typed};

/// A mistake at a field of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The id of the field.
    pub(super) field: String,
    /// What is wrong and what to do.
    pub(super) text: String,
}

/// The mistake of a form without a choice.
pub(super) fn no_choice(t: Texts) -> Vec<Mistake> {
    vec![Mistake { field: "decide".to_owned(), text: t.text("review-mistake-choice").into_owned() }]
}

/// What was left out or is too long. The service says so too, but of one field at a time.
pub(super) fn check(choice: Choice, typed: &Typed, t: Texts) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut check = |field: String, text: &str, is_required: bool, limit: usize| {
        let length = text.trim().chars().count();
        let id = match length {
            0 if is_required => "review-mistake-required",
            _ if length > limit => "review-mistake-long",
            _ => return,
        };
        mistakes.push(Mistake { field, text: t.text(id).into_owned() });
    };
    for (field, text, is_required, limit) in texts_of(choice, typed) {
        check(field.to_owned(), text, is_required, limit);
    }
    if choice.has_pieces() {
        for (row, piece) in typed.piece_rows() {
            check(format!("piece-name-{row}"), &piece.name, true, 200);
            check(format!("piece-url-{row}"), &piece.url, false, 2000);
            check(format!("piece-digest-{row}"), &piece.digest, true, 64);
        }
    }
    if choice.returns() {
        for (row, point) in typed.rows() {
            check(format!("point-severity-{row}"), &point.severity, false, 64);
            check(format!("point-where-{row}"), &point.anchor, false, 500);
            check(format!("point-text-{row}"), &point.text, true, PROSE);
        }
    }
    check("note".to_owned(), &typed.note, false, PROSE);
    if choice == Choice::Reviewers {
        let own = typed.people.mistakes().into_iter();
        mistakes.extend(own.map(|(field, id)| Mistake { field: field.to_owned(), text: t.text(id).into_owned() }));
    }
    mistakes
}

/// The long texts of a choice, whether each must be there, and the most characters.
fn texts_of(choice: Choice, typed: &Typed) -> Vec<(&'static str, &str, bool, usize)> {
    match choice {
        Choice::SendBack | Choice::Resolve(Resolution::Reject) => vec![("summary", &typed.summary, true, PROSE)],
        Choice::Escalate => vec![("reason", &typed.reason, true, PROSE)],
        Choice::Resolve(Resolution::Return) => vec![("advice", &typed.advice, false, PROSE)],
        Choice::Resolve(Resolution::Redirect) => vec![("message", &typed.message, false, PROSE)],
        Choice::Ask => vec![("question", &typed.question, true, PROSE)],
        Choice::Answer => vec![("answer", &typed.answer, typed.option.is_empty(), PROSE)],
        Choice::HandIn => vec![("work-summary", &typed.work, typed.piece_rows().next().is_none(), PROSE)],
        Choice::Inform => vec![("progress", &typed.progress, true, MESSAGE)],
        Choice::Reviewers => vec![("people-reason", &typed.people.reason, true, PROSE)],
        Choice::Hold => vec![("hold", &typed.hold, true, MESSAGE)],
        Choice::Cancel => vec![("cancel", &typed.cancel, true, MESSAGE)],
        Choice::Acknowledge => vec![("remarks", &typed.remarks, false, PROSE)],
        Choice::Approve => vec![("praise", &typed.praise, false, PROSE)],
        Choice::Resolve(Resolution::Approve) | Choice::Withdraw | Choice::Resume => Vec::new(),
    }
}

/// The mistakes that the service found in a command.
pub(super) fn of(errors: &[FieldError], choice: Choice, typed: &Typed, t: Texts) -> Vec<Mistake> {
    let mistake = |error: &FieldError| {
        let field = error
            .item
            .map_or_else(|| field(&error.pointer, choice, typed), |item| reply_field("how", &item.to_string()));
        let own = Some(choice).filter(|choice| *choice == Choice::Reviewers);
        if let Some(id) = own.and_then(|_| people::mistake(&error.code, &field)) {
            return Mistake { text: t.text(id).into_owned(), field };
        }
        let id = match (&*error.code, field.trim_end_matches(|end: char| end == '-' || end.is_ascii_digit())) {
            (_, "decide") => "review-mistake-form",
            ("unanswered", _) => "review-mistake-unanswered",
            ("required", "why") => "review-mistake-declined",
            ("unknown_item", _) => "review-mistake-item",
            ("required", _) => "review-mistake-required",
            ("too_long", _) => "review-mistake-long",
            ("too_many", _) => "review-mistake-many",
            (_, "to" | "ask-to" | "return-to" | "cause") => "review-mistake-select",
            (_, "options") => "review-mistake-options",
            (_, "percent") => "review-mistake-percent",
            (_, "piece-url") => "review-mistake-url",
            (_, "piece-digest") => "review-mistake-digest",
            _ => "review-mistake-characters",
        };
        Mistake { text: t.text(id).into_owned(), field }
    };
    let mut mistakes: Vec<Mistake> = errors.iter().map(mistake).collect();
    mistakes.dedup();
    mistakes
}

/// The id of a field of the answer to an item.
pub(super) fn reply_field(part: &str, item: &str) -> String {
    format!("{part}-{}", item.replace('.', "-"))
}

/// The id of the field for a place in the command.
fn field(pointer: &str, choice: Choice, typed: &Typed) -> String {
    if choice == Choice::Reviewers {
        return people::field(pointer).to_owned();
    }
    if let Some((index, part)) = pointer.strip_prefix("/feedback/items/").and_then(|rest| rest.split_once('/')) {
        let row = index.parse().ok().and_then(|index| typed.rows().nth(index));
        let part = match part {
            "severity" => "severity",
            "anchor" => "where",
            "reopens" => "reopens",
            _ => "text",
        };
        return row.map_or_else(|| "summary".to_owned(), |(row, _)| format!("point-{part}-{row}"));
    }
    if let Some((index, part)) = pointer.strip_prefix("/answers/").and_then(|rest| rest.split_once('/')) {
        let reply = index.parse().ok().and_then(|index| typed.sent_replies().nth(index));
        let part = if part == "text" { "why" } else { "how" };
        return reply.map_or_else(|| "decide".to_owned(), |reply| reply_field(part, &reply.item));
    }
    if let Some((index, part)) = pointer.strip_prefix("/artifacts/").and_then(|rest| rest.split_once('/')) {
        let row = index.parse().ok().and_then(|index| typed.piece_rows().nth(index));
        let part = match part {
            "url" => "url",
            "sha256" => "digest",
            _ => "name",
        };
        return row.map_or_else(|| "decide".to_owned(), |(row, _)| format!("piece-{part}-{row}"));
    }
    let field = match pointer {
        "/artifacts" if choice == Choice::Acknowledge => "piece-name-0",
        "/summary" | "/artifacts" => "work-summary",
        "/message" => "progress",
        "/percent" => "percent",
        "/in_flight" => "in-flight",
        "/notes" => "remarks",
        "/reason" if choice == Choice::Hold => "hold",
        "/reason" if choice == Choice::Cancel => "cancel",
        "/feedback" | "/feedback/summary" | "/feedback/items" => "summary",
        "/feedback/reason" => "cause",
        "/return_to" => "return-to",
        "/to" if choice == Choice::Ask => "ask-to",
        "/to" => "to",
        "/reason" => "reason",
        "/advice" if choice.names_a_party() => "message",
        "/advice" => "advice",
        "/note" => "note",
        "/question" if choice == Choice::Ask => "question",
        "/answer" | "/option" => "answer",
        _ if pointer.starts_with("/options") => "options",
        _ => "decide",
    };
    field.to_owned()
}
