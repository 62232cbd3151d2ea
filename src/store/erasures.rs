//! Erasures: the requests and their progress. The files below have the scan of the tasks, the
//! transaction that takes data out of a trail, and the tasks to return to.

use crate::domain::values::id::{ActorId, CredentialId, ErasureId, PartnerId, TaskId};
use crate::domain::values::party::Party;
use crate::domain::values::text::Prose;
use crate::domain::values::time::Time;

use self::row::select_erasures;
use super::{Error, Pool};

mod archived;
mod erase;
mod partners;
mod row;
mod scan;
mod waiting;
mod work;

pub use archived::{list_archived, note_archived};
pub use erase::{Erase, erase};
pub use partners::{complete, has_reached, is_recorded, list_partners};
pub use scan::{Window, advance, find_last_before, list_next};
pub use waiting::{list_waiting, set_aside, settle, wait_for};
pub use work::{list_finished, list_running};

/// A request for an erasure.
#[derive(Clone, Debug)]
pub struct New {
    /// The id of the erasure.
    pub id: ErasureId,
    /// The party of the actor.
    pub party: Party,
    /// The partner of the actor; `None` for the other parties.
    pub partner_id: Option<PartnerId>,
    /// The actor whose data is erased.
    pub actor_id: ActorId,
    /// Who asked, and why.
    pub reason: Prose,
    /// The platform's credential.
    pub credential_id: CredentialId,
    /// The random salt of the digest.
    pub salt: [u8; 16],
    /// The salted digest of the request.
    pub digest: [u8; 32],
    /// When it was requested.
    pub requested_at: Time,
}

/// An erasure as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The id of the erasure.
    pub id: ErasureId,
    /// The party of the actor.
    pub party: Party,
    /// The partner of the actor.
    pub partner_id: Option<PartnerId>,
    /// The actor whose data is erased; `None` once the erasure is done.
    pub actor_id: Option<ActorId>,
    /// Who asked, and why.
    pub reason: Prose,
    /// The platform's credential.
    pub credential_id: CredentialId,
    /// The salt of the digest.
    pub salt: [u8; 16],
    /// The salted digest of the request.
    pub digest: [u8; 32],
    /// The state of the erasure.
    pub state: State,
    /// When it was requested.
    pub requested_at: Time,
    /// When it began.
    pub started_at: Option<Time>,
    /// When it was finished.
    pub finished_at: Option<Time>,
    /// The last task that the scan has looked at.
    pub last_task: Option<TaskId>,
    /// What was done so far.
    pub progress: Progress,
}

/// What an erasure has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tasks that were looked at.
    pub examined: u64,
    /// Tasks from which something was erased.
    pub tasks: u64,
    /// Entries from which something was erased.
    pub entries: u64,
    /// Fields that were erased.
    pub fields: u64,
    /// Tasks that it must return to.
    pub waiting: u64,
    /// Those of the waiting tasks that failed and are retried.
    pub failing: u64,
    /// Tasks that were put away with data of the actor in their files.
    pub archived: u64,
}

/// The state of an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not started.
    Pending,
    /// Scanning the tasks.
    Running,
    /// Waiting for tasks to close or to be retried.
    Waiting,
    /// Done.
    Done,
}

impl State {
    const ALL: [Self; 4] = [Self::Pending, Self::Running, Self::Waiting, Self::Done];

    /// The name in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
        }
    }
}

/// Adds an erasure; `false` if there is one with that id.
pub async fn insert(pool: &Pool, new: &New) -> Result<bool, Error> {
    let inserted = sqlx::query!(
        "insert into erasures (id, party, partner_id, actor_id, reason, credential_id, salt, digest, state, requested_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9) on conflict (id) do nothing",
        new.id.0,
        new.party.as_str(),
        new.partner_id.map(|id| id.0),
        new.actor_id.as_str(),
        new.reason.as_str(),
        new.credential_id.as_str(),
        &new.salt[..],
        &new.digest[..],
        new.requested_at.utc(),
    );
    Ok(run(pool, inserted).await? == 1)
}

/// Finds an erasure.
pub async fn find(pool: &Pool, id: ErasureId) -> Result<Option<Record>, Error> {
    let row = select_erasures!("where id = $1", id.0).fetch_optional(pool).await?;
    row.map(Record::try_from).transpose()
}

/// An erasure with its id. One that cannot be read carries its own error.
pub type Listed = (ErasureId, Result<Record, Error>);

/// Lists up to `limit` erasures after `after`, in the order of their ids. A row that cannot be read
/// does not affect the others.
pub async fn list(pool: &Pool, after: Option<ErasureId>, limit: u32) -> Result<Vec<Listed>, Error> {
    let rows = select_erasures!(
        "where $1::uuid is null or id > $1 order by id limit $2",
        after.map(|id| id.0),
        i64::from(limit)
    );
    let rows = rows.fetch_all(pool).await?.into_iter();
    Ok(rows.map(|row| (ErasureId(row.id), Record::try_from(row))).collect())
}

/// Finishes the erasure and deletes the actor's id; `false` if it was finished before or there are
/// tasks left.
pub async fn finish(pool: &Pool, erasure: ErasureId, at: Time) -> Result<bool, Error> {
    let finished = sqlx::query!(
        "update erasures set state = 'done', finished_at = $2, actor_id = null where id = $1 and state = 'waiting'
             and not exists (select from erasure_tasks aside where aside.erasure_id = erasures.id)",
        erasure.0,
        at.utc()
    );
    Ok(run(pool, finished).await? == 1)
}

/// Returns the number of rows that a statement changed.
async fn run(
    pool: &Pool,
    query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
) -> Result<u64, Error> {
    Ok(query.execute(pool).await?.rows_affected())
}
