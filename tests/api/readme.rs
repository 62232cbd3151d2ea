//! README.md: its calls are made and answered as it says, its table of settings is the program's.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use serde_json::Value;
use stagegate::config::Cli;
use tokio::process::Command;

use crate::harness::process::{Trial, run};

pub fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[tokio::test]
async fn the_calls_of_the_first_five_minutes_are_answered_as_shown() {
    let readme = readme();
    let tour = readme.split("<!-- tested -->").nth(1).unwrap();
    let tour = tour.split("<!-- tested: end -->").next().unwrap();
    let steps: Vec<(&str, Option<Value>)> = tour.split("```sh\n").skip(1).map(step).collect();
    assert!(steps.iter().filter(|(_, answer)| answer.is_some()).count() > 4);

    let trial = Trial::start().await;
    let (known, credentials) = trial.run(&["keys"]).await;
    assert!(known, "{credentials}");
    // What the tour's first lines do where it is run by hand.
    let mut script = format!("set -eu\n{credentials}\nURL={}\n", trial.url);
    for (calls, _) in &steps {
        let calls = calls.replace("./run ", &format!("{} ", env!("CARGO_BIN_EXE_stagegate")));
        let _ = writeln!(script, "{calls}\nprintf '\\036'");
    }
    let folder = trial.data_dir.clone();
    let (well, said) =
        run(Command::new("sh").args(["-c", &script]).env("STAGEGATE_DATA_DIR", &folder).current_dir(&folder)).await;
    assert!(well, "{said}");
    for ((calls, shown), said) in steps.iter().zip(said.split('\u{1e}')) {
        if let Some(shown) = shown {
            let last = said.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
            let answer: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{calls}\n{said}\n{error}"));
            assert!(
                is_shortened(shown, &answer),
                "{calls}\nwas answered with {answer:#}\nand not, shortened, with {shown:#}"
            );
        }
    }
    trial.stop().await;
}

/// The calls of a block, and the JSON that is shown below it before the next one.
fn step(text: &str) -> (&str, Option<Value>) {
    let (calls, below) = text.split_once("```").unwrap();
    let shown = below.split_once("```json\n").map(|(_, shown)| shown.split_once("```").unwrap().0);
    (calls, shown.map(|shown| serde_json::from_str(shown).unwrap_or_else(|error| panic!("{shown}{error}"))))
}

/// Whether `shown` is `answer` with members and items left out at will; a text with `…` may stand for any other.
pub fn is_shortened(shown: &Value, answer: &Value) -> bool {
    match (shown, answer) {
        (Value::String(text), Value::String(_)) if text.contains('…') => true,
        (Value::Object(shown), Value::Object(answer)) => {
            shown.iter().all(|(name, shown)| answer.get(name).is_some_and(|answer| is_shortened(shown, answer)))
        }
        (Value::Array(shown), Value::Array(answer)) => {
            let mut rest = answer.iter();
            shown.iter().all(|shown| rest.any(|answer| is_shortened(shown, answer)))
        }
        (shown, answer) => shown == answer,
    }
}

#[test]
fn the_table_of_settings_is_that_of_the_help() {
    let mut rows = Vec::new();
    let program = Cli::command();
    let serve = program.find_subcommand("serve").unwrap();
    let demo = program.find_subcommand("demo").unwrap();
    for argument in serve.get_arguments().chain(program.get_arguments()).chain(demo.get_arguments()) {
        let (Some(flag), Some(variable)) = (argument.get_long(), argument.get_env()) else { continue };
        let default: Vec<_> =
            argument.get_default_values().iter().map(|value| format!("`{}`", value.display())).collect();
        let help = argument.get_help().unwrap().to_string().replace('|', "\\|");
        let row = format!("| `{}` | `--{flag}` | {} | {help} |", variable.display(), default.join(""));
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    assert!(rows.len() > 20, "only {} settings found", rows.len());
    let table = rows.join("\n");
    assert!(readme().contains(&table), "README.md should have this table:\n{table}");
}
