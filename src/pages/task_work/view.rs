//! What the desk shows beside the forms: the feedback that came back, the work, the times, the
//! workflow.

use std::borrow::Cow;
use std::fmt::Debug;

use sha2::{Digest as _, Sha256};

use crate::app::tasks::Desk;
use crate::domain::audit::EntryView;
use crate::domain::task::event::{Answer, Artifact, Feedback};
use crate::domain::task::notes::Submitted;
use crate::domain::task::status::StageState;
use crate::domain::task::view::StageView;
use crate::domain::values::party::Party;
use crate::domain::workflow::{Approvals, Stage};
use crate::pages::frame::Frame;
use crate::pages::texts::{Texts, written};
use crate::pages::times::TimeTag;

use super::compare::{Change, compare};
use super::words;

/// How many earlier revisions are offered to compare with.
const COMPARABLE: u32 = 10;

/// A digest of what a region shows: the script replaces a region whose digest is another.
pub(in crate::pages) fn digest(region: &impl Debug) -> String {
    hex::encode(&Sha256::digest(format!("{region:?}"))[..8])
}

/// The feedback that returned the task.
#[derive(Clone, Debug)]
pub(super) struct CameBack {
    /// From which stage, in which round.
    pub(super) from: String,
    /// When.
    pub(super) at: TimeTag,
    /// The reasons in short, of each vote.
    pub(super) summaries: Vec<String>,
    /// The points, what must be done first.
    pub(super) points: Vec<Todo>,
}

/// A point of the feedback.
#[derive(Clone, Debug)]
pub(super) struct Todo {
    /// Names its tick in the browser.
    pub(super) key: String,
    /// How important it is.
    pub(super) severity: Option<String>,
    /// Where it is.
    pub(super) anchor: Option<String>,
    /// What it is.
    pub(super) text: String,
    /// Its id, by which it is answered and raised again; empty if it has none.
    pub(super) id: String,
    /// The answer: what became of it, and words.
    pub(super) answer: Option<(String, Option<String>)>,
}

impl CameBack {
    /// The feedback of the last return, if the task came back and was not approved since.
    pub(super) fn new(desk: &Desk, frame: &Frame) -> Option<Self> {
        let returned = desk.task.feedback.as_ref()?;
        let stage = words::stage(&desk.workflow, returned.stage.as_str());
        let values = [("stage", written(&stage)), ("round", returned.round.into())];
        let answer =
            |answer: &Answer| (words::answered(frame.t, answer.how), answer.text.as_ref().map(ToString::to_string));
        let points = returned.feedback.iter().flat_map(|feedback: &Feedback| &feedback.items).zip(1..);
        let mut points: Vec<Todo> = points
            .map(|(item, index)| Todo {
                key: format!("{}.{}.{index}", desk.task.id, returned.seq),
                severity: item.severity.as_ref().map(ToString::to_string),
                anchor: item.anchor.as_ref().map(ToString::to_string),
                text: item.text.to_string(),
                id: item.id.map(|id| id.to_string()).unwrap_or_default(),
                answer: returned.answers.iter().find(|answer| Some(answer.item) == item.id).map(answer),
            })
            .collect();
        points.sort_by_key(|point| point.severity.as_deref() != Some("must"));
        Some(Self {
            from: frame.t.with_all("review-came-back-from", values).into_owned(),
            at: frame.times.tag(&returned.decided_at),
            summaries: returned.feedback.iter().map(|feedback| feedback.summary.to_string()).collect(),
            points,
        })
    }
}

/// The work under review.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// The number of the revision.
    pub(super) revision: u32,
    /// Who handed it in.
    pub(super) by: Option<String>,
    /// When.
    pub(super) at: TimeTag,
    /// The partner's summary.
    pub(super) summary: Option<String>,
    /// The revision that it is compared with.
    pub(super) compared: Option<u32>,
    /// The artifacts.
    pub(super) pieces: Vec<Piece>,
    /// Other revisions that it can be compared with.
    pub(super) others: Vec<u32>,
}

/// An artifact.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Its name.
    pub(super) name: String,
    /// How it differs: a class and words; nothing if it is not compared.
    pub(super) mark: Option<(&'static str, String)>,
    /// Its size and how much it grew, and its type.
    pub(super) about: String,
    /// Where it can be fetched: address and host.
    pub(super) link: Option<(String, String)>,
    /// The digest of its bytes.
    pub(super) sha256: String,
}

impl Work {
    /// The latest revision, compared with an earlier one if that is known.
    pub(super) fn new(desk: &Desk, earlier: Option<&(u32, Vec<Artifact>)>, frame: &Frame) -> Option<Self> {
        let submission: &Submitted = desk.task.submission.as_ref()?;
        let compared = earlier.map(|(revision, _)| *revision);
        let pieces = match earlier {
            Some((_, artifacts)) => compare(artifacts, &submission.artifacts)
                .iter()
                .map(|(change, artifact)| Piece::new(Some(change), artifact, frame.t))
                .collect(),
            None => submission.artifacts.iter().map(|artifact| Piece::new(None, artifact, frame.t)).collect(),
        };
        let oldest = submission.revision.saturating_sub(COMPARABLE).max(1);
        Some(Self {
            revision: submission.revision,
            by: submission.actor.as_ref().map(words::person),
            at: frame.times.tag(&submission.submitted_at),
            summary: submission.summary.as_ref().map(ToString::to_string),
            compared,
            pieces,
            others: (oldest..submission.revision).rev().filter(|revision| Some(*revision) != compared).collect(),
        })
    }
}

/// The revision to compare with: the one that was asked for, else that of the stage's last decision.
pub(super) fn compared_revision(desk: &Desk, asked: Option<u64>) -> Option<u32> {
    let latest = desk.task.submission.as_ref()?.revision;
    let decided = desk.task.stages.get(desk.task.stage.position - 1).and_then(|stage| stage.decision.as_ref());
    let returned = desk.task.feedback.as_ref().and_then(|returned| {
        let stage = desk.task.stages.iter().find(|stage| stage.key == returned.stage)?;
        stage.decision.as_ref()
    });
    let found = match asked {
        Some(revision) => u32::try_from(revision).ok(),
        None => decided.or(returned).map(|decision| decision.revision),
    };
    found.filter(|revision| *revision >= 1 && *revision < latest)
}

/// The artifacts of an entry that recorded a submission, as far as the reader may know them.
pub(super) fn artifacts(entry: &EntryView) -> Vec<Artifact> {
    let found = entry.data.as_ref().and_then(|data| data.get("artifacts")).cloned();
    found.and_then(|found| serde_json::from_value(found).ok()).unwrap_or_default()
}

impl Piece {
    fn new(change: Option<&Change>, artifact: &Artifact, t: Texts) -> Self {
        let growth = if let Some(Change::Changed(growth)) = change { growth.filter(|grown| *grown != 0) } else { None };
        let size = artifact.size.map(words::size).map(|size| match growth {
            Some(grown) if grown > 0 => format!("{size} (+{})", words::size(grown.unsigned_abs())),
            Some(grown) => format!("{size} (−{})", words::size(grown.unsigned_abs())),
            None => size,
        });
        let kind = artifact.media_type.as_ref().map(ToString::to_string);
        let about: Vec<String> = size.into_iter().chain(kind).collect();
        Self {
            name: artifact.name.to_string(),
            mark: change.map(|change| mark(change, t)),
            about: about.join(" · "),
            link: artifact.url.clone().map(String::from).map(|url| (url.clone(), host(&url))),
            sha256: artifact.sha256.clone().into(),
        }
    }
}

fn mark(change: &Change, t: Texts) -> (&'static str, String) {
    let (class, id) = match change {
        Change::Same => ("muted", "review-same"),
        Change::Changed(_) => ("late", "review-changed"),
        Change::New => ("done", "review-new"),
        Change::Gone => ("stop", "review-gone"),
        Change::Renamed(from) => return ("muted", words::quoted(t, "review-renamed", "from", from)),
    };
    (class, t.text(id).into_owned())
}

/// The host of an https address.
fn host(url: &str) -> String {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
}

/// How long the task waited on a party in a stage: stage, party, time, time on hold.
pub(super) type Spent = (String, String, String, String);

/// Whose time it was.
pub(super) fn spent(desk: &Desk, t: Texts) -> Vec<Spent> {
    let rows = desk.task.time_spent.iter().map(|spent| {
        let stage = words::stage(&desk.workflow, spent.stage.as_str());
        let party = words::party(t, spent.party);
        let held = Some(spent.held_seconds.micros()).filter(|held| *held > 0);
        let held = held.map(|held| words::duration(t, held)).unwrap_or_default();
        (stage, party, words::duration(t, spent.seconds.micros()), held)
    });
    rows.collect()
}

/// A stage of the workflow.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Its name.
    pub(super) name: String,
    /// Whether the task is there.
    pub(super) is_current: bool,
    /// A sign for its state, beside the words.
    pub(super) sign: &'static str,
    /// Its state.
    pub(super) state: String,
    /// Who decides it.
    pub(super) rule: String,
}

/// The stages of the workflow with where the task is.
pub(super) fn steps(desk: &Desk, t: Texts) -> Vec<Step> {
    let stages = desk.workflow.stages.iter().zip(&desk.task.stages);
    let step = |(stage, now): (&Stage, &StageView)| {
        let (sign, state) = match now.state {
            StageState::Approved => ("✓", t.text("review-stage-approved")),
            StageState::Current => ("◉", t.with("review-stage-current", "round", now.rounds)),
            StageState::Pending => ("○", t.text("review-stage-pending")),
            StageState::Ended => ("■", t.text("review-stage-ended")),
        };
        let rule = match stage.reviewer {
            Party::Partner => decided_by((stage, now), t),
            Party::Platform => t.text("review-rule-platform"),
            Party::Buyer => t.text("review-rule-buyer"),
        };
        Step {
            name: stage.name.to_string(),
            is_current: now.state == StageState::Current,
            sign,
            state: state.into_owned(),
            rule: rule.into_owned(),
        }
    };
    stages.map(step).collect()
}

/// Who of the partner decides a stage.
fn decided_by((stage, now): (&Stage, &StageView), t: Texts) -> Cow<'static, str> {
    if !stage.panels().is_empty() {
        return t.with("review-rule-panels", "panels", stage.panels().len());
    }
    let Some(group) = stage.groups().next() else { return t.with("review-rule-partner", "approvals", 1_u32) };
    match group.approvals {
        Approvals::All => t.with("review-rule-all", "people", now.people(&group).map_or(0, <[_]>::len)),
        Approvals::Votes(approvals) => t.with("review-rule-partner", "approvals", approvals),
    }
}
