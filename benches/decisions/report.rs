//! Prints each round as it ends, then the medians.

use std::io::{Write as _, stdout};
use std::time::Duration;

use crate::Options;
use crate::client::{Kind, Load};
use crate::shared::cpu::Used;
use crate::shared::{self, Failure, percentile};

/// The measurements of one round.
#[derive(Debug)]
pub struct Round {
    /// The service's turn.
    pub load: Load,
    /// The processor time of that turn.
    pub used: Used,
    /// The service's memory after the turn, in MiB.
    pub resident: Option<f64>,
    /// The turn of `pgbench`.
    pub against: Option<Against>,
}

/// The result of `pgbench`.
#[derive(Clone, Copy, Debug)]
pub struct Against {
    /// Writes a second.
    pub per_second: f64,
    /// Processor time.
    pub used: Used,
    /// The number of its clients.
    pub width: usize,
}

/// One line of numbers.
#[derive(Clone, Copy, Debug)]
struct Line {
    per_second: f64,
    p50: f64,
    p99: f64,
    service_cpu: f64,
    postgres_cpu: f64,
    clients_cpu: f64,
    pgbench: f64,
    pgbench_postgres_cpu: f64,
    pgbench_cpu: f64,
    ratio: f64,
    cpu_ratio: f64,
    resident: f64,
}

/// Prints results as the rounds end.
#[derive(Debug)]
pub struct Report {
    seconds: f64,
    against: bool,
    lines: Vec<Line>,
    /// Decisions a second of the turns with more clients, divided by those of the turn before.
    goodputs: Vec<f64>,
}

impl Report {
    /// Prints what is about to be measured.
    pub fn new(options: &Options, major: u32, against: bool) -> Result<Self, Failure> {
        let Options { clients, rounds, seconds, .. } = options;
        let cores = std::thread::available_parallelism()?;
        writeln!(
            stdout(),
            "{clients} clients, {rounds} rounds of {seconds} s, PostgreSQL {major} with durability on, {cores} cores"
        )?;
        if !against && !options.alone {
            writeln!(stdout(), "No pgbench beside this Postgres: no ratio.")?;
        }
        Ok(Self { seconds: f64::from(u32::try_from(*seconds)?), against, lines: Vec::new(), goodputs: Vec::new() })
    }

    /// Prints the header for the rounds of `kind`.
    pub fn begin(&mut self, kind: Kind) -> Result<(), Failure> {
        let what = match kind {
            Kind::Vote => "A vote short of the quorum: 1 row of the trail",
            Kind::Advance => "An approval that moves the task on: 3 rows of the trail",
        };
        let names = [
            format!("{:>8} {:>10} {:>7} {:>7}", "", "decisions", "p50", "p99"),
            format!("{:>26}", "µs of CPU a decision"),
            format!("{:>10} {:>18} {:>6} {:>6}", "pgbench", "µs of CPU", "ratio", "ratio"),
        ];
        let units = [
            format!("{:>8} {:>10} {:>7} {:>7}", "round", "a second", "ms", "ms"),
            format!("{:>8} {:>8} {:>8}", "service", "postgres", "clients"),
            format!("{:>10} {:>9} {:>8} {:>6} {:>6}", "a second", "postgres", "pgbench", "", "of CPU"),
        ];
        let shown = if self.against { 3 } else { 2 };
        writeln!(stdout(), "\n{what}\n{}\n{}", names[..shown].join(" "), units[..shown].join(" "))?;
        Ok(())
    }

    /// Prints a round.
    pub fn add(&mut self, round: &Round) -> Result<(), Failure> {
        let line = Line::of(round, self.seconds);
        if let (true, Some(against)) = (self.lines.is_empty(), &round.against) {
            writeln!(stdout(), "pgbench with {} clients", against.width)?;
        }
        self.lines.push(line);
        self.print(&self.lines.len().to_string(), line)
    }

    /// Prints a turn with more clients, compared with the one before.
    pub fn add_overload(&mut self, load: &Load) -> Result<(), Failure> {
        let per_second = count(load.latencies.len()) / load.took.as_secs_f64();
        let goodput = per_second / self.lines.last().map_or(f64::NAN, |line| line.per_second);
        self.goodputs.push(goodput);
        writeln!(
            stdout(),
            "overload {per_second:>10.0} {:>7.1} {:>7.1}   {goodput:.2} of the turn before; refused {}, p50 {:.1} ms, p99 {:.1} ms",
            percentile(&load.latencies, 50),
            percentile(&load.latencies, 99),
            load.refusals.len(),
            percentile(&load.refusals, 50),
            percentile(&load.refusals, 99),
        )?;
        Ok(())
    }

    /// Prints the medians of the rounds.
    pub fn end(&mut self) -> Result<(), Failure> {
        let median = Line::median(&self.lines);
        self.print("median", median)?;
        let lowest = |number: fn(&Line) -> f64| self.lines.iter().map(number).fold(f64::INFINITY, f64::min);
        let highest = |number: fn(&Line) -> f64| self.lines.iter().map(number).fold(f64::NEG_INFINITY, f64::max);
        writeln!(stdout(), "memory of the service at most {:.0} MiB", highest(|line| line.resident))?;
        if self.against {
            let (low, high) = (lowest(|line| line.ratio), highest(|line| line.ratio));
            writeln!(stdout(), "ratio {low:.2} to {high:.2}")?;
        }
        if !self.goodputs.is_empty() {
            let goodput = shared::median(self.goodputs.iter().copied());
            writeln!(stdout(), "overloaded {goodput:.2} of the turn before (median)")?;
        }
        self.lines.clear();
        self.goodputs.clear();
        Ok(())
    }

    fn print(&self, name: &str, line: Line) -> Result<(), Failure> {
        let mut out = stdout();
        let Line { per_second, p50, p99, service_cpu, postgres_cpu, clients_cpu, .. } = line;
        write!(
            out,
            "{name:>8} {per_second:>10.0} {p50:>7.1} {p99:>7.1} {service_cpu:>8.0} {postgres_cpu:>8.0} {clients_cpu:>8.0}"
        )?;
        if self.against {
            let Line { pgbench, pgbench_postgres_cpu, pgbench_cpu, ratio, cpu_ratio, .. } = line;
            write!(
                out,
                " {pgbench:>10.0} {pgbench_postgres_cpu:>9.0} {pgbench_cpu:>8.0} {ratio:>6.2} {cpu_ratio:>6.2}"
            )?;
        }
        writeln!(out)?;
        Ok(())
    }
}

impl Line {
    fn of(round: &Round, seconds: f64) -> Self {
        let Round { load, used, resident, against } = round;
        let count = count(load.latencies.len());
        let per_second = count / load.took.as_secs_f64();
        let (pgbench, pgbench_used) =
            against.map_or((f64::NAN, Used::default()), |against| (against.per_second, against.used));
        let micros = |time: Duration, count: f64| time.as_secs_f64() * 1e6 / count;
        Self {
            per_second,
            p50: percentile(&load.latencies, 50),
            p99: percentile(&load.latencies, 99),
            service_cpu: micros(used.service, count),
            postgres_cpu: micros(used.postgres, count),
            clients_cpu: micros(used.clients, count),
            pgbench,
            pgbench_postgres_cpu: micros(pgbench_used.postgres, pgbench * seconds),
            pgbench_cpu: micros(pgbench_used.clients, pgbench * seconds),
            ratio: per_second / pgbench,
            cpu_ratio: micros(pgbench_used.total(), pgbench * seconds) / micros(used.total(), count),
            resident: resident.unwrap_or(f64::NAN),
        }
    }

    /// The median of each number separately.
    fn median(lines: &[Self]) -> Self {
        let of = |number: fn(&Self) -> f64| shared::median(lines.iter().map(number));
        Self {
            per_second: of(|line| line.per_second),
            p50: of(|line| line.p50),
            p99: of(|line| line.p99),
            service_cpu: of(|line| line.service_cpu),
            postgres_cpu: of(|line| line.postgres_cpu),
            clients_cpu: of(|line| line.clients_cpu),
            pgbench: of(|line| line.pgbench),
            pgbench_postgres_cpu: of(|line| line.pgbench_postgres_cpu),
            pgbench_cpu: of(|line| line.pgbench_cpu),
            ratio: of(|line| line.ratio),
            cpu_ratio: of(|line| line.cpu_ratio),
            resident: of(|line| line.resident),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds are exact in an f64")]
fn count(of: usize) -> f64 {
    of as f64
}
