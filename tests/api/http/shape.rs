//! What generators of clients need of the contract: one credential, one type per answer, unions that say which
//! alternative it is, words that may grow, and no null where a member can be absent.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stagegate::http::openapi;

/// Words of answers that are complete, beside what a party defines itself.
const COMPLETE: [&str; 7] = ["Party", "Source", "Verdict", "Assurance", "ClockKind", "OpenMode", "Submission"];

fn contract() -> Value {
    serde_json::to_value(openapi::document()).unwrap()
}

fn schemas(contract: &Value) -> impl Iterator<Item = (&str, &Value)> {
    contract["components"]["schemas"].as_object().unwrap().iter().map(|(name, schema)| (name.as_str(), schema))
}

fn operations(contract: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = contract["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

/// The name of the schema that `value` refers to.
fn referred(value: &Value) -> Option<&str> {
    value["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

/// Visits every object in `value` but those in examples.
fn walk<'a>(value: &'a Value, place: &str, visit: &mut dyn FnMut(&str, &'a Value)) {
    match value {
        Value::Object(members) => {
            visit(place, value);
            for (name, member) in members.iter().filter(|(name, _)| !name.starts_with("example")) {
                walk(member, &format!("{place}/{name}"), visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, place, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The names of the schemas that are reached from these parts of every operation.
fn reached(contract: &Value, parts: &[&str]) -> BTreeSet<String> {
    let mut next: Vec<&Value> =
        operations(contract).flat_map(|(_, operation)| parts.iter().map(|part| &operation[*part])).collect();
    let mut found = BTreeSet::new();
    while let Some(value) = next.pop() {
        walk(value, "", &mut |_, object| {
            let Some(address) = object["$ref"].as_str() else { return };
            let target = contract.pointer(&address[1..]).unwrap();
            if referred(object).is_none_or(|name| found.insert(name.to_owned())) {
                next.push(target);
            }
        });
    }
    found
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn allows_null(schema: &Value) -> bool {
    let is_null = |kind: &Value| kind == "null";
    is_null(&schema["type"])
        || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(is_null))
        || schema["oneOf"].as_array().is_some_and(|all| all.iter().any(|one| is_null(&one["type"])))
}

#[test]
fn one_scheme_stands_for_every_credential() {
    let contract = contract();
    let schemes = contract["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["bearer"]);
    for (place, operation) in operations(&contract) {
        let is_open = operation["x-parties"].is_null();
        let expected = if is_open { json!([{}]) } else { json!([{ "bearer": [] }]) };
        assert_eq!(operation["security"], expected, "{place}");
    }
}

#[test]
fn an_operation_succeeds_with_one_type() {
    let contract = contract();
    for (place, operation) in operations(&contract) {
        let responses = operation["responses"].as_object().unwrap();
        let contents = responses.iter().filter(|(status, _)| status.starts_with('2')).filter_map(|(_, response)| {
            let content = response["content"].as_object()?;
            assert_eq!(content.len(), 1, "{place}");
            content.iter().next().map(|(kind, content)| (kind.clone(), content["schema"].to_string()))
        });
        assert!(contents.collect::<BTreeSet<_>>().len() <= 1, "{place}");
        for status in ["405", "414", "431"] {
            assert!(responses.contains_key(status), "{place}: {status}");
        }
    }
}

#[test]
fn every_union_of_objects_says_which_alternative_it_is() {
    let contract = contract();
    let mut unions = 0;
    walk(&contract, "", &mut |place, object| {
        let Some(all) = object["oneOf"].as_array() else { return };
        if all.len() == 2 && all[1]["type"] == "null" {
            return;
        }
        if all.iter().all(|alternative| alternative["type"].is_string() && alternative["type"] != "object") {
            // A number or a word: its type says which.
            return;
        }
        unions += 1;
        let member = object["discriminator"]["propertyName"].as_str().unwrap_or_else(|| panic!("{place}"));
        let mapping = object["discriminator"]["mapping"].as_object().unwrap();
        assert_eq!(mapping.len(), all.len(), "{place}");
        for alternative in all {
            let name = referred(alternative).unwrap_or_else(|| panic!("{place}: {alternative} has no name"));
            let schema = &contract["components"]["schemas"][name];
            let word = schema["properties"][member]["const"].as_str().unwrap_or_else(|| panic!("{place}: {name}"));
            assert_eq!(mapping[word], alternative["$ref"], "{place}: {name}");
            assert!(schema["required"].as_array().unwrap().contains(&json!(member)), "{place}: {name}");
        }
    });
    assert!(unions >= 6, "only {unions} unions found");
}

#[test]
fn nothing_that_is_sent_is_null_and_nothing_optional_either() {
    let contract = contract();
    let sent = reached(&contract, &["parameters", "requestBody"]);
    let mut wrong = Vec::new();
    for (name, schema) in schemas(&contract) {
        walk(schema, name, &mut |place, object| {
            if sent.contains(name) && allows_null(object) {
                wrong.push(place.to_owned());
            }
            for (member, property) in object["properties"].as_object().into_iter().flatten() {
                let is_required = object["required"].as_array().is_some_and(|all| all.contains(&json!(member)));
                if !is_required && allows_null(property) {
                    wrong.push(format!("{place}/{member}"));
                }
            }
        });
    }
    for (place, operation) in operations(&contract) {
        walk(&operation["parameters"], &place, &mut |place, object| {
            if allows_null(object) {
                wrong.push(place.to_owned());
            }
        });
    }
    none(&wrong);
}

#[test]
fn words_in_answers_may_grow() {
    let contract = contract();
    let sent = reached(&contract, &["parameters", "requestBody"]);
    let (mut wrong, mut open) = (Vec::new(), 0);
    for (name, schema) in schemas(&contract) {
        walk(schema, name, &mut |place, object| {
            let closed = object.get("enum").is_some();
            if closed && !sent.contains(name) && !COMPLETE.contains(&name) {
                wrong.push(place.to_owned());
            }
            if object.get("x-extensible-enum").is_some() {
                open += 1;
                assert!(object["type"] == "string" && !closed && !sent.contains(name), "{place}");
            }
            let words = object["enum"].as_array().map_or(2, Vec::len);
            assert!(words > 1 || place.contains("/oneOf"), "{place}: one word is a const");
        });
    }
    assert!(open > 20, "only {open} words may grow");
    none(&wrong);
}

#[test]
fn schemas_are_used_named_once_and_collide_with_no_member() {
    let contract = contract();
    let mut used = reached(&contract, &["parameters", "requestBody", "responses"]);
    walk(&contract["webhooks"], "", &mut |_, object| used.extend(referred(object).map(ToOwned::to_owned)));
    let names: BTreeSet<_> = schemas(&contract).map(|(name, _)| name).collect();
    let mut wrong = Vec::new();
    for (name, schema) in schemas(&contract) {
        // Those of webhooks lead on.
        let of_webhooks = ["WebhookTest"];
        if !used.contains(name) && !of_webhooks.contains(&name) {
            wrong.push(format!("{name} is not used"));
        }
        if schema.get("title").is_some() || name.contains('_') || schema.get("allOf").is_some() {
            wrong.push(format!("{name}: a title, an underscore or parts"));
        }
        for (member, property) in schema["properties"].as_object().into_iter().flatten() {
            // Generators name the type of a member like this, unless it has a schema.
            let generated = format!("{name}{}", pascal_case(member));
            if names.contains(generated.as_str()) && referred(property) != Some(&generated) {
                wrong.push(format!("{name}.{member} collides with {generated}"));
            }
        }
    }
    none(&wrong);
}

fn pascal_case(word: &str) -> String {
    let parts = word.split('_').map(|part| part[..1].to_uppercase() + &part[1..]);
    parts.collect()
}

#[test]
fn pages_refer_to_their_rows() {
    let contract = contract();
    let pages = schemas(&contract).filter(|(name, _)| name.ends_with("Page"));
    let mut seen = 0;
    for (name, page) in pages {
        assert_eq!(referred(&page["properties"]["items"]["items"]), name.strip_suffix("Page"), "{name}");
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} pages");
}

#[test]
fn the_flavour_for_older_generators_has_nothing_of_3_1() {
    let old = serde_json::to_value(openapi::document().in_3_0()).unwrap();
    assert_eq!(old["openapi"], "3.0.3");
    assert!(old.get("webhooks").is_none() && old["info"]["license"].get("identifier").is_none());
    let whole = contract();
    assert_eq!(operations(&old).count(), operations(&whole).count());
    walk(&old, "", &mut |place, object| {
        if place.ends_with("/properties") || place.ends_with("/mapping") {
            return;
        }
        assert!(object.get("const").is_none() && !object["type"].is_array() && object["type"] != "null", "{place}");
        let members = object.as_object().unwrap().len();
        assert!(object["$ref"].is_null() || members == 1, "{place}: something beside a reference");
    });
}
