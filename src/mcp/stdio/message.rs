//! The messages of the protocol as `stagegate mcp` reads and makes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// JSON-RPC: the message is not JSON.
pub(super) const PARSE_ERROR: i32 = -32700;
/// JSON-RPC: the service cannot answer.
pub(super) const INTERNAL_ERROR: i32 = -32603;

/// The version since which each message names its version itself.
const PER_REQUEST: &str = "2026-07-28";

/// An error as the answer to the message `id`.
pub(super) fn error(id: &Value, code: i32, message: &str, data: Option<Value>) -> Value {
    let mut error = json!({ "code": code, "message": message });
    if let Some(data) = data {
        error["data"] = data;
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

/// A refusal as the answer to a message: a result of a tool, so that the model reads it, or an error.
pub(super) fn refusal(message: &Value, problem: &Value) -> Value {
    if tool(message).is_none() {
        let detail = problem["detail"].as_str().unwrap_or("The service refused the request.");
        return error(&message["id"], INTERNAL_ERROR, detail, Some(problem.clone()));
    }
    let mut result = json!({ "content": [{ "type": "text", "text": problem.to_string() }], "isError": true });
    if version(message).is_some_and(|version| version >= PER_REQUEST) {
        result["resultType"] = "complete".into();
    }
    json!({ "jsonrpc": "2.0", "id": message["id"], "result": result })
}

/// The name of the tool that the message calls.
pub(super) fn tool(message: &Value) -> Option<&str> {
    (message["method"] == "tools/call").then(|| message["params"]["name"].as_str()).flatten()
}

/// The version that the message itself names.
pub(super) fn version(message: &Value) -> Option<&str> {
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str()
}

/// The header `Mcp-Name` of the message: what it is about.
pub(super) fn name_header(message: &Value) -> Option<String> {
    let member = match message["method"].as_str()? {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ => return None,
    };
    let name = message["params"][member].as_str()?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && name.trim() == name;
    Some(if is_plain && !name.starts_with("=?") {
        name.to_owned()
    } else {
        format!("=?base64?{}?=", STANDARD.encode(name))
    })
}
