//! The files of tasks that were put away, which an erasure does not reach.

use uuid::Uuid;

use crate::domain::values::id::{ErasureId, TaskId};
use crate::store::retention::{Archived, Row};
use crate::store::{Error, Pool};

/// Notes for an erasure which files hold data of the actor with this digest: the next `limit` of
/// them after `after`. Returns the last one, or `None` if there are no more.
pub async fn note_archived(
    pool: &Pool,
    erasure: ErasureId,
    digest: &[u8; 32],
    (after, limit): (Option<TaskId>, u32),
) -> Result<Option<TaskId>, Error> {
    let last = sqlx::query_scalar!(
        r#"with page as (
               select task_id from archived_actors where actor_digest = $2 and task_id > $3 order by task_id limit $4
           ), noted as (
               insert into erasure_archived_tasks (task_id, erasure_id) select task_id, $1 from page
               on conflict (task_id, erasure_id) do nothing
           )
           select task_id from page order by task_id desc limit 1"#,
        erasure.0,
        &digest[..],
        after.map_or(Uuid::nil(), |id| id.0),
        i64::from(limit),
    );
    Ok(last.fetch_optional(pool).await?.map(TaskId))
}

/// Lists up to `limit` of the tasks whose files an erasure does not reach, after `after`, in the
/// order of their ids.
pub async fn list_archived(
    pool: &Pool,
    erasure: ErasureId,
    after: Option<TaskId>,
    limit: u32,
) -> Result<Vec<Archived>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "select archived.task_id, partner_id, buyer_id, closed_at, archived_at, file, file_sha256
         from erasure_archived_tasks noted join archived_tasks archived on archived.task_id = noted.task_id
         where noted.erasure_id = $1 and noted.task_id > $2 order by noted.task_id limit $3",
        erasure.0,
        after.map_or(Uuid::nil(), |id| id.0),
        i64::from(limit),
    );
    rows.fetch_all(pool).await?.into_iter().map(Archived::try_from).collect()
}
