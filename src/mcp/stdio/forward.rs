//! Sends a message to the service, and again if it did not answer.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::causes::one_line;
use crate::client::Retry;
use crate::config::Mcp;
use crate::http::problem::{Code, Problem};
use crate::ids;
use crate::mcp::PATH;
use crate::mcp::tools::{MAX_SECONDS, ToolName};

use super::Error;
use super::message::{name_header, refusal, tool, version};

/// Longer than any answer takes: a wait, and the time that the service itself may take.
const TIMEOUT: Duration = Duration::from_secs(MAX_SECONDS as u64 + 20);
/// How often a request is sent again.
const RETRY: Retry = Retry { retries: 3, backoff: Duration::from_millis(200) };
/// The longest pause between two attempts, whatever the service asks for.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The service, and what it is asked with.
pub(super) struct Forwarder {
    client: Client,
    endpoint: String,
    key: HeaderValue,
    reviewer: bool,
    /// The version that the client agreed on with `initialize`.
    agreed: OnceLock<String>,
}

/// What the service answered.
enum Answered {
    /// A message of the protocol.
    Message(Value),
    /// A problem: the request was refused before it reached the protocol.
    Problem(Value),
}

/// An attempt that failed.
struct Failed {
    problem: Value,
    /// How long to wait before the next, if the service says so.
    pause: Option<Duration>,
}

impl Forwarder {
    /// # Errors
    ///
    /// When there is no usable key, or no HTTP client.
    pub(super) fn new(settings: &Mcp) -> Result<Self, Error> {
        // The first installed provider wins; every caller installs ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build().map_err(Error::Client)?;
        let key = settings.key.expose();
        let mut header = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| Error::NoKey)?;
        if key.is_empty() {
            return Err(Error::NoKey);
        }
        header.set_sensitive(true);
        let endpoint = format!("{}{PATH}", settings.url.trim_end_matches('/'));
        Ok(Self { client, endpoint, key: header, reviewer: settings.reviewer, agreed: OnceLock::new() })
    }

    /// The answer to a message of the client.
    pub(super) async fn answer(&self, mut message: Value) -> Value {
        let called = tool(&message).and_then(ToolName::parse);
        if called.is_some_and(|tool| tool.decides() && !self.reviewer) {
            let detail = "This agent was started without `--reviewer`: it does not approve or reject.";
            return refusal(&message, &problem(Code::KeyScope, detail));
        }
        if called.is_some_and(|tool| tool.command().is_some()) {
            give_id(&mut message);
        }
        match self.send_until_answered(&message).await {
            Ok(Answered::Message(answer)) => self.receive(&message, answer),
            Ok(Answered::Problem(problem)) | Err(Failed { problem, .. }) => refusal(&message, &problem),
        }
    }

    /// Takes note of an answer, and removes what this agent may not use.
    fn receive(&self, message: &Value, mut answer: Value) -> Value {
        match message["method"].as_str() {
            Some("initialize") => {
                if let Some(version) = answer["result"]["protocolVersion"].as_str() {
                    let _ = self.agreed.set(version.to_owned());
                }
            }
            Some("tools/list") if !self.reviewer => {
                if let Some(tools) = answer["result"]["tools"].as_array_mut() {
                    let decides =
                        |tool: &Value| tool["name"].as_str().and_then(ToolName::parse).is_some_and(ToolName::decides);
                    tools.retain(|tool| !decides(tool));
                }
            }
            Some(_) | None => {}
        }
        answer
    }

    async fn send_until_answered(&self, message: &Value) -> Result<Answered, Failed> {
        let mut attempt = 0;
        loop {
            match self.send(message).await {
                Err(failed) if attempt < RETRY.retries => {
                    let pause = failed.pause.unwrap_or_default() + RETRY.backoff(attempt);
                    tokio::time::sleep(pause.min(MAX_PAUSE)).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    async fn send(&self, message: &Value) -> Result<Answered, Failed> {
        let no_answer = |error: reqwest::Error| {
            tracing::debug!(error = one_line(&error), "the service did not answer");
            let detail = format!("No service answers at {}.", self.endpoint);
            Failed { problem: problem(Code::Unavailable, detail), pause: None }
        };
        let answer = self.request(message).send().await.map_err(no_answer)?;
        let (status, pause) = (answer.status(), retry_after(answer.headers()));
        let body = answer.bytes().await.map_err(no_answer)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if body["jsonrpc"].is_string() {
            return Ok(Answered::Message(body));
        }
        let is_problem = body["code"].is_string();
        let problem =
            if is_problem { body } else { problem(Code::Unavailable, format!("The service answered {status}.")) };
        if is_temporary(status) { Err(Failed { problem, pause }) } else { Ok(Answered::Problem(problem)) }
    }

    fn request(&self, message: &Value) -> RequestBuilder {
        let mut headers = HeaderMap::from_iter([(reqwest::header::AUTHORIZATION, self.key.clone())]);
        let named = version(message).or_else(|| self.agreed.get().map(String::as_str));
        let mut put = |name: &'static str, value: Option<&str>| {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("accept", Some("application/json, text/event-stream"));
        put("mcp-protocol-version", named.filter(|_| message["method"] != "initialize"));
        put("mcp-method", message["method"].as_str());
        put("mcp-name", name_header(message).as_deref());
        self.client.post(&self.endpoint).headers(headers).json(message)
    }
}

/// Gives a command an id, if its caller has not, so that it can be sent again.
fn give_id(message: &mut Value) {
    let arguments = &mut message["params"]["arguments"];
    if arguments.is_null() {
        *arguments = json!({});
    }
    if let Some(arguments) = arguments.as_object_mut() {
        let id = arguments.entry("id").or_insert(Value::Null);
        if id.is_null() {
            *id = ids::new().to_string().into();
        }
    }
}

/// Whether the same request may succeed in a moment.
fn is_temporary(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
    )
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

fn problem(code: Code, detail: impl Into<Cow<'static, str>>) -> Value {
    serde_json::to_value(Problem::new(code, detail).body(None)).unwrap_or_default()
}
