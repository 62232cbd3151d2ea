//! Deliveries: across all endpoints with filters, and one with its attempts and what is sent.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::app::webhooks::deliveries::After;
use crate::app::webhooks::overview::{Detail, Found, Selection, Sighted};
use crate::domain::task::event::Fact;
use crate::domain::values::id::{EndpointId, TaskId};
use crate::domain::values::time::Time;
use crate::domain::webhook::{Attempt, DeliveryState};
use crate::http::AppState;
use crate::pages::frame::{Frame, render};
use crate::pages::problem::PageError;
use crate::pages::session::Visitor;
use crate::pages::times::TimeTag;

use super::resend::event_of;
use super::slips::{self, Slip};
use super::tasks::{by_name, outcome};
use super::webhooks::key_of;
use super::{Answer, enter, words};
use crate::pages::query::Query;
use crate::pages::times::typed_time;

const PATH: &str = "/deliveries";
/// The rows of a page.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "console/deliveries.html", config = "src/pages/askama.toml")]
struct DeliveriesPage {
    frame: Frame,
    slips: Vec<Slip>,
    query: Query,
    types: &'static [&'static str],
    rows: Vec<DeliveryRow>,
    next: Option<String>,
    manage: bool,
}

struct DeliveryRow {
    path: String,
    endpoint: String,
    recorded: TimeTag,
    kind: Option<&'static str>,
    task: String,
    /// The id of the words for its state.
    state: &'static str,
    is_failed: bool,
    attempts: u32,
    answer: String,
}

/// An attempt in words.
pub(super) struct AttemptItem {
    pub(super) at: TimeTag,
    pub(super) result: String,
    pub(super) took: String,
}

#[derive(Template)]
#[template(path = "console/delivery.html", config = "src/pages/askama.toml")]
struct DeliveryPage {
    frame: Frame,
    endpoint: String,
    url: String,
    task: String,
    seq: u64,
    event: String,
    recorded: TimeTag,
    state: &'static str,
    is_pending: bool,
    due: Option<TimeTag>,
    kept: String,
    attempts: Vec<AttemptItem>,
    answer: Option<String>,
    body: Option<String>,
    headers: Vec<(&'static str, Option<String>)>,
    form: Option<String>,
}

/// The deliveries of a partner or the platform.
pub(super) async fn get_deliveries(visitor: Visitor, State(state): State<AppState>, mut query: Query) -> Answer {
    let owner = enter(&visitor)?;
    let (selection, after) = select(&mut query);
    let t = visitor.untitled().t;
    let title = match query.value("done").parse::<u64>() {
        Ok(count) => t.with("console-resent-all", "count", count),
        Err(_) => t.text("console-deliveries"),
    };
    let frame = visitor.frame(title);
    let slips = slips::of(&query, &frame);
    let found = if slips.is_empty() {
        let listed = state.app.webhooks.deliveries.list_deliveries(owner, &selection, after, ROWS).await;
        listed.map_err(|error| PageError::of(error, visitor.untitled()))?
    } else {
        Found { rows: Vec::new(), next: None }
    };
    let next =
        found.next.map(|(place, endpoint)| query.next(PATH, (place.recorded_at, place.task_id, place.seq, endpoint)));
    let rows = found.rows.iter().map(|row| DeliveryRow::of(row, &frame)).collect();
    let (status, frame) = outcome(frame, &slips);
    let manage = visitor.reach.manage;
    Ok(render(status, &DeliveriesPage { frame, slips, query, types: &Fact::TYPES, rows, next, manage }))
}

fn select(query: &mut Query) -> (Selection, Option<(After, EndpointId)>) {
    let selection = Selection {
        endpoint: query.read("endpoint", |text| EndpointId::parse(text).ok()),
        task_id: query.read("task", by_name),
        state: query.read("state", by_name),
        kind: query.read("type", |text| Fact::TYPES.contains(&text).then(|| text.to_owned())),
        since: query.read("since", typed_time),
    };
    let after = query.cursor::<(Time, TaskId, u64, EndpointId)>();
    let after = after.map(|(recorded_at, task_id, seq, endpoint)| (After { recorded_at, task_id, seq }, endpoint));
    (selection, after)
}

impl DeliveryRow {
    fn of(row: &Sighted, frame: &Frame) -> Self {
        let readable = row.delivery.as_ref().ok();
        let stored = readable.map(|delivery| &delivery.stored);
        let last = stored.and_then(|stored| stored.attempts.last());
        Self {
            path: format!("{PATH}/{}/{}", row.endpoint, row.event_id),
            endpoint: row.endpoint.to_string(),
            recorded: frame.times.tag(&row.place.recorded_at),
            kind: readable.and_then(|delivery| delivery.kind),
            task: row.place.task_id.to_string(),
            state: match &row.delivery {
                Ok(delivery) => words::delivery(delivery.stored.state),
                Err(why) => words::unreadable(*why),
            },
            is_failed: stored.is_none_or(|stored| stored.state == DeliveryState::Failed),
            attempts: stored.map_or(0, |stored| stored.attempt),
            answer: last.map_or_else(String::new, |attempt| result(attempt, frame)),
        }
    }
}

/// What came of an attempt.
fn result(attempt: &Attempt, frame: &Frame) -> String {
    match (attempt.status, &attempt.detail, &attempt.error) {
        (Some(status), _, _) => frame.t.with("console-answered", "status", status.to_string()).into_owned(),
        (None, Some(detail), _) => detail.clone(),
        (None, None, error) => error.clone().unwrap_or_default(),
    }
}

impl AttemptItem {
    /// The attempt in words.
    pub(super) fn of(attempt: &Attempt, frame: &Frame) -> Self {
        Self {
            at: frame.times.tag(&attempt.at),
            result: result(attempt, frame),
            took: frame.t.with("console-took", "ms", attempt.took_ms.to_string()).into_owned(),
        }
    }
}

/// One delivery.
pub(super) async fn get_delivery(
    visitor: Visitor,
    State(state): State<AppState>,
    Path((id, event)): Path<(String, String)>,
    query: Query,
) -> Answer {
    let key = key_of(&visitor, &id)?;
    let event = event_of(&visitor, &event)?;
    let detail = state.app.webhooks.deliveries.get_delivery(&key, event).await;
    let Detail { endpoint, delivery, body, headers } =
        detail.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let t = visitor.untitled().t;
    let kind = delivery.kind.unwrap_or("?");
    let frame = visitor.frame(match query.value("done") {
        "resent" => t.with("console-resent-title", "type", kind),
        _ => t.with("console-delivery-title", "type", kind),
    });
    let stored = delivery.stored;
    let page = DeliveryPage {
        url: endpoint.url,
        task: stored.task_id.to_string(),
        seq: stored.seq,
        event: event.to_string(),
        recorded: frame.times.tag(&stored.recorded_at),
        state: words::delivery(stored.state),
        is_pending: stored.state == DeliveryState::Pending,
        due: stored.due_at.map(|at| frame.times.due(&at)),
        kept: t
            .with_all(
                "console-attempts-kept",
                [("made", stored.attempt.into()), ("kept", stored.attempts.len().into())],
            )
            .into_owned(),
        attempts: stored.attempts.iter().map(|attempt| AttemptItem::of(attempt, &frame)).collect(),
        answer: stored.answer,
        body: body.map(|body| pretty(&body)),
        headers,
        form: visitor.reach.manage.then(|| visitor.form_token(&format!("{PATH}/{id}/{event}/resend"))),
        endpoint: id,
        frame,
    };
    Ok(render(StatusCode::OK, &page))
}

/// JSON for people; as it is if it is none.
fn pretty(body: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(body).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| body.to_owned())
}
