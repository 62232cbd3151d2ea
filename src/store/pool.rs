//! The connections to Postgres: those that serve, in a role that cannot change the trail, and the one that migrates.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};

use super::Pool;

/// The role that serving connections take. The migrations make it; the user of `DATABASE_URL` must be a member of it
/// (they see to it, if that user may).
pub const SERVING_ROLE: &str = "stagegate_app";

/// Every migration, compiled in.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// A connection that was used this recently is taken without asking whether it lives.
pub(super) const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Why there is no database to work with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not the URL of a Postgres. The URL itself is left out, since it holds a password.
    #[error("DATABASE_URL is not the URL of a Postgres database")]
    Url,
    /// It cannot be reached, or refuses.
    #[error("the database")]
    Database(#[from] sqlx::Error),
    /// A migration failed.
    #[error("migrating the database")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Reads a `DATABASE_URL`. What comes back shows the password in its `Debug`: keep it out of logs.
///
/// # Errors
///
/// When it is not a Postgres URL.
pub fn parse_url(url: &str) -> Result<PgConnectOptions, Error> {
    // sqlx takes any scheme.
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Error::Url);
    }
    PgConnectOptions::from_str(url).map_err(|_| Error::Url)
}

/// The pool that serves requests, in the serving role, all connections open from the start.
///
/// # Errors
///
/// When the database cannot be reached, or lacks the role because it was not migrated.
pub async fn connect(options: &PgConnectOptions, connections: u32) -> Result<Pool, Error> {
    let pool = serving_pool(connections).connect_with(serving(options)).await?;
    Ok(pool.into())
}

/// As [`connect`], but connects at first use: the database may be away for now.
pub fn connect_lazily(options: &PgConnectOptions, connections: u32) -> Pool {
    serving_pool(connections).connect_lazy_with(serving(options)).into()
}

/// The connections of the writer, which send one statement alone: the plan for it is made once, and goes by the tasks' key whatever is known
/// of the table's size, so that rows are found one by one, and locked in the order of their ids.
pub(super) fn connect_for_writing(options: &PgConnectOptions, connections: u32, patience: Duration) -> Pool {
    let by_key = [
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("jit", "off"),
    ];
    serving_pool(connections).acquire_timeout(patience).connect_lazy_with(options.clone().options(by_key)).into()
}

fn serving_pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .min_connections(connections)
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(3))
        .max_lifetime(Duration::from_mins(30))
        .idle_timeout(None)
        // A ping before each use would cost every statement a round trip. One that has been idle for a while may have died with
        // the server, though, and without a ping would fail a request long after the server is back.
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            Box::pin(async move { Ok(metadata.idle_for < TRUSTED_IDLE || connection.ping().await.is_ok()) })
        })
}

/// A statement that waits or runs longer than this has no caller any more.
fn serving(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("stagegate").options([
        ("role", SERVING_ROLE),
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "5s"),
    ])
}

/// Applies the migrations that are missing, as the user of the URL, with no time limits. Safe to run from several
/// processes at once: they take turns.
///
/// # Errors
///
/// When the database cannot be reached, or a migration fails or was changed after it was applied.
pub async fn migrate(options: &PgConnectOptions) -> Result<(), Error> {
    let mut connection = PgConnection::connect_with(&options.clone().application_name("stagegate migrate")).await?;
    MIGRATOR.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Whether every migration of this build is applied. Newer ones may be there too: during a rolling deploy the old build
/// goes on serving.
///
/// # Errors
///
/// When the database cannot be asked.
pub async fn is_migrated(pool: &Pool) -> Result<bool, sqlx::Error> {
    let known: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(pool).await?;
    if !known {
        return Ok(false);
    }
    let applied: Vec<i64> =
        sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(pool).await?;
    Ok(MIGRATOR.iter().all(|migration| applied.contains(&migration.version)))
}

/// Whether statements run in the serving role: a pooler between here and the database may have dropped the option that asks for it.
///
/// # Errors
///
/// When the database cannot be asked.
pub async fn is_confined(pool: &Pool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select current_user = $1").bind(SERVING_ROLE).fetch_one(pool).await
}

/// Applies the migrations of a folder instead of those compiled in: while a migration is being written, the code that
/// needs it does not compile yet.
///
/// # Errors
///
/// As [`migrate`].
pub async fn migrate_from(folder: &std::path::Path, options: &PgConnectOptions) -> Result<(), Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    Migrator::new(folder).await?.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
