//! Webhooks, as their owners set them up: endpoints and secrets, what became of deliveries, and deliveries sent again.
//!
//! An owner is a partner or the platform; somebody else's endpoint does not exist. What touches many deliveries
//! goes in steps, so that no statement takes long, and may be done again.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use tracing::Instrument as _;
use utoipa::ToSchema;
use uuid::Uuid;

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

/// How many endpoints an owner has at the most.
const LIMITS: Limits = Limits { present: 20, ever: 200 };
/// Up to how many deliveries of an endpoint are looked at to tell what waits for it.
const BACKLOG: u32 = 500;
/// How many deliveries are changed in one step.
const STEP: u32 = 200;
/// How many steps one request makes: 10,000 deliveries.
const STEPS: usize = 50;

/// Whose endpoints a caller sets up; buyers have none.
pub fn owner(caller: &Caller) -> Option<Owner> {
    match caller {
        Caller::Partner { partner_id, .. } => Some(Owner::Partner(*partner_id)),
        Caller::Buyer { .. } => None,
        Caller::Platform { .. } => Some(Owner::Platform),
    }
}

/// The caller's endpoint of this id, whether there is one or not.
pub fn own(caller: &Caller, id: EndpointId) -> Result<EndpointKey, Error> {
    owner(caller).map(|owner| EndpointKey { owner, id }).ok_or(Error::NotFound)
}

/// Sets up an endpoint, or changes it and enables it again; with the secret if it is new, or was removed before.
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
    // Setting up takes several statements, which outlive a caller that hangs up.
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
        // What was recorded before it was removed is not sent any more.
        give_up_pending(app, key).await?;
        let new = Secret::from_random(&ids::random());
        if store::webhooks::endpoints::insert(&app.pool, &set, &new, LIMITS).await? {
            secret = Some(new);
        } else if !store::webhooks::endpoints::save(&app.pool, &set).await? {
            // Nobody else was faster, so there are too many.
            return Err(Error::Rejected(Refusal::LimitReached(
                "there are at most 20 webhooks at a time, with 200 different ids ever; remove one, or use an earlier id",
            )));
        }
    }
    if secret.is_none() {
        resume(app, key).await?;
    }
    app.outbound.enable();
    Ok((get_webhook(app, key).await?, secret))
}

/// What waits for an endpoint is due now, with the whole schedule before it. An attempt that is under way is left
/// alone.
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

/// One endpoint, with its secrets as they are now.
pub async fn get_webhook(app: &App, key: &EndpointKey) -> Result<Endpoint, Error> {
    let endpoint = store::webhooks::endpoints::find(&app.pool, key).await?.ok_or(Error::NotFound)?;
    Ok(as_of(endpoint, app.clock.now()))
}

/// An endpoint in a list, or why it cannot be shown, with its id.
pub type Listed = (EndpointId, Result<Endpoint, Unreadable>);

/// All endpoints of an owner, by id; one that cannot be read takes no other along.
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

/// What waits for these endpoints of one owner, by id; nothing where nothing is pending. Of each, 500 are counted at
/// the most.
pub async fn list_backlogs(app: &App, owner: Owner, ids: &[&str]) -> Result<HashMap<String, Backlog>, Error> {
    Ok(store::webhooks::endpoints::list_backlogs(&app.pool, owner, ids, BACKLOG).await?)
}

fn as_of(endpoint: Endpoint, now: Time) -> Endpoint {
    Endpoint { secrets: endpoint.secrets.at(now), ..endpoint }
}

/// Removes an endpoint; what is pending is not sent any more.
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

/// Makes a secret that stands beside the one in use until it is activated, for a day at the most.
pub async fn rotate_webhook_secret(app: &App, key: &EndpointKey) -> Result<Dated, Error> {
    let new = Dated { secret: Secret::from_random(&ids::random()), created_at: app.clock.now() };
    if store::webhooks::endpoints::add_secret(&app.pool, key, &new).await? { Ok(new) } else { Err(Error::NotFound) }
}

/// Takes the newer of two secrets into use and forgets the older one; of one nothing.
pub async fn activate_webhook_secret(app: &App, key: &EndpointKey) -> Result<Endpoint, Error> {
    store::webhooks::endpoints::activate_secret(&app.pool, key, app.clock.now()).await?;
    get_webhook(app, key).await
}

/// A delivery as its owner reads it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What is stored.
    pub stored: store::webhooks::deliveries::Delivery,
    /// The event's type, where it is for the owner.
    pub kind: Option<&'static str>,
}

/// A delivery in a list, or why it cannot be shown, with its place and its event's id.
pub type ListedDelivery = (After, Uuid, Result<Delivery, Unreadable>);

/// Up to `limit` deliveries to an endpoint after `after`, the newest event first; one that cannot be read takes no
/// other along.
pub async fn list_webhook_deliveries(
    app: &App,
    key: &EndpointKey,
    filter: Filter,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<ListedDelivery>, Error> {
    get_webhook(app, key).await?;
    let (mut listed, mut readable) = (Vec::new(), Vec::new());
    for row in store::webhooks::deliveries::list(&app.pool, key, filter, after, limit).await? {
        let unreadable = match row.delivery {
            Ok(delivery) => {
                readable.push(delivery);
                None
            }
            Err(error) => Some(Error::from(error).unreadable()?),
        };
        listed.push((row.place, row.event_id, unreadable));
    }
    let mut readable = with_kinds(app, key, readable).await?.into_iter();
    let shown = listed.into_iter().map(|(place, event_id, unreadable)| {
        let delivery = match unreadable {
            Some(unreadable) => Err(unreadable),
            None => Ok(readable.next().ok_or_else(|| Error::impossible("a delivery that is gone"))?),
        };
        Ok((place, event_id, delivery))
    });
    shown.collect()
}

async fn with_kinds(
    app: &App,
    key: &EndpointKey,
    stored: Vec<store::webhooks::deliveries::Delivery>,
) -> Result<Vec<Delivery>, Error> {
    let rows: Vec<(TaskId, u64)> = stored.iter().map(|row| (row.task_id, row.seq)).collect();
    let mut kinds = Vec::with_capacity(rows.len());
    while kinds.len() < rows.len() {
        let items = store::feed::load(&app.pool, &rows[kinds.len()..]).await?;
        if items.is_empty() {
            return Err(Error::impossible("a delivery without its event"));
        }
        // Of an event that cannot be read, the type is not known.
        kinds.extend(items.iter().map(|item| {
            item.record.as_ref().ok().and_then(|record| audit::shown_type(&record.event, key.owner.party()))
        }));
    }
    Ok(stored.into_iter().zip(kinds).map(|(stored, kind)| Delivery { stored, kind }).collect())
}

/// Sends one delivery again, whatever became of it: at once, and from the beginning of the schedule. An attempt that is
/// under way is not repeated.
pub async fn redeliver(app: &App, key: &EndpointKey, event: Uuid) -> Result<Delivery, Error> {
    get_webhook(app, key).await?;
    let found = store::webhooks::deliveries::find(&app.pool, key, event).await?.ok_or(Error::NotFound)?;
    let row = After { recorded_at: found.recorded_at, task_id: found.task_id, seq: found.seq };
    store::webhooks::deliveries::renew(&app.pool, key, &[row], app.clock.now()).await?;
    app.outbound.wake();
    let renewed = store::webhooks::deliveries::find(&app.pool, key, event).await?.ok_or(Error::NotFound)?;
    with_kinds(app, key, vec![renewed]).await?.pop().ok_or(Error::NotFound)
}

/// What was made pending again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redelivered {
    /// How many deliveries.
    pub count: u64,
    /// Where to go on, if there may be more: the time of the last event.
    pub next: Option<Time>,
}

/// Sends again what is in one of these states and not under way, of events recorded since `since`; 10,000 deliveries at
/// the most.
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
        app.outbound.wake();
        if rows.len() < STEP as usize {
            return Ok(Redelivered { count, next: None });
        }
        after = rows.last().copied();
    }
    Ok(Redelivered { count, next: after.map(|row| row.recorded_at) })
}

/// What became of a sample.
#[derive(Clone, Debug)]
pub struct Tested {
    /// Its id, as `webhook-id`.
    pub id: Uuid,
    /// Whether the endpoint answered 2xx.
    pub delivered: bool,
    /// The attempt.
    pub attempt: Attempt,
    /// The beginning of the answer, if there was one.
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
    /// When it was asked for.
    pub recorded_at: Time,
}

/// Sends a sample at once, to a disabled endpoint as well. Nothing of it is kept, and the endpoint is judged no
/// better or worse for it.
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
