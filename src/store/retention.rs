//! Retention: the closed tasks that are old enough, what was put away, and the files that are being
//! written. `put_away.rs` has the transaction that deletes the rows.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::audit::{Hash, Head};
use crate::domain::values::id::{BuyerId, PartnerId, TaskId};
use crate::domain::values::time::Time;

use super::db::pool::Transaction;
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
pub async fn list_due(pool: &Pool, until: Time, after: Option<(Time, TaskId)>, limit: u32) -> Result<Window, Error> {
    let (closed_at, id) = after.map_or((DateTime::UNIX_EPOCH, Uuid::nil()), |(at, id)| (at.utc(), id.0));
    let rows = sqlx::query!(
        r#"/* search: tasks to put away */
           select task_id, partner_id, closed_at as "closed_at!", version, head_hash,
               case when updated_at <= $1
                       and (select count(*) from archivable_tasks archivable where archivable.task_id = tasks.task_id) = 1 then (
                   select min(size) from audit_checkpoints checkpoint where checkpoint.size > (
                       select index from audit_leaves leaf
                       where leaf.subject = 'task' and leaf.subject_id = tasks.task_id and leaf.seq = tasks.version)) end as size
           from tasks where closed_at <= $1 and (closed_at, task_id) > ($2, $3)
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

/// Records that this process is about to write these files.
pub async fn begin_writes(pool: &Pool, writer: Uuid, files: &[(TaskId, String)]) -> Result<(), Error> {
    let (ids, names): (Vec<Uuid>, Vec<String>) = files.iter().map(|(id, file)| (id.0, file.clone())).unzip();
    sqlx::query!(
        "insert into archive_writes (task_id, file, holder)
         select task_id, file, $1 from unnest($2::uuid[], $3::text[]) as row (task_id, file)
         on conflict (task_id) do update set file = excluded.file, holder = excluded.holder",
        writer,
        &ids,
        &names,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Takes over up to `limit` files that other processes began and neither recorded nor removed.
/// Returns how many.
pub async fn take_over_writes(pool: &Pool, writer: Uuid, limit: u32) -> Result<u64, Error> {
    let taken = sqlx::query!(
        "update archive_writes set holder = $1
         where task_id in (select task_id from archive_writes where holder <> $1 order by task_id limit $2)",
        writer,
        i64::from(limit),
    );
    Ok(taken.execute(pool).await?.rows_affected())
}

/// Files that this process began and did not record. Until it is dropped, no other process can take
/// them over.
pub struct Discard {
    transaction: Transaction,
    writer: Uuid,
    /// Their names.
    pub files: Vec<String>,
}

/// Begins to remove the files that this process began and did not record.
pub async fn begin_discard(pool: &Pool, writer: Uuid) -> Result<Discard, Error> {
    let mut transaction = pool.begin().await?;
    // An update is how a statement takes the rows for the rest of the transaction.
    let files = sqlx::query_scalar!("update archive_writes set holder = $1 where holder = $1 returning file", writer);
    let files = files.fetch_all(transaction.connection()).await?;
    Ok(Discard { transaction, writer, files })
}

impl Discard {
    /// Records that the files were removed.
    pub async fn finish(mut self) -> Result<(), Error> {
        let removed = sqlx::query!("delete from archive_writes where holder = $1", self.writer);
        removed.execute(self.transaction.connection()).await?;
        Ok(self.transaction.commit().await?)
    }
}

/// Who acted in these tasks: each party, as trails have it, with the actor's id.
pub async fn list_actors(pool: &Pool, ids: &[TaskId]) -> Result<Vec<(TaskId, String, String)>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"select distinct task_id as "task_id!", party as "party!", actor as "actor!" from task_people
           where task_id = any ($1)"#,
        &ids,
    );
    Ok(rows.fetch_all(pool).await?.into_iter().map(|row| (TaskId(row.task_id), row.party, row.actor)).collect())
}

/// Reads the key of the digests of actors.
pub async fn find_secret(pool: &Pool) -> Result<[u8; 32], Error> {
    let secret = sqlx::query_scalar!("select secret from archive_secrets");
    Place { table: "archive_secrets", key: "secret" }.digest(&secret.fetch_one(pool).await?)
}

pub(super) struct Row {
    pub(super) task_id: Uuid,
    pub(super) partner_id: Uuid,
    pub(super) buyer_id: Uuid,
    pub(super) closed_at: DateTime<Utc>,
    pub(super) archived_at: DateTime<Utc>,
    pub(super) file: String,
    pub(super) file_sha256: Vec<u8>,
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
