//! The tasks of a partner, or of the platform: how many are at each stage, and a table with filters.

use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::app::tasks::{Filter, MAX_COUNTED, OpenedAfter, StageCount};
use crate::domain::task::PhaseName;
use crate::domain::task::unreadable::ListedTask;
use crate::domain::task::view::TaskView;
use crate::domain::values::id::{PartnerId, StageKey, TaskId, WorkflowKey};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::domain::webhook::Owner;
use crate::http::AppState;
use crate::pages::frame::{Frame, render};
use crate::pages::problem::PageError;
use crate::pages::session::Visitor;
use crate::pages::times::TimeTag;

use super::slips::{self, Slip};
use super::{Answer, enter, samples, words};
use crate::pages::query::Query;

const PATH: &str = "/tasks";
/// The rows of a page.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "console/tasks.html", config = "src/pages/askama.toml")]
struct TasksPage {
    frame: Frame,
    slips: Vec<Slip>,
    query: Query,
    counts: Vec<CountRow>,
    is_capped: bool,
    rows: Vec<TaskRow>,
    next: Option<String>,
    is_platform: bool,
    /// Calls that make the first one, to copy.
    calls: String,
}

/// The tasks at a stage.
struct CountRow {
    workflow: String,
    stage: String,
    tasks: u32,
    overdue: u32,
    /// The share of the largest count, in percent.
    width: u32,
    overdue_width: u32,
    path: String,
}

/// A task in the table.
struct TaskRow {
    id: String,
    title: Option<String>,
    /// The id of the words for a task that cannot be read.
    unreadable: Option<&'static str>,
    phase: &'static str,
    stage: String,
    round: u32,
    revision: u32,
    workflow: String,
    waiting_on: Option<&'static str>,
    since: Option<TimeTag>,
    due: Option<TimeTag>,
    is_overdue: bool,
}

/// The filters of the list.
#[derive(Default)]
struct Filters {
    phase: Option<PhaseName>,
    stage: Option<StageKey>,
    workflow: Option<WorkflowKey>,
    overdue: Option<bool>,
    waiting_on: Option<Party>,
    partner: Option<PartnerId>,
    after: Option<(Time, TaskId)>,
}

/// The tasks that the visitor of a console may see.
pub(in crate::pages) async fn get_tasks(visitor: &Visitor, state: &AppState, mut query: Query) -> Answer {
    let is_platform = enter(visitor)? == Owner::Platform;
    let filters = Filters::of(&mut query, is_platform);
    let failed = |error| PageError::of(error, visitor.untitled());
    let frame = visitor.frame(visitor.untitled().t.text("console-tasks"));
    let slips = slips::of(&query, &frame);
    let mut listed = Vec::new();
    if slips.is_empty() {
        let after = filters.after.map(|(opened_at, task_id)| OpenedAfter { opened_at, task_id });
        let most = u32::try_from(ROWS).unwrap_or(u32::MAX) + 1;
        listed = state.app.tasks.list_tasks(&visitor.caller, filters.as_filter(), after, most).await.map_err(failed)?;
    }
    let more = listed.len() > ROWS;
    listed.truncate(ROWS);
    let last = listed.last().map(|(place, _)| (place.opened_at, place.task_id));
    let next = last.filter(|_| more).map(|last| query.next(PATH, last));
    let counts = state.app.tasks.count_tasks(&visitor.caller).await.map_err(failed)?;
    let is_capped = counts.iter().map(|count| count.tasks).sum::<u32>() >= MAX_COUNTED;
    let rows = listed.into_iter().map(|(_, task)| TaskRow::of(task, &frame)).collect();
    let (status, frame) = outcome(frame, &slips);
    let calls = samples::first_task(state);
    let counts = CountRow::of(&counts);
    Ok(render(status, &TasksPage { frame, slips, query, counts, is_capped, rows, next, is_platform, calls }))
}

/// The status of a list, and its title: with mistakes, it says so.
pub(super) fn outcome(frame: Frame, slips: &[Slip]) -> (StatusCode, Frame) {
    if slips.is_empty() {
        return (StatusCode::OK, frame);
    }
    let title = frame.t.with("console-error-title", "title", frame.title.as_str()).into_owned();
    (StatusCode::UNPROCESSABLE_ENTITY, frame.titled(title))
}

/// The value that is written like this on the wire.
pub(super) fn by_name<T: for<'de> Deserialize<'de>>(name: &str) -> Option<T> {
    serde_json::from_value(Value::from(name)).ok()
}

impl Filters {
    fn of(query: &mut Query, is_platform: bool) -> Self {
        let partner = |query: &mut Query| query.read("partner", by_name);
        Self {
            phase: query.read("phase", by_name),
            stage: query.read("stage", |text| StageKey::parse(text).ok()),
            workflow: query.read("workflow", |text| WorkflowKey::parse(text).ok()),
            overdue: query.read("overdue", |text| text.parse().ok()),
            waiting_on: query.read("waiting_on", by_name),
            partner: if is_platform { partner(query) } else { None },
            after: query.cursor(),
        }
    }

    fn as_filter(&self) -> Filter<'_> {
        Filter {
            partner_id: self.partner,
            phases: self.phase.as_slice(),
            stage: self.stage.as_ref(),
            workflow: self.workflow.as_ref(),
            overdue: self.overdue,
            waiting_on: self.waiting_on,
        }
    }
}

impl CountRow {
    fn of(counts: &[StageCount]) -> Vec<Self> {
        let most = counts.iter().map(|count| count.tasks).max().unwrap_or(1).max(1);
        let share = |number: u32| number.saturating_mul(100).div_ceil(most);
        let row = |count: &StageCount| Self {
            workflow: count.workflow.to_string(),
            stage: count.stage.to_string(),
            tasks: count.tasks,
            overdue: count.overdue,
            width: share(count.tasks),
            overdue_width: share(count.overdue),
            path: format!("{PATH}?workflow={}&stage={}", count.workflow, count.stage),
        };
        counts.iter().map(row).collect()
    }
}

impl TaskRow {
    fn of(task: ListedTask, frame: &Frame) -> Self {
        match task {
            ListedTask::Task(task) => Self::readable(&task, frame),
            ListedTask::Unreadable(task) => Self {
                id: task.task_id.to_string(),
                title: None,
                unreadable: Some(words::unreadable(task.unreadable)),
                phase: "console-unknown",
                stage: String::new(),
                round: 0,
                revision: 0,
                workflow: String::new(),
                waiting_on: None,
                since: None,
                due: None,
                is_overdue: false,
            },
        }
    }

    fn readable(task: &TaskView, frame: &Frame) -> Self {
        Self {
            id: task.id.to_string(),
            title: task.title.as_ref().map(ToString::to_string),
            unreadable: None,
            phase: words::phase(task.phase),
            stage: task.stage.name.to_string(),
            round: task.round,
            revision: task.revision,
            workflow: format!("{}/{}", task.workflow.key, task.workflow.version),
            waiting_on: task.waiting_on.map(words::party),
            since: Some(frame.times.tag(&task.since)),
            due: task.due_at.map(|due| frame.times.due(&due)),
            is_overdue: task.overdue,
        }
    }
}
