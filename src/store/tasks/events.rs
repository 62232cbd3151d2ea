//! Reads trails: whole, in pages, and the few rows that decisions and replays need. Only
//! `transitions.rs` writes them.

use std::fmt;

use uuid::Uuid;

use crate::domain::audit::{self, FORMAT, Hash, Recorded, Sealed};
use crate::domain::task::event::Event;
use crate::domain::values::id::{ActorId, CommandId, StageKey, TaskId};
use crate::domain::values::party::Party;
use crate::store::db::page::{Bounded, PAGE_BYTES, and_one_more};
use crate::store::db::row::{Place, bigint, int};
use crate::store::{Error, Pool};

/// A row of the trail.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The event.
    pub event: Event,
    /// What is stored: the text that was hashed, the fields with their salts, and the hash.
    pub sealed: Sealed,
}

/// A command that was accepted earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The SHA-256 of its body.
    pub digest: [u8; 32],
    /// The `seq` of the first event that it caused, which carries its id.
    pub first: u64,
    /// The `seq` of the last event that it caused: the version of the task right after it.
    pub last: u64,
}

/// Finds an accepted command by its id, with the events that it caused.
pub async fn find_by_command(
    pool: &Pool,
    task_id: TaskId,
    party: Party,
    command_id: CommandId,
) -> Result<Option<Accepted>, Error> {
    let row = sqlx::query!(
        r#"select seq, command_digest as "digest!", (
               select max(caused.seq) from task_events caused
               where caused.task_id = $1 and caused.seq >= command.seq and caused.cause_seq = command.seq) as "last!"
           from task_events command
           where task_id = $1 and party = $2 and command_id = $3"#,
        task_id.0,
        party.as_str(),
        command_id.0,
    )
    .fetch_optional(pool)
    .await?;
    let place = Place { table: "task_events", key: task_id };
    let accepted = |seq, digest: &[u8], last| {
        Ok(Accepted { digest: place.digest(digest)?, first: place.unsigned(seq)?, last: place.unsigned(last)? })
    };
    row.map(|row| accepted(row.seq, &row.digest, row.last)).transpose()
}

/// Reads a page of the trail, in order: up to `limit` rows after `after` (0: from the beginning),
/// and at most one page's bytes.
pub async fn list(pool: &Pool, task_id: TaskId, after: u64, limit: u32) -> Result<Bounded<Record>, Error> {
    let rows = select_events!(
        "where task_id = $1 and seq > $2 and seq <= coalesce(
             (select seq from (
                  select seq, sum(octet_length(entry) + octet_length(data::text) + octet_length(personal::text))
                      over (order by seq) as bytes
                  from task_events where task_id = $1 and seq > $2 order by seq limit $3) summed
              where bytes >= $4 order by seq limit 1),
             9223372036854775807)
         order by seq limit $3",
        task_id.0,
        // The caller chooses the number. One beyond the column's range is beyond the last row.
        i64::try_from(after).unwrap_or(i64::MAX),
        and_one_more(limit),
        PAGE_BYTES,
    );
    let rows: Vec<Record> =
        rows.fetch_all(pool).await?.into_iter().map(Record::try_from).collect::<Result<_, Error>>()?;
    Ok(Bounded::of(rows, limit, Record::size))
}

impl Record {
    /// The bytes of text that it is stored as.
    fn size(&self) -> usize {
        self.sealed.size()
    }
}

/// A row of either kind of trail as it is stored, for a verifier. It need not be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The `seq` column.
    pub seq: u64,
    /// What is stored.
    pub sealed: Sealed,
    /// Why it is not what was written: it cannot be read, or the columns beside it contradict it.
    pub flaw: Option<String>,
}

/// Reads a task's whole trail as it is stored, a page at a time: up to `limit` rows after `after`,
/// up to the row `last`, and at most one page's bytes.
pub async fn list_stored(
    pool: &Pool,
    task_id: TaskId,
    after: u64,
    last: u64,
    limit: u32,
) -> Result<Vec<Stored>, Error> {
    let rows = sqlx::query!(
        r#"select seq, type as kind, cause_seq, stage, round, party, recorded_at, command_id, entry,
               data::text as "data!", personal::text as "personal!", hash
           from task_events where task_id = $1 and seq > $2 and seq <= coalesce(
               (select seq from (
                    select seq, sum(octet_length(entry) + octet_length(data::text) + octet_length(personal::text))
                        over (order by seq) as bytes
                    from task_events where task_id = $1 and seq > $2 and seq <= $3 order by seq limit $4) summed
                where bytes >= $5 order by seq limit 1),
               $3)
           order by seq limit $4"#,
        task_id.0,
        bigint(after),
        bigint(last),
        i64::from(limit),
        PAGE_BYTES,
    );
    let rows = rows.fetch_all(pool).await?;
    let stored = rows.into_iter().map(|row| {
        let place = Place { table: "task_events", key: Key(task_id.0, row.seq) };
        let hash = place.hash(&row.hash)?;
        let sealed = Sealed { entry: row.entry, data: row.data, personal: row.personal, hash };
        let flaw = match open_event::<Event>(place, &sealed, (row.seq, &row.kind)) {
            Err(error) => Some(flaw(error)?),
            Ok(event) => {
                let same = [
                    ("cause_seq", i64::try_from(event.cause_seq) == Ok(row.cause_seq)),
                    ("stage", event.stage.as_ref().map(StageKey::as_str) == row.stage.as_deref()),
                    ("round", event.round.map(i64::from) == row.round.map(i64::from)),
                    ("party", event.party.as_str() == row.party),
                    ("recorded_at", event.recorded_at.utc() == row.recorded_at),
                    ("command_id", event.command_id.map(|id| id.0) == row.command_id),
                ];
                beside(&same)
            }
        };
        Ok(Stored { seq: place.unsigned(row.seq)?, sealed, flaw })
    });
    stored.collect()
}

/// Describes a row that cannot be read, without quoting its content. A newer format is no flaw but
/// an error.
pub(in crate::store) fn flaw(error: Error) -> Result<String, Error> {
    if matches!(error, Error::Impossible { .. }) {
        Ok("its row is not one that was written".to_owned())
    } else {
        Err(error)
    }
}

/// Describes a row whose columns differ from what was sealed.
pub(in crate::store) fn beside(same: &[(&str, bool)]) -> Option<String> {
    same.iter().find(|(_, same)| !same).map(|(column, _)| format!("its column {column} differs from what was recorded"))
}

/// Finds one row of the trail.
pub async fn find(pool: &Pool, task_id: TaskId, seq: u64) -> Result<Option<Record>, Error> {
    let row = select_events!(
        "where task_id = $1 and seq = $2",
        task_id.0,
        // The caller chooses the number.
        i64::try_from(seq).unwrap_or(i64::MAX),
    );
    row.fetch_optional(pool).await?.map(Record::try_from).transpose()
}

/// Whether personal data was erased from the trail by one of its rows after `after`.
pub async fn was_erased_after(pool: &Pool, task_id: TaskId, after: u64) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(
        r#"select exists (
               select from task_events
               where task_id = $1 and seq > $2 and type = 'task.personal_data_erased') as "found!""#,
        task_id.0,
        bigint(after),
    );
    Ok(found.fetch_one(pool).await?)
}

/// Lists the hashes of the rows that recorded submissions, up to and including `seq`, in order: the
/// n-th is that of revision n.
pub async fn list_submissions(pool: &Pool, task_id: TaskId, seq: u64) -> Result<Vec<Hash>, Error> {
    let rows = sqlx::query!(
        "select seq, hash from task_events
         where task_id = $1 and seq <= $2 and type = 'task.work_submitted' order by seq",
        task_id.0,
        bigint(seq),
    );
    let rows = rows.fetch_all(pool).await?;
    rows.into_iter().map(|row| Place { table: "task_events", key: Key(task_id.0, row.seq) }.hash(&row.hash)).collect()
}

/// Finds the row that recorded a revision of the work.
pub async fn find_submission(pool: &Pool, task_id: TaskId, revision: u32) -> Result<Option<Record>, Error> {
    let row = select_events!(
        "where task_id = $1 and type = 'task.work_submitted' order by seq offset $2 limit 1",
        task_id.0,
        i64::from(revision) - 1,
    );
    row.fetch_optional(pool).await?.map(Record::try_from).transpose()
}

/// Finds the decision of a stage and round, approved or rejected. If an escalation overruled the
/// first decision, this is the last one.
pub async fn find_decision(
    pool: &Pool,
    task_id: TaskId,
    stage: &StageKey,
    round: u32,
) -> Result<Option<Record>, Error> {
    let row = select_events!(
        "where task_id = $1 and stage = $2 and round = $3 and type in ('task.stage_approved', 'task.stage_rejected')
         order by seq desc limit 1",
        task_id.0,
        stage.as_str(),
        int(round),
    );
    row.fetch_optional(pool).await?.map(Record::try_from).transpose()
}

/// Finds the `seq` of an actor's late decision on a stage and round. Erased ones belong to nobody.
pub async fn find_late(
    pool: &Pool,
    task_id: TaskId,
    (party, actor): (Party, &ActorId),
    (stage, round): (&StageKey, u32),
) -> Result<Option<u64>, Error> {
    let rows = select_events!(
        "where task_id = $1 and party = $2 and stage = $3 and round = $4 and type = 'task.late_decision_recorded'
         order by seq",
        task_id.0,
        party.as_str(),
        stage.as_str(),
        int(round),
    );
    for row in rows.fetch_all(pool).await? {
        let event = Record::try_from(row)?.event;
        if event.actor.is_some_and(|known| known.id == *actor) {
            return Ok(Some(event.seq));
        }
    }
    Ok(None)
}

/// Selects rows of the trail. The arguments are the text after `from task_events` and the
/// parameters.
macro_rules! select_events {
    ($after:literal, $($parameter:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select task_id, seq, type as kind, entry, data::text as "data!", personal::text as "personal!", hash
               from task_events "# + $after,
            $($parameter),+
        )
    };
}
use select_events;

/// The columns of a row.
pub(in crate::store) struct Row {
    pub(in crate::store) task_id: Uuid,
    pub(in crate::store) seq: i64,
    pub(in crate::store) kind: String,
    pub(in crate::store) entry: String,
    pub(in crate::store) data: String,
    pub(in crate::store) personal: String,
    pub(in crate::store) hash: Vec<u8>,
}

/// The primary key, for errors.
#[derive(Clone, Copy)]
pub(in crate::store) struct Key(pub(in crate::store) Uuid, pub(in crate::store) i64);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.0, self.1)
    }
}

impl TryFrom<Row> for Record {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let place = Place { table: "task_events", key: Key(row.task_id, row.seq) };
        let hash = place.hash(&row.hash)?;
        let sealed = Sealed { entry: row.entry, data: row.data, personal: row.personal, hash };
        let event = open_event(place, &sealed, (row.seq, &row.kind))?;
        Ok(Self { event, sealed })
    }
}

/// Parses a stored entry of either kind of trail. `row` is the `seq` and type in the columns beside
/// it.
pub(in crate::store) fn open_event<E: Recorded>(
    place: Place<Key>,
    sealed: &Sealed,
    row: (i64, &str),
) -> Result<E, Error> {
    let event: E = audit::open(sealed).map_err(|error| match error {
        audit::Error::Format(format) if format > FORMAT => place.newer(format),
        audit::Error::Entry
        | audit::Error::Columns
        | audit::Error::Format(_)
        | audit::Error::Order(_)
        | audit::Error::Trail
        | audit::Error::Link
        | audit::Error::Hash
        | audit::Error::Fields
        | audit::Error::Erased
        | audit::Error::View(_)
        | audit::Error::Event(_) => place.impossible(error),
    })?;
    if (event.seq(), event.kind()) != (place.unsigned(row.0)?, row.1) {
        return Err(place.impossible("an entry of another row"));
    }
    Ok(event)
}
