//! Where a task is: the label, whose turn it is, since when and until when, what the partner says,
//! how long it may still take, and how it ended.

use std::borrow::Cow;

use crate::domain::audit::EntryView;
use crate::domain::task::forecast::{Forecast, Remaining};
use crate::domain::task::status::{Ask, PanelStatus, StageState, StageStatus, Status};
use crate::domain::task::{PanelState, PhaseName};
use crate::domain::values::party::{Party, Source};
use crate::domain::values::text::Text;
use crate::domain::workflow::Assurance;
use crate::pages::frame::Frame;
use crate::pages::texts::Texts;
use crate::pages::times::TimeTag;

use super::history::string;
use super::load::Loaded;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

type Words = Cow<'static, str>;

/// The head of a task's page.
#[derive(Debug)]
pub(in crate::pages) struct Head {
    /// The label.
    pub(in crate::pages) label: Label,
    /// Whose turn it is.
    pub(in crate::pages) turn: Words,
    /// The colour and the symbol of the state.
    pub(in crate::pages) tone: Tone,
    /// Since when the state has been the same.
    pub(in crate::pages) since: TimeTag,
    /// When the wait is due to end.
    pub(in crate::pages) due: Option<TimeTag>,
    /// That it is late.
    pub(in crate::pages) late: Option<Words>,
    /// What the partner said, or why the task is on hold or was cancelled.
    pub(in crate::pages) message: Option<Message>,
    /// The progress in percent.
    pub(in crate::pages) percent: Option<(u8, Words)>,
    /// When the partner expects to be done.
    pub(in crate::pages) eta: Option<TimeTag>,
    /// How long it may still take.
    pub(in crate::pages) estimate: Option<Words>,
    /// What a hold or an end means for the buyer.
    pub(in crate::pages) advice: Option<Words>,
}

/// The state in a few words.
#[derive(Debug)]
pub(in crate::pages) struct Label {
    /// The words.
    pub(in crate::pages) text: String,
    /// Whether they are the partner's.
    pub(in crate::pages) is_written: bool,
}

/// A message of somebody.
#[derive(Debug)]
pub(in crate::pages) struct Message {
    /// Who says it.
    pub(in crate::pages) who: Words,
    /// When.
    pub(in crate::pages) at: Option<TimeTag>,
    /// The text.
    pub(in crate::pages) text: String,
}

/// The colour and the symbol of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pages) struct Tone {
    /// The class.
    pub(in crate::pages) class: &'static str,
    /// The symbol.
    pub(in crate::pages) mark: &'static str,
}

/// A stage.
#[derive(Debug)]
pub(in crate::pages) struct Step {
    /// The colour and the symbol.
    pub(in crate::pages) tone: Tone,
    /// The name.
    pub(in crate::pages) name: String,
    /// Its state.
    pub(in crate::pages) state: Words,
    /// When it was approved.
    pub(in crate::pages) at: Option<TimeTag>,
    /// Whether the task is there.
    pub(in crate::pages) is_current: bool,
    /// What else there is to know.
    pub(in crate::pages) remarks: Vec<Words>,
    /// Its panels.
    pub(in crate::pages) panels: Vec<PanelStep>,
}

/// A panel of a stage.
#[derive(Debug)]
pub(in crate::pages) struct PanelStep {
    /// The colour and the symbol.
    pub(in crate::pages) tone: Tone,
    /// The name.
    pub(in crate::pages) name: String,
    /// Its state.
    pub(in crate::pages) state: Words,
}

impl Head {
    /// The head of a task.
    pub(super) fn new(loaded: &Loaded, frame: &Frame) -> Self {
        let (status, t) = (&loaded.status, frame.t);
        Self {
            label: Label::new(status, t),
            turn: t.text(turn(status)),
            tone: tone(status),
            since: frame.times.tag(&status.since),
            due: status.due_at.as_ref().map(|due| frame.times.due(due)),
            late: status.overdue.then(|| t.text(if was_told(loaded) { "late-told" } else { "late" })),
            message: message(loaded, frame),
            percent: status.percent.map(|percent| (percent, t.with("percent", "percent", u32::from(percent)))),
            eta: status.eta.as_ref().map(|eta| frame.times.due(eta)),
            estimate: estimated(&loaded.forecast, t),
            advice: advice(status.phase).map(|id| t.text(id)),
        }
    }
}

/// The ids of the service's own labels. Their English texts are the labels of the API.
const LABELS: [&str; 12] = [
    "label-preparing",
    "label-changes",
    "label-buyer-answers",
    "label-buyer-decides",
    "label-partner-decides",
    "label-platform-decides",
    "label-held",
    "label-cancelling",
    "label-delivery",
    "label-cancelled",
    "label-expired",
    "label-failed",
];

impl Label {
    /// The label of the status: the words of a stage as the partner wrote them, the others in the
    /// visitor's language.
    pub(super) fn new(status: &Status, t: Texts) -> Self {
        Self::of((status.phase, status.action.as_ref().map(|action| action.ask)), &status.label, t)
    }

    /// The label of a task in this phase, of which the buyer is asked this.
    pub(super) fn of((phase, asks): (PhaseName, Option<Ask>), label: &str, t: Texts) -> Self {
        let is_written = phase == PhaseName::InReview && asks != Some(Ask::Answer);
        let english = Texts::default();
        match LABELS.into_iter().find(|id| !is_written && english.text(id) == label) {
            Some(id) => Self { text: t.text(id).into_owned(), is_written: false },
            None => Self { text: label.to_owned(), is_written: true },
        }
    }
}

/// Whose turn it is, by party and never by phase.
pub(super) fn turn(status: &Status) -> &'static str {
    let asks = status.action.as_ref().map(|action| action.ask);
    match (asks, status.phase, status.waiting_on) {
        (Some(Ask::Answer), _, Some(Party::Buyer)) => "turn-you-answer",
        (_, PhaseName::OnHold, _) => "turn-held",
        (_, PhaseName::Cancelling, _) => "turn-cancelling",
        (_, PhaseName::Delivery, _) => "turn-delivery",
        (_, PhaseName::Cancelled, _) => "turn-cancelled",
        (_, PhaseName::Expired, _) => "turn-expired",
        (_, PhaseName::Failed, _) => "turn-failed",
        (Some(_), _, Some(Party::Buyer)) => "turn-you",
        (_, _, Some(Party::Platform)) => "turn-platform",
        (_, PhaseName::InReview, Some(Party::Partner)) => "turn-reviewers",
        (_, PhaseName::Escalated, Some(Party::Partner)) => "turn-partner-decides",
        (_, PhaseName::Preparing | PhaseName::InReview | PhaseName::Escalated, _) => "turn-partner",
    }
}

fn tone(status: &Status) -> Tone {
    let tone = |class, mark| Tone { class, mark };
    match status.phase {
        PhaseName::Delivery => tone("done", "✓"),
        PhaseName::Cancelled | PhaseName::Expired | PhaseName::Failed => tone("stop", "■"),
        _ if status.overdue => tone("late", "!"),
        _ if status.action.is_some() => tone("accent", "➜"),
        PhaseName::OnHold | PhaseName::Cancelling => tone("late", "‖"),
        PhaseName::Preparing | PhaseName::InReview | PhaseName::Escalated => tone("", "●"),
    }
}

/// Whether an entry says that the party was reminded in this round.
fn was_told(loaded: &Loaded) -> bool {
    let status = &loaded.status;
    let is_here =
        |entry: &&EntryView| entry.stage.as_ref() == Some(&status.stage.key) && entry.round == Some(status.round);
    let mut kinds = loaded.entries.iter().filter(is_here).filter_map(|entry| entry.kind);
    status.waiting_on != Some(Party::Buyer)
        && kinds.any(|kind| matches!(kind, "task.deadline_reminded" | "task.deadline_passed"))
}

/// What a hold or an end means for the buyer.
fn advice(phase: PhaseName) -> Option<&'static str> {
    match phase {
        PhaseName::Preparing | PhaseName::InReview | PhaseName::Escalated | PhaseName::Cancelling => None,
        PhaseName::OnHold => Some("advice-held"),
        PhaseName::Delivery => Some("advice-delivery"),
        PhaseName::Cancelled => Some("advice-cancelled"),
        PhaseName::Expired => Some("advice-expired"),
        PhaseName::Failed => Some("advice-failed"),
    }
}

/// The message of the status with its author and its time, which the trail has. A task that ended
/// has none, so the reason of a cancellation comes from the trail.
fn message(loaded: &Loaded, frame: &Frame) -> Option<Message> {
    let kind = match loaded.status.phase {
        PhaseName::OnHold => "task.held",
        PhaseName::Cancelling | PhaseName::Cancelled => "task.cancellation_requested",
        PhaseName::Preparing | PhaseName::InReview | PhaseName::Escalated => "task.status_updated",
        PhaseName::Delivery | PhaseName::Expired | PhaseName::Failed => return None,
    };
    let entry = loaded.entries.iter().rev().find(|entry| entry.kind == Some(kind));
    let reason = || entry.filter(|_| kind != "task.status_updated").and_then(|entry| string(entry, "reason"));
    let text = loaded.status.message.as_ref().map(Text::as_str).or_else(reason)?.to_owned();
    let who = match entry.and_then(|entry| entry.party) {
        Some(Source::Buyer) => "says-you",
        Some(Source::Platform) => "says-platform",
        Some(Source::Partner | Source::Service) | None => "says-partner",
    };
    let at = entry.and_then(|entry| entry.recorded_at.as_ref()).map(|at| frame.times.tag(at));
    Some(Message { who: frame.t.text(who), at, text })
}

/// What past tasks say about how long this one may still take.
fn estimated(forecast: &Forecast, t: Texts) -> Option<Words> {
    let remaining = forecast.remaining_seconds.map(|remaining| estimate(remaining, t));
    remaining.or_else(|| forecast.unusually_long.then(|| t.text("estimate-over")))
}

/// How long such tasks still took from here, rounded up: hours under two days, days above.
pub(super) fn estimate(remaining: Remaining, t: Texts) -> Words {
    let (half, most) = (span(remaining.p50, t), span(remaining.p90, t));
    if half == most {
        return t.with("estimate-one", "most", most);
    }
    t.with_all("estimate", [("half", half.into()), ("most", most.into())])
}

fn span(seconds: u64, t: Texts) -> String {
    let (id, count) =
        if seconds > 2 * DAY { ("span-days", seconds.div_ceil(DAY)) } else { ("span-hours", seconds.div_ceil(HOUR)) };
    t.with(id, "count", count).into_owned()
}

/// Every stage, in order.
pub(super) fn steps(loaded: &Loaded, frame: &Frame) -> Vec<Step> {
    let before = |stage: &StageStatus| {
        let mut entries = loaded.entries.iter();
        entries.any(|entry| entry.kind == Some("task.stage_approved") && entry.stage.as_ref() == Some(&stage.key))
    };
    let step = |stage: &StageStatus| {
        let (class, mark) = match stage.state {
            StageState::Approved => ("done", "✓"),
            StageState::Current => ("accent", "◉"),
            StageState::Pending => ("muted", "○"),
            StageState::Ended => ("stop", "■"),
        };
        let is_to_come = stage.state == StageState::Pending;
        let remarks = [
            (is_to_come && stage.reviewer == Some(Party::Buyer)).then_some("stage-will-be-yours"),
            (stage.assurance == Assurance::Bound).then_some("stage-bound"),
            stage.overridden.then_some("stage-overridden"),
        ];
        Step {
            tone: Tone { class, mark },
            name: stage.name.as_str().to_owned(),
            state: state(&loaded.status, stage, before(stage), frame.t),
            at: stage.decided_at.as_ref().map(|at| frame.times.tag(at)),
            is_current: stage.state == StageState::Current,
            remarks: remarks.into_iter().flatten().map(|id| frame.t.text(id)).collect(),
            panels: stage.panels.iter().map(|panel| panel_step(stage.state, panel, frame.t)).collect(),
        }
    };
    loaded.status.stages.iter().map(step).collect()
}

fn panel_step(stage: StageState, panel: &PanelStatus, t: Texts) -> PanelStep {
    let (class, mark, words) = match (panel.state, stage) {
        (PanelState::Approved, _) => ("done", "✓", "panel-approved"),
        (PanelState::Open, StageState::Pending) => ("muted", "○", "stage-pending"),
        (PanelState::Open, StageState::Current) => ("muted", "○", "panel-open"),
        (PanelState::Open, StageState::Approved | StageState::Ended) => ("muted", "○", "panel-silent"),
    };
    PanelStep { tone: Tone { class, mark }, name: panel.name.as_str().to_owned(), state: t.text(words) }
}

fn state(status: &Status, stage: &StageStatus, was_approved: bool, t: Texts) -> Words {
    let is_yours = status.action.as_ref().is_some_and(|action| action.ask != Ask::Answer);
    match stage.state {
        StageState::Approved => t.text("stage-approved"),
        StageState::Current if is_yours => t.with("stage-yours", "round", status.round),
        StageState::Current => t.with("stage-current", "round", status.round),
        StageState::Pending if was_approved => t.text("stage-again"),
        StageState::Pending => t.text("stage-pending"),
        StageState::Ended => t.text("stage-ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::texts::Language;

    #[test]
    fn an_estimate_is_rounded_up_and_never_more_precise_than_it_is() {
        let english = Texts { language: Language::English };
        for (p50, p90, expected) in [
            (1, 1, "From here, nine of ten such tasks were ready within 1 hour"),
            (3601, 7200, "From here, nine of ten such tasks were ready within 2 hours"),
            (3600, 172_800, "From here, half of such tasks were ready within 1 hour, nine of ten within 48 hours"),
            (90_000, 172_801, "From here, half of such tasks were ready within 25 hours, nine of ten within 3 days"),
        ] {
            let found = estimate(Remaining { p50, p90 }, english);
            assert!(found.starts_with(expected), "{found}");
        }
    }
}
