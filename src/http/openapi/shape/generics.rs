//! Instances of generic types. utoipa calls one `Page_Task` and repeats the argument's schema in it;
//! in the contract it is `TaskPage` and refers to `Task`.

use super::super::tree::{self, Value, reference, text};

/// Names the instances, and lets them refer to their arguments.
pub(super) fn name(document: &mut Value) {
    let schemas = tree::schemas(document).clone();
    let mut renamed = Vec::new();
    super::each_schema(document, |name, schema| {
        let mut parts = name.split('_');
        let (generic, arguments) = (parts.next().unwrap_or_default(), parts.collect::<Vec<_>>());
        let Some(first) = arguments.first() else { return };
        for argument in arguments.iter().filter_map(|name| Some((*name, schemas.get(name)?))) {
            refer(schema, argument);
        }
        renamed.push((name.to_owned(), name_of_instance(generic, first)));
    });
    for (old, new) in renamed {
        rename(document, &old, &new);
    }
}

fn name_of_instance(generic: &str, argument: &str) -> String {
    match (generic, argument) {
        ("ProofView", "Origin") => "TaskProof".to_owned(),
        ("ProofView", "PartnerOrigin") => "PartnerProof".to_owned(),
        ("PageWithGaps", _) => format!("{argument}Page"),
        _ => format!("{argument}{generic}"),
    }
}

/// Replaces copies of the argument by references to it.
fn refer(value: &mut Value, (name, schema): (&str, &Value)) {
    match value {
        value if value == schema => *value = Value::Mapping(reference(name)),
        Value::Mapping(members) => members.values_mut().for_each(|member| refer(member, (name, schema))),
        Value::Sequence(items) => items.iter_mut().for_each(|item| refer(item, (name, schema))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

/// Renames a schema, with every reference to it.
fn rename(document: &mut Value, old: &str, new: &str) {
    tree::visit(document, &mut |object| {
        if object.get("$ref").and_then(Value::as_str).and_then(tree::name_of) == Some(old) {
            tree::extend(object, reference(new));
        }
    });
    let schema = tree::schemas(document)[old].clone();
    tree::replace(tree::schemas_mut(document), old, (new, schema));
    debug_assert!(tree::schemas(document).get(text(new)).is_some());
}
