//! The rows of the inbox, in groups by when they are due.

use crate::app::tasks::inbox::Reviews;
use crate::domain::task::unreadable::ListedTask;
use crate::domain::task::view::TaskView;
use crate::domain::task::{PhaseName, Verdict};
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::pages::frame::Frame;
use crate::pages::session::Visitor;
use crate::pages::task_work::claim::{self, Claimed};
use crate::pages::texts::{Texts, written};
use crate::pages::times::TimeTag;

/// When tasks are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Overdue,
    Today,
    Later,
    NoDate,
}

/// Tasks that are due at about the same time.
#[derive(Debug)]
pub(super) struct Group {
    /// Its heading.
    pub(super) title: String,
    /// Whether it is late.
    pub(super) is_late: bool,
    /// The tasks.
    pub(super) rows: Vec<Row>,
}

/// A task.
#[derive(Debug)]
pub(super) struct Row {
    /// The task.
    pub(super) task: TaskId,
    /// Its title; none after an erasure.
    pub(super) title: Option<String>,
    /// Stage, round and revision.
    pub(super) place: String,
    /// The votes in short.
    pub(super) votes: Option<String>,
    /// A word about why it is here.
    pub(super) word: Option<String>,
    /// When it is due.
    pub(super) due: Option<TimeTag>,
    /// Who has claimed it, and until when.
    pub(super) claims: Vec<Claimed>,
}

/// The tasks in groups, in the order in which they come: the earliest due first.
pub(super) fn groups(visitor: &Visitor, found: &Reviews, now: Time) -> Vec<Group> {
    let frame = visitor.untitled();
    let mut groups: Vec<(Due, Vec<Row>)> = Vec::new();
    for listed in &found.items {
        let due = due(frame, listed, now);
        match groups.iter_mut().find(|(group, _)| *group == due) {
            Some((_, rows)) => rows.push(row(visitor, listed, found)),
            None => groups.push((due, vec![row(visitor, listed, found)])),
        }
    }
    let group = |(due, rows): (Due, Vec<Row>)| Group {
        title: frame.t.text(title(due)).into_owned(),
        is_late: due == Due::Overdue,
        rows,
    };
    groups.into_iter().map(group).collect()
}

fn title(due: Due) -> &'static str {
    match due {
        Due::Overdue => "inbox-overdue",
        Due::Today => "inbox-today",
        Due::Later => "inbox-later",
        Due::NoDate => "inbox-no-date",
    }
}

/// Today is the visitor's: the same date in the visitor's time zone.
fn due(frame: &Frame, listed: &ListedTask, now: Time) -> Due {
    let ListedTask::Task(task) = listed else { return Due::NoDate };
    let date = |time: Time| time.utc().with_timezone(&frame.times.zone).date_naive();
    match task.due_at {
        _ if task.overdue => Due::Overdue,
        Some(due) if date(due) <= date(now) => Due::Today,
        Some(_) => Due::Later,
        None => Due::NoDate,
    }
}

fn row(visitor: &Visitor, listed: &ListedTask, found: &Reviews) -> Row {
    let frame = visitor.untitled();
    match listed {
        ListedTask::Task(task) => {
            let claims = found.claims.get(&task.id).map(|claims| claim::sentences(claims, visitor));
            Row { claims: claims.unwrap_or_default(), ..row_of(frame, task) }
        }
        ListedTask::Unreadable(task) => Row {
            task: task.task_id,
            title: None,
            place: frame.t.text("inbox-unreadable").into_owned(),
            votes: None,
            word: None,
            due: None,
            claims: Vec::new(),
        },
    }
}

fn row_of(frame: &Frame, task: &TaskView) -> Row {
    let t = frame.t;
    let place = [
        ("stage", written(task.stage.name.as_str())),
        ("round", task.round.into()),
        ("revision", task.revision.into()),
    ];
    Row {
        task: task.id,
        title: task.title.as_ref().map(ToString::to_string),
        place: t.with_all("review-place", place).into_owned(),
        votes: votes(t, task),
        word: word(task).map(|id| t.text(id).into_owned()),
        due: task.due_at.as_ref().map(|due| frame.times.due(due)),
        claims: Vec::new(),
    }
}

/// How many approvals there are, and rejections if there are any.
fn votes(t: Texts, task: &TaskView) -> Option<String> {
    let review = task.review.as_ref()?;
    if !review.panels.is_empty() {
        let values = [("have", review.approved_panels().into()), ("want", review.panels.len().into())];
        return Some(t.with_all("review-panels", values).into_owned());
    }
    let count = |verdict: Verdict| review.votes.iter().filter(|vote| vote.decision == verdict).count();
    let values = [
        ("have", count(Verdict::Approved).into()),
        ("want", review.needed.approvals.into()),
        ("against", count(Verdict::Rejected).into()),
    ];
    Some(t.with_all("inbox-votes", values).into_owned())
}

/// Why the task is here, where that is not an ordinary first review.
fn word(task: &TaskView) -> Option<&'static str> {
    match task.phase {
        _ if task.question.is_some() => Some("inbox-question"),
        PhaseName::Escalated => Some("inbox-asked"),
        PhaseName::Preparing => Some("inbox-preparing"),
        PhaseName::OnHold => Some("inbox-held"),
        PhaseName::Cancelling => Some("inbox-cancelling"),
        PhaseName::InReview if task.feedback.is_some() => Some("inbox-came-back"),
        PhaseName::InReview | PhaseName::Delivery | PhaseName::Cancelled | PhaseName::Expired | PhaseName::Failed => {
            None
        }
    }
}
