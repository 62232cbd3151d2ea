//! The commands that speak to a running service, for people at a terminal and for scripts.
//!
//! Each is made of calls of [`crate::client`]. What is printed comes from others, so all of it goes
//! through [`crate::terminal`]. `docs/command-line.md` documents the commands and the exit codes.

use std::process::ExitCode;

use tokio::signal::ctrl_c;

use crate::client::Stagegate;
use crate::config::{Remote, RemoteCommand, TrialParty};
use crate::trial;

use self::failure::Failure;
use self::output::Output;

mod analytics;
mod decide;
mod failure;
mod link;
mod output;
mod sending;
mod simulate;
mod submit;
mod tail;
mod wait;
mod why;

/// The exit code after Ctrl-C, as of a program that the signal ended.
const INTERRUPTED: u8 = 130;

/// Runs a command, prints its result or its failure, and returns the exit code. Ctrl-C ends it.
pub async fn run(command: &RemoteCommand) -> ExitCode {
    let mut out = Output::new(command.remote().json);
    let done = tokio::select! {
        done = start(command, &mut out) => Some(done),
        _ = ctrl_c() => None,
    };
    let (json, unknown) = (out.is_json(), out.unknown);
    // Clears its line of progress.
    drop(out);
    let code = match done {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(failure)) => failure.report(json),
        None => ExitCode::from(INTERRUPTED),
    };
    if let Some(id) = unknown {
        failure::report_unknown(id, json);
    }
    code
}

async fn start(command: &RemoteCommand, out: &mut Output) -> Result<(), Failure> {
    let client = client(command.remote())?;
    match command {
        RemoteCommand::Submit(settings) => submit::run(settings, &client, out).await,
        RemoteCommand::Decide(settings) => decide::run(settings, &client, out).await,
        RemoteCommand::Why(settings) => why::run(settings, &client, out).await,
        RemoteCommand::Wait(settings) => wait::run(settings, &client, out).await,
        RemoteCommand::Tail(settings) => tail::run(settings, client, out).await,
        RemoteCommand::Simulate(settings) => simulate::run(settings, &client, out).await,
        RemoteCommand::Analytics(settings) => analytics::run(settings, &client, out).await,
        RemoteCommand::Link(settings) => link::run(settings, &client, out).await,
    }
}

/// The client for the given service, with the given credential.
fn client(remote: &Remote) -> Result<Stagegate, Failure> {
    let credential = match (remote.party, remote.key()) {
        (Some(party), _) => of_trial(remote, party)?,
        (None, Some(key)) => key.expose().to_owned(),
        (None, None) => {
            let party = "--as PLATFORM, PARTNER or BUYER for the trial on this machine";
            return Err(Failure::Usage(format!("no credential: set STAGEGATE_KEY, or pass {party}")));
        }
    };
    let client = Stagegate::new(&remote.url, &credential)?;
    Ok(match remote.cell() {
        Some(cell) => client.with_cell(cell),
        None => client,
    })
}

fn of_trial(remote: &Remote, party: TrialParty) -> Result<String, Failure> {
    let data_dir = remote.data_dir();
    let none = |what: &str| {
        let start = "`stagegate serve` without DATABASE_URL starts one";
        Failure::Usage(format!("--as: {what} in {}: {start}", data_dir.display()))
    };
    let trial = trial::Credentials::load(&data_dir).map_err(|error| Failure::Usage(format!("--as: {error}")))?;
    let trial = trial.ok_or_else(|| none("no trial"))?;
    let secret = match party {
        TrialParty::Platform => trial.platform_key(),
        TrialParty::Partner => trial.partner().ok_or_else(|| none("no partner"))?.1,
        TrialParty::Buyer => trial.buyer_token(),
    };
    Ok(secret.expose().to_owned())
}
