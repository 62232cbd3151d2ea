//! The commands that speak to a running service, and their settings.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

use crate::domain::values::time::Span;

use super::link::Link;
use super::remote::Remote;

/// Commands that speak to a running service.
#[derive(Clone, Debug, Subcommand)]
pub enum RemoteCommand {
    /// Submit work to a task: a new revision.
    Submit(Submit),
    /// Decide a stage or an escalation of a task.
    Decide(Box<Decide>),
    /// Show why a task waits, and what a person can do about it.
    Why(WhyArguments),
    /// Wait until a task's status changes.
    Wait(WaitArguments),
    /// Show the feed of events, and follow it.
    Tail(Tail),
    /// Simulate a workflow on a virtual clock. Nothing is stored.
    Simulate(Simulate),
    /// Show statistics of a workflow's closed tasks.
    Analytics(AnalyticsArguments),
    /// Make a link that lets a person in, or end links.
    Link(Box<Link>),
}

impl RemoteCommand {
    /// The service, and the credential for it.
    pub fn remote(&self) -> &Remote {
        match self {
            Self::Submit(settings) => &settings.remote,
            Self::Decide(settings) => &settings.remote,
            Self::Why(settings) => &settings.remote,
            Self::Wait(settings) => &settings.remote,
            Self::Tail(settings) => &settings.remote,
            Self::Simulate(settings) => &settings.remote,
            Self::Analytics(settings) => &settings.remote,
            Self::Link(settings) => &settings.remote,
        }
    }
}

/// What every command to a task has.
#[derive(Clone, Debug, Args)]
pub struct Sending {
    /// The person or program that acts, as the party names it. A buyer names none.
    #[arg(long, value_name = "ID")]
    pub actor: Option<String>,
    /// A note for the party's own people.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// The command's id. Running the same again with the same id has one effect. Default: a new one.
    #[arg(long, value_name = "UUID")]
    pub id: Option<Uuid>,
    /// Show what would happen. Nothing is stored.
    #[arg(long)]
    pub dry_run: bool,
}

/// Settings of `stagegate submit`.
#[derive(Clone, Debug, Args)]
pub struct Submit {
    /// The task.
    pub task: Uuid,
    /// A summary of the work. Required without `--file`.
    #[arg(long, value_name = "TEXT", required_unless_present = "files")]
    pub summary: Option<String>,
    /// A file of the work. Its name, size and SHA-256 are sent, never its content; `FILE=URL` adds
    /// where it can be fetched. Can be given several times.
    #[arg(id = "files", long = "file", value_name = "FILE[=URL]")]
    pub files: Vec<String>,
    /// An item of the feedback that the revision does what it asks for, such as 5.1. Can be given
    /// several times.
    #[arg(long = "done", value_name = "ITEM")]
    pub done: Vec<String>,
    /// An item that it does not, and why. Can be given several times.
    #[arg(long = "declined", value_name = "ITEM=TEXT")]
    pub declined: Vec<String>,
    /// What surrounds the command.
    #[command(flatten)]
    pub sending: Sending,
    /// The service.
    #[command(flatten)]
    pub remote: Remote,
}

/// A decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Verb {
    /// Approve the stage, or the stage of an escalation.
    Approve,
    /// Reject it, with feedback.
    Reject,
    /// Ask a party to decide; an escalation is passed on to it.
    Escalate,
    /// Give an escalation back to the reviewers.
    Return,
}

/// Settings of `stagegate decide`.
#[derive(Clone, Debug, Args)]
pub struct Decide {
    /// The task.
    pub task: Uuid,
    /// The decision.
    pub verb: Verb,
    /// The stage that is decided. Without stage, round and revision the task is read first, and the
    /// output says what was decided on.
    #[arg(long, value_name = "KEY")]
    pub stage: Option<String>,
    /// The round of the stage.
    #[arg(long, value_name = "N")]
    pub round: Option<u32>,
    /// The revision of the work.
    #[arg(long, value_name = "N")]
    pub revision: Option<u32>,
    /// `reject`: what is wrong in short; required. `approve`: remarks that do not block.
    #[arg(long, value_name = "TEXT", required_if_eq("verb", "reject"))]
    pub feedback: Option<String>,
    /// `reject`: one of the stage's reasons, by its key.
    #[arg(long, value_name = "KEY", requires = "feedback")]
    pub cause: Option<String>,
    /// `reject`: an item that must be mended. Can be given several times.
    #[arg(long = "blocking", value_name = "TEXT", requires = "feedback")]
    pub blocking: Vec<String>,
    /// An item that need not be. Can be given several times.
    #[arg(long = "could", value_name = "TEXT", requires = "feedback")]
    pub could: Vec<String>,
    /// The buyer may read the feedback.
    #[arg(long, requires = "feedback")]
    pub share: bool,
    /// `reject`: the stage to return to.
    #[arg(long, value_name = "KEY")]
    pub return_to: Option<String>,
    /// `escalate`: the party that must decide; required.
    #[arg(long, value_name = "PARTY", required_if_eq("verb", "escalate"))]
    pub to: Option<String>,
    /// `escalate`: the question; required. `return`: advice for the reviewers.
    #[arg(long, value_name = "TEXT", required_if_eq("verb", "escalate"))]
    pub reason: Option<String>,
    /// What surrounds the command.
    #[command(flatten)]
    pub sending: Sending,
    /// The service.
    #[command(flatten)]
    pub remote: Remote,
}

/// Settings of `stagegate why`.
#[derive(Clone, Debug, Args)]
pub struct WhyArguments {
    /// The task.
    pub task: Uuid,
    /// The person or program of the caller's party. A buyer names none.
    #[arg(long, value_name = "ID")]
    pub actor: Option<String>,
    /// The service.
    #[command(flatten)]
    pub remote: Remote,
}

/// Settings of `stagegate wait`.
#[derive(Clone, Debug, Args)]
pub struct WaitArguments {
    /// The task.
    pub task: Uuid,
    /// Wait for a status of another version than this. Default: the present one.
    #[arg(long, value_name = "VERSION")]
    pub after: Option<u64>,
    /// Wait for this phase, such as `in_review`, or for `end`. Counts at once if the task is there.
    #[arg(long, value_name = "PHASE", conflicts_with = "after")]
    pub until: Option<String>,
    /// How long to wait, such as PT5M; at most P30D.
    #[arg(long, default_value = "PT5M", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// The service.
    #[command(flatten)]
    pub remote: Remote,
}

/// Settings of `stagegate tail`.
#[derive(Clone, Debug, Args)]
pub struct Tail {
    /// Continue after this cursor, which `--json` prints with each event.
    #[arg(long, value_name = "CURSOR", conflicts_with_all = ["last", "all"])]
    pub after: Option<String>,
    /// Begin with the last events that exist.
    #[arg(long, default_value = "10", value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub last: u32,
    /// Begin with the first event.
    #[arg(long, conflicts_with = "last")]
    pub all: bool,
    /// Only events of this task.
    #[arg(long, value_name = "UUID")]
    pub task: Option<Uuid>,
    /// End with the events that exist, instead of waiting for new ones.
    #[arg(long)]
    pub no_follow: bool,
    /// The service.
    #[command(flatten)]
    pub remote: Remote,
}

/// Settings of `stagegate simulate`.
#[derive(Clone, Debug, Args)]
pub struct Simulate {
    /// The simulation in JSON, as for `POST /workflows/{key}/simulate`, or a definition alone; `-` is
    /// standard input.
    pub file: PathBuf,
    /// The registered workflow to run. Required unless the file has a definition.
    #[arg(long, value_name = "KEY")]
    pub workflow: Option<String>,
    /// Run timers until this time, such as 2026-12-24T08:00:00Z, instead of what the file says.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The service.
    #[command(flatten)]
    pub remote: Remote,
}

/// Settings of `stagegate analytics`.
#[derive(Clone, Debug, Args)]
pub struct AnalyticsArguments {
    /// The workflow's key.
    pub workflow: String,
    /// The version whose tasks are counted. Default: the latest.
    #[arg(long, value_name = "N")]
    pub version: Option<u32>,
    /// Count tasks that closed at this time or later, such as 2027-01-15T00:00:00Z. Default: 30 days before
    /// the end.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Count tasks that closed before this time. Default: now.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The partner whose workflow it is. Only for the platform, which names one.
    #[arg(long, value_name = "UUID")]
    pub partner_id: Option<Uuid>,
    /// The service.
    #[command(flatten)]
    pub remote: Remote,
}

/// Longest wait: 30 days.
const LONGEST_WAIT: Duration = Duration::from_hours(30 * 24);

fn duration(text: &str) -> Result<Duration, String> {
    let span = Span::parse(text).map_err(|error| error.to_string())?;
    let duration = Duration::from_secs(span.seconds().into());
    if duration <= LONGEST_WAIT { Ok(duration) } else { Err("must be at most P30D".to_owned()) }
}
