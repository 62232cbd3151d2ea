//! Connects to Postgres: in a role that cannot change the trail for serving, and as the owner of
//! the tables for migrations.

use std::str::FromStr as _;
use std::sync::LazyLock;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;

use crate::domain::values::cell::CellName;
use crate::store::Pool;

use super::cell;
use super::session::{Limits, Session};
use super::settings::{Route, migrating};

pub use super::settings::{SERVING_ROLE, login_sql};

/// Every migration, compiled in. The database may have newer ones: the old build keeps serving
/// while a deploy rolls out and after it was rolled back.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!();
    migrator.set_ignore_missing(true);
    // `Session::migrate` has a lock of its own.
    migrator.set_locking(false);
    migrator
});

/// Why there is no usable database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a Postgres URL. The message leaves out the URL, since it holds a password.
    #[error("it is not the URL of a Postgres database, such as postgres://user:password@host/database")]
    Url,
    /// Several hosts, as libpq allows them.
    #[error(
        "it names several hosts, which is not supported: name one address that leads to the primary, such as a proxy's"
    )]
    SeveralHosts,
    /// The database cannot be reached, or refuses the connection.
    #[error("accessing the database")]
    Database(#[from] sqlx::Error),
    /// A migration failed.
    #[error("migrating the database")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// It is another cell than the settings say, or its cell cannot be read.
    #[error(transparent)]
    Cell(#[from] cell::Error),
    /// No schema that exists is on the search path.
    #[error("the database has none of the schemas on the search path: create the schema first, or correct the URL")]
    NoSchema,
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

/// The way to the database.
#[derive(Clone, Debug)]
pub struct Address {
    /// For statements, perhaps through a pooler such as `PgBouncer`, whose login must be as
    /// [`login_sql`] makes it.
    pub options: PgConnectOptions,
    /// Past the pooler, for what needs a session of its own, such as `LISTEN`; `None` without one.
    pub direct: Option<PgConnectOptions>,
    /// Whether sessions only read, so that the server may be a standby.
    pub is_read_only: bool,
    /// Whether the planner is left alone where decisions are written, for engines on top of Postgres
    /// that cannot follow its settings.
    pub plans_freely: bool,
}

impl Address {
    fn route(&self) -> Route {
        let route = match &self.direct {
            Some(direct) => Route::pooled(&self.options, direct),
            None => Route::direct(&self.options),
        };
        let route = if self.plans_freely { route.planning_freely() } else { route };
        if self.is_read_only { route.read_only() } else { route }
    }

    /// Opens the pool that serves requests, in the serving role, with all connections open from the
    /// start.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, lacks the role because it was not migrated, or takes no
    /// writes although it must.
    pub async fn connect(&self, connections: u32, limits: Limits) -> Result<Pool, Error> {
        let pool = Pool::through(self.route(), connections, limits);
        pool.fill().await?;
        Ok(pool)
    }
}

/// Opens the pool of a replica that writes, straight to the server; see [`Address::connect`].
///
/// # Errors
///
/// As [`Address::connect`].
pub async fn connect(options: &PgConnectOptions, connections: u32) -> Result<Pool, Error> {
    connect_within(options, connections, Limits::default()).await
}

/// As [`connect`], with other limits.
///
/// # Errors
///
/// As [`connect`].
pub async fn connect_within(options: &PgConnectOptions, connections: u32, limits: Limits) -> Result<Pool, Error> {
    let address = Address { options: options.clone(), direct: None, is_read_only: false, plans_freely: false };
    address.connect(connections, limits).await
}

/// As [`connect`], but connects at first use, so the database may be unavailable for now.
pub fn connect_lazily(options: &PgConnectOptions, connections: u32, limits: Limits) -> Pool {
    Pool::through(Route::direct(options), connections, limits)
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
    migrate_cell(options, None, false).await
}

/// As [`migrate`], for a database that is this cell. One without a name gets it, for good: if it has
/// no partners, or if `in_use` says that it may have some.
///
/// # Errors
///
/// As [`migrate`], and [`Error::Cell`] if the database is another cell; nothing is done to it then.
pub async fn migrate_cell(options: &PgConnectOptions, cell: Option<&CellName>, in_use: bool) -> Result<(), Error> {
    let options = migrating(options);
    let mut session = Session::open(&options, Limits::default()).await?;
    let schema: Option<String> = sqlx::query_scalar("select current_schema()::text").fetch_one(&mut session).await?;
    schema.ok_or(Error::NoSchema)?;
    cell::refuse_other(&mut session, cell).await?;
    let mut session = session.migrate(&MIGRATOR, &options).await?;
    cell::name(&mut session, cell, in_use).await?;
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
    let mut migrator = Migrator::new(folder).await?;
    migrator.set_locking(false);
    session.migrate(&migrator, options).await?.close().await;
    Ok(())
}
