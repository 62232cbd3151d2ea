//! Deliveries as their owners see them: their states, and repeated deliveries.

use std::sync::Arc;

use crate::app::base::Base;
use crate::app::commits::Commits;
use crate::app::error::Error;
use crate::app::feed::render::Renderer;
use crate::clock::Clock;
use crate::domain::audit;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{EventId, TaskId};
use crate::domain::values::time::Time;
use crate::domain::webhook::{DeliveryState, EndpointKey};
use crate::store::{self, Pool};

use super::endpoints::{Endpoints, STEP};

pub use crate::store::webhooks::deliveries::{After, Filter};

/// Maximum number of steps of one request: 10,000 deliveries.
const STEPS: usize = 50;
/// How many deliveries one request sends again at most.
pub const MAX_REDELIVERED: u32 = 50 * STEP;

/// A delivery as its owner sees it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The stored delivery.
    pub stored: store::webhooks::deliveries::Delivery,
    /// The event's type, if the owner may see it.
    pub kind: Option<&'static str>,
}

/// A delivery in a list, or why it cannot be shown, with its position and its event's id.
pub type ListedDelivery = (After, EventId, Result<Delivery, Unreadable>);

/// The deliveries that were made pending again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redelivered {
    /// Their number.
    pub count: u64,
    /// Where to continue, if there may be more: the time of the last event.
    pub next: Option<Time>,
}

/// The deliveries to all endpoints.
#[derive(Debug)]
pub struct Deliveries {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) renderer: Arc<Renderer>,
    commits: Arc<Commits>,
}

impl Deliveries {
    pub(super) fn new(
        base: &Base,
        endpoints: Arc<Endpoints>,
        (renderer, commits): (Arc<Renderer>, Arc<Commits>),
    ) -> Self {
        Self { pool: base.pool.clone(), clock: base.clock.clone(), endpoints, renderer, commits }
    }

    /// Up to `limit` deliveries to an endpoint after `after`, the newest event first; an unreadable
    /// one does not affect the others.
    pub async fn list_webhook_deliveries(
        &self,
        key: &EndpointKey,
        filter: Filter,
        after: Option<After>,
        limit: u32,
    ) -> Result<Vec<ListedDelivery>, Error> {
        self.endpoints.get_webhook(key).await?;
        let rows = store::webhooks::deliveries::list(&self.pool, key, filter, after, limit).await?;
        let places: Vec<(TaskId, u64)> = rows.iter().map(|row| (row.place.task_id, row.place.seq)).collect();
        let kinds = self.kinds(key, &places).await?;
        let shown = rows.into_iter().zip(kinds).map(|(row, kind)| {
            let delivery = match row.delivery {
                Ok(stored) => Ok(Delivery { stored, kind }),
                Err(error) => Err(Error::from(error).unreadable()?),
            };
            Ok((row.place, row.event_id, delivery))
        });
        shown.collect()
    }

    /// The types of these events in their order, as far as the endpoint's owner may know them. The
    /// type of an unreadable event is unknown.
    pub(super) async fn kinds(
        &self,
        key: &EndpointKey,
        rows: &[(TaskId, u64)],
    ) -> Result<Vec<Option<&'static str>>, Error> {
        let mut kinds = Vec::with_capacity(rows.len());
        while kinds.len() < rows.len() {
            let items = store::feed::load(&self.pool, &rows[kinds.len()..]).await?;
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
    pub async fn redeliver(&self, key: &EndpointKey, event: EventId) -> Result<Delivery, Error> {
        self.endpoints.get_webhook(key).await?;
        let found = store::webhooks::deliveries::find(&self.pool, key, event).await?.ok_or(Error::NotFound)?;
        let row = After { recorded_at: found.recorded_at, task_id: found.task_id, seq: found.seq };
        store::webhooks::deliveries::renew(&self.pool, key, &[row], self.clock.now()).await?;
        self.commits.deliveries.wake();
        let renewed = store::webhooks::deliveries::find(&self.pool, key, event).await?.ok_or(Error::NotFound)?;
        let kind = self.kinds(key, &[(renewed.task_id, renewed.seq)]).await?.pop().flatten();
        Ok(Delivery { stored: renewed, kind })
    }

    /// How many deliveries in these states [`Self::redeliver_since`] would send again, counted up to
    /// one more than one call handles.
    pub async fn count_since(&self, key: &EndpointKey, since: Time, states: &[DeliveryState]) -> Result<u32, Error> {
        self.endpoints.get_webhook(key).await?;
        Ok(store::webhooks::deliveries::count_settled(&self.pool, key, states, since, MAX_REDELIVERED + 1).await?)
    }

    /// Sends again the deliveries in these states for events recorded since `since`, except those
    /// with an attempt in progress; at most 10,000 deliveries.
    pub async fn redeliver_since(
        &self,
        key: &EndpointKey,
        since: Time,
        states: &[DeliveryState],
    ) -> Result<Redelivered, Error> {
        self.endpoints.get_webhook(key).await?;
        let (mut count, mut after) = (0, None);
        for _ in 0..STEPS {
            let rows = store::webhooks::deliveries::list_settled(&self.pool, key, states, (since, after), STEP).await?;
            count += store::webhooks::deliveries::renew(&self.pool, key, &rows, self.clock.now()).await?;
            self.commits.deliveries.wake();
            if rows.len() < STEP as usize {
                return Ok(Redelivered { count, next: None });
            }
            after = rows.last().copied();
        }
        Ok(Redelivered { count, next: after.map(|row| row.recorded_at) })
    }
}
