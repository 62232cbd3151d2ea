//! Unions and compositions of objects. Every alternative has a name, a member with one value that
//! selects it, and an entry in the union's discriminator; a flattened part is joined with its whole.

use super::super::tree::{self, Mapping, Value, object, reference, text};

/// Joins the parts of `allOf` into one object.
pub(super) fn join_parts(document: &mut Value) {
    let schemas = tree::schemas(document).clone();
    super::each_schema(document, |_, schema| *schema = joined(&schemas, schema));
}

fn joined(schemas: &Mapping, schema: &Value) -> Value {
    let Some(parts) = schema.get("allOf").and_then(Value::as_sequence) else { return schema.clone() };
    let (mut required, mut properties, mut closed) = (Vec::new(), Mapping::new(), None);
    for part in parts {
        let part = match tree::referred(part).and_then(|name| schemas.get(name)) {
            Some(referred) => joined(schemas, referred),
            None => joined(schemas, part),
        };
        required.extend(part.get("required").and_then(Value::as_sequence).cloned().unwrap_or_default());
        tree::extend(&mut properties, super::properties(&part).cloned().unwrap_or_default());
        closed = closed.or_else(|| part.get("additionalProperties").cloned());
    }
    let mut whole = object([("type", text("object"))]);
    let described = schema.get("description").map(|description| (text("description"), description.clone()));
    whole.extend(described);
    whole.insert(text("required"), Value::Sequence(required));
    whole.insert(text("properties"), Value::Mapping(properties));
    whole.extend(closed.map(|closed| (text("additionalProperties"), closed)));
    Value::Mapping(whole)
}

/// Gives every alternative of a union a schema of its own, and makes words of one value constants.
pub(super) fn name_variants(document: &mut Value) {
    let mut named = Mapping::new();
    super::each_schema(document, |union, schema| {
        for variant in schema.get_mut("oneOf").and_then(Value::as_sequence_mut).into_iter().flatten() {
            if let Some((_, word)) = tag(variant) {
                let name = format!("{union}{}", pascal_case(word));
                let schema = std::mem::replace(variant, Value::Mapping(reference(&name)));
                named.insert(text(name), schema);
            }
        }
    });
    tree::extend(tree::schemas_mut(document), named);
    super::each_schema(document, |_, schema| {
        let properties = schema.get_mut("properties").and_then(Value::as_mapping_mut);
        for property in properties.into_iter().flat_map(Mapping::values_mut).filter_map(Value::as_mapping_mut) {
            let only = only_word(property).map(text);
            if let Some(word) = only {
                tree::replace(property, "enum", ("const", word));
            }
        }
    });
}

/// Adds the discriminator of every union of objects.
pub(super) fn discriminate(document: &mut Value) {
    let schemas = tree::schemas(document).clone();
    tree::visit(document, &mut |object| {
        let variants: Option<Vec<&str>> =
            object.get("oneOf").and_then(Value::as_sequence).and_then(|all| all.iter().map(tree::referred).collect());
        let Some(variants) = variants else { return };
        let tags: Option<Vec<_>> = variants.iter().map(|name| tag(schemas.get(name)?)).collect();
        let Some(tags) = tags else { return };
        let Some((member, _)) = tags.first().copied() else { return };
        let mapping = tags.iter().zip(&variants).filter_map(|((_, word), name)| {
            let target = reference(name).remove("$ref")?;
            Some((text(*word), target))
        });
        let discriminator = [("propertyName", text(member)), ("mapping", Value::Mapping(mapping.collect()))];
        object.insert(text("discriminator"), Value::Mapping(tree::object(discriminator)));
    });
}

/// The member that selects an alternative, with its word.
fn tag(variant: &Value) -> Option<(&str, &str)> {
    let (name, tag) = super::properties(variant)?.iter().find_map(|(name, property)| {
        let property = property.as_mapping()?;
        let word = property.get("const").and_then(Value::as_str).or_else(|| only_word(property))?;
        Some((name.as_str()?, word))
    })?;
    let required = variant.as_mapping().into_iter().flat_map(|variant| tree::texts(variant, "required"));
    required.into_iter().any(|member| member == name).then_some((name, tag))
}

fn only_word(property: &Mapping) -> Option<&str> {
    match property.get("enum")?.as_sequence()?.as_slice() {
        [word] => word.as_str(),
        _ => None,
    }
}

fn pascal_case(word: &str) -> String {
    let capitalized =
        |part: &str| part.chars().take(1).flat_map(char::to_uppercase).chain(part.chars().skip(1)).collect();
    word.split(['_', '.']).map(capitalized).collect::<Vec<String>>().concat()
}
