//! What deploys and watches the service: the files of `deploy/`, the Dockerfile and the workflows, compared with the
//! program and with the schemas of those who read them.

mod manifests;
mod queries;
mod started;

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use serde::Deserialize as _;
use serde_json::Value;
use stagegate::config::Cli;
use tokio::process::Command;

use crate::harness::process::run;
use crate::harness::settings::setting;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML file.
fn yaml(path: &str) -> Vec<Value> {
    let text = read(path);
    yaml_serde::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()).collect()
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// Whether the program reads this variable in `stagegate COMMAND`.
fn is_setting(command: &str, variable: &str) -> bool {
    let program = Cli::command();
    let command = program.find_subcommand(command).unwrap_or_else(|| panic!("no command {command}"));
    let mut arguments = command.get_arguments().chain(program.get_arguments());
    arguments.any(|argument| argument.get_env().is_some_and(|known| known == variable))
}

/// A tool of the tests, which must accept what it is given; skipped where it could not be installed.
async fn accepts(tool: (&str, &str), arguments: &[&str]) {
    let (variable, program) = tool;
    let Some(found) = setting(variable) else {
        eprintln!("skipped: {program} is not installed");
        return;
    };
    let program = if program == "promtool" { PathBuf::from(found) } else { Path::new(&found).join(program) };
    let mut command = Command::new(program);
    let (succeeded, said) = run(command.current_dir(root()).args(arguments)).await;
    assert!(succeeded, "{arguments:?}: {said}");
}
