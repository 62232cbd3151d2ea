//! The promise of docs/compatibility.md: the contract differs from that of the last release by additions alone, but
//! for what docs/contract/accepted.txt names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use stagegate::http::openapi;

mod differences;

use differences::differences;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/contract")
}

/// The contract of the newest release.
fn released() -> Value {
    let version = |name: &str| -> Vec<u32> {
        name.trim_end_matches(".json").split('.').map(|part| part.parse().unwrap()).collect()
    };
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let newest = names
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "json"))
        .max_by_key(|name| version(name))
        .unwrap();
    serde_json::from_slice(&fs::read(folder().join(newest)).unwrap()).unwrap()
}

#[test]
fn the_contract_breaks_nothing_that_was_released() {
    let now = serde_json::to_value(openapi::document()).unwrap();
    let found: BTreeSet<_> = differences(&released(), &now).into_iter().collect();
    let text = fs::read_to_string(folder().join("accepted.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let accepted: BTreeSet<_> = lines.map(ToOwned::to_owned).collect();
    let new: Vec<_> = found.difference(&accepted).collect();
    assert!(
        new.is_empty(),
        "clients of the last release break: {new:#?}\nMend it, or name the lines in docs/contract/accepted.txt with \
         the reason. Before the first release, ./test --update takes the contract as it is."
    );
    let gone: Vec<_> = accepted.difference(&found).collect();
    assert!(gone.is_empty(), "accepted, but there is no such difference: {gone:#?}");
}

/// A change of the contract: a pointer to a part, and what is there instead (null: nothing).
fn changed(pointer: &str, value: Value) -> Vec<String> {
    let old = serde_json::to_value(openapi::document()).unwrap();
    let mut new = old.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = new.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}")).as_object_mut().unwrap();
    let name = name.replace("~1", "/");
    if value.is_null() {
        assert!(parent.remove(&name).is_some(), "{pointer}");
    } else {
        parent.insert(name, value);
    }
    differences(&old, &new)
}

#[test]
fn what_breaks_clients_is_found() {
    let schemas = "/components/schemas";
    let breaking = [
        ("/paths/~1api~1v1~1tasks".to_owned(), Value::Null, "is gone"),
        ("/paths/~1api~1v1~1tasks/post/responses/201".to_owned(), Value::Null, "is gone"),
        (format!("{schemas}/Task/properties/phase"), Value::Null, "is gone"),
        (format!("{schemas}/Task/required"), json!(["id"]), "is not always there"),
        (format!("{schemas}/Task/properties/label"), json!({ "type": ["string", "null"] }), "can be null"),
        (format!("{schemas}/Task/properties/version"), json!({ "type": "string" }), "has another type"),
        (format!("{schemas}/Verdict/enum"), json!(["approved", "rejected", "other"]), "has the word other"),
        (format!("{schemas}/Code/x-extensible-enum"), json!(["not_found"]), "lacks the word"),
        (format!("{schemas}/TaskOpening/required"), json!(["id", "partner_id", "metadata"]), "is required"),
        (format!("{schemas}/TaskOpening/properties/title"), Value::Null, "is gone"),
        (format!("{schemas}/LinkKindChoice/enum"), json!(["task"]), "lacks the word"),
        (format!("{schemas}/Line200/maxLength"), json!(100), "takes less"),
        (format!("{schemas}/WorkSubmittedCommand/properties/artifacts/maxItems"), json!(5), "takes less"),
    ];
    for (pointer, value, expected) in breaking {
        let found = changed(&pointer, value);
        assert!(found.iter().any(|line| line.contains(expected)), "{pointer}: {expected}: {found:#?}");
    }
}

#[test]
fn what_only_adds_is_no_difference() {
    let schemas = "/components/schemas";
    let adding = [
        ("/paths/~1api~1v1~1new".to_owned(), json!({ "get": { "responses": {} } })),
        (format!("{schemas}/Task/properties/new"), json!({ "type": "string" })),
        (format!("{schemas}/TaskOpening/properties/new"), json!({ "type": "string" })),
        (format!("{schemas}/Line200/maxLength"), json!(300)),
        (format!("{schemas}/Task/description"), json!("Another text.")),
        (format!("{schemas}/Cause/x-extensible-enum"), json!(["person", "deadline", "exhausted", "no_quorum", "new"])),
    ];
    for (pointer, value) in adding {
        let found = changed(&pointer, value);
        // A text that is longer in answers breaks nobody.
        assert!(found.is_empty(), "{pointer}: {found:#?}");
    }
}
