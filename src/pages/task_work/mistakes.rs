//! Mistakes in a form: where the API points into a command, the page points at a field.

use crate::domain::task::event::Resolution;
use crate::http::problem::FieldError;
use crate::pages::texts::Texts;

use super::choice::Choice;
use super::typed::{PROSE, Typed};

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
    for (field, text, is_required) in texts_of(choice, typed) {
        check(field.to_owned(), text, is_required, PROSE);
    }
    if choice.returns() {
        for (row, point) in typed.rows() {
            check(format!("point-severity-{row}"), &point.severity, false, 64);
            check(format!("point-where-{row}"), &point.anchor, false, 500);
            check(format!("point-text-{row}"), &point.text, true, PROSE);
        }
    }
    check("note".to_owned(), &typed.note, false, PROSE);
    mistakes
}

/// The long texts of a choice, and whether each must be there.
fn texts_of(choice: Choice, typed: &Typed) -> Vec<(&'static str, &str, bool)> {
    match choice {
        Choice::SendBack | Choice::Resolve(Resolution::Reject) => vec![("summary", &typed.summary, true)],
        Choice::Escalate => vec![("reason", &typed.reason, true)],
        Choice::Resolve(Resolution::Return) => vec![("advice", &typed.advice, false)],
        Choice::Resolve(Resolution::Redirect) => vec![("message", &typed.message, false)],
        Choice::Ask => vec![("question", &typed.question, true)],
        Choice::Answer => vec![("answer", &typed.answer, typed.option.is_empty())],
        Choice::Approve | Choice::Resolve(Resolution::Approve) | Choice::Withdraw => Vec::new(),
    }
}

/// The mistakes that the service found in a command.
pub(super) fn of(errors: &[FieldError], choice: Choice, typed: &Typed, t: Texts) -> Vec<Mistake> {
    let mistake = |error: &FieldError| {
        let field = field(&error.pointer, choice, typed);
        let id = match (&*error.code, &*field) {
            (_, "decide") => "review-mistake-form",
            ("required", _) => "review-mistake-required",
            ("too_long", _) => "review-mistake-long",
            ("too_many", _) => "review-mistake-many",
            (_, "to" | "ask-to" | "return-to") => "review-mistake-select",
            (_, "options") => "review-mistake-options",
            _ => "review-mistake-characters",
        };
        Mistake { text: t.text(id).into_owned(), field }
    };
    let mut mistakes: Vec<Mistake> = errors.iter().map(mistake).collect();
    mistakes.dedup();
    mistakes
}

/// The id of the field for a place in the command.
fn field(pointer: &str, choice: Choice, typed: &Typed) -> String {
    if let Some((index, part)) = pointer.strip_prefix("/feedback/items/").and_then(|rest| rest.split_once('/')) {
        let row = index.parse().ok().and_then(|index| typed.rows().nth(index));
        let part = match part {
            "severity" => "severity",
            "anchor" => "where",
            _ => "text",
        };
        return row.map_or_else(|| "summary".to_owned(), |(row, _)| format!("point-{part}-{row}"));
    }
    let field = match pointer {
        "/feedback" | "/feedback/summary" | "/feedback/items" => "summary",
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
