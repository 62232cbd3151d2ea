//! The name of the cell that a database is. The owner of the tables writes it once; every replica
//! compares it with its own setting, so that nothing of one cell is taken for another's.

use sqlx::Row as _;

use crate::domain::values::cell::{Cell, CellName};
use crate::store::Pool;

use super::session::Session;

/// Why a database is not the cell that the settings name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It is another one.
    #[error("this database is the cell `{stored}`, and STAGEGATE_CELL is `{given}`: correct the setting or the URL")]
    Other {
        /// Its name.
        stored: CellName,
        /// What the settings say.
        given: CellName,
    },
    /// The settings name none.
    #[error("this database is the cell `{0}`: set STAGEGATE_CELL={0}, or correct the URL")]
    Unset(CellName),
    /// It has no name, although partners are in it.
    #[error(
        "this database is in use and has no name of a cell: `stagegate migrate --name-cell` names it `{0}` for good"
    )]
    InUse(CellName),
    /// It has no name yet.
    #[error("this database has no name of a cell yet: run `stagegate migrate` with STAGEGATE_CELL={0}")]
    Unnamed(CellName),
}

/// Why the cell of a database is not known, or not the right one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not the one that the settings name.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The database cannot be reached, or is not migrated.
    #[error("accessing the database")]
    Database(#[from] sqlx::Error),
}

/// Refuses a database that is another cell, before anything is done to it. One without a name, or
/// without tables, passes.
pub(super) async fn refuse_other(session: &mut Session, given: Option<&CellName>) -> Result<(), Error> {
    // The schema that tables would be made in: another one on the search path may be a cell.
    let ask = "select to_regclass(format('%I.cell', current_schema())) is not null";
    let is_there: Option<bool> = sqlx::query_scalar(ask).fetch_one(&mut *session).await?;
    if is_there != Some(true) {
        return Ok(());
    }
    match stored(session).await? {
        Some((name, _)) => compare(&name, given).map_err(Error::from),
        None => Ok(()),
    }
}

/// Gives a database its name, if it has none: one without partners, or any if it is `in_use`
/// deliberately.
pub(super) async fn name(session: &mut Session, given: Option<&CellName>, in_use: bool) -> Result<(), Error> {
    let Some(given) = given else { return Ok(()) };
    let insert = "insert into cell (name, was_unnamed, named_at)
         select $1, used.so, clock_timestamp() from (select exists (select from partners)) as used (so)
         where $2 or not used.so on conflict do nothing";
    sqlx::query(insert).bind(given.as_str()).bind(in_use).execute(&mut *session).await?;
    match stored(session).await? {
        Some((name, _)) => compare(&name, Some(given)).map_err(Error::from),
        None => Err(Mismatch::InUse(given.clone()).into()),
    }
}

/// The cell that the database is.
///
/// # Errors
///
/// If it is not the one that the settings name, or the database cannot be reached or is not migrated.
pub async fn find(pool: &Pool, given: Option<&CellName>) -> Result<Cell, Error> {
    let row = sqlx::query("select name, was_unnamed from cell").fetch_optional(pool).await?;
    match (row.map(|row| read(&row)).transpose()?, given) {
        (Some((name, was_unnamed)), given) => {
            compare(&name, given)?;
            Ok(Cell::named(name, was_unnamed))
        }
        (None, Some(given)) => Err(Mismatch::Unnamed(given.clone()).into()),
        (None, None) => Ok(Cell::default()),
    }
}

/// The name, and whether the database was in use before it had one.
pub(super) async fn stored(session: &mut Session) -> Result<Option<(CellName, bool)>, sqlx::Error> {
    let row = sqlx::query("select name, was_unnamed from cell").fetch_optional(&mut *session).await?;
    row.map(|row| read(&row)).transpose()
}

fn read(row: &sqlx::postgres::PgRow) -> Result<(CellName, bool), sqlx::Error> {
    let name: String = row.try_get(0)?;
    let name = CellName::parse(&name).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok((name, row.try_get(1)?))
}

fn compare(stored: &CellName, given: Option<&CellName>) -> Result<(), Mismatch> {
    match given {
        Some(given) if given == stored => Ok(()),
        Some(given) => Err(Mismatch::Other { stored: stored.clone(), given: given.clone() }),
        None => Err(Mismatch::Unset(stored.clone())),
    }
}
