//! The life cycle of the server: initialized once, started, adopted, recovered, stopped.
//!
//! Whether it runs is determined by connecting, never by its pid file, which survives a kill. After
//! a kill of the postmaster its orphaned children hold the data for a moment (2 s were observed),
//! so a start is retried for a while.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use super::binaries::Binaries;
use super::layout::{self, Layout, file_error};
use super::program::{command, output, tail};
use super::{Error, SUPERUSER, connect_options};

/// How long a failing start is retried.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// How long a server may report that it is starting or stopping.
const RECOVERY_PATIENCE: Duration = Duration::from_mins(2);

/// SQLSTATE `cannot_connect_now`: starting up, recovering or shutting down.
const CANNOT_CONNECT_NOW: &str = "57P03";

enum Answer {
    Ready,
    NotYet,
    Nobody,
}

/// Makes sure that the server runs; `true` if it already did. The caller holds the start lock.
pub async fn ensure_running(layout: &Layout, binaries: &Binaries, durable: bool) -> Result<bool, Error> {
    let begun = Instant::now();
    let mut found = true;
    loop {
        match ask(layout).await {
            Answer::Ready => return Ok(found),
            Answer::NotYet if begun.elapsed() < RECOVERY_PATIENCE => {}
            Answer::NotYet => return Err(start_error(layout, "it still reports that it is not ready".to_owned())),
            Answer::Nobody => {
                found = false;
                match launch(layout, binaries, durable).await {
                    Ok(()) => continue,
                    Err(Error::Program { output, .. }) if begun.elapsed() < START_PATIENCE => {
                        tracing::debug!(output, "Postgres did not start; trying again");
                    }
                    Err(Error::Program { output, .. }) => return Err(start_error(layout, output)),
                    Err(error) => return Err(error),
                }
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Stops the server: sessions are ended, committed data is kept.
pub async fn stop(layout: &Layout, binaries: &Binaries) -> Result<(), Error> {
    if matches!(ask(layout).await, Answer::Nobody) {
        return Ok(());
    }
    let mut stop = command(binaries.program("pg_ctl"), layout.user);
    stop.args(["stop", "-s", "-w", "-t", "60", "-m", "fast", "-D"]).arg(&layout.cluster);
    output(&mut stop).await.map(drop)
}

async fn ask(layout: &Layout) -> Answer {
    let options = connect_options(layout, SUPERUSER);
    match timeout(Duration::from_secs(5), PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => {
            // The server notices the end of the connection either way.
            let _ = connection.close().await;
            Answer::Ready
        }
        Ok(Err(sqlx::Error::Database(error))) if error.code().as_deref() == Some(CANNOT_CONNECT_NOW) => Answer::NotYet,
        // It refuses us for a reason of its own, such as too many sessions, so it runs.
        Ok(Err(sqlx::Error::Database(_))) => Answer::Ready,
        Ok(Err(_)) => Answer::Nobody,
        Err(_) => Answer::NotYet,
    }
}

async fn launch(layout: &Layout, binaries: &Binaries, durable: bool) -> Result<(), Error> {
    if layout.major().is_none() {
        init(layout, binaries, durable).await?;
    }
    configure(layout, durable)?;
    let mut start = command(binaries.program("pg_ctl"), layout.user);
    start.args(["start", "-s", "-w", "-t", "120", "-D"]).arg(&layout.cluster).arg("-l").arg(&layout.log);
    output(&mut start).await.map(drop)
}

/// Creates the cluster in a folder of another name first, so that one with the right name is always
/// complete.
async fn init(layout: &Layout, binaries: &Binaries, durable: bool) -> Result<(), Error> {
    let unfinished = layout.home.join("data.new");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(|source| file_error("removing", &unfinished, source))?;
    }
    let mut init = command(binaries.program("initdb"), layout.user);
    init.args(["--username", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-locale"]);
    if !durable {
        init.arg("--no-sync");
    }
    output(init.arg("--pgdata").arg(&unfinished)).await?;
    fs::rename(&unfinished, &layout.cluster).map_err(|source| file_error("renaming", &unfinished, source))
}

/// Writes the settings before every start, since the data directory may have been moved.
fn configure(layout: &Layout, durable: bool) -> Result<(), Error> {
    let path = layout.cluster.join("postgresql.auto.conf");
    // Overwritten in place, so that the file keeps its owner.
    fs::write(&path, settings(&layout.socket_dir, durable)).map_err(|source| file_error("writing", &path, source))
}

fn settings(socket_dir: &Path, durable: bool) -> String {
    let socket_dir = socket_dir.display().to_string().replace('\'', "''");
    let mut settings = format!(
        "# Written by stagegate at every start.\n\
         listen_addresses = ''\n\
         unix_socket_directories = '{socket_dir}'\n\
         unix_socket_permissions = 0700\n\
         port = {}\n\
         max_connections = 200\n\
         log_checkpoints = off\n",
        layout::PORT
    );
    if !durable {
        settings.push_str("fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n");
    }
    settings
}

fn start_error(layout: &Layout, why: String) -> Error {
    let log = fs::read(&layout.log).unwrap_or_default();
    Error::Start { why, log: tail(&String::from_utf8_lossy(&log), 20) }
}
