//! How fast timers that are due in the same second are handled, compared with the rate of ordinary
//! decisions in the same minute and on the same service; how the two affect each other; and how
//! late a timer fires when nothing else happens.
//!
//! Service, Postgres and clients are those of `../decisions`. `README.md` explains the numbers.

#[expect(dead_code, reason = "shared with the benchmark of decisions, which needs more of it")]
#[path = "../decisions/client.rs"]
mod client;
#[path = "../decisions/service.rs"]
mod service;
#[path = "../shared/mod.rs"]
mod shared;

use std::io::{Write as _, stdout};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use stagegate::clock::Clock;
use stagegate::embedded::Postgres;
use stagegate::ids;

use self::client::{Clients, Kind, Load};
use self::service::Service;
use self::shared::connection::{Connection, message};
use self::shared::{DATABASE, Durability, Failure, Program, median, percentile};

/// The openings a second that the benchmark plans with. All tasks must be open before the first is
/// due.
const SLOWEST: usize = 400;
/// Time for the steps between measurements.
const PAUSE: TimeDelta = TimeDelta::seconds(3);
/// Timers that are measured one by one. They become due within `SPREAD` seconds.
const LONE: usize = 300;
const SPREAD: usize = 15;

/// Timers handled a second, and their ratio to ordinary decisions.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Timers that are due in the same second, in each round.
    #[arg(long, default_value_t = 10_000)]
    timers: usize,
    /// The number of rounds, alternately with nothing else to do and beside decisions.
    #[arg(long, default_value_t = 6)]
    rounds: usize,
    /// Clients; each sends its next decision when the last is answered.
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// The seconds for which decisions alone are measured before each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Database connections of the service; unset: its default.
    #[arg(long)]
    pool_size: Option<u32>,
    #[command(flatten)]
    program: Program,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    shared::run(DATABASE, Durability::On, async |postgres| measure(&options, postgres).await)
}

async fn measure(options: &Options, postgres: &Postgres) -> Result<(), Failure> {
    let service = Service::start(&postgres.url(DATABASE), options).await?;
    let mut out = stdout();
    let Options { timers, clients: count, seconds, .. } = options;
    writeln!(out, "{timers} timers due at once, {count} clients, {seconds} s of decisions before each round")?;
    writeln!(
        out,
        "{:>7} {:>30} {:>16} {:>30} {:>12}",
        "", "decisions alone", "timers", "decisions meanwhile", "timers to decisions"
    )?;
    writeln!(
        out,
        "{:>7} {:>12} {:>8} {:>8} {:>16} {:>12} {:>8} {:>8} {:>6} {:>12}",
        "round", "a second", "p50 ms", "p99 ms", "a second", "a second", "p50 ms", "p99 ms", "alone", "meanwhile"
    )?;
    let (mut by_itself, mut beside) = (Vec::new(), Vec::new());
    for number in 0..options.rounds {
        let round = round(options, &service, number % 2 == 1).await?;
        writeln!(out, "{}", round.line(number + 1))?;
        if round.beside.is_some() { &mut beside } else { &mut by_itself }.push(round);
    }
    let ratio = |rounds: &[Round]| median(rounds.iter().map(|round| round.drained / per_second(&round.alone)));
    let meanwhile = median(beside.iter().filter_map(Round::meanwhile));
    writeln!(
        out,
        "medians: timers to decisions alone {:.2} with nothing else to do, {:.2} beside decisions; to decisions meanwhile {meanwhile:.2}",
        ratio(&by_itself),
        ratio(&beside)
    )?;
    lateness(&service, postgres).await?;
    service.process.stop().await
}

/// The measurements of one round.
struct Round {
    /// Decisions before anything was due.
    alone: Load,
    /// Timers handled a second.
    drained: f64,
    /// Decisions while timers were handled.
    beside: Option<Load>,
}

impl Round {
    /// Timers divided by decisions in the same time.
    fn meanwhile(&self) -> Option<f64> {
        self.beside.as_ref().map(|load| self.drained / per_second(load))
    }

    fn line(&self, number: usize) -> String {
        let load = |load: &Load| {
            format!(
                "{:>12.0} {:>8.1} {:>8.1}",
                per_second(load),
                percentile(&load.latencies, 50),
                percentile(&load.latencies, 99)
            )
        };
        let beside = self.beside.as_ref().map_or_else(|| format!("{:>30}", "-"), load);
        let meanwhile = self.meanwhile().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let ratio = self.drained / per_second(&self.alone);
        format!("{number:>7} {} {:>16.0} {beside} {ratio:>6.2} {meanwhile:>12}", load(&self.alone), self.drained)
    }
}

async fn round(options: &Options, service: &Service, busy: bool) -> Result<Round, Failure> {
    let before = fired(&mut Connection::open(&service.process.metrics).await?).await?;
    let wait = options.timers.div_ceil(SLOWEST) as u64 + options.seconds;
    let due = now() + TimeDelta::seconds(i64::try_from(wait)?) + PAUSE + PAUSE;
    open(service, options.clients, vec![due; options.timers]).await?;
    // As late as possible, since the service closes connections that are idle for a while.
    sleep_until(due - TimeDelta::seconds(i64::try_from(options.seconds)?) - PAUSE).await?;
    let mut clients: Clients = service.clients(Kind::Vote, options.clients);
    service.top_up(&mut clients).await?;
    let alone = clients.decide(Duration::from_secs(options.seconds)).await?;
    sleep_until(due).await?;
    let target = before + options.timers as u64;
    let (begun, address) = (Instant::now(), service.process.metrics.clone());
    let drained = tokio::spawn(async move {
        let mut connection = Connection::open(&address).await?;
        while fired(&mut connection).await? < target {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok::<_, Failure>(begun.elapsed())
    });
    let mut beside: Option<Load> = None;
    while busy && !drained.is_finished() {
        let load = clients.decide(Duration::from_millis(500)).await?;
        beside = Some(match beside {
            None => load,
            Some(mut all) => {
                all.took += load.took;
                all.latencies.extend(load.latencies);
                all
            }
        });
    }
    if let Some(load) = &mut beside {
        load.latencies.sort_unstable();
    }
    let took = drained.await??;
    Ok(Round { alone, drained: count(options.timers) / took.as_secs_f64(), beside })
}

async fn sleep_until(time: DateTime<Utc>) -> Result<(), Failure> {
    let left = (time - now()).to_std().map_err(|_| "the machine is too slow for so many timers")?;
    tokio::time::sleep(left).await;
    Ok(())
}

/// Opens a task for each of these deadlines.
async fn open(service: &Service, connections: usize, deadlines: Vec<DateTime<Utc>>) -> Result<(), Failure> {
    let mut opening = tokio::task::JoinSet::new();
    for part in deadlines.chunks(deadlines.len().div_ceil(connections)) {
        let (mut connection, key) = (Connection::open(&service.process.address).await?, service.platform_key.clone());
        let body = |deadline: &DateTime<Utc>| {
            json!({ "id": ids::new(), "partner_id": service.partner_id, "buyer_id": ids::new(), "workflow": { "key": "votes" },
                "title": "Spring campaign", "deadline_at": deadline })
            .to_string()
        };
        let bodies: Vec<String> = part.iter().map(body).collect();
        opening.spawn(async move {
            for body in bodies {
                connection.send(&message("POST", "/api/v1/tasks", &key, &body)).await?.expect(201)?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(opened) = opening.join_next().await {
        opened??;
    }
    Ok(())
}

/// Reads how many timers the service has handled.
async fn fired(connection: &mut Connection) -> Result<u64, Failure> {
    let answer = connection.send(&message("GET", "/metrics", "", "")).await?;
    answer.expect(200)?;
    let text = std::str::from_utf8(answer.body)?;
    let line = text.lines().find_map(|line| line.strip_prefix("stagegate_timers_fired_total "));
    Ok(line.ok_or("no count of timers in the metrics")?.trim().parse()?)
}

/// Measures how late timers fire that are due one after the other.
async fn lateness(service: &Service, postgres: &Postgres) -> Result<(), Failure> {
    let begin = now() + PAUSE + TimeDelta::seconds(1);
    let gap = TimeDelta::seconds(i64::try_from(SPREAD)?) / i32::try_from(LONE)?;
    let deadlines = (0..LONE).map(|number| begin + gap * i32::try_from(number).unwrap_or(0)).collect();
    let mut connection = Connection::open(&service.process.metrics).await?;
    let target = fired(&mut connection).await? + LONE as u64;
    open(service, 4, deadlines).await?;
    while fired(&mut connection).await? < target {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut database = PgConnection::connect_with(&postgres.connect_options(DATABASE)).await?;
    let late = "select percentile_disc(array[0, 0.5, 0.9, 0.99, 1]) within group (order by extract(epoch from updated_at - (state->>'deadline_at')::timestamptz)::float8 * 1000)
        from (select updated_at, state from tasks where phase = 'expired' order by opened_at desc limit $1) latest";
    let late: Vec<f64> = sqlx::query_scalar(late).bind(i64::try_from(LONE)?).fetch_one(&mut database).await?;
    database.close().await?;
    let [least, half, most, nearly, all] = late[..] else { return Err("no timers".into()) };
    writeln!(
        stdout(),
        "{LONE} timers in {SPREAD} s on an idle service fired so late, in ms: lowest {least:.1}, p50 {half:.1}, p90 {most:.1}, p99 {nearly:.1}, highest {all:.1}"
    )?;
    Ok(())
}

fn now() -> DateTime<Utc> {
    Clock::system().now().utc()
}

fn per_second(load: &Load) -> f64 {
    count(load.latencies.len()) / load.took.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few minutes are exact in an f64")]
fn count(of: usize) -> f64 {
    of as f64
}
