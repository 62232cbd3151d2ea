//! Settings of `stagegate dev`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::secret::Secret;
use super::serve::Serve;

/// Settings of `stagegate dev`: those of `serve`, and these.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(subcommand_negates_reqs = true)]
pub struct Dev {
    /// What to do; without a command: run the service.
    #[command(subcommand)]
    pub command: Option<DevCommand>,
    /// Settings of the service.
    #[command(flatten)]
    pub serve: Serve,
    /// Open the pages of the platform, the partner and the buyer in the browser.
    #[arg(long)]
    pub open: bool,
    /// Begin with an empty database and the machine's time.
    #[arg(long)]
    pub fresh: bool,
    /// Use the database that `DATABASE_URL` names. It must be one for this purpose: its trails get
    /// times that never were.
    #[arg(long, conflicts_with = "fresh")]
    pub use_database_url: bool,
    /// Listen on an address that other machines can reach.
    #[arg(long)]
    pub expose: bool,
}

/// What to do for developers.
#[derive(Clone, Debug, Subcommand)]
pub enum DevCommand {
    /// Play ten stories at an endpoint for webhooks and tell which it survived. Exit code: 0 all, 1
    /// not all, 2 nothing could be played.
    Check(DevCheck),
}

/// Settings of `stagegate dev check`.
#[derive(Clone, Debug, Args)]
pub struct DevCheck {
    /// URL of the endpoint. Private addresses and plain http are allowed.
    #[arg(long, value_name = "URL")]
    pub webhook: String,
    /// The secret that the endpoint verifies signatures with: `whsec_…`.
    #[arg(long, env = "STAGEGATE_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub secret: Secret,
    /// Seconds that an answer may take. The service itself waits 15.
    #[arg(long, default_value = "15", value_parser = seconds, value_name = "SECONDS")]
    pub within: Duration,
    /// Print the results as JSON.
    #[arg(long)]
    pub json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=15).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "an integer from 1 to 15".to_owned())
}

/// Why `stagegate dev` does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A server is configured.
    #[error(
        "DATABASE_URL names a server, and `stagegate dev` moves the clock of what it runs on: unset DATABASE_URL to get a private database, or pass --use-database-url if that database is meant for this"
    )]
    DatabaseUrl,
    /// Other machines could reach it.
    #[error(
        "{0} can be reached from other machines, which could then move the clock with the trial's key: listen on 127.0.0.1, or pass --expose"
    )]
    Reachable(SocketAddr),
    /// It would decide nothing.
    #[error("`stagegate dev` plays tasks, which a replica that only reads cannot: leave out STAGEGATE_READ_ONLY")]
    ReadOnly,
    /// Workers are turned off.
    #[error("`stagegate dev` runs the timers itself: leave out STAGEGATE_TIMERS")]
    Timers,
}

impl Dev {
    /// Checks that the settings are meant for a development service.
    ///
    /// # Errors
    ///
    /// When one of them looks like that of another service.
    pub fn check(&self) -> Result<(), Unfit> {
        if self.serve.database.url().is_some() && !self.use_database_url {
            return Err(Unfit::DatabaseUrl);
        }
        if !self.serve.listen.ip().is_loopback() && !self.expose {
            return Err(Unfit::Reachable(self.serve.listen));
        }
        if self.serve.read_only {
            return Err(Unfit::ReadOnly);
        }
        if !self.serve.timers {
            return Err(Unfit::Timers);
        }
        Ok(())
    }
}
