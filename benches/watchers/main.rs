//! What waiting for a status costs: the memory of each idle watcher, the statements while nothing
//! changes, and how soon a decision on one replica wakes a watcher on another.
//!
//! Two replicas of the program run as processes of their own on one private Postgres. The watchers
//! are sockets of this process. Linux only, since memory is read from `/proc`. `README.md` explains
//! the numbers.

#[path = "../shared/mod.rs"]
mod shared;

use std::io::{Write as _, stdout};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use stagegate::embedded::Postgres;
use stagegate::ids;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

use self::shared::connection::{Connection, text};
use self::shared::process::{self, Process};
use self::shared::{DATABASE, Durability, Failure, Program, percentile};

/// Watchers that start at the same time.
const AT_ONCE: usize = 100;
/// After this long, an idle session of Postgres has reported its statistics.
const STATISTICS: Duration = Duration::from_secs(11);
/// Clients that open tasks at the same time.
const OPENERS: usize = 8;
/// Connections besides those of the watchers.
const OTHERS: usize = 200;

/// What waiting for a status costs, and how soon it ends.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Idle watchers.
    #[arg(long, default_value_t = 10_000)]
    watchers: usize,
    /// Tasks that they watch; each has the same number of watchers.
    #[arg(long, default_value_t = 10_000)]
    tasks: usize,
    /// How they wait.
    #[arg(long, value_enum, default_value_t = Way::Stream)]
    way: Way,
    /// The seconds for which nothing changes while statements are counted.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Decisions that wake a watcher on the other replica, one after the other.
    #[arg(long, default_value_t = 300)]
    wakes: usize,
    #[command(flatten)]
    program: Program,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// Server-sent events.
    Stream,
    /// `wait=55`; the measurement must end before that.
    Poll,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    // Durability is off, since opening thousands of tasks is not part of the measurement.
    shared::run(DATABASE, Durability::Off, async |postgres| measure(&options, postgres).await)
}

async fn measure(options: &Options, postgres: &Postgres) -> Result<(), Failure> {
    let key = hex::encode(ids::random::<24>());
    let url = postgres.url(DATABASE);
    let (one, other) = (start(&url, &key, options).await?, start(&url, &key, options).await?);
    let mut client = Client::open(&one.address, &key).await?;
    let partner = client.prepare().await?;
    let mut out = stdout();
    let tasks = open_tasks(&one.address, &key, &partner, options.tasks).await?;
    // Warm the caches and the allocator's arenas before the first look.
    let warm = watch_all(&one.address, &key, options.way, &tasks[..AT_ONCE.min(tasks.len())], AT_ONCE).await?;
    drop(warm);
    sleep(Duration::from_secs(2)).await;
    let before = one.memory("VmRSS")?;
    let began = Instant::now();
    let watching = watch_all(&one.address, &key, options.way, &tasks, options.watchers).await?;
    let (took, after) = (began.elapsed().as_secs_f64(), one.memory("VmRSS")?);
    let each = (f64::from(u32::try_from(after)?) - f64::from(u32::try_from(before)?))
        / f64::from(i32::try_from(options.watchers)?);
    writeln!(
        out,
        "{} watchers of {} tasks by {:?}, begun in {took:.1} s",
        options.watchers, options.tasks, options.way
    )?;
    writeln!(out, "memory of the replica: {before} KiB before, {after} KiB after, {each:.2} KiB a watcher")?;

    let mut database = PgConnection::connect_with(&postgres.connect_options(DATABASE)).await?;
    sleep(STATISTICS).await;
    let from = transactions(&mut database).await?;
    sleep(Duration::from_secs(options.seconds)).await;
    let count = transactions(&mut database).await? - from;
    let later = one.memory("VmRSS")?;
    let seconds = options.seconds;
    writeln!(out, "{count} transactions of both replicas in {seconds} s with nothing to do; then {later} KiB")?;

    let mut waits = Vec::with_capacity(options.wakes);
    let task = &tasks[0];
    // The earlier connection was idle for too long.
    let mut client = Client::open(&one.address, &key).await?;
    let mut watcher = Watching::begin(&other.address, &key, Way::Stream, task).await?;
    watcher.event().await?;
    for number in 0..options.wakes {
        client.update(task, &number.to_string()).await?;
        let answered = Instant::now();
        watcher.event().await?;
        waits.push(answered.elapsed());
    }
    waits.sort_unstable();
    writeln!(
        out,
        "from a decision's answer on one replica to the event on the other: median {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        percentile(&waits, 50),
        percentile(&waits, 99),
        percentile(&waits, 100)
    )?;
    drop(watching);
    one.stop().await?;
    other.stop().await
}

/// Opens this many tasks, with several clients at a time.
async fn open_tasks(address: &str, key: &str, partner: &str, count: usize) -> Result<Vec<String>, Failure> {
    let parts = (0..OPENERS).map(|part| async move {
        let mut client = Client::open(address, key).await?;
        let mut tasks = Vec::new();
        for _ in (part..count).step_by(OPENERS) {
            tasks.push(client.open_task(partner).await?);
        }
        Ok::<_, Failure>(tasks)
    });
    Ok(futures_util::future::try_join_all(parts).await?.concat())
}

/// Counts transactions. Statements are transactions of their own here.
async fn transactions(database: &mut PgConnection) -> Result<i64, Failure> {
    let count = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()";
    Ok(sqlx::query_scalar(count).fetch_one(database).await?)
}

async fn watch_all(
    address: &str,
    key: &str,
    way: Way,
    tasks: &[String],
    count: usize,
) -> Result<Vec<Watching>, Failure> {
    let mut watching = Vec::with_capacity(count);
    while watching.len() < count {
        let from = watching.len();
        let batch =
            (from..count.min(from + AT_ONCE)).map(|at| Watching::begin(address, key, way, &tasks[at % tasks.len()]));
        watching.extend(futures_util::future::try_join_all(batch).await?);
        // When this one is answered, those before it have been accepted. The system would reject
        // more at a time.
        Client::open(address, key).await?.send("GET", "/health", &Value::Null).await?;
    }
    Ok(watching)
}

/// A socket on which a watcher waits.
struct Watching(BufReader<TcpStream>);

impl Watching {
    /// Returns when the watcher waits: for a stream, when its head has come. A long poll gives no
    /// such sign, so sending it must do.
    async fn begin(address: &str, key: &str, way: Way, task: &str) -> Result<Self, Failure> {
        // A small buffer, since there are thousands of them.
        let mut socket = BufReader::with_capacity(1024, TcpStream::connect(address).await?);
        let (path, header) = match way {
            Way::Stream => ("status/stream", "accept: text/event-stream"),
            Way::Poll => ("status?wait=55", "if-none-match: *"),
        };
        let request = format!(
            "GET /api/v1/tasks/{task}/{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{header}\r\n\r\n"
        );
        socket.get_mut().write_all(request.as_bytes()).await?;
        let mut watching = Self(socket);
        if way == Way::Stream {
            watching.line("HTTP/1.1 200").await?;
        }
        Ok(watching)
    }

    async fn event(&mut self) -> Result<(), Failure> {
        self.line("data: ").await
    }

    async fn line(&mut self, beginning: &str) -> Result<(), Failure> {
        let mut line = String::new();
        while !line.starts_with(beginning) {
            line.clear();
            if self.0.read_line(&mut line).await? == 0 {
                return Err("a watcher's connection was closed".into());
            }
        }
        Ok(())
    }
}

/// A keep-alive connection for requests that write.
struct Client {
    connection: Connection,
    key: String,
}

impl Client {
    async fn open(address: &str, key: &str) -> Result<Self, Failure> {
        Ok(Self { connection: Connection::open(address).await?, key: key.to_owned() })
    }

    /// Creates a partner with a workflow, and its key.
    async fn prepare(&mut self) -> Result<String, Failure> {
        let partner = self.send("POST", "/api/v1/partners", &json!({ "name": "Partner" })).await?;
        let id = text(&partner, "id")?;
        let made = self.send("POST", &format!("/api/v1/partners/{id}/keys"), &Value::Null).await?;
        let platform = std::mem::replace(&mut self.key, text(&made, "key")?);
        let workflow = json!({ "name": "Watched", "stages": [
            { "key": "copy", "name": "Copy review", "buyer_label": "Copy is being reviewed" },
            { "key": "legal", "name": "Legal review", "buyer_label": "In legal review" },
            { "key": "signoff", "name": "Sign-off", "buyer_label": "Awaiting your approval", "reviewer": "platform" }] });
        self.send("PUT", "/api/v1/workflows/watched", &workflow).await?;
        self.key = platform;
        Ok(id)
    }

    async fn open_task(&mut self, partner: &str) -> Result<String, Failure> {
        let id = ids::new().to_string();
        let opening = json!({ "id": id, "partner_id": partner, "buyer_id": ids::new(), "workflow": { "key": "watched" }, "title": "Watched" });
        self.send("POST", "/api/v1/tasks", &opening).await?;
        Ok(id)
    }

    /// Makes a change that the buyer can read.
    async fn update(&mut self, task: &str, reason: &str) -> Result<(), Failure> {
        // Every other one ends what the one before started, so they can go on without end.
        let is_hold = reason.parse::<usize>()?.is_multiple_of(2);
        let command = if is_hold { json!({ "type": "held", "reason": reason }) } else { json!({ "type": "resumed" }) };
        self.send("POST", &format!("/api/v1/tasks/{task}/events"), &command).await?;
        Ok(())
    }

    async fn send(&mut self, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        self.connection.call(method, path, &self.key, body).await
    }
}

/// Starts a replica that takes as many watchers as are needed.
async fn start(url: &str, key: &str, options: &Options) -> Result<Process, Failure> {
    let most = (options.watchers + OTHERS).to_string();
    let mut command = process::command(&options.program, url, key);
    command.args(["--log", "warn", "--max-connections", &most, "--max-watchers", &most, "--max-watchers-each", &most]);
    Process::start(command).await
}
