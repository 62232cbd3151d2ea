//! A hot standby of a private Postgres, made by `pg_basebackup`. A shell ends it with this process, whichever way that
//! ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use stagegate::embedded::Postgres;
use stagegate::store::db::connect::Address;
use stagegate::store::{Limits, Pool};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::database::{PATIENT, scratch_dir};
use super::patroni::{GUARDIAN, own, spawn};
use super::process::PATIENCE;

/// A standby of one database's server.
pub struct Standby {
    /// How the owner of the tables connects to it.
    pub options: PgConnectOptions,
    primary: PgConnectOptions,
    _server: Child,
    _guardian: Child,
}

impl Standby {
    /// Starts one with these settings, and waits until it has what the primary has.
    pub async fn of(primary: &Postgres, database: &str, settings: &[&str]) -> Self {
        let folder = scratch_dir();
        fs::create_dir(&folder).unwrap();
        own(&folder);
        let guardian = Command::new("/bin/sh").args(["-c", GUARDIAN, "sh"]).arg(&folder).stdin(Stdio::piped()).spawn();
        let source = primary.connect_options(database);
        copy(primary, &source, &folder).await;
        let mut server = Command::new(primary.bin_dir().join("postgres"));
        server.args(["-D", "data", "-k"]).arg(&folder);
        for setting in settings {
            server.args(["-c", setting]);
        }
        let server = spawn(&folder, "postgres", &mut server);
        let options = source.clone().socket(&folder);
        let standby = Self { options, primary: source, _server: server, _guardian: guardian.unwrap() };
        standby.wait("a standby", async || standby.try_connect().await.is_ok()).await;
        standby.catch_up().await;
        standby
    }

    /// A pool of a replica that only reads.
    pub async fn pool(&self, connections: u32) -> Pool {
        let address = Address { options: self.options.clone(), direct: None, is_read_only: true, plans_freely: false };
        address.connect(connections, PATIENT).await.unwrap()
    }

    /// A pool of a replica that writes, which connects at first use.
    pub fn writing_pool(&self) -> Pool {
        stagegate::store::db::connect::connect_lazily(&self.options, 2, Limits::default())
    }

    /// A connection as the owner of the tables.
    pub async fn owner(&self) -> PgConnection {
        self.try_connect().await.unwrap()
    }

    /// Waits until it has replayed what the primary has committed.
    pub async fn catch_up(&self) {
        let mut primary = PgConnection::connect_with(&self.primary).await.unwrap();
        // What was committed without waiting is written together with this.
        sqlx::raw_sql("set synchronous_commit = on; select pg_current_xact_id()").execute(&mut primary).await.unwrap();
        let end: String =
            sqlx::query_scalar("select pg_current_wal_flush_lsn()::text").fetch_one(&mut primary).await.unwrap();
        self.wait("what was committed", async || {
            let has = "select coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false)";
            sqlx::query_scalar(has).bind(&end).fetch_one(&mut self.owner().await).await.unwrap()
        })
        .await;
    }

    /// Stops the replay of what the primary commits from now on.
    pub async fn pause(&self) {
        self.catch_up().await;
        sqlx::query("select pg_wal_replay_pause()").execute(&mut self.owner().await).await.unwrap();
        self.wait("a pause", async || {
            let state = "select pg_get_wal_replay_pause_state() = 'paused'";
            sqlx::query_scalar(state).fetch_one(&mut self.owner().await).await.unwrap()
        })
        .await;
    }

    /// Goes on after a pause, and waits until it has what the primary has.
    pub async fn resume(&self) {
        sqlx::query("select pg_wal_replay_resume()").execute(&mut self.owner().await).await.unwrap();
        self.catch_up().await;
    }

    /// Makes it a primary.
    pub async fn promote(&self) {
        let promoted: bool =
            sqlx::query_scalar("select pg_promote()").fetch_one(&mut self.owner().await).await.unwrap();
        assert!(promoted);
    }

    async fn try_connect(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect_with(&self.options).await
    }

    async fn wait(&self, what: &str, mut is_there: impl AsyncFnMut() -> bool) {
        let waited = timeout(PATIENCE, async {
            while !is_there().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        if waited.await.is_err() {
            let folder = self.options.get_socket().unwrap();
            panic!("no {what}: {}", fs::read_to_string(folder.join("postgres.log")).unwrap_or_default());
        }
    }
}

/// Copies the data of a server, with how to follow it.
async fn copy(primary: &Postgres, source: &PgConnectOptions, folder: &Path) {
    let socket: &PathBuf = source.get_socket().expect("a private Postgres listens on a socket");
    let mut backup = Command::new(primary.bin_dir().join("pg_basebackup"));
    backup.args(["--pgdata", "data", "--write-recovery-conf", "--checkpoint", "fast", "--wal-method", "stream"]);
    backup.args(["--no-sync", "--username", source.get_username(), "--port", &source.get_port().to_string()]);
    let done = spawn(folder, "pg_basebackup", backup.arg("--host").arg(socket)).wait().await.unwrap();
    let said = fs::read_to_string(folder.join("pg_basebackup.log")).unwrap();
    assert!(done.success(), "{said}");
    // It has ended, and its number may be another's by now.
    fs::remove_file(folder.join("pg_basebackup.pid")).unwrap();
}
