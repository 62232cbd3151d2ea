//! Testing, enabling and removing an endpoint.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::app::webhooks::endpoints::Tested;
use crate::http::AppState;
use crate::http::input::deadline::Deadline;
use crate::pages::forms::Form;
use crate::pages::frame::{Frame, render};
use crate::pages::links::go_to;
use crate::pages::problem::PageError;
use crate::pages::session::Visitor;

use super::deliveries::AttemptItem;
use super::webhooks::key_of;
use super::{Answer, check_manage};

/// Extra time for a request that waits for an attempt; longer than any attempt takes.
const ATTEMPT: Duration = Duration::from_secs(20);

#[derive(Template)]
#[template(path = "console/tested.html", config = "src/pages/askama.toml")]
struct TestedPage {
    frame: Frame,
    id: String,
    message_id: String,
    attempt: AttemptItem,
    answer: Option<String>,
}

#[derive(Template)]
#[template(path = "console/remove.html", config = "src/pages/askama.toml")]
struct RemovePage {
    frame: Frame,
    id: String,
    pending: u32,
    form: String,
}

/// Sends a sample and shows what came of it.
pub(super) async fn post_test(
    State(state): State<AppState>,
    Path(id): Path<String>,
    deadline: Deadline,
    form: Form,
) -> Answer {
    let visitor = &form.visitor;
    let key = key_of(visitor, &id)?;
    check_manage(visitor)?;
    deadline.extend(ATTEMPT);
    let tested = state.app.webhooks.endpoints.test_webhook(&key).await;
    let Tested { id: message, delivered, attempt, answer } =
        tested.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let title = if delivered { "console-tested-title" } else { "console-test-failed-title" };
    let frame = visitor.frame(visitor.untitled().t.with(title, "id", id.as_str()));
    let attempt = AttemptItem::of(&attempt, &frame);
    Ok(render(StatusCode::OK, &TestedPage { frame, id, message_id: message.to_string(), attempt, answer }))
}

/// Enables the endpoint: what is pending is sent at once.
pub(super) async fn post_enable(State(state): State<AppState>, Path(id): Path<String>, form: Form) -> Answer {
    let visitor = &form.visitor;
    let key = key_of(visitor, &id)?;
    check_manage(visitor)?;
    let failed = |error| PageError::of(error, visitor.untitled());
    let endpoints = &state.app.webhooks.endpoints;
    let present = endpoints.get_webhook(&key).await.map_err(failed)?;
    endpoints.set_webhook(key, &present.url, present.types).await.map_err(failed)?;
    Ok(go_to(&format!("/webhooks/{id}?done=enabled")))
}

/// Asks whether to remove the endpoint.
pub(super) async fn get_remove(visitor: Visitor, State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let key = key_of(&visitor, &id)?;
    check_manage(&visitor)?;
    let failed = |error| PageError::of(error, visitor.untitled());
    let endpoints = &state.app.webhooks.endpoints;
    endpoints.get_webhook(&key).await.map_err(failed)?;
    let backlogs = endpoints.list_backlogs(key.owner, &[key.id.as_str()]).await.map_err(failed)?;
    let pending = backlogs.get(key.id.as_str()).map_or(0, |backlog| backlog.pending);
    let frame = visitor.frame(visitor.untitled().t.with("console-remove-title", "id", id.as_str()));
    let form = visitor.form_token(&format!("/webhooks/{id}/remove"));
    Ok(render(StatusCode::OK, &RemovePage { frame, id, pending, form }))
}

/// Removes the endpoint.
pub(super) async fn post_remove(State(state): State<AppState>, Path(id): Path<String>, form: Form) -> Answer {
    let visitor = &form.visitor;
    let key = key_of(visitor, &id)?;
    check_manage(visitor)?;
    let removed = state.app.webhooks.endpoints.remove_webhook(key).await;
    removed.map_err(|error| PageError::of(error, visitor.untitled()))?;
    Ok(go_to("/webhooks"))
}
