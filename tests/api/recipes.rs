//! The recipes of `docs/recipes.md`: those that can be run are run against the program, with the tools that they are
//! for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stagegate::domain::task::PhaseName;
use tokio::process::Command;

use crate::harness::process::{Trial, run};
use crate::harness::settings::setting;

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes.md")).unwrap()
}

/// What follows a mark in the document, to the end of its block.
fn after<'a>(document: &'a str, mark: &str, end: &str) -> &'a str {
    let (_, rest) = document.split_once(mark).unwrap_or_else(|| panic!("no {mark}"));
    rest.split(end).next().unwrap()
}

/// The code of a recipe.
fn code<'a>(document: &'a str, name: &str) -> &'a str {
    let block = after(document, &format!("<!-- recipe: {name} -->\n```"), "\n```");
    block.split_once('\n').unwrap().1
}

/// Runs `tests/recipes/run_NAME.py` beside the files of a recipe, against a trial of its own.
async fn play(name: &str, files: &[(&str, &str)]) {
    let Some(tools) = setting("STAGEGATE_TEST_RECIPES").map(PathBuf::from) else {
        eprintln!("skipped: the tools of the recipes are not installed");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let trial = Trial::start().await;
    let folder = trial.data_dir.join("recipe");
    fs::create_dir_all(&folder).unwrap();
    for (file, text) in files {
        fs::write(folder.join(file), text).unwrap();
    }
    let (known, credentials) = trial.run(&["keys"]).await;
    assert!(known, "{credentials}");
    let script = root.join("tests/recipes").join(format!("run_{name}.py"));
    let mut command = Command::new("sh");
    let play = format!("set -a\n{credentials}\nexec \"$PYTHON\" \"$SCRIPT\"");
    let path = format!("{}:{}", root.join("clients/python").display(), folder.display());
    command.args(["-c", &play]).current_dir(&folder).env("STAGEGATE_URL", &trial.url).env("PYTHONPATH", path);
    command.env("PYTHON", tools.join("python3")).env("SCRIPT", script).env("TEMPORAL", tools.join("temporal"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let (succeeded, said) = run(&mut command).await;
    assert!(succeeded && said.contains("the recipe ended with delivery"), "{said}");
    trial.stop().await;
}

#[tokio::test]
async fn the_recipe_of_langgraph_works() {
    play("langgraph", &[("recipe.py", code(&document(), "langgraph"))]).await;
}

#[tokio::test]
async fn the_recipe_of_temporal_works() {
    play("temporal", &[("recipe.py", code(&document(), "temporal"))]).await;
}

#[tokio::test]
async fn the_recipe_of_github_actions_works() {
    let document = document();
    let workflow: Value = yaml_serde::from_str(code(&document, "github-actions")).unwrap();
    let steps = workflow["jobs"]["approval"]["steps"].as_array().unwrap();
    let [submit, wait] = &steps[..] else { panic!("{steps:?}") };
    let script = |step: &Value| step["run"].as_str().unwrap().to_owned();
    play("github_actions", &[("step-0.sh", &script(submit)), ("step-1.sh", &script(wait))]).await;
}

#[test]
fn the_tables_of_a2a_and_ag_ui_have_every_phase() {
    let document = document();
    let phases: BTreeSet<&str> = PhaseName::ALL.iter().map(|phase| phase.as_str()).collect();
    for name in ["a2a", "ag-ui"] {
        let table = after(&document, &format!("<!-- mapping: {name} -->\n"), "\n\n");
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(rows.collect::<BTreeSet<_>>(), phases, "{name}");
    }
}
