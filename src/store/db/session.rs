//! One session with Postgres. Every wait for its network goes through [`within`], which applies a
//! limit of our own.
//!
//! The server's limits end a slow statement. They do not help when the server, or the route to it,
//! silently disappears. No other file of `store` holds an sqlx connection, so no statement can
//! bypass the limit (`tests/api/tidy.rs`).

use std::io;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgQueryResult, PgRow, PgSeverity, PgStatement, PgTypeInfo};
use sqlx::{Connection as _, Describe, Either, Execute, Executor, PgConnection, Postgres, Row as _, SqlStr};
use tokio::time::{Instant, sleep, timeout};

mod migration;
mod subscription;

use migration::OneByOne;
pub(in crate::store) use subscription::Subscription;

/// The time between two checks whether a migration still runs.
const WATCH: Duration = Duration::from_secs(5);
/// The first half of the key of the lock for migrations; the second is the schema.
const LOCK: i32 = i32::from_be_bytes(*b"sgmi");
/// How many checks in a row must find a migrating session inactive before it is given up.
const MISSED: u32 = 4;

/// How long we wait for the database, by our own clock. Together the limits stay below the time
/// that a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection of the pool to become free.
    pub wait: Duration,
    /// To connect, log in and ask whether the session may write.
    pub connect: Duration,
    /// For the ping of a connection that has been idle.
    pub ping: Duration,
    /// For the answer to a statement, to `begin` or to `commit`. It is a second longer than the
    /// server's `statement_timeout`, so that only an unresponsive server exceeds it.
    pub answer: Duration,
    /// To close the connection.
    pub close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { wait: seconds(3), connect: seconds(3), ping: seconds(2), answer: seconds(6), close: seconds(1) }
    }
}

/// The only function that waits for the database's network. A session that exceeds the limit must
/// not be used again.
async fn within<T>(limit: Duration, what: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(limit, what).await.unwrap_or_else(|_| Err(silent(limit)))
}

fn silent(limit: Duration) -> sqlx::Error {
    let what = format!("the database did not answer within {} s", limit.as_secs_f64());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, what))
}

/// There is no connection, so nothing was sent. The source says why: a refused login, a protocol
/// error, a standby and so on.
#[derive(Debug, thiserror::Error)]
#[error("there is no usable connection to the database")]
pub(in crate::store) struct NoConnection(#[source] Box<dyn std::error::Error + Send + Sync>);

impl NoConnection {
    /// Creates the error in the form in which statements fail.
    pub(in crate::store) fn because(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
        sqlx::Error::Io(io::Error::new(io::ErrorKind::NotConnected, Self(why.into())))
    }

    /// Whether a statement failed before it was sent.
    pub(in crate::store) fn is_why(error: &sqlx::Error) -> bool {
        matches!(error, sqlx::Error::Io(io) if io.get_ref().and_then(<dyn std::error::Error + Send + Sync>::downcast_ref::<Self>).is_some())
    }
}

/// The server takes no writes: it is a standby, or a primary set to read-only.
#[derive(Debug, thiserror::Error)]
#[error("the database is read-only: a standby, or a server set to read-only")]
struct ReadOnly;

/// What a session can be used for after its last statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Health {
    /// The next statement.
    Sound,
    /// A statement is running or was dropped half-way: [`Session::recover`] finds out.
    Unsettled,
    /// Nothing, for a reason that concerns this session only.
    Spoilt,
    /// Nothing, and other sessions with the same server have probably failed too.
    Lost,
}

/// A session. Dropping it closes the socket without the protocol's goodbye.
#[derive(Debug)]
pub(in crate::store) struct Session {
    connection: PgConnection,
    limits: Limits,
    health: Health,
    in_transaction: bool,
    opened: Instant,
    used: Instant,
    /// The pool's loss count when it opened this session.
    pub(in crate::store) generation: u64,
}

impl Session {
    /// Connects. Retries within the limit while the server is not there or not ready; any other
    /// failure is [`NoConnection`] at once.
    pub(in crate::store) async fn open(options: &PgConnectOptions, limits: Limits) -> Result<Self, sqlx::Error> {
        let mut refused = None;
        let connected = within(limits.connect, Box::pin(connect(options, &mut refused))).await;
        // The refusal says more than that the limit was exceeded.
        let connected = connected.map_err(|error| NoConnection::because(refused.unwrap_or(error)));
        let (connection, now) = (connected?, Instant::now());
        let (health, in_transaction, generation) = (Health::Sound, false, 0);
        Ok(Self { connection, limits, health, in_transaction, opened: now, used: now, generation })
    }

    /// Opens a session that may write; one that may not is [`NoConnection`].
    pub(in crate::store) async fn open_for_writing(
        options: &PgConnectOptions,
        limits: Limits,
    ) -> Result<Self, sqlx::Error> {
        let opening = async {
            let mut session = Self::open(options, limits).await?;
            if session.prepare_for_writing().await? { Ok(session) } else { Err(NoConnection::because(ReadOnly)) }
        };
        within(limits.connect, opening)
            .await
            .map_err(|error| if NoConnection::is_why(&error) { error } else { NoConnection::because(error) })
    }

    /// Returns whether the session may write. Turns a `synchronous_commit` of `off` on, since
    /// acknowledged writes must not be lost; stricter values stay.
    async fn prepare_for_writing(&mut self) -> Result<bool, sqlx::Error> {
        // One statement in the simple protocol, so that a new connection costs one more round trip,
        // not two.
        let ask = "select not pg_is_in_recovery() and not current_setting('transaction_read_only')::boolean,
             set_config('synchronous_commit', case current_setting('synchronous_commit')
                 when 'off' then 'on' else current_setting('synchronous_commit') end, false)";
        let row = self.fetch_optional(ask).await?.ok_or(sqlx::Error::RowNotFound)?;
        row.try_get(0)
    }

    /// Sets the generation; see [`super::pool::Losses`].
    pub(in crate::store) fn of_generation(self, generation: u64) -> Self {
        Self { generation, ..self }
    }

    /// What it can be used for now.
    pub(in crate::store) fn health(&self) -> Health {
        self.health
    }

    /// How long ago it was opened.
    pub(in crate::store) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// How long ago it was last used.
    pub(in crate::store) fn idle(&self) -> Duration {
        self.used.elapsed()
    }

    /// Makes a round trip without a statement, within a shorter limit than a statement's.
    pub(in crate::store) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        self.health = Health::Unsettled;
        let alive = within(self.limits.ping, self.connection.ping()).await;
        self.note(alive)
    }

    /// Begins a transaction.
    pub(in crate::store) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.in_transaction = true;
        self.command("begin").await
    }

    /// Commits the transaction.
    pub(in crate::store) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.command("commit").await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Rolls back an open transaction, or else waits for a statement that was dropped half-way. The
    /// session is sound again if this succeeds.
    pub(in crate::store) async fn recover(&mut self) -> Result<(), sqlx::Error> {
        self.health = Health::Unsettled;
        if self.in_transaction {
            self.command("rollback").await?;
            self.in_transaction = false;
            return Ok(());
        }
        let alive = within(self.limits.answer, self.connection.ping()).await;
        self.note(alive)
    }

    /// Whether a transaction is open.
    pub(in crate::store) fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Closes the connection with a goodbye, so that the server ends the session at once.
    pub(in crate::store) async fn close(self) {
        let _ = within(self.limits.close, self.connection.close()).await;
    }

    /// Applies the missing migrations. They may take any time, so a second session checks that this
    /// one still works. Processes take turns by a lock that names the schema: sqlx's own names only
    /// the database, and schemas of one database would wait for each other.
    pub(in crate::store) async fn migrate(
        mut self,
        with: &Migrator,
        options: &PgConnectOptions,
    ) -> Result<Self, MigrateError> {
        let own = self.fetch_optional("select pg_backend_pid()").await?.ok_or(sqlx::Error::RowNotFound)?.try_get(0)?;
        let (limits, connection) = (self.limits, &mut self.connection);
        let run = async {
            let lock = "select pg_advisory_lock($1, hashtext(current_schema()))";
            sqlx::query(lock).bind(LOCK).execute(&mut *connection).await?;
            let done = with.run_direct(None, &mut OneByOne(&mut *connection), false).await;
            let unlock = "select pg_advisory_unlock($1, hashtext(current_schema()))";
            sqlx::query(unlock).bind(LOCK).execute(connection).await?;
            done
        };
        tokio::select! {
            done = run => done?,
            lost = until_lost(options, limits, own) => return Err(lost.into()),
        }
        Ok(self)
    }

    async fn command(&mut self, command: &'static str) -> Result<(), sqlx::Error> {
        self.health = Health::Unsettled;
        let done = within(self.limits.answer, self.connection.execute(command)).await;
        self.note(done).map(drop)
    }

    pub(in crate::store) async fn fetch_many<'q, E>(
        &mut self,
        query: E,
    ) -> Result<Vec<Either<PgQueryResult, PgRow>>, sqlx::Error>
    where
        E: Execute<'q, Postgres> + 'q,
    {
        self.health = Health::Unsettled;
        let rows = within(self.limits.answer, self.connection.fetch_many(query).try_collect()).await;
        self.note(rows)
    }

    pub(in crate::store) async fn fetch_optional<'q, E>(&mut self, query: E) -> Result<Option<PgRow>, sqlx::Error>
    where
        E: Execute<'q, Postgres> + 'q,
    {
        self.health = Health::Unsettled;
        let row = within(self.limits.answer, self.connection.fetch_optional(query)).await;
        self.note(row)
    }

    pub(in crate::store) async fn prepare_with(
        &mut self,
        sql: SqlStr,
        parameters: &[PgTypeInfo],
    ) -> Result<PgStatement, sqlx::Error> {
        self.health = Health::Unsettled;
        let statement = within(self.limits.answer, self.connection.prepare_with(sql, parameters)).await;
        self.note(statement)
    }

    pub(in crate::store) async fn describe(&mut self, sql: SqlStr) -> Result<Describe<Postgres>, sqlx::Error> {
        self.health = Health::Unsettled;
        let description = within(self.limits.answer, self.connection.describe(sql)).await;
        self.note(description)
    }

    fn note<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        self.used = Instant::now();
        self.health = result.as_ref().err().map_or(Health::Sound, health_after);
        result
    }
}

/// Whether the connection failed rather than the statement, whose outcome is then unknown.
pub(in crate::store) fn is_of_the_way(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed)
}

/// What a session can be used for after a statement that failed.
fn health_after(error: &sqlx::Error) -> Health {
    if is_of_the_way(error) {
        return Health::Lost;
    }
    // Without an answer of the server, what we sent or read was wrong.
    let Some(answer) = error.as_database_error() else { return Health::Spoilt };
    let code = answer.code().unwrap_or_default();
    // The server stops, restarts, changed its role or takes no more writes. That affects every
    // session with it.
    if code.starts_with("57P") || code.starts_with("08") || code == "25006" {
        return Health::Lost;
    }
    // The session ends, or its prepared statements no longer fit the schema.
    let severity = answer.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
    let over = matches!(severity, Some(PgSeverity::Fatal | PgSeverity::Panic));
    if over || code.starts_with("0A") || code == "26000" { Health::Spoilt } else { Health::Sound }
}

async fn connect(options: &PgConnectOptions, refused: &mut Option<sqlx::Error>) -> Result<PgConnection, sqlx::Error> {
    let mut pause = Duration::from_millis(10);
    loop {
        match PgConnection::connect_with(options).await {
            Err(error) if is_coming_up(&error) => {
                *refused = Some(error);
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(500));
            }
            connected => return connected,
        }
    }
}

/// Whether the server may take a connection in a moment: it is starting, or has as many as it
/// takes.
fn is_coming_up(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("57P03" | "53300"))
        || matches!(error, sqlx::Error::Io(io) if io.kind() == io::ErrorKind::ConnectionRefused)
}

/// Returns when the session `backend` was inactive for several checks: it ended, its answer was
/// lost on the way, or the server is unreachable.
async fn until_lost(options: &PgConnectOptions, limits: Limits, backend: i32) -> sqlx::Error {
    let mut missed = 0;
    loop {
        sleep(WATCH).await;
        match is_at_work(options, limits, backend).await {
            Ok(true) => missed = 0,
            Ok(false) | Err(_) => missed += 1,
        }
        if missed == MISSED {
            return silent(WATCH * MISSED);
        }
    }
}

async fn is_at_work(options: &PgConnectOptions, limits: Limits, backend: i32) -> Result<bool, sqlx::Error> {
    let mut session = Session::open(options, limits).await?;
    let at_work = sqlx::query_scalar(
        "select exists (select from pg_stat_activity where pid = $1
             and (state = 'active' or state_change > now() - make_interval(secs => 5)))",
    );
    let at_work = at_work.bind(backend).fetch_one(&mut session).await?;
    session.close().await;
    Ok(at_work)
}

type Rows<'e> = stream::BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>;
type Answer<'e, T> = futures_util::future::BoxFuture<'e, Result<T, sqlx::Error>>;

/// For the statements of a transaction and for sessions beside the pool.
impl<'c> Executor<'c> for &'c mut Session {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Rows<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let rows = self.fetch_many(query);
        Box::pin(stream::once(rows).map_ok(|rows| stream::iter(rows).map(Ok)).try_flatten())
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Answer<'e, Option<PgRow>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(self.fetch_optional(query))
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> Answer<'e, PgStatement>
    where
        'c: 'e,
    {
        Box::pin(self.prepare_with(sql, parameters))
    }

    fn describe<'e>(self, sql: SqlStr) -> Answer<'e, Describe<Postgres>>
    where
        'c: 'e,
    {
        Box::pin(self.describe(sql))
    }
}
