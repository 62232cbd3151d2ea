//! Webhook endpoints and their secrets, for the caller who owns them.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::webhooks::endpoints::{self, Backlog, Dated, Endpoint};
use crate::app::{App, access};
use crate::domain::audit::EventType;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::EndpointId;
use crate::domain::values::outside::from_outside;
use crate::domain::values::text::Link;
use crate::domain::values::time::Time;
use crate::domain::webhook::{DisabledReason, EndpointState, OVERLAP, Types};
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::PageWithGaps;
use crate::http::problem::Problem;

/// The definition of a webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookDefinition {
    /// An https URL without user name, password and fragment, whose host has public addresses only.
    /// The port is 443 or at least 1024, except for ports that browsers block. The URL is checked
    /// now and at every attempt.
    #[schema(example = "https://agents.example/hooks/aitasker")]
    url: Link,
    /// The types of events to send. Absent or null: all types. As in the feed, events that the
    /// caller may not see are then sent with their place in the trail only.
    #[serde(default)]
    types: Option<Types>,
}

from_outside! { WebhookDefinition { url; types } }

/// An endpoint that events are sent to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Webhook {
    /// The webhook's id, chosen by its owner.
    id: EndpointId,
    /// The URL that events are sent to, in canonical form.
    #[schema(example = "https://agents.example/hooks/aitasker")]
    url: String,
    /// The types of events that are sent; null: all.
    #[schema(value_type = Option<Vec<EventType>>, required = true)]
    types: Option<Types>,
    /// Whether events are sent.
    state: EndpointState,
    /// Why the service disabled the webhook; null while it is enabled.
    #[schema(required = true)]
    disabled_reason: Option<DisabledReason>,
    /// Since when every attempt has failed; null if the last attempt succeeded.
    #[schema(required = true)]
    failing_since: Option<Time>,
    /// The number of pending deliveries; 500 stands for 500 or more.
    #[schema(maximum = 500)]
    pending: u32,
    /// When the oldest pending event was recorded; null if none is pending. If `pending` is 500,
    /// only the 500 deliveries that are due first count.
    #[schema(required = true)]
    oldest_pending_at: Option<Time>,
    /// The secrets that deliveries are signed with: one, or two after a rotation.
    secrets: Vec<SigningSecret>,
    /// When the webhook was set up.
    created_at: Time,
    /// When the webhook was last changed.
    updated_at: Time,
    /// The secret of a webhook that was just set up. It is shown only once, in the `201`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^whsec_[0-9A-Za-z+/]+=*$")]
    secret: Option<String>,
}

/// A secret, without its confidential part.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningSecret {
    /// The first characters of the secret.
    #[schema(example = "whsec_7Gq2")]
    hint: String,
    /// Which signatures are made with the secret.
    state: SecretState,
    /// When the secret was created.
    created_at: Time,
    /// When it replaces the current secret automatically; null for the current secret.
    #[schema(required = true)]
    takes_over_at: Option<Time>,
}

/// Which signatures are made with a secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretState {
    /// All signatures.
    Current,
    /// `webhook-signature` contains a signature with this secret as well. `X-AITasker-Signature`
    /// holds only one signature and still uses the current secret.
    Pending,
}

/// A secret that was just created.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotatedSecret {
    /// The secret. It is shown only once.
    #[schema(pattern = "^whsec_[0-9A-Za-z+/]+=*$")]
    secret: String,
    /// The first characters of the secret.
    #[schema(example = "whsec_7Gq2")]
    hint: String,
    /// When the secret was created.
    created_at: Time,
    /// When it replaces the current secret, unless it is activated earlier.
    takes_over_at: Time,
}

/// The endpoint in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WebhookPath {
    /// The webhook's id, chosen by its owner.
    pub(in crate::http) id: EndpointId,
}

/// A placeholder in lists for a webhook that this replica cannot read.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadableWebhook {
    /// The webhook's id, chosen by its owner.
    id: EndpointId,
    /// Why it cannot be shown.
    unreadable: Unreadable,
}

/// List the webhooks
///
/// Returns the caller's webhooks by id; there are at most 20 at a time. A webhook that this replica
/// cannot read is in `unreadable`.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), responses(
    (status = 200, description = "All webhooks of the caller; `next` is always null.", body = PageWithGaps<Webhook, UnreadableWebhook>),
))]
pub async fn list_webhooks(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<PageWithGaps<Webhook, UnreadableWebhook>>, Problem> {
    let Some(owner) = access::owner(&caller) else { return Ok(Json(PageWithGaps::new(Vec::new(), None))) };
    let endpoints = state.app.webhooks.endpoints.list_webhooks(owner).await?;
    let ids: Vec<&str> = endpoints.iter().map(|(id, _)| id.as_str()).collect();
    let mut backlogs = state.app.webhooks.endpoints.list_backlogs(owner, &ids).await?;
    let listed = |(id, endpoint): endpoints::Listed| match endpoint {
        Ok(endpoint) => {
            let backlog = backlogs.remove(id.as_str()).unwrap_or_default();
            Ok(Webhook::new(endpoint, backlog))
        }
        Err(unreadable) => Err(UnreadableWebhook { id, unreadable }),
    };
    Ok(Json(PageWithGaps::new(endpoints.into_iter().map(listed).collect(), None)))
}

/// Set up or change a webhook
///
/// The caller chooses the `id`. A new webhook gets a secret, which is shown only in this response.
/// Changing a webhook keeps its secrets and clears its failures. If the service had disabled the
/// webhook, it is enabled: pending deliveries are due at once and sent in order. A webhook that is
/// set up again after its removal gets a new secret.
///
/// Events that happen from now on are sent, each at least once and those of one task in order, as
/// the caller may see them. The bodies are the items of the feed. If an endpoint responds with
/// anything but 2xx, or not within 15 seconds, the delivery is retried after 5 s, 5 min, 30 min, 2
/// h, 5 h, 10 h, 14 h, 20 h and 24 h, each varied by up to a fifth, and not before its
/// `Retry-After`. A 410 response disables the webhook at once; so do five days of failures without
/// a success. The feed then has a notice.
#[utoipa::path(put, path = "/webhooks/{id}", tag = "webhooks", security(("partnerKey" = ["define"]), ("platformKey" = [])), params(WebhookPath),
    request_body(content = WebhookDefinition, example = json!({ "url": "https://agents.example/hooks/aitasker", "types": ["task.stage_rejected", "task.workflow_completed"] })),
    responses(
        (status = 200, description = "The webhook was changed and is enabled.", body = Webhook),
        (status = 201, description = "The webhook was set up. The secret is shown only once.", body = Webhook, headers(("Location" = String, description = "The webhook's path."))),
        (status = 409, description = ""),
))]
pub async fn set_webhook(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<Response, Problem> {
    let key = endpoints::own(&caller, path.id)?;
    let WebhookDefinition { url, types } = body.parse()?;
    let (endpoint, secret) = state.app.webhooks.endpoints.set_webhook(key, url.as_str(), types).await?;
    let webhook = with_backlog(&state.app, endpoint).await?;
    let Some(secret) = secret else { return Ok(Json(webhook).into_response()) };
    let location = format!("/api/v1/webhooks/{}", webhook.id);
    let webhook = Webhook { secret: Some(secret.reveal().to_owned()), ..webhook };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(webhook)).into_response())
}

/// Read a webhook
#[utoipa::path(get, path = "/webhooks/{id}", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), params(WebhookPath), responses(
    (status = 200, description = "The webhook.", body = Webhook),
))]
pub async fn get_webhook(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<Webhook>, Problem> {
    let key = endpoints::own(&caller, path.id)?;
    Ok(Json(with_backlog(&state.app, state.app.webhooks.endpoints.get_webhook(&key).await?).await?))
}

/// Remove a webhook
///
/// Nothing more is sent to the webhook: pending deliveries are given up, and an attempt in progress
/// finishes. Its secrets are deleted.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "webhooks", security(("partnerKey" = ["define"]), ("platformKey" = [])), params(WebhookPath), responses(
    (status = 204, description = "The webhook was removed."),
))]
pub async fn remove_webhook(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<StatusCode, Problem> {
    state.app.webhooks.endpoints.remove_webhook(endpoints::own(&caller, path.id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Create a webhook's next secret
///
/// From now on `webhook-signature` carries a signature with each of the two secrets, so that
/// receivers can switch without interruption. `X-AITasker-Signature` uses the older secret until
/// the newer one is activated or a day has passed; then the older one is deleted. Another call
/// before that replaces the newer secret. Takes no body.
#[utoipa::path(post, path = "/webhooks/{id}/rotate-secret", tag = "webhooks", security(("partnerKey" = ["define"]), ("platformKey" = [])), params(WebhookPath), responses(
    (status = 201, description = "The secret was created. It is shown only once.", body = RotatedSecret),
))]
pub async fn rotate_webhook_secret(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<(StatusCode, Json<RotatedSecret>), Problem> {
    let key = endpoints::own(&caller, path.id)?;
    let made = state.app.webhooks.endpoints.rotate_webhook_secret(&key).await?;
    let secret = RotatedSecret {
        secret: made.secret.reveal().to_owned(),
        hint: hint(&made),
        created_at: made.created_at,
        takes_over_at: made.created_at + OVERLAP,
    };
    Ok((StatusCode::CREATED, Json(secret)))
}

/// Activate a webhook's next secret
///
/// From now on all signatures use the newer secret, and the older one is deleted. If there is only
/// one secret, nothing changes. Takes no body.
#[utoipa::path(post, path = "/webhooks/{id}/activate-secret", tag = "webhooks", security(("partnerKey" = ["define"]), ("platformKey" = [])), params(WebhookPath), responses(
    (status = 200, description = "The webhook.", body = Webhook),
))]
pub async fn activate_webhook_secret(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<Webhook>, Problem> {
    let key = endpoints::own(&caller, path.id)?;
    Ok(Json(with_backlog(&state.app, state.app.webhooks.endpoints.activate_webhook_secret(&key).await?).await?))
}

/// The first characters of a secret: the common prefix and four more.
fn hint(secret: &Dated) -> String {
    secret.secret.reveal().chars().take(10).collect()
}

async fn with_backlog(app: &App, endpoint: Endpoint) -> Result<Webhook, Problem> {
    let id = endpoint.key.id.as_str();
    let backlog = app.webhooks.endpoints.list_backlogs(endpoint.key.owner, &[id]).await?.remove(id).unwrap_or_default();
    Ok(Webhook::new(endpoint, backlog))
}

impl Webhook {
    fn new(endpoint: Endpoint, Backlog { pending, oldest: oldest_pending_at }: Backlog) -> Self {
        let Endpoint { key, url, types, state, disabled_reason, secrets, failing_since, created_at, updated_at } =
            endpoint;
        let secret = |dated: &Dated, state, takes_over_at| SigningSecret {
            hint: hint(dated),
            state,
            created_at: dated.created_at,
            takes_over_at,
        };
        let next =
            secrets.next.as_ref().map(|next| secret(next, SecretState::Pending, Some(next.created_at + OVERLAP)));
        let secrets = std::iter::once(secret(&secrets.current, SecretState::Current, None)).chain(next).collect();
        let id = key.id;
        Self {
            id,
            url,
            types,
            state,
            disabled_reason,
            failing_since,
            pending,
            oldest_pending_at,
            secrets,
            created_at,
            updated_at,
            secret: None,
        }
    }
}
