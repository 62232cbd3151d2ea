//! The Model Context Protocol: `POST /mcp`, through which agents use the service as tools. An entry
//! point beside [`crate::http`], which mounts it without knowing it.
//!
//! `rmcp`, the official SDK, speaks the protocol: its versions, messages and headers. A request goes
//! through the API's own checks first (credential, limits, strict JSON), so that this is no way
//! around them. Each message stands alone: nothing is kept between two of them, and every answer is
//! one JSON document.
//!
//! [`tools`] is the table of tools. A tool calls what the route of the same purpose calls, so that
//! there is one way to a decision. [`stdio`] is `stagegate mcp`, which forwards to a service.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Router, extract::Request};
use http_body_util::combinators::BoxBody;
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;

use crate::http::auth::Authenticated;
use crate::http::input::body::{MAX_BYTES, RawBody};
use crate::http::input::deadline::Deadline;
use crate::http::input::extract::{NoParameters, Query};
use crate::http::problem::{Code, FieldError, Problem};
use crate::http::{AppState, Mount, MountedRoute};

use self::call::Call;
use self::server::Server;

mod call;
mod resources;
mod results;
mod server;
pub mod stdio;
pub mod tools;

/// The path of the endpoint.
pub const PATH: &str = "/mcp";

/// The header that names the version of the protocol.
const VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The route, to be served beside the API.
pub fn mount() -> Mount {
    let routes = vec![MountedRoute { method: Method::POST, path: PATH, name: "mcp", is_secret: false }];
    Mount { router: Router::new().route(PATH, post(post_mcp)), routes, not_found: None }
}

/// Answers one message of the protocol.
async fn post_mcp(
    authenticated: Authenticated,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    (deadline, headers): (Deadline, HeaderMap),
    body: RawBody,
) -> Result<Response, Problem> {
    check_origin(&state, &headers)?;
    if authenticated.caller.partner_id().is_none() {
        let detail = "The tools are for partners' keys; the credential belongs to another party.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let message = body.json()?;
    check_version(&headers)?;
    let call = Arc::new(Call::new(state, authenticated, deadline));
    let response = answer(&call, &headers, &message).await;
    Ok(call.count(response))
}

/// Refuses pages of other origins, so that a page that a browser shows cannot reach a service on
/// the same machine. Clients that are no browsers send no `Origin`.
fn check_origin(state: &AppState, headers: &HeaderMap) -> Result<(), Problem> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    if origins.all(|origin| state.admits_origin(origin)) {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden, "Pages of this origin may not call the service (STAGEGATE_CORS_ORIGINS)."))
}

/// Refuses a version of the protocol that is unknown, with the list of those that are known.
fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    let known = |version: &HeaderValue| {
        ProtocolVersion::KNOWN_VERSIONS.iter().any(|known| known.as_str().as_bytes() == version.as_bytes())
    };
    if headers.get_all(VERSION_HEADER).iter().all(known) {
        return Ok(());
    }
    let versions: Vec<String> =
        ProtocolVersion::KNOWN_VERSIONS.iter().map(|version| format!("`{}`", version.as_str())).collect();
    let rule = format!("must be one of {}", versions.join(", "));
    Err(Problem::invalid_parameter(FieldError::new("/header/MCP-Protocol-Version", "unknown_value", rule)))
}

/// Has the SDK answer a message that passed the checks.
async fn answer(call: &Arc<Call>, headers: &HeaderMap, message: &Value) -> Response {
    // `Host`, `Origin` and sizes were checked by our own rules before.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BYTES * 2)
        .disable_allowed_hosts();
    let handler = Arc::clone(call);
    let make = move || Ok(Server::new(Arc::clone(&handler)));
    let service = StreamableHttpService::new(make, Arc::<NeverSessionManager>::default(), config);
    into_ours(service.handle(forwarded(headers, message)).await)
}

/// The message for the SDK: with the protocol's own headers, and the others as it demands them. An
/// answer is always JSON, so the client's `Accept` does not matter.
fn forwarded(headers: &HeaderMap, message: &Value) -> Request {
    let mut request = Request::new(Body::from(message.to_string()));
    *request.method_mut() = Method::POST;
    let fixed = [
        (header::HOST, "stagegate"),
        (header::CONTENT_TYPE, "application/json"),
        (header::ACCEPT, "application/json, text/event-stream"),
    ];
    let own = headers.iter().filter(|(name, _)| name.as_str().starts_with("mcp-"));
    let fixed = fixed.map(|(name, value)| (name, HeaderValue::from_static(value)));
    for (name, value) in own.map(|(name, value)| (name.clone(), value.clone())).chain(fixed) {
        request.headers_mut().append(name, value);
    }
    request
}

/// An answer of the SDK. Its refusals in plain text become problems.
fn into_ours(response: axum::http::Response<BoxBody<axum::body::Bytes, Infallible>>) -> Response {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let status = response.status();
    if is_json || status.is_success() {
        return response.map(Body::new);
    }
    if status.is_server_error() {
        return Problem::internal(format!("the SDK answered {status}")).into_response();
    }
    // The others cannot occur after our own checks.
    let rule = "must be one JSON-RPC message of the Model Context Protocol";
    Problem::invalid_body(vec![FieldError::new("", "invalid_value", rule)]).into_response()
}

#[cfg(test)]
mod tests;
