//! Every dependency may be shipped under a licence that asks no more than to be named.

use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::readme::document;

/// Permissive ones, the same as in `deny.toml`. `MPL-2.0` asks for changes to its own files, of which there are
/// none; `CDLA-Permissive-2.0` is that of the list of certificate authorities.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
];

#[test]
fn every_dependency_has_an_allowed_licence() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        // What other systems would need on top was never downloaded here.
        .args(["--filter-platform", &host()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "only {} packages", packages.len());
    let refused: Vec<String> = packages.iter().filter_map(refusal).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

/// The npm packages are tools of the tests, and nothing of them is shipped. One has the Unlicense, which asks nothing.
#[test]
fn every_npm_package_of_the_tests_has_an_allowed_licence() {
    for (list, least) in [
        ("tests/receivers/package-lock.json", 3),
        ("tests/browser/package-lock.json", 4),
        ("tests/mcp/package-lock.json", 50),
    ] {
        let list: Value = serde_json::from_str(&document(list)).unwrap();
        let packages = list["packages"].as_object().unwrap().iter().filter(|(path, _)| !path.is_empty());
        let licences: Vec<_> = packages.map(|(path, package)| (path, package["license"].as_str())).collect();
        assert!(licences.len() >= least, "only {licences:?}");
        for (path, licence) in licences {
            let is_allowed = licence.is_some_and(|licence| licence == "Unlicense" || ALLOWED.contains(&licence));
            assert!(is_allowed, "{path}: {licence:?}");
        }
    }
}

#[test]
fn cargo_deny_allows_the_same_licences() {
    let file = document("deny.toml");
    let (_, list) = file.split_once("\nallow = [\n").unwrap();
    let (list, _) = list.split_once("\n]").unwrap();
    let allowed: Vec<&str> = list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
    // The library reads exceptions apart; cargo-deny takes them as part of the name.
    let names: Vec<&str> = allowed.into_iter().filter(|name| !name.contains(" WITH ")).collect();
    assert_eq!(names, ALLOWED);
}

#[test]
fn a_licence_that_asks_for_more_is_refused() {
    for (licence, refused) in [
        ("MIT OR GPL-3.0-only", false),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("MIT/Apache-2.0", false),
        ("MIT AND GPL-3.0-only", true),
        ("GPL-3.0-or-later", true),
        ("made up", true),
    ] {
        let package = serde_json::json!({ "name": "x", "version": "1.0.0", "license": licence });
        assert_eq!(refusal(&package).is_some(), refused, "{licence}");
    }
    assert!(refusal(&serde_json::json!({ "name": "x", "version": "1.0.0", "license": null })).is_some());
}

/// The system that this is built for, as cargo names it.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Why the package cannot be used; `None` if it can.
fn refusal(package: &Value) -> Option<String> {
    let name = format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
    let Some(licence) = package["license"].as_str() else { return Some(format!("{name} names no licence")) };
    // Old packages write `A/B` for `A OR B`.
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
        return Some(format!("{name}: {licence:?} cannot be read"));
    };
    let allowed = |id: &spdx::LicenseReq| id.license.id().is_some_and(|id| ALLOWED.contains(&id.name));
    (!expression.evaluate(allowed)).then(|| format!("{name}: {licence}"))
}
