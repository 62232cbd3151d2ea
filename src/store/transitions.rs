//! The write: one transition of a task is one data-modifying statement, guarded by the version that was decided on.
//!
//! A task's row and its events are written together or not at all, with no transaction held open across a round trip.
//! Of several writers that decided on the same version, one takes the row; the others wait inside their statement, see
//! that the version moved on, and write nothing: they are [`Outcome::Stale`] and must look their command up, else decide
//! again. What is written is sealed first (`Sealed`, the chain's next links), so nothing but columns reaches the statement.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::error::constraint;
use super::row::{bigint, int, to_json};
use super::{Error, events};
use crate::domain::audit::{self, Hash};
use crate::domain::decide::{Snapshot, Transition};
use crate::domain::event::{Event, Fact, Opened};
use crate::domain::id::{BuyerId, PartnerId};
use crate::domain::party::Party;
use crate::domain::task::FORMAT;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Written, and durable. Holds the new head of the chain.
    Saved(Hash),
    /// Somebody else moved the task on since it was read (or opened it before): nothing was written.
    Stale,
    /// The party used the command's id on this task before: nothing was written.
    Duplicate,
}

/// Writes a transition of an open or closed task.
pub async fn save(pool: &PgPool, save: &Save<'_>) -> Result<Outcome, Error> {
    let rows = Rows::seal(save.transition.events(), save.head, save.command_digest, save.seed);
    let present = Present::of(save.transition.snapshot());
    let result = update(pool, &present, bigint(save.transition.expected_version()), &rows).await;
    rows.outcome(result)
}

/// Writes the opening of a task: [`Outcome::Stale`] if there is a task of that id already.
///
/// # Panics
///
/// If the transition is not an opening.
pub async fn insert_opened(pool: &PgPool, open: &Open<'_>) -> Result<Outcome, Error> {
    let events = open.transition.events();
    let opened = events.first().and_then(opened).expect("an opening starts with its event");
    let origin = audit::origin(opened, open.partner_id, open.buyer_id);
    let rows = Rows::seal(events, origin, None, open.seed);
    let present = Present::of(open.transition.snapshot());
    let result = insert(pool, open, opened, (&present, &rows)).await;
    rows.outcome(result)
}

fn opened(event: &Event) -> Option<&Opened> {
    if let Fact::Opened(opened) = &event.fact { Some(opened) } else { None }
}

/// The task's row without what never changes.
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
    state: String,
    notes: String,
    buyer_status: String,
    status_version: i64,
    updated_at: DateTime<Utc>,
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
            state: to_json(task),
            notes: to_json(notes),
            buyer_status: to_json(status),
            status_version: bigint(status.version),
            updated_at: task.recorded_at().utc(),
        }
    }
}

/// The rows of the trail, column by column, as `unnest` takes them.
#[derive(Default)]
struct Rows {
    seq: Vec<i64>,
    cause_seq: Vec<i64>,
    kind: Vec<String>,
    stage: Vec<Option<String>>,
    round: Vec<Option<i32>>,
    party: Vec<String>,
    recorded_at: Vec<DateTime<Utc>>,
    command_id: Vec<Option<Uuid>>,
    command_digest: Vec<Option<Vec<u8>>>,
    entry: Vec<String>,
    data: Vec<String>,
    personal: Vec<String>,
    hash: Vec<Vec<u8>>,
    head: Option<Hash>,
}
