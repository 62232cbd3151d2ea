//! Settings of the database, and the only look-ups in the environment besides those of clap.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::embedded;

use super::secret::Secret;

/// The database.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// URL of the Postgres database. Unset: the service starts a private Postgres, for trials on
    /// one machine.
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    url: Option<Secret>,
    /// URL of the same database past a connection pooler such as `PgBouncer`, for migrations and for
    /// notifications between replicas. Set it where `DATABASE_URL` leads through a pooler: the service
    /// then sends no settings through it, and `DATABASE_URL` needs a login as `stagegate migrate
    /// --print-login` makes it.
    #[arg(
        id = "direct_url",
        long = "direct-url",
        env = "STAGEGATE_DIRECT_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    direct: Option<Secret>,
    /// Directory of the private Postgres and its programs [default: /var/lib/stagegate for root,
    /// else stagegate in `$XDG_DATA_HOME` or ~/.local/share]
    #[arg(long, env = "STAGEGATE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Whether to start a private Postgres if `DATABASE_URL` is unset. Off in the container image.
    #[arg(id = "private_database", long = "private-database", env = "STAGEGATE_PRIVATE_DATABASE", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    private: bool,
    /// Directory of the `PostgreSQL` programs for the private Postgres. Unset: installed programs
    /// are used, or else downloaded.
    #[arg(long, env = "PG_BIN_DIR", value_name = "DIR")]
    pg_bin_dir: Option<PathBuf>,
}

impl Database {
    /// The configured server; `None`: the private one.
    pub fn url(&self) -> Option<&Secret> {
        // Container tools pass unset variables as empty strings.
        self.url.as_ref().filter(|url| !url.expose().is_empty())
    }

    /// The address of the same database past a pooler, if `url` leads through one.
    pub fn direct_url(&self) -> Option<&Secret> {
        self.direct.as_ref().filter(|url| !url.expose().is_empty())
    }

    /// Whether a private Postgres may replace a configured one.
    pub fn may_be_private(&self) -> bool {
        self.private
    }

    /// The directory of the private Postgres.
    pub fn data_dir(&self) -> PathBuf {
        given(self.data_dir.as_ref()).cloned().unwrap_or_else(default_data_dir)
    }

    /// Options of the private Postgres.
    pub fn embedded(&self) -> embedded::Options {
        embedded::Options {
            data_dir: self.data_dir(),
            fetch_dir: self.data_dir(),
            bin_dir: given(self.pg_bin_dir.as_ref()).cloned(),
            durable: true,
            ends_with_process: false,
        }
    }
}

fn given(path: Option<&PathBuf>) -> Option<&PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

/// The default directory of the private Postgres.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn default_data_dir() -> PathBuf {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    embedded::default_data_dir(folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share"))))
}

/// The directory of the `PostgreSQL` programs, for tests, which have no command line.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn postgres_bin_dir() -> Option<PathBuf> {
    given(std::env::var_os("PG_BIN_DIR").map(PathBuf::from).as_ref()).cloned()
}
