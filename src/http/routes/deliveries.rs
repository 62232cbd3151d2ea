//! Webhook deliveries and redelivery, for the owner of the webhook.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::webhooks::deliveries::{self, After, Delivery, Filter};
use crate::app::webhooks::endpoints::{self, Tested};
use crate::domain::audit::EventType;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{EndpointId, EventId, MessageId, TaskId};
use crate::domain::values::outside::from_outside;
use crate::domain::values::time::Time;
use crate::domain::webhook::{Attempt, DeliveryState};
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::deadline::Deadline;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{AnyCursor, Cursor, Limit, Page, PageWithGaps};
use crate::http::problem::Problem;

use super::webhooks::WebhookPath;

/// Extra time for a request that waits for an attempt; longer than any attempt takes.
const ATTEMPT: Duration = Duration::from_secs(20);

/// Sort key of the list: when the event was recorded, its task, and its place in the task's trail.
type Key = (Time, TaskId, u64);

/// Selects deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// Only deliveries in this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Only deliveries of this task.
    task_id: Option<TaskId>,
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(inline, value_type = Option<AnyCursor>)]
    cursor: Option<Cursor<Key>>,
}

/// The delivery of an event to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookDelivery {
    /// The event's id, as in `webhook-id`, `X-AITasker-Delivery-Id` and the body. It is the same at
    /// every attempt.
    #[schema(value_type = Uuid)]
    id: EventId,
    /// The type of the event; null if the caller may not see the event.
    #[serde(rename = "type")]
    #[schema(value_type = Option<EventType>, required = true)]
    kind: Option<&'static str>,
    /// The task's id.
    task_id: TaskId,
    /// The event's place in the task's trail.
    #[schema(minimum = 1)]
    seq: u64,
    /// The state of the delivery.
    state: DeliveryState,
    /// The earliest time of the next attempt. A delivery also waits for older events of its task,
    /// for a disabled endpoint to be enabled, and for the pause of a failing one. During an
    /// attempt: when the attempt counts as lost. Null unless the delivery is pending.
    #[schema(required = true)]
    due_at: Option<Time>,
    /// The number of attempts that were started.
    attempts_made: u32,
    /// The latest 20 attempts, in order.
    attempts: Vec<Attempt>,
    /// The first 2 KiB of the last response; null if there was none.
    #[schema(required = true)]
    answer: Option<String>,
}

/// The delivery in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DeliveryPath {
    /// The webhook's id, chosen by its owner.
    id: EndpointId,
    /// The delivery's id, which is its event's id.
    #[param(value_type = Uuid)]
    delivery_id: EventId,
}

/// Selects deliveries to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redelivery {
    /// Deliveries of events that were recorded at this time or later.
    since: Time,
    /// Deliveries in this state.
    #[serde(default)]
    state: RedeliveryState,
}

from_outside! { Redelivery {; since, state } }

/// Selects deliveries by their state.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedeliveryState {
    /// Deliveries that failed for good.
    #[default]
    Failed,
    /// Deliveries that succeeded.
    Delivered,
    /// All, including those that wait for their next attempt. An attempt in progress is not
    /// repeated.
    All,
}

/// The deliveries that are sent again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Redelivered {
    /// The number of deliveries.
    count: u64,
    /// Null if these are all. Otherwise there may be more than one call handles (10,000): repeat
    /// the call with this time as `since`.
    #[schema(required = true)]
    next: Option<Time>,
}

/// The result of a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookTested {
    /// The sample's id, as in `webhook-id`.
    #[schema(value_type = Uuid)]
    id: MessageId,
    /// Whether the endpoint responded with 2xx.
    delivered: bool,
    /// The attempt.
    attempt: Attempt,
    /// The first 2 KiB of the response; null if there was none.
    #[schema(required = true)]
    answer: Option<String>,
}

/// A placeholder in lists for a delivery that this replica cannot read.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadableDelivery {
    /// The event's id.
    #[schema(value_type = Uuid)]
    id: EventId,
    /// The task's id.
    task_id: TaskId,
    /// The event's place in the task's trail.
    #[schema(minimum = 1)]
    seq: u64,
    /// Why it cannot be shown.
    unreadable: Unreadable,
}

/// List a webhook's deliveries
///
/// Returns the deliveries by event, newest first, each with its latest attempts and the last
/// response. A delivery that this replica cannot read is in `unreadable`.
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), params(WebhookPath, DeliveriesQuery), responses(
    (status = 200, description = "A page of deliveries.", body = PageWithGaps<WebhookDelivery, UnreadableDelivery>),
))]
pub async fn list_webhook_deliveries(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(query): Query<DeliveriesQuery>,
    State(state): State<AppState>,
) -> Result<Json<PageWithGaps<WebhookDelivery, UnreadableDelivery>>, Problem> {
    let key = endpoints::own(&caller, path.id)?;
    let filter = Filter { task_id: query.task_id, state: query.state };
    let after = Cursor::of_page(query.cursor, state.app.cell())?.map(|(recorded_at, task_id, seq)| After {
        recorded_at,
        task_id,
        seq,
    });
    let limit = query.limit.and_one_more();
    let rows = state.app.webhooks.deliveries.list_webhook_deliveries(&key, filter, after, limit).await?;
    let place = |(place, ..): &deliveries::ListedDelivery| (place.recorded_at, place.task_id, place.seq);
    let listed = |(After { task_id, seq, .. }, id, delivery): deliveries::ListedDelivery| match delivery {
        Ok(delivery) => Ok(delivery.into()),
        Err(unreadable) => Err(UnreadableDelivery { id, task_id, seq, unreadable }),
    };
    Ok(Json(Page::new(state.app.cell(), rows, query.limit, place, listed).into()))
}

/// Send a delivery again
///
/// Sends the delivery at once, whatever its state, and restarts the retry schedule. Later events of
/// its task wait for it. Takes no body.
#[utoipa::path(post, path = "/webhooks/{id}/deliveries/{delivery_id}/redeliver", tag = "webhooks", security(("partnerKey" = ["define"]), ("platformKey" = [])), params(DeliveryPath), responses(
    (status = 202, description = "The delivery is pending.", body = WebhookDelivery),
))]
pub async fn redeliver(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<DeliveryPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<(StatusCode, Json<WebhookDelivery>), Problem> {
    let key = endpoints::own(&caller, path.id)?;
    let delivery = state.app.webhooks.deliveries.redeliver(&key, path.delivery_id).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

/// Send deliveries again
///
/// Sends the deliveries of events since a time again: the oldest first, and those of one task in
/// order. It is meant for a receiver that was unavailable for longer than the retry schedule, or
/// that lost data.
#[utoipa::path(post, path = "/webhooks/{id}/redeliver", tag = "webhooks", security(("partnerKey" = ["define"]), ("platformKey" = [])), params(WebhookPath),
    request_body(content = Redelivery, example = json!({ "since": "2026-11-22T10:00:00Z", "state": "failed" })), responses(
    (status = 202, description = "The deliveries are pending.", body = Redelivered),
))]
pub async fn redeliver_since(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<(StatusCode, Json<Redelivered>), Problem> {
    let key = endpoints::own(&caller, path.id)?;
    state.app.webhooks.endpoints.get_webhook(&key).await?;
    let Redelivery { since, state: wanted } = body.parse()?;
    let states: &[DeliveryState] = match wanted {
        RedeliveryState::Failed => &[DeliveryState::Failed],
        RedeliveryState::Delivered => &[DeliveryState::Delivered],
        RedeliveryState::All => &DeliveryState::ALL,
    };
    let deliveries::Redelivered { count, next } =
        state.app.webhooks.deliveries.redeliver_since(&key, since, states).await?;
    Ok((StatusCode::ACCEPTED, Json(Redelivered { count, next })))
}

/// Test a webhook
///
/// Sends a sample of the type `webhook.test` at once, signed like every delivery, and returns the
/// result after at most 15 seconds. Works with a disabled webhook as well, and changes nothing.
/// Takes no body.
#[utoipa::path(post, path = "/webhooks/{id}/test", tag = "webhooks", security(("partnerKey" = ["define"]), ("platformKey" = [])), params(WebhookPath), responses(
    (status = 200, description = "The result, whether the attempt succeeded or failed.", body = WebhookTested),
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
    let Tested { id, delivered, attempt, answer } = state.app.webhooks.endpoints.test_webhook(&key).await?;
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
