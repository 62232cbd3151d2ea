//! README.md: its calls are made and answered as it says, its table of settings is the program's. Every address in it
//! and in docs/ is one of the contract.

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

/// Markdown that partners and operators read.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let below = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let files = below.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    [root.join("README.md")]
        .into_iter()
        .chain(files)
        .map(|path| (path.file_name().unwrap().display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The addresses after `prefix` in a text, without query.
fn addresses<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let ends = |c: char| c.is_whitespace() || "`\"'?)".contains(c);
    text.split(prefix)
        .skip(1)
        .map(|rest| rest.split(ends).next().unwrap())
        .filter(|path| path.starts_with('/'))
        .collect()
}

/// Whether a path is `template` with something in place of each parameter.
fn is_of(path: &str, template: &str) -> bool {
    let (path, template) = (path.split('/'), template.split('/'));
    path.clone().count() == template.clone().count()
        && path.zip(template).all(|(part, wanted)| part == wanted || wanted.starts_with('{') && !part.is_empty())
}

#[test]
fn every_address_in_the_documents_is_one_of_the_contract() {
    let contract = serde_json::to_value(stagegate::http::openapi::document()).unwrap();
    let paths = contract["paths"].as_object().unwrap();
    let serves = |path: &str, method: Option<&str>| {
        let mut found = paths.iter().filter(|(template, _)| is_of(path, template));
        found.any(|(_, operations)| method.is_none_or(|method| operations.get(method.to_lowercase()).is_some()))
    };
    let mut seen = 0;
    for (name, text) in documents() {
        for path in addresses(&text, "$URL") {
            // The function of the first five minutes, which adds its argument.
            assert!(path == "/api/v1$2" || serves(path, None), "{name}: $URL{path} leads nowhere");
            seen += 1;
        }
        for method in ["GET", "PUT", "POST", "DELETE"] {
            for path in addresses(&text, &format!("{method} ")) {
                // What the service itself calls: a receiver, and Patroni.
                let is_elsewhere = ["/hooks", "/primary"].contains(&path);
                assert!(
                    is_elsewhere || serves(path, Some(method)),
                    "{name}: {method} {path} is no operation of the contract"
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "only {seen} addresses found");
}
