//! All settings, each with a flag and an environment variable. This is the only module that reads
//! the environment.
//!
//! Secrets have the type [`Secret`], which hides them in `Debug`, `--help` and error messages.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

mod cell;
mod commands;
mod credentials;
mod database;
mod dev;
mod limits;
mod link;
mod log;
mod mcp;
mod public_url;
mod remote;
mod retention;
mod secret;
mod serve;
#[cfg(test)]
mod tests;
mod traces;

pub use cell::CellSetting;
pub use commands::{
    AnalyticsArguments, Decide, RemoteCommand, Sending, Simulate, Submit, Tail, Verb, WaitArguments, WhyArguments,
};
pub use credentials::{AuditKeys, Credentials};
pub use database::{Database, default_data_dir, postgres_bin_dir};
pub use dev::{Dev, DevCheck, DevCommand, Unfit};
pub use limits::ClientLimits;
pub use link::{Link, LinkCommand, NewLinkArguments, RevokeArguments};
pub use log::{Log, LogFormat};
pub use mcp::Mcp;
pub use public_url::{InvalidPublicUrl, PublicUrl};
pub use remote::{Remote, TrialParty};
pub use retention::Retention;
pub use secret::Secret;
pub use serve::{Contradiction, Serve, Webhooks};
pub use traces::{Traces, UnusableTraces};

/// Approval workflows for the `AITasker` marketplace: stages, decisions and a trail that proves
/// them.
#[derive(Clone, Debug, Parser)]
#[command(name = "stagegate", version, about)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
    /// Settings of the log.
    #[command(flatten)]
    pub log: Log,
}

/// The command to run.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the service.
    Serve(Box<Serve>),
    /// Run the service for development: with a clock to move, scripted reviewers and faults.
    Dev(Box<Dev>),
    /// Apply pending migrations to the database and exit.
    Migrate(Migrate),
    /// Ask the service of this machine whether it lives. Exit code: 0 if it does.
    Health(Health),
    /// Print the HTTP contract (`OpenAPI` 3.1).
    Openapi(Openapi),
    /// Print the credentials of a trial on the private database, or create new ones for production.
    Keys(Keys),
    /// Check workflow definitions.
    #[command(subcommand)]
    Workflow(Workflow),
    /// Verify audit trails.
    #[command(subcommand)]
    Audit(Audit),
    /// Play one task through the demo workflow of a running service.
    Demo(Demo),
    /// Open a task of the demo in a running trial, and print links to look at it in a browser as
    /// buyer, reviewer, partner and platform.
    Open(Demo),
    /// Give an agent the tools of a running service, over standard input and output.
    ///
    /// Speaks the Model Context Protocol, for clients that start a program, and forwards to the
    /// service. Clients that speak HTTP connect to `/mcp` of the service without it. See
    /// docs/mcp.md.
    Mcp(Mcp),
    /// Commands that speak to a running service.
    #[command(flatten)]
    Remote(RemoteCommand),
    /// Manage the private database.
    #[command(subcommand)]
    Db(Db),
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual pages, one for each command.
    Man {
        /// An existing directory, such as `~/.local/share/man/man1`.
        dir: PathBuf,
    },
}

/// Settings of `stagegate migrate`.
#[derive(Clone, Debug, Args)]
pub struct Migrate {
    /// Declare that the database was restored, from a dump or to an earlier time, or that a
    /// failover lost transactions. Readers of the feed then miss no event, and the log of trail
    /// heads continues. Run it once, before the service starts again.
    #[arg(long)]
    pub restored: bool,
    /// Print the SQL that makes a login for serving through a connection pooler, and do nothing else.
    #[arg(long, conflicts_with = "restored")]
    pub print_login: bool,
    /// Give a database that is in use the name in `STAGEGATE_CELL`, for good. One without partners
    /// gets it without this.
    #[arg(long, requires = "cell")]
    pub name_cell: bool,
    /// The cell.
    #[command(flatten)]
    pub cell: CellSetting,
    /// The database.
    #[command(flatten)]
    pub database: Database,
}

/// Settings of `stagegate health`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Health {
    /// Address that the service listens on.
    #[arg(long, env = "STAGEGATE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Ask whether it can serve (`/ready`), not only whether it lives (`/health`).
    #[arg(long)]
    pub ready: bool,
}

/// Settings of `stagegate openapi`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Openapi {
    /// Print JSON instead of YAML.
    #[arg(long)]
    pub json: bool,
}

/// Settings of `stagegate keys`.
#[derive(Clone, Debug, Args)]
pub struct Keys {
    /// Create a new platform key, a new secret for buyers' tokens and a new audit key, for the
    /// configuration of a production service.
    #[arg(long)]
    pub new: bool,
    /// With `--new`: the name of the audit key, which distinguishes your log from all others. Use a
    /// URL without its scheme, under a domain of yours.
    #[arg(long, default_value = "stagegate.invalid/audit", value_name = "NAME")]
    pub audit_name: String,
    /// The cell: the name of the audit key ends with it.
    #[command(flatten)]
    pub cell: CellSetting,
    /// The database: the directory of the private one holds the credentials.
    #[command(flatten)]
    pub database: Database,
}

/// Commands for workflow definitions.
#[derive(Clone, Debug, Subcommand)]
pub enum Workflow {
    /// Report all mistakes of a definition. Exit code: 0 valid, 1 mistakes, 2 not JSON.
    Check {
        /// The definition in JSON; `-` is standard input.
        file: PathBuf,
    },
}

/// Commands for audit trails.
#[derive(Clone, Debug, Subcommand)]
pub enum Audit {
    /// Verify a proof, an export, a receipt or a checkpoint, offline.
    ///
    /// Exit code 0, verified: a given key signed the contents of the file; of trails, up to the
    /// last entry of each. The holder of the key recorded these entries in this order, and the data
    /// shown is the data that was recorded. Exit code 3, consistent: hashes and commitments agree,
    /// but no given key vouches for all of the file, so its author may have forged it. Exit code 1:
    /// the file contradicts itself, the table of `stagegate audit fields`, a signature or a kept
    /// checkpoint. Exit code 2: a file cannot be read or has another form.
    ///
    /// No exit code proves that nothing was recorded after the last entry, or anything about data
    /// that is hidden from the party whose view the file shows.
    Verify {
        /// The response of `GET …/audit/proof`, `…/audit/export`,
        /// `…/receipt` or `/audit/checkpoint`; `-` is standard input.
        file: PathBuf,
        /// The public key as served by `/.well-known/stagegate-audit-key`: the line itself, or a
        /// file of such lines. Without a key the best result is "consistent".
        #[arg(long = "key", value_name = "LINE|FILE")]
        keys: Vec<String>,
        /// A checkpoint that you kept. The file must be proven against it.
        #[arg(long = "checkpoint", value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
        /// The response of `GET /audit/consistency`, which proves that a kept checkpoint and
        /// another one belong to the same log.
        #[arg(long, value_name = "FILE")]
        consistency: Vec<PathBuf>,
    },
    /// Print the fields of every type of entry, in order, and the parties that see them, as JSON. A
    /// verifier must require exactly these.
    Fields,
}

/// Settings of `stagegate demo` and `stagegate open`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// URL of the service.
    #[arg(long, env = "STAGEGATE_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub url: String,
    /// The database: the directory of the private one holds the credentials.
    #[command(flatten)]
    pub database: Database,
}

/// Commands for the private database.
#[derive(Clone, Debug, Subcommand)]
pub enum Db {
    /// Download the `PostgreSQL` programs now, for an image or a machine that will be offline, and
    /// print their directory.
    Fetch {
        /// The database.
        #[command(flatten)]
        database: Database,
    },
    /// Run a command with `DATABASE_URL` set to a fresh database that is removed afterwards. For
    /// development.
    #[command(hide = true)]
    Scratch {
        /// A directory of migrations to apply first.
        #[arg(long, value_name = "DIR")]
        migrations: Option<PathBuf>,
        /// The `PostgreSQL` programs.
        #[command(flatten)]
        database: Database,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        run: Vec<String>,
    },
}
