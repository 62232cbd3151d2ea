//! Where the task is: stage, votes, whose turn it is, what was asked.

use crate::app::tasks::Desk;
use crate::domain::link::LinkState;
use crate::domain::task::view::{PanelView, QuestionView, ReviewView, TaskView, VoteView};
use crate::domain::task::{Cause, PanelState, PhaseName, Verdict};
use crate::domain::values::id::ActorId;
use crate::domain::values::party::{Party, Source};
use crate::pages::session::Visitor;
use crate::pages::texts::{Texts, written};
use crate::pages::times::TimeTag;

use super::claim::{self, Claimed};
use super::words;

/// Where the task is.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Stage, round and revision.
    pub(super) place: String,
    /// Whose turn it is.
    pub(super) turn: String,
    /// When the wait is due to end.
    pub(super) due: Option<TimeTag>,
    /// Whether that has passed.
    pub(super) is_late: bool,
    /// The votes in words.
    pub(super) votes: Vec<String>,
    /// Who has claimed the decision, and until when.
    pub(super) claims: Vec<Claimed>,
    /// Which reviewers are absent until when, and who stands in.
    pub(super) absent: Vec<Absent>,
    /// The panels of the review; none in a stage without.
    pub(super) panels: Vec<PanelRow>,
    /// What was said about the state: by whom, and the words.
    pub(super) said: Vec<(String, Option<String>)>,
    /// The suggested answers of the open question.
    pub(super) answers: Vec<String>,
}

impl Head {
    /// The head of a desk.
    pub(super) fn new(desk: &Desk, visitor: &Visitor) -> Self {
        let (frame, task) = (visitor.untitled(), &desk.task);
        let t = frame.t;
        let place = [
            ("stage", written(task.stage.name.as_str())),
            ("round", task.round.into()),
            ("revision", task.revision.into()),
        ];
        Self {
            place: t.with_all("review-place", place).into_owned(),
            turn: words::turn(t, task, visitor.party()),
            due: task.due_at.as_ref().map(|due| frame.times.due(due)),
            is_late: task.overdue,
            votes: task.review.as_ref().map_or_else(Vec::new, |review| votes(t, review)),
            claims: claim::sentences(&desk.claims.standing, visitor),
            absent: task.review.as_ref().map_or_else(Vec::new, |review| absent(visitor, review)),
            panels: panels(t, task),
            said: said(t, task),
            answers: task.question.iter().flat_map(|question| &question.options).map(ToString::to_string).collect(),
        }
    }
}

/// Who is absent, in words, until when, and who stands in, in words.
pub(super) type Absent = (String, TimeTag, String);

fn absent(visitor: &Visitor, review: &ReviewView) -> Vec<Absent> {
    let (t, times) = (visitor.untitled().t, visitor.untitled().times);
    let sentences = review.absent.iter().map(|absent| {
        let stands_in = match &absent.substitute {
            Some(substitute) => words::quoted(t, "review-stands-in", "who", substitute.as_str()),
            None => t.text("review-nobody-stands-in").into_owned(),
        };
        (words::quoted(t, "review-absent", "who", absent.actor.as_str()), times.due(&absent.until), stands_in)
    });
    sentences.collect()
}

/// The votes of a review in words: how many there are, whose, how many are missing, who can give them.
pub(in crate::pages) fn votes(t: Texts, review: &ReviewView) -> Vec<String> {
    let names = |verdict: Verdict| -> Vec<String> {
        let cast = review.votes.iter().filter(|vote| vote.decision == verdict);
        cast.map(|vote| words::voter(t, vote)).collect()
    };
    let (approving, rejecting) = (names(Verdict::Approved), names(Verdict::Rejected));
    let (have, want) = (approving.len(), review.needed.approvals);
    let mut sentences = Vec::new();
    if !review.panels.is_empty() {
        // Who sits where and who has voted is in the rows of the panels.
        let values = [("have", review.approved_panels().into()), ("want", review.panels.len().into())];
        return vec![t.with_all("review-panels", values).into_owned()];
    }
    if approving.is_empty() {
        sentences.push(t.with("review-votes-none", "want", want).into_owned());
    } else {
        let who = words::list(approving.iter().map(String::as_str));
        let values = [("have", have.into()), ("want", want.into()), ("who", who.into())];
        sentences.push(t.with_all("review-votes", values).into_owned());
        let more = usize::try_from(want).unwrap_or(usize::MAX).saturating_sub(have);
        sentences.push(t.with("review-votes-more", "more", more).into_owned());
    }
    let voted = |id: &str| {
        let is_theirs = |vote: &VoteView| {
            vote.actor.id.to_string() == id || vote.stands_for.as_ref().is_some_and(|holder| holder.as_str() == id)
        };
        review.votes.iter().any(|vote| vote.decision == Verdict::Approved && is_theirs(vote))
    };
    let left: Vec<String> = review.eligible.iter().flatten().map(ToString::to_string).filter(|id| !voted(id)).collect();
    if !left.is_empty() {
        sentences.push(t.with("review-votes-may", "who", words::list(left.iter().map(String::as_str))).into_owned());
    }
    if !rejecting.is_empty() {
        let who = words::list(rejecting.iter().map(String::as_str));
        let values = [("have", rejecting.len().into()), ("want", review.needed.rejections.into()), ("who", who.into())];
        sentences.push(t.with_all("review-objections", values).into_owned());
    }
    sentences
}

/// A panel of the open review.
#[derive(Clone, Debug)]
pub(super) struct PanelRow {
    /// Its name.
    pub(super) name: String,
    /// A class and a sign for its state, beside the words.
    pub(super) mark: (&'static str, &'static str),
    /// Its state, and how many votes it has.
    pub(super) state: String,
    /// Who sits in it, and what they said.
    pub(super) people: Vec<String>,
}

fn panels(t: Texts, task: &TaskView) -> Vec<PanelRow> {
    let Some(review) = &task.review else { return Vec::new() };
    let row = |panel: &PanelView| {
        let is_approved = panel.state == PanelState::Approved;
        let count = |verdict: Verdict| {
            let own = |vote: &&VoteView| vote.panel.as_ref() == Some(&panel.key) && vote.decision == verdict;
            review.votes.iter().filter(own).count()
        };
        let id = if is_approved { "review-panel-approved" } else { "review-panel-open" };
        let values = [("have", count(Verdict::Approved).into()), ("want", panel.needed.approvals.into())];
        let mut state = t.with_all(id, values).into_owned();
        let against = count(Verdict::Rejected);
        if against > 0 {
            let values = [("have", against.into()), ("want", panel.needed.rejections.into())];
            state = format!("{state} {}", t.with_all("review-panel-against", values));
        }
        PanelRow {
            name: panel.name.to_string(),
            mark: if is_approved { ("done", "✓") } else { ("muted", "○") },
            state,
            people: panel.reviewers.iter().map(|id| seated(t, (review, panel), id)).collect(),
        }
    };
    review.panels.iter().map(row).collect()
}

/// A reviewer of a panel, with what is known of their vote.
fn seated(t: Texts, (review, panel): (&ReviewView, &PanelView), id: &ActorId) -> String {
    let vote = review.votes.iter().find(|vote| vote.stands_for.as_ref().unwrap_or(&vote.actor.id) == id);
    let text = match vote.map(|vote| vote.decision) {
        Some(Verdict::Approved) => "review-seat-approved",
        Some(Verdict::Rejected) => "review-seat-rejected",
        None if panel.eligible.contains(id) => "review-seat-open",
        None => "review-seat-barred",
    };
    let who = vote.map_or_else(|| id.to_string(), |vote| words::voter(t, vote));
    t.with(text, "who", written(&who)).into_owned()
}

/// What was said about the present state.
fn said(t: Texts, task: &TaskView) -> Vec<(String, Option<String>)> {
    let text = |text: Option<&dyn ToString>| text.map(ToString::to_string);
    let mut said = Vec::new();
    if let Some(escalation) = &task.escalation {
        let who = words::party(t, escalation.to);
        let id = match (escalation.cause, escalation.raised_by) {
            (Cause::Person, Source::Partner) => "review-asked-by-partner",
            (Cause::Person, Source::Platform) => "review-asked-by-platform",
            (Cause::Person, Source::Buyer | Source::Service) => "review-asked-by-buyer",
            (Cause::Deadline, _) => "review-asked-by-deadline",
            (Cause::Exhausted, _) => "review-asked-by-rounds",
            (Cause::NoQuorum, _) => "review-asked-by-quorum",
        };
        said.push((t.with(id, "party", who).into_owned(), text(escalation.question.as_ref().map(|it| it as _))));
    }
    if let Some(advice) = task.review.as_ref().and_then(|review| review.advice.as_ref()) {
        said.push((t.text("review-advice-came").into_owned(), Some(advice.to_string())));
    }
    if let Some(question) = &task.question {
        said.push((asked(t, question), text(question.question.as_ref().map(|it| it as _))));
    }
    if let Some(hold) = &task.hold {
        let sentence = t.with("review-held", "party", words::by(t, hold.by)).into_owned();
        said.push((sentence, text(hold.reason.as_ref().map(|it| it as _))));
    }
    if let Some(cancellation) = &task.cancellation {
        let sentence = t.with("review-cancelling", "party", words::by(t, cancellation.by)).into_owned();
        said.push((sentence, text(cancellation.reason.as_ref().map(|it| it as _))));
    }
    said
}

fn asked(t: Texts, question: &QuestionView) -> String {
    let to = ("party", words::party(t, question.to).into());
    if let Some(who) = question.actor.as_ref().map(words::person) {
        return t.with_all("review-question-by", [("who", written(&who)), to]).into_owned();
    }
    t.with_all("review-question-from", [("from", words::party(t, question.from).into()), to]).into_owned()
}

/// Why there is nothing to decide here, in one sentence, where the reason is not each choice's own.
pub(super) fn nothing_to_decide(t: Texts, desk: &Desk, reader: Party) -> String {
    let id = match desk.link {
        LinkState::Decided => "review-link-decided",
        LinkState::Superseded => "review-link-superseded",
        LinkState::Withdrawn => "review-link-withdrawn",
        LinkState::Held => "review-link-held",
        LinkState::Expired | LinkState::Ended => "review-link-ended",
        LinkState::Open => match desk.task.phase {
            PhaseName::Preparing => "review-nothing-preparing",
            PhaseName::OnHold => "review-nothing-held",
            PhaseName::Cancelling => "review-nothing-cancelling",
            PhaseName::Delivery | PhaseName::Cancelled | PhaseName::Expired | PhaseName::Failed => {
                "review-nothing-closed"
            }
            PhaseName::InReview | PhaseName::Escalated => return words::turn(t, &desk.task, reader),
        },
    };
    t.text(id).into_owned()
}
