//! Retention: the closed tasks that are old enough, what was put away, and the files that are being
//! written. `put_away.rs` has the transaction that deletes the rows.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::audit::{Hash, Head};
use crate::domain::values::id::{BuyerId, ErasureId, PartnerId, TaskId};
use crate::domain::values::time::Time;

use super::db::row::Place;
use super::{Error, Pool};

mod put_away;

pub use put_away::{Batch, Filed, put_away};

/// A task that was put away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The task.
    pub task_id: TaskId,
    /// The partner whose workflow it ran on.
    pub partner_id: PartnerId,
    /// The buyer who ordered it.
    pub buyer_id: BuyerId,
    /// When it ended.
    pub closed_at: Time,
    /// When it was put away.
    pub archived_at: Time,
    /// Where its export is, below the archive's directory.
    pub file: String,
    /// The SHA-256 of that file.
    pub sha256: Hash,
}

/// Finds a task among those that were put away.
pub async fn find(pool: &Pool, id: TaskId) -> Result<Option<Archived>, Error> {
    let row = sqlx::query_as!(
        Row,
        "select task_id, partner_id, buyer_id, closed_at, archived_at, file, file_sha256 from archived_tasks where task_id = $1",
        id.0
    );
    row.fetch_optional(pool).await?.map(Archived::try_from).transpose()
}

/// A closed task that nothing keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The task.
    pub task_id: TaskId,
    /// The partner whose workflow it ran on.
    pub partner_id: PartnerId,
    /// When it ended.
    pub closed_at: Time,
    /// The end of its trail.
    pub head: Head,
    /// The number of leaves of the first checkpoint that covers that end. An export that is proven
    /// against it is the same file whoever writes it.
    pub size: u64,
}

/// Closed tasks, in the order in which they closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Those that can be put away.
    pub due: Vec<Due>,
    /// The last task that was looked at; `None` if there were none.
    pub last: Option<(Time, TaskId)>,
}

/// Looks at up to `limit` tasks that closed by `until`, after the task `after`, and returns those
/// that nothing has been recorded of since `until` and that nothing else keeps.
pub async fn list_due(
    pool: &Pool,
    until: Time,
    after: Option<(Time, TaskId)>,
    limit: u32,
) -> Result<Window, Error> {
    let (closed_at, id) = after.map_or((DateTime::<Utc>::MIN_UTC, Uuid::nil()), |(at, id)| (at.utc(), id.0));
    let rows = sqlx::query!(
        r#"/* search: tasks to put away */
           select task_id, partner_id, closed_at as "closed_at!", version, head_hash,
               case when updated_at <= $1 and is_archivable(tasks) then (
                   select min(size) from audit_checkpoints checkpoint where checkpoint.size > (
                       select index from audit_leaves leaf
                       where leaf.subject = 'task' and leaf.subject_id = tasks.task_id and leaf.seq = tasks.version)) end as size
           from tasks where closed_at <= $1 and (closed_at, task_id) > (greatest($2, '0001-01-01 00:00:00+00'::timestamptz), $3)
           order by closed_at, task_id limit $4"#,
        until.utc(),
        closed_at,
        id,
        i64::from(limit),
    );
    let mut window = Window::default();
    for row in rows.fetch_all(pool).await? {
        let (task_id, closed_at) = (TaskId(row.task_id), row.closed_at.into());
        window.last = Some((closed_at, task_id));
        let Some(size) = row.size else { continue };
        let place = Place { table: "tasks", key: row.task_id };
        let head = Head { seq: place.unsigned(row.version)?, hash: place.hash(&row.head_hash)? };
        let partner_id = PartnerId(row.partner_id);
        window.due.push(Due { task_id, partner_id, closed_at, head, size: place.unsigned(size)? });
    }
    Ok(window)
}

/// Takes the turn to put tasks away, or keeps it, for a minute from now; `false` if another process
/// has it.
pub async fn take_turn(pool: &Pool, holder: Uuid) -> Result<bool, Error> {
    let taken = sqlx::query!(
        "update archive_turns set holder = $1, until = now() + interval '1 min' where holder = $1 or until <= now()",
        holder
    );
    Ok(taken.execute(pool).await?.rows_affected() == 1)
}

/// Ends the turn, so that another process need not wait for it to pass.
pub async fn end_turn(pool: &Pool, holder: Uuid) -> Result<(), Error> {
    sqlx::query!("update archive_turns set until = now() where holder = $1 and until > now()", holder)
        .execute(pool)
        .await?;
    Ok(())
}

/// Lists up to `limit` files that may be there without a record of them, with their tasks.
pub async fn list_writes(pool: &Pool, limit: u32) -> Result<Vec<(TaskId, String)>, Error> {
    let rows =
        sqlx::query!("select task_id, file from archive_writes order by task_id limit $1", i64::from(limit));
    Ok(rows.fetch_all(pool).await?.into_iter().map(|row| (TaskId(row.task_id), row.file)).collect())
}

/// Records that these files are about to be written.
pub async fn begin_writes(pool: &Pool, files: &[(TaskId, String)]) -> Result<(), Error> {
    let (ids, names): (Vec<Uuid>, Vec<String>) = files.iter().map(|(id, file)| (id.0, file.clone())).unzip();
    sqlx::query!(
        "insert into archive_writes (task_id, file) select task_id, file from unnest($1::uuid[], $2::text[]) as row (task_id, file)
         on conflict (task_id) do update set file = excluded.file",
        &ids,
        &names,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Records that these files are not there any more.
pub async fn end_writes(pool: &Pool, ids: &[TaskId]) -> Result<(), Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query!("delete from archive_writes where task_id = any ($1)", &ids).execute(pool).await?;
    Ok(())
}

/// Who acted in these tasks: each party, as trails have it, with the actor's id.
pub async fn list_actors(pool: &Pool, ids: &[TaskId]) -> Result<Vec<(TaskId, String, String)>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"select distinct task_id, party, personal -> 'actor.id' ->> 1 as "actor!" from task_events
           where task_id = any ($1) and personal -> 'actor.id' ->> 1 is not null"#,
        &ids,
    );
    Ok(rows.fetch_all(pool).await?.into_iter().map(|row| (TaskId(row.task_id), row.party, row.actor)).collect())
}

/// Reads the key of the digests of actors.
pub async fn find_secret(pool: &Pool) -> Result<[u8; 32], Error> {
    let secret = sqlx::query_scalar!("select secret from archive_secrets");
    Place { table: "archive_secrets", key: "secret" }.digest(&secret.fetch_one(pool).await?)
}

/// Notes for an erasure which files hold data of this actor: the next `limit` of them after
/// `after`. Returns the last one, or `None` if there are no more.
pub async fn note_unreached(
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
pub async fn list_unreached(
    pool: &Pool,
    erasure: ErasureId,
    after: Option<TaskId>,
    limit: u32,
) -> Result<Vec<Archived>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "select archived.task_id, partner_id, buyer_id, closed_at, archived_at, file, file_sha256
         from erasure_archived_tasks unreached join archived_tasks archived on archived.task_id = unreached.task_id
         where unreached.erasure_id = $1 and unreached.task_id > $2 order by unreached.task_id limit $3",
        erasure.0,
        after.map_or(Uuid::nil(), |id| id.0),
        i64::from(limit),
    );
    rows.fetch_all(pool).await?.into_iter().map(Archived::try_from).collect()
}

struct Row {
    task_id: Uuid,
    partner_id: Uuid,
    buyer_id: Uuid,
    closed_at: DateTime<Utc>,
    archived_at: DateTime<Utc>,
    file: String,
    file_sha256: Vec<u8>,
}

impl TryFrom<Row> for Archived {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let place = Place { table: "archived_tasks", key: row.task_id };
        Ok(Self {
            task_id: TaskId(row.task_id),
            partner_id: PartnerId(row.partner_id),
            buyer_id: BuyerId(row.buyer_id),
            closed_at: row.closed_at.into(),
            archived_at: row.archived_at.into(),
            file: row.file,
            sha256: place.hash(&row.file_sha256)?,
        })
    }
}
