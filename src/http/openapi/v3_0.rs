//! The contract in OpenAPI 3.0, for generators that know no 3.1. It is made from the contract by
//! rules, so that the two cannot differ: what 3.0 cannot say is left out or said less exactly.

use super::tree::{self, Mapping, Value, object, text};

/// The same contract in OpenAPI 3.0.
pub(super) fn downgrade(mut document: Value) -> Value {
    document["openapi"] = text("3.0.3");
    if let Some(whole) = document.as_mapping_mut() {
        // The requests that the service sends have no place in 3.0.
        whole.remove("webhooks");
        if let Some(license) = whole.get_mut("info").and_then(|info| info.get_mut("license")) {
            *license = Value::Mapping(object([
                ("name", text("Apache-2.0")),
                ("url", text("https://www.apache.org/licenses/LICENSE-2.0")),
            ]));
        }
    }
    let schemas = tree::schemas(&document).clone();
    tree::visit(&mut document, &mut |object| downgrade_object(object, &schemas));
    super::shape::remove_unused(&mut document);
    document
}

fn downgrade_object(object: &mut Mapping, schemas: &Mapping) {
    if let Some(word) = object.get("const").cloned() {
        tree::replace(object, "const", ("enum", Value::Sequence(vec![word])));
    }
    object.remove("propertyNames");
    // Examples of a schema are a list; those of a body have names, in 3.0 as well.
    if let Some(example) = object.get("examples").and_then(Value::as_sequence).and_then(|all| all.first()).cloned() {
        tree::replace(object, "examples", ("example", example));
    }
    nullable_type(object);
    nullable_reference(object, schemas);
    bare_alternatives(object);
    described_reference(object);
}

/// `type: [string, null]` is `type: string` and `nullable: true`.
fn nullable_type(object: &mut Mapping) {
    let Some(types) = object.get("type").and_then(Value::as_sequence) else { return };
    let Some(kind) = types.iter().find(|kind| kind.as_str() != Some("null")).cloned() else { return };
    object.insert(text("type"), kind);
    object.insert(text("nullable"), Value::Bool(true));
}

/// `oneOf` of a reference and null is `allOf` of the reference, and `nullable: true`.
fn nullable_reference(object: &mut Mapping, schemas: &Mapping) {
    let Some([reference, null]) = object.get("oneOf").and_then(Value::as_sequence).map(Vec::as_slice) else { return };
    if null.get("type").and_then(Value::as_str) != Some("null") {
        return;
    }
    // `nullable` counts beside a `type` alone.
    let kind = tree::referred(reference).and_then(|name| schemas.get(name)?.get("type")).cloned();
    let parts = Value::Sequence(vec![reference.clone()]);
    tree::replace(object, "oneOf", ("allOf", parts));
    object.insert(text("type"), kind.unwrap_or_else(|| text("object")));
    object.insert(text("nullable"), Value::Bool(true));
}

/// Alternatives are references alone, so that the discriminator finds them.
fn bare_alternatives(object: &mut Mapping) {
    for alternative in object.get_mut("oneOf").and_then(Value::as_sequence_mut).into_iter().flatten() {
        if let Some(name) = tree::referred(alternative).map(ToOwned::to_owned) {
            *alternative = Value::Mapping(tree::reference(&name));
        }
    }
}

/// A reference has no members beside it in 3.0, so one with a description is wrapped.
fn described_reference(object: &mut Mapping) {
    let is_schema = object.get("$ref").and_then(Value::as_str).is_some_and(|address| tree::name_of(address).is_some());
    if !is_schema || object.len() == 1 {
        return;
    }
    let Some(address) = object.remove("$ref") else { return };
    let reference = tree::object([("$ref", address)]);
    object.insert(text("allOf"), Value::Sequence(vec![Value::Mapping(reference)]));
}
