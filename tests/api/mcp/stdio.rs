//! `stagegate mcp`: a program that forwards to a running service.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use stagegate::worker::watchers::Watchers;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::harness::parties::{Parties, text};
use crate::harness::process::command;
use crate::harness::receiver::{Received, Receiver, Reply};
use crate::harness::waiting::{PATIENCE, until};

use super::world::{Agent, is_marked};

/// A running `stagegate mcp`.
struct Program {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(url: &str, key: &str, arguments: &[&str]) -> Self {
        let mut command = command(&std::env::temp_dir());
        command.arg("mcp").args(arguments).env("STAGEGATE_URL", url).env("STAGEGATE_KEY", key);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = pipes.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
        Self { child, input, output }
    }

    async fn write(&mut self, line: &str) {
        self.input.write_all(line.as_bytes()).await.unwrap();
        self.input.write_all(b"\n").await.unwrap();
    }

    async fn read(&mut self) -> Value {
        let line = timeout(PATIENCE, self.output.next_line()).await.unwrap().unwrap();
        serde_json::from_str(&line.expect("an answer")).unwrap()
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.write(&json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params }).to_string()).await;
        let answer = self.read().await;
        assert_eq!(answer["id"], method, "{answer}");
        answer
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await["result"].clone()
    }

    async fn tools(&mut self) -> Vec<String> {
        let listed = self.ask("tools/list", json!({})).await;
        listed["result"]["tools"].as_array().unwrap().iter().map(|tool| text(&tool["name"])).collect()
    }

    /// Ends the input; the program must end well.
    async fn end(mut self) {
        drop(self.input);
        assert!(timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().success());
    }
}

/// The service on a socket; where it listens.
pub async fn served(parties: &Parties) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let limits = stagegate::http::serve::server::ConnectionLimits {
        max_connections: 100,
        header_timeout: Duration::from_secs(10),
        drain_timeout: Duration::from_secs(1),
    };
    let router = parties.service.router.clone();
    tokio::spawn(stagegate::http::serve::server::serve(listener, router, limits, std::future::pending()));
    url
}

#[tokio::test]
async fn an_agent_works_over_standard_input_and_output() {
    let parties = Parties::start().await;
    let (url, task) = (served(&parties).await, parties.open("brand-campaign").await);
    let worker = Agent::worker(&parties).await;
    let mut program = Program::start(&url, &worker.0.credential, &[]);
    let hello =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let initialized = program.ask("initialize", hello).await;
    assert_eq!(initialized["result"]["protocolVersion"], "2025-11-25");
    program.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string()).await;
    program.write("").await;
    assert_eq!(program.tools().await, worker.tools_in_order().await);
    let read = program.call("get_task", json!({ "task_id": task })).await;
    assert!(is_marked(&text(&read["content"][0]["text"])));
    let done = program.call("submit_work", json!({ "task_id": task, "summary": "A draft." })).await;
    assert_eq!(done["structuredContent"]["task"]["phase"], "in_review");
    let refused = program.call("get_task", json!({ "task_id": 7 })).await;
    assert_eq!((&refused["isError"], text(&refused["content"][0]["text"]).contains("/task_id")), (&json!(true), true));
    program.write("{").await;
    assert_eq!(program.read().await["error"]["code"], -32700);
    program.write(&"x".repeat((1 << 20) + 10)).await;
    assert_eq!(program.read().await["error"]["code"], -32700);
    // The modern lifecycle, through the same program.
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" }, "io.modelcontextprotocol/clientCapabilities": {} });
    let modern = program.ask("tools/call", json!({ "name": "list_tasks", "arguments": {}, "_meta": meta })).await;
    assert_eq!(modern["result"]["resultType"], "complete", "{modern}");
    let read = program.ask("resources/read", json!({ "uri": "stagegate://docs/skill", "_meta": meta })).await;
    assert!(text(&read["result"]["contents"][0]["text"]).starts_with("# "), "{read}");
    program.end().await;
}

#[tokio::test]
async fn it_decides_only_if_it_was_started_to() {
    let parties = Parties::start().await;
    let (url, task) = (served(&parties).await, parties.open_in_legal().await);
    let key = Agent::reviewer(&parties, "u-bo").await.0.credential;
    let vote = json!({ "task_id": task, "stage": "legal", "round": 1, "revision": 1 });
    let mut careful = Program::start(&url, &key, &[]);
    assert!(!careful.tools().await.iter().any(|tool| tool == "approve" || tool == "reject"));
    for tool in ["approve", "reject"] {
        let refused = careful.call(tool, vote.clone()).await;
        let problem: Value = serde_json::from_str(&text(&refused["content"][0]["text"])).unwrap();
        assert_eq!((&refused["isError"], &problem["code"]), (&json!(true), &json!("key_scope")));
    }
    careful.end().await;
    let mut reviewer = Program::start(&url, &key, &["--reviewer"]);
    assert!(reviewer.tools().await.contains(&"approve".to_owned()));
    let approved = reviewer.call("approve", vote).await;
    assert_eq!(approved["isError"], false, "{approved}");
    reviewer.end().await;
}

#[tokio::test]
async fn a_request_that_was_not_answered_is_sent_again_with_the_same_id() {
    let receiver = Receiver::start(Reply::Status(503)).await;
    let mut program = Program::start(&format!("http://{}", receiver.address), "ait_x", &[]);
    let refused = program.call("submit_work", json!({ "task_id": "t", "summary": "A draft." })).await;
    let problem: Value = serde_json::from_str(&text(&refused["content"][0]["text"])).unwrap();
    assert_eq!((&refused["isError"], &problem["code"]), (&json!(true), &json!("unavailable")));
    receiver.wait_for(4).await;
    let bodies: Vec<Value> = receiver.received().iter().map(Received::body).collect();
    let ids: Vec<&Value> = bodies.iter().map(|body| &body["params"]["arguments"]["id"]).collect();
    assert!(ids.len() == 4 && ids[0].is_string() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    program.end().await;
}

#[tokio::test]
async fn it_says_what_is_missing() {
    let mut program = Program::start("http://127.0.0.1:1", "", &[]);
    let mut said = String::new();
    program.child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
    assert!(said.contains("STAGEGATE_KEY"), "{said}");
    assert!(!program.child.wait().await.unwrap().success());
    let mut nobody = Program::start("http://127.0.0.1:1", "ait_x", &[]);
    let error = nobody.ask("tools/list", json!({})).await;
    assert_eq!(error["error"]["message"], "No service answers at http://127.0.0.1:1/mcp.", "{error}");
}

#[tokio::test]
async fn a_wait_can_be_cancelled_and_holds_up_nothing() {
    let parties = Parties::start().await;
    let (url, task, app) = (served(&parties).await, parties.open_in_legal().await, &parties.service.app);
    let watchers = Watchers::new(std::sync::Arc::clone(app));
    tokio::spawn(async move { watchers.run().await });
    let mut program = Program::start(&url, &Agent::worker(&parties).await.0.credential, &[]);
    let wait = json!({ "name": "wait", "arguments": { "task_id": task } });
    program.write(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": wait }).to_string()).await;
    until("one waits", async || app.statuses.watchers.count().0 > 0).await;
    // Another message overtakes it.
    assert!(!program.tools().await.is_empty());
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    program.write(&cancel.to_string()).await;
    until("nobody waits", async || app.statuses.watchers.count().0 == 0).await;
    program.end().await;
}
