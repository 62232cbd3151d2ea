//! The connections to Postgres: those that serve, in a role that cannot change the trail, and the one that migrates.

use std::str::FromStr as _;
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;

use crate::store::Pool;

use super::session::{Limits, Session};

/// The role that serving connections take. The migrations make it; the user of `DATABASE_URL` must be a member of it
/// (they see to it, if that user may).
pub const SERVING_ROLE: &str = "stagegate_app";

/// Every migration, compiled in. A database may have newer ones: while a deploy rolls, and after it was rolled
/// back, the old build serves on.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!();
    migrator.set_ignore_missing(true);
    migrator
});

/// A connection that was used this recently is taken without asking whether it lives.
pub(in crate::store) const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Why there is no database to work with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not the URL of a Postgres. The URL itself is left out, since it holds a password.
    #[error("DATABASE_URL is not the URL of a Postgres database")]
    Url,
    /// Several hosts, as libpq takes them.
    #[error(
        "DATABASE_URL names several hosts, which is not supported: name one address that leads to the primary, such as a proxy's"
    )]
    SeveralHosts,
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
/// When it is not a Postgres URL, or names several hosts: the driver would take them for one long name.
pub fn parse_url(url: &str) -> Result<PgConnectOptions, Error> {
    // sqlx takes any scheme.
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Error::Url);
    }
    let hosts = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next()?.rsplit('@').next());
    if hosts.is_some_and(|hosts| hosts.contains(',')) {
        return Err(Error::SeveralHosts);
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| Error::Url)?;
    // In the query: `?host=a,b`.
    if options.get_host().contains(',') { Err(Error::SeveralHosts) } else { Ok(options) }
}

/// The pool that serves requests, in the serving role, all connections open from the start.
///
/// # Errors
///
/// When the database cannot be reached, lacks the role because it was not migrated, or takes no writes.
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

/// As [`connect`], but connects at first use: the database may be away for now.
pub fn connect_lazily(options: &PgConnectOptions, connections: u32, limits: Limits) -> Pool {
    Pool::new(serving(options), connections, limits)
}

/// Of a server, a database, a role or a URL, each may have defaults of its own: what statements rely on is set for
/// each session, and comes after what the URL asks for. Not set are `search_path`, which says where the tables are;
/// `default_transaction_read_only`, by which an operator may stop all writing (each new session asks for it); and
/// what sqlx sets itself: time zone, date style and encoding.
const SESSION: [(&str, &str); 15] = [
    ("role", SERVING_ROLE),
    // A statement that waits or runs longer than this has no caller any more.
    ("statement_timeout", "5s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "5s"),
    // Connections wait for their next statement, those that listen for longer.
    ("idle_session_timeout", "0"),
    // The guards of statements are written for these.
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    // How texts of statements and of values are read.
    ("standard_conforming_strings", "on"),
    ("bytea_output", "hex"),
    ("intervalstyle", "postgres"),
    // Compiling a plan takes longer than any of these statements.
    ("jit", "off"),
    ("plan_cache_mode", "auto"),
    ("client_min_messages", "warning"),
    // A server that has lost us gives up our locks within half a minute.
    ("tcp_keepalives_idle", "10"),
    ("tcp_user_timeout", "20s"),
];

fn serving(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("stagegate").options(SESSION)
}

/// The connections of the writer, which send one statement alone: the plan for it is made once, and goes by the
/// tasks' key whatever is known of the table's size, so that rows are found one by one. For a row that another
/// session has locked it waits for a moment only, as up to 63 other tasks wait with it; that also ends a circle of
/// two statements that wait for each other.
pub(in crate::store) fn for_writing(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("lock_timeout", "50ms"),
    ])
}

/// How the owner of the tables connects to change them: with no time limits, and with the defaults that migrations
/// were written for.
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

/// Applies the migrations that are missing, as the user of the URL, with no time limits. Safe to run from several
/// processes at once: they take turns. Migrations of a newer build are left alone.
///
/// # Errors
///
/// When the database cannot be reached, or a migration fails or was changed after it was applied.
pub async fn migrate(options: &PgConnectOptions) -> Result<(), Error> {
    let options = migrating(options);
    let mut session = Session::open(&options, Limits::default()).await?.migrate(&MIGRATOR, &options).await?;
    let applied = sqlx::query_scalar::<_, i64>("select version from _sqlx_migrations order by version");
    let newer = applied.fetch_all(&mut session).await?.into_iter().filter(|version| !MIGRATOR.version_exists(*version));
    let newer: Vec<i64> = newer.collect();
    if !newer.is_empty() {
        tracing::info!(?newer, "the database has migrations of a newer build, which are left as they are");
    }
    session.close().await;
    Ok(())
}

/// Applies the migrations of a folder instead of those compiled in: while a migration is being written, the code that
/// needs it does not compile yet.
///
/// # Errors
///
/// As [`migrate`].
pub async fn migrate_from(folder: &std::path::Path, options: &PgConnectOptions) -> Result<(), Error> {
    let session = Session::open(options, Limits::default()).await?;
    session.migrate(&Migrator::new(folder).await?, options).await?.close().await;
    Ok(())
}
