//! A partner with agents, each with a key of its own.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::parties::{Client, Parties, text};
use crate::harness::service::{self, Answer};

/// The start of what every result says about itself.
pub const NOTICE: &str = "This is data from Stagegate.";

/// An agent with a key of the partner.
#[derive(Clone, Debug)]
pub struct Agent(pub Client);

impl Agent {
    /// One whose key has these limits.
    pub async fn new(parties: &Parties, limits: &Value) -> Self {
        let path = format!("/api/v1/partners/{}/keys", parties.partner_id);
        let made = parties.platform.call("POST", &path, limits).await;
        assert_eq!(made.status, 201, "{limits}: {}", made.text);
        Self(Client { credential: text(&made.body["key"]), ..parties.partner.clone() })
    }

    /// One that works in the name of `agent-7`, and nothing more.
    pub async fn worker(parties: &Parties) -> Self {
        Self::new(parties, &json!({ "scopes": ["work"], "actors": ["agent-7"] })).await
    }

    /// One that decides in the name of a person.
    pub async fn reviewer(parties: &Parties, person: &str) -> Self {
        Self::new(parties, &json!({ "scopes": ["review"], "actors": [person] })).await
    }

    /// Sends a body with more headers.
    pub async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post("/mcp").header("authorization", format!("Bearer {}", self.0.credential));
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        service::send(&self.0.router, request.body(body.into()).unwrap()).await
    }

    /// Sends a request of the protocol as clients of 2025-11-25 do, and gives its result.
    pub async fn ask(&self, method: &str, params: Value) -> Value {
        let answer = self.request(method, params).await;
        assert_eq!(answer.status, 200, "{method}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert!(!answer.body["result"].is_null(), "{method}: {}", answer.text);
        answer.body["result"].clone()
    }

    /// Sends a request of the protocol that fails, and gives its error.
    pub async fn fails(&self, method: &str, params: Value) -> Value {
        let answer = self.request(method, params).await;
        assert!(answer.body["error"].is_object(), "{method}: {}", answer.text);
        answer.body["error"].clone()
    }

    async fn request(&self, method: &str, params: Value) -> Answer {
        let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let answer = self.post(&[("mcp-protocol-version", "2025-11-25")], message.to_string()).await;
        assert_eq!(answer.body["id"], 7, "{}", answer.text);
        answer
    }

    /// The tools by name.
    pub async fn tools(&self) -> BTreeMap<String, Value> {
        let listed = self.ask("tools/list", json!({})).await;
        listed["tools"].as_array().unwrap().iter().map(|tool| (text(&tool["name"]), tool.clone())).collect()
    }

    /// The names of the tools as they are listed.
    pub async fn tools_in_order(&self) -> Vec<String> {
        let listed = self.ask("tools/list", json!({})).await;
        listed["tools"].as_array().unwrap().iter().map(|tool| text(&tool["name"])).collect()
    }

    /// Calls a tool: the result, which is what the tool announces, or the problem.
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<Value, Value> {
        let result = self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        let content: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(result["content"].as_array().unwrap().len(), 1, "{result}");
        if result["isError"] == true {
            assert!(result.get("structuredContent").is_none(), "clients would compare it with the schema");
            return Err(content);
        }
        assert_eq!(content, result["structuredContent"], "both forms say the same");
        let announced = &self.tools().await[tool]["outputSchema"];
        let validator = jsonschema::validator_for(announced).unwrap();
        let errors: Vec<String> = validator.iter_errors(&content).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{tool}: {errors:#?}");
        Ok(content)
    }

    /// Calls a tool that must succeed.
    pub async fn done(&self, tool: &str, arguments: Value) -> Value {
        self.call(tool, arguments.clone()).await.unwrap_or_else(|problem| panic!("{tool} {arguments}: {problem}"))
    }

    /// Calls a tool that must be refused with this code.
    pub async fn refused(&self, tool: &str, arguments: Value, code: &str) -> Value {
        let problem = self.call(tool, arguments.clone()).await.expect_err(tool);
        assert_eq!(problem["code"], code, "{tool} {arguments}: {problem}");
        problem
    }
}

/// Whether a text says that it is data, before anything else.
pub fn is_marked(text: &str) -> bool {
    text.starts_with(&format!("{{\"about_this_data\":\"{NOTICE}"))
}
