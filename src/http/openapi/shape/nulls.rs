//! Optional members are absent. The service takes null for an absent member of a request as well,
//! but a schema with both ways makes clients ask which one is meant. A member that is always there
//! and can be null is required.

use std::collections::BTreeSet;

use super::super::tree::{self, Mapping, Value, text};

/// Removes null from optional members, parameters and headers.
pub(super) fn remove(document: &mut Value) {
    tree::visit(document, &mut |object| {
        let required: BTreeSet<_> = tree::texts(object, "required").map(ToOwned::to_owned).collect();
        for (name, property) in object.get_mut("properties").and_then(Value::as_mapping_mut).into_iter().flatten() {
            if name.as_str().is_some_and(|name| required.contains(name)) {
                describe_whole(property);
            } else {
                without_null(property);
            }
        }
        if let Some(schema) = object.get_mut("schema") {
            without_null(schema);
        }
    });
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

fn without_null(schema: &mut Value) {
    let alternatives = schema.get("oneOf").and_then(Value::as_sequence);
    if let Some([one, other]) = alternatives.map(Vec::as_slice)
        && (is_null(one) || is_null(other))
    {
        let kept = if is_null(one) { other.clone() } else { one.clone() };
        *schema = kept;
    }
    if let Some(types) = schema.get("type").and_then(Value::as_sequence)
        && let [only] = types.iter().filter(|kind| kind.as_str() != Some("null")).collect::<Vec<_>>().as_slice()
    {
        schema["type"] = (*only).clone();
    }
}

/// Moves the description of a member that can be null from its first alternative to the whole.
fn describe_whole(schema: &mut Value) {
    let Some(object) = schema.as_mapping_mut() else { return };
    let Some([first, second]) = object.get_mut("oneOf").and_then(Value::as_sequence_mut).map(Vec::as_mut_slice) else {
        return;
    };
    if !is_null(second) {
        return;
    }
    if let Some(description) = first.as_mapping_mut().and_then(|first: &mut Mapping| first.remove("description")) {
        object.insert(text("description"), description);
    }
}
