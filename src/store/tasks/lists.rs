//! Pages of tasks, the latest opened first. The order never changes, so paging skips no task.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::task::PhaseName;
use crate::domain::values::id::{BuyerId, PartnerId, StageKey, TaskId, WorkflowKey};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::store::{Error, Pool};

use super::{Record, StatusRecord};

/// A filter for lists of tasks. `None` and an empty list match everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// The partner of the tasks.
    pub partner_id: Option<PartnerId>,
    /// The phases.
    pub phases: &'a [PhaseName],
    /// The current stage.
    pub stage: Option<&'a StageKey>,
    /// The workflow, in any version.
    pub workflow: Option<&'a WorkflowKey>,
    /// Whether the deadline of the current wait has passed.
    pub overdue: Option<bool>,
    /// The party that they wait on.
    pub waiting_on: Option<Party>,
}

/// The last task of the previous page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// When it was opened.
    pub opened_at: Time,
    /// The id of the task.
    pub task_id: TaskId,
}

/// The rows of a page, each with its position. A row that cannot be read has an error of its own
/// and does not affect others.
pub type Listed<T> = Vec<(After, Result<T, Error>)>;

/// Reads a page of tasks. Only the tasks of the page are read.
pub async fn list(pool: &Pool, filter: Filter<'_>, after: Option<After>, limit: u32) -> Result<Listed<Record>, Error> {
    let rows = match filter.partner_id {
        Some(id) => search_of_partner!(filter, after, limit, id).fetch_all(pool).await?,
        None if filter.overdue == Some(true) => search_overdue!(filter, after, limit).fetch_all(pool).await?,
        None if filter.stage.is_some() => search_of_stage!(filter, after, limit).fetch_all(pool).await?,
        None => search!(filter, after, limit).fetch_all(pool).await?,
    };
    let listed = rows.into_iter().map(|row| (After::of(row.opened_at, row.task_id), Record::try_from(row)));
    Ok(listed.collect())
}

/// Reads a page of one buyer's statuses.
pub async fn list_statuses(
    pool: &Pool,
    buyer_id: BuyerId,
    after: Option<After>,
    limit: u32,
) -> Result<Listed<StatusRecord>, Error> {
    let rows = select_statuses!(
        "/* search: statuses of a buyer */",
        "where buyer_id = $1
             and (opened_at, task_id) < (coalesce($2, 'infinity'::timestamptz), coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
           order by opened_at desc, task_id desc
           limit $4",
        buyer_id.0,
        after.map(|after| after.opened_at.utc()),
        after.map(|after| after.task_id.0),
        i64::from(limit),
    )
    .fetch_all(pool)
    .await?;
    let listed = rows.into_iter().map(|row| (After::of(row.opened_at, row.task_id), StatusRecord::try_from(row)));
    Ok(listed.collect())
}

impl After {
    fn of(opened_at: DateTime<Utc>, task_id: Uuid) -> Self {
        Self { opened_at: opened_at.into(), task_id: TaskId(task_id) }
    }
}

impl Filter<'_> {
    fn phases(&self) -> Vec<&'static str> {
        let phases = if self.phases.is_empty() { &PhaseName::ALL[..] } else { self.phases };
        // Closed tasks wait on nobody and are not overdue, so these filters need not read them.
        let only_open = self.waiting_on.is_some() || self.overdue == Some(true);
        let wanted = phases.iter().filter(|phase| !(only_open && phase.is_terminal()));
        wanted.map(|phase| phase.as_str()).collect()
    }
}

/// Selects a page of the tasks of all partners. The arguments include the mark and the condition
/// that selects an index. Each phase is searched by itself, since the index keeps phases apart. The
/// other filters apply to the rows that were read.
macro_rules! search_by {
    ($mark:literal, $by:literal, $filter:ident, $after:ident, $limit:ident) => {
        select_page!(
            $mark,
            "",
            ["from unnest($1::text[]) as wanted (phase) cross join lateral (
                select task_id, opened_at from tasks where phase = wanted.phase "
                + $by
                + "
                    and ($3::text is null or workflow_key = $3)
                    and ($4::boolean is null or overdue = $4)
                    and ($5::text is null or waiting_on = $5)
                    and (opened_at, task_id) < (
                        coalesce($6, 'infinity'::timestamptz),
                        coalesce($7, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
                order by opened_at desc, task_id desc
                limit $8
            ) page"],
            $filter,
            $after,
            $limit
        )
    };
}
use search_by;

/// Selects by phase alone.
macro_rules! search {
    ($filter:ident, $after:ident, $limit:ident) => {
        search_by!("/* search: tasks */", "and $2::text is null", $filter, $after, $limit)
    };
}
use search;

/// Selects by the stage.
macro_rules! search_of_stage {
    ($filter:ident, $after:ident, $limit:ident) => {
        search_by!("/* search: tasks at a stage */", "and stage = $2::text", $filter, $after, $limit)
    };
}
use search_of_stage;

/// Selects overdue tasks, which have an index of their own.
macro_rules! search_overdue {
    ($filter:ident, $after:ident, $limit:ident) => {
        search_by!(
            "/* search: overdue tasks */",
            "and overdue and ($2::text is null or stage = $2)",
            $filter,
            $after,
            $limit
        )
    };
}
use search_overdue;

/// Selects a page of one partner's tasks, in two steps.
///
/// First it finds the combinations that exist (phase, workflow, stage, party waited on, overdue) by
/// skipping from one to the next through the index. Then it searches each requested one by itself,
/// so that no filter reads rows that it leaves out.
///
/// Closed tasks wait on nobody, and before Postgres 18 null can neither be compared nor serve as an
/// order here. Both steps therefore have a branch for closed tasks, which sorts by the null as the
/// index does.
macro_rules! search_of_partner {
    ($filter:ident, $after:ident, $limit:ident, $partner:ident) => {
        select_page!(
            "/* search: tasks of a partner */",
            "with recursive place as (
                 select first.* from unnest($1::text[]) as wanted (phase) cross join lateral (
                     select phase, workflow_key, stage, waiting_on, overdue from tasks
                     where partner_id = $9 and phase = wanted.phase
                     order by workflow_key, stage, waiting_on, overdue limit 1
                 ) first
                 union all
                 select next.* from place cross join lateral (
                     (select phase, workflow_key, stage, waiting_on, overdue from tasks
                      where place.waiting_on is not null and partner_id = $9 and phase = place.phase
                          and (workflow_key, stage, waiting_on, overdue)
                            > (place.workflow_key, place.stage, place.waiting_on, place.overdue)
                      order by workflow_key, stage, waiting_on, overdue limit 1)
                     union all
                     (select phase, workflow_key, stage, waiting_on, overdue from tasks
                      where place.waiting_on is null and partner_id = $9 and phase = place.phase
                          and (workflow_key, stage) > (place.workflow_key, place.stage)
                      order by workflow_key, stage, waiting_on, overdue limit 1)
                 ) next
             )",
            ["from place cross join lateral (
                (select task_id, opened_at from tasks t
                 where t.partner_id = $9 and t.phase = place.phase and t.workflow_key = place.workflow_key
                     and t.stage = place.stage and t.waiting_on = place.waiting_on and t.overdue = place.overdue
                     and (t.opened_at, t.task_id) < (
                         coalesce($6, 'infinity'::timestamptz),
                         coalesce($7, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
                 order by t.opened_at desc, t.task_id desc
                 limit $8)
                union all
                (select task_id, opened_at from tasks t
                 where place.waiting_on is null
                     and t.partner_id = $9 and t.phase = place.phase and t.workflow_key = place.workflow_key
                     and t.stage = place.stage and t.waiting_on is null and t.overdue = place.overdue
                     and (t.opened_at, t.task_id) < (
                         coalesce($6, 'infinity'::timestamptz),
                         coalesce($7, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
                 order by t.waiting_on desc, t.opened_at desc, t.task_id desc
                 limit $8)
             ) page
             where ($2::text is null or place.stage = $2)
                 and ($3::text is null or place.workflow_key = $3)
                 and ($4::boolean is null or place.overdue = $4)
                 and ($5::text is null or place.waiting_on = $5)"],
            $filter,
            $after,
            $limit,
            $partner.0
        )
    };
}
use search_of_partner;

/// The common part of both. The arguments are the statement's mark, the text before it, the source
/// of the page's ids, the caller's filter, and further parameters.
macro_rules! select_page {
    ($mark:literal, $with:literal, [$($from:tt)+], $filter:ident, $after:ident, $limit:ident $(, $parameter:expr)*) => {
        select_tasks!(
            $mark,
            ["where task_id = any (array(
                " + $with + " select page.task_id " + $($from)+ + "
                order by page.opened_at desc, page.task_id desc
                limit $8))
             order by opened_at desc, task_id desc"],
            &$filter.phases() as _,
            $filter.stage.map(StageKey::as_str),
            $filter.workflow.map(WorkflowKey::as_str),
            $filter.overdue,
            $filter.waiting_on.map(Party::as_str),
            $after.map(|after: After| after.opened_at.utc()),
            $after.map(|after: After| after.task_id.0),
            i64::from($limit)
            $(, $parameter)*
        )
    };
}
use select_page;
