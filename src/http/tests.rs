//! The layers around every route, with routes that misbehave, and the contract. No test here
//! reaches a database.

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::clock::Clock;
use crate::domain::values::id::TaskId;
use crate::http::problem::Problem;

use super::input::deadline;
use super::input::{body, extract};
use super::serve::middleware;
use super::*;

async fn state(settings: Settings) -> AppState {
    AppState::new(Arc::new(App::without_database(Clock::system())), settings).await.unwrap()
}

async fn misbehaving(settings: Settings) -> Router {
    let pending = async || std::future::pending::<()>().await;
    let patient = async |deadline: deadline::Deadline| {
        deadline.extend(Duration::from_mins(1));
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let echo = async |extract::Path(id): extract::Path<TaskId>| id.to_string();
    let body = async |body: body::RawBody<{ body::MAX_BYTES }>| body.json().map(axum::Json);
    let panic = async || -> () { panic!("with a secret") };
    let fault = async || -> Problem { Problem::internal("with a secret") };
    let router = Router::new()
        .route("/pending", get(pending))
        .route("/patient", get(patient))
        .route("/panic", get(panic))
        .route("/fault", get(fault))
        .route("/body", post(body))
        .route("/tasks/{id}", get(echo));
    with_middleware(router, state(settings).await)
}

async fn call(router: &impl middleware::RequestService, request: Request<Body>) -> (Response<()>, Value) {
    let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, 10_000_000).await.unwrap();
    (Response::from_parts(head, ()), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn what_breaks_is_a_problem_that_tells_nothing() {
    let router = misbehaving(Settings::default()).await;
    for path in ["/panic", "/fault"] {
        let (head, body) = call(&router, request("GET", path)).await;
        assert_eq!(head.status(), 500);
        assert_eq!(head.headers()["content-type"], problem::CONTENT_TYPE);
        assert_eq!(body["request_id"], head.headers()["x-request-id"].to_str().unwrap());
        assert!(!body.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn a_request_is_given_up_unless_its_handler_asked_for_time() {
    let limits = deadline::TimeLimits {
        request: Duration::from_millis(5),
        body: Duration::from_secs(10),
        ..deadline::TimeLimits::default()
    };
    let router = misbehaving(Settings { limits, ..Settings::default() }).await;
    let (head, body) = call(&router, request("GET", "/pending")).await;
    assert_eq!((head.status().as_u16(), &body["code"]), (503, &json!("timeout")));
    assert!(head.headers().contains_key("retry-after"));
    let (head, _) = call(&router, request("GET", "/patient")).await;
    assert_eq!(head.status(), 200);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let limits = deadline::TimeLimits {
        request: Duration::from_secs(15),
        body: Duration::from_millis(5),
        ..deadline::TimeLimits::default()
    };
    let router = misbehaving(Settings { limits, ..Settings::default() }).await;
    let never = Body::from_stream(futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>());
    let (head, body) = call(&router, Request::post("/body").body(never).unwrap()).await;
    assert_eq!((head.status().as_u16(), &body["code"]), (408, &json!("slow_body")));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let router = router(state(Settings::default()).await);
    for path in ["/", "/nope", "/api/v1", "/api/v1/nope", "/api/v1/partners/", "/docs/nope.js", "/api/v1/../health"] {
        let (head, body) = call(&router, request("GET", path)).await;
        assert_eq!((head.status().as_u16(), &body["code"]), (404, &json!("not_found")), "{path}");
    }
    let (head, body) = call(&router, request("PATCH", "/api/v1/partners")).await;
    assert_eq!((head.status().as_u16(), &body["code"]), (405, &json!("method_not_allowed")));
    let allow: BTreeSet<_> = head.headers()["allow"].to_str().unwrap().split(',').map(str::trim).collect();
    assert_eq!(allow, BTreeSet::from(["GET", "HEAD", "POST"]));
}

#[tokio::test]
async fn path_parameters_that_are_no_ids_are_named() {
    let router = misbehaving(Settings::default()).await;
    for id in ["7", "..%2Fx", "%00", "%FF", "0199a000-0000-7000-8000-00000000000g"] {
        let (head, body) = call(&router, request("GET", &format!("/tasks/{id}"))).await;
        assert_eq!((head.status().as_u16(), &body["code"]), (400, &json!("invalid_parameter")), "{id}: {body}");
        assert_eq!(body["errors"][0]["pointer"], "/path/id", "{id}");
    }
}

#[tokio::test]
async fn a_good_request_id_is_kept_and_a_bad_one_replaced() {
    let router = router(state(Settings::default()).await);
    for (given, kept) in [("trace-7", true), ("a b", false), ("", false)] {
        let request = Request::get("/health").header("x-request-id", given).body(Body::empty()).unwrap();
        let (head, _) = call(&router, request).await;
        assert_eq!(head.headers()["x-request-id"] == given, kept, "{given}");
        assert!(!head.headers()["x-request-id"].is_empty());
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_browsers() {
    let router = router(state(Settings::default()).await);
    for path in ["/health", "/nope", "/api/v1/partners", "/openapi.yaml", "/docs/", "/docs/swagger-ui-bundle.js"] {
        let (head, _) = call(&router, request("GET", path)).await;
        let headers = head.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
        let cached = if path.starts_with("/docs") { "public, max-age=3600" } else { "no-store" };
        assert_eq!(headers["cache-control"], cached, "{path}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test]
async fn configured_origins_and_no_others_may_call_from_a_browser() {
    let cors_origins = vec!["https://aitasker.example".to_owned()];
    let router = HttpService::new(state(Settings { cors_origins, ..Settings::default() }).await);
    for (origin, allowed) in [("https://aitasker.example", true), ("https://evil.example", false)] {
        let preflight = Request::options("/api/v1/partners")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type");
        let (head, _) = call(&router, preflight.body(Body::empty()).unwrap()).await;
        assert_eq!(head.headers().contains_key("access-control-allow-origin"), allowed, "{origin}");
        for path in ["/health", "/api/v1/tasks/0199a000-0000-7000-8000-000000000001/status"] {
            let plain = Request::get(path).header("origin", origin).body(Body::empty()).unwrap();
            let (head, _) = call(&router, plain).await;
            assert_eq!(head.headers().contains_key("access-control-allow-origin"), allowed, "{path} {origin}");
        }
    }
    for bad in ["*", "aitasker.example", "https://", "https://x/y", "https://*.x", "ftp://x", "null"] {
        assert!(parse_origin(bad).is_err(), "{bad}");
    }
}

#[test]
fn pages_may_use_every_header_that_the_contract_names() {
    fn walk(value: &Value, (sent, read): (&mut BTreeSet<String>, &mut BTreeSet<String>)) {
        let name = |name: &Value| name.as_str().unwrap().to_lowercase();
        match value {
            Value::Object(members) => {
                if members.get("in") == Some(&json!("header")) {
                    sent.insert(name(&members["name"]));
                }
                if members.contains_key("description")
                    && let Some(Value::Object(headers)) = members.get("headers")
                {
                    read.extend(headers.keys().map(|name| name.to_lowercase()));
                }
                members.values().for_each(|member| walk(member, (sent, read)));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, (sent, read))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut document = serde_json::to_value(openapi::document()).unwrap();
    // The service sends the headers of webhooks, to receivers that are not web pages.
    document.as_object_mut().unwrap().remove("webhooks");
    // Named in the document's description and by the security schemes.
    let (mut sent, mut read) = (BTreeSet::new(), BTreeSet::new());
    walk(&document, (&mut sent, &mut read));
    sent.extend(["authorization", "content-type", "x-aitasker-key", "x-request-id"].map(String::from));
    sent.extend(["mcp-method", "mcp-name", "mcp-protocol-version"].map(String::from));
    read.insert("x-request-id".into());
    sent.insert("stagegate-cell".into());
    read.insert("stagegate-cell".into());
    assert!(sent.contains("x-aitasker-key") && read.contains("etag"), "{sent:?} {read:?}");
    let names = |names: &[HeaderName]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(names(&super::ALLOWED_HEADERS), sent);
    assert_eq!(names(&super::EXPOSED_HEADERS), read);
}

#[tokio::test]
async fn the_page_of_the_contract_needs_nothing_from_elsewhere() {
    let router = router(state(Settings::default()).await);
    let text = async |path: &str| {
        let response = router.clone().oneshot(request("GET", path)).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        String::from_utf8(to_bytes(response.into_body(), 10_000_000).await.unwrap().to_vec()).unwrap()
    };
    let page = text("/docs/").await;
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    assert!(!page.contains("<script>") && !page.contains(" onload="), "the policy allows no inline script: {page}");
    let start = text("/docs/swagger-initializer.js").await;
    assert!(
        start.contains("/openapi.json") && start.contains("\"validatorUrl\": \"none\"") && !start.contains("petstore")
    );
    let (head, _) = call(&router, request("GET", "/docs")).await;
    assert_eq!(head.headers()["location"], "/docs/");
}

#[tokio::test]
async fn without_a_database_the_service_is_alive_and_not_ready() {
    let router = router(state(Settings::default()).await);
    let (head, body) = call(&router, request("GET", "/health")).await;
    assert_eq!((head.status().as_u16(), body), (200, json!({ "status": "ok" })));
    let (head, body) = call(&router, request("GET", "/ready")).await;
    assert_eq!((head.status().as_u16(), &body["code"]), (503, &json!("database_unreachable")));
    let mut read = request("GET", "/api/v1/partners");
    read.headers_mut().insert("authorization", HeaderValue::from_static("Bearer platform-key-of-the-tests"));
    let settings = Settings { platform_keys: vec!["platform-key-of-the-tests".into()], ..Settings::default() };
    let (head, body) = call(&super::router(state(settings).await), read).await;
    assert_eq!((head.status().as_u16(), &body["code"]), (503, &json!("unavailable")), "not overloaded");
}

#[tokio::test]
async fn metrics_count_by_operation_and_never_by_path() {
    let state = state(Settings::default()).await;
    let router = router(state.clone());
    for path in ["/health", "/planted-1", "/planted-2", "/api/v1/partners/planted-3", "/docs/planted-4"] {
        call(&router, request("GET", path)).await;
    }
    let (head, body) = call(&router, request("GET", "/metrics")).await;
    assert_eq!((head.status().as_u16(), &body["code"]), (404, &json!("not_found")), "callers do not see them");
    let response = operator_router(state).oneshot(request("GET", "/metrics")).await.unwrap();
    let text = String::from_utf8(to_bytes(response.into_body(), 1_000_000).await.unwrap().to_vec()).unwrap();
    for line in [
        r#"stagegate_http_requests_total{operation="health",status="2xx"} 1"#,
        r#"stagegate_http_requests_total{operation="unmatched",status="4xx"} 3"#,
        r#"stagegate_http_requests_total{operation="get_partner",status="4xx"} 1"#,
        r#"stagegate_http_requests_total{operation="docs",status="4xx"} 1"#,
        r#"stagegate_http_request_duration_seconds_count{operation="health"} 1"#,
        "stagegate_http_requests_in_flight 1",
        r#"stagegate_http_problems_total{code="not_found"} 4"#,
        r#"stagegate_http_problems_total{code="overloaded"} 0"#,
        "process_resident_memory_bytes ",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("planted"));
}

#[test]
fn every_operation_says_what_it_does_who_may_and_how_it_fails() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{place}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}");
            // Everybody may verify the log.
            let is_log = path.starts_with("/api/v1/audit/");
            let is_closed = path.starts_with("/api/v1") && (!is_log || path == "/api/v1/audit/export");
            let security = operation["security"].as_array().unwrap();
            assert_eq!(is_closed, security.iter().any(|way| way != &json!({})), "{place}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("500") && responses.contains_key("503"), "{place}");
            assert_eq!(is_closed, responses.contains_key("401"), "{place}");
            // These name a task in their body.
            let names_task = path.starts_with("/api/v1/links") && method == "post";
            // This names a partner in its query.
            let names_partner = path == "/api/v1/absences";
            let names = path.contains('{') || names_task || names_partner;
            assert_eq!(names || is_log, responses.contains_key("404"), "{place}");
            assert_eq!(operation.get("requestBody").is_some(), responses.contains_key("413"), "{place}");
        }
    }
    let codes = &document["components"]["schemas"]["Code"];
    for code in problem::Code::ALL {
        assert!(codes["x-extensible-enum"].as_array().unwrap().contains(&json!(code.as_str())));
        assert!(codes["description"].as_str().unwrap().contains(code.meaning()));
    }
}

#[test]
fn every_operation_that_is_open_to_partners_declares_its_scope() {
    let document = openapi::declared();
    for (method, path, operation) in openapi::methods_and_paths(&document) {
        let Some(scopes) = openapi::scopes_of(operation) else { continue };
        let (place, names) = (format!("{method} {path}"), scopes.to_string());
        assert_eq!(method == Method::GET, names == "`read`", "{place}: {names}");
        assert!(scopes.iter().next().is_some(), "{place}");
        let said = operation.description.as_deref().unwrap_or_default();
        assert!(said.ends_with(&format!("A partner's key needs the scope {names}.")), "{place}: {said}");
    }
}

#[test]
fn every_reference_in_the_contract_leads_somewhere() {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| walk(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut found = Vec::new();
    walk(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(schemes.len(), 1);
}
