//! The pages in a real browser: the scenarios of `tests/browser`, each on a service of its own.
//!
//! `./test browser NAME...` runs some of them. Without Chromium and the npm packages, which
//! `ensure_browser` in scripts/setup.sh installs, nothing of this runs.

mod faults;
mod node;
mod world;

use faults::{FAULTS, FaultyPages};
use world::Worlds;

use crate::harness::settings::setting;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_passes() {
    let Some(packages) = packages() else { return };
    let names = setting("STAGEGATE_TEST_SCENARIOS").unwrap_or_default();
    let names: Vec<&str> = names.split_whitespace().collect();
    let outcomes = node::run(&packages, &names, &mut Worlds::default()).await;
    assert!(!outcomes.is_empty(), "no scenario ran");
    for (scenario, outcome) in &outcomes {
        println!("{scenario}: {:.1} s", outcome.seconds);
    }
    let failures: Vec<_> = outcomes.into_values().filter_map(|outcome| outcome.failure).collect();
    assert!(failures.is_empty(), "{} failed:\n\n{}\n", failures.len(), failures.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_page_is_noticed() {
    let Some(packages) = packages() else { return };
    let mut pages = FaultyPages::serve().await;
    let arguments: Vec<&str> = std::iter::once("--faults").chain(FAULTS.iter().map(|fault| fault.name)).collect();
    let outcomes = node::run(&packages, &arguments, &mut pages).await;
    assert_eq!(outcomes.len(), FAULTS.len());
    for fault in FAULTS {
        let failure = outcomes[fault.name].failure.as_deref().unwrap_or_default();
        if fault.noticed_as.is_empty() {
            assert_eq!(failure, "", "a good page");
            continue;
        }
        assert!(failure.contains(fault.noticed_as), "{}: {failure:?}", fault.name);
        assert!(failure.starts_with(&format!("{}: at the step \"goes to /", fault.name)), "{failure}");
        let (_, picture) = failure.split_once("screenshot: ").unwrap();
        assert!(std::fs::metadata(picture).unwrap().len() > 0, "{picture}");
    }
}

/// Where the npm packages are; `None` if they and Chromium could not be installed.
fn packages() -> Option<String> {
    let packages = setting("STAGEGATE_TEST_BROWSER");
    if packages.is_none() {
        eprintln!("no page is tested in a browser: run ./test, or `ensure_browser` of scripts/setup.sh before");
    }
    packages
}
