//! How late deliveries are at endpoints that work, while other endpoints never answer or refuse
//! connections.
//!
//! The program runs as a process of its own with default settings, on a private Postgres. Clients
//! and receivers are in this process. Linux only, since memory is read from `/proc`. `README.md`
//! explains the numbers.

mod receiver;
mod service;
#[path = "../shared/mod.rs"]
mod shared;

use std::collections::HashMap;
use std::io::{Write as _, stdout};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use stagegate::embedded::Postgres;
use stagegate::ids;
use tokio::time::{interval, timeout};
use uuid::Uuid;

use self::receiver::{Delivery, Receiver};
use self::service::{Partner, Service};
use self::shared::connection::{Connection, message};
use self::shared::cpu::{self, Processes};
use self::shared::{DATABASE, Durability, Failure, Program, percentile};

/// Clients that share the commands.
const CLIENTS: usize = 8;
/// Votes on each task, after it was opened.
const VOTES: u32 = 4;
/// The goal for endpoints that work.
const PROMISE: Duration = Duration::from_secs(2);
/// How long nothing may arrive before the rest counts as lost: a lease and some more.
const PATIENCE: Duration = Duration::from_secs(45);

/// How late deliveries are at endpoints that work, beside dead ones.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Endpoints, 20 of each partner; each is sent all events of its partner's tasks.
    #[arg(long, default_value_t = 1000)]
    endpoints: usize,
    /// How many of a hundred are dead: every other one accepts the connection and never answers,
    /// the rest refuse it.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100))]
    dead: u8,
    /// Commands a second, for all partners together.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// The length of the measurement in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    #[command(flatten)]
    program: Program,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    shared::run(DATABASE, Durability::On, async |postgres| measure(&options, postgres).await)
}

async fn measure(options: &Options, postgres: &Postgres) -> Result<(), Failure> {
    let mut receiver = Receiver::start().await?;
    let service = Service::start(&postgres.url(DATABASE), options).await?;
    let partners = service.prepare(options, &receiver).await?;
    let live: usize = partners.iter().map(|partner| partner.live).sum();
    let mut out = stdout();
    writeln!(
        out,
        "{} endpoints of {} partners, {live} of them live; {} commands a second for {} s",
        options.endpoints,
        partners.len(),
        options.rate,
        options.seconds
    )?;
    let processes = Processes { service: service.process.pid(), postgres: cpu::postmaster(postgres.data_dir())? };
    let (before, unused) = (service.process.memory("VmRSS")?, processes.used()?);
    let caused = command(options, &service, &partners).await?;
    let events: u64 = caused.iter().map(Caused::events).sum();
    let expected: u64 = caused.iter().map(|caused| caused.events() * partners[caused.partner].live as u64).sum();
    writeln!(out, "{} commands made {events} events, so {expected} deliveries to live endpoints", caused.len())?;
    let (arrived, again) = arrivals(&mut receiver, expected).await?;
    let used = processes.used()?.since(unused);
    let late = lateness(&caused, &arrived);
    let missing = expected.saturating_sub(late.len() as u64);
    writeln!(out, "{} of them arrived, {missing} did not, {again} came again", late.len())?;
    let over = late.iter().filter(|time| **time > PROMISE).count();
    writeln!(
        out,
        "from a command's answer to an arrival, in ms: p50 {:.1}, p99 {:.1}, longest {:.1}; {over} took more than {} s",
        percentile(&late, 50),
        percentile(&late, 99),
        percentile(&late, 100),
        PROMISE.as_secs()
    )?;
    let each = |used: Duration| used.as_micros() / late.len().max(1) as u128;
    writeln!(
        out,
        "processor time in µs a delivery, commands and attempts at dead endpoints included: service {}, Postgres {}",
        each(used.service),
        each(used.postgres)
    )?;
    let (after, most) = (service.process.memory("VmRSS")?, service.process.memory("VmHWM")?);
    writeln!(out, "memory of the service: {before} KiB before, {after} KiB after, {most} KiB at the most")?;
    service.process.stop().await
}

/// A command that was accepted.
#[derive(Debug)]
struct Caused {
    partner: usize,
    task: Uuid,
    /// The `seq` of the first and of the last of its events.
    seqs: (u64, u64),
    answered: Instant,
}

impl Caused {
    fn events(&self) -> u64 {
        self.seqs.1 + 1 - self.seqs.0
    }
}

/// Sends commands at the requested rate, regardless of the deliveries.
async fn command(options: &Options, service: &Service, partners: &[Partner]) -> Result<Vec<Caused>, Failure> {
    let clients = CLIENTS.min(partners.len());
    let pace = Duration::from_secs(1) * u32::try_from(clients)? / options.rate;
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let sending = (0..clients).map(|client| async move {
        let mut connection = Connection::open(&service.process.address).await?;
        // Start the clients one after the other, not all at once.
        tokio::time::sleep(pace * u32::try_from(client)? / u32::try_from(clients)?).await;
        let (mut pace, mut caused) = (interval(pace), Vec::new());
        for partner in (client..partners.len()).step_by(clients).cycle() {
            let (task, mut version) = (ids::new(), 0);
            for number in 0..=VOTES {
                pace.tick().await;
                if Instant::now() >= until {
                    return Ok::<_, Failure>(caused);
                }
                let request = if number == 0 {
                    partners[partner].opening(task, service)
                } else {
                    partners[partner].vote(task, number)
                };
                let answer = connection.send(&request).await?;
                let answered = Instant::now();
                answer.expect(201)?;
                let body: Value = serde_json::from_slice(answer.body)?;
                // The version of the task, which a decision's answer contains.
                let now = body["version"].as_u64().or(body["task"]["version"].as_u64()).ok_or("no version")?;
                caused.push(Caused { partner, task, seqs: (version + 1, now), answered });
                version = now;
            }
        }
        Ok(caused)
    });
    Ok(futures_util::future::try_join_all(sending).await?.into_iter().flatten().collect())
}

/// Collects the deliveries that arrive and counts repeated ones, until all have come or nothing has
/// for a long time.
async fn arrivals(receiver: &mut Receiver, expected: u64) -> Result<(HashMap<Delivery, Instant>, u64), Failure> {
    let (mut first, mut again) = (HashMap::new(), 0);
    while (first.len() as u64) < expected {
        let Ok(arrival) = timeout(PATIENCE, receiver.next()).await else { break };
        let (delivery, at) = arrival?;
        again += u64::from(first.contains_key(&delivery));
        first.entry(delivery).or_insert(at);
    }
    Ok((first, again))
}

/// Returns how late each delivery was, sorted.
fn lateness(caused: &[Caused], arrived: &HashMap<Delivery, Instant>) -> Vec<Duration> {
    let answered: HashMap<(Uuid, u64), Instant> = caused
        .iter()
        .flat_map(|caused| (caused.seqs.0..=caused.seqs.1).map(|seq| ((caused.task, seq), caused.answered)))
        .collect();
    // A delivery can arrive before the command's answer.
    let late = |(delivery, at): (&Delivery, &Instant)| {
        Some(at.saturating_duration_since(*answered.get(&(delivery.task, delivery.seq))?))
    };
    let mut late: Vec<Duration> = arrived.iter().filter_map(late).collect();
    late.sort_unstable();
    late
}

impl Partner {
    fn opening(&self, task: Uuid, service: &Service) -> String {
        let opening = json!({ "id": task, "partner_id": self.id, "buyer_id": ids::new(), "workflow": { "key": "measured" },
            "title": "Spring campaign", "metadata": { "order": "A-1024" } });
        message("POST", "/api/v1/tasks", &service.platform_key, &opening.to_string())
    }

    /// A vote short of the quorum, by another reviewer than the vote before.
    fn vote(&self, task: Uuid, number: u32) -> String {
        let vote = json!({ "id": ids::new(), "type": "stage_approved", "stage": "stage-1", "round": 1, "revision": 0,
            "actor": { "id": format!("u-{}", number % 2), "name": "Anna K.", "role": "counsel" }, "note": "Read twice." });
        message("POST", &format!("/api/v1/tasks/{task}/events"), &self.key, &vote.to_string())
    }
}
