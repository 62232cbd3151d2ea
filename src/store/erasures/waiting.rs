//! Tasks that an erasure must return to: they are still open, or failed.

use chrono::TimeDelta;

use crate::domain::values::id::{ErasureId, TaskId};
use crate::domain::values::time::Time;
use crate::store::{Error, Pool};

use super::run;

/// Records that `erasure` must return to the task once it is closed.
pub async fn wait_for(pool: &Pool, erasure: ErasureId, task: TaskId) -> Result<(), Error> {
    let waits = sqlx::query!(
        "insert into erasure_tasks (task_id, erasure_id, touched) values ($1, $2, false)
         on conflict (task_id, erasure_id) do update set failures = 0, retry_at = null",
        task.0,
        erasure.0
    );
    run(pool, waits).await.map(|_| ())
}

/// Records that nothing is left to do in the task.
pub async fn settle(pool: &Pool, erasure: ErasureId, task: TaskId) -> Result<(), Error> {
    let settled = sqlx::query!("delete from erasure_tasks where task_id = $1 and erasure_id = $2", task.0, erasure.0);
    run(pool, settled).await.map(|_| ())
}

/// Records that the task failed. It is retried after a second, then less and less often, down to
/// once every five minutes. Two failures at the same moment may count as one.
pub async fn set_aside(pool: &Pool, erasure: ErasureId, task: TaskId, at: Time) -> Result<(), Error> {
    // Reads the count first, since Citus allows no arithmetic with times where an upsert sets a column.
    let failed = sqlx::query_scalar!(
        "select failures from erasure_tasks where task_id = $1 and erasure_id = $2",
        task.0,
        erasure.0,
    );
    let failed = failed.fetch_optional(pool).await?.unwrap_or(0);
    let retry_at = at + TimeDelta::seconds((1_i64 << failed.clamp(0, 9)).min(300));
    let aside = sqlx::query!(
        "insert into erasure_tasks (task_id, erasure_id, touched, failures, retry_at) values ($1, $2, false, $3, $4)
         on conflict (task_id, erasure_id) do update set failures = excluded.failures, retry_at = excluded.retry_at",
        task.0,
        erasure.0,
        failed.saturating_add(1),
        retry_at.utc(),
    );
    run(pool, aside).await.map(|_| ())
}

/// Lists up to `limit` tasks that an erasure must return to and that have closed or are due to be
/// retried.
pub async fn list_waiting(pool: &Pool, now: Time, limit: u32) -> Result<Vec<(ErasureId, TaskId)>, Error> {
    let rows = sqlx::query!(
        r#"/* search: tasks that erasures wait for */
           select aside.erasure_id, aside.task_id
           from erasure_tasks aside join tasks on tasks.task_id = aside.task_id
           where aside.retry_at <= $1 or (aside.retry_at is null and tasks.waiting_on is null)
           order by aside.retry_at nulls first, aside.erasure_id, aside.task_id limit $2"#,
        now.utc(),
        i64::from(limit),
    );
    let rows = rows.fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (ErasureId(row.erasure_id), TaskId(row.task_id))).collect())
}
