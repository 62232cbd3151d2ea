//! The program itself, as a process.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use stagegate::embedded::Postgres;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub use rustix::process::Signal;

use super::database::scratch_options;
use super::waiting::PATIENCE;

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
        fetch(&format!("{url}/health"), None).await;
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
    run_within(PATIENCE, command).await
}

/// The same for a command that may take longer.
pub async fn run_within(limit: Duration, command: &mut Command) -> (bool, String) {
    let output = timeout(limit, command.stdin(Stdio::null()).kill_on_drop(true).output()).await.unwrap().unwrap();
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

/// Reads what the service prints until it names its address; it must name one.
pub async fn address(service: &mut Child) -> String {
    match try_address(service).await {
        Some(address) => address,
        None => panic!("it never listened: {}", errors(service).await),
    }
}

/// The same for one that may end before it listens.
pub async fn try_address(service: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(service.stdout.as_mut().unwrap()).lines();
    let named = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, address)) = line.split_once("listens on http://") {
                return Some(address.to_owned());
            }
        }
        None
    };
    timeout(PATIENCE, named).await.unwrap()
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
    signal(service.id().unwrap(), Signal::TERM);
    let status = timeout(PATIENCE, service.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}: {}", errors(service).await);
}

/// Sends a signal to a process.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// The body that a running service answers to a GET; the answer must be a success.
pub async fn fetch(url: &str, bearer: Option<&str>) -> String {
    let request = bearer.into_iter().fold(client(PATIENCE).get(url), reqwest::RequestBuilder::bearer_auth);
    request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
}

/// A client for a running service, each of whose requests may take this long.
pub fn client(patience: Duration) -> reqwest::Client {
    // Installed once for the process; another test may have done it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(patience).build().unwrap()
}

async fn errors(service: &mut Child) -> String {
    let mut errors = String::new();
    service.stderr.as_mut().unwrap().read_to_string(&mut errors).await.unwrap();
    errors
}
