//! The official clients for Python and TypeScript, unmodified, over HTTP and over standard input and output.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::parties::Parties;
use crate::harness::process::run;
use crate::harness::settings::{node, setting};

use super::stdio::served;
use super::world::Agent;

/// The folder of the clients, which `ensure_mcp_clients` in `scripts/setup.sh` names; none if they are not installed.
fn clients() -> Option<PathBuf> {
    let folder = setting("STAGEGATE_TEST_MCP").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: the official clients of MCP are not installed");
    }
    folder
}

/// Lets a client work on a fresh task: what it saw.
async fn work(program: &Path, arguments: &[&str]) -> Value {
    let parties = Parties::start().await;
    let (url, task) = (served(&parties).await, parties.open("brand-campaign").await);
    let agent = Agent::worker(&parties).await;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mcp"));
    command.env("STAGEGATE_URL", url).env("STAGEGATE_KEY", &agent.0.credential).env("TASK", &task);
    command.env("STAGEGATE", env!("CARGO_BIN_EXE_stagegate"));
    command.env("MODULES", clients().unwrap());
    let (well, said) = run(&mut command).await;
    assert!(well, "{arguments:?}: {said}");
    assert_eq!(parties.task(&task).await["revision"], 1, "it was the real service");
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("{said}"))
}

/// What every client sees, whatever it speaks.
fn expected(protocol: &Value) -> Value {
    json!({
        "protocol": protocol,
        "server": "stagegate",
        "tools": ["list_tasks", "list_reviews", "get_task", "why", "wait", "submit_work", "post_update", "ask", "answer",
            "acknowledge_cancellation", "get_analytics"],
        "read_only": ["list_tasks", "list_reviews", "get_task", "why", "wait", "get_analytics"],
        "before": "preparing",
        "after": "in_review",
        "changed": true,
        "waits": true,
        "unable": "key_scope",
        "refused": "invalid_body",
        "skill": "# Working with Stagegate",
        "marked": true,
        "templates": 2,
    })
}

#[tokio::test]
async fn the_official_client_for_python_works() {
    let Some(folder) = clients() else { return };
    let python = folder.join("python/bin/python3");
    for (mode, transport, protocol) in [
        ("auto", "http", "2026-07-28"),
        ("legacy", "http", "2025-11-25"),
        ("auto", "stdio", "2026-07-28"),
        ("legacy", "stdio", "2025-11-25"),
    ] {
        let seen = work(&python, &["client.py", mode, transport]).await;
        assert_eq!(seen, expected(&json!(protocol)), "{mode} {transport}");
    }
}

#[tokio::test]
async fn the_official_client_for_typescript_works() {
    if clients().is_none() {
        return;
    }
    // Over stdio the client does not say which version it speaks.
    for (transport, protocol) in [("http", json!("2025-11-25")), ("stdio", Value::Null)] {
        let seen = work(Path::new(&node()), &["client.mjs", transport]).await;
        assert_eq!(seen, expected(&protocol), "{transport}");
    }
}
