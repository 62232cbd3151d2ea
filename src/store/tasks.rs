//! Reads the current state of tasks by key, and finds tasks whose timers are due.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::audit::Hash;
use crate::domain::task::event::WorkflowRef;
use crate::domain::task::forecast::Timeline;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::{FORMAT, Task};
use crate::domain::values::id::{BuyerId, PartnerId, TaskId};
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;

use super::db::notify::Change;
use super::db::row::Place;
use super::{Error, Pool};

/// A task as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The partner whose workflow it runs on.
    pub partner_id: PartnerId,
    /// The buyer who ordered it.
    pub buyer_id: BuyerId,
    /// The workflow version that it is pinned to.
    pub workflow: WorkflowRef,
    /// The display name; `None` once erased.
    pub title: Option<Name>,
    /// Data that the platform attached.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// The SHA-256 of the request that opened it.
    pub open_digest: [u8; 32],
    /// The state for decisions, what is shown, and the buyer's status.
    pub snapshot: Snapshot,
    /// The hash of the last event.
    pub head: Hash,
    /// The version of the partner's absences at that moment.
    pub absences_version: u64,
    /// The bytes of JSON that the record was read from.
    pub size: usize,
}

/// A task's status as it is stored, who may read it, and what is added when it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRecord {
    /// The task.
    pub task_id: TaskId,
    /// The partner whose workflow it runs on.
    pub partner_id: PartnerId,
    /// The buyer who ordered it.
    pub buyer_id: BuyerId,
    /// The workflow version that it is pinned to.
    pub workflow: WorkflowRef,
    /// The timeline from which its forecast is computed.
    pub course: Timeline,
    /// When it was opened. With the id, this is its position in a list.
    pub opened_at: Time,
    /// The version of the status, which is its `ETag`.
    pub version: u64,
    /// The version of the task when this was read. It is newer than the status if the latest events
    /// did not change what the buyer sees.
    pub as_of: u64,
    /// The stored body.
    pub json: String,
}

/// Reads a whole task.
pub async fn find(pool: &Pool, task_id: TaskId) -> Result<Option<Record>, Error> {
    let row = select_tasks!("", ["where task_id = $1"], task_id.0).fetch_optional(pool).await?;
    row.map(Record::try_from).transpose()
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whose it is.
    pub parties: (PartnerId, BuyerId),
    /// Its version.
    pub version: u64,
    /// Whether it is overdue, which is noted without a new version.
    pub overdue: bool,
}

/// Reads how far a task is, without its state.
pub async fn find_standing(pool: &Pool, task_id: TaskId) -> Result<Option<Standing>, Error> {
    let query = sqlx::query!("select partner_id, buyer_id, version, overdue from tasks where task_id = $1", task_id.0);
    let Some(row) = query.fetch_optional(pool).await? else { return Ok(None) };
    let place = Place { table: "tasks", key: task_id.0 };
    let parties = (PartnerId(row.partner_id), BuyerId(row.buyer_id));
    Ok(Some(Standing { parties, version: place.unsigned(row.version)?, overdue: row.overdue }))
}

/// Reads these tasks in one statement, in no particular order. Missing ones are left out. A row
/// that cannot be read has an error of its own and does not affect others.
pub async fn list(pool: &Pool, task_ids: &[TaskId]) -> Result<Vec<(TaskId, Result<Record, Error>)>, Error> {
    let ids: Vec<Uuid> = task_ids.iter().map(|id| id.0).collect();
    let rows = select_tasks!("", ["where task_id = any ($1)"], &ids).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (TaskId(row.task_id), Record::try_from(row))).collect())
}

/// Reads the statuses of these tasks in one statement, in no particular order. Missing ones are
/// left out. A row that cannot be read has an error of its own and does not affect others.
pub async fn list_statuses(
    pool: &Pool,
    task_ids: &[TaskId],
) -> Result<Vec<(TaskId, Result<StatusRecord, Error>)>, Error> {
    let ids: Vec<Uuid> = task_ids.iter().map(|id| id.0).collect();
    let rows = select_statuses!("", "where task_id = any ($1)", &ids).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (TaskId(row.task_id), StatusRecord::try_from(row))).collect())
}

/// Reads the status versions of these tasks in one statement, in no particular order. Missing ones
/// are left out.
pub async fn list_status_versions(pool: &Pool, task_ids: &[TaskId]) -> Result<Vec<Change>, Error> {
    let ids: Vec<Uuid> = task_ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!("select task_id, status_version from tasks where task_id = any ($1)", &ids);
    let rows = rows.fetch_all(pool).await?.into_iter().map(|row| {
        let place = Place { table: "tasks", key: row.task_id };
        Ok(Change { task_id: TaskId(row.task_id), version: place.unsigned(row.status_version)? })
    });
    rows.collect()
}

/// A task with a due timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The task.
    pub task_id: TaskId,
    /// Its earliest timer.
    pub wake_at: Time,
}

/// Lists tasks whose earliest timer is due by `until`, the longest due first, without those in
/// `except`. Takes no locks: if several workers find a task, the first one's tick changes its
/// version.
pub async fn list_due(pool: &Pool, until: Time, except: &[TaskId], limit: u32) -> Result<Vec<Due>, Error> {
    let except: Vec<Uuid> = except.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"/* search: due */ select task_id, greatest(wake_at, '0001-01-01 00:00:00+00') as "wake_at!" from tasks
           where wake_at <= $1 and task_id <> all($2) order by wake_at limit $3"#,
        until.utc(),
        &except,
        i64::from(limit),
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| Due { task_id: TaskId(row.task_id), wake_at: row.wake_at.into() }).collect())
}

/// Selects whole tasks. The arguments are the mark before the statement, the text after `from
/// tasks`, and the parameters.
macro_rules! select_tasks {
    ($before:literal, [$($after:tt)+], $($parameter:expr),+ $(,)?) => {
        sqlx::query_as!(
            crate::store::tasks::Row,
            $before + r#" select task_id, partner_id, buyer_id, workflow_key, workflow_version, title,
                metadata::text as metadata, open_digest, opened_at, due_at, version, format, state::text as "state!",
                notes::text as "notes!", buyer_status::text as "buyer_status!", head_hash,
                (select absences_version from partners where partners.id = tasks.partner_id) as "absences_version!"
                from tasks "# + $($after)+,
            $($parameter),+
        )
    };
}
pub(super) use select_tasks;

/// Selects statuses and what is needed to serve them. The arguments are the mark before the
/// statement, the text after `from tasks`, and the parameters.
macro_rules! select_statuses {
    ($before:literal, $after:literal, $($parameter:expr),+ $(,)?) => {
        sqlx::query_as!(
            crate::store::tasks::StatusRow,
            $before + r#" select task_id, partner_id, buyer_id, workflow_key, workflow_version, opened_at, version, status_version,
                buyer_status::text as "buyer_status!", jsonb_build_object('phase', phase, 'stage', state->'stage',
                    'since', state->'since', 'entered_at', state->'entered_at',
                    'first_entered_at', state #> array['stages', state->>'stage', 'entered_at'])::text as "course!"
                from tasks "# + $after,
            $($parameter),+
        )
    };
}
pub(super) use select_statuses;

pub mod claims;
pub mod counts;
pub mod events;
pub mod finished;
pub mod inbox;
pub mod lists;
pub mod transitions;
pub(in crate::store) mod writer;

/// The columns of a whole task.
pub(super) struct Row {
    pub(super) task_id: Uuid,
    pub(super) partner_id: Uuid,
    pub(super) buyer_id: Uuid,
    pub(super) workflow_key: String,
    pub(super) workflow_version: i32,
    pub(super) title: Option<String>,
    pub(super) metadata: Option<String>,
    pub(super) open_digest: Vec<u8>,
    pub(super) opened_at: DateTime<Utc>,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) version: i64,
    pub(super) format: i32,
    pub(super) state: String,
    pub(super) notes: String,
    pub(super) buyer_status: String,
    pub(super) head_hash: Vec<u8>,
    pub(super) absences_version: i64,
}

/// The columns of a status.
pub(super) struct StatusRow {
    pub(super) task_id: Uuid,
    pub(super) partner_id: Uuid,
    pub(super) buyer_id: Uuid,
    pub(super) workflow_key: String,
    pub(super) workflow_version: i32,
    pub(super) opened_at: DateTime<Utc>,
    pub(super) version: i64,
    pub(super) status_version: i64,
    pub(super) buyer_status: String,
    pub(super) course: String,
}

impl TryFrom<Row> for Record {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let place = Place { table: "tasks", key: row.task_id };
        place.known_format(row.format, FORMAT)?;
        let task: Task = place.json(&row.state)?;
        let told = (task.id().0, task.version(), task.opened_at());
        if told != (row.task_id, place.unsigned(row.version)?, Time::from(row.opened_at)) {
            return Err(place.impossible("a state of another task or version"));
        }
        let texts = [Some(&row.state), Some(&row.notes), Some(&row.buyer_status), row.metadata.as_ref()];
        let size = texts.into_iter().flatten().map(String::len).sum();
        let snapshot = Snapshot { task, notes: place.json(&row.notes)?, status: place.json(&row.buyer_status)? };
        Ok(Self {
            partner_id: PartnerId(row.partner_id),
            buyer_id: BuyerId(row.buyer_id),
            workflow: WorkflowRef {
                key: place.checked(row.workflow_key)?,
                version: place.unsigned(row.workflow_version)?,
            },
            title: row.title.map(|title| place.checked(title)).transpose()?,
            metadata: row.metadata.map(|metadata| place.json(&metadata)).transpose()?,
            open_digest: place.digest(&row.open_digest)?,
            snapshot,
            head: place.hash(&row.head_hash)?,
            absences_version: place.unsigned(row.absences_version)?,
            size,
        })
    }
}

impl TryFrom<StatusRow> for StatusRecord {
    type Error = Error;

    fn try_from(row: StatusRow) -> Result<Self, Error> {
        let place = Place { table: "tasks", key: row.task_id };
        Ok(Self {
            task_id: TaskId(row.task_id),
            partner_id: PartnerId(row.partner_id),
            buyer_id: BuyerId(row.buyer_id),
            workflow: WorkflowRef {
                key: place.checked(row.workflow_key)?,
                version: place.unsigned(row.workflow_version)?,
            },
            course: place.json(&row.course)?,
            opened_at: row.opened_at.into(),
            version: place.unsigned(row.status_version)?,
            as_of: place.unsigned(row.version)?,
            json: row.buyer_status,
        })
    }
}
