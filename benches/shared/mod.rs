//! What the benchmarks share: the private Postgres, the options about the measured program, the
//! program as a process of its own, a client's connection, processor time, and percentiles.

#![allow(dead_code, reason = "each benchmark needs a part of it")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use stagegate::embedded::{self, Postgres};
use stagegate::{config, ids};

pub mod connection;
pub mod cpu;
pub mod pages;
pub mod process;

/// Why a benchmark stops.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The name of the database.
pub const DATABASE: &str = "stagegate";

// A doc comment here would replace the benchmark's own description in its help.
#[derive(Clone, Debug, clap::Args)]
pub struct Program {
    /// Measures another build of the program, to compare.
    #[arg(long = "program", default_value = env!("CARGO_BIN_EXE_stagegate"), value_name = "PROGRAM")]
    pub path: PathBuf,
    /// Shows the service's log, which is discarded otherwise.
    #[arg(long)]
    pub log: bool,
    /// Cargo passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Whether Postgres writes to the disk before it confirms a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    On,
    /// For benchmarks that measure no writes.
    Off,
}

/// Runs a measurement beside a private Postgres that has this database, and removes Postgres and
/// its data afterwards, even if the benchmark is interrupted.
pub fn run(
    database: &str,
    durability: Durability,
    measure: impl AsyncFnOnce(&Postgres) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // One thread for all clients, since they share the cores with what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let place = embedded::Options {
            // A folder that a server of another user can enter.
            data_dir: std::env::temp_dir().join(format!("stagegate-bench_{}", hex::encode(ids::random::<6>()))),
            fetch_dir: config::default_data_dir(),
            bin_dir: config::postgres_bin_dir(),
            durable: durability == Durability::On,
            ends_with_process: true,
        };
        let postgres = Postgres::start(&place, database).await?;
        let measured = measure(&postgres).await;
        postgres.stop().await?;
        measured
    })
}

/// The time in milliseconds that `percent` of these did not exceed; NaN if there are none.
pub fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// The value in the middle; NaN if there are none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
