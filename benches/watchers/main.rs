//! What waiting for a status costs: the memory of each idle watcher, the statements while nothing
//! changes, and how soon a decision on one replica wakes a watcher on another.
//!
//! Two replicas of the program run as processes of their own on one private Postgres. The watchers
//! are sockets of this process. Linux only, since memory is read from `/proc`. `README.md` explains
//! the numbers.

use std::error::Error;
use std::fs;
use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use stagegate::embedded::{self, Postgres};
use stagegate::{config, ids};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// The name of the database.
const DATABASE: &str = "stagegate";
/// Watchers that start at the same time.
const AT_ONCE: usize = 100;
/// After this long, an idle session of Postgres has reported its statistics.
const STATISTICS: Duration = Duration::from_secs(11);
/// Clients that open tasks at the same time.
const OPENERS: usize = 8;
/// Connections besides those of the watchers.
const OTHERS: usize = 200;

type Failure = Box<dyn Error + Send + Sync>;

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
    /// Measures another build of the program, to compare.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_stagegate"))]
    program: PathBuf,
    /// Cargo passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// Server-sent events.
    Stream,
    /// `wait=55`; the measurement must end before that.
    Poll,
}

/// A replica.
struct Replica {
    child: Child,
    address: String,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&options))
}

async fn run(options: &Options) -> Result<(), Failure> {
    let place = embedded::Options {
        data_dir: std::env::temp_dir().join(format!("stagegate-bench_{}", hex::encode(ids::random::<6>()))),
        fetch_dir: config::default_data_dir(),
        bin_dir: config::postgres_bin_dir(),
        // Opening thousands of tasks is not part of the measurement.
        durable: false,
        ends_with_process: true,
    };
    let postgres = Postgres::start(&place, DATABASE).await?;
    let measured = measure(options, &postgres).await;
    postgres.stop().await?;
    measured
}

async fn measure(options: &Options, postgres: &Postgres) -> Result<(), Failure> {
    let key = hex::encode(ids::random::<24>());
    let url = postgres.url(DATABASE);
    let (one, other) = (Replica::start(&url, &key, options).await?, Replica::start(&url, &key, options).await?);
    let mut client = Client::open(&one.address, &key).await?;
    let partner = client.prepare().await?;
    let mut out = stdout();
    let tasks = open_tasks(&one.address, &key, &partner, options.tasks).await?;
    // Warm the caches and the allocator's arenas before the first look.
    let warm = watch_all(&one.address, &key, options.way, &tasks[..AT_ONCE.min(tasks.len())], AT_ONCE).await?;
    drop(warm);
    sleep(Duration::from_secs(2)).await;
    let before = one.memory()?;
    let began = Instant::now();
    let watching = watch_all(&one.address, &key, options.way, &tasks, options.watchers).await?;
    let (took, after) = (began.elapsed().as_secs_f64(), one.memory()?);
    let each = f64::from(i32::try_from(after - before)?) / f64::from(i32::try_from(options.watchers)?);
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
    let later = one.memory()?;
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
        waits.push(answered.elapsed().as_secs_f64() * 1000.0);
    }
    waits.sort_by(f64::total_cmp);
    let share =
        |percent: usize| waits.get((waits.len() * percent).div_ceil(100).max(1) - 1).copied().unwrap_or(f64::NAN);
    writeln!(
        out,
        "from a decision's answer on one replica to the event on the other: median {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        share(50),
        share(99),
        share(100)
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
    socket: BufReader<TcpStream>,
    key: String,
}

impl Client {
    async fn open(address: &str, key: &str) -> Result<Self, Failure> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket: BufReader::new(socket), key: key.to_owned() })
    }

    /// Creates a partner with a workflow, and its key.
    async fn prepare(&mut self) -> Result<String, Failure> {
        let partner = self.send("POST", "/api/v1/partners", &json!({ "name": "Partner" })).await?;
        let id = partner["id"].as_str().ok_or("no id")?.to_owned();
        let made = self.send("POST", &format!("/api/v1/partners/{id}/keys"), &Value::Null).await?;
        let platform = std::mem::replace(&mut self.key, made["key"].as_str().ok_or("no key")?.to_owned());
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
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{kind}content-length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        );
        self.socket.get_mut().write_all(request.as_bytes()).await?;
        let (mut status, mut length) = (String::new(), 0);
        self.socket.read_line(&mut status).await?;
        loop {
            let mut line = String::new();
            self.socket.read_line(&mut line).await?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.socket.read_exact(&mut answer).await?;
        let answer = String::from_utf8(answer)?;
        if status.contains(" 20") {
            Ok(serde_json::from_str(&answer)?)
        } else {
            Err(format!("{status}{answer}").into())
        }
    }
}

impl Replica {
    async fn start(url: &str, key: &str, options: &Options) -> Result<Self, Failure> {
        let mut child = Command::new(&options.program)
            .args(["serve", "--log", "warn", "--listen", "127.0.0.1:0"])
            .args(["--max-connections", &(options.watchers + OTHERS).to_string()])
            .args(["--max-watchers", &(options.watchers + OTHERS).to_string()])
            .args(["--max-watchers-each", &(options.watchers + OTHERS).to_string()])
            .env("DATABASE_URL", url)
            .env("STAGEGATE_PLATFORM_KEYS", key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("listens on http://") {
                return Ok(Self { child, address: address.to_owned() });
            }
        }
        Err("the service did not start".into())
    }

    /// The resident memory in KiB.
    fn memory(&self) -> Result<i64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id().ok_or("it ended")?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    async fn stop(mut self) -> Result<(), Failure> {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).ok_or("it ended")?;
        kill_process(pid, Signal::TERM)?;
        self.child.wait().await?;
        Ok(())
    }
}
