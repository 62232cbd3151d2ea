//! Checks on a connection of its own whether the database is fit to serve.

use sqlx::Row as _;

use crate::domain::values::cell::{Cell, CellName};
use crate::store::{Error, Pool};

use super::beside::Beside;
use super::cell;
use super::connect::{MIGRATOR, SERVING_ROLE};
use super::session::Session;

/// The state of a database that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// Fit to serve.
    Fit,
    /// It takes no writes, although it must: a standby, or a server set to read-only.
    ReadOnly,
    /// It lacks a migration of this build. It may also have newer ones, since the old build keeps
    /// serving while a deploy rolls out.
    NotMigrated,
    /// Statements do not run in the serving role, or without its time limits. A pooler in between may
    /// have dropped the option that requests them.
    NotConfined,
    /// It is another cell: the address leads to another database than at the start.
    OtherCell,
}

/// The check. It keeps its connection as long as nothing is wrong with it.
#[derive(Debug)]
pub struct Probe {
    beside: Beside,
    cell: Cell,
    /// Whether the database must take writes.
    writes: bool,
}

impl Probe {
    /// Creates a check beside this pool. It connects at the first look.
    pub fn beside(pool: &Pool) -> Self {
        Self { beside: Beside::new(pool), cell: Cell::default(), writes: !pool.is_read_only() }
    }

    /// The same for a database that must be this cell.
    #[must_use]
    pub fn of(self, cell: &Cell) -> Self {
        Self { cell: cell.clone(), ..self }
    }

    /// Looks once, within the limits of a connection and two statements. If it is dropped half-way,
    /// the next look starts over.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached or does not answer.
    pub async fn look(&mut self) -> Result<Fitness, Error> {
        let mut session = self.beside.take().await?;
        let fitness = fitness(&mut session, (&self.cell, self.writes)).await?;
        match fitness {
            Fitness::Fit => self.beside.keep(session),
            // The serving sessions use the same server, and the address may lead to another one by
            // now.
            Fitness::ReadOnly | Fitness::OtherCell => self.beside.report(&session),
            Fitness::NotMigrated | Fitness::NotConfined => session.close().await,
        }
        Ok(fitness)
    }
}

/// The settings without which a statement could hold a connection or a lock for good.
const TIME_LIMITS: [&str; 3] = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];

async fn fitness(session: &mut Session, (cell, writes): (&Cell, bool)) -> Result<Fitness, Error> {
    let ask = "select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean, current_user = $1
             and not exists (select from unnest($2::text[]) as limits (name) where current_setting(name) = '0'),
         to_regclass('_sqlx_migrations') is not null";
    let row = sqlx::query(ask).bind(SERVING_ROLE).bind(&TIME_LIMITS[..]).fetch_one(&mut *session).await?;
    let (read_only, confined, known): (bool, bool, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if read_only && writes {
        return Ok(Fitness::ReadOnly);
    }
    if !known {
        return Ok(Fitness::NotMigrated);
    }
    let applied = sqlx::query_scalar("select version from _sqlx_migrations where success");
    let applied: Vec<i64> = applied.fetch_all(&mut *session).await?;
    if !MIGRATOR.iter().all(|migration| applied.contains(&migration.version)) {
        return Ok(Fitness::NotMigrated);
    }
    if !is_cell(cell, cell::stored(session).await?.as_ref()) {
        return Ok(Fitness::OtherCell);
    }
    Ok(if confined { Fitness::Fit } else { Fitness::NotConfined })
}

/// Whether the database is the cell. A replica that started before the database in use got its name
/// serves on until it is replaced.
fn is_cell(cell: &Cell, stored: Option<&(CellName, bool)>) -> bool {
    match (cell.name(), stored) {
        (Some(name), Some((stored, _))) => name == stored,
        (None, Some((_, was_unnamed))) => *was_unnamed,
        (Some(_), None) => false,
        (None, None) => true,
    }
}
