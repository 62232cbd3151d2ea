//! The parts of a status that depend on the time of the response: how long the stage has taken, and
//! how long the task may still take. They are not stored and do not change the status' version.
//! Every response with a status is built here.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::values::time::Time;

use super::status::Status;
use super::{PhaseName, Task};

/// The fewest finished tasks of a version for a forecast.
pub const MIN_FINISHED: usize = 20;
/// The fewest of them that took longer than this task has so far. Fewer do not show how long such a
/// task takes.
pub const MIN_LONGER: usize = 5;
/// A task is unusually long if fewer than one in this many finished tasks took longer.
const UNUSUAL: usize = 20;

/// A status as it is sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusView {
    /// The stored status.
    #[serde(flatten)]
    pub status: Status,
    /// The parts that depend on the time of the response.
    #[serde(flatten)]
    pub pace: Forecast,
}

impl PartialSchema for StatusView {
    /// One object with the fields of both.
    fn schema() -> RefOr<Schema> {
        let mut whole = Status::schema();
        if let (RefOr::T(Schema::Object(whole)), RefOr::T(Schema::Object(pace))) = (&mut whole, Forecast::schema()) {
            whole.properties.extend(pace.properties);
            whole.required.extend(pace.required);
        }
        whole
    }
}

impl ToSchema for StatusView {
    fn name() -> Cow<'static, str> {
        Status::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Status::schemas(schemas);
        Forecast::schemas(schemas);
    }
}

/// The parts of a status that depend on the time of the response. They change neither its `version`
/// nor its `ETag`: a client that polls with `If-None-Match` counts on from the last response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// How long the task has been in this stage in the current round, in whole seconds, at the time
    /// of the response (for a command: at the time of the command); for a task that has ended,
    /// until its end. It changes neither `version` nor `ETag`: after a `304`, count on.
    pub stage_seconds: u64,
    /// How much longer the task may take until it is delivered, at the same time. Null if the task
    /// has ended or is being cancelled, and while there are too few finished tasks.
    #[schema(required = true)]
    pub remaining_seconds: Option<Remaining>,
    /// Whether the task takes longer than almost every finished task of its workflow version: from the
    /// first entry into this stage, fewer than one in 20 took longer, and there are too few of them
    /// for `remaining_seconds`. Default `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unusually_long: bool,
}

/// How much longer a task may take until it is delivered, in whole seconds, each at least 1.
/// Estimated from the finished tasks of the same workflow version: the time from their first entry
/// into this stage to their delivery, for those that took longer than this task has so far. It is
/// an estimate from past tasks, not a commitment. It needs at least 20 finished tasks (the latest
/// 1,000 count, those of the last minute do not), of which at least 5 took longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Remaining {
    /// Half of them were delivered within this time from now.
    #[schema(minimum = 1)]
    pub p50: u64,
    /// Nine out of ten of them were.
    #[schema(minimum = 1)]
    pub p90: u64,
}

/// The data of a task that its forecast is computed from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Timeline {
    /// The phase.
    pub phase: PhaseName,
    /// The index of the stage.
    pub stage: usize,
    /// Since when stage, phase and the party it waits on have been the same; if it has ended, when
    /// it ended.
    pub since: Time,
    /// When the stage's current round began; none in state stored before this field existed.
    pub entered_at: Option<Time>,
    /// When the task first entered this stage; none in state stored before this field existed.
    pub first_entered_at: Option<Time>,
}

/// The durations of a workflow version's finished tasks: per stage, from the first entry to the
/// delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Microseconds, ascending.
    stages: Vec<Vec<i64>>,
}

impl Finished {
    /// Built from each task's delivery and its first entry into every stage.
    pub fn new(tasks: impl IntoIterator<Item = (Time, Vec<Time>)>) -> Self {
        let mut stages: Vec<Vec<i64>> = Vec::new();
        for (delivered_at, entries) in tasks {
            stages.resize(stages.len().max(entries.len()), Vec::new());
            for (stage, entered_at) in stages.iter_mut().zip(entries) {
                stage.push(micros(entered_at, delivered_at));
            }
        }
        for stage in &mut stages {
            stage.sort_unstable();
        }
        Self { stages }
    }

    /// Its approximate memory use in bytes.
    pub fn size(&self) -> usize {
        self.stages.iter().map(|stage| size_of::<Vec<i64>>() + stage.len() * size_of::<i64>()).sum()
    }

    /// The durations that count for a task in this stage, and of them those that exceed `elapsed`
    /// microseconds; none while there are too few.
    fn compared(&self, stage: usize, elapsed: i64) -> Option<(usize, &[i64])> {
        let all = self.stages.get(stage).filter(|all| all.len() >= MIN_FINISHED)?;
        Some((all.len(), &all[all.partition_point(|took| *took <= elapsed)..]))
    }

    /// Whether almost no finished task took longer than one that entered this stage `elapsed`
    /// microseconds ago, so that nothing is known of how much longer it takes.
    fn is_exceeded(&self, stage: usize, elapsed: i64) -> bool {
        let compared = self.compared(stage, elapsed);
        compared.is_some_and(|(all, longer)| longer.len() < MIN_LONGER && longer.len() * UNUSUAL < all)
    }

    /// The remaining time of a task that entered this stage `elapsed` microseconds ago.
    fn remaining(&self, stage: usize, elapsed: i64) -> Option<Remaining> {
        let (_, longer) = self.compared(stage, elapsed)?;
        if longer.len() < MIN_LONGER {
            return None;
        }
        // The nearest rank: the smallest value that `percent` per cent do not exceed. It exceeds
        // the elapsed time, so the remainder rounds up to at least a second.
        let rank = |percent: usize| longer.get((longer.len() * percent).div_ceil(100) - 1);
        let left = |took: &i64| u64::try_from(took - elapsed).unwrap_or_default().div_ceil(1_000_000);
        Some(Remaining { p50: left(rank(50)?), p90: left(rank(90)?) })
    }
}

impl Forecast {
    /// The forecast of a task at `at`, based on the finished tasks.
    pub fn new(timeline: &Timeline, at: Time, finished: Option<&Finished>) -> Self {
        let until = if timeline.phase.is_terminal() { timeline.since } else { at };
        let stage = u64::try_from(micros(timeline.entered_at.unwrap_or(timeline.since), until)).unwrap_or_default();
        let judged = finished.filter(|_| timeline.heads_for_delivery()).zip(timeline.first_entered_at);
        let judged = judged.map(|(finished, entered_at)| (finished, timeline.stage, micros(entered_at, at)));
        Self {
            stage_seconds: stage / 1_000_000,
            remaining_seconds: judged.and_then(|(finished, stage, elapsed)| finished.remaining(stage, elapsed)),
            unusually_long: judged.is_some_and(|(finished, stage, elapsed)| finished.is_exceeded(stage, elapsed)),
        }
    }

    /// A stored status as it is sent: the fields of both, joined without parsing the status.
    pub fn after(&self, stored: &str) -> String {
        let pace = serde_json::to_string(self).expect("numbers serialize");
        match stored.trim_end().strip_suffix('}') {
            Some(status) => format!("{status},{}", pace.trim_start_matches('{')),
            None => stored.to_owned(),
        }
    }
}

impl Timeline {
    /// The timeline of a task.
    pub fn of(task: &Task) -> Self {
        Self {
            phase: task.phase(),
            stage: task.stage,
            since: task.since,
            entered_at: task.entered_at,
            first_entered_at: task.stages.get(task.stage).and_then(|record| record.entered_at),
        }
    }

    /// Whether the task can still be delivered.
    pub fn heads_for_delivery(&self) -> bool {
        match self.phase {
            PhaseName::Preparing | PhaseName::InReview | PhaseName::Escalated | PhaseName::OnHold => true,
            PhaseName::Cancelling
            | PhaseName::Delivery
            | PhaseName::Cancelled
            | PhaseName::Expired
            | PhaseName::Failed => false,
        }
    }
}

/// The time between two instants, never negative: the clocks of replicas differ.
fn micros(from: Time, to: Time) -> i64 {
    (to - from).num_microseconds().unwrap_or(i64::MAX).max(0)
}
