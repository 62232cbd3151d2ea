//! The contract: the declarations of the handlers, plus everything that holds for all of them.
//!
//! Handlers declare their path, body, successful responses, security and specific errors. This
//! module adds the errors that follow from an operation's shape, and the form of every error. `shape`
//! then brings the whole into the form that is published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    Components, Content, HeaderBuilder, InfoBuilder, License, Object, ObjectBuilder, OpenApi, OpenApiBuilder, Ref,
    RefOr, Required, Response, ResponseBuilder, Schema, Tag, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::values::scope::{Scope, Scopes};

use super::input::body;
use super::problem::{self, Code, Problem};
use super::{AppState, routes};

mod delivered;
pub(super) mod scopes;
mod shape;
mod tree;
mod v3_0;
pub(super) mod writes;

use scopes::READ;

/// The contract, serialized.
#[derive(Debug)]
pub(super) struct Contract {
    yaml: String,
    json: String,
    json_3_0: String,
}

/// A contract in the form in which it is published.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Document(tree::Value);

impl Document {
    /// The contract as YAML.
    ///
    /// # Errors
    ///
    /// Never: a contract has only text as keys.
    pub fn to_yaml(&self) -> Result<String, yaml_serde::Error> {
        yaml_serde::to_string(&self.0)
    }

    /// The contract as JSON.
    ///
    /// # Errors
    ///
    /// Never: a contract has only text as keys.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&self.0)
    }

    /// The contract as JSON for people.
    ///
    /// # Errors
    ///
    /// Never: a contract has only text as keys.
    pub fn to_pretty_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&self.0)
    }

    /// The same contract in OpenAPI 3.0.
    #[must_use]
    pub fn in_3_0(&self) -> Self {
        Self(v3_0::downgrade(self.0.clone()))
    }
}

/// The contract of all routes. OpenAPI 3.1.
pub fn document() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
        let declared = yaml_serde::to_value(declared()).expect("the contract has only text as keys");
        Document(shape::shape(declared))
    });
    &DOCUMENT
}

/// The contract as the handlers declare it: with a security scheme for each party, which the service
/// enforces.
pub(super) fn declared() -> OpenApi {
    complete(routes().into_openapi())
}

/// The document that the routes' declarations are merged into.
pub(super) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Stagegate")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(INTRODUCTION))
        .license(Some(License::builder().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let tags = TAGS.iter().map(|(name, text)| {
        let mut tag = Tag::new(*name);
        tag.description = Some((*text).to_owned());
        tag
    });
    OpenApiBuilder::new().info(info).tags(Some(tags)).build()
}

const INTRODUCTION: &str = "Approval workflows for the AITasker marketplace: stages, decisions and a trail that proves them.

Bodies are JSON with names in snake_case. Ids are UUIDs; times are RFC 3339 in UTC. Unknown fields and parameters, duplicate keys, lone
surrogates, NUL characters, numbers beyond ±(2^53 − 1) and nesting deeper than 32 levels are refused. `1.0` and `1e2` are integers.
Bodies have at most 1 MiB, or less where an operation says so.

A request may have at most 8 KiB of path and query together (`414`), 32 query parameters (`400`), 100 header fields and 64 KiB of
header in total (`431`). HTTP/1.1 requires one valid `Host` (`400`) and allows no transfer encoding but `chunked` (`501`).

Errors are `application/problem+json` (RFC 9457) with a stable `code`; the schema `Code` lists the codes. Every response carries
`X-Request-Id`; it repeats the request's own id if that has 1 to 100 letters, digits or `-_.:`. Only a request that cannot be parsed as
HTTP, or that has more than 64 KiB of header, gets a bare status (`400`, `414`, `431`) or no response; then the connection closes.

Partners may be spread over several cells, each with a database of its own, behind a gateway. A partner's key and a link name their
cell; any other request names it in the header `Stagegate-Cell`. Every response of a cell carries that header, too. A cell refuses a
request for another one (`421`), its keys (`401`) and its cursors (`400`). A service that is no cell has no such header.

A request carries exactly one credential. Resources of other parties do not exist for the caller: `404`.";

const TAGS: [(&str, &str); 12] = [
    ("workflows", "Workflows: sequences of stages that partners register. Versions are immutable."),
    ("tasks", "Tasks, and the commands that change them."),
    ("status", "The status of tasks, for buyers."),
    ("events", "The feed of events, for clients that keep a copy."),
    (
        "webhooks",
        "The same events, sent to the caller's endpoints: signed, in order per task, and retried until they are accepted.",
    ),
    ("erasures", "Erasure of one person's personal data from all tasks. All trails still verify afterwards."),
    ("audit", "The audit trail: who decided what, when and on which revision, with the hashes that prove it."),
    ("keys", "A partner's own keys, each limited to scopes, actors and a time."),
    ("absences", "Absences of a partner's people, each with the person who stands in."),
    ("links", "Links for people, who come in by a browser and without a credential."),
    ("partners", "Partners and their keys, managed by the platform."),
    ("operation", "For operators of the service. No credential is required."),
];

/// Method, path and id of every operation.
pub(super) fn operations(document: &OpenApi) -> impl Iterator<Item = (Method, String, String)> {
    let named = |(method, path, operation): (Method, &String, &Operation)| {
        Some((method, path.clone(), operation.operation_id.clone()?))
    };
    methods_and_paths(document).filter_map(named)
}

/// Every operation with its method and path.
pub(super) fn methods_and_paths(document: &OpenApi) -> impl Iterator<Item = (Method, &String, &Operation)> {
    let paths = document.paths.paths.iter();
    paths.flat_map(|(path, item)| methods(item).map(move |(method, operation)| (method, path, operation)))
}

/// The scopes of partners' keys that admit to an operation: any of them. `None` if it is not open
/// to partners.
pub(super) fn scopes_of(operation: &Operation) -> Option<Scopes> {
    let requirements = requirements_of(operation);
    let named: Vec<_> = requirements.iter().filter(|(scheme, _)| scheme == "partnerKey").collect();
    let scopes = named.iter().flat_map(|(_, scopes)| scopes.iter()).filter_map(|name| Scope::parse(name));
    (!named.is_empty()).then(|| scopes.collect())
}

fn methods(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let slots = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ];
    slots.into_iter().filter_map(|(method, operation)| operation.as_ref().map(|operation| (method, operation)))
}

fn complete(mut document: OpenApi) -> OpenApi {
    let mut components = document.components.take().unwrap_or_default();
    let mut schemas = vec![(problem::Body::name().into_owned(), problem::Body::schema())];
    problem::Body::schemas(&mut schemas);
    schemas.extend(delivered::schemas());
    components.schemas.extend(schemas);
    components.schemas.values_mut().for_each(describe_tags);
    close_definitions(&mut components);
    components.responses.extend(error_responses());
    document.components = Some(components);
    document.webhooks = Some(delivered::webhooks());
    for (path, item) in &mut document.paths.paths {
        item.get.iter_mut().for_each(declare_reading);
        let slots = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in slots.into_iter().flatten() {
            complete_operation(path, operation);
        }
    }
    document
}

/// The schemas of a workflow definition. Definitions are parsed by hand, with errors of their own,
/// so utoipa does not learn from serde that unknown fields are refused.
const DEFINITION: [&str; 13] = [
    "WorkflowDefinition",
    "TaskDeadline",
    "Quorum",
    "OnReject",
    "OnExhausted",
    "EscalationDefinition",
    "QuestionDefinition",
    "ReasonDefinition",
    "EscalationTimeout",
    "StageDeadlineDefinition",
    "StageTimeout",
    "PanelDefinition",
    "CancellationDefinition",
];

fn close_definitions(components: &mut Components) {
    for name in DEFINITION {
        match components.schemas.get_mut(name) {
            Some(RefOr::T(Schema::Object(object))) => close(object),
            Some(RefOr::T(Schema::OneOf(alternatives))) => alternatives.items.iter_mut().for_each(|item| {
                if let RefOr::T(Schema::Object(object)) = item {
                    close(object);
                }
            }),
            Some(_) | None => {}
        }
    }
    // A stage is one flat object, so it needs one closed schema with all its fields.
    let review = components.schemas.get("ReviewFields").cloned();
    if let (Some(RefOr::T(Schema::Object(review))), Some(stage)) =
        (review, components.schemas.get_mut("StageDefinition"))
        && let RefOr::T(Schema::AllOf(parts)) = &*stage
    {
        let mut whole = ObjectBuilder::new().schema_type(Type::Object).description(parts.description.clone()).build();
        let own = parts.items.iter().filter_map(|part| match part {
            RefOr::T(Schema::Object(part)) => Some(part),
            RefOr::T(_) | RefOr::Ref(_) => None,
        });
        for part in own.chain([&review]) {
            whole.properties.extend(part.properties.clone());
            whole.required.extend(part.required.clone());
        }
        close(&mut whole);
        *stage = RefOr::T(Schema::Object(whole));
        components.schemas.retain(|name, _| name != "ReviewFields");
    }
}

fn close(object: &mut Object) {
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
}

/// Describes the tag of an enum's alternatives; serde offers no place for its description.
fn describe_tags(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::OneOf(alternatives)) = schema else { return };
    for alternative in &mut alternatives.items {
        let RefOr::T(Schema::Object(alternative)) = alternative else { continue };
        for property in alternative.properties.values_mut() {
            if let RefOr::T(Schema::Object(tag)) = property
                && tag.description.is_none()
                && tag.enum_values.as_ref().is_some_and(|words| words.len() == 1)
            {
                tag.description = Some("Selects the alternative.".to_owned());
            }
        }
    }
}

fn complete_operation(path: &str, operation: &mut Operation) {
    let schemes = security_of(operation);
    describe_scopes(operation);
    let mut statuses = BTreeSet::from([
        StatusCode::BAD_REQUEST,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::URI_TOO_LONG,
        StatusCode::MISDIRECTED_REQUEST,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::SERVICE_UNAVAILABLE,
    ]);
    if !schemes.is_empty() {
        // Limits per caller apply to every authenticated operation.
        statuses.extend([StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS]);
    }
    if !schemes.is_empty() && schemes.len() < 3 {
        statuses.insert(StatusCode::FORBIDDEN);
    }
    if path.contains('{') {
        statuses.insert(StatusCode::NOT_FOUND);
    }
    if path.contains("/tasks/{id}") {
        // It may have been put away.
        statuses.insert(StatusCode::GONE);
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        let is_small = operation.operation_id.as_ref().is_some_and(|id| body::SMALL_OPERATIONS.contains(&id.as_str()));
        let most = if is_small { "At most 64 KiB." } else { "At most 1 MiB." };
        if operation.operation_id.as_ref().is_some_and(|id| body::OPTIONAL_BODIES.contains(&id.as_str())) {
            body.required = Some(Required::False);
        }
        body.description =
            Some(body.description.take().map_or_else(|| most.to_owned(), |text| format!("{text} {most}")));
        statuses.extend([
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::NOT_IMPLEMENTED,
        ]);
    }
    for response in operation.responses.responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        describe_error(response.0, response.1);
    }
    for status in statuses {
        let shared = RefOr::Ref(Ref::from_response_name(name(status)));
        operation.responses.responses.entry(status.as_str().to_owned()).or_insert(shared);
    }
}

/// Completes an error that a handler declared. With a description it gets the common form of
/// errors; without one it becomes the shared response.
fn describe_error(status: &str, response: &mut RefOr<Response>) {
    let RefOr::T(declared) = response else { return };
    let shared = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
    match shared {
        Some(status) if declared.description.is_empty() => {
            *response = RefOr::Ref(Ref::from_response_name(name(status)));
        }
        Some(status) if declared.content.is_empty() => {
            declared.content.insert(problem::CONTENT_TYPE.to_owned(), problem_content(status).into());
        }
        Some(_) | None => {}
    }
}

/// Every key of a partner may read, so a `GET` need not declare its scope.
fn declare_reading(operation: &mut Operation) {
    if scopes_of(operation).is_some() {
        let others = operation.security.take().unwrap_or_default().into_iter().filter(|requirement| {
            let scheme = requirement_of(requirement).map(|(scheme, _)| scheme);
            scheme.as_deref() != Some("partnerKey")
        });
        let scopes = READ.iter().map(Scope::as_str);
        operation.security =
            Some(std::iter::once(SecurityRequirement::new("partnerKey", scopes)).chain(others).collect());
    }
}

/// States the scope in the description.
fn describe_scopes(operation: &mut Operation) {
    let Some(scopes) = scopes_of(operation) else { return };
    let scope = format!("A partner's key needs the scope {scopes}.");
    operation.description = Some(match operation.description.take() {
        Some(text) if !text.is_empty() => format!("{text}\n\n{scope}"),
        Some(_) | None => scope,
    });
}

fn security_of(operation: &Operation) -> BTreeSet<String> {
    requirements_of(operation).into_iter().map(|(scheme, _)| scheme).collect()
}

/// The alternatives by which a caller can authenticate: a scheme and its scopes.
fn requirements_of(operation: &Operation) -> Vec<(String, Vec<String>)> {
    operation.security.iter().flatten().filter_map(requirement_of).collect()
}

fn requirement_of(requirement: &SecurityRequirement) -> Option<(String, Vec<String>)> {
    let names = serde_json::to_value(requirement).ok()?;
    let names: BTreeMap<String, Vec<String>> = serde_json::from_value(names).ok()?;
    names.into_iter().next()
}

/// One shared response for each status of an error.
fn error_responses() -> BTreeMap<String, RefOr<Response>> {
    let statuses: BTreeSet<_> = Code::ALL.iter().map(|code| code.status()).collect();
    statuses.into_iter().map(|status| (name(status), RefOr::T(error_response(status)))).collect()
}

fn error_response(status: StatusCode) -> Response {
    let lines: Vec<String> = codes(status).map(|code| format!("- `{}`: {}", code.as_str(), code.meaning())).collect();
    let header = |description: &str| {
        let text = ObjectBuilder::new().schema_type(Type::String);
        HeaderBuilder::new().schema(Some(text)).description(Some(description)).build()
    };
    let response =
        ResponseBuilder::new().description(lines.join("\n")).content(problem::CONTENT_TYPE, problem_content(status));
    let response = match status {
        StatusCode::UNAUTHORIZED => response.header("WWW-Authenticate", header("`Bearer`, with the error.")),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            response.header("Retry-After", header("Seconds to wait before the next attempt."))
        }
        StatusCode::METHOD_NOT_ALLOWED => response.header("Allow", header("The methods that the path supports.")),
        _ => response,
    };
    response.build()
}

fn problem_content(status: StatusCode) -> Content {
    let mut content = Content::new(Some(Ref::from_schema_name(problem::Body::name())));
    let example = codes(status).next().map(|code| Problem::new(code, code.meaning()).body(Some("r-1")));
    content.example = example.and_then(|body| serde_json::to_value(body).ok());
    content
}

fn codes(status: StatusCode) -> impl Iterator<Item = Code> {
    Code::ALL.iter().copied().filter(move |code| code.status() == status)
}

/// Name of a status's shared response, such as `NotFound` for 404.
fn name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("Error").replace(' ', "")
}

impl Contract {
    /// Serializes the contract once for all requests.
    pub(super) fn of(document: &Document) -> Self {
        Self {
            yaml: document.to_yaml().expect("the contract has only text as keys"),
            json: document.to_json().expect("the contract has only text as keys"),
            json_3_0: document.in_3_0().to_json().expect("the contract has only text as keys"),
        }
    }
}

/// The contract as YAML
#[utoipa::path(get, path = "/openapi.yaml", tag = "operation", security(()), responses(
    (status = 200, description = "This document.", body = Object, content_type = "application/yaml"),
))]
pub async fn openapi_yaml(State(state): State<AppState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/yaml")], state.contract.yaml.clone())
}

/// The contract as JSON
#[utoipa::path(get, path = "/openapi.json", tag = "operation", security(()), responses(
    (status = 200, description = "This document.", body = Object, content_type = "application/json"),
))]
pub async fn openapi_json(State(state): State<AppState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], state.contract.json.clone())
}

/// The contract in OpenAPI 3.0
///
/// The same contract, made from this one by rules, for generators that know no OpenAPI 3.1. What 3.0
/// cannot say is missing: the requests that the service sends to webhooks.
#[utoipa::path(get, path = "/openapi-3.0.json", tag = "operation", security(()), responses(
    (status = 200, description = "The contract.", body = Object, content_type = "application/json"),
))]
pub async fn openapi_3_0_json(State(state): State<AppState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], state.contract.json_3_0.clone())
}
