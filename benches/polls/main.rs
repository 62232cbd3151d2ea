//! How many polls of a status a second one release build serves, compared with a bare axum server
//! that sends the same bytes.
//!
//! Everything is private and on loopback: a Postgres, the program and the bare server as processes
//! of their own, and clients that poll again as soon as they are answered. `README.md` explains the
//! numbers.

mod client;
mod hello;
mod service;
#[path = "../shared/mod.rs"]
mod shared;
mod tasks;

use std::io::{Write as _, stdout};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use stagegate::embedded::Postgres;

use self::client::{Clients, Load};
use self::hello::Hello;
use self::service::Service;
use self::shared::cpu::{self, Processes};
use self::shared::{DATABASE, Durability, Failure, Program, percentile};

/// Polls a second of one release build, and their ratio to a bare axum server that sends the same
/// bytes.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Clients; each polls again when it is answered.
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// How often the service and the bare server take turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The length of each turn in seconds.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Measures only this way of polling.
    #[arg(long, value_enum)]
    way: Option<Way>,
    /// Measures only callers with this kind of credential.
    #[arg(long, value_enum)]
    by: Option<By>,
    /// The number of stored tasks.
    #[arg(long, default_value_t = 1_000_000)]
    tasks: u32,
    /// How many of them the ways with many tasks poll; all of them if fewer than 100,000 are
    /// stored.
    #[arg(long)]
    spread: Option<u32>,
    /// Keeps this many pages open and live.
    #[arg(long, default_value_t = 0)]
    pages: usize,
    #[command(flatten)]
    program: Program,
    /// Runs as the bare server: reads the answer to give from its standard input.
    #[arg(long, hide = true)]
    hello: bool,
}

impl Options {
    /// The number of tasks that the ways with many tasks poll.
    fn spread(&self) -> u32 {
        self.spread.unwrap_or(self.tasks.min(100_000))
    }

    /// Checks that enough tasks are stored for those that are polled.
    fn check(&self) -> Result<(), Failure> {
        let polled = u32::try_from(self.clients)?.max(self.spread());
        if polled > self.tasks {
            return Err(
                format!("{polled} tasks are polled, and {} stored: --tasks must be no fewer", self.tasks).into()
            );
        }
        Ok(())
    }
}

/// What is polled, and how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// One task for each client, unchanged: 304.
    Unchanged,
    /// The same with the body: 200.
    Body,
    /// Many tasks, unchanged.
    ManyUnchanged,
    /// Many tasks, with the body.
    ManyBody,
}

impl Way {
    const ALL: [Self; 4] = [Self::Unchanged, Self::Body, Self::ManyUnchanged, Self::ManyBody];

    fn is_unchanged(self) -> bool {
        matches!(self, Self::Unchanged | Self::ManyUnchanged)
    }

    fn is_many(self) -> bool {
        matches!(self, Self::ManyUnchanged | Self::ManyBody)
    }
}

/// The caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// A partner with its key.
    Partner,
    /// A buyer with a token.
    Buyer,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    if options.hello {
        return hello::serve();
    }
    options.check()?;
    // Durability is off, since only reading is measured.
    shared::run(DATABASE, Durability::Off, async |postgres| measure(&options, postgres).await)
}

async fn measure(options: &Options, postgres: &Postgres) -> Result<(), Failure> {
    let service = Service::start(&postgres.url(DATABASE), options).await?;
    tasks::fill(&postgres.connect_options(DATABASE), service.template, options.tasks).await?;
    let mut pages = service.pages(options.pages).await?;
    let mut out = stdout();
    writeln!(out, "PostgreSQL {}; {} clients, {} tasks stored", postgres.major(), options.clients, options.tasks)?;
    for by in [By::Partner, By::Buyer].into_iter().filter(|by| options.by.is_none_or(|only| only == *by)) {
        for way in Way::ALL.into_iter().filter(|way| options.way.is_none_or(|only| only == *way)) {
            compare(options, postgres, &service, (way, by)).await?;
        }
    }
    if options.pages > 0 {
        writeln!(out, "\n{} pages were open; they were shown {} times", options.pages, pages.shown()?)?;
    }
    service.process.stop().await
}

/// Runs turns of the service and of the bare server, one after the other, and prints their medians.
async fn compare(
    options: &Options,
    postgres: &Postgres,
    service: &Service,
    (way, by): (Way, By),
) -> Result<(), Failure> {
    let tasks = if way.is_many() { options.spread() } else { u32::try_from(options.clients)? };
    let every = (options.tasks / tasks).max(1);
    let request = client::request(service.credential(by), way.is_unchanged().then_some(service.version));
    let sample = client::sample(&service.process.address, &request, tasks::id(0)).await?;
    let hello = Hello::start(&sample).await?;
    let mut ours = Clients::connect(&service.process.address, options.clients).await?;
    let mut theirs = Clients::connect(&hello.address, options.clients).await?;
    let postmaster = cpu::postmaster(postgres.data_dir())?;
    let of = |service: u32| Processes { service, postgres: postmaster };
    let (mut out, mut rounds) = (stdout(), Vec::new());
    writeln!(out, "\n{way:?} by {by:?}: {} bytes in the answer", sample.len)?;
    if way.is_many() {
        // Poll each task once, as after a start, before the steady state is measured.
        let mut first = Vec::new();
        while ours.least_polled() < usize::try_from(tasks)?.div_ceil(options.clients) {
            let which = move |n: u32| tasks::id(n % tasks * every);
            let turn = Turn::take(
                &mut ours,
                of(service.process.pid()),
                Duration::from_secs(options.seconds),
                (&request, sample.status),
                which,
            )
            .await?;
            first.push(turn);
        }
        writeln!(out, "  each for the first time: {}", first[0])?;
    }
    for _ in 0..options.rounds {
        let (length, which) = (Duration::from_secs(options.seconds), move |n: u32| tasks::id(n % tasks * every));
        let one = Turn::take(&mut ours, of(service.process.pid()), length, (&request, sample.status), which).await?;
        let other = Turn::take(&mut theirs, of(hello.pid()), length, (&request, sample.status), which).await?;
        writeln!(out, "  {one}; bare: {other}; ratio {:.2}", one.rate / other.rate)?;
        rounds.push((one, other));
    }
    hello.stop().await?;
    let median = |value: &dyn Fn(&(Turn, Turn)) -> f64| shared::median(rounds.iter().map(value));
    writeln!(
        out,
        "  medians: {:.0} a second against {:.0}, ratio {:.2}; p50 {:.2} ms, p99 {:.2} ms against {:.2} ms, {:.2} ms; CPU {:.1} µs a poll \
         (Postgres {:.1}) against {:.1}, clients {:.1}; {} KiB resident",
        median(&|(ours, _)| ours.rate),
        median(&|(_, theirs)| theirs.rate),
        median(&|(ours, theirs)| ours.rate / theirs.rate),
        median(&|(ours, _)| ours.p50),
        median(&|(ours, _)| ours.p99),
        median(&|(_, theirs)| theirs.p50),
        median(&|(_, theirs)| theirs.p99),
        median(&|(ours, _)| ours.server),
        median(&|(ours, _)| ours.postgres),
        median(&|(_, theirs)| theirs.server),
        median(&|(ours, _)| ours.clients),
        service.process.memory("VmRSS")?,
    )?;
    Ok(())
}

/// The result of one server in one turn: a rate, times in milliseconds, and microseconds of
/// processor time a poll.
struct Turn {
    rate: f64,
    p50: f64,
    p99: f64,
    server: f64,
    postgres: f64,
    clients: f64,
}

impl Turn {
    async fn take(
        clients: &mut Clients,
        processes: Processes,
        length: Duration,
        what: (&str, u16),
        which: impl Fn(u32) -> uuid::Uuid + Copy + Send + 'static,
    ) -> Result<Self, Failure> {
        let before = processes.used()?;
        let Load { took, latencies } = clients.poll(length, what, which).await?;
        let used = processes.used()?.since(before);
        let count = f64::from(u32::try_from(latencies.len())?);
        let each = |used: Duration| used.as_secs_f64() * 1e6 / count;
        Ok(Self {
            rate: count / took.as_secs_f64(),
            p50: percentile(&latencies, 50),
            p99: percentile(&latencies, 99),
            server: each(used.service),
            postgres: each(used.postgres),
            clients: each(used.clients),
        })
    }
}

impl std::fmt::Display for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0} a second, p50 {:.2} ms, p99 {:.2} ms, CPU {:.1} µs, Postgres {:.1} µs, clients {:.1} µs",
            self.rate, self.p50, self.p99, self.server, self.postgres, self.clients
        )
    }
}
