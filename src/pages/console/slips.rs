//! Mistakes in what a visitor typed: in the filters of a list, or in a form.

use crate::app::Error;
use crate::domain::task::refusal::Refusal;
use crate::http::problem::refused::explain;
use crate::pages::frame::Frame;
use crate::pages::problem::PageError;
use crate::pages::query::Query;

/// A mistake: the field's id, and what is wrong with it.
#[derive(Clone, Debug)]
pub(super) struct Slip {
    pub(super) field: &'static str,
    pub(super) text: String,
}

/// The filters of a list that could not be read.
pub(super) fn of(query: &Query, frame: &Frame) -> Vec<Slip> {
    let slip = |field: &&'static str| Slip { field, text: frame.t.text(sentence(field)).into_owned() };
    query.mistakes().iter().map(slip).collect()
}

/// The id of the sentence about a field that cannot be read.
fn sentence(field: &str) -> &'static str {
    match field {
        "stage" => "console-wrong-stage",
        "workflow" | "from" => "console-wrong-workflow",
        "task" => "console-wrong-task",
        "partner" => "console-wrong-partner",
        "since" | "until" | "opened_at" => "console-wrong-time",
        "version" => "console-wrong-version",
        "span" => "insights-wrong-span",
        "hours" => "console-wrong-hours",
        "cursor" => "console-wrong-cursor",
        "actor" => "console-wrong-actor",
        _ => "console-wrong-choice",
    }
}

/// The refusal of a use case as a mistake in a form; other errors are pages of their own.
pub(super) fn refused(error: Error, frame: &Frame, field: impl Fn(&str) -> &'static str) -> Result<Slip, PageError> {
    let Error::Rejected(refusal) = error else { return Err(PageError::of(error, frame)) };
    let Refusal::Invalid { pointer, message, .. } = &refusal else {
        return Ok(Slip { field: field(""), text: explain(&refusal).1 });
    };
    Ok(Slip { field: field(pointer), text: format!("{pointer}: {message}") })
}
