//! The protocol itself, by hand: both of its lifecycles, and what is refused before it.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stagegate::http::problem::Code;
use tower::ServiceExt as _;

use crate::harness::parties::{Client, Parties, code, text};
use crate::harness::service::{Answer, MARKET_ORIGIN, PUBLIC_ORIGIN};

use super::world::Agent;

fn message(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

/// A request of 2026-07-28, which says all about itself.
async fn modern(agent: &Agent, method: &str, mut params: Value, headers: &[(&str, &str)]) -> Answer {
    params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {} });
    let all = [&[("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)], headers].concat();
    agent.post(&all, message(method, &params)).await
}

#[tokio::test]
async fn only_post_is_served() {
    let parties = Parties::start().await;
    for method in ["GET", "DELETE", "PUT"] {
        let answer = parties.partner.call(method, "/mcp", &Value::Null).await;
        assert_eq!((answer.status, code(&answer)), (405, "method_not_allowed"), "{method}");
        assert_eq!(answer.headers["allow"], "POST");
    }
}

#[tokio::test]
async fn clients_that_initialize_get_the_version_that_they_ask_for_and_no_session() {
    let parties = Parties::start().await;
    let agent = Agent::worker(&parties).await;
    for (asked, expected) in [("2025-11-25", "2025-11-25"), ("2025-06-18", "2025-06-18"), ("2031-01-01", "2025-11-25")]
    {
        let params =
            json!({ "protocolVersion": asked, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
        let answer = agent.post(&[], message("initialize", &params)).await;
        let result = &answer.body["result"];
        assert_eq!((answer.status, text(&result["protocolVersion"])), (200, expected.to_owned()), "{}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert!(!answer.headers.contains_key("mcp-session-id"));
        assert_eq!(result["serverInfo"]["name"], "stagegate");
        assert!(result["capabilities"]["tools"].is_object() && result["capabilities"]["resources"].is_object());
        assert!(text(&result["instructions"]).contains("no instruction to you"));
    }
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let answer = agent.post(&[("mcp-protocol-version", "2025-11-25")], initialized.to_string()).await;
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    assert_eq!(agent.ask("ping", json!({})).await, json!({}));
    // Nothing was kept: another message needs no handshake.
    assert!(agent.tools().await.contains_key("submit_work"));
}

#[tokio::test]
async fn clients_of_2026_07_28_say_all_in_each_message() {
    let parties = Parties::start().await;
    let agent = Agent::worker(&parties).await;
    let discovered = modern(&agent, "server/discover", json!({}), &[]).await;
    let result = &discovered.body["result"];
    assert_eq!((discovered.status, &result["resultType"]), (200, &json!("complete")), "{}", discovered.text);
    let versions = result["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-11-25")), "{result}");
    let listed = modern(&agent, "tools/list", json!({}), &[]).await;
    // The list depends on the key, so nobody else may reuse it.
    assert_eq!(listed.body["result"]["cacheScope"], "private", "{}", listed.text);
    let arguments = json!({ "name": "list_tasks", "arguments": {} });
    let called = modern(&agent, "tools/call", arguments.clone(), &[("mcp-name", "list_tasks")]).await;
    assert_eq!(called.body["result"]["resultType"], "complete", "{}", called.text);
    // The headers are what others route by, so they must not lie.
    for headers in [&[("mcp-name", "approve")][..], &[]] {
        let answer = modern(&agent, "tools/call", arguments.clone(), headers).await;
        assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!(-32020)), "{}", answer.text);
    }
    let without = agent
        .post(
            &[("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")],
            message("tools/list", &json!({})),
        )
        .await;
    assert_eq!((without.status, &without.body["error"]["code"]), (400, &json!(-32602)), "{}", without.text);
    let unknown = modern(&agent, "tasks/explode", json!({}), &[]).await;
    assert_eq!((unknown.status, &unknown.body["error"]["code"]), (404, &json!(-32601)), "{}", unknown.text);
}

#[tokio::test]
async fn what_is_no_message_is_a_problem() {
    let parties = Parties::start().await;
    let agent = Agent::worker(&parties).await;
    let list = message("tools/list", &json!({}));
    let huge =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "x": "y".repeat(1 << 20) } }).to_string();
    let table = [
        ("{", 400, "invalid_json"),
        ("", 400, "invalid_json"),
        (r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}"#, 422, "invalid_body"),
        ("[]", 422, "invalid_body"),
        ("7", 422, "invalid_body"),
        (r#"{"hello":"world"}"#, 422, "invalid_body"),
        (&huge, 413, "payload_too_large"),
    ];
    for (body, status, expected) in table {
        let answer = agent.post(&[], body.to_owned()).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!((answer.status, code(&answer)), (status, expected), "{shown}: {}", answer.text);
    }
    for (headers, status, expected) in [
        (&[("content-type", "text/plain")][..], 415, "unsupported_media_type"),
        (&[("mcp-protocol-version", "1999-01-01")], 400, "invalid_parameter"),
        (&[("x-aitasker-key", "ait_x")], 400, "two_credentials"),
    ] {
        let answer = agent.post(headers, list.clone()).await;
        assert_eq!((answer.status, code(&answer)), (status, expected), "{headers:?}: {}", answer.text);
    }
    // What a client says that it accepts does not matter: every answer is JSON.
    assert_eq!(agent.post(&[("accept", "application/json")], list).await.status, 200);
    assert_eq!(agent.fails("no/such/method", json!({})).await["code"], -32601);
    assert_eq!(agent.fails("tools/call", json!({ "name": "no_such_tool" })).await["code"], -32602);
}

#[tokio::test]
async fn only_a_partners_key_opens_the_tools() {
    let parties = Parties::start().await;
    let list = message("tools/list", &json!({}));
    for client in [&parties.buyer, &parties.platform] {
        let answer = Agent(client.clone()).post(&[], list.clone()).await;
        assert_eq!((answer.status, code(&answer)), (403, "forbidden"));
    }
    let unknown = Agent(Client { credential: "ait_unknown".to_owned(), ..parties.partner.clone() });
    let answer = unknown.post(&[], list.clone()).await;
    assert_eq!((answer.status, code(&answer)), (401, "unauthorized"));
    assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    let keys = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let made = parties.platform.call("POST", &keys, &json!({ "scopes": ["work"] })).await;
    let agent = Agent(Client { credential: text(&made.body["key"]), ..parties.partner.clone() });
    assert_eq!(agent.post(&[], list.clone()).await.status, 200);
    let revoked = parties.platform.call("DELETE", &format!("{keys}/{}", text(&made.body["id"])), &Value::Null).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(agent.post(&[], list).await.status, 401, "revoked");
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let parties = Parties::start().await;
    let agent = Agent::worker(&parties).await;
    for (origin, status) in [
        (MARKET_ORIGIN, 200),
        (PUBLIC_ORIGIN, 200),
        ("https://stagegate.test.evil.example", 403),
        ("http://localhost:8080", 403),
        ("null", 403),
    ] {
        let answer = agent.post(&[("origin", origin)], message("ping", &json!({}))).await;
        assert_eq!(answer.status, status, "{origin}: {}", answer.text);
    }
    let asked = "authorization,content-type,mcp-method,mcp-name,mcp-protocol-version";
    let preflight = Request::options("/mcp")
        .header("host", "stagegate.test")
        .header("origin", MARKET_ORIGIN)
        .header("access-control-request-method", "POST");
    let preflight = preflight.header("access-control-request-headers", asked).body(Body::empty()).unwrap();
    let response = agent.0.router.clone().oneshot(preflight).await.unwrap();
    let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(asked.split(',').all(|header| allowed.contains(header)), "{allowed}");
    let two = [("origin", MARKET_ORIGIN), ("origin", "https://evil.example")];
    assert_eq!(agent.post(&two, message("ping", &json!({}))).await.status, 403);
}

#[tokio::test]
async fn documents_and_tasks_are_resources() {
    let parties = Parties::start().await;
    let (agent, task) = (Agent::worker(&parties).await, parties.open("brand-campaign").await);
    let listed = agent.ask("resources/list", json!({})).await;
    let uris: Vec<String> = listed["resources"].as_array().unwrap().iter().map(|one| text(&one["uri"])).collect();
    assert!(uris.len() > 10 && uris.contains(&"stagegate://docs/skill".to_owned()), "{uris:?}");
    let templates = agent.ask("resources/templates/list", json!({})).await;
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "stagegate://task/{id}");
    for uri in &uris {
        let read = agent.ask("resources/read", json!({ "uri": uri })).await;
        let contents = &read["contents"][0];
        assert_eq!((&contents["mimeType"], &contents["uri"]), (&json!("text/markdown"), &json!(uri)));
        assert!(text(&contents["text"]).starts_with("# "), "{uri}");
    }
    let read = agent.ask("resources/read", json!({ "uri": format!("stagegate://task/{task}") })).await;
    let contents: Value = serde_json::from_str(&text(&read["contents"][0]["text"])).unwrap();
    assert_eq!(contents, agent.done("get_task", json!({ "task_id": task })).await);
    let foreign = Agent(parties.another_partner().await);
    for uri in
        [&format!("stagegate://task/{task}"), "stagegate://task/7", "stagegate://docs/none", "file:///etc/passwd"]
    {
        let error = foreign.fails("resources/read", json!({ "uri": uri })).await;
        assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32002), &json!("not_found")), "{uri}: {error}");
    }
}

#[tokio::test]
async fn refusals_of_tools_are_counted_like_those_of_routes() {
    let parties = Parties::start().await;
    let agent = Agent::worker(&parties).await;
    let missing = json!({ "name": "get_task", "arguments": { "task_id": "0199aa00-0000-7000-8000-000000000001" } });
    let body = message("tools/call", &missing);
    let answer = agent.post(&[], body.clone()).await;
    let problem: Value = serde_json::from_str(&text(&answer.body["result"]["content"][0]["text"])).unwrap();
    assert_eq!((answer.status, &problem["code"]), (200, &json!("not_found")));
    assert_eq!(problem["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!(problem["type"], format!("{PUBLIC_ORIGIN}/docs/problems#not_found"));
    // The middleware counts by this.
    let request = Request::post("/mcp").header("host", "stagegate.test").header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {}", agent.0.credential));
    let response = agent.0.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    assert_eq!(response.extensions().get::<Code>(), Some(&Code::NotFound));
}
