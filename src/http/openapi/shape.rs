//! Brings the contract into the shape that generators of clients read well, whatever the attributes
//! of the single types say. `tests/api/http/shape.rs` has the rules.

use std::collections::BTreeSet;

use super::tree::{self, Mapping, Value, object, text};

mod credential;
mod generics;
mod nulls;
mod unions;
mod words;

/// The contract in its final shape.
pub(super) fn shape(mut document: Value) -> Value {
    credential::unify(&mut document);
    generics::name(&mut document);
    unions::join_parts(&mut document);
    unions::name_variants(&mut document);
    nulls::remove(&mut document);
    words::open(&mut document);
    unions::discriminate(&mut document);
    remove_unused(&mut document);
    document["servers"] = Value::Sequence(vec![Value::Mapping(object([
        ("url", text("/")),
        ("description", text("The service that serves this document.")),
    ]))]);
    document
}

/// Removes the schemas that nothing refers to.
pub(super) fn remove_unused(document: &mut Value) {
    let mut start = BTreeSet::new();
    for (name, part) in document.as_mapping().into_iter().flatten() {
        if name.as_str() != Some("components") {
            start.extend(tree::references(part));
        }
    }
    start.extend(tree::references(&document["components"]["responses"]));
    let used = tree::closure(tree::schemas(document), start);
    tree::schemas_mut(document).retain(|name, _| name.as_str().is_some_and(|name| used.contains(name)));
}

/// Applies `change` to every schema of the components, one after the other.
fn each_schema(document: &mut Value, mut change: impl FnMut(&str, &mut Value)) {
    for (name, schema) in tree::schemas_mut(document) {
        change(name.as_str().unwrap_or_default(), schema);
    }
}

/// The properties of an object.
fn properties(schema: &Value) -> Option<&Mapping> {
    schema.get("properties")?.as_mapping()
}
