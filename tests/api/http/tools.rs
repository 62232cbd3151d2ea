//! Tools of others on the contract: a linter reads it, and schemathesis tries the running service against it, with
//! the credentials of all three parties.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use stagegate::http::openapi;
use tokio::process::Command;

use crate::harness::process::{Trial, run_within};
use crate::harness::settings::setting;

/// How long a tool may take.
const LIMIT: Duration = Duration::from_mins(8);

/// How long schemathesis looks for failures, in seconds.
const BUDGET: &str = "100";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract")
}

#[tokio::test]
async fn the_linter_has_nothing_to_say() {
    let Some(linter) = setting("STAGEGATE_TEST_LINTER") else {
        eprintln!("skipped: there is no @redocly/cli here; ./test installs it with npm");
        return;
    };
    let scratch = std::env::temp_dir().join(format!("stagegate-contract-{}", std::process::id()));
    fs::create_dir_all(&scratch).unwrap();
    for (name, contract) in [("3.1.json", openapi::document().clone()), ("3.0.json", openapi::document().in_3_0())] {
        let file = scratch.join(name);
        fs::write(&file, contract.to_json().unwrap()).unwrap();
        let mut command = Command::new("node");
        command
            .arg(&linter)
            .args(["lint", "--format=codeframe", "--config"])
            .arg(folder().join("redocly.yaml"))
            .arg(&file);
        let (well, said) = run_within(LIMIT, &mut command).await;
        assert!(well && !said.contains("Warning was generated"), "{name}: {said}");
    }
    fs::remove_dir_all(&scratch).unwrap();
}

#[test]
fn what_schemathesis_makes_exceptions_for_exists() {
    let settings = fs::read_to_string(folder().join("schemathesis.toml")).unwrap();
    let lists = settings.split("include-operation-id = [").skip(1).map(|rest| rest.split_once(']').unwrap().0);
    let named: BTreeSet<String> =
        lists.flat_map(|list| list.split('"').skip(1).step_by(2)).map(str::to_owned).collect();
    let contract: Value = serde_json::from_str(&openapi::document().to_json().unwrap()).unwrap();
    let operations =
        contract["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let known: BTreeSet<String> =
        operations.filter_map(|operation| Some(operation["operationId"].as_str()?.to_owned())).collect();
    assert!(!named.is_empty() && named.is_subset(&known), "{:?}", named.difference(&known).collect::<Vec<_>>());
}

#[tokio::test]
async fn schemathesis_finds_no_difference_between_service_and_contract() {
    let Some(program) = setting("STAGEGATE_TEST_SCHEMATHESIS") else {
        eprintln!("skipped: there is no schemathesis here; ./test installs it with pip");
        return;
    };
    let trial = Trial::start().await;
    let (known, credentials) = trial.run(&["keys"]).await;
    assert!(known, "{credentials}");
    let mut command = Command::new(program);
    for (name, value) in credentials.lines().filter_map(|line| line.split_once('=')) {
        command.env(name, value);
    }
    // It leaves files in the folder where it runs.
    for name in ["hooks.py", "schemathesis.toml"] {
        fs::copy(folder().join(name), trial.data_dir.join(name)).unwrap();
    }
    command.current_dir(&trial.data_dir).args(["--config-file", "schemathesis.toml", "run", "--no-color"]);
    command.args(["--max-examples", "4", "--max-time", BUDGET]).arg(format!("{}/openapi.json", trial.url));
    let (well, said) = run_within(LIMIT, &mut command).await;
    assert!(well, "{}", failures(&said));
    trial.stop().await;
}

/// What schemathesis says of failures, without its warnings and statistics; if it says nothing, all that it said.
fn failures(said: &str) -> &str {
    let found = said.split_once("= FAILURES =").map(|(_, rest)| rest);
    found.map_or(said, |rest| rest.split_once("= WARNINGS =").map_or(rest, |(failures, _)| failures))
}
