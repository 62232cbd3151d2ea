//! Pages of tasks, the latest opened first. The order never changes, so that a reader who turns pages misses none.

use super::tasks::{Record, StatusRecord, select_statuses, select_tasks};
use super::{Error, Pool};
use crate::domain::id::{BuyerId, PartnerId, StageKey, TaskId, WorkflowKey};
use crate::domain::party::Party;
use crate::domain::task::PhaseName;
use crate::domain::time::Time;

/// Which tasks a list shows. `None` and an empty list leave nothing out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Whose.
    pub partner_id: Option<PartnerId>,
    /// Where they are.
    pub phases: &'a [PhaseName],
    /// The current stage.
    pub stage: Option<&'a StageKey>,
    /// The workflow, in any version.
    pub workflow: Option<&'a WorkflowKey>,
    /// Whether the present wait's deadline passed.
    pub overdue: Option<bool>,
    /// Whom they wait on.
    pub waiting_on: Option<Party>,
}

/// The last task of the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// When it was opened.
    pub opened_at: Time,
    /// Its id.
    pub task_id: TaskId,
}

/// A page of tasks. Each phase is searched by itself (phase comes first in the index), and only the tasks of the page are read.
pub async fn list(pool: &Pool, filter: Filter<'_>, after: Option<After>, limit: u32) -> Result<Vec<Record>, Error> {
    let rows = match filter.partner_id {
        Some(id) => {
            let search = search!("/* search: tasks of a partner */", "partner_id = $9 and", filter, after, limit, id.0);
            search.fetch_all(pool).await?
        }
        None => search!("/* search: tasks */", "", filter, after, limit).fetch_all(pool).await?,
    };
    rows.into_iter().map(Record::try_from).collect()
}

/// A page of one buyer's statuses.
pub async fn list_statuses(
    pool: &Pool,
    buyer_id: BuyerId,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<StatusRecord>, Error> {
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
    rows.into_iter().map(StatusRecord::try_from).collect()
}

impl Filter<'_> {
    fn phases(&self) -> Vec<&'static str> {
        let phases = if self.phases.is_empty() { &PhaseName::ALL[..] } else { self.phases };
        phases.iter().map(|phase| phase.as_str()).collect()
    }
}

/// Selects a page: the statement's mark, the condition on whose tasks, what a caller asked for, that condition's parameters.
macro_rules! search {
    ($mark:literal, $whose:tt, $filter:ident, $after:ident, $limit:ident $(, $parameter:expr)*) => {
        select_tasks!(
            $mark,
            ["where task_id = any (array(
                select page.task_id
                from unnest($1::text[]) as wanted (phase) cross join lateral (
                    select task_id, opened_at from tasks where " + $whose + " phase = wanted.phase
                        and ($2::text is null or stage = $2)
                        and ($3::text is null or workflow_key = $3)
                        and ($4::boolean is null or overdue = $4)
                        and ($5::text is null or waiting_on = $5)
                        and (opened_at, task_id) < (
                            coalesce($6, 'infinity'::timestamptz),
                            coalesce($7, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
                    order by opened_at desc, task_id desc
                    limit $8
                ) page
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
use search;
