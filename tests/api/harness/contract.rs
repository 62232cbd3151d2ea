//! Every answer against the contract: its status is documented, its type too, and its body is what the schema says,
//! no more.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::service::Answer;

/// An operation of the contract.
#[derive(Clone, Debug)]
pub struct Operation {
    /// `GET`, `PUT` …
    pub method: String,
    /// With its parameters in braces.
    pub path: String,
    /// Its name.
    pub id: String,
    /// The parties that it is open to; empty: anyone.
    pub parties: BTreeSet<String>,
    /// The scopes that admit a partner's key: any of them.
    pub scopes: BTreeSet<String>,
    declared: Value,
}

/// All of them.
pub fn operations() -> &'static [Operation] {
    &CONTRACT.operations
}

/// Fails unless the answer to `method path` is one that the contract announces.
pub fn check(method: &str, path: &str, answer: &Answer) {
    // Pages for people, in no contract.
    if path == "/docs" || path.starts_with("/docs/") || ["/llms.txt", "/skill.md"].contains(&path) {
        return;
    }
    let asked = format!("{method} {path} -> {}: {}", answer.status, answer.text);
    assert!(answer.headers.contains_key("x-request-id"), "{asked}: no X-Request-Id");
    // The tools for agents, in no contract. What is refused before the protocol is a problem.
    if path == "/mcp" {
        if media_type(answer).contains("problem") {
            CONTRACT.check_problem(method, answer, &asked);
        }
        return;
    }
    let here: Vec<_> = operations().iter().filter(|operation| is_at(&operation.path, path)).collect();
    let wanted = if method == "HEAD" { "GET" } else { method };
    let Some(operation) = here.iter().find(|operation| operation.method == wanted) else {
        let expected = if here.is_empty() { 404 } else { 405 };
        assert_eq!(answer.status, expected, "{asked}: not in the contract");
        assert!(expected == 404 || answer.headers.contains_key("allow"), "{asked}: no Allow");
        return CONTRACT.check_problem(method, answer, &asked);
    };
    let response = &operation.declared["responses"][answer.status.to_string()];
    assert!(!response.is_null(), "{asked}: {} does not document this status", operation.id);
    let content = CONTRACT.resolve(response)["content"].as_object().cloned().unwrap_or_default();
    if method == "HEAD" || content.is_empty() {
        assert!(answer.text.is_empty(), "{asked}: a body where none is documented");
        return;
    }
    let essence = media_type(answer);
    let Some(documented) = content.get(&essence) else {
        panic!("{asked}: {} does not document the type {essence}", operation.id);
    };
    if essence.ends_with("json") {
        let place = format!("{} {} {} {essence}", operation.method, operation.path, answer.status);
        CONTRACT.validate(place, &documented["schema"], &answer.body, &asked);
    }
    if answer.status >= 400 {
        CONTRACT.check_problem(method, answer, &asked);
    }
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

struct Contract {
    document: Value,
    /// The components, with every object closed that is not part of a larger one.
    components: Value,
    operations: Vec<Operation>,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    fn read() -> Self {
        let document = serde_json::to_value(stagegate::http::openapi::document()).unwrap();
        let mut components = json!({ "schemas": document["components"]["schemas"] });
        let mut parts = BTreeSet::new();
        find_parts(&document, &mut parts);
        for (name, schema) in components["schemas"].as_object_mut().unwrap() {
            close(schema, parts.contains(name));
            // The words known now are all that this version sends.
            if let Some(words) = schema.get("x-extensible-enum").cloned() {
                schema["enum"] = words;
            }
        }
        let operations = operations_of(&document);
        Self { document, components, operations, compiled: Mutex::default() }
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        self.document.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} is not in the contract"))
    }

    fn check_problem(&self, method: &str, answer: &Answer, asked: &str) {
        if method == "HEAD" {
            return;
        }
        assert_eq!(media_type(answer), "application/problem+json", "{asked}");
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        self.validate("problem".to_owned(), &schema, &answer.body, asked);
        assert_eq!(answer.body["status"], answer.status, "{asked}");
        assert_eq!(answer.body["request_id"], answer.headers["x-request-id"].to_str().unwrap(), "{asked}");
    }

    fn validate(&self, place: String, schema: &Value, body: &Value, asked: &str) {
        let validator = {
            let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(compiled.entry(place).or_insert_with(|| Arc::new(self.compile(schema))))
        };
        let errors: Vec<String> =
            validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{asked}\nis not what the contract says: {errors:#?}");
    }

    fn compile(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        close(&mut schema, false);
        let whole = json!({ "allOf": [schema], "components": self.components });
        jsonschema::draft202012::options().should_validate_formats(true).build(&whole).unwrap()
    }
}

fn operations_of(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, declared) in item.as_object().unwrap() {
            let words = |name: &str| -> BTreeSet<String> {
                declared[name].as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
            };
            let (parties, scopes) = (words("x-parties"), words("x-scopes"));
            let id = declared["operationId"].as_str().unwrap().to_owned();
            let (method, path) = (method.to_uppercase(), path.clone());
            operations.push(Operation { method, path, id, parties, scopes, declared: declared.clone() });
        }
    }
    assert!(operations.len() > 20, "the contract is not read as it should be");
    operations
}

fn is_at(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let fits = |(template, part): (&&str, &&str)| {
        if template.starts_with('{') { !part.is_empty() } else { template == part }
    };
    template.len() == path.len() && template.iter().zip(&path).all(fits)
}

fn media_type(answer: &Answer) -> String {
    let value = answer.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_owned()
}

/// The schemas that are parts of others by `allOf`: on their own they do not know all members.
fn find_parts(value: &Value, parts: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for part in members.get("allOf").and_then(Value::as_array).into_iter().flatten() {
                if let Some(reference) = part["$ref"].as_str() {
                    parts.insert(reference.rsplit('/').next().unwrap().to_owned());
                }
            }
            members.values().for_each(|member| find_parts(member, parts));
        }
        Value::Array(items) => items.iter().for_each(|item| find_parts(item, parts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Objects have the members that the contract lists and no others.
fn close(schema: &mut Value, is_part: bool) {
    let Value::Object(members) = schema else { return };
    let lists = members.contains_key("properties") || members.contains_key("allOf");
    let open = members.contains_key("additionalProperties") || members.contains_key("propertyNames");
    if lists && !open && !is_part {
        members.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
    for_each_part(members, "allOf", |part| close(part, true));
    for_each_part(members, "oneOf", |part| close(part, is_part));
    for_each_part(members, "anyOf", |part| close(part, is_part));
    if let Some(items) = members.get_mut("items") {
        close(items, false);
    }
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        properties.values_mut().for_each(|property| close(property, false));
    }
}

fn for_each_part(members: &mut Map<String, Value>, name: &str, each: impl Fn(&mut Value)) {
    if let Some(Value::Array(parts)) = members.get_mut(name) {
        parts.iter_mut().for_each(each);
    }
}
