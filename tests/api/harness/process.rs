//! The program itself, as a process.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use stagegate::embedded::Postgres;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::database::scratch_options;

/// How long a process may take for what it is asked.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A service on a private Postgres of its own, with the trial's credentials.
pub struct Trial {
    /// Where it listens.
    pub url: String,
    /// Where its database and its credentials are.
    pub data_dir: std::path::PathBuf,
    service: Child,
    // Started here, so that it ends with this process whatever happens; the service adopts it.
    postgres: Postgres,
}

impl Trial {
    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        let options = scratch_options();
        let postgres = Postgres::start(&options, "stagegate").await.unwrap();
        // Not a line for each request: nobody reads them, and a full pipe would stop it.
        let mut service = stagegate(&["serve", "--log", "warn", "--listen", "127.0.0.1:0"], &options.data_dir);
        let url = format!("http://{}", address(&mut service).await);
        // The address is said first, and connections wait until the trial is made.
        let health = ["--silent", "--fail", "--max-time", "60", &format!("{url}/health")];
        assert!(run(Command::new("curl").args(health)).await.0, "{url} does not answer");
        Self { url, data_dir: options.data_dir, service, postgres }
    }

    /// Runs the program with the trial's data directory: whether it succeeded, and what it said.
    pub async fn run(&self, arguments: &[&str]) -> (bool, String) {
        run(command(&self.data_dir).args(arguments)).await
    }

    /// Ends it.
    pub async fn stop(mut self) {
        terminate(&mut self.service).await;
        self.postgres.stop().await.unwrap();
    }
}

/// Runs a command to its end: whether it succeeded, and what it printed (what it complained about, too).
pub async fn run(command: &mut Command) -> (bool, String) {
    let output = timeout(PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output()).await.unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// The program, without the settings of whoever runs the tests.
pub fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stagegate"));
    command.env_remove("DATABASE_URL").env("STAGEGATE_DATA_DIR", data_dir);
    // No balancer has to notice the end of a test.
    command.env("STAGEGATE_DRAIN_DELAY", "0");
    command
}

/// The program as a running process.
pub fn stagegate(arguments: &[&str], data_dir: &Path) -> Child {
    stagegate_with(arguments, data_dir, &[])
}

/// The program as a running process, with these settings, too.
pub fn stagegate_with(arguments: &[&str], data_dir: &Path, environment: &[(&str, &str)]) -> Child {
    command(data_dir)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Reads what the service prints until it names its address.
pub async fn address(service: &mut Child) -> String {
    let mut lines = BufReader::new(service.stdout.as_mut().unwrap()).lines();
    let named = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, address)) = line.split_once("listens on http://") {
                return Some(address.to_owned());
            }
        }
        None
    };
    let named = timeout(PATIENCE, named).await.unwrap();
    match named {
        Some(address) => address,
        None => panic!("it never listened: {}", errors(service).await),
    }
}

/// Reads what the service prints until it names its address: where its metrics are, and where it listens.
pub async fn addresses(service: &mut Child) -> (String, String) {
    let mut lines = BufReader::new(service.stdout.as_mut().unwrap()).lines();
    let named = async {
        let mut metrics = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, address)) = line.split_once("shows metrics at http://") {
                address.trim_end_matches("/metrics").clone_into(&mut metrics);
            } else if let Some((_, address)) = line.split_once("listens on http://") {
                return Some((metrics, address.to_owned()));
            }
        }
        None
    };
    timeout(PATIENCE, named).await.unwrap().expect("it listens")
}

/// Asks the service to stop, and waits until it did.
pub async fn terminate(service: &mut Child) {
    let pid = service.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let status = timeout(PATIENCE, service.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}: {}", errors(service).await);
}

async fn errors(service: &mut Child) -> String {
    let mut errors = String::new();
    service.stderr.as_mut().unwrap().read_to_string(&mut errors).await.unwrap();
    errors
}
