//! One Postgres for the whole run, and a migrated database of its own for every test.
//!
//! The server is a scratch one that ends with the test process, or the one at `TEST_DATABASE_URL`. The migrations run
//! once, into a template that each test's database is a copy of.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use stagegate::embedded::{Options, Postgres};
use stagegate::store::db::connect;
use stagegate::store::{Limits, Pool};
use stagegate::{config, ids};
use tokio::sync::OnceCell;

use super::settings::setting;

/// Connections of a test's pool; the server allows 200 in all.
const POOL: u32 = 4;

static SERVER: OnceCell<Server> = OnceCell::const_new();

/// A migrated database that no other test sees. It goes when this is dropped.
pub struct TestDb {
    /// The pool as the service has it, in the serving role.
    pub pool: Pool,
    /// How the owner of the tables connects, who may do what the serving role may not.
    pub owner: PgConnectOptions,
    /// Its name on the server of all tests; none on a server of its own.
    name: Option<String>,
}

struct Server {
    // Held so that it is in use; its guardian ends it with this process.
    _postgres: Option<Postgres>,
    admin: PgConnectOptions,
    template: String,
}

impl TestDb {
    /// A fresh one.
    pub async fn new() -> Self {
        let server = Self::server().await;
        let name = unique("t");
        execute(&server.admin, &format!("create database {name} template {}", server.template)).await;
        let owner = server.admin.clone().database(&name);
        let pool = connect(&owner, POOL).await;
        Self { pool, owner, name: Some(name) }
    }

    /// The database that these options lead to, on a server of its own. It is migrated.
    pub async fn at(owner: PgConnectOptions) -> Self {
        connect::migrate(&owner).await.unwrap();
        Self { pool: connect(&owner, POOL).await, owner, name: None }
    }

    /// An empty, unmigrated one: how its owner connects. It is left behind on a server that is not ours.
    pub async fn empty() -> PgConnectOptions {
        let server = Self::server().await;
        let name = unique("e");
        execute(&server.admin, &format!("create database {name}")).await;
        server.admin.clone().database(&name)
    }

    /// A connection as the owner of the tables.
    pub async fn owner(&self) -> PgConnection {
        PgConnection::connect_with(&self.owner).await.unwrap()
    }

    /// The place and the version of every row of every table: the same text as long as nothing writes.
    pub async fn versions_of_every_row(&self) -> String {
        let mut owner = self.owner().await;
        let tables = "select tablename::text from pg_tables where schemaname = current_schema order by 1";
        let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut owner).await.unwrap();
        let mut versions = String::new();
        for table in tables {
            let rows = format!("select string_agg(concat(ctid, xmin), ' ' order by ctid) from {table}");
            let rows: Option<String> = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(&mut owner).await.unwrap();
            writeln!(versions, "{table} {}", rows.unwrap_or_default()).unwrap();
        }
        versions
    }

    async fn server() -> &'static Server {
        SERVER.get_or_init(Server::start).await
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (Some(server), Some(name)) = (SERVER.get(), self.name.take()) else { return };
        let admin = server.admin.clone();
        // A thread, since this one may be inside a runtime already.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&admin, &format!("drop database {name} with (force)")));
        });
        // A database that stays is no reason to hide what the test has to say.
        let _ = dropped.join();
    }
}

impl Server {
    async fn start() -> Self {
        let (postgres, admin) = if let Some(url) = setting("TEST_DATABASE_URL") {
            (None, connect::parse_url(&url).unwrap())
        } else {
            let postgres = Postgres::start(&scratch_options(), "postgres").await.unwrap();
            let admin = postgres.connect_options("postgres");
            (Some(postgres), admin)
        };
        let template = unique("tpl");
        execute(&admin, &format!("create database {template}")).await;
        connect::migrate(&admin.clone().database(&template)).await.unwrap();
        Self { _postgres: postgres, admin, template }
    }
}

/// Limits that no test meets, however busy the machine is.
pub const PATIENT: Limits = Limits {
    wait: Duration::from_mins(1),
    connect: Duration::from_mins(1),
    ping: Duration::from_mins(1),
    answer: Duration::from_mins(1),
    close: Duration::from_secs(10),
};

/// A pool in the serving role, for tests of something else than its limits.
pub async fn connect(options: &PgConnectOptions, connections: u32) -> Pool {
    connect::connect_within(options, connections, PATIENT).await.unwrap()
}

/// A Postgres for tests in a folder of its own, which goes with this process.
pub fn scratch_options() -> Options {
    Options {
        data_dir: scratch_dir(),
        // Shared between runs, since fetching takes a while.
        fetch_dir: config::default_data_dir(),
        bin_dir: config::postgres_bin_dir(),
        durable: false,
        ends_with_process: true,
    }
}

/// A name for a new folder that a server of another user can be in.
pub fn scratch_dir() -> PathBuf {
    std::env::temp_dir().join(unique("stagegate-test"))
}

/// Runs statements as this user.
pub async fn execute(options: &PgConnectOptions, statements: &str) {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Asks for one text as this user.
pub async fn query(options: &PgConnectOptions, statement: &str) -> String {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    let text = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    text
}

fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", hex::encode(ids::random::<6>()))
}

/// Begins a transaction in which the next event of a task is there already, so that a write of the task begins and
/// waits for its end. It is to be rolled back; `false` if somebody else wrote that event meanwhile. (A row of
/// `tasks` that is locked would be skipped.)
pub async fn hold(owner: &mut PgConnection, task: &str) -> bool {
    sqlx::query("begin").execute(&mut *owner).await.unwrap();
    let next = "insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at, entry, data, personal, hash)
        select task_id, seq + 1, cause_seq, 'task.resumed', stage, round, party, recorded_at, entry, data, personal, hash
        from task_events where task_id = $1::uuid order by seq desc limit 1 on conflict do nothing";
    sqlx::query(next).bind(task).execute(&mut *owner).await.unwrap().rows_affected() == 1
}
