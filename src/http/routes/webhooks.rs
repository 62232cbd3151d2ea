//! Webhook endpoints and their secrets: each caller's own.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::app::webhooks::endpoints::{self, Backlog, Dated, Endpoint};
use crate::domain::audit::EventType;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::EndpointId;
use crate::domain::values::identity::from_outside;
use crate::domain::values::text::Link;
use crate::domain::values::time::Time;
use crate::domain::webhook::{DisabledReason, EndpointState, OVERLAP, Types};
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::Page;
use crate::http::problem::Problem;

/// Where to send which events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookDefinition {
    /// An https URL without user name, password and fragment, whose host has public addresses only. The port is 443 or
    /// at least 1024, without those that browsers block. It is checked now and at every attempt.
    #[schema(example = "https://agents.example/hooks/aitasker")]
    url: Link,
    /// The types of events to send; absent or null: all, and those that the caller may not see as their place in
    /// the trail alone, as the feed does.
    #[serde(default)]
    types: Option<Types>,
}

from_outside! { WebhookDefinition { url; types } }

/// An endpoint that events are sent to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Webhook {
    /// What its owner calls it.
    id: EndpointId,
    /// Where events are sent, in its canonical form.
    #[schema(example = "https://agents.example/hooks/aitasker")]
    url: String,
    /// The types of events that are sent; null: all.
    #[schema(value_type = Option<Vec<EventType>>, required = true)]
    types: Option<Types>,
    /// Whether they are sent.
    state: EndpointState,
    /// Why the service disabled it; null while it is enabled.
    #[schema(required = true)]
    disabled_reason: Option<DisabledReason>,
    /// Since when every attempt has failed; null where the last one did not.
    #[schema(required = true)]
    failing_since: Option<Time>,
    /// How many deliveries are pending; 500 stands for that many or more.
    #[schema(maximum = 500)]
    pending: u32,
    /// When the oldest event was recorded that is pending; null where none is. With 500 or more: of the 500 that are
    /// due first.
    #[schema(required = true)]
    oldest_pending_at: Option<Time>,
    /// What deliveries are signed with: one secret, or two after a rotation.
    secrets: Vec<WebhookSecret>,
    /// When it was set up.
    created_at: Time,
    /// When it was changed last.
    updated_at: Time,
}

/// A secret, as far as it can be shown again.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookSecret {
    /// Its first characters.
    #[schema(example = "whsec_7Gq2")]
    hint: String,
    /// Whether both signatures are made with it.
    state: SecretState,
    /// When it was made.
    created_at: Time,
    /// When it becomes the current one by itself; null for the one that is.
    #[schema(required = true)]
    takes_over_at: Option<Time>,
}

/// Which signatures are made with a secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretState {
    /// All of them.
    Current,
    /// `webhook-signature` is made with this one as well; `X-AITasker-Signature`, which has room for one, is not yet.
    Pending,
}

/// An endpoint that was set up just now.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewWebhook {
    /// The endpoint.
    #[serde(flatten)]
    webhook: Webhook,
    /// Its secret. It is shown this once.
    #[schema(pattern = "^whsec_[0-9A-Za-z+/]+=*$")]
    secret: String,
}

/// A secret that was made just now.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewWebhookSecret {
    /// The secret. It is shown this once.
    #[schema(pattern = "^whsec_[0-9A-Za-z+/]+=*$")]
    secret: String,
    /// Its first characters.
    #[schema(example = "whsec_7Gq2")]
    hint: String,
    /// When it was made.
    created_at: Time,
    /// When it takes the place of the current one, unless it is activated before.
    takes_over_at: Time,
}

/// The endpoint in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WebhookPath {
    /// What its owner calls it.
    pub(in crate::http) id: EndpointId,
}

/// A webhook that this replica cannot show, in its place in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadableWebhook {
    /// What its owner calls it.
    id: EndpointId,
    /// Why it is not shown.
    unreadable: Unreadable,
}

/// A webhook in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ListedWebhook {
    /// As it is.
    Webhook(Box<Webhook>),
    /// One that cannot be shown: it has `unreadable`, which no other has.
    Unreadable(UnreadableWebhook),
}

/// List the webhooks
///
/// The caller's own, by id; there are at most 20 at a time. One that this replica cannot read has its place, with
/// `id` and `unreadable` alone.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), responses(
    (status = 200, description = "All of them; `next` is always null.", body = Page<ListedWebhook>),
))]
pub async fn list_webhooks(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<Page<ListedWebhook>>, Problem> {
    let Some(owner) = endpoints::owner(&caller) else { return Ok(Json(Page { items: Vec::new(), next: None })) };
    let endpoints = endpoints::list_webhooks(&state.app, owner).await?;
    let ids: Vec<&str> = endpoints.iter().map(|(id, _)| id.as_str()).collect();
    let mut backlogs = endpoints::list_backlogs(&state.app, owner, &ids).await?;
    let listed = |(id, endpoint): endpoints::Listed| match endpoint {
        Ok(endpoint) => {
            let backlog = backlogs.remove(id.as_str()).unwrap_or_default();
            ListedWebhook::Webhook(Box::new(Webhook::new(endpoint, backlog)))
        }
        Err(unreadable) => ListedWebhook::Unreadable(UnreadableWebhook { id, unreadable }),
    };
    Ok(Json(Page { items: endpoints.into_iter().map(listed).collect(), next: None }))
}

/// Set up or change a webhook
///
/// The caller chooses the `id`. A new one gets a secret, which is in this answer only. Changing one keeps its secrets,
/// forgets that it failed, and enables it if the service had disabled it: what waits is due at once and sent in order.
/// One that was removed comes back with a new secret.
///
/// Events are sent from now on, each at least once, those of one task in order, as the caller may see them: the
/// bodies are the items of the feed. An endpoint that answers anything but 2xx, or nothing within 15 seconds, is
/// tried again 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h later, each a fifth more or less, and no
/// sooner than its `Retry-After`. An answer of 410 disables it at once, five days of nothing but failures as well;
/// the feed tells so.
#[utoipa::path(put, path = "/webhooks/{id}", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), params(WebhookPath),
    request_body(content = WebhookDefinition, example = json!({ "url": "https://agents.example/hooks/aitasker", "types": ["task.stage_rejected", "task.workflow_completed"] })),
    responses(
        (status = 200, description = "Changed, and enabled.", body = Webhook),
        (status = 201, description = "Set up. The secret is shown this once.", body = NewWebhook),
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
    let (endpoint, secret) = endpoints::set_webhook(&state.app, key, url.as_str(), types).await?;
    let webhook = with_backlog(&state.app, endpoint).await?;
    let Some(secret) = secret else { return Ok(Json(webhook).into_response()) };
    let location = format!("/api/v1/webhooks/{}", webhook.id);
    let new = NewWebhook { webhook, secret: secret.reveal().to_owned() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(new)).into_response())
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
    Ok(Json(with_backlog(&state.app, endpoints::get_webhook(&state.app, &key).await?).await?))
}

/// Remove a webhook
///
/// Nothing is sent to it any more: what is pending is given up, an attempt that is under way ends. Its secrets are
/// forgotten.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), params(WebhookPath), responses(
    (status = 204, description = "Removed."),
))]
pub async fn remove_webhook(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<StatusCode, Problem> {
    endpoints::remove_webhook(&state.app, endpoints::own(&caller, path.id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a webhook's next secret
///
/// From now on `webhook-signature` carries a signature with each of both secrets, so that receivers can be changed
/// over without a gap. `X-AITasker-Signature` is made with the older one until the newer one is activated, or a day
/// has passed; then the older one is forgotten. Another call before that replaces the newer one. Takes no body.
#[utoipa::path(post, path = "/webhooks/{id}/rotate-secret", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), params(WebhookPath), responses(
    (status = 201, description = "Made. The secret is shown this once.", body = NewWebhookSecret),
))]
pub async fn rotate_webhook_secret(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<(StatusCode, Json<NewWebhookSecret>), Problem> {
    let key = endpoints::own(&caller, path.id)?;
    let made = endpoints::rotate_webhook_secret(&state.app, &key).await?;
    let secret = NewWebhookSecret {
        secret: made.secret.reveal().to_owned(),
        hint: hint(&made),
        created_at: made.created_at,
        takes_over_at: made.created_at + OVERLAP,
    };
    Ok((StatusCode::CREATED, Json(secret)))
}

/// Take a webhook's next secret into use
///
/// All signatures are made with the newer secret from now on, and the older one is forgotten. Where there is only
/// one, nothing changes. Takes no body.
#[utoipa::path(post, path = "/webhooks/{id}/activate-secret", tag = "webhooks", security(("partnerKey" = []), ("platformKey" = [])), params(WebhookPath), responses(
    (status = 200, description = "The webhook.", body = Webhook),
))]
pub async fn activate_webhook_secret(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<Webhook>, Problem> {
    let key = endpoints::own(&caller, path.id)?;
    Ok(Json(with_backlog(&state.app, endpoints::activate_webhook_secret(&state.app, &key).await?).await?))
}

/// The prefix that all secrets have, and four more characters.
fn hint(secret: &Dated) -> String {
    secret.secret.reveal().chars().take(10).collect()
}

async fn with_backlog(app: &App, endpoint: Endpoint) -> Result<Webhook, Problem> {
    let id = endpoint.key.id.as_str();
    let backlog = endpoints::list_backlogs(app, endpoint.key.owner, &[id]).await?.remove(id).unwrap_or_default();
    Ok(Webhook::new(endpoint, backlog))
}

impl Webhook {
    fn new(endpoint: Endpoint, Backlog { pending, oldest: oldest_pending_at }: Backlog) -> Self {
        let Endpoint { key, url, types, state, disabled_reason, secrets, failing_since, created_at, updated_at } =
            endpoint;
        let secret = |dated: &Dated, state, takes_over_at| WebhookSecret {
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
        }
    }
}
