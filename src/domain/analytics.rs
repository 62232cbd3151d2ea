//! Statistics of the closed tasks of a workflow version, by stage and party, never by person.
//!
//! They are counted from the facts that each closed task left ([`super::task::facts`]). A figure of
//! fewer than [`MIN_TASKS`] tasks is withheld.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::task::event::WorkflowRef;
use super::values::id::{PartnerId, StageKey, WorkflowKey};
use super::values::text::Name;
use super::values::time::{Seconds, Span, Time};
use super::workflow::Workflow;

mod bottleneck;
#[cfg(test)]
mod tests;

pub use bottleneck::{Bottleneck, Mostly};

/// The fewest tasks of a figure.
pub const MIN_TASKS: u64 = 5;
/// How many tasks are counted: the last to close in the span.
pub const MAX_TASKS: u32 = 10_000;
/// The span unless the caller names one.
pub const DEFAULT_SPAN_SECONDS: i64 = 30 * 86_400;
/// The longest span.
pub const MAX_SPAN_SECONDS: u32 = Span::MAX_SECONDS;

/// Statistics of the tasks of a workflow version that closed in a span of time. Whatever would be
/// about fewer than 5 tasks is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Analytics {
    /// The partner that the workflow belongs to.
    pub partner_id: PartnerId,
    /// The workflow's key.
    pub workflow: WorkflowKey,
    /// The version.
    #[schema(minimum = 1)]
    pub version: u32,
    /// The start of the span: tasks that closed at this time or later.
    pub from: Time,
    /// The end of the span: tasks that closed before.
    pub until: Time,
    /// If not null, the figures may be incomplete: tasks that closed before this time are not counted,
    /// and of tasks that were opened before it, counts and shares can be too low.
    #[schema(required = true)]
    pub since: Option<Time>,
    /// How many tasks are counted.
    #[schema(maximum = 10_000)]
    pub tasks: u64,
    /// Whether more tasks closed in the span. Then only the 10,000 that closed last are counted.
    pub more: bool,
    /// How the tasks ended.
    #[schema(required = true)]
    pub ends: Option<Ends>,
    /// The time from the opening to the delivery, of the tasks that were delivered.
    #[schema(required = true)]
    pub delivery_seconds: Option<Durations>,
    /// Every stage of the version, in order.
    pub stages: Vec<StageAnalytics>,
}

/// How many tasks ended in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ends {
    /// Every stage was approved.
    pub delivery: u64,
    /// Somebody cancelled it.
    pub cancelled: u64,
    /// Its deadline passed.
    pub expired: u64,
    /// A rule of the definition ended it.
    pub failed: u64,
}

/// The figures of one stage. Those of a stage that fewer than 5 of the tasks entered are null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageAnalytics {
    /// The stage's key.
    pub key: StageKey,
    /// The display name.
    pub name: Name,
    /// How many tasks entered the stage. The shares and percentiles are of these.
    pub tasks: u64,
    /// How many times it was entered: the rounds of all tasks.
    #[schema(required = true)]
    pub entered: Option<u64>,
    /// How many times it was approved.
    #[schema(required = true)]
    pub approved: Option<u64>,
    /// How many times it was rejected. A round whose rejection exhausted the rounds can be approved
    /// after all, and counts as both.
    #[schema(required = true)]
    pub rejected: Option<u64>,
    /// How many escalations began here, by cause. One that changes hands stays one.
    #[schema(required = true)]
    pub escalated: Option<Escalations>,
    /// How many deadlines passed, of reviewers or of a party that had to decide an escalation.
    #[schema(required = true)]
    pub overdue: Option<u64>,
    /// How many questions were asked.
    #[schema(required = true)]
    pub questions: Option<u64>,
    /// How many rejections gave each reason that the definition lists, by its key.
    #[schema(required = true)]
    pub reasons: Option<BTreeMap<String, u64>>,
    /// The share of tasks that left the stage approved in its first round, 0 to 1 with at most 4
    /// decimals.
    #[schema(required = true, minimum = 0, maximum = 1)]
    pub first_pass_share: Option<f64>,
    /// The share of tasks that were escalated here.
    #[schema(required = true, minimum = 0, maximum = 1)]
    pub escalated_share: Option<f64>,
    /// The share of tasks of which a deadline passed here.
    #[schema(required = true, minimum = 0, maximum = 1)]
    pub overdue_share: Option<f64>,
    /// The rounds of a task.
    #[schema(required = true)]
    pub rounds: Option<Rounds>,
    /// The time of a task in this stage, over all rounds.
    #[schema(required = true)]
    pub seconds: Option<StageSeconds>,
}

/// Escalations by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Escalations {
    /// Somebody asked for it.
    pub person: u64,
    /// A deadline passed.
    pub deadline: u64,
    /// The rounds were exhausted.
    pub exhausted: u64,
    /// Too few of the named reviewers might approve.
    pub no_quorum: u64,
}

/// Rounds: percentiles by nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rounds {
    /// Half of the tasks had at most this many.
    pub p50: u64,
    /// Nine out of ten had.
    pub p90: u64,
}

/// Times in seconds: percentiles by nearest rank, and the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Durations {
    /// Half of the tasks took at most this long.
    pub p50: Seconds,
    /// Nine out of ten did.
    pub p90: Seconds,
    /// The sum divided by the number of tasks.
    pub mean: Seconds,
}

/// The time in a stage: the whole of it, and how long the task waited on each party. A party that it
/// did not wait on counts as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageSeconds {
    /// The whole time.
    pub all: Durations,
    /// Waiting on the partner.
    pub partner: Durations,
    /// Waiting on the buyer.
    pub buyer: Durations,
    /// Waiting on the platform.
    pub platform: Durations,
    /// The part of the partner's time in which a returned task waited for a revision.
    pub revising: Durations,
}

/// Counts as they are stored, before anything is withheld.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// As in [`Analytics`].
    pub since: Option<Time>,
    /// As in [`Analytics`].
    pub tasks: u64,
    /// As in [`Analytics`].
    pub more: bool,
    /// How the tasks ended.
    pub ends: Ends,
    /// The time to delivery.
    pub delivery: Durations,
    /// The stages that a task entered.
    pub stages: BTreeMap<StageKey, StageFigures>,
}

/// Counts of one stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageFigures {
    /// How many tasks entered it.
    pub tasks: u64,
    /// Rounds of all tasks.
    pub entered: u64,
    /// Approvals.
    pub approved: u64,
    /// Rejections.
    pub rejected: u64,
    /// Escalations by cause.
    pub escalated: Escalations,
    /// Deadlines that passed.
    pub overdue: u64,
    /// Questions.
    pub questions: u64,
    /// Rejections by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Tasks approved in the first round.
    pub first_pass_tasks: u64,
    /// Tasks that were escalated.
    pub escalated_tasks: u64,
    /// Tasks of which a deadline passed.
    pub overdue_tasks: u64,
    /// The rounds of a task.
    pub rounds: Rounds,
    /// The times of a task.
    pub seconds: StageSeconds,
}

/// What statistics are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The partner.
    pub partner_id: PartnerId,
    /// The version.
    pub workflow: WorkflowRef,
    /// The start of the span.
    pub from: Time,
    /// Its end.
    pub until: Time,
}

impl Analytics {
    /// The statistics that may be shown.
    pub fn new(subject: Subject, workflow: &Workflow, mut figures: Figures) -> Self {
        let Subject { partner_id, workflow: WorkflowRef { key, version }, from, until } = subject;
        let stage = |stage: &crate::domain::workflow::Stage| {
            let figures = figures.stages.remove(&stage.key).unwrap_or_default();
            StageAnalytics::new(stage.key.clone(), stage.name.clone(), figures)
        };
        let stages = workflow.stages.iter().map(stage).collect();
        let Figures { since, tasks, more, ends, delivery, .. } = figures;
        Self {
            partner_id,
            workflow: key,
            version,
            from,
            until,
            since,
            tasks,
            more,
            ends: shown(tasks, ends),
            delivery_seconds: shown(ends.delivery, delivery),
            stages,
        }
    }
}

impl StageAnalytics {
    fn new(key: StageKey, name: Name, figures: StageFigures) -> Self {
        let tasks = figures.tasks;
        Self {
            key,
            name,
            tasks,
            entered: shown(tasks, figures.entered),
            approved: shown(tasks, figures.approved),
            rejected: shown(tasks, figures.rejected),
            escalated: shown(tasks, figures.escalated),
            overdue: shown(tasks, figures.overdue),
            questions: shown(tasks, figures.questions),
            reasons: shown(tasks, figures.reasons),
            first_pass_share: shown(tasks, share(figures.first_pass_tasks, tasks)),
            escalated_share: shown(tasks, share(figures.escalated_tasks, tasks)),
            overdue_share: shown(tasks, share(figures.overdue_tasks, tasks)),
            rounds: shown(tasks, figures.rounds),
            seconds: shown(tasks, figures.seconds),
        }
    }
}

/// A figure of so many tasks, unless they are too few.
fn shown<T>(tasks: u64, figure: T) -> Option<T> {
    (tasks >= MIN_TASKS).then_some(figure)
}

/// A part of a whole, with 4 decimals; 0 of nothing.
fn share(part: u64, whole: u64) -> f64 {
    let parts = (part.saturating_mul(20_000) + whole).checked_div(whole.saturating_mul(2)).unwrap_or(0);
    f64::from(u32::try_from(parts).unwrap_or(u32::MAX)) / 10_000.0
}
