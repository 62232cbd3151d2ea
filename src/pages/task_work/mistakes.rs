//! Mistakes in a form: where the API points into a command, the page points at a field.

use crate::http::problem::FieldError;
use crate::pages::texts::Texts;

use super::choice::Choice;
use super::typed::Typed;

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
