//! Lines, headers and refusals, without a service.

use serde_json::json;

use super::message::{name_header, refusal, version};
use super::*;

#[tokio::test]
async fn lines_are_read_under_a_limit() {
    let long = "x".repeat(MAX_BYTES);
    let text = format!("a\n\n{long}\n{long}yy\nb\n{long}z");
    let mut input = text.as_bytes();
    let mut read = Vec::new();
    while let Some(line) = next_line(&mut input).await.unwrap() {
        read.push(match line {
            Line::Whole(bytes) => Some(bytes.trim_ascii().len()),
            Line::TooLong => None,
        });
    }
    assert_eq!(read, [Some(1), Some(0), Some(MAX_BYTES), None, Some(1), None]);
}

#[test]
fn the_name_of_a_message_fits_a_header() {
    for (method, params, expected) in [
        ("tools/call", json!({ "name": "wait" }), Some("wait")),
        ("resources/read", json!({ "uri": "stagegate://docs/skill" }), Some("stagegate://docs/skill")),
        ("tools/call", json!({ "name": "größer" }), Some("=?base64?Z3LDtsOfZXI=?=")),
        ("tools/call", json!({ "name": " a" }), Some("=?base64?IGE=?=")),
        ("tools/call", json!({ "name": "=?base64?YQ==?=" }), Some("=?base64?PT9iYXNlNjQ/WVE9PT89?=")),
        ("tools/call", json!({ "name": 7 }), None),
        ("tools/list", json!({ "name": "x" }), None),
    ] {
        let message = json!({ "method": method, "params": params });
        assert_eq!(name_header(&message).as_deref(), expected, "{message}");
    }
}

#[test]
fn a_refusal_is_a_result_where_a_model_reads_it() {
    let problem = json!({ "code": "unavailable", "detail": "No service answers." });
    let call = json!({ "id": 1, "method": "tools/call", "params": { "name": "wait" } });
    let result = &refusal(&call, &problem)["result"];
    assert_eq!((&result["isError"], result.get("resultType")), (&json!(true), None));
    assert_eq!(result["content"][0]["text"], problem.to_string());
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    let modern = json!({ "id": 1, "method": "tools/call", "params": { "name": "wait", "_meta": meta } });
    assert_eq!(version(&modern), Some("2026-07-28"));
    assert_eq!(refusal(&modern, &problem)["result"]["resultType"], "complete");
    let list = json!({ "id": 1, "method": "tools/list" });
    assert_eq!(
        refusal(&list, &problem)["error"],
        json!({ "code": -32603, "message": "No service answers.", "data": problem })
    );
}
