//! Writes transitions of tasks, each guarded by the version that was decided on, in one
//! data-modifying statement.
//!
//! A task's row and its events are written together or not at all, and no transaction stays open
//! across a round trip. Of several writers that decided on the same version, one takes the row. The
//! others skip the row while it is locked, then see the new version and write nothing:
//! [`Outcome::Stale`]. So it is if the absences of the task's partner are others than those that were
//! decided on. They must look their command up and otherwise decide again. A command whose
//! id the task already has is not written either: [`Outcome::Duplicate`].
//!
//! The caller that decided seals the rows and turns them into columns (`prepared`). The writer then
//! puts the transitions that wait into one statement.

use crate::domain::audit::{Hash, Origin, Subject as _};
use crate::domain::task::decide::Transition;
use crate::domain::task::event::{Event, Fact};
use crate::domain::values::id::{BuyerId, PartnerId};
use crate::store::db::session::Session;
use crate::store::{Error, Pool};

mod facts;
mod prepared;
mod statements;

pub(in crate::store) use prepared::Fate;
pub use prepared::Prepared;
pub(in crate::store) use statements::{list_unlocked, update};

/// Fresh randomness for the salts of one event: `ids::random`.
pub type Seed = fn() -> [u8; 32];

/// A transition and what is needed to write it.
#[derive(Clone, Copy, Debug)]
pub struct Save<'a> {
    /// The transition.
    pub transition: &'a Transition,
    /// The head of the chain, read together with the state that was decided on.
    pub head: Hash,
    /// The version of the partner's absences that were decided on.
    pub absences_version: u64,
    /// The SHA-256 of the command's body; required if the transition carries a command's id.
    pub command_digest: Option<[u8; 32]>,
    /// The source of salts.
    pub seed: Seed,
    /// The span of the request, if there is one. It stays with the deliveries until they are settled.
    pub traceparent: Option<&'a str>,
}

/// An opening and what is needed to write it.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// The transition.
    pub transition: &'a Transition,
    /// The partner whose workflow it runs on.
    pub partner_id: PartnerId,
    /// The buyer who ordered it.
    pub buyer_id: BuyerId,
    /// The version of the partner's absences that were decided on.
    pub absences_version: u64,
    /// The SHA-256 of the request's body.
    pub digest: [u8; 32],
    /// The source of salts.
    pub seed: Seed,
    /// The span of the request, if there is one. It stays with the deliveries until they are settled.
    pub traceparent: Option<&'a str>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The hash of each event, in order. The last one is the new head of the chain.
    pub hashes: Vec<Hash>,
    /// The bytes of JSON written as the task's current state.
    pub size: usize,
}

/// The outcome of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Written and durable.
    Saved(Written),
    /// Another writer changed the task after it was read or opened it before, or the partner's absences
    /// were changed. Nothing was written.
    Stale,
    /// The party used the command's id on this task before. Nothing was written.
    Duplicate,
}

/// Writes a transition as part of a transaction. The caller must not continue that transaction
/// unless the outcome is [`Outcome::Saved`].
///
/// It waits for a row that others have locked as long as the pool's sessions may, then fails with
/// [`Error::Busy`].
pub(in crate::store) async fn save_within(connection: &mut Session, save: &Save<'_>) -> Result<Outcome, Error> {
    let prepared = Prepared::new(save);
    let fate = update(connection, &[&prepared]).await?.pop();
    Ok(fate.map_or(Outcome::Stale, |fate| prepared.outcome(fate)))
}

/// Writes an opening; [`Outcome::Stale`] if a task with that id exists already, or did before it was
/// put away, or if the partner's absences were changed.
///
/// # Panics
///
/// If the transition is not an opening.
pub async fn insert_opened(pool: &Pool, open: &Open<'_>) -> Result<Outcome, Error> {
    let Some(Event { fact: Fact::Opened(opened), .. }) = open.transition.events().first() else {
        unreachable!("an opening starts with the event that says so");
    };
    let origin = Origin { task_id: opened.task_id, partner_id: open.partner_id, buyer_id: open.buyer_id };
    let prepared =
        Prepared::of(open.transition, (origin.hash(), open.absences_version), None, (open.seed, open.traceparent));
    let inserted = statements::insert(pool, &prepared, open, opened).await?;
    Ok(prepared.outcome(if inserted.is_some() { Fate::Written } else { Fate::Stale }))
}
