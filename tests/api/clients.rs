//! The clients for TypeScript and Python: built as packages, installed into an empty folder, and run there
//! against their own tests and a running service.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::harness::process::{Trial, run};
use crate::harness::settings::setting;

/// The folder of the tools, which `ensure_clients` in `scripts/setup.sh` names; none if they are not installed.
fn tools() -> Option<PathBuf> {
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
    let (well, said) = run(&mut command).await;
    assert!(well, "{script}\n{said}");
    said
}

/// Builds, installs and tests a package with `build`, then plays its story with `story`.
async fn build_and_play(name: &str, build: &str, story: &str) {
    let Some(tools) = tools() else { return };
    let trial = Trial::start().await;
    let folder = trial.data_dir.join(name);
    fs::create_dir_all(&folder).unwrap();
    sh(build, &folder, &tools).await;
    let (known, credentials) = trial.run(&["keys"]).await;
    assert!(known, "{credentials}");
    let script = format!("set -a\n{credentials}\nSTAGEGATE_URL={}\n{story}", trial.url);
    let said = sh(&script, &folder, &tools).await;
    assert!(said.contains("the buyer reads: Approved"), "{said}");
    assert!(said.contains("task.stage_rejected"), "{said}");
    trial.stop().await;
}

#[tokio::test]
async fn the_client_for_typescript_installs_and_plays_the_story() {
    let build = r#"
cp -R "$ROOT/clients/typescript" source
rm -rf source/node_modules source/dist
ln -s "$TOOLS/node_modules" source/node_modules
PATH="$TOOLS/node_modules/.bin:$PATH" npm pack ./source --silent
mkdir -p node_modules/stagegate-client
tar -xzf stagegate-client-0.1.0.tgz -C node_modules/stagegate-client --strip-components 1
cp -R "$TOOLS/node_modules/openapi-fetch" "$TOOLS/node_modules/openapi-typescript-helpers" node_modules/
cp -R "$ROOT/clients/typescript/test" test
node --test test/hand.test.js
"#;
    build_and_play("typescript", build, "node node_modules/stagegate-client/dist/story.js").await;
}

#[tokio::test]
async fn the_client_for_python_installs_and_plays_the_story() {
    let build = r#"
cp -R "$ROOT/clients/python" source
"$TOOLS/python/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w . ./source
"$TOOLS/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --target installed ./*.whl
export PYTHONPATH="$PWD/installed"
"$TOOLS/python/bin/python" -m unittest discover -s source/tests -t source/tests
"#;
    let story = r#"PYTHONPATH="$PWD/installed" "$TOOLS/python/bin/python" -m stagegate.story"#;
    build_and_play("python", build, story).await;
}

#[tokio::test]
async fn the_generated_files_of_the_clients_are_current() {
    let Some(tools) = tools() else { return };
    sh("scripts/generate-clients.sh --check", Path::new(env!("CARGO_MANIFEST_DIR")), &tools).await;
}
