//! Words that several parts of the desk use: people, parties, stages, the turn, reasons.

use crate::domain::task::PhaseName;
use crate::domain::task::event::Answered;
use crate::domain::task::view::{TaskView, VoteView};
use crate::domain::values::party::{Actor, Party};
use crate::domain::workflow::Workflow;
use crate::http::problem::Code;
use crate::pages::texts::{Texts, written};

/// A party within a sentence.
pub(in crate::pages) fn party(t: Texts, party: Party) -> String {
    let id = match party {
        Party::Partner => "party-partner",
        Party::Platform => "party-platform",
        Party::Buyer => "party-buyer",
    };
    t.text(id).into_owned()
}

/// A party after "by".
pub(in crate::pages) fn by(t: Texts, party: Party) -> String {
    let id = match party {
        Party::Partner => "review-by-partner",
        Party::Platform => "review-by-platform",
        Party::Buyer => "review-by-buyer",
    };
    t.text(id).into_owned()
}

/// The name of a person; the id where no name is known.
pub(in crate::pages) fn person(actor: &Actor) -> String {
    actor.name.as_ref().map_or_else(|| actor.id.to_string(), ToString::to_string)
}

/// Who cast a vote, and the absent person that it is for.
pub(in crate::pages) fn voter(t: Texts, vote: &VoteView) -> String {
    let who = person(&vote.actor);
    let Some(holder) = &vote.stands_for else { return who };
    t.with_all("review-for", [("who", written(&who)), ("holder", written(holder.as_str()))]).into_owned()
}

/// Texts that people wrote, as a list within a sentence; each keeps its own direction.
pub(in crate::pages) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("\u{2068}{name}\u{2069}")).collect();
    names.join(", ")
}

/// The name of a stage; the key where the definition has no such stage.
pub(in crate::pages) fn stage(workflow: &Workflow, key: &str) -> String {
    let found = workflow.stages.iter().find(|stage| stage.key.as_str() == key);
    found.map_or_else(|| key.to_owned(), |stage| stage.name.to_string())
}

/// A stage, and the panel of it that is meant.
pub(super) fn place(stage: &str, panel: Option<&str>) -> String {
    panel.map_or_else(|| stage.to_owned(), |panel| format!("{stage} · {panel}"))
}

/// Whose turn it is, in one sentence.
pub(in crate::pages) fn turn(t: Texts, task: &TaskView, reader: Party) -> String {
    let id = match task.phase {
        PhaseName::Delivery => "review-turn-delivered",
        PhaseName::Cancelled => "review-turn-cancelled",
        PhaseName::Expired => "review-turn-expired",
        PhaseName::Failed => "review-turn-failed",
        PhaseName::Cancelling => "review-turn-cancelling",
        PhaseName::OnHold => "review-turn-held",
        PhaseName::Preparing | PhaseName::InReview | PhaseName::Escalated => {
            return turn_of(t, task.waiting_on, reader);
        }
    };
    t.text(id).into_owned()
}

fn turn_of(t: Texts, waiting_on: Option<Party>, reader: Party) -> String {
    match waiting_on {
        Some(party) if party == reader => t.text("review-turn-yours").into_owned(),
        Some(Party::Partner) => t.text("review-turn-partner").into_owned(),
        Some(Party::Platform) => t.text("review-turn-platform").into_owned(),
        Some(Party::Buyer) => t.text("review-turn-buyer").into_owned(),
        None => String::new(),
    }
}

/// Why a command is refused, for the person that it concerns: the id of the sentence.
pub(in crate::pages) fn reason(code: Code) -> &'static str {
    #[expect(clippy::wildcard_enum_match_arm, reason = "most codes are never those of a decision")]
    match code {
        Code::WrongParty => "review-why-other-party",
        Code::KeyScope => "review-why-link",
        Code::KeyActor => "review-why-other-person",
        Code::KeyUnbound => "review-why-unbound",
        Code::NotAReviewer => "review-why-not-named",
        Code::ReviewersFixed => "review-why-fixed",
        Code::SelfApproval => "review-why-own-work",
        Code::NotDistinct => "review-why-not-distinct",
        Code::HeldByOther | Code::WrongPhase => "review-why-phase",
        Code::ResolutionNotAllowed => "review-why-one-vote",
        Code::SecondPerson => "review-why-second-person",
        Code::AlreadyVoted => "review-why-voted",
        Code::QuestionOpen => "review-why-question-open",
        Code::StaleQuestion => "review-why-question-closed",
        Code::NothingToReturnTo => "review-why-no-review",
        Code::RedirectLimit => "review-why-redirected",
        Code::Cancelling | Code::AlreadyCancelling => "review-why-cancelling",
        Code::TaskClosed => "review-why-closed",
        Code::LimitReached => "review-why-limit",
        _ => "review-why-not-now",
    }
}

/// Why a person may not vote to approve, within the list of the review.
pub(in crate::pages) fn quoted(t: Texts, id: &str, name: &str, text: &str) -> String {
    t.with(id, name, written(text)).into_owned()
}

/// What became of an item of feedback.
pub(super) fn answered(t: Texts, how: Answered) -> String {
    let id = match how {
        Answered::Done => "review-done",
        Answered::Declined => "review-declined",
    };
    t.text(id).into_owned()
}

/// A length of time, in days and hours.
pub(in crate::pages) fn duration(t: Texts, micros: i64) -> String {
    let minutes = u64::try_from(micros / 60_000_000).unwrap_or_default();
    let (days, hours) = (minutes / 1440, minutes / 60 % 24);
    match (days, hours) {
        (0, 0) => t.with("review-minutes", "minutes", minutes).into_owned(),
        (0, hours) => t.with("review-hours", "hours", hours).into_owned(),
        (days, 0) => t.with("review-days", "days", days).into_owned(),
        (days, hours) => t.with_all("review-days-hours", [("days", days.into()), ("hours", hours.into())]).into_owned(),
    }
}

/// A size in bytes.
pub(in crate::pages) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", bytes.div_ceil(1_000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}
