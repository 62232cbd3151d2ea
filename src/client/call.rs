//! One request: its attempts, with limits on their time and on what is read.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::MAX_ANSWER;
use super::{Error, Problem, Stagegate};

/// The header that names the cell.
const CELL: &str = "stagegate-cell";
/// The time of one attempt, besides what it asks the service to wait.
const ATTEMPT: Duration = Duration::from_secs(30);

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    /// The method.
    pub(super) method: Method,
    /// The path, which begins with `/api/v1`.
    pub(super) path: &'a str,
    /// Names and values of the query.
    pub(super) query: Vec<(&'static str, String)>,
    /// The version that is known, for `If-None-Match`.
    pub(super) known: Option<u64>,
    /// The body.
    pub(super) body: Option<&'a Value>,
    /// How long the service may wait before it answers.
    pub(super) wait: Duration,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, query: Vec::new(), known: None, body: None, wait: Duration::ZERO }
    }
}

/// An answer that is a success, or `304`.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Vec<u8>,
    asked: String,
}

impl Answer {
    /// The body as `T`.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|source| Error::Answer { asked: self.asked.clone(), source })
    }
}

impl Stagegate {
    /// Sends a request until there is an answer: again after a failure of the network, 429 and 503.
    /// Only for requests that have no second effect.
    pub(super) async fn retried(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let mut attempt = 0;
        loop {
            let failure = match self.once(call).await {
                Err(failure) => failure,
                answered => return answered,
            };
            let Some(delay) = self.retry.delay(&failure, attempt) else { return Err(failure) };
            tokio::time::sleep(delay).await;
            attempt += 1;
        }
    }

    /// Sends a request once.
    pub(super) async fn once(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&call.query).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{}{mark}{query}", self.url, call.path);
        let mut request = self.http.request(call.method.clone(), url).timeout(call.wait + ATTEMPT);
        request = request.header(AUTHORIZATION, self.authorization.clone());
        if let Some(cell) = &self.cell {
            request = request.header(CELL, cell.clone());
        }
        if let Some(version) = call.known {
            request = request.header(IF_NONE_MATCH, format!("\"{version}\""));
        }
        if let Some(body) = call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let no_answer =
            |source: reqwest::Error| Error::NoAnswer { url: self.url.clone(), source: source.without_url() };
        let mut response = request.send().await.map_err(no_answer)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Error::TooLarge { asked: asked(call) });
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(Answer { status, headers, body, asked: asked(call) });
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let problem = Problem::new(status.as_u16(), &body, text("x-request-id"));
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Err(Error::Problem { problem: Box::new(problem), retry_after })
    }
}

fn asked(call: &Call<'_>) -> String {
    format!("{} {}", call.method, call.path)
}
