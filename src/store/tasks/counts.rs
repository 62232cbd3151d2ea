//! How many tasks are open at each stage.

use crate::domain::values::id::{PartnerId, StageKey, WorkflowKey};
use crate::store::db::row::Place;
use crate::store::{Error, Pool};

/// The open tasks at a stage of a workflow, in any version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageCount {
    /// The workflow.
    pub workflow: WorkflowKey,
    /// The stage.
    pub stage: StageKey,
    /// How many tasks are there.
    pub tasks: u32,
    /// How many of them are past the deadline of their current wait.
    pub overdue: u32,
}

/// Counts the open tasks of a partner, or of all partners, by stage; `limit` of them at most.
pub async fn count_by_stage(pool: &Pool, partner_id: Option<PartnerId>, limit: u32) -> Result<Vec<StageCount>, Error> {
    let limit = i64::from(limit);
    let rows = match partner_id {
        Some(id) => {
            count!("/* search: open tasks of a partner by stage */", "partner_id = $2 and", limit, id.0)
                .fetch_all(pool)
                .await?
        }
        None => count!("/* search: open tasks by stage */", "", limit).fetch_all(pool).await?,
    };
    rows.into_iter().map(StageCount::try_from).collect()
}

/// Counts tasks. The arguments are the mark, a further condition, the limit and its parameters.
macro_rules! count {
    ($mark:literal, $and:literal, $limit:expr $(, $parameter:expr)*) => {
        sqlx::query_as!(
            Row,
            $mark + r#" select workflow_key, stage, count(*) as "tasks!", count(*) filter (where overdue) as "overdue!"
               from (select workflow_key, stage, overdue from tasks
                     where "# + $and + r#" phase in ('preparing', 'in_review', 'escalated', 'on_hold', 'cancelling')
                     limit $1) open
               group by workflow_key, stage order by workflow_key, stage"#,
            $limit $(, $parameter)*
        )
    };
}
use count;

struct Row {
    workflow_key: String,
    stage: String,
    tasks: i64,
    overdue: i64,
}

impl TryFrom<Row> for StageCount {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let key = format!("({}, {})", row.workflow_key, row.stage);
        let place = Place { table: "tasks", key: key.as_str() };
        Ok(Self {
            tasks: place.unsigned(row.tasks)?,
            overdue: place.unsigned(row.overdue)?,
            workflow: place.checked(row.workflow_key)?,
            stage: place.checked(row.stage)?,
        })
    }
}
