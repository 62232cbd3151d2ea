//! Erasures: the requests, their progress, and the transaction that takes data out of a task's
//! trail.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::erasure::Plan;
use crate::domain::values::id::{ActorId, CredentialId, ErasureId, PartnerId, TaskId};
use crate::domain::values::party::Party;
use crate::domain::values::text::Prose;
use crate::domain::values::time::Time;

use super::db::row::{Place, bigint};
use super::db::session::Session;
use super::tasks::transitions::{Outcome, Save, save_within};
use super::{Error, Pool};

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

/// A window of the scan: the tasks after one id, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The number of tasks in the window.
    pub examined: u32,
    /// The last of them; `None` if there were none.
    pub last: Option<TaskId>,
    /// Tasks in which the actor did something.
    pub found: Vec<TaskId>,
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

/// Lists up to `limit` erasures that still scan the tasks and were requested by `until`.
pub async fn list_running(pool: &Pool, until: Time, limit: u32) -> Result<Vec<Record>, Error> {
    let mut readable = Readable::up_to(limit);
    loop {
        let rows = select_erasures!(
            "where state in ('pending', 'running') and requested_at <= $1 and id > $2 order by id limit $3",
            until.utc(),
            readable.after,
            i64::from(limit)
        );
        if !readable.add(rows.fetch_all(pool).await?) {
            return Ok(readable.found);
        }
    }
}

/// Collects readable erasures page by page, in the order of their ids. The others are left for a
/// person or a newer build and do not hold these up.
struct Readable {
    found: Vec<Record>,
    /// The last id that was looked at.
    after: Uuid,
    limit: usize,
}

impl Readable {
    fn up_to(limit: u32) -> Self {
        Self { found: Vec::new(), after: Uuid::nil(), limit: limit as usize }
    }

    /// Adds a page; whether another page is needed.
    fn add(&mut self, rows: Vec<Row>) -> bool {
        let Some(last) = rows.last() else { return false };
        self.after = last.id;
        for record in rows.into_iter().map(Record::try_from) {
            match record {
                Ok(record) => self.found.push(record),
                Err(error) => tracing::error!(error = error.to_string(), "an erasure cannot be read and is skipped"),
            }
        }
        self.found.truncate(self.limit);
        self.found.len() < self.limit
    }
}

/// Lists up to `limit` erasures that have returned to every task they had to.
pub async fn list_finished(pool: &Pool, limit: u32) -> Result<Vec<Record>, Error> {
    let mut readable = Readable::up_to(limit);
    loop {
        let rows = select_erasures!(
            "where state = 'waiting' and not exists (select from erasure_tasks aside where aside.erasure_id = erasures.id)
             and id > $1 order by id limit $2",
            readable.after,
            i64::from(limit)
        );
        if !readable.add(rows.fetch_all(pool).await?) {
            return Ok(readable.found);
        }
    }
}

/// Lists the `limit` tasks after the last one that `erasure` looked at, and those among them in
/// which its actor did something.
pub async fn list_next(pool: &Pool, erasure: &Record, limit: u32) -> Result<Window, Error> {
    let rows = sqlx::query!(
        r#"/* search: tasks of an actor */
           select page.task_id, array(
               select distinct e.personal -> 'actor.id' ->> 1 from task_events e
               where e.task_id = page.task_id and e.party = $4 and ($3::uuid is null or page.partner_id = $3)
                   and e.personal -> 'actor.id' ->> 1 is not null) as "actors!: Vec<String>"
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

/// The erasure of data from one task.
#[derive(Clone, Copy, Debug)]
pub struct Erase<'a> {
    /// The erasure that requires it.
    pub erasure_id: ErasureId,
    /// The partner of the task.
    pub partner_id: PartnerId,
    /// What is erased.
    pub plan: &'a Plan,
    /// The transition that records the erasure.
    pub save: Save<'a>,
}

/// Clears the stored answers of receivers, which may repeat what they were sent. An answer that is
/// still to come belongs to a body made before the erasure, so it is not kept.
async fn forget_answers(connection: &mut Session, task_id: Uuid) -> Result<(), Error> {
    let answers = sqlx::query!(
        "update webhook_deliveries set answer = null, under_way = false
         where task_id = $1 and (answer is not null or under_way)",
        task_id
    );
    answers.execute(connection).await?;
    Ok(())
}

/// Takes personal data out of a task's trail and records that, in one transaction.
///
/// Nothing is done if the task has another version than the one that was decided on. Only one
/// statement runs in the erasing role. The stored answers of webhook receivers for the task's
/// events go too.
pub async fn erase(pool: &Pool, erase: &Erase<'_>) -> Result<Outcome, Error> {
    let Erase { erasure_id, partner_id, plan, save } = erase;
    let task_id = save.transition.snapshot().task.id().0;
    let mut transaction = pool.begin().await?;
    let outcome = save_within(transaction.connection(), save).await?;
    let Outcome::Saved(_) = outcome else { return Ok(outcome) };
    sqlx::query!("set local role stagegate_erasure").execute(transaction.connection()).await?;
    let seqs: Vec<i64> = plan.entries.iter().map(|entry| bigint(entry.seq)).collect();
    let columns: Vec<String> = plan.entries.iter().map(|entry| entry.personal.clone()).collect();
    let changed = sqlx::query!(
        "update task_events set personal = row.personal::json
         from unnest($2::bigint[], $3::text[]) as row (seq, personal)
         where task_events.task_id = $1 and task_events.seq = row.seq",
        task_id,
        &seqs,
        &columns,
    );
    let changed = changed.execute(transaction.connection()).await?.rows_affected();
    if changed != plan.entries.len() as u64 {
        return Err(Error::impossible("task_events", task_id, "fewer entries than were read before"));
    }
    sqlx::query!("set local role stagegate_app").execute(transaction.connection()).await?;
    let counted = sqlx::query_scalar!(
        r#"with partner as (
               insert into erasure_partners (erasure_id, partner_id, tasks, fields)
               select $2, $3, case when counted.already then 0 else 1 end, $5
               from (select exists (select from erasure_tasks where task_id = $1 and erasure_id = $2 and touched) as already) counted
               on conflict (erasure_id, partner_id) do update set
                   tasks = erasure_partners.tasks + excluded.tasks, fields = erasure_partners.fields + excluded.fields
           )
           update erasures set entries_erased = entries_erased + $4, fields_erased = fields_erased + $5,
               tasks_erased = tasks_erased + case when exists (
                   select from erasure_tasks where task_id = $1 and erasure_id = $2 and touched) then 0 else 1 end
           where id = $2 returning id"#,
        task_id,
        erasure_id.0,
        partner_id.0,
        bigint(plan.fresh()),
        bigint(plan.fields()),
    );
    counted.fetch_one(transaction.connection()).await?;
    forget_answers(transaction.connection(), task_id).await?;
    if plan.ids_remain {
        let waits = sqlx::query!(
            "insert into erasure_tasks (task_id, erasure_id, touched) values ($1, $2, true)
             on conflict (task_id, erasure_id) do update set touched = true, failures = 0, retry_at = null",
            task_id,
            erasure_id.0
        );
        waits.execute(transaction.connection()).await?;
    } else {
        let settled =
            sqlx::query!("delete from erasure_tasks where task_id = $1 and erasure_id = $2", task_id, erasure_id.0);
        settled.execute(transaction.connection()).await?;
    }
    transaction.commit().await?;
    Ok(outcome)
}

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
/// once every five minutes.
pub async fn set_aside(pool: &Pool, erasure: ErasureId, task: TaskId, at: Time) -> Result<(), Error> {
    let aside = sqlx::query!(
        "insert into erasure_tasks as aside (task_id, erasure_id, touched, failures, retry_at)
         values ($1, $2, false, 1, $3::timestamptz + interval '1 s')
         on conflict (task_id, erasure_id) do update set failures = aside.failures + 1,
             retry_at = $3::timestamptz + least(interval '1 s' * power(2, least(aside.failures, 9)), interval '5 min')",
        task.0,
        erasure.0,
        at.utc(),
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

/// Whether the erasure took something out of a task of this partner.
pub async fn has_reached(pool: &Pool, erasure: ErasureId, partner: PartnerId) -> Result<bool, Error> {
    let reached = sqlx::query_scalar!(
        r#"select exists (select from erasure_partners where erasure_id = $1 and partner_id = $2) as "reached!""#,
        erasure.0,
        partner.0
    );
    Ok(reached.fetch_one(pool).await?)
}

/// Lists the partners that the erasure reached, each with its numbers of tasks and fields.
pub async fn list_partners(pool: &Pool, erasure: ErasureId) -> Result<Vec<(PartnerId, u64, u64)>, Error> {
    let rows = sqlx::query!(
        "select partner_id, tasks, fields from erasure_partners where erasure_id = $1 order by partner_id",
        erasure.0
    );
    let place = Place { table: "erasure_partners", key: erasure };
    let partner =
        |id: Uuid, tasks: i64, fields: i64| Ok((PartnerId(id), place.unsigned(tasks)?, place.unsigned(fields)?));
    rows.fetch_all(pool).await?.into_iter().map(|row| partner(row.partner_id, row.tasks, row.fields)).collect()
}

/// Whether a partner's trail has an entry of this type about the erasure.
pub async fn is_recorded(
    pool: &Pool,
    partner: PartnerId,
    kind: &'static str,
    erasure: ErasureId,
) -> Result<bool, Error> {
    let recorded = sqlx::query_scalar!(
        r#"select exists (select from partner_events where partner_id = $1 and type = $2
               and data -> 'values' ->> 'data.erasure_id' = $3) as "recorded!""#,
        partner.0,
        kind,
        erasure.to_string(),
    );
    Ok(recorded.fetch_one(pool).await?)
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

/// Selects erasures. The arguments are the text after `from erasures` and the parameters.
macro_rules! select_erasures {
    ($after:literal, $($parameter:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select id, party, partner_id, actor_id, reason, credential_id, salt, digest, state, requested_at, started_at,
                   finished_at, last_task, examined, tasks_erased, entries_erased, fields_erased,
                   (select count(*) from erasure_tasks aside where aside.erasure_id = erasures.id) as "waiting!",
                   (select count(*) from erasure_tasks aside
                    where aside.erasure_id = erasures.id and aside.failures > 0) as "failing!"
               from erasures "# + $after,
            $($parameter),+
        )
    };
}
use select_erasures;

struct Row {
    id: Uuid,
    party: String,
    partner_id: Option<Uuid>,
    actor_id: Option<String>,
    reason: String,
    credential_id: String,
    salt: Vec<u8>,
    digest: Vec<u8>,
    state: String,
    requested_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    last_task: Option<Uuid>,
    examined: i64,
    tasks_erased: i64,
    entries_erased: i64,
    fields_erased: i64,
    waiting: i64,
    failing: i64,
}

impl TryFrom<Row> for Record {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let place = Place { table: "erasures", key: row.id };
        let party = Party::ALL.into_iter().find(|party| party.as_str() == row.party);
        let state = State::ALL.into_iter().find(|state| state.as_str() == row.state);
        let salt = row.salt.as_slice().try_into().map_err(|_| place.impossible("a salt of the wrong length"))?;
        Ok(Self {
            id: ErasureId(row.id),
            party: party.ok_or_else(|| place.impossible("an unknown party"))?,
            partner_id: row.partner_id.map(PartnerId),
            actor_id: row.actor_id.map(|id| place.checked(id)).transpose()?,
            reason: place.checked(row.reason)?,
            credential_id: place.checked(row.credential_id)?,
            salt,
            digest: place.digest(&row.digest)?,
            state: state.ok_or_else(|| place.impossible("an unknown state"))?,
            requested_at: row.requested_at.into(),
            started_at: row.started_at.map(Time::from),
            finished_at: row.finished_at.map(Time::from),
            last_task: row.last_task.map(TaskId),
            progress: Progress {
                examined: place.unsigned(row.examined)?,
                tasks: place.unsigned(row.tasks_erased)?,
                entries: place.unsigned(row.entries_erased)?,
                fields: place.unsigned(row.fields_erased)?,
                waiting: place.unsigned(row.waiting)?,
                failing: place.unsigned(row.failing)?,
            },
        })
    }
}
