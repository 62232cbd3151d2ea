//! Why a form was not accepted: mistakes at its fields, or a task that went on meanwhile.

use crate::domain::task::Decision;
use crate::domain::values::party::Source;
use crate::http::problem::{Code, FieldError, Problem, QuestionState};
use crate::pages::forms::Fields;
use crate::pages::frame::Frame;

use super::choice::{Choice, Point};

/// A mistake at a field of the form.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::pages) struct Mistake {
    /// The id of the field.
    pub(in crate::pages) field: String,
    /// What is wrong and what to do.
    pub(in crate::pages) text: String,
}

/// What became of a form that was not accepted.
#[derive(Debug)]
pub(super) enum Refused {
    /// The fields have mistakes.
    Mistakes(Vec<Mistake>),
    /// The task does not allow the choice any more: title and explanation.
    Conflict(String, String),
    /// It does not concern the form.
    Failed(Problem),
}

/// What the buyer left out or wrote too long, before anything is sent.
pub(super) fn check(choice: Option<Choice>, fields: &Fields, frame: &Frame) -> Vec<Mistake> {
    let t = frame.t;
    let Some(choice) = choice else {
        return vec![Mistake { field: "choice".to_owned(), text: t.text("mistake-choice").into_owned() }];
    };
    let mut mistakes = Vec::new();
    let mut add = |field: String, text: std::borrow::Cow<'_, str>| {
        mistakes.push(Mistake { field, text: text.into_owned() });
    };
    if let Some(asks) = choice.asks() {
        let text = fields.filled(&choice.text_field());
        if asks.is_required && text.is_none() {
            add(choice.text_field(), t.text(if choice == Choice::Cancel { "mistake-reason" } else { "mistake-text" }));
        }
        if text.is_some_and(|text| text.chars().count() > asks.limit) {
            add(choice.text_field(), t.with("mistake-long", "limit", asks.limit));
        }
    }
    if choice.has_points() {
        for (row, point) in Point::rows(fields).iter().enumerate() {
            if point.text.is_empty() && !(point.place.is_empty() && point.reopens.is_empty()) {
                add(format!("point-text-{row}"), t.text("mistake-point"));
            }
            if point.text.chars().count() > 4000 {
                add(format!("point-text-{row}"), t.with("mistake-long", "limit", 4000_usize));
            }
            if point.place.chars().count() > 500 {
                add(format!("point-where-{row}"), t.with("mistake-long", "limit", 500_usize));
            }
        }
    }
    mistakes
}

/// What a problem of the API means for the form.
pub(super) fn of(problem: Problem, choice: Choice, fields: &Fields, frame: &Frame) -> Refused {
    if problem.code() == Code::InvalidBody {
        let mistakes = problem.errors().iter().map(|error| mistake(error, choice, fields, frame));
        return Refused::Mistakes(mistakes.collect());
    }
    let is_conflict = matches!(problem.code().status().as_u16(), 403 | 409 | 412 | 422);
    if !is_conflict {
        return Refused::Failed(problem);
    }
    let (title, text) = words(&problem, frame);
    Refused::Conflict(title, text)
}

/// A rule that only the service knows, such as that of the characters of a text.
fn mistake(error: &FieldError, choice: Choice, fields: &Fields, frame: &Frame) -> Mistake {
    let point = error.pointer.strip_prefix("/feedback/items/").and_then(|rest| {
        let (index, name) = rest.split_once('/')?;
        let (row, _) = choice.points(fields).into_iter().nth(index.parse().ok()?)?;
        let name = match name {
            "anchor" => "where",
            "severity" => "severity",
            "reopens" => "reopens",
            _ => "text",
        };
        Some(format!("point-{name}-{row}"))
    });
    let is_text = choice.asks().is_some_and(|asks| asks.pointer == error.pointer);
    let field = match (point, &*error.pointer) {
        (Some(field), _) => field,
        (None, "/feedback/reason") => "cause".to_owned(),
        (None, _) if is_text => choice.text_field(),
        (None, _) => "choice".to_owned(),
    };
    let id = match &*field {
        "choice" => "mistake-form",
        "cause" => "mistake-cause",
        _ if &*error.code == "unknown_item" => "mistake-item",
        _ => "mistake-characters",
    };
    Mistake { field, text: frame.t.text(id).into_owned() }
}

/// Title and explanation of a refusal.
fn words(problem: &Problem, frame: &Frame) -> (String, String) {
    let (t, code) = (frame.t, problem.code());
    let conflict = problem.body(None).conflict;
    let decision: Option<Decision> = conflict.decision.and_then(|decision| serde_json::from_value(decision).ok());
    let state = conflict.question.map(|question| question.state);
    let mut text = match (code, decision, state) {
        (Code::AlreadyDecided, Some(decision), _) => {
            let id = match decision.party {
                Source::Service => "conflict-decided-by-time",
                Source::Buyer => "conflict-decided-by-you",
                Source::Partner | Source::Platform => "conflict-decided-by-others",
            };
            t.with(id, "at", frame.times.text(&decision.decided_at))
        }
        (Code::StaleQuestion, _, Some(QuestionState::Answered)) => t.text("conflict-question-answered"),
        (Code::StaleQuestion, _, Some(QuestionState::Lapsed)) => t.text("conflict-question-lapsed"),
        (code, ..) => t.text(reason(code)),
    }
    .into_owned();
    if let Some(recorded) = conflict.recorded.filter(|_| code != Code::AlreadyVoted) {
        text.push(' ');
        text.push_str(&t.with("conflict-recorded", "seq", recorded.seq));
    }
    (t.text(title(code)).into_owned(), text)
}

/// The title of a refusal.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other codes have no title of their own")]
fn title(code: Code) -> &'static str {
    match code {
        Code::AlreadyDecided => "conflict-title-decided",
        Code::StaleRevision => "conflict-title-newer",
        Code::TaskClosed | Code::Cancelling | Code::AlreadyCancelling => "conflict-title-ended",
        _ => "conflict-title",
    }
}

/// Why a choice is not possible.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other codes have no words of their own")]
pub(super) fn reason(code: Code) -> &'static str {
    match code {
        Code::AlreadyDecided => "conflict-decided",
        Code::StaleRevision => "conflict-newer",
        Code::StaleQuestion => "conflict-question",
        Code::Cancelling | Code::AlreadyCancelling => "conflict-cancelling",
        Code::TaskClosed => "conflict-closed",
        Code::RedirectLimit => "conflict-redirects",
        Code::NothingToReturnTo => "conflict-nothing-to-return",
        Code::AlreadyVoted => "conflict-voted",
        Code::EventIdReused => "conflict-sent-before",
        Code::LimitReached => "conflict-limit",
        Code::StageMismatch | Code::RoundMismatch | Code::WrongPhase | Code::StaleEscalation | Code::WrongParty => {
            "conflict-moved"
        }
        _ => "conflict-not-allowed",
    }
}
