//! Management of webhooks by their owners: endpoints, secrets and samples.
//!
//! An owner is a partner or the platform; it cannot see endpoints of others. Changes to many
//! deliveries are made in steps, so that no statement takes long, and may be repeated.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use tracing::Instrument as _;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use crate::app::access::{Caller, owner};
use crate::app::base::Base;
use crate::app::commits::Commits;
use crate::app::error::Error;
use crate::clock::Clock;
use crate::domain::feed::only;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{EndpointId, MessageId};
use crate::domain::values::time::Time;
use crate::domain::webhook::{Attempt, AttemptOutcome, EndpointKey, Owner, Types};
use crate::ids;
use crate::store::webhooks::endpoints::{Limits, Set};
use crate::store::{self, Pool};
use crate::webhook::address::{self, Target};
use crate::webhook::client::Outcome;
use crate::webhook::sign::Secret;

use super::attempt::{Sender, course, record, signed};

pub use crate::store::webhooks::endpoints::{Backlog, Dated, Endpoint, Secrets};

/// How many endpoints an owner can have.
const LIMITS: Limits = Limits { present: 20, ever: 200 };
/// How many deliveries of an endpoint are counted for its backlog at most.
const BACKLOG: u32 = 500;
/// Among how many of an endpoint's latest deliveries its last success is looked for.
const RECENT: u32 = 200;
/// How many deliveries are changed per step.
pub(super) const STEP: u32 = 200;

/// The key of the caller's endpoint with this id, whether it exists or not.
pub fn own(caller: &Caller, id: EndpointId) -> Result<EndpointKey, Error> {
    owner(caller).map(|owner| EndpointKey { owner, id }).ok_or(Error::NotFound)
}

/// An endpoint in a list, or why it cannot be shown, with its id.
pub type Listed = (EndpointId, Result<Endpoint, Unreadable>);

/// Manages endpoints.
#[derive(Debug)]
pub struct Endpoints {
    pool: Pool,
    clock: Clock,
    sender: Arc<Sender>,
    commits: Arc<Commits>,
}

impl Endpoints {
    pub(super) fn new(base: &Base, sender: Arc<Sender>, commits: Arc<Commits>) -> Self {
        Self { pool: base.pool.clone(), clock: base.clock.clone(), sender, commits }
    }

    /// Creates an endpoint, or changes and enables it. Returns the secret if the endpoint is new or
    /// had been removed.
    pub async fn set_webhook(
        self: &Arc<Self>,
        key: EndpointKey,
        url: &str,
        types: Option<Types>,
    ) -> Result<(Endpoint, Option<Secret>), Error> {
        let refused =
            |refused: address::Refused| Error::Rejected(Refusal::invalid("/url", refused.code(), refused.to_string()));
        let target = Target::parse(url, self.sender.reach).map_err(refused)?;
        address::check(&target, self.sender.reach).await.map_err(refused)?;
        // Creating takes several statements, which continue if the caller disconnects.
        let endpoints = Arc::clone(self);
        let set = async move { endpoints.set(&key, target.as_str(), types.as_ref()).await };
        tokio::spawn(set.in_current_span()).await.map_err(|fault| Error::Internal(Arc::new(fault)))?
    }

    async fn set(
        &self,
        key: &EndpointKey,
        url: &str,
        types: Option<&Types>,
    ) -> Result<(Endpoint, Option<Secret>), Error> {
        let set = Set { key, url, types, at: self.clock.now() };
        let mut secret = None;
        if !store::webhooks::endpoints::save(&self.pool, &set).await? {
            // Events recorded before the removal are not sent.
            self.give_up_pending(key).await?;
            let new = Secret::from_random(&ids::random());
            if store::webhooks::endpoints::insert(&self.pool, &set, &new, LIMITS).await? {
                secret = Some(new);
            } else if !store::webhooks::endpoints::save(&self.pool, &set).await? {
                // No other writer was faster, so the limit is reached.
                return Err(Error::Rejected(Refusal::LimitReached(
                    "at most 20 webhooks can exist at a time, with at most 200 different ids in total; remove one, or reuse an earlier id",
                )));
            }
        }
        if secret.is_none() {
            self.resume(key).await?;
        }
        self.commits.deliveries.enable();
        Ok((self.get_webhook(key).await?, secret))
    }

    /// Makes the pending deliveries of an endpoint due now, with their whole schedule ahead.
    /// Attempts in progress are not affected.
    async fn resume(&self, key: &EndpointKey) -> Result<(), Error> {
        let now = self.clock.now();
        loop {
            let rows = store::webhooks::deliveries::list_waiting(&self.pool, key, now, STEP).await?;
            if rows.is_empty() {
                return Ok(());
            }
            store::webhooks::deliveries::renew(&self.pool, key, &rows, now).await?;
        }
    }

    async fn give_up_pending(&self, key: &EndpointKey) -> Result<(), Error> {
        loop {
            let rows = store::webhooks::deliveries::list_pending(&self.pool, key, STEP).await?;
            if rows.is_empty() {
                return Ok(());
            }
            store::webhooks::deliveries::give_up(&self.pool, key, &rows).await?;
        }
    }

    /// One endpoint with its current secrets.
    pub async fn get_webhook(&self, key: &EndpointKey) -> Result<Endpoint, Error> {
        let endpoint = store::webhooks::endpoints::find(&self.pool, key).await?.ok_or(Error::NotFound)?;
        Ok(as_of(endpoint, self.clock.now()))
    }

    /// All endpoints of an owner, by id; an unreadable one does not affect the others.
    pub async fn list_webhooks(&self, owner: Owner) -> Result<Vec<Listed>, Error> {
        let now = self.clock.now();
        let listed = store::webhooks::endpoints::list(&self.pool, owner).await?.into_iter();
        let shown = listed.map(|(id, endpoint)| {
            Ok(match endpoint {
                Ok(endpoint) => (id, Ok(as_of(endpoint, now))),
                Err(error) => (id, Err(Error::from(error).unreadable()?)),
            })
        });
        shown.collect()
    }

    /// The backlogs of these endpoints of one owner, by id; no entry if nothing is pending. At most
    /// 500 deliveries are counted per endpoint.
    pub async fn list_backlogs(&self, owner: Owner, ids: &[&str]) -> Result<HashMap<String, Backlog>, Error> {
        Ok(store::webhooks::endpoints::list_backlogs(&self.pool, owner, ids, BACKLOG).await?)
    }

    /// When the latest delivery to each of these endpoints of one owner succeeded, by id; no entry if
    /// none of the 200 latest events was delivered.
    pub async fn list_successes(&self, owner: Owner, ids: &[&str]) -> Result<HashMap<String, Time>, Error> {
        Ok(store::webhooks::deliveries::list_successes(&self.pool, owner, ids, RECENT).await?)
    }

    /// Removes an endpoint; its pending deliveries are not sent.
    pub async fn remove_webhook(self: &Arc<Self>, key: EndpointKey) -> Result<(), Error> {
        let endpoints = Arc::clone(self);
        let remove = async move {
            if !store::webhooks::endpoints::remove(&endpoints.pool, &key, endpoints.clock.now()).await? {
                return Err(Error::NotFound);
            }
            endpoints.give_up_pending(&key).await
        };
        tokio::spawn(remove.in_current_span()).await.map_err(|fault| Error::Internal(Arc::new(fault)))?
    }

    /// Creates a second secret, valid beside the current one until it is activated, for a day at
    /// most.
    pub async fn rotate_webhook_secret(&self, key: &EndpointKey) -> Result<Dated, Error> {
        let new = Dated { secret: Secret::from_random(&ids::random()), created_at: self.clock.now() };
        if store::webhooks::endpoints::add_secret(&self.pool, key, &new).await? {
            Ok(new)
        } else {
            Err(Error::NotFound)
        }
    }

    /// Activates the newer of two secrets and deletes the older one. Does nothing if there is only
    /// one.
    pub async fn activate_webhook_secret(&self, key: &EndpointKey) -> Result<Endpoint, Error> {
        store::webhooks::endpoints::activate_secret(&self.pool, key, self.clock.now()).await?;
        self.get_webhook(key).await
    }

    /// Sends a sample at once, even to a disabled endpoint. It is not stored and does not affect
    /// the endpoint's health.
    pub async fn test_webhook(&self, key: &EndpointKey) -> Result<Tested, Error> {
        let endpoint = self.get_webhook(key).await?;
        let (id, at) = (MessageId(ids::new()), self.clock.now());
        let sample = Sample { id, item: "webhook_test", kind: "webhook.test", webhook: &key.id, recorded_at: at };
        let body = serde_json::to_vec(&sample).map_err(|_| Error::impossible("a sample that is no JSON"))?;
        let headers = signed(id, (at, &self.clock), &body, &endpoint.secrets);
        let attempt = self.sender.post(&endpoint.url, &headers, Bytes::from(body)).await;
        let delivered = course(&attempt.outcome, self.clock.outside(at)) == AttemptOutcome::Accepted;
        let recorded = record(at, &attempt);
        let answer = match attempt.outcome {
            Outcome::Answered { answer, .. } => Some(answer),
            Outcome::Failed(_) => None,
        };
        Ok(Tested { id, delivered, attempt: recorded, answer })
    }
}

fn as_of(endpoint: Endpoint, now: Time) -> Endpoint {
    Endpoint { secrets: endpoint.secrets.at(now), ..endpoint }
}

/// The result of a sample.
#[derive(Clone, Debug)]
pub struct Tested {
    /// Its id, as `webhook-id`.
    pub id: MessageId,
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
    #[schema(value_type = Uuid)]
    pub id: MessageId,
    /// `webhook_test`.
    #[serde(rename = "kind")]
    #[schema(schema_with = sample_kind)]
    pub item: &'static str,
    /// `webhook.test`.
    #[serde(rename = "type")]
    #[schema(schema_with = sample_type)]
    pub kind: &'static str,
    /// The endpoint.
    #[schema(value_type = EndpointId)]
    pub webhook: &'a EndpointId,
    /// When it was requested.
    pub recorded_at: Time,
}

fn sample_kind() -> Object {
    only("webhook_test", "A sample, sent on request.")
}

fn sample_type() -> Object {
    only("webhook.test", "The type of the sample.")
}
