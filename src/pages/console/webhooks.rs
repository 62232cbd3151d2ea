//! The endpoints of a partner or the platform: the list, and one with its secrets as hints.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use url::Url;

use crate::app::webhooks::endpoints::{Backlog, Dated, Endpoint, Listed};
use crate::domain::values::id::EndpointId;
use crate::domain::values::time::Time;
use crate::domain::webhook::{DisabledReason, EndpointKey, EndpointState, OVERLAP};
use crate::http::AppState;
use crate::pages::frame::{Frame, render};
use crate::pages::problem::{Kind, PageError};
use crate::pages::session::Visitor;
use crate::pages::times::TimeTag;

use super::{Answer, enter, samples, words};
use crate::pages::query::Query;

#[derive(Template)]
#[template(path = "console/webhooks.html", config = "src/pages/askama.toml")]
struct WebhooksPage {
    frame: Frame,
    rows: Vec<EndpointRow>,
    /// Calls that make the first one, to copy.
    calls: String,
}

struct EndpointRow {
    id: String,
    host: String,
    types: Vec<&'static str>,
    health: Health,
    pending: u32,
    success: Option<TimeTag>,
}

/// The state of an endpoint in words.
pub(super) struct Health {
    pub(super) text: String,
    pub(super) is_bad: bool,
}

#[derive(Template)]
#[template(path = "console/webhook.html", config = "src/pages/askama.toml")]
struct WebhookPage {
    frame: Frame,
    id: String,
    url: String,
    types: Vec<&'static str>,
    health: Health,
    is_enabled: bool,
    pending: u32,
    oldest: Option<TimeTag>,
    success: Option<TimeTag>,
    created: TimeTag,
    updated: TimeTag,
    secrets: Vec<SecretItem>,
    /// The tokens of the forms; none for those who may not change anything.
    forms: Option<Forms>,
}

/// A secret without what is confidential in it.
struct SecretItem {
    hint: String,
    created: TimeTag,
    /// When it replaces the other one.
    takes_over: Option<TimeTag>,
}

struct Forms {
    rotate: String,
    /// None if there is nothing to activate.
    activate: Option<String>,
    test: String,
    /// None if it is enabled and healthy.
    enable: Option<String>,
}

/// The endpoint of this name that the visitor's console has, whether it exists or not.
pub(super) fn key_of(visitor: &Visitor, id: &str) -> Result<EndpointKey, PageError> {
    let owner = enter(visitor)?;
    let id = EndpointId::parse(id).map_err(|_| PageError::new(Kind::NotFound, visitor.untitled()))?;
    Ok(EndpointKey { owner, id })
}

/// The list of endpoints.
pub(super) async fn get_webhooks(visitor: Visitor, State(state): State<AppState>) -> Answer {
    let owner = enter(&visitor)?;
    let failed = |error| PageError::of(error, visitor.untitled());
    let endpoints = &state.app.webhooks.endpoints;
    let listed = endpoints.list_webhooks(owner).await.map_err(failed)?;
    let ids: Vec<&str> = listed.iter().map(|(id, _)| id.as_str()).collect();
    let backlogs = endpoints.list_backlogs(owner, &ids).await.map_err(failed)?;
    let successes = endpoints.list_successes(owner, &ids).await.map_err(failed)?;
    let frame = visitor.frame(visitor.untitled().t.text("console-webhooks"));
    let rows = listed.iter().map(|row| EndpointRow::of(row, &frame, (&backlogs, &successes))).collect();
    let calls = samples::webhook(&state);
    Ok(render(StatusCode::OK, &WebhooksPage { frame, rows, calls }))
}

impl EndpointRow {
    fn of(
        (id, endpoint): &Listed,
        frame: &Frame,
        (backlogs, successes): (&HashMap<String, Backlog>, &HashMap<String, Time>),
    ) -> Self {
        let (host, types, health) = match endpoint {
            Ok(endpoint) => (host(&endpoint.url), types(endpoint), Health::of(endpoint, frame)),
            Err(why) => {
                let text = frame.t.text(words::unreadable(*why)).into_owned();
                (String::new(), Vec::new(), Health { text, is_bad: true })
            }
        };
        Self {
            id: id.to_string(),
            host,
            types,
            health,
            pending: backlogs.get(id.as_str()).map_or(0, |backlog| backlog.pending),
            success: successes.get(id.as_str()).map(|at| frame.times.tag(at)),
        }
    }
}

fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(ToOwned::to_owned)).unwrap_or_default()
}

fn types(endpoint: &Endpoint) -> Vec<&'static str> {
    endpoint.types.as_ref().map_or_else(Vec::new, |types| types.as_slice().to_vec())
}

impl Health {
    fn of(endpoint: &Endpoint, frame: &Frame) -> Self {
        let t = frame.t;
        let is_bad = endpoint.state == EndpointState::Disabled || endpoint.failing_since.is_some();
        let text = match (endpoint.state, endpoint.disabled_reason, endpoint.failing_since) {
            (EndpointState::Enabled, _, None) => t.text("console-endpoint-works"),
            (EndpointState::Enabled, _, Some(since)) => {
                t.with("console-endpoint-failing", "since", frame.times.text(&since))
            }
            (EndpointState::Disabled, Some(DisabledReason::Gone), _) => t.text("console-endpoint-gone"),
            (EndpointState::Disabled, Some(DisabledReason::Failing) | None, _) => t.text("console-endpoint-off"),
        };
        Self { text: text.into_owned(), is_bad }
    }
}

/// One endpoint.
pub(super) async fn get_webhook(
    visitor: Visitor,
    State(state): State<AppState>,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    let key = key_of(&visitor, &id)?;
    let failed = |error| PageError::of(error, visitor.untitled());
    let endpoints = &state.app.webhooks.endpoints;
    let endpoint = endpoints.get_webhook(&key).await.map_err(failed)?;
    let ids = [key.id.as_str()];
    let backlog = endpoints.list_backlogs(key.owner, &ids).await.map_err(failed)?.remove(ids[0]).unwrap_or_default();
    let success = endpoints.list_successes(key.owner, &ids).await.map_err(failed)?.remove(ids[0]);
    let t = visitor.untitled().t;
    let title = match query.value("done") {
        "enabled" => "console-enabled-title",
        "activated" => "console-activated-title",
        _ => "console-webhook-title",
    };
    let frame = visitor.frame(t.with(title, "id", id.as_str()));
    let page = WebhookPage {
        url: endpoint.url.clone(),
        types: types(&endpoint),
        health: Health::of(&endpoint, &frame),
        is_enabled: endpoint.state == EndpointState::Enabled,
        pending: backlog.pending,
        oldest: backlog.oldest.map(|at| frame.times.tag(&at)),
        success: success.map(|at| frame.times.tag(&at)),
        created: frame.times.tag(&endpoint.created_at),
        updated: frame.times.tag(&endpoint.updated_at),
        secrets: SecretItem::of(&endpoint, &frame),
        forms: visitor.reach.manage.then(|| Forms::of(&visitor, &endpoint)),
        id,
        frame,
    };
    Ok(render(StatusCode::OK, &page))
}

impl SecretItem {
    fn of(endpoint: &Endpoint, frame: &Frame) -> Vec<Self> {
        let item = |dated: &Dated, takes_over: Option<Time>| Self {
            hint: hint(dated),
            created: frame.times.tag(&dated.created_at),
            takes_over: takes_over.map(|at| frame.times.due(&at)),
        };
        let next = endpoint.secrets.next.as_ref();
        let next = next.map(|next| item(next, Some(next.created_at + OVERLAP)));
        std::iter::once(item(&endpoint.secrets.current, None)).chain(next).collect()
    }
}

/// The first characters of a secret, as the API shows them.
fn hint(dated: &Dated) -> String {
    dated.secret.reveal().chars().take(10).collect()
}

impl Forms {
    fn of(visitor: &Visitor, endpoint: &Endpoint) -> Self {
        let token = |action: &str| visitor.form_token(&format!("/webhooks/{}/{action}", endpoint.key.id));
        let is_healthy = endpoint.state == EndpointState::Enabled && endpoint.failing_since.is_none();
        Self {
            rotate: token("rotate"),
            activate: endpoint.secrets.next.as_ref().map(|_| token("activate")),
            test: token("test"),
            enable: (!is_healthy).then(|| token("enable")),
        }
    }
}
