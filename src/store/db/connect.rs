//! Connects to Postgres: in a role that cannot change the trail for serving, and as the owner of
//! the tables for migrations.

use std::str::FromStr as _;
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;

use crate::store::Pool;

use super::session::{Limits, Session};

/// The role of the serving connections. The migrations create it. The user of `DATABASE_URL` must
/// be a member; the migrations grant that if the user may.
pub const SERVING_ROLE: &str = "stagegate_app";

/// Every migration, compiled in. The database may have newer ones: the old build keeps serving
/// while a deploy rolls out and after it was rolled back.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!();
    migrator.set_ignore_missing(true);
    migrator
});

/// Connections that were used within this time are taken without a ping.
pub(in crate::store) const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Why there is no usable database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a Postgres URL. The message leaves out the URL, since it holds a password.
    #[error("DATABASE_URL is not the URL of a Postgres database")]
    Url,
    /// Several hosts, as libpq allows them.
    #[error(
        "DATABASE_URL names several hosts, which is not supported: name one address that leads to the primary, such as a proxy's"
    )]
    SeveralHosts,
    /// The database cannot be reached, or refuses the connection.
    #[error("accessing the database")]
    Database(#[from] sqlx::Error),
    /// A migration failed.
    #[error("migrating the database")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Parses a `DATABASE_URL`. The `Debug` output of the result shows the password: do not log it.
///
/// # Errors
///
/// If it is not a Postgres URL, or names several hosts: the driver would read them as one long
/// name.
pub fn parse_url(url: &str) -> Result<PgConnectOptions, Error> {
    // sqlx accepts any scheme.
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Error::Url);
    }
    let hosts = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next()?.rsplit('@').next());
    if hosts.is_some_and(|hosts| hosts.contains(',')) {
        return Err(Error::SeveralHosts);
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| Error::Url)?;
    // A host can also stand in the query: `?host=a,b`.
    if options.get_host().contains(',') { Err(Error::SeveralHosts) } else { Ok(options) }
}

/// Opens the pool that serves requests, in the serving role, with all connections open from the
/// start.
///
/// # Errors
///
/// If the database cannot be reached, lacks the role because it was not migrated, or takes no
/// writes.
pub async fn connect(options: &PgConnectOptions, connections: u32) -> Result<Pool, Error> {
    connect_within(options, connections, Limits::default()).await
}

/// As [`connect`], with other limits.
///
/// # Errors
///
/// As [`connect`].
pub async fn connect_within(options: &PgConnectOptions, connections: u32, limits: Limits) -> Result<Pool, Error> {
    let pool = connect_lazily(options, connections, limits);
    pool.fill().await?;
    Ok(pool)
}

/// As [`connect`], but connects at first use, so the database may be unavailable for now.
pub fn connect_lazily(options: &PgConnectOptions, connections: u32, limits: Limits) -> Pool {
    Pool::new(serving(options), connections, limits)
}

/// The settings of every session. A server, database, role or URL can have defaults of its own, so
/// each session sets what statements rely on, after the options of the URL.
///
/// Three are not set: `search_path`, which says where the tables are;
/// `default_transaction_read_only`, with which an operator may stop all writing (each new session
/// checks it); and what sqlx sets itself: time zone, date style and encoding.
const SESSION: [(&str, &str); 15] = [
    ("role", SERVING_ROLE),
    // A statement that waits or runs longer than this has lost its caller.
    ("statement_timeout", "5s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "5s"),
    // Connections idle between statements, and listeners for longer.
    ("idle_session_timeout", "0"),
    // The guards of statements assume these.
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    // How the text of statements and values is read.
    ("standard_conforming_strings", "on"),
    ("bytea_output", "hex"),
    ("intervalstyle", "postgres"),
    // JIT compilation would take longer than any of these statements.
    ("jit", "off"),
    ("plan_cache_mode", "auto"),
    ("client_min_messages", "warning"),
    // A server that has lost us releases our locks within half a minute.
    ("tcp_keepalives_idle", "10"),
    ("tcp_user_timeout", "20s"),
];

fn serving(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("stagegate").options(SESSION)
}

/// Adds the settings of the writer's connections, which send one statement only.
///
/// Its plan is made once and always uses the primary key of `tasks`, regardless of the table's
/// statistics. It waits only briefly for a row that another session has locked, since up to 63
/// other tasks wait with it; the short limit also breaks a deadlock of two such statements.
pub(in crate::store) fn for_writing(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("lock_timeout", "50ms"),
    ])
}

/// Adds the settings for migrations, which run as the owner of the tables: no time limits, and the
/// defaults that migrations were written for.
pub(in crate::store) fn migrating(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("stagegate migrate").options([
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("idle_session_timeout", "0"),
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_deferrable", "off"),
        ("standard_conforming_strings", "on"),
        ("tcp_keepalives_idle", "10"),
        ("tcp_user_timeout", "20s"),
    ])
}

/// Applies the missing migrations as the user of the URL, with no time limits.
///
/// Several processes may run it at once: they take turns. Migrations of a newer build are left
/// alone.
///
/// # Errors
///
/// If the database cannot be reached, or a migration fails or was changed after it was applied.
pub async fn migrate(options: &PgConnectOptions) -> Result<(), Error> {
    let options = migrating(options);
    let mut session = Session::open(&options, Limits::default()).await?.migrate(&MIGRATOR, &options).await?;
    let applied = sqlx::query_scalar::<_, i64>("select version from _sqlx_migrations order by version");
    let newer = applied.fetch_all(&mut session).await?.into_iter().filter(|version| !MIGRATOR.version_exists(*version));
    let newer: Vec<i64> = newer.collect();
    if !newer.is_empty() {
        tracing::info!(?newer, "the database has migrations of a newer build; they are left unchanged");
    }
    session.close().await;
    Ok(())
}

/// Applies the migrations of a folder instead of those compiled in. While a migration is being
/// written, the code that needs it does not compile yet.
///
/// # Errors
///
/// As [`migrate`].
pub async fn migrate_from(folder: &std::path::Path, options: &PgConnectOptions) -> Result<(), Error> {
    let session = Session::open(options, Limits::default()).await?;
    session.migrate(&Migrator::new(folder).await?, options).await?.close().await;
    Ok(())
}
