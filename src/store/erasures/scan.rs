//! The scan of all tasks for those that name an actor.

use crate::domain::values::id::{ActorId, ErasureId, TaskId};
use crate::domain::values::time::Time;
use crate::store::db::row::Place;
use crate::store::{Error, Pool};

use super::{Record, State, run};

/// A window of the scan: the tasks after one id, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The number of tasks in the window.
    pub examined: u32,
    /// The last of them; `None` if there were none.
    pub last: Option<TaskId>,
    /// Tasks that name the actor.
    pub found: Vec<TaskId>,
}

/// Lists the `limit` tasks after the last one that `erasure` looked at, and those among them
/// that name its actor.
pub async fn list_next(pool: &Pool, erasure: &Record, limit: u32) -> Result<Window, Error> {
    let rows = sqlx::query!(
        r#"/* search: tasks of an actor */
           select page.task_id, array(
               select distinct people.actor from task_people people
               where people.task_id = page.task_id and people.party = $4 and ($3::uuid is null or page.partner_id = $3)
           ) as "actors!: Vec<String>"
           from (select task_id, partner_id from tasks where $1::uuid is null or task_id > $1 order by task_id limit $2) page
           order by page.task_id"#,
        erasure.last_task.map(|id| id.0),
        i64::from(limit),
        erasure.partner_id.map(|id| id.0),
        erasure.party.as_str(),
    )
    .fetch_all(pool)
    .await?;
    Ok(Window {
        examined: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        last: rows.last().map(|row| TaskId(row.task_id)),
        found: rows.into_iter().filter(|row| names(&row.actors, erasure)).map(|row| TaskId(row.task_id)).collect(),
    })
}

/// Whether the erasure's actor is among these, in any spelling. An id that cannot be read counts as
/// a match, so that reading its task reports the fault.
fn names(actors: &[String], erasure: &Record) -> bool {
    actors.iter().any(|id| ActorId::stored(id.as_str()).map_or(true, |id| erasure.actor_id.as_ref() == Some(&id)))
}

/// Finds the `seq` of a task's last event that was written before the erasure was requested.
///
/// The order is that of transactions, which all replicas share. Returns 0 if there is no such
/// event, or if the erasure is older than its record of that order.
pub async fn find_last_before(pool: &Pool, erasure: ErasureId, task: TaskId) -> Result<u64, Error> {
    let last = sqlx::query_scalar!(
        r#"select coalesce(max(event.seq), 0) as "last!" from task_events event join erasures on erasures.id = $2
           where event.task_id = $1 and (event.epoch, event.xid) < (erasures.epoch, erasures.xid)"#,
        task.0,
        erasure.0,
    );
    Place { table: "erasures", key: erasure }.unsigned(last.fetch_one(pool).await?)
}

/// Moves the scan on; `false` if another replica did. `None` as the window ends the scan.
pub async fn advance(pool: &Pool, erasure: &Record, window: Option<&Window>, at: Time) -> Result<bool, Error> {
    let last = window.and_then(|window| window.last).or(erasure.last_task);
    let moved = sqlx::query!(
        "update erasures set state = $3, last_task = $4, examined = examined + $5, started_at = coalesce(started_at, $6)
         where id = $1 and last_task is not distinct from $2 and state in ('pending', 'running')",
        erasure.id.0,
        erasure.last_task.map(|id| id.0),
        if window.is_some() { State::Running } else { State::Waiting }.as_str(),
        last.map(|id| id.0),
        window.map_or(0, |window| i64::from(window.examined)),
        at.utc(),
    );
    Ok(run(pool, moved).await? == 1)
}
