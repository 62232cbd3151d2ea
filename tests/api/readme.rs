//! The documents that partners, operators and contributors read. Their calls are made and answered as shown, their
//! addresses are those of the contract, their links lead somewhere, and the table of settings is that of the
//! program.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};

use clap::CommandFactory as _;
use serde_json::Value;
use stagegate::config::Cli;
use stagegate::dev::routes::ROUTES;
use tokio::process::Command;

use crate::harness::process::{Trial, run};

/// The documents with calls that are made, in this order: later ones use what earlier ones made.
const WITH_CALLS: [&str; 6] =
    ["README.md", "docs/partner.md", "docs/buyer-ui.md", "docs/audit.md", "docs/platform.md", "docs/command-line.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a document, by its path from the root.
pub fn document(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[tokio::test]
async fn the_calls_in_the_documents_are_answered_as_shown() {
    let documents: Vec<(&str, String)> = WITH_CALLS.map(|path| (path, document(path))).into();
    let mut steps = Vec::new();
    for (path, text) in &documents {
        let found: Vec<_> = tested(text).flat_map(|part| part.split("```sh\n").skip(1)).map(step).collect();
        assert!(found.iter().any(|(_, answer)| answer.is_some()), "{path} has no call with an answer");
        steps.extend(found);
    }

    let trial = Trial::start().await;
    let (known, credentials) = trial.run(&["keys"]).await;
    assert!(known, "{credentials}");
    // What the README's first lines do where it is run by hand.
    let program = env!("CARGO_BIN_EXE_stagegate");
    let mut script = format!("set -eu\n{credentials}\nURL={}\nstagegate() {{ {program} \"$@\"; }}\n", trial.url);
    for (calls, _) in &steps {
        let calls = calls.replace("./run ", &format!("{program} "));
        // Nothing new happens, so the call would wait to its end.
        let calls = calls.replace("&wait=55", "&wait=1");
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

/// The parts of a document whose calls are made.
pub fn tested(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split("<!-- tested -->").skip(1);
    parts.map(|part| part.split_once("<!-- tested: end -->").expect("each part is marked to its end").0)
}

/// The calls of a block, and the JSON that is shown below it before the next one.
pub fn step(text: &str) -> (&str, Option<Value>) {
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
    assert!(document("docs/operations.md").contains(&table), "docs/operations.md should have this table:\n{table}");
}

/// The Markdown files at the root and in `docs`, each with its path from the root.
fn documents() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(Path::new(""), &mut found);
    collect(Path::new("docs"), &mut found);
    collect(Path::new("benches"), &mut found);
    assert!(found.len() > 10, "only {} documents found", found.len());
    found
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if is_markdown(&path) {
            let text = document(&path);
            found.push((path, text));
        } else if folder.starts_with("docs") && entry.file_type().unwrap().is_dir() {
            collect(&path, found);
        }
    }
}

#[test]
fn the_readme_has_at_most_150_lines() {
    let lines = document("README.md").lines().count();
    assert!(lines <= 150, "README.md has {lines} lines: what is for one kind of reader belongs into docs/");
}

/// The targets of the links in a document, outside of its blocks of code.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    let targets = prose.flat_map(|prose| prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
    targets.filter(|target| !target.contains("://"))
}

/// The file that a link of `document` leads to, by its path from the root, and the anchor in it.
fn target<'a>(document: &Path, link: &'a str) -> (PathBuf, Option<&'a str>) {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    if file.is_empty() {
        return (document.to_owned(), anchor);
    }
    let mut path = PathBuf::new();
    for part in document.parent().unwrap().join(file).components() {
        if part == Component::ParentDir {
            path.pop();
        } else {
            path.push(part);
        }
    }
    (path, anchor)
}

/// The anchor that a heading gets where Markdown is shown.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_anchor(path: &Path, wanted: &str) -> bool {
    let text = document(path);
    let headings = text.split("```").step_by(2).flat_map(str::lines).filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).any(|anchor| anchor == wanted)
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut broken = Vec::new();
    for (name, text) in documents() {
        for link in links(&text) {
            let (path, anchor) = target(&name, link);
            let found = root().join(&path).exists() && anchor.is_none_or(|anchor| has_anchor(&path, anchor));
            if !found {
                broken.push(format!("{}: {link}", name.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_document_is_reached_from_the_readme() {
    let (mut reached, mut next) = (BTreeSet::new(), vec![PathBuf::from("README.md")]);
    while let Some(path) = next.pop() {
        if is_markdown(&path) && reached.insert(path.clone()) {
            next.extend(links(&document(&path)).map(|link| target(&path, link).0));
        }
    }
    for (path, _) in documents() {
        assert!(reached.contains(&path), "no link leads to {}", path.display());
    }
}

#[test]
fn every_decision_is_named_in_the_crate_documentation() {
    let page = document("src/lib.rs");
    let decisions = fs::read_dir(root().join("docs/decisions")).unwrap().map(|entry| entry.unwrap().file_name());
    for name in decisions.filter(|name| name != "README.md") {
        assert!(page.contains(&format!("`{}`", name.display())), "src/lib.rs does not name {}", name.display());
    }
    let named = page.split('`').filter(|word| is_markdown(Path::new(word)) && !word.contains(' '));
    for name in named {
        let found = root().join(name).exists()
            || root().join("docs/decisions").join(name).exists()
            || root().join("src").join(name).exists();
        assert!(found, "src/lib.rs names {name}, which is not there");
    }
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
        let mut of_developers = ROUTES.iter().filter(|(_, known, _)| *known == path);
        if of_developers.any(|(known, ..)| method.is_none_or(|method| known == method)) {
            return true;
        }
        let mut found = paths.iter().filter(|(template, _)| is_of(path, template));
        found.any(|(_, operations)| method.is_none_or(|method| operations.get(method.to_lowercase()).is_some()))
    };
    let mut seen = 0;
    for (name, text) in documents().into_iter().filter(|(name, _)| name != Path::new("CHANGELOG.md")) {
        let name = name.display();
        for path in addresses(&text, "$URL") {
            // The function of the first five minutes, which adds its argument.
            assert!(path == "/api/v1$2" || serves(path, None), "{name}: $URL{path} leads nowhere");
            seen += 1;
        }
        for method in ["GET", "PUT", "POST", "DELETE"] {
            for path in addresses(&text, &format!("{method} ")) {
                // What the service itself calls: a receiver, and Patroni.
                let is_elsewhere = ["/hooks", "/primary", "/mcp"].contains(&path);
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
