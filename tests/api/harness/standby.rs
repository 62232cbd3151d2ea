//! A hot standby of a private Postgres, made by `pg_basebackup`.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use stagegate::embedded::Postgres;
use stagegate::store::db::connect::Address;
use stagegate::store::{Limits, Pool};
use tokio::process::Command;

use super::database::{PATIENT, execute, query};
use super::servers::Servers;
use super::waiting::until;

/// A standby of one database's server. Dropping it ends it.
pub struct Standby {
    /// How the owner of the tables connects to it.
    pub options: PgConnectOptions,
    primary: PgConnectOptions,
    _servers: Servers,
}

impl Standby {
    /// Starts one with these settings, and waits until it has what the primary has.
    pub async fn of(primary: &Postgres, database: &str, settings: &[&str]) -> Self {
        let (mut servers, source) = (Servers::new(), primary.connect_options(database));
        copy(&servers, primary, &source).await;
        let mut server = Command::new(primary.bin_dir().join("postgres"));
        server.args(["-D", "data", "-k"]).arg(servers.folder());
        for setting in settings {
            server.args(["-c", setting]);
        }
        servers.start("postgres", &mut server);
        let options = source.clone().socket(servers.folder());
        let standby = Self { options, primary: source, _servers: servers };
        until("the standby answers", async || PgConnection::connect_with(&standby.options).await.is_ok()).await;
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
        PgConnection::connect_with(&self.options).await.unwrap()
    }

    /// The URL of the database, from that of the primary.
    pub fn url(&self, primary: &str) -> String {
        let (theirs, ours) = (socket_of(&self.primary), socket_of(&self.options));
        assert!(primary.contains(theirs.to_str().unwrap()), "{primary}");
        primary.replace(theirs.to_str().unwrap(), ours.to_str().unwrap())
    }

    /// Waits until it has replayed what the primary has committed.
    pub async fn catch_up(&self) {
        // What was committed without waiting is written together with this.
        execute(&self.primary, "set synchronous_commit = on; select pg_current_xact_id()").await;
        self.reach(&query(&self.primary, "select pg_current_wal_flush_lsn()::text").await).await;
    }

    /// Waits until it has replayed what is before this place of the primary's log.
    pub async fn reach(&self, place: &str) {
        self.until("what was committed", &format!("coalesce(pg_last_wal_replay_lsn() >= '{place}', false)")).await;
    }

    /// Stops the replay of what the primary commits from now on.
    pub async fn pause(&self) {
        self.catch_up().await;
        execute(&self.options, "select pg_wal_replay_pause()").await;
        self.until("a pause", "pg_get_wal_replay_pause_state() = 'paused'").await;
    }

    /// Goes on after a pause, and waits until it has what the primary has.
    pub async fn resume(&self) {
        execute(&self.options, "select pg_wal_replay_resume()").await;
        self.catch_up().await;
    }

    /// Makes it a primary.
    pub async fn promote(&self) {
        self.until("the promotion", "pg_promote()").await;
    }

    async fn until(&self, what: &str, is_so: &str) {
        let mut owner = self.owner().await;
        let asked = format!("select {is_so}");
        until(what, async || sqlx::query_scalar(AssertSqlSafe(&*asked)).fetch_one(&mut owner).await.unwrap()).await;
    }
}

/// Copies the data of a server, with how to follow it.
async fn copy(servers: &Servers, primary: &Postgres, source: &PgConnectOptions) {
    let mut backup = Command::new(primary.bin_dir().join("pg_basebackup"));
    backup.args(["--pgdata", "data", "--write-recovery-conf", "--checkpoint", "fast", "--wal-method", "stream"]);
    backup.args(["--no-sync", "--username", source.get_username(), "--port", &source.get_port().to_string()]);
    servers.run("pg_basebackup", backup.arg("--host").arg(socket_of(source))).await;
}

fn socket_of(options: &PgConnectOptions) -> &PathBuf {
    options.get_socket().expect("a private Postgres listens on a socket")
}
