//! The migrations, and whether a database has had them.

use sqlx::migrate::Migrator;

use super::{Error, Pool};

/// Every migration of this version of the service, oldest first.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// How many of our migrations the database lacks. It may well have newer ones: a deploy migrates first.
pub async fn missing(pool: &Pool) -> Result<usize, Error> {
    let applied = sqlx::query_scalar!("select version from _sqlx_migrations where success").fetch_all(pool).await;
    let applied = match applied.map_err(Error::from) {
        Ok(versions) => versions,
        Err(Error::Failed(error)) if undefined_table(&error) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version)).count())
}

fn undefined_table(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "42P01")
}
