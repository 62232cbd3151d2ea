//! Sending deliveries again: one, or all that failed since a time, with their number first.

use askama::Template;
use axum::extract::{Path, State};
use uuid::Uuid;

use crate::app::webhooks::deliveries::{MAX_REDELIVERED, Redelivered};
use crate::domain::values::id::EventId;
use crate::domain::webhook::DeliveryState;
use crate::http::AppState;
use crate::pages::forms::Form;
use crate::pages::frame::{Frame, render};
use crate::pages::links::go_to;
use crate::pages::problem::{Kind, PageError};
use crate::pages::session::Visitor;

use super::slips::{self, Slip};
use super::tasks::outcome;
use super::webhooks::key_of;
use super::{Answer, check_manage};
use crate::pages::query::Query;
use crate::pages::times::typed_time;

#[derive(Template)]
#[template(path = "console/resend.html", config = "src/pages/askama.toml")]
struct ResendPage {
    frame: Frame,
    slips: Vec<Slip>,
    id: String,
    since: String,
    /// How many failed, and the token of the form that sends them again.
    found: Option<(u32, String)>,
    most: u32,
}

/// Asks since when, and says how many that are.
pub(super) async fn get_resend(
    visitor: Visitor,
    State(state): State<AppState>,
    Path(id): Path<String>,
    mut query: Query,
) -> Answer {
    let key = key_of(&visitor, &id)?;
    check_manage(&visitor)?;
    let failed = |error| PageError::of(error, visitor.untitled());
    state.app.webhooks.endpoints.get_webhook(&key).await.map_err(failed)?;
    let since = query.read("since", typed_time);
    let found = match since {
        Some(since) => {
            let deliveries = &state.app.webhooks.deliveries;
            let count = deliveries.count_since(&key, since, &[DeliveryState::Failed]).await.map_err(failed)?;
            Some((count, visitor.form_token(&format!("/webhooks/{id}/resend"))))
        }
        None => None,
    };
    let frame = visitor.frame(visitor.untitled().t.with("console-resend-title", "id", id.as_str()));
    let slips = slips::of(&query, &frame);
    let (status, frame) = outcome(frame, &slips);
    let since = since.map_or_else(|| query.value("since").to_owned(), |since| since.to_string());
    Ok(render(status, &ResendPage { frame, slips, id, since, found, most: MAX_REDELIVERED }))
}

/// Sends again what failed since the time in the form.
pub(super) async fn post_resend(State(state): State<AppState>, Path(id): Path<String>, form: Form) -> Answer {
    let visitor = &form.visitor;
    let key = key_of(visitor, &id)?;
    check_manage(visitor)?;
    let since = typed_time(form.fields.get("since").trim());
    let since = since.ok_or_else(|| PageError::new(Kind::Unreadable, visitor.untitled()))?;
    let deliveries = &state.app.webhooks.deliveries;
    let sent = deliveries.redeliver_since(&key, since, &[DeliveryState::Failed]).await;
    match sent.map_err(|error| PageError::of(error, visitor.untitled()))? {
        Redelivered { next: Some(next), .. } => Ok(go_to(&format!("/webhooks/{id}/resend?since={next}"))),
        Redelivered { count, next: None } => Ok(go_to(&format!("/deliveries?endpoint={id}&done={count}"))),
    }
}

/// Sends one delivery again.
pub(super) async fn post_one(
    State(state): State<AppState>,
    Path((id, event)): Path<(String, String)>,
    form: Form,
) -> Answer {
    let visitor = &form.visitor;
    let key = key_of(visitor, &id)?;
    check_manage(visitor)?;
    let event = event_of(visitor, &event)?;
    let sent = state.app.webhooks.deliveries.redeliver(&key, event).await;
    sent.map_err(|error| PageError::of(error, visitor.untitled()))?;
    Ok(go_to(&format!("/deliveries/{id}/{event}?done=resent")))
}

/// The event with this id.
pub(super) fn event_of(visitor: &Visitor, id: &str) -> Result<EventId, PageError> {
    let id = Uuid::try_parse(id).map_err(|_| PageError::new(Kind::NotFound, visitor.untitled()))?;
    Ok(EventId(id))
}
