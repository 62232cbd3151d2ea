//! Words in answers may grow: a client that was generated yesterday must not fail on a word of
//! today. In answers such a word is a string, and `x-extensible-enum` lists the words known now.
//! In requests it is an `enum`, since the service refuses all others.

use std::collections::BTreeSet;

use super::super::tree::{self, Value, reference, text};

/// Words that are complete, also in answers: who takes part, what a vote says, and what a party
/// defines itself.
const CLOSED: [&str; 7] = ["Party", "Source", "Verdict", "Assurance", "ClockKind", "OpenMode", "Submission"];

const NOTE: &str = "Later versions may add words.";

/// Opens the words in answers. Words that are sent as well get a second schema for requests, with
/// `Choice` in its name.
pub(super) fn open(document: &mut Value) {
    let (requested, answered) = (requested(document), answered(document));
    let schemas = tree::schemas(document).clone();
    let grows = |name: &String| {
        let is_word = schemas.get(name).is_some_and(|schema| schema.get("enum").is_some());
        is_word && !CLOSED.contains(&name.as_str())
    };
    let growing: BTreeSet<_> = answered.into_iter().filter(grows).collect();
    let sent: BTreeSet<_> = growing.intersection(&requested).cloned().collect();
    refer_to_choices(document, &sent);
    super::each_schema(document, |name, schema| {
        if requested.contains(name) && !growing.contains(name) {
            choose(schema, &sent);
        }
    });
    for name in &growing {
        let choice = schemas[name.as_str()].clone();
        if let Some(schema) = tree::schemas_mut(document).get_mut(name).and_then(Value::as_mapping_mut) {
            let words = schema.get("enum").cloned().unwrap_or_default();
            tree::replace(schema, "enum", ("x-extensible-enum", words));
            let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let description =
                if description.contains(NOTE) { description.to_owned() } else { format!("{description} {NOTE}") };
            schema.insert(text("description"), text(description.trim()));
        }
        if sent.contains(name) {
            tree::schemas_mut(document).insert(text(choice_of(name)), choice);
        }
    }
}

fn choice_of(name: &str) -> String {
    format!("{name}Choice")
}

/// The schemas of what the service sends.
fn answered(document: &Value) -> BTreeSet<String> {
    let mut start = tree::references(&document["components"]["responses"]);
    start.extend(tree::references(&document["webhooks"]));
    let mut document = document.clone();
    for operation in tree::operations_mut(&mut document) {
        start.extend(operation.get("responses").map(tree::references).unwrap_or_default());
    }
    tree::closure(tree::schemas(&document), start)
}

/// The schemas of what callers send.
fn requested(document: &Value) -> BTreeSet<String> {
    let mut start = BTreeSet::new();
    let mut document = document.clone();
    for operation in tree::operations_mut(&mut document) {
        for part in ["parameters", "requestBody"] {
            start.extend(operation.get(part).map(tree::references).unwrap_or_default());
        }
    }
    tree::closure(tree::schemas(&document), start)
}

/// Lets parameters and bodies refer to the words for requests.
fn refer_to_choices(document: &mut Value, sent: &BTreeSet<String>) {
    for operation in tree::operations_mut(document) {
        for part in ["parameters", "requestBody"] {
            if let Some(part) = operation.get_mut(part) {
                choose(part, sent);
            }
        }
    }
}

fn choose(value: &mut Value, sent: &BTreeSet<String>) {
    tree::visit(value, &mut |object| {
        let name = object.get("$ref").and_then(Value::as_str).and_then(tree::name_of);
        if let Some(name) = name.filter(|name| sent.contains(*name)) {
            let choice = choice_of(name);
            tree::extend(object, reference(&choice));
        }
    });
}
