//! How many decisions a second one release build serves, compared with what `pgbench` reaches when
//! it sends one statement for each that writes the same.
//!
//! Everything is private and on loopback: a Postgres with durability on, the program as a process
//! of its own with default settings, and clients that send the next decision as soon as the last is
//! answered. `README.md` explains the numbers.

mod audience;
mod client;
mod fill;
mod reference;
mod report;
mod service;
#[path = "../shared/mod.rs"]
mod shared;

use std::io::{Write as _, stdout};
use std::time::Duration;

use clap::Parser;
use stagegate::embedded::Postgres;

use self::audience::Audience;
use self::client::{Clients, Kind};
use self::reference::Reference;
use self::report::{Against, Report, Round};
use self::service::Service;
use self::shared::cpu::{self, Processes};
use self::shared::{DATABASE, Durability, Failure, Program};

/// Decisions a second of one release build, and their ratio to `pgbench` with one statement for
/// each.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Clients; each sends its next decision when the last is answered.
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// How often service and `pgbench` take turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The length of each turn in seconds.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Database connections of the service; unset: its default.
    #[arg(long)]
    pool_size: Option<u32>,
    /// After each turn, runs another with this many times the clients.
    #[arg(long, value_name = "TIMES")]
    overload: Option<usize>,
    /// After this many of a hundred decisions, sends the same command again, with the same id and
    /// body.
    #[arg(long, default_value_t = 0, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    repeated: u8,
    /// Stores this many events before anything is measured.
    #[arg(long, default_value_t = 0, value_name = "EVENTS")]
    stored: i64,
    /// Keeps this many pages open and live.
    #[arg(long, default_value_t = 0)]
    pages: usize,
    /// How often each page's task gets a vote besides those that are measured; 0: the pages are about the tasks
    /// that are decided.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    page_news: u64,
    /// Measures only this kind of decision.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Leaves `pgbench` out.
    #[arg(long)]
    alone: bool,
    #[command(flatten)]
    program: Program,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    shared::run(DATABASE, Durability::On, async |postgres| measure(&options, postgres).await)
}

async fn measure(options: &Options, postgres: &Postgres) -> Result<(), Failure> {
    let service = Service::start(&postgres.url(DATABASE), options).await?;
    let reference = if options.alone { None } else { Reference::prepare(postgres, DATABASE) };
    let processes = Processes { service: service.process.pid(), postgres: cpu::postmaster(postgres.data_dir())? };
    let mut report = Report::new(options, postgres.major(), reference.is_some())?;
    if options.stored > 0 {
        fill::fill(&service, &postgres.connect_options(DATABASE), options.stored).await?;
    }
    for kind in Kind::ALL.into_iter().filter(|kind| options.kind.is_none_or(|only| only == *kind)) {
        let mut clients = service.clients(kind, options.clients).repeating(options.repeated);
        let mut crowd =
            options.overload.map(|times| service.clients(kind, options.clients * times).repeating(options.repeated));
        report.begin(kind)?;
        service.top_up(&mut clients).await?;
        let mut audience = Audience::gather(&service, &clients, options).await?;
        let mut against = None;
        for _ in 0..options.rounds {
            service.top_up(&mut clients).await?;
            let round = turn(options, &mut clients, processes, reference.as_ref().map(|it| (it, &mut against))).await?;
            report.add(&round)?;
            if let Some(crowd) = &mut crowd {
                service.top_up(crowd).await?;
                report.add_overload(&crowd.decide(Duration::from_secs(options.seconds)).await?)?;
            }
        }
        report.end()?;
        if options.pages > 0 {
            let shown = audience.shown()?;
            writeln!(stdout(), "{} pages were open; they have shown something new {shown} times", options.pages)?;
        }
    }
    service.process.stop().await
}

/// One turn of the service, then one of `pgbench`.
async fn turn(
    options: &Options,
    clients: &mut Clients,
    processes: Processes,
    reference: Option<(&Reference, &mut Option<usize>)>,
) -> Result<Round, Failure> {
    let before = processes.used()?;
    let load = clients.decide(Duration::from_secs(options.seconds)).await?;
    let used = processes.used()?.since(before);
    if !load.refusals.is_empty() {
        return Err(format!("{} decisions were refused under the ordinary load", load.refusals.len()).into());
    }
    let resident = processes.resident();
    let Some((reference, width)) = reference else { return Ok(Round { load, used, resident, against: None }) };
    let sample = reference.sample(clients.decided_task()).await?;
    let width = match *width {
        Some(width) => width,
        // One against one client; otherwise `pgbench` gets the number that is best for it.
        None if options.clients == 1 => *width.insert(1),
        None => *width.insert(reference.best_width(&sample, options.seconds).await?),
    };
    let before = processes.used()?;
    let per_second = reference.run(&sample, width, options.seconds).await?;
    let against = Against { per_second, used: processes.used()?.since(before), width };
    Ok(Round { load, used, resident, against: Some(against) })
}
