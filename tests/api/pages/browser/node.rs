//! Node.js, which drives the browser and asks for what is to be done to the services: lines of JSON on
//! its standard output, answers on its standard input.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;
use stagegate::domain::values::time::Span;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than the limit that `main.mjs` sets a scenario.
const PATIENCE: Duration = Duration::from_mins(5);

/// What a scenario asks to be done to its service.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Start it.
    Start,
    /// Move its clock on, and do what is due.
    Advance {
        /// How far.
        by: Span,
    },
    /// Open a task of the demo.
    Open,
    /// Open one and bring it into legal review.
    OpenInLegal,
    /// Make a link to be clicked.
    Link {
        /// Whose it is.
        party: Party,
        /// Where it leads.
        to: LinkKind,
        /// The task, for those that lead to one.
        task: Option<String>,
        /// The id of the person; empty for the buyer.
        #[serde(default)]
        actor: String,
    },
    /// Send the webhooks that are due.
    Deliver,
    /// Stop it.
    Stop,
}

/// Who does it.
pub trait Host {
    /// Does it and gives the answer.
    async fn answer(&mut self, scenario: &str, request: Request) -> Value;
}

/// How a scenario ended.
#[derive(Debug, Deserialize)]
pub struct Outcome {
    /// How long it took.
    pub seconds: f64,
    /// The step, the error and the screenshots; `None` if it passed.
    pub failure: Option<String>,
}

/// A line of Node.js.
#[derive(Debug, Deserialize)]
struct Line {
    scenario: String,
    /// Only where something is asked.
    id: Option<u64>,
    #[serde(flatten)]
    rest: Value,
}

/// Runs `main.mjs` to its end: how each scenario ended.
pub async fn run(packages: &str, arguments: &[&str], host: &mut impl Host) -> BTreeMap<String, Outcome> {
    let mut node = Node::start(packages, arguments);
    let mut outcomes = BTreeMap::new();
    while let Some(line) = node.next_line().await {
        let Line { scenario, id, rest } =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        let Some(id) = id else {
            outcomes.insert(scenario, serde_json::from_value(rest).unwrap());
            continue;
        };
        let answer = match serde_json::from_value(rest) {
            Ok(request) => json!({ "id": id, "ok": host.answer(&scenario, request).await }),
            Err(error) => json!({ "id": id, "error": error.to_string() }),
        };
        node.write_line(&answer.to_string()).await;
    }
    node.end().await;
    outcomes
}

struct Node {
    process: Child,
    requests: tokio::io::Lines<BufReader<ChildStdout>>,
    answers: ChildStdin,
    errors: JoinHandle<String>,
}

impl Node {
    fn start(packages: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/main.mjs"))
            .args(arguments)
            .env("STAGEGATE_TEST_BROWSER", packages)
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let requests = BufReader::new(process.stdout.take().unwrap()).lines();
        let (answers, mut stderr) = (process.stdin.take().unwrap(), process.stderr.take().unwrap());
        let errors = tokio::spawn(async move {
            let mut text = String::new();
            stderr.read_to_string(&mut text).await.unwrap();
            text
        });
        Self { process, requests, answers, errors }
    }

    /// The next line; `None` at the end.
    async fn next_line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.requests.next_line()).await.expect("Node.js says nothing for minutes").unwrap()
    }

    async fn write_line(&mut self, line: &str) {
        // If it has ended meanwhile, its output ends too, and its errors are shown.
        let _ = self.answers.write_all(format!("{line}\n").as_bytes()).await;
    }

    /// Waits for its end, which must be a good one.
    async fn end(mut self) {
        let status = timeout(PATIENCE, self.process.wait()).await.unwrap().unwrap();
        let errors = timeout(PATIENCE, self.errors).await.unwrap().unwrap();
        assert!(status.success(), "Node.js: {status}\n{errors}");
    }
}
