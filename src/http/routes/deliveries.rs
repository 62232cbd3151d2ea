//! What became of deliveries, and deliveries sent again: each caller's own.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::webhooks::endpoints::{self, After, Delivery, Filter, Tested};
use crate::domain::audit::EventType;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{EndpointId, TaskId};
use crate::domain::values::identity::from_outside;
use crate::domain::values::time::Time;
use crate::domain::webhook::{Attempt, DeliveryState};
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{Cursor, Limit, Page};
use crate::http::problem::Problem;
use crate::http::serve::middleware::Deadline;

use super::webhooks::WebhookPath;

/// Longer than an attempt can take.
const ATTEMPT: Duration = Duration::from_secs(20);

/// When the event of a delivery was recorded, and its place in a trail.
type Key = (Time, TaskId, u64);

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// Those in this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Those of this task.
    task_id: Option<TaskId>,
    /// How many rows the page has at most.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page; without it the first page.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Key>>,
}

/// The delivery of an event to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookDelivery {
    /// The event's own id, as `webhook-id`, `X-AITasker-Delivery-Id` and in the body: the same at every attempt.
    id: Uuid,
    /// What happened; null where the event is not for the caller.
    #[serde(rename = "type")]
    #[schema(value_type = Option<EventType>, required = true)]
    kind: Option<&'static str>,
    /// The task.
    task_id: TaskId,
    /// The event's place in the task's trail.
    #[schema(minimum = 1)]
    seq: u64,
    /// What became of it.
    state: DeliveryState,
    /// When it is tried next, at the earliest (it waits for older events of its task, for an endpoint that is
    /// disabled, and for pauses of one that fails); while an attempt is under way: when it is taken for dead. Null
    /// unless it is pending.
    #[schema(required = true)]
    due_at: Option<Time>,
    /// How many attempts were begun.
    attempts_made: u32,
    /// The latest 20 of them, in order.
    attempts: Vec<Attempt>,
    /// The first 2 KiB of the last answer; null if there was none.
    #[schema(required = true)]
    answer: Option<String>,
}

/// The delivery in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DeliveryPath {
    /// What the endpoint's owner calls it.
    id: EndpointId,
    /// The delivery's id, which is its event's.
    delivery_id: Uuid,
}

/// Which deliveries to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redelivery {
    /// Those of events recorded then or later.
    since: Time,
    /// Those of which this came.
    #[serde(default)]
    state: RedeliveryState,
}

from_outside! { Redelivery {; since, state } }

/// Which deliveries, by what became of them.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedeliveryState {
    /// Those that were given up.
    #[default]
    Failed,
    /// Those that were delivered.
    Delivered,
    /// All, also those that wait for their next attempt. An attempt that is under way is not repeated.
    All,
}

/// What is sent again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Redelivered {
    /// How many deliveries.
    count: u64,
    /// Null if that is all. Else there may be more than one call takes (10,000): send the same again with this as
    /// `since`.
    #[schema(required = true)]
    next: Option<Time>,
}

/// What a test came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookTested {
    /// The sample's id, as `webhook-id`.
    id: Uuid,
    /// Whether the endpoint answered 2xx.
    delivered: bool,
    /// The attempt.
    attempt: Attempt,
    /// The first 2 KiB of the answer; null if there was none.
    #[schema(required = true)]
    answer: Option<String>,
}

/// A delivery that this replica cannot show, in its place in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadableDelivery {
    /// The event's own id.
    id: Uuid,
    /// The task.
    task_id: TaskId,
    /// The event's place in the task's trail.
    #[schema(minimum = 1)]
    seq: u64,
    /// Why it is not shown.
    unreadable: Unreadable,
}

/// A delivery in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ListedDelivery {
    /// As it is.
    Delivery(Box<WebhookDelivery>),
    /// One that cannot be shown: it has `unreadable`, which no other has.
    Unreadable(UnreadableDelivery),
}

/// List a webhook's deliveries
///
/// The newest event first, each with its latest attempts and the last answer. One that this replica cannot read has
/// its place, with `unreadable`.
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), params(WebhookPath, DeliveriesQuery), responses(
    (status = 200, description = "A page of deliveries.", body = Page<ListedDelivery>),
))]
pub async fn list_webhook_deliveries(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(query): Query<DeliveriesQuery>,
    State(state): State<AppState>,
) -> Result<Json<Page<ListedDelivery>>, Problem> {
    let key = endpoints::own(&caller, path.id)?;
    let filter = Filter { task_id: query.task_id, state: query.state };
    let after = query.cursor.map(|Cursor((recorded_at, task_id, seq))| After { recorded_at, task_id, seq });
    let limit = query.limit.and_one_more();
    let rows = endpoints::list_webhook_deliveries(&state.app, &key, filter, after, limit).await?;
    let place = |(place, ..): &endpoints::ListedDelivery| (place.recorded_at, place.task_id, place.seq);
    let listed = |(After { task_id, seq, .. }, id, delivery): endpoints::ListedDelivery| match delivery {
        Ok(delivery) => ListedDelivery::Delivery(Box::new(delivery.into())),
        Err(unreadable) => ListedDelivery::Unreadable(UnreadableDelivery { id, task_id, seq, unreadable }),
    };
    Ok(Json(Page::new(rows, query.limit, place, listed)))
}

/// Send a delivery again
///
/// At once, and then by the schedule from its beginning, whatever became of it. Later events of its task wait for
/// it. Takes no body.
#[utoipa::path(post, path = "/webhooks/{id}/deliveries/{delivery_id}/redeliver", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), params(DeliveryPath), responses(
    (status = 202, description = "It is pending.", body = WebhookDelivery),
))]
pub async fn redeliver(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<DeliveryPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<(StatusCode, Json<WebhookDelivery>), Problem> {
    let key = endpoints::own(&caller, path.id)?;
    let delivery = endpoints::redeliver(&state.app, &key, path.delivery_id).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

/// Send deliveries again
///
/// Those of events since a time, the oldest first, those of one task in order. For a receiver that was away for
/// longer than the schedule lasts, or that lost what it had.
#[utoipa::path(post, path = "/webhooks/{id}/redeliver", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), params(WebhookPath),
    request_body(content = Redelivery, example = json!({ "since": "2026-11-22T10:00:00Z", "state": "failed" })), responses(
    (status = 202, description = "They are pending.", body = Redelivered),
))]
pub async fn redeliver_since(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<(StatusCode, Json<Redelivered>), Problem> {
    let key = endpoints::own(&caller, path.id)?;
    endpoints::get_webhook(&state.app, &key).await?;
    let Redelivery { since, state: wanted } = body.parse()?;
    let states: &[DeliveryState] = match wanted {
        RedeliveryState::Failed => &[DeliveryState::Failed],
        RedeliveryState::Delivered => &[DeliveryState::Delivered],
        RedeliveryState::All => &DeliveryState::ALL,
    };
    let endpoints::Redelivered { count, next } = endpoints::redeliver_since(&state.app, &key, since, states).await?;
    Ok((StatusCode::ACCEPTED, Json(Redelivered { count, next })))
}

/// Test a webhook
///
/// Sends a sample of the type `webhook.test` at once, signed as every delivery is, and answers what came of it,
/// after 15 seconds at the most. Works with a disabled webhook, too, and changes nothing. Takes no body.
#[utoipa::path(post, path = "/webhooks/{id}/test", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), params(WebhookPath), responses(
    (status = 200, description = "What came of it, good or bad.", body = WebhookTested),
))]
pub async fn test_webhook(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    deadline: Deadline,
) -> Result<Json<WebhookTested>, Problem> {
    deadline.extend(ATTEMPT);
    let key = endpoints::own(&caller, path.id)?;
    let Tested { id, delivered, attempt, answer } = endpoints::test_webhook(&state.app, &key).await?;
    Ok(Json(WebhookTested { id, delivered, attempt, answer }))
}

impl From<Delivery> for WebhookDelivery {
    fn from(delivery: Delivery) -> Self {
        let Delivery { stored, kind } = delivery;
        Self {
            id: stored.event_id,
            kind,
            task_id: stored.task_id,
            seq: stored.seq,
            state: stored.state,
            due_at: stored.due_at,
            attempts_made: stored.attempt,
            attempts: stored.attempts,
            answer: stored.answer,
        }
    }
}
