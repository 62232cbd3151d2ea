//! The program as production runs it: a process of its own with default settings.

use std::fmt::Write as _;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::pages::PUBLIC_URL;
use super::{Failure, Program};

/// A running service.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// The address that it listens on.
    pub address: String,
    /// The address of its metrics; empty unless it was started with `--metrics-listen`.
    pub metrics: String,
}

/// The command that starts the service on this database. A benchmark adds what it needs.
pub fn command(program: &Program, database_url: &str, platform_key: &str) -> Command {
    let mut command = Command::new(&program.path);
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("DATABASE_URL", database_url)
        .env("STAGEGATE_PLATFORM_KEYS", platform_key)
        .env("STAGEGATE_PUBLIC_URL", PUBLIC_URL)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(if program.log { Stdio::inherit() } else { Stdio::null() })
        .kill_on_drop(true);
    command
}

impl Process {
    /// Starts the service and waits until it listens.
    pub async fn start(mut command: Command) -> Result<Self, Failure> {
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("its output is read here")?).lines();
        let (mut said, mut metrics) = (String::new(), String::new());
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("shows metrics at http://") {
                address.trim_end_matches("/metrics").clone_into(&mut metrics);
            }
            if let Some((_, address)) = line.split_once("listens on http://") {
                return Ok(Self { child, address: address.to_owned(), metrics });
            }
            writeln!(said, "{line}")?;
        }
        Err(format!("the service did not start (--log shows why): {said}").into())
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs until it is stopped")
    }

    /// Reads a value of its memory from `/proc`, such as `VmRSS`, in KiB.
    pub fn memory(&self, what: &str) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let value = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
        let value = value.ok_or_else(|| format!("no {what}"))?;
        Ok(value.trim().trim_end_matches(" kB").parse()?)
    }

    /// Stops the service and waits until it has ended.
    pub async fn stop(mut self) -> Result<(), Failure> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).ok_or("no process")?;
        kill_process(pid, Signal::TERM)?;
        let status = self.child.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("the service ended with {status}").into()) }
    }
}
