//! The scripts of the pages stay few.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of all scripts together. Beyond it, look for something else than more script.
const BUDGET: usize = 700;

#[test]
fn scripts_stay_within_their_budget() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pages/assets")];
    let mut scripts: Vec<(PathBuf, usize)> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "js") {
                let lines = fs::read_to_string(&path).unwrap().lines().count();
                scripts.push((path, lines));
            }
        }
    }
    assert!(scripts.len() >= 5, "only {scripts:?}");
    let sum: usize = scripts.iter().map(|(_, lines)| lines).sum();
    assert!(sum <= BUDGET, "{sum} lines: {scripts:#?}");
}
