//! What waits on a party: the earliest due first, what has no deadline last.
//!
//! An inbox is a set of queues, one for each stage of a workflow version where something waits. The
//! index keeps the queues apart, so a filter selects queues. No query reads rows that it leaves
//! out, and no answer takes longer because more tasks wait.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::task::event::WorkflowRef;
use crate::domain::values::id::{BuyerId, PartnerId, StageKey, TaskId};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::store::db::row::{Place, int};
use crate::store::{Error, Pool};

use super::Record;

/// The party whose inbox it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignee {
    /// One partner's.
    Partner(PartnerId),
    /// One buyer's.
    Buyer(BuyerId),
    /// The platform's.
    Platform,
}

/// What waits on a party at one stage of one version. An inbox consists of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The partner of the workflow. Workflow keys are unique per partner.
    pub partner_id: PartnerId,
    /// The workflow version that the tasks are pinned to.
    pub workflow: WorkflowRef,
    /// The stage.
    pub stage: StageKey,
    /// How many tasks wait, counted up to the given bound.
    pub waiting: u64,
    /// How many of them are overdue, counted up to the same bound.
    pub overdue: u64,
}

/// The last task of the previous page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// When it is due.
    pub due_at: Option<Time>,
    /// The id of the task.
    pub task_id: TaskId,
}

/// Lists the queues where something waits on a party, each counted up to `bound`. It skips from
/// queue to queue through the index, so the time depends on the number of queues, not of tasks.
pub async fn queues(pool: &Pool, assignee: Assignee, bound: u32) -> Result<Vec<Queue>, Error> {
    let rows = sqlx::query!(
        r#"/* search: inbox queues */
           with recursive queue as (
               (select partner_id, workflow_key, workflow_version, stage from tasks
                where waits_for = $1 and waiting_on = $2
                order by partner_id, workflow_key, workflow_version, stage limit 1)
               union all
               select next.* from queue cross join lateral (
                   select partner_id, workflow_key, workflow_version, stage from tasks
                   where waits_for = $1 and waiting_on = $2
                       and (partner_id, workflow_key, workflow_version, stage)
                         > (queue.partner_id, queue.workflow_key, queue.workflow_version, queue.stage)
                   order by partner_id, workflow_key, workflow_version, stage limit 1
               ) next
           )
           select partner_id as "partner_id!", workflow_key as "workflow_key!", workflow_version as "workflow_version!",
               stage as "stage!", late.tasks + in_time.tasks as "waiting!", late.tasks as "overdue!"
           from queue cross join lateral (
               select count(*) as tasks from (
                   select from tasks t
                   where t.waits_for = $1 and t.waiting_on = $2 and t.partner_id = queue.partner_id
                       and t.workflow_key = queue.workflow_key and t.workflow_version = queue.workflow_version
                       and t.stage = queue.stage and t.overdue = true
                   limit $3) counted
           ) late cross join lateral (
               select count(*) as tasks from (
                   select from tasks t
                   where t.waits_for = $1 and t.waiting_on = $2 and t.partner_id = queue.partner_id
                       and t.workflow_key = queue.workflow_key and t.workflow_version = queue.workflow_version
                       and t.stage = queue.stage and t.overdue = false
                   limit $3 - late.tasks) counted
           ) in_time"#,
        assignee.id(),
        assignee.party().as_str(),
        i64::from(bound),
    )
    .fetch_all(pool)
    .await?;
    let queues = rows.into_iter().map(|row| {
        let place = Place { table: "tasks", key: row.partner_id };
        Ok(Queue {
            partner_id: PartnerId(row.partner_id),
            workflow: WorkflowRef {
                key: place.checked(row.workflow_key)?,
                version: place.unsigned(row.workflow_version)?,
            },
            stage: place.checked(row.stage)?,
            waiting: place.unsigned(row.waiting)?,
            overdue: place.unsigned(row.overdue)?,
        })
    });
    queues.collect()
}

/// Reads a page of what waits on a party in these queues; `overdue` selects by that.
///
/// Each queue is searched by itself, and only the tasks of the page are read. Each row has its
/// position, and one that cannot be read does not affect others. A task that becomes overdue keeps
/// its queue and its position.
pub async fn list(
    pool: &Pool,
    (assignee, queues): (Assignee, &[Queue]),
    overdue: Option<bool>,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<(After, Result<Record, Error>)>, Error> {
    let partners: Vec<Uuid> = queues.iter().map(|queue| queue.partner_id.0).collect();
    let workflows: Vec<&str> = queues.iter().map(|queue| queue.workflow.key.as_str()).collect();
    let versions: Vec<i32> = queues.iter().map(|queue| int(queue.workflow.version)).collect();
    let stages: Vec<&str> = queues.iter().map(|queue| queue.stage.as_str()).collect();
    let rows = select_tasks!(
        "/* search: inbox */",
        ["where task_id = any (array(
              select page.task_id
              from unnest($3::uuid[], $4::text[], $5::integer[], $6::text[]) as queue (partner_id, workflow_key, workflow_version, stage)
              cross join unnest($7::boolean[]) as lateness (overdue)
              cross join lateral (
                  select task_id, due_rank from tasks t
                  where t.waits_for = $1 and t.waiting_on = $2 and t.partner_id = queue.partner_id
                      and t.workflow_key = queue.workflow_key and t.workflow_version = queue.workflow_version
                      and t.stage = queue.stage and t.overdue = lateness.overdue
                      and (t.due_rank, t.task_id) > (
                          coalesce($8, case when $9::uuid is null then '-infinity' else 'infinity' end::timestamptz),
                          coalesce($9, '00000000-0000-0000-0000-000000000000'::uuid))
                  order by t.due_rank, t.task_id
                  limit $10
              ) page
              order by page.due_rank, page.task_id
              limit $10))
          order by due_rank, task_id"],
        assignee.id(),
        assignee.party().as_str(),
        &partners,
        &workflows as _,
        &versions,
        &stages as _,
        &overdue.map_or(vec![false, true], |overdue| vec![overdue]),
        after.and_then(|after| after.due_at).map(Time::utc) as Option<DateTime<Utc>>,
        after.map(|after| after.task_id.0),
        i64::from(limit),
    )
    .fetch_all(pool)
    .await?;
    let listed = rows.into_iter().map(|row| {
        let place = After { due_at: row.due_at.map(Time::from), task_id: TaskId(row.task_id) };
        (place, Record::try_from(row))
    });
    Ok(listed.collect())
}

impl Assignee {
    /// The value in the column `waits_for`. There is one platform, whose id is all zeros.
    fn id(self) -> Uuid {
        match self {
            Self::Partner(id) => id.0,
            Self::Buyer(id) => id.0,
            Self::Platform => Uuid::nil(),
        }
    }

    fn party(self) -> Party {
        match self {
            Self::Partner(_) => Party::Partner,
            Self::Buyer(_) => Party::Buyer,
            Self::Platform => Party::Platform,
        }
    }
}
