//! Schemas of the contract with the references in them replaced by what they refer to, since many
//! clients of the protocol follow none.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::domain::task::command::CommandType;
use crate::http::openapi;

/// The contract.
static CONTRACT: LazyLock<Value> = LazyLock::new(|| {
    let text = openapi::document().to_json().expect("the contract has only text as keys");
    serde_json::from_str(&text).expect("the contract is JSON")
});

/// Members of schemas that are OpenAPI's own, or that only matter where schemas are pages.
const DROPPED: [&str; 3] = ["discriminator", "example", "x-extensible-enum"];

/// Deeper than any schema of the contract.
pub(super) const WHOLE: usize = 32;

/// The schema of a command.
pub(super) fn of_command(command: CommandType) -> Value {
    let reference = &CONTRACT["components"]["schemas"]["EventCommand"]["discriminator"]["mapping"][command.as_str()];
    inline(&json!({ "$ref": reference }), WHOLE)
}

/// The query parameters of an operation as properties.
pub(super) fn parameters(method: &str, path: &str) -> Vec<(&'static str, Value)> {
    let list = CONTRACT["paths"][path][method]["parameters"].as_array().expect("an operation with parameters");
    let query = list.iter().filter(|parameter| parameter["in"] == "query");
    let property = |parameter: &'static Value| {
        let mut schema = inline(&parameter["schema"], WHOLE);
        schema["description"] = clean(&parameter["description"]);
        (parameter["name"].as_str().expect("a parameter has a name"), schema)
    };
    query.map(property).collect()
}

/// The schema with this name, with the references in it replaced down to this depth.
pub(super) fn named(name: &str, depth: usize) -> Value {
    inline(target(name), depth)
}

fn target(name: &str) -> &'static Value {
    let schema = &CONTRACT["components"]["schemas"][name];
    assert!(schema.is_object(), "the contract has no schema {name}");
    schema
}

fn inline(schema: &Value, depth: usize) -> Value {
    match schema {
        Value::Object(members) => inline_object(members, depth),
        Value::Array(items) => items.iter().map(|item| inline(item, depth)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

fn inline_object(members: &Map<String, Value>, depth: usize) -> Value {
    let mut all = Map::new();
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        let target = target(reference.rsplit('/').next().unwrap_or(reference));
        let whole = depth > 0 || is_leaf(target);
        let schema = if whole { inline(target, depth.saturating_sub(1)) } else { outline(target) };
        all.extend(schema.as_object().cloned().unwrap_or_default());
    }
    for (name, value) in members.iter().filter(|(name, value)| !is_dropped(name, value)) {
        let (name, value) = match (name.as_str(), value) {
            // Here the names are those of data.
            ("properties", Value::Object(properties)) => {
                let inlined = properties.iter().map(|(name, schema)| (name.clone(), inline(schema, depth)));
                (name.as_str(), Value::Object(inlined.collect()))
            }
            ("description", text) => ("description", clean(text)),
            ("const" | "default" | "enum" | "examples", data) => (name.as_str(), data.clone()),
            // More clients know it, and what it allows besides the service refuses.
            ("oneOf", list) => ("anyOf", inline(list, depth)),
            (name, schema) => (name, inline(schema, depth)),
        };
        all.insert(name.to_owned(), value);
    }
    Value::Object(all)
}

/// Whether a member says nothing to a model: references, widths of integers, and patterns that only
/// exclude control characters, which the service refuses.
fn is_dropped(name: &str, value: &Value) -> bool {
    let begins = |text| value.as_str().is_some_and(|value| value.starts_with(text));
    match name {
        "format" => begins("int"),
        "pattern" => begins("^[^"),
        _ => name == "$ref" || DROPPED.contains(&name),
    }
}

/// Whether a schema is that of a plain value.
fn is_leaf(schema: &Value) -> bool {
    ["properties", "items", "oneOf"].iter().all(|part| schema.get(part).is_none())
}

/// Type and description of a schema.
fn outline(schema: &Value) -> Value {
    let parts = ["type", "description"].into_iter().filter_map(|part| Some((part, schema.get(part)?)));
    Value::Object(parts.map(|(part, value)| (part.to_owned(), clean(value))).collect())
}

/// A text in one line.
fn clean(text: &Value) -> Value {
    text.as_str().map_or_else(|| text.clone(), |text| text.replace('\n', " ").into())
}
