//! The write: one transition of a task is one data-modifying statement, guarded by the version that was decided on.
//!
//! A task's row and its events are written together or not at all, with no transaction held open across a round trip.
//! Of several writers that decided on the same version, one takes the row; the others wait inside their statement, see
//! that the version moved on, and write nothing: they are [`Outcome::Stale`] and must look their command up, else decide
//! again.
//!
//! Rows are sealed and turned into columns before the statement (`Prepared`), which owns what it needs: writes of several
//! tasks can be queued and share a statement without any caller noticing.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::constraint;
use super::row::{bigint, int, to_json};
use super::{Error, Pool};
use crate::domain::audit::{Hash, Origin, Sealed, Subject as _, seal, shown_type};
use crate::domain::decide::{Snapshot, Transition};
use crate::domain::event::{Event, Fact, Opened};
use crate::domain::feed::event_id;
use crate::domain::id::{BuyerId, PartnerId};
use crate::domain::party::Party;
use crate::domain::text::Text;
use crate::domain::time::Time;

/// Fresh randomness for the salts of one event: `ids::random`.
pub type Seed = fn() -> [u8; 32];

/// A transition and what it needs to be written.
#[derive(Clone, Copy, Debug)]
pub struct Save<'a> {
    /// What was decided.
    pub transition: &'a Transition,
    /// The head of the chain that was read together with the state that was decided on.
    pub head: Hash,
    /// SHA-256 of the command's body; needed where the transition carries a command's id.
    pub command_digest: Option<[u8; 32]>,
    /// Where salts come from.
    pub seed: Seed,
}

/// An opening and what it needs to be written.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// What was decided.
    pub transition: &'a Transition,
    /// Whose workflow it runs on.
    pub partner_id: PartnerId,
    /// Who ordered it.
    pub buyer_id: BuyerId,
    /// SHA-256 of the request's body.
    pub digest: [u8; 32],
    /// Where salts come from.
    pub seed: Seed,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Written, and durable. The hash of each event, in order; the last is the new head of the chain.
    Saved(Vec<Hash>),
    /// Somebody else moved the task on since it was read, or opened it before. Nothing was written.
    Stale,
    /// The party used the command's id on this task before. Nothing was written.
    Duplicate,
}

/// Writes a transition.
pub async fn save(pool: &Pool, save: &Save<'_>) -> Result<Outcome, Error> {
    let prepared = Prepared::new(save.transition, save.head, save.command_digest, save.seed);
    let updated = update(pool, &prepared, bigint(save.transition.expected_version())).await;
    prepared.outcome(updated)
}

/// Writes a transition as a part of a transaction, which the caller must not go on with unless it is [`Outcome::Saved`].
pub(super) async fn save_within(connection: &mut PgConnection, save: &Save<'_>) -> Result<Outcome, Error> {
    let prepared = Prepared::new(save.transition, save.head, save.command_digest, save.seed);
    let updated = update(connection, &prepared, bigint(save.transition.expected_version())).await;
    prepared.outcome(updated)
}

/// Writes an opening: [`Outcome::Stale`] if there is a task of that id already.
///
/// # Panics
///
/// If the transition is not an opening.
pub async fn insert_opened(pool: &Pool, open: &Open<'_>) -> Result<Outcome, Error> {
    let Some(Event { fact: Fact::Opened(opened), .. }) = open.transition.events().first() else {
        unreachable!("an opening starts with the event that says so");
    };
    let origin = Origin { task_id: opened.task_id, partner_id: open.partner_id, buyer_id: open.buyer_id };
    let prepared = Prepared::new(open.transition, origin.hash(), None, open.seed);
    let inserted = insert(pool, &prepared, open, opened).await;
    prepared.outcome(inserted)
}

fn head(hashes: &[Hash]) -> &Hash {
    hashes.last().expect("a transition has at least one event")
}

/// A write, ready for its statement.
struct Prepared {
    present: Present,
    rows: Rows,
    hashes: Vec<Hash>,
}

/// What changes in the task's row.
struct Present {
    task_id: Uuid,
    version: i64,
    phase: &'static str,
    stage: String,
    round: i32,
    waiting_on: Option<&'static str>,
    due_at: Option<DateTime<Utc>>,
    overdue: bool,
    wake_at: Option<DateTime<Utc>>,
    format: i32,
    state: String,
    notes: String,
    buyer_status: String,
    status_version: i64,
    updated_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

/// The rows of the trail, column by column, as `unnest` takes them.
#[derive(Default)]
struct Rows {
    seq: Vec<i64>,
    /// By which receivers of webhooks know it.
    event_id: Vec<Uuid>,
    /// The type as the partner may know it.
    partner_kind: Vec<Option<&'static str>>,
    cause_seq: Vec<i64>,
    kind: Vec<&'static str>,
    stage: Vec<Option<String>>,
    round: Vec<Option<i32>>,
    party: Vec<&'static str>,
    recorded_at: Vec<DateTime<Utc>>,
    command_id: Vec<Option<Uuid>>,
    command_digest: Vec<Option<Vec<u8>>>,
    entry: Vec<String>,
    data: Vec<String>,
    personal: Vec<String>,
    hash: Vec<Vec<u8>>,
}

impl Prepared {
    fn new(transition: &Transition, head: Hash, command_digest: Option<[u8; 32]>, seed: Seed) -> Self {
        let present = Present::of(transition.snapshot());
        let mut prepared = Self { present, rows: Rows::default(), hashes: Vec::new() };
        let task_id = transition.snapshot().task.id();
        let mut head = head;
        for event in transition.events() {
            let sealed = seal(&head, task_id, event, seed());
            head = sealed.hash;
            prepared.hashes.push(head);
            prepared.rows.push(event, sealed, command_digest);
        }
        prepared
    }

    /// Reads what the statement said: whether the guard let it through.
    fn outcome(self, written: Result<Option<i64>, sqlx::Error>) -> Result<Outcome, Error> {
        match written {
            Ok(Some(_)) => Ok(Outcome::Saved(self.hashes)),
            Ok(None) => Ok(Outcome::Stale),
            Err(error) if constraint(&error) == Some("task_events_command") => Ok(Outcome::Duplicate),
            Err(error) => Err(error.into()),
        }
    }
}

impl Present {
    fn of(snapshot: &Snapshot) -> Self {
        let Snapshot { task, notes, status } = snapshot;
        Self {
            task_id: task.id().0,
            version: bigint(task.version()),
            phase: task.phase().as_str(),
            stage: status.stage.key.as_str().to_owned(),
            round: int(task.round()),
            waiting_on: status.waiting_on.map(Party::as_str),
            due_at: task.due_at().map(Time::utc),
            overdue: task.is_overdue(),
            wake_at: task.wake_at().map(Time::utc),
            format: int(task.format()),
            state: to_json(task),
            notes: to_json(notes),
            buyer_status: to_json(status),
            status_version: bigint(status.version),
            updated_at: task.recorded_at().utc(),
            closed_at: task.closed_at().map(Time::utc),
        }
    }
}

impl Rows {
    fn push(&mut self, event: &Event, sealed: Sealed, command_digest: Option<[u8; 32]>) {
        self.seq.push(bigint(event.seq));
        self.event_id.push(event_id(&sealed.hash));
        self.partner_kind.push(shown_type(event, Party::Partner));
        self.cause_seq.push(bigint(event.cause_seq));
        self.kind.push(event.fact.kind());
        self.stage.push(event.stage.as_ref().map(|stage| stage.as_str().to_owned()));
        self.round.push(event.round.map(int));
        self.party.push(event.party.as_str());
        self.recorded_at.push(event.recorded_at.utc());
        self.command_id.push(event.command_id.map(|id| id.0));
        self.command_digest.push(event.command_id.and(command_digest).map(|digest| digest.to_vec()));
        self.entry.push(sealed.entry);
        self.data.push(sealed.data);
        self.personal.push(sealed.personal);
        self.hash.push(sealed.hash.as_bytes().to_vec());
    }
}

/// The version written, or nothing where the guard did not match.
async fn update<'c>(
    database: impl PgExecutor<'c>,
    prepared: &Prepared,
    expected: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let Prepared { present, rows, hashes } = prepared;
    sqlx::query_scalar! {
        r#"with row as materialized (
               select * from unnest(
                   $18::bigint[], $19::bigint[], $20::text[], $21::text[], $22::integer[], $23::text[], $24::timestamptz[],
                   $25::uuid[], $26::bytea[], $27::text[], $28::text[], $29::text[], $30::bytea[], $32::uuid[], $33::text[]
               ) as row (seq, cause_seq, type, stage, round, party, recorded_at,
                   command_id, command_digest, entry, data, personal, hash, event_id, partner_type)
           ), task as (
               update tasks set
                   version = $3, phase = $4, stage = $5, round = $6, waiting_on = $7, due_at = $8, overdue = $9,
                   wake_at = $10, format = $11, state = $12::text::jsonb, notes = $13::text::jsonb,
                   buyer_status = $14::text::json, status_version = $15, head_hash = $16, updated_at = $17,
                   closed_at = $31
               where task_id = $1 and version = $2
               returning task_id, partner_id, version
           ), trail as (
               insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at,
                   command_id, command_digest, entry, data, personal, hash)
               select task.task_id, row.seq, row.cause_seq, row.type, row.stage, row.round, row.party, row.recorded_at,
                   row.command_id, row.command_digest, row.entry, row.data::json, row.personal::json, row.hash
               from task cross join row
           ), deliveries as (
               insert into webhook_deliveries (task_id, seq, owner_id, endpoint_id, event_id, recorded_at, due_at)
               select task.task_id, row.seq, endpoint.owner_id, endpoint.id, row.event_id, row.recorded_at, row.recorded_at
               from task cross join row join webhook_endpoints endpoint
                   on endpoint.owner_id in (task.partner_id, '00000000-0000-0000-0000-000000000000')
                   and endpoint.state <> 'removed'
                   and (endpoint.types is null
                       or case endpoint.owner_id when task.partner_id then row.partner_type else row.type end = any (endpoint.types))
           )
           select version as "version!" from task"#,
        present.task_id, expected, present.version, present.phase, present.stage, present.round, present.waiting_on,
        present.due_at, present.overdue, present.wake_at, present.format, present.state, present.notes,
        present.buyer_status, present.status_version, &head(hashes).as_bytes()[..], present.updated_at,
        &rows.seq, &rows.cause_seq, &rows.kind as _, &rows.stage as _, &rows.round as _, &rows.party as _,
        &rows.recorded_at, &rows.command_id as _, &rows.command_digest as _, &rows.entry, &rows.data, &rows.personal, &rows.hash,
        present.closed_at, &rows.event_id, &rows.partner_kind as _
    }
    .fetch_optional(database)
    .await
}

/// The version written, or nothing where the task exists.
async fn insert(
    pool: &Pool,
    prepared: &Prepared,
    open: &Open<'_>,
    opened: &Opened,
) -> Result<Option<i64>, sqlx::Error> {
    let Prepared { present, rows, hashes } = prepared;
    sqlx::query_scalar! {
        r#"with row as materialized (
               select * from unnest(
                   $24::bigint[], $25::bigint[], $26::text[], $27::text[], $28::integer[], $29::text[], $30::timestamptz[],
                   $31::uuid[], $32::bytea[], $33::text[], $34::text[], $35::text[], $36::bytea[], $37::uuid[], $38::text[]
               ) as row (seq, cause_seq, type, stage, round, party, recorded_at,
                   command_id, command_digest, entry, data, personal, hash, event_id, partner_type)
           ), task as (
               insert into tasks (task_id, partner_id, buyer_id, workflow_key, workflow_version, title, metadata,
                   open_digest, opened_at, version, phase, stage, round, waiting_on, due_at, overdue, wake_at, format,
                   state, notes, buyer_status, status_version, head_hash, updated_at)
               values ($1, $2, $3, $4, $5, $6, $7::text::json, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                   $19::text::jsonb, $20::text::jsonb, $21::text::json, $22, $23, $9)
               on conflict (task_id) do nothing
               returning task_id, partner_id, version
           ), trail as (
               insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at,
                   command_id, command_digest, entry, data, personal, hash)
               select task.task_id, row.seq, row.cause_seq, row.type, row.stage, row.round, row.party, row.recorded_at,
                   row.command_id, row.command_digest, row.entry, row.data::json, row.personal::json, row.hash
               from task cross join row
           ), deliveries as (
               insert into webhook_deliveries (task_id, seq, owner_id, endpoint_id, event_id, recorded_at, due_at)
               select task.task_id, row.seq, endpoint.owner_id, endpoint.id, row.event_id, row.recorded_at, row.recorded_at
               from task cross join row join webhook_endpoints endpoint
                   on endpoint.owner_id in (task.partner_id, '00000000-0000-0000-0000-000000000000')
                   and endpoint.state <> 'removed'
                   and (endpoint.types is null
                       or case endpoint.owner_id when task.partner_id then row.partner_type else row.type end = any (endpoint.types))
           )
           select version as "version!" from task"#,
        present.task_id, open.partner_id.0, open.buyer_id.0, opened.workflow.key.as_str(), int(opened.workflow.version),
        opened.title.as_ref().map(Text::as_str), opened.metadata.as_ref().map(to_json), &open.digest[..], present.updated_at,
        present.version, present.phase, present.stage, present.round, present.waiting_on, present.due_at, present.overdue,
        present.wake_at, present.format, present.state, present.notes, present.buyer_status, present.status_version,
        &head(hashes).as_bytes()[..],
        &rows.seq, &rows.cause_seq, &rows.kind as _, &rows.stage as _, &rows.round as _, &rows.party as _,
        &rows.recorded_at, &rows.command_id as _, &rows.command_digest as _, &rows.entry, &rows.data, &rows.personal, &rows.hash,
        &rows.event_id, &rows.partner_kind as _
    }
    .fetch_optional(pool)
    .await
}
