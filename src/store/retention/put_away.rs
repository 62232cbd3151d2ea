//! The transaction that puts tasks away: their rows go, and a record of their files takes their
//! place, in the partner's trail as well.

use uuid::Uuid;

use crate::domain::audit::{Hash, Head};
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::store::audit::partner_events::{Append, append};
use crate::store::db::row::bigint;
use crate::store::{Error, Pool};

/// A task whose export is in the archive, complete and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    /// The task.
    pub task_id: TaskId,
    /// The end of its trail, which is the end of the file.
    pub head: Head,
    /// Where the file is, below the archive's directory.
    pub file: String,
    /// Its SHA-256.
    pub sha256: Hash,
    /// Its length in bytes.
    pub size: u64,
    /// The digests of the actors whose data is in it.
    pub actors: Vec<[u8; 32]>,
}

/// Tasks of one partner that are put away together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The process that wrote the files.
    pub writer: Uuid,
    /// The tasks.
    pub filed: Vec<Filed>,
    /// When they are put away.
    pub at: Time,
}

/// Puts the tasks of a batch away, except those that have moved on, that something keeps, or whose
/// file another process has taken over, and returns which were. `None`: the partner's trail has
/// moved on, and nothing was done.
///
/// `entry` makes the entry of the partner's trail that records these tasks.
pub async fn put_away(
    pool: &Pool,
    batch: &Batch,
    entry: impl FnOnce(&[TaskId]) -> Append + Send,
) -> Result<Option<Vec<TaskId>>, Error> {
    let mut transaction = pool.begin().await?;
    let filed = &batch.filed;
    let gone = sqlx::query_scalar!(
        r#"select archive_tasks($1, $2, $3, $4, $5, $6, $7, $8) as "gone!""#,
        batch.writer,
        &column(filed, |filed| filed.task_id.0),
        &column(filed, |filed| bigint(filed.head.seq)),
        &column(filed, |filed| filed.head.hash.as_bytes().to_vec()),
        &column(filed, |filed| filed.file.clone()),
        &column(filed, |filed| filed.sha256.as_bytes().to_vec()),
        &column(filed, |filed| bigint(filed.size)),
        batch.at.utc(),
    );
    let gone: Vec<TaskId> = gone.fetch_all(transaction.connection()).await?.into_iter().map(TaskId).collect();
    if gone.is_empty() {
        return Ok(Some(gone));
    }
    let entry = entry(&gone);
    if append!(&entry, "").fetch_optional(transaction.connection()).await?.is_none() {
        return Ok(None);
    }
    let actors = filed.iter().filter(|filed| gone.contains(&filed.task_id));
    let actors = actors.flat_map(|filed| filed.actors.iter().map(|digest| (filed.task_id.0, digest.to_vec())));
    let (ids, digests): (Vec<Uuid>, Vec<Vec<u8>>) = actors.unzip();
    sqlx::query!(
        "insert into archived_actors (task_id, actor_digest)
         select task_id, digest from unnest($1::uuid[], $2::bytea[]) as row (task_id, digest) on conflict do nothing",
        &ids,
        &digests,
    )
    .execute(transaction.connection())
    .await?;
    transaction.commit().await?;
    Ok(Some(gone))
}

fn column<R, T>(of: &[R], column: impl Fn(&R) -> T) -> Vec<T> {
    of.iter().map(column).collect()
}
