//! A contract as a tree, for passes that work on every schema alike. It keeps the order of members,
//! so that the contract reads in the order in which it was written.

use std::collections::BTreeSet;

pub(super) use yaml_serde::{Mapping, Value};

/// Where schemas are in a contract.
const SCHEMAS: &str = "#/components/schemas/";

/// Members whose values are data and no schemas.
const DATA: [&str; 7] = ["const", "default", "enum", "example", "examples", "mapping", "required"];

/// A text as a value.
pub(super) fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

/// An object with these members.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Mapping {
    members.into_iter().map(|(name, value)| (text(name), value)).collect()
}

/// A reference to a schema.
pub(super) fn reference(name: &str) -> Mapping {
    object([("$ref", text(format!("{SCHEMAS}{name}")))])
}

/// The name of the schema that `value` refers to.
pub(super) fn referred(value: &Value) -> Option<&str> {
    name_of(value.get("$ref")?.as_str()?)
}

/// The name of the schema at this address.
pub(super) fn name_of(address: &str) -> Option<&str> {
    address.strip_prefix(SCHEMAS)
}

/// The schemas of a contract by name.
pub(super) fn schemas(document: &Value) -> &Mapping {
    document["components"]["schemas"].as_mapping().expect("a contract has schemas")
}

/// The schemas of a contract by name, to change them.
pub(super) fn schemas_mut(document: &mut Value) -> &mut Mapping {
    document["components"]["schemas"].as_mapping_mut().expect("a contract has schemas")
}

/// Adds members at the end.
pub(super) fn extend(object: &mut Mapping, members: Mapping) {
    for (name, value) in members {
        object.insert(name, value);
    }
}

/// The texts in the list `object[name]`; none if there is no such list.
pub(super) fn texts<'a>(object: &'a Mapping, name: &str) -> impl Iterator<Item = &'a str> {
    object.get(name).and_then(Value::as_sequence).into_iter().flatten().filter_map(Value::as_str)
}

/// Puts another member into the place of `old`, if there is one.
pub(super) fn replace(object: &mut Mapping, old: &str, (new, value): (&str, Value)) {
    let renamed = |(name, kept): (Value, Value)| {
        if name.as_str() == Some(old) { (text(new), value.clone()) } else { (name, kept) }
    };
    *object = std::mem::take(object).into_iter().map(renamed).collect();
}

/// Visits every object of the contract, a whole before its parts, but no data such as examples.
pub(super) fn visit(value: &mut Value, each: &mut impl FnMut(&mut Mapping)) {
    match value {
        Value::Mapping(members) => {
            each(members);
            for (name, member) in members {
                match name.as_str() {
                    Some(name) if DATA.contains(&name) => {}
                    // A property may have any name.
                    Some("properties") => {
                        let properties = member.as_mapping_mut().into_iter().flat_map(Mapping::values_mut);
                        properties.for_each(|property| visit(property, each));
                    }
                    Some(_) | None => visit(member, each),
                }
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| visit(item, each)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

/// The names of the schemas that `value` refers to directly.
pub(super) fn references(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    visit(&mut value.clone(), &mut |object| {
        let address = object.get("$ref").and_then(Value::as_str);
        found.extend(address.and_then(name_of).map(ToOwned::to_owned));
    });
    found
}

/// The names of the schemas that are reached from those in `start`, with these.
pub(super) fn closure(schemas: &Mapping, start: BTreeSet<String>) -> BTreeSet<String> {
    let (mut reached, mut next) = (BTreeSet::new(), Vec::from_iter(start));
    while let Some(name) = next.pop() {
        if reached.insert(name.clone())
            && let Some(schema) = schemas.get(&name)
        {
            next.extend(references(schema));
        }
    }
    reached
}

/// Every operation of the contract, without those of webhooks.
pub(super) fn operations_mut(document: &mut Value) -> impl Iterator<Item = &mut Mapping> {
    let paths = document["paths"].as_mapping_mut().into_iter().flat_map(Mapping::values_mut);
    let operations = paths.filter_map(Value::as_mapping_mut).flat_map(Mapping::values_mut);
    operations.filter_map(Value::as_mapping_mut)
}
