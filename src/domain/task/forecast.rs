//! What of a status depends on when it is asked for: how long the stage has taken, and how long it may still take.
//! Neither is stored, and neither changes the status' version. Every answer with a status is put together here.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::values::time::Time;

use super::status::Status;
use super::{PhaseName, Task};

/// The fewest finished tasks of a version, by which nothing is said of the time that remains.
pub const MIN_FINISHED: usize = 20;
/// The fewest of them that took longer than this one has so far: with less, they do not tell how long one like it
/// takes.
pub const MIN_LONGER: usize = 5;

/// A status as it is answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusView {
    /// What is stored.
    #[serde(flatten)]
    pub status: Status,
    /// What depends on the time of the answer.
    #[serde(flatten)]
    pub pace: Forecast,
}

impl PartialSchema for StatusView {
    /// One object with the members of both.
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

/// What of a status depends on the time of the answer. It changes neither the status' `version` nor its `ETag`: who
/// polls with `If-None-Match` counts on from the last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// How long the task has been in this stage in the present round, in whole seconds, as of the answer (of a
    /// command's answer: as of the command); of a task that is over, until it ended. It changes neither `version`
    /// nor `ETag`: after a `304`, count on.
    pub stage_seconds: u64,
    /// How much longer the task may take until it is delivered, as of the same time. Null when it is over or being
    /// cancelled, and while there is too little to judge by.
    #[schema(required = true)]
    pub remaining_seconds: Option<Remaining>,
}

/// How much longer a task may take until it is delivered, in whole seconds, each at least 1: what the finished
/// tasks of the same workflow version took from their first entry into this stage to their delivery, of those that
/// took longer than this task has by now. An experience, not a promise. There must be at least 20 finished tasks
/// (the latest 1,000 count, those of the last minute do not), and at least 5 that took longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Remaining {
    /// Half of them were delivered within this time from here on.
    #[schema(minimum = 1)]
    pub p50: u64,
    /// Nine out of ten were.
    #[schema(minimum = 1)]
    pub p90: u64,
}

/// What the pace of a task is reckoned from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Timeline {
    /// Where it is.
    pub phase: PhaseName,
    /// The index of the stage.
    pub stage: usize,
    /// Since when it has stood like this: when it ended, if it is over.
    pub since: Time,
    /// When the stage's present round began; none in state from before this was kept.
    pub entered_at: Option<Time>,
    /// When the task was first in this stage; none in state from before this was kept.
    pub first_entered_at: Option<Time>,
}

/// What the finished tasks of a workflow version took: per stage, from the first entry to the delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Microseconds, ascending.
    stages: Vec<Vec<i64>>,
}

impl Finished {
    /// From each task's delivery and its first entry into every stage.
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

    /// How much memory it takes, roughly, in bytes.
    pub fn size(&self) -> usize {
        self.stages.iter().map(|stage| size_of::<Vec<i64>>() + stage.len() * size_of::<i64>()).sum()
    }

    /// The time that remains to a task that entered this stage so many microseconds ago.
    fn remaining(&self, stage: usize, elapsed: i64) -> Option<Remaining> {
        let all = self.stages.get(stage).filter(|all| all.len() >= MIN_FINISHED)?;
        let (_, longer) = all.split_at(all.partition_point(|took| *took <= elapsed));
        if longer.len() < MIN_LONGER {
            return None;
        }
        // The nearest rank: the smallest that so many in a hundred do not exceed. Longer than what elapsed, so
        // never less than a second.
        let rank = |percent: usize| longer.get((longer.len() * percent).div_ceil(100) - 1);
        let left = |took: &i64| u64::try_from(took - elapsed).unwrap_or_default().div_ceil(1_000_000);
        Some(Remaining { p50: left(rank(50)?), p90: left(rank(90)?) })
    }
}

impl Forecast {
    /// The pace of a task at `at`, judged by those that finished.
    pub fn new(course: &Timeline, at: Time, finished: Option<&Finished>) -> Self {
        let until = if course.phase.is_terminal() { course.since } else { at };
        let stage = u64::try_from(micros(course.entered_at.unwrap_or(course.since), until)).unwrap_or_default();
        let judged = finished.filter(|_| course.heads_for_delivery()).zip(course.first_entered_at);
        let remaining_seconds =
            judged.and_then(|(finished, entered_at)| finished.remaining(course.stage, micros(entered_at, at)));
        Self { stage_seconds: stage / 1_000_000, remaining_seconds }
    }

    /// A stored status as it is answered: the members of both, without reading the status again.
    pub fn after(&self, stored: &str) -> String {
        let pace = serde_json::to_string(self).expect("two numbers serialize");
        match stored.trim_end().strip_suffix('}') {
            Some(status) => format!("{status},{}", pace.trim_start_matches('{')),
            None => stored.to_owned(),
        }
    }
}

impl Timeline {
    /// That of a task.
    pub fn of(task: &Task) -> Self {
        Self {
            phase: task.phase(),
            stage: task.stage,
            since: task.since,
            entered_at: task.entered_at,
            first_entered_at: task.stages.get(task.stage).and_then(|record| record.entered_at),
        }
    }

    /// Whether there is a delivery to come.
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

/// From one time to another, never below zero: the clocks of replicas differ.
fn micros(from: Time, to: Time) -> i64 {
    (to - from).num_microseconds().unwrap_or(i64::MAX).max(0)
}
