//! The write: transitions of tasks, each guarded by the version that was decided on, in one data-modifying statement.
//!
//! A task's row and its events are written together or not at all, with no transaction held open across a round
//! trip. Of several writers that decided on the same version, one takes the row; the others skip it while it is
//! locked, then see that the version moved on, and write nothing: they are [`Outcome::Stale`] and must look their
//! command up, else decide again. A command whose id the task knows is a row that is not written, too:
//! [`Outcome::Duplicate`].
//!
//! Rows are sealed and turned into columns by whoever decided (`prepared`); the writer then lets those that wait
//! share a statement.

use crate::domain::audit::{Hash, Origin, Subject as _};
use crate::domain::task::decide::Transition;
use crate::domain::task::event::{Event, Fact};
use crate::domain::values::id::{BuyerId, PartnerId};
use crate::store::db::session::Session;
use crate::store::{Error, Pool};

mod prepared;
mod statements;

pub use prepared::Prepared;
pub(in crate::store) use statements::{Fate, list_unlocked, update};

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

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The hash of each event, in order; the last is the new head of the chain.
    pub hashes: Vec<Hash>,
    /// Bytes of JSON that the task's present was written as.
    pub size: usize,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Written, and durable.
    Saved(Written),
    /// Somebody else moved the task on since it was read, or opened it before. Nothing was written.
    Stale,
    /// The party used the command's id on this task before. Nothing was written.
    Duplicate,
}

/// Writes a transition as a part of a transaction, which the caller must not go on with unless it is
/// [`Outcome::Saved`]. For a row that others have locked it waits as long as a session of the pool may, and then
/// fails with [`Error::Busy`].
pub(in crate::store) async fn save_within(connection: &mut Session, save: &Save<'_>) -> Result<Outcome, Error> {
    let prepared = Prepared::new(save);
    let fate = update(connection, &[&prepared]).await?.pop();
    fate.and_then(|fate| prepared.outcome(fate)).ok_or(Error::Locked)
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
    let prepared = Prepared::of(open.transition, origin.hash(), None, open.seed);
    let inserted = statements::insert(pool, &prepared, open, opened).await?;
    let fate = if inserted.is_some() { Fate::Written } else { Fate::Stale };
    prepared.outcome(fate).ok_or(Error::Locked)
}
