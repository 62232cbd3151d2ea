//! The clients for TypeScript and Python: built as packages, installed into an empty folder, and run there
//! against their own tests and a running service.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use crate::harness::process::{Trial, run};
use crate::harness::settings::{node, setting};

/// The folder of the tools, which `ensure_clients` in `scripts/setup.sh` names; none if they are not installed.
pub fn tools() -> Option<PathBuf> {
    let folder = setting("STAGEGATE_TEST_CLIENTS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: the tools of the clients are not installed");
    }
    folder
}

/// Runs a script in a folder; it must succeed. Returns what it printed.
async fn sh(script: &str, folder: &Path, tools: &Path) -> String {
    let script = format!("set -eu\n{script}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(folder).env("TOOLS", tools).env("ROOT", env!("CARGO_MANIFEST_DIR"));
    command.env("NODE", node());
    let (well, said) = run(&mut command).await;
    assert!(well, "{script}\n{said}");
    said
}

/// Builds, installs and tests a package with `build`, then plays its story with `story`. The folder holds the
/// sources of the client for this language as `source`, and the contract of the past as `older.json`.
async fn build_and_play(language: &str, build: &str, story: &str) {
    let Some(tools) = tools() else { return };
    let trial = Trial::start().await;
    let folder = trial.data_dir.join(language);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("older.json"), older_contract()).unwrap();
    sh(&format!("cp -R \"$ROOT/clients/{language}\" source"), &folder, &tools).await;
    sh(build, &folder, &tools).await;
    let (known, credentials) = trial.run(&["keys"]).await;
    assert!(known, "{credentials}");
    let script = format!("set -a\n{credentials}\nSTAGEGATE_URL={}\n{story}", trial.url);
    let said = sh(&script, &folder, &tools).await;
    assert!(said.contains("the buyer reads: Approved"), "{said}");
    assert!(said.contains("task.stage_rejected"), "{said}");
    trial.stop().await;
}

/// Packs the sources of the client for TypeScript in `source`, and installs the package beside them.
const PACK_TYPESCRIPT: &str = r#"
rm -rf source/node_modules source/dist
ln -s "$TOOLS/node_modules" source/node_modules
PATH="$TOOLS/node_modules/.bin:$PATH" npm pack ./source --silent
mkdir -p node_modules/stagegate-client
tar -xzf stagegate-client-0.1.0.tgz -C node_modules/stagegate-client --strip-components 1
cp -R "$TOOLS/node_modules/openapi-fetch" "$TOOLS/node_modules/openapi-typescript-helpers" node_modules/
"#;

/// Installs the client for TypeScript into a folder.
pub async fn install_typescript(folder: &Path, tools: &Path) {
    sh(&format!("cp -R \"$ROOT/clients/typescript\" source\n{PACK_TYPESCRIPT}"), folder, tools).await;
}

#[tokio::test]
async fn the_client_for_typescript_installs_and_plays_the_story() {
    let build = format!(
        r#"
{PACK_TYPESCRIPT}
cp -R "$ROOT/clients/typescript/test" test
"$NODE" --test test/hand.test.js
"#
    );
    build_and_play("typescript", &build, "\"$NODE\" node_modules/stagegate-client/dist/story.js").await;
}

#[tokio::test]
async fn the_client_for_python_installs_and_plays_the_story() {
    let build = r#"
"$TOOLS/python/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w . ./source
"$TOOLS/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --target installed ./*.whl
export PYTHONPATH="$PWD/installed"
"$TOOLS/python/bin/python" -m unittest discover -s source/tests -t source/tests
"#;
    let story = r#"PYTHONPATH="$PWD/installed" "$TOOLS/python/bin/python" -m stagegate.story"#;
    build_and_play("python", build, story).await;
}

/// What every contract of the past has, too: the story of the client reads it, or the generator needs it.
const OLDEST: [&str; 15] = [
    "actor",
    "code",
    "detail",
    "event",
    "events",
    "id",
    "items",
    "kind",
    "label",
    "phase",
    "round",
    "task",
    "type",
    "version",
    "waiting_on",
];

/// The contract as it may have been before most of it was added: the members of answers, and the words that grow.
fn of_the_past(value: &mut Value, removed: &mut usize) {
    if let Some(members) = value.get_mut("properties").and_then(Value::as_object_mut) {
        let before = members.len();
        members.retain(|name, _| OLDEST.contains(&name.as_str()));
        *removed += before - members.len();
        if let Some(required) = value.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| name.as_str().is_some_and(|name| OLDEST.contains(&name)));
        }
    }
    if let Some(words) = value.get_mut("x-extensible-enum").and_then(Value::as_array_mut) {
        *removed += words.len() / 2;
        words.truncate(words.len().div_ceil(2));
        // As an enumeration that is closed, which a careless generator makes of it.
        let words = Value::Array(words.clone());
        value["enum"] = words;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| of_the_past(item, removed)),
        Value::Object(members) => members.values_mut().for_each(|member| of_the_past(member, removed)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The contract of the past, in JSON.
fn older_contract() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/contract/0.1.0.json");
    let mut contract: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut removed = 0;
    of_the_past(&mut contract["components"]["schemas"], &mut removed);
    assert!(removed > 200, "only {removed} members and words");
    contract.to_string()
}

/// In Python alone: the client for TypeScript is the same program whatever its types were generated from.
#[tokio::test]
async fn a_client_of_an_older_contract_plays_its_story_against_this_service() {
    let generate = r#"
"$TOOLS/python/bin/datamodel-codegen" --input older.json --input-file-type openapi --output source/stagegate/models.py \
    --output-model-type pydantic_v2.BaseModel --extra-fields allow --target-python-version 3.10 \
    --use-standard-collections --use-union-operator --use-annotated --field-constraints --disable-timestamp 2>said || { cat said; exit 1; }
! cmp -s source/stagegate/models.py "$ROOT/clients/python/stagegate/models.py"
"#;
    build_and_play("python", generate, r#"PYTHONPATH="$PWD/source" "$TOOLS/python/bin/python" -B -m stagegate.story"#)
        .await;
}

#[tokio::test]
async fn the_generated_files_of_the_clients_are_current() {
    let Some(tools) = tools() else { return };
    sh("scripts/generate-clients.sh --check", Path::new(env!("CARGO_MANIFEST_DIR")), &tools).await;
}
