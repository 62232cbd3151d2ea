//! Why a form was not accepted, where the task went on meanwhile: who was first, what is now, and
//! every word that was typed.

use askama::Template;
use axum::response::Response;

use crate::app::Error;
use crate::app::tasks::Desk;
use crate::domain::audit::EntryView;
use crate::domain::task::{Decision, PhaseName};
use crate::http::AppState;
use crate::http::problem::{Code, Problem, QuestionState};
use crate::pages::frame::{Frame, render};
use crate::pages::problem::PageError;
use crate::pages::session::Visitor;
use crate::pages::texts::{Texts, Value as Word, written};

use super::history;
use super::panel::has_inbox;
use super::typed::Typed;
use super::words;

/// The page of a conflict.
#[derive(Template)]
#[template(path = "work/conflict.html", config = "src/pages/askama.toml")]
struct ConflictPage {
    frame: Frame,
    t: Texts,
    /// What happened.
    sentences: Vec<String>,
    /// What the one who was first said.
    said: Vec<String>,
    /// Whose turn it is now.
    turn: String,
    /// What was typed: label and text.
    typed: Vec<(String, String)>,
    task: String,
    has_inbox: bool,
}

/// Answers with the page of a conflict.
pub(super) async fn answer(
    state: &AppState,
    visitor: &Visitor,
    (desk, problem): (&Desk, Problem),
    typed: &Typed,
) -> Result<Response, PageError> {
    let frame = visitor.untitled();
    let found = Found::new(state, visitor, (desk, &problem)).await.map_err(|error| PageError::of(error, frame))?;
    let (title, sentences) = found.words(desk, frame);
    let page = ConflictPage {
        frame: visitor.frame(title),
        t: frame.t,
        sentences,
        said: found.entry.as_ref().map(|entry| history::quotes(entry, frame.t)).unwrap_or_default(),
        turn: words::turn(frame.t, &desk.task, visitor.party()),
        typed: typed.texts(frame.t),
        task: format!("/tasks/{}", desk.task.id),
        has_inbox: has_inbox(visitor),
    };
    Ok(render(problem.code().status(), &page))
}

/// What is known about a conflict.
struct Found {
    code: Code,
    /// The entry that decided or answered, as the visitor's party may see it.
    entry: Option<EntryView>,
    /// The entry that keeps a decision that came too late.
    recorded: Option<u64>,
    /// How the question was closed.
    question: Option<QuestionState>,
}

impl Found {
    async fn new(state: &AppState, visitor: &Visitor, (desk, problem): (&Desk, &Problem)) -> Result<Self, Error> {
        let conflict = problem.body(None).conflict;
        let decision: Option<Decision> = conflict.decision.and_then(|decision| serde_json::from_value(decision).ok());
        let answer = conflict.question.as_ref().and_then(|question| question.closed_by);
        let entry = match decision.map(|decision| decision.seq).or(answer) {
            Some(seq) => {
                let trails = &state.app.audit.task_trails;
                trails.get_task_audit(&visitor.caller, desk.task.id, seq - 1, 1).await?.rows.pop()
            }
            None => None,
        };
        let recorded = conflict.recorded.map(|recorded| recorded.seq);
        Ok(Self { code: problem.code(), entry, recorded, question: conflict.question.map(|question| question.state) })
    }

    /// The title and what happened.
    fn words(&self, desk: &Desk, frame: &Frame) -> (String, Vec<String>) {
        let t = frame.t;
        let mut sentences = vec![self.first(desk, frame)];
        if let Some(seq) = self.recorded.filter(|_| matches!(self.code, Code::Cancelling | Code::TaskClosed)) {
            sentences.push(t.with("review-conflict-kept", "seq", seq).into_owned());
        }
        (t.text(self.title(desk)).into_owned(), sentences)
    }

    fn title(&self, desk: &Desk) -> &'static str {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other codes are about the person or the form")]
        match self.code {
            Code::AlreadyDecided => "review-conflict-decided",
            Code::AlreadyVoted => "review-conflict-voted",
            Code::WrongPhase if desk.task.phase == PhaseName::OnHold => "review-conflict-held",
            Code::Cancelling | Code::AlreadyCancelling => "review-conflict-cancelling",
            Code::TaskClosed => "review-conflict-closed",
            Code::StageMismatch | Code::RoundMismatch | Code::WrongPhase => "review-conflict-moved",
            Code::StaleEscalation => "review-conflict-escalation",
            Code::StaleQuestion => "review-conflict-question",
            Code::QuestionOpen => "review-conflict-question-open",
            Code::EventIdReused => "review-conflict-reused",
            Code::LimitReached => "review-conflict-limit",
            _ => "review-conflict-not-allowed",
        }
    }

    /// What happened before the form arrived.
    fn first(&self, desk: &Desk, frame: &Frame) -> String {
        let t = frame.t;
        let values = || self.who_and_when(frame);
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other codes are about the person or the form")]
        match self.code {
            Code::AlreadyDecided => t.with_all(self.decided(), values()).into_owned(),
            Code::AlreadyVoted => t.with("review-conflict-voted-text", "seq", self.recorded.unwrap_or_default()).into(),
            Code::WrongPhase if desk.task.phase == PhaseName::OnHold => reason(t, desk, "review-conflict-held-text"),
            Code::Cancelling | Code::AlreadyCancelling => reason(t, desk, "review-conflict-cancelling-text"),
            Code::TaskClosed => t.text("review-conflict-closed-text").into(),
            Code::StageMismatch | Code::RoundMismatch | Code::WrongPhase => t.text("review-conflict-moved-text").into(),
            Code::StaleEscalation => t.text("review-conflict-escalation-text").into(),
            Code::StaleQuestion => match self.question {
                Some(QuestionState::Answered) => t.with_all("review-conflict-answered", values()).into(),
                Some(QuestionState::Withdrawn) => t.text("review-conflict-question-withdrawn").into(),
                Some(QuestionState::Lapsed) => t.text("review-conflict-question-lapsed").into(),
                Some(QuestionState::Open | QuestionState::Overtaken) | None => {
                    t.text("review-conflict-question-text").into()
                }
            },
            Code::QuestionOpen => t.text("review-conflict-question-open-text").into(),
            Code::EventIdReused => t.text("review-conflict-reused-text").into(),
            Code::LimitReached => t.text("review-conflict-limit-text").into(),
            code => t.text(words::reason(code)).into(),
        }
    }

    /// What the decision was that came first.
    fn decided(&self) -> &'static str {
        let Some(entry) = &self.entry else { return "review-conflict-decided-text" };
        let is_by_service = entry.party.is_some_and(|party| party.party().is_none());
        match (entry.kind, is_by_service) {
            (Some("task.stage_approved"), false) => "review-conflict-approved-by",
            (Some("task.stage_approved"), true) => "review-conflict-approved-by-time",
            (Some("task.stage_rejected"), false) => "review-conflict-rejected-by",
            (Some("task.stage_rejected"), true) => "review-conflict-rejected-by-time",
            _ => "review-conflict-decided-text",
        }
    }

    fn who_and_when(&self, frame: &Frame) -> Vec<(&'static str, Word<'_>)> {
        let Some(entry) = &self.entry else { return vec![("who", "".into()), ("when", "".into())] };
        let party = history::source(frame.t, entry.party);
        let who = history::actor(entry).map_or(party, |name| words::list([name.as_str()]));
        let when = entry.recorded_at.as_ref().map(|at| frame.times.text(at)).unwrap_or_default();
        vec![("who", who.into()), ("when", when.into())]
    }
}

/// Who stopped the work and why, as far as that is known.
fn reason(t: Texts, desk: &Desk, id: &str) -> String {
    let held = desk.task.hold.as_ref().map(|hold| (hold.by, hold.reason.as_ref()));
    let cancelled = desk.task.cancellation.as_ref().map(|cancellation| (cancellation.by, cancellation.reason.as_ref()));
    let (by, reason) = held.or(cancelled).map_or((None, None), |(by, reason)| (Some(by), reason));
    let by = by.map(|party| words::by(t, party)).unwrap_or_default();
    let reason = reason.map(ToString::to_string).unwrap_or_default();
    t.with_all(id, [("party", by.into()), ("reason", written(&reason))]).into_owned()
}

/// When the latest revision came, for a form about an earlier one.
pub(super) fn newer_work(desk: &Desk, earlier: &str, frame: &Frame) -> String {
    let at = desk.task.submission.as_ref().map(|submission| frame.times.text(&submission.submitted_at));
    let values = [
        ("revision", desk.task.revision.into()),
        ("when", at.unwrap_or_default().into()),
        ("earlier", earlier.parse::<u64>().map_or_else(|_| Word::from(earlier), Word::from)),
    ];
    frame.t.with_all("review-newer-work", values).into_owned()
}

/// Whether a problem is about the state of the task or the person, so that a page can say what it is.
pub(super) fn is_conflict(problem: &Problem) -> bool {
    matches!(problem.code().status().as_u16(), 403 | 409 | 412 | 422)
}
