//! How long the finished tasks of a workflow version took, those that were put away included.

use crate::domain::task::event::WorkflowRef;
use crate::domain::values::id::PartnerId;
use crate::domain::values::time::Time;
use crate::store::db::row::{Place, int};
use crate::store::{Error, Pool};

/// Lists up to `limit` tasks that were delivered before `before`, the latest first: when each was
/// delivered, and when it first entered each stage. Tasks from before this was stored are left out.
pub async fn list(
    pool: &Pool,
    partner_id: PartnerId,
    workflow: &WorkflowRef,
    before: Time,
    limit: u32,
) -> Result<Vec<(Time, Vec<Time>)>, Error> {
    let rows = sqlx::query!(
        r#"/* search: finished tasks of a version */
           select task_id as "task_id!", closed_at as "closed_at!", stages as "stages!", entered_at::text as "entered_at!"
           from (
               (select task_id, closed_at, jsonb_array_length(state->'stages') as stages,
                    jsonb_path_query_array(state, '$.stages[*].entered_at') as entered_at
                from tasks
                where partner_id = $1 and workflow_key = $2 and workflow_version = $3 and phase = 'delivery' and closed_at < $4
                order by closed_at desc
                limit $5)
               union all
               (select task_id, closed_at, jsonb_array_length(entered_at), entered_at
                from archived_tasks
                where partner_id = $1 and workflow_key = $2 and workflow_version = $3 and entered_at is not null and closed_at < $4
                order by closed_at desc
                limit $5)
           ) finished
           order by closed_at desc
           limit $5"#,
        partner_id.0,
        workflow.key.as_str(),
        int(workflow.version),
        before.utc(),
        i64::from(limit),
    )
    .fetch_all(pool)
    .await?;
    let mut finished = Vec::with_capacity(rows.len());
    for row in rows {
        let place = Place { table: "tasks", key: row.task_id };
        let entries: Vec<Time> = place.json(&row.entered_at)?;
        if entries.len() == place.unsigned::<_, usize>(row.stages)? {
            finished.push((row.closed_at.into(), entries));
        }
    }
    Ok(finished)
}
