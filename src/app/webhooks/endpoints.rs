//! Management of webhooks by their owners: endpoints, secrets, the states of deliveries, and
//! repeated deliveries.
//!
//! An owner is a partner or the platform; it cannot see endpoints of others. Changes to many
//! deliveries are made in steps, so that no statement takes long, and may be repeated.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use tracing::Instrument as _;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::access::owner;
use crate::app::{App, Caller, Error};
use crate::domain::audit;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{EndpointId, TaskId};
use crate::domain::values::time::Time;
use crate::domain::webhook::{Attempt, AttemptOutcome, DeliveryState, EndpointKey, Owner, Types};
use crate::store::webhooks::endpoints::{Limits, Set};
use crate::webhook::address::{self, Target};
use crate::webhook::client::Outcome;
use crate::webhook::sign::Secret;
use crate::{ids, store};

use super::dispatch::{course, post, record, signed};

pub use crate::store::webhooks::deliveries::{After, Filter};
pub use crate::store::webhooks::endpoints::{Backlog, Dated, Endpoint, Secrets};

/// How many endpoints an owner can have.
const LIMITS: Limits = Limits { present: 20, ever: 200 };
/// How many deliveries of an endpoint are counted for its backlog at most.
const BACKLOG: u32 = 500;
/// How many deliveries are changed per step.
const STEP: u32 = 200;
/// Maximum number of steps of one request: 10,000 deliveries.
const STEPS: usize = 50;

/// The key of the caller's endpoint with this id, whether it exists or not.
pub fn own(caller: &Caller, id: EndpointId) -> Result<EndpointKey, Error> {
    owner(caller).map(|owner| EndpointKey { owner, id }).ok_or(Error::NotFound)
}

/// Creates an endpoint, or changes and enables it. Returns the secret if the endpoint is new or had
/// been removed.
pub async fn set_webhook(
    app: &Arc<App>,
    key: EndpointKey,
    url: &str,
    types: Option<Types>,
) -> Result<(Endpoint, Option<Secret>), Error> {
    let refused =
        |refused: address::Refused| Error::Rejected(Refusal::invalid("/url", refused.code(), refused.to_string()));
    let target = Target::parse(url, app.outbound.reach).map_err(refused)?;
    address::check(&target, app.outbound.reach).await.map_err(refused)?;
    // Creating takes several statements, which continue if the caller disconnects.
    let app = Arc::clone(app);
    let set = async move { set(&app, &key, target.as_str(), types.as_ref()).await };
    tokio::spawn(set.in_current_span()).await.map_err(|fault| Error::Internal(Arc::new(fault)))?
}

async fn set(
    app: &App,
    key: &EndpointKey,
    url: &str,
    types: Option<&Types>,
) -> Result<(Endpoint, Option<Secret>), Error> {
    let set = Set { key, url, types, at: app.clock.now() };
    let mut secret = None;
    if !store::webhooks::endpoints::save(&app.pool, &set).await? {
        // Events recorded before the removal are not sent.
        give_up_pending(app, key).await?;
        let new = Secret::from_random(&ids::random());
        if store::webhooks::endpoints::insert(&app.pool, &set, &new, LIMITS).await? {
            secret = Some(new);
        } else if !store::webhooks::endpoints::save(&app.pool, &set).await? {
            // No other writer was faster, so the limit is reached.
            return Err(Error::Rejected(Refusal::LimitReached(
                "at most 20 webhooks can exist at a time, with at most 200 different ids in total; remove one, or reuse an earlier id",
            )));
        }
    }
    if secret.is_none() {
        resume(app, key).await?;
    }
    app.commits.deliveries.enable();
    Ok((get_webhook(app, key).await?, secret))
}

/// Makes the pending deliveries of an endpoint due now, with their whole schedule ahead. Attempts
/// in progress are not affected.
async fn resume(app: &App, key: &EndpointKey) -> Result<(), Error> {
    let now = app.clock.now();
    loop {
        let rows = store::webhooks::deliveries::list_waiting(&app.pool, key, now, STEP).await?;
        if rows.is_empty() {
            return Ok(());
        }
        store::webhooks::deliveries::renew(&app.pool, key, &rows, now).await?;
    }
}

async fn give_up_pending(app: &App, key: &EndpointKey) -> Result<(), Error> {
    loop {
        let rows = store::webhooks::deliveries::list_pending(&app.pool, key, STEP).await?;
        if rows.is_empty() {
            return Ok(());
        }
        store::webhooks::deliveries::give_up(&app.pool, key, &rows).await?;
    }
}

/// One endpoint with its current secrets.
pub async fn get_webhook(app: &App, key: &EndpointKey) -> Result<Endpoint, Error> {
    let endpoint = store::webhooks::endpoints::find(&app.pool, key).await?.ok_or(Error::NotFound)?;
    Ok(as_of(endpoint, app.clock.now()))
}

/// An endpoint in a list, or why it cannot be shown, with its id.
pub type Listed = (EndpointId, Result<Endpoint, Unreadable>);

/// All endpoints of an owner, by id; an unreadable one does not affect the others.
pub async fn list_webhooks(app: &App, owner: Owner) -> Result<Vec<Listed>, Error> {
    let now = app.clock.now();
    let listed = store::webhooks::endpoints::list(&app.pool, owner).await?.into_iter();
    let shown = listed.map(|(id, endpoint)| {
        Ok(match endpoint {
            Ok(endpoint) => (id, Ok(as_of(endpoint, now))),
            Err(error) => (id, Err(Error::from(error).unreadable()?)),
        })
    });
    shown.collect()
}

/// The backlogs of these endpoints of one owner, by id; no entry if nothing is pending. At most 500
/// deliveries are counted per endpoint.
pub async fn list_backlogs(app: &App, owner: Owner, ids: &[&str]) -> Result<HashMap<String, Backlog>, Error> {
    Ok(store::webhooks::endpoints::list_backlogs(&app.pool, owner, ids, BACKLOG).await?)
}

fn as_of(endpoint: Endpoint, now: Time) -> Endpoint {
    Endpoint { secrets: endpoint.secrets.at(now), ..endpoint }
}

/// Removes an endpoint; its pending deliveries are not sent.
pub async fn remove_webhook(app: &Arc<App>, key: EndpointKey) -> Result<(), Error> {
    let app = Arc::clone(app);
    let remove = async move {
        if !store::webhooks::endpoints::remove(&app.pool, &key, app.clock.now()).await? {
            return Err(Error::NotFound);
        }
        give_up_pending(&app, &key).await
    };
    tokio::spawn(remove.in_current_span()).await.map_err(|fault| Error::Internal(Arc::new(fault)))?
}

/// Creates a second secret, valid beside the current one until it is activated, for a day at most.
pub async fn rotate_webhook_secret(app: &App, key: &EndpointKey) -> Result<Dated, Error> {
    let new = Dated { secret: Secret::from_random(&ids::random()), created_at: app.clock.now() };
    if store::webhooks::endpoints::add_secret(&app.pool, key, &new).await? { Ok(new) } else { Err(Error::NotFound) }
}

/// Activates the newer of two secrets and deletes the older one. Does nothing if there is only one.
pub async fn activate_webhook_secret(app: &App, key: &EndpointKey) -> Result<Endpoint, Error> {
    store::webhooks::endpoints::activate_secret(&app.pool, key, app.clock.now()).await?;
    get_webhook(app, key).await
}

/// A delivery as its owner sees it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The stored delivery.
    pub stored: store::webhooks::deliveries::Delivery,
    /// The event's type, if the owner may see it.
    pub kind: Option<&'static str>,
}

/// A delivery in a list, or why it cannot be shown, with its position and its event's id.
pub type ListedDelivery = (After, Uuid, Result<Delivery, Unreadable>);

/// Up to `limit` deliveries to an endpoint after `after`, the newest event first; an unreadable one
/// does not affect the others.
pub async fn list_webhook_deliveries(
    app: &App,
    key: &EndpointKey,
    filter: Filter,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<ListedDelivery>, Error> {
    get_webhook(app, key).await?;
    let rows = store::webhooks::deliveries::list(&app.pool, key, filter, after, limit).await?;
    let places: Vec<(TaskId, u64)> = rows.iter().map(|row| (row.place.task_id, row.place.seq)).collect();
    let kinds = kinds(app, key, &places).await?;
    let shown = rows.into_iter().zip(kinds).map(|(row, kind)| {
        let delivery = match row.delivery {
            Ok(stored) => Ok(Delivery { stored, kind }),
            Err(error) => Err(Error::from(error).unreadable()?),
        };
        Ok((row.place, row.event_id, delivery))
    });
    shown.collect()
}

/// The types of these events in their order, as far as the endpoint's owner may know them. The type
/// of an unreadable event is unknown.
async fn kinds(app: &App, key: &EndpointKey, rows: &[(TaskId, u64)]) -> Result<Vec<Option<&'static str>>, Error> {
    let mut kinds = Vec::with_capacity(rows.len());
    while kinds.len() < rows.len() {
        let items = store::feed::load(&app.pool, &rows[kinds.len()..]).await?;
        if items.is_empty() {
            return Err(Error::impossible("a delivery without its event"));
        }
        kinds.extend(items.iter().map(|item| {
            item.record.as_ref().ok().and_then(|record| audit::shown_type(&record.event, key.owner.party()))
        }));
    }
    Ok(kinds)
}

/// Sends one delivery again in any state: at once, and with the schedule from its beginning. An
/// attempt in progress is not repeated.
pub async fn redeliver(app: &App, key: &EndpointKey, event: Uuid) -> Result<Delivery, Error> {
    get_webhook(app, key).await?;
    let found = store::webhooks::deliveries::find(&app.pool, key, event).await?.ok_or(Error::NotFound)?;
    let row = After { recorded_at: found.recorded_at, task_id: found.task_id, seq: found.seq };
    store::webhooks::deliveries::renew(&app.pool, key, &[row], app.clock.now()).await?;
    app.commits.deliveries.wake();
    let renewed = store::webhooks::deliveries::find(&app.pool, key, event).await?.ok_or(Error::NotFound)?;
    let kind = kinds(app, key, &[(renewed.task_id, renewed.seq)]).await?.pop().flatten();
    Ok(Delivery { stored: renewed, kind })
}

/// The deliveries that were made pending again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redelivered {
    /// Their number.
    pub count: u64,
    /// Where to continue, if there may be more: the time of the last event.
    pub next: Option<Time>,
}

/// Sends again the deliveries in these states for events recorded since `since`, except those with
/// an attempt in progress; at most 10,000 deliveries.
pub async fn redeliver_since(
    app: &App,
    key: &EndpointKey,
    since: Time,
    states: &[DeliveryState],
) -> Result<Redelivered, Error> {
    get_webhook(app, key).await?;
    let (mut count, mut after) = (0, None);
    for _ in 0..STEPS {
        let rows = store::webhooks::deliveries::list_settled(&app.pool, key, states, (since, after), STEP).await?;
        count += store::webhooks::deliveries::renew(&app.pool, key, &rows, app.clock.now()).await?;
        app.commits.deliveries.wake();
        if rows.len() < STEP as usize {
            return Ok(Redelivered { count, next: None });
        }
        after = rows.last().copied();
    }
    Ok(Redelivered { count, next: after.map(|row| row.recorded_at) })
}

/// The result of a sample.
#[derive(Clone, Debug)]
pub struct Tested {
    /// Its id, as `webhook-id`.
    pub id: Uuid,
    /// Whether the endpoint responded with 2xx.
    pub delivered: bool,
    /// The attempt.
    pub attempt: Attempt,
    /// The beginning of the response, if there was one.
    pub answer: Option<String>,
}

/// The body of a sample.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookTest)]
pub struct Sample<'a> {
    /// Its id, as `webhook-id`.
    pub id: Uuid,
    /// `webhook.test`.
    #[serde(rename = "type")]
    #[schema(value_type = String, pattern = "^webhook\\.test$")]
    pub kind: &'static str,
    /// The endpoint.
    #[schema(value_type = EndpointId)]
    pub webhook: &'a EndpointId,
    /// When it was requested.
    pub recorded_at: Time,
}

/// Sends a sample at once, even to a disabled endpoint. It is not stored and does not affect the
/// endpoint's health.
pub async fn test_webhook(app: &App, key: &EndpointKey) -> Result<Tested, Error> {
    let endpoint = get_webhook(app, key).await?;
    let (id, at) = (ids::new(), app.clock.now());
    let sample = Sample { id, kind: "webhook.test", webhook: &key.id, recorded_at: at };
    let body = serde_json::to_vec(&sample).map_err(|_| Error::impossible("a sample that is no JSON"))?;
    let headers = signed(id, at, &body, &endpoint.secrets);
    let attempt = post(app, &endpoint.url, &headers, Bytes::from(body)).await;
    let delivered = course(&attempt.outcome, at) == AttemptOutcome::Accepted;
    let recorded = record(at, &attempt);
    let answer = match attempt.outcome {
        Outcome::Answered { answer, .. } => Some(answer),
        Outcome::Failed(_) => None,
    };
    Ok(Tested { id, delivered, attempt: recorded, answer })
}
