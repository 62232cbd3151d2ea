//! The contract: it is the file that is checked in, it is complete, and what it shows as examples is what it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use stagegate::http::openapi;
use stagegate::http::problem::Code;
use tower::ServiceExt as _;

use crate::harness::service::Service;

fn contract() -> Value {
    serde_json::to_value(openapi::document()).unwrap()
}

fn checked_in() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.yaml")).unwrap()
}

#[test]
fn openapi_is_current() {
    assert!(openapi::document().to_yaml().unwrap() == checked_in(), "openapi.yaml is old: ./test --update writes it");
}

#[tokio::test]
async fn the_contract_served_is_the_one_checked_in() {
    let service = Service::start().await;
    let request = Request::get("/openapi.yaml").header("host", "x").body(Body::empty()).unwrap();
    let answer = service.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/yaml");
    let served = to_bytes(answer.into_body(), 10_000_000).await.unwrap();
    assert!(served == checked_in().as_bytes());
}

#[test]
fn every_operation_is_described() {
    let contract = contract();
    assert_eq!(contract["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (place, operation) in operations(&contract) {
        for word in ["operationId", "summary"] {
            assert!(operation[word].as_str().is_some_and(|text| !text.is_empty()), "{place}: {word}");
        }
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{place}: its id is taken");
        assert!(operation["tags"][0].is_string() && operation["security"].is_array(), "{place}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{place}: no success");
        assert!(answers.keys().any(|status| status.starts_with('5')), "{place}: no errors");
        for (status, answer) in answers {
            let answer = resolve(&contract, answer);
            assert!(answer["description"].as_str().is_some_and(|text| !text.is_empty()), "{place}: {status}");
            let problem = answer["content"].get("application/problem+json").is_some();
            assert_eq!(status.starts_with(['4', '5']), problem, "{place}: {status}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string() && parameter["schema"].is_object(), "{place}: {parameter}");
        }
    }
}

#[test]
fn every_error_code_has_its_status_and_meaning() {
    let contract = contract();
    for code in Code::ALL {
        let status = code.status();
        let shared = status.canonical_reason().unwrap().replace(' ', "");
        let text = contract["components"]["responses"][&shared]["description"].as_str().unwrap();
        assert!(text.contains(&format!("`{}`: {}", code.as_str(), code.meaning())), "{code:?}");
    }
}

#[test]
fn every_property_says_what_it_is() {
    let contract = contract();
    let mut silent = Vec::new();
    for (name, schema) in contract["components"]["schemas"].as_object().unwrap() {
        if schema["description"].is_null() {
            silent.push(name.clone());
        }
        walk(schema, name, &mut |place, schema| {
            for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
                let described = [schema, &schema["oneOf"][0], resolve(&contract, schema)];
                if described.iter().all(|schema| schema["description"].is_null()) {
                    silent.push(format!("{place}/{property}"));
                }
            }
        });
    }
    assert!(silent.is_empty(), "without a description: {silent:#?}");
}

/// What a client sends must be bounded by the contract: no text without a form or a length, no list without an end,
/// no object with room for more.
#[test]
fn every_limit_of_what_is_sent_is_stated() {
    let contract = contract();
    let mut open = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next: Vec<(String, &Value)> = operations(&contract)
        .filter_map(|(place, operation)| {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            (!schema.is_null()).then_some((place, schema))
        })
        .collect();
    assert!(next.len() >= 5, "only {} operations take a body", next.len());
    while let Some((place, schema)) = next.pop() {
        walk(schema, &place, &mut |place, schema| {
            if let Some(name) = schema["$ref"].as_str()
                && seen.insert(name)
            {
                next.push((name.to_owned(), resolve(&contract, schema)));
            }
            let is = |kind: &str| {
                schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!(kind)))
            };
            let has = |words: &[&str]| words.iter().any(|word| schema.get(word).is_some());
            let bounded = (!is("string") || has(&["const", "enum", "format", "pattern", "maxLength"]))
                && (!is("integer") || has(&["minimum"]))
                && (!is("array") || has(&["maxItems"]))
                && (!is("object") || !has(&["properties"]) || schema["additionalProperties"] == false);
            if !bounded {
                open.push(format!("{place}: {schema}").chars().take(200).collect::<String>());
            }
        });
    }
    assert!(open.is_empty(), "without a limit: {open:#?}");
}

#[test]
fn every_example_is_what_its_schema_says() {
    let contract = contract();
    let mut checked = 0;
    let mut check = |place: &str, schema: &Value, example: &Value| {
        // The references of a part lead into the whole.
        let mut root = json!({ "components": contract["components"], "allOf": [schema] });
        root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        let validator = jsonschema::validator_for(&root).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(example).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{place}: {example}: {errors:#?}");
        checked += 1;
    };
    walk(&contract, "", &mut |place, node| {
        if place.contains("/example") {
            return;
        }
        let schema = node.get("schema").unwrap_or(node);
        if let Some(example) = node.get("example") {
            check(place, schema, example);
        }
        for (name, example) in node["examples"].as_object().into_iter().flatten() {
            check(&format!("{place}/{name}"), schema, &example["value"]);
        }
    });
    assert!(checked > 30, "only {checked} examples found");
}

fn operations(contract: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = contract["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

fn resolve<'a>(contract: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => contract.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// Visits every object in `value`, with its place.
fn walk<'a>(value: &'a Value, place: &str, visit: &mut dyn FnMut(&str, &'a Value)) {
    match value {
        Value::Object(members) => {
            visit(place, value);
            for (name, member) in members {
                walk(member, &format!("{place}/{name}"), visit);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{place}/{index}"), visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
