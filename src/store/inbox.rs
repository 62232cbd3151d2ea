//! What waits on a party, the earliest due first and what has no deadline last.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::row::Place;
use super::tasks::{Record, select_tasks};
use super::{Error, Pool};
use crate::domain::id::{BuyerId, PartnerId, StageKey, TaskId, WorkflowKey};
use crate::domain::party::Party;
use crate::domain::time::Time;

/// Whose inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Desk {
    /// One partner's.
    Partner(PartnerId),
    /// One buyer's.
    Buyer(BuyerId),
    /// The platform's.
    Platform,
}

/// Which part of an inbox. `None` leaves nothing out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// The workflow, in any version.
    pub workflow: Option<&'a WorkflowKey>,
    /// The current stage.
    pub stage: Option<&'a StageKey>,
}

/// The last task of the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// When it is due.
    pub due_at: Option<Time>,
    /// Its id.
    pub task_id: TaskId,
}

/// How much waits at one stage of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Whose workflow: keys are unique per partner.
    pub partner_id: PartnerId,
    /// The workflow, in any version.
    pub workflow: WorkflowKey,
    /// The stage.
    pub stage: StageKey,
    /// How many tasks wait.
    pub waiting: u64,
    /// How many of those are overdue.
    pub overdue: u64,
}

/// A page of what waits on a party.
pub async fn list(
    pool: &Pool,
    desk: Desk,
    filter: Filter<'_>,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<Record>, Error> {
    let rows = select_tasks!(
        "/* search: inbox */",
        ["where waits_for = $1 and waiting_on = $2
           and ($3::text is null or workflow_key = $3)
           and ($4::text is null or stage = $4)
           and (coalesce(due_at, 'infinity'::timestamptz), task_id)
             > (coalesce($5, case when $6::uuid is null then '-infinity' else 'infinity' end::timestamptz), coalesce($6, '00000000-0000-0000-0000-000000000000'::uuid))
         order by coalesce(due_at, 'infinity'::timestamptz), task_id
         limit $7"],
        desk.id(),
        desk.party().as_str(),
        filter.workflow.map(WorkflowKey::as_str),
        filter.stage.map(StageKey::as_str),
        after.and_then(|after| after.due_at).map(Time::utc) as Option<DateTime<Utc>>,
        after.map(|after| after.task_id.0),
        i64::from(limit),
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Record::try_from).collect()
}

/// How much waits on a party, by workflow and stage.
pub async fn count(pool: &Pool, desk: Desk) -> Result<Vec<Count>, Error> {
    let rows = sqlx::query!(
        r#"/* search: inbox counts */
           select partner_id, workflow_key, stage, count(*) as "waiting!", count(*) filter (where overdue) as "overdue!"
           from tasks
           where waits_for = $1 and waiting_on = $2
           group by partner_id, workflow_key, stage
           order by partner_id, workflow_key, stage"#,
        desk.id(),
        desk.party().as_str(),
    )
    .fetch_all(pool)
    .await?;
    let counts = rows.into_iter().map(|row| {
        let place = Place { table: "tasks", key: row.partner_id };
        Ok(Count {
            partner_id: PartnerId(row.partner_id),
            workflow: place.checked(row.workflow_key)?,
            stage: place.checked(row.stage)?,
            waiting: place.unsigned(row.waiting)?,
            overdue: place.unsigned(row.overdue)?,
        })
    });
    counts.collect()
}

impl Desk {
    /// As in the column `waits_for`: the platform, of which there is one, is all zeros.
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
