//! `stagegate link`: makes a link that lets a person in, or ends links.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::client::Stagegate;
use crate::config::{Link, LinkCommand, NewLinkArguments, RevokeArguments};

use super::failure::Failure;
use super::output::Output;

pub(super) async fn run(settings: &Link, client: &Stagegate, out: &mut Output) -> Result<(), Failure> {
    match &settings.command {
        None => {
            let body = body_of_link(&settings.new);
            let made = client.request(Method::POST, "/api/v1/links", Some(&body)).await?;
            if out.is_json() {
                return Ok(out.json(&made)?);
            }
            Ok(out.line(made["url"].as_str().unwrap_or_default())?)
        }
        Some(LinkCommand::Revoke(whose)) => revoke(whose, client, out).await,
    }
}

async fn revoke(whose: &RevokeArguments, client: &Stagegate, out: &mut Output) -> Result<(), Failure> {
    let revoked = if let Some(id) = &whose.link {
        client.request(Method::DELETE, &format!("/api/v1/links/{id}"), None).await?;
        json!({ "ended": 1 })
    } else {
        let named = [("actor_id", &whose.actor), ("task_id", &whose.task)];
        let named = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())));
        client.request(Method::POST, "/api/v1/links/revoke", Some(&Value::Object(named.collect()))).await?
    };
    if out.is_json() { Ok(out.json(&revoked)?) } else { Ok(out.line(format!("ended {}", revoked["ended"]))?) }
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
