//! `stagegate link`: asks a running service for a link, or to end links. It speaks HTTP, with the
//! key of the person who runs it.

use std::io::{self, Write};
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Map, Value};

use crate::config::{Link, LinkCommand, NewLinkArguments, RevokeArguments, Secret};
use crate::terminal::say;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No service responds.
    #[error("no service answers at {url}")]
    NoAnswer {
        /// The service's URL.
        url: String,
        /// The HTTP client's error.
        #[source]
        source: reqwest::Error,
    },
    /// The service refused.
    #[error("the service answered {status}: {detail}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The detail of the response.
        detail: String,
    },
    /// The answer is not what the contract says.
    #[error("the answer of the service has no {0}")]
    Answer(&'static str),
    /// The HTTP client cannot be created.
    #[error("cannot create the HTTP client")]
    Client(#[source] reqwest::Error),
    /// Output failed.
    #[error("cannot write the output")]
    Out(#[from] io::Error),
}

/// Makes a link and prints its address, or ends links and prints how many.
///
/// # Errors
///
/// When no service responds, or it refuses.
pub async fn run(settings: &Link, out: &mut impl Write) -> Result<(), Error> {
    let service = Service::new(settings)?;
    match &settings.command {
        None => {
            let made = service.post("/links", body_of_link(&settings.new)).await?;
            let url = made["url"].as_str().ok_or(Error::Answer("url"))?;
            say!(out, "{url}")?;
        }
        Some(LinkCommand::Revoke(whose)) => {
            let revoked = service.revoke(whose).await?;
            say!(out, "{revoked}")?;
        }
    }
    Ok(())
}

/// The request's body: every argument that was given.
fn body_of_link(new: &NewLinkArguments) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<&String>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), Value::String(value.clone()));
        }
    };
    put("to", new.to.as_ref());
    put("task_id", new.task.as_ref());
    put("party", new.party.as_ref());
    put("open", new.open.as_ref());
    put("expires_in", new.expires_in.as_ref());
    put("session_for", new.session_for.as_ref());
    put("language", new.language.as_ref());
    put("time_zone", new.time_zone.as_ref());
    let mut actor = Map::new();
    let given = [("id", &new.actor), ("name", &new.name), ("role", &new.role)];
    for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))) {
        actor.insert(name.to_owned(), Value::String(value));
    }
    if !actor.is_empty() {
        body.insert("actor".to_owned(), Value::Object(actor));
    }
    if new.manage {
        body.insert("manage".to_owned(), Value::Bool(true));
    }
    Value::Object(body)
}

/// The service that is asked.
struct Service<'a> {
    client: Client,
    url: &'a str,
    key: &'a Secret,
}

impl<'a> Service<'a> {
    fn new(settings: &'a Link) -> Result<Self, Error> {
        // The first installed provider wins; every caller installs ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build().map_err(Error::Client)?;
        Ok(Self { client, url: settings.url.trim_end_matches('/'), key: &settings.key })
    }

    async fn revoke(&self, whose: &RevokeArguments) -> Result<String, Error> {
        if let Some(id) = &whose.link {
            self.ask(Method::DELETE, &format!("/links/{id}"), None).await?;
            return Ok("ended".to_owned());
        }
        let named = [("actor_id", &whose.actor), ("task_id", &whose.task)];
        let named = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())));
        let revoked = self.post("/links/revoke", Value::Object(named.collect())).await?;
        let ended = revoked["ended"].as_u64().ok_or(Error::Answer("number of links"))?;
        Ok(format!("ended {ended}"))
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, Error> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Error> {
        let request = self.client.request(method, format!("{}/api/v1{path}", self.url));
        let request = request.bearer_auth(self.key.expose());
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let no_answer = |source| Error::NoAnswer { url: self.url.to_owned(), source };
        let answer = request.send().await.map_err(no_answer)?;
        let status = answer.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let body: Value = answer.json().await.map_err(no_answer)?;
        if status.is_success() {
            return Ok(body);
        }
        let detail = body["detail"].as_str().unwrap_or("no detail").to_owned();
        Err(Error::Refused { status, detail })
    }
}
