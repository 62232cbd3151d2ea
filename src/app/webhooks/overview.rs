//! Deliveries as people look at them: across all endpoints of an owner, and one with everything that
//! is known of it.

use std::cmp::Reverse;

use crate::app::error::Error;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{EndpointId, EventId, TaskId};
use crate::domain::values::time::Time;
use crate::domain::webhook::{DeliveryState, EndpointKey, Owner};
use crate::store;

use super::attempt::signed;
use super::deliveries::{After, Deliveries, Delivery, Filter, ListedDelivery};
use super::endpoints::Endpoint;

/// How many deliveries a search by type looks at before it answers with what it found.
const SEARCHED: usize = 1_000;

/// Selects deliveries of an owner.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Those to one endpoint.
    pub endpoint: Option<EndpointId>,
    /// Those of one task.
    pub task_id: Option<TaskId>,
    /// Those in one state.
    pub state: Option<DeliveryState>,
    /// Those of events of one type.
    pub kind: Option<String>,
    /// Those of events recorded at this time or later.
    pub since: Option<Time>,
}

/// A delivery in a list across endpoints.
#[derive(Clone, Debug)]
pub struct Sighted {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its place in the order of events.
    pub place: After,
    /// The event's id.
    pub event_id: EventId,
    /// The delivery, or why it cannot be shown.
    pub delivery: Result<Delivery, Unreadable>,
}

/// The last delivery that a search looked at.
pub type Last = (After, EndpointId);

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The deliveries, of the newest event first.
    pub rows: Vec<Sighted>,
    /// Where to continue; `None` if these are all.
    pub next: Option<Last>,
}

/// One delivery, with what is sent.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The delivery.
    pub delivery: Delivery,
    /// The body as an attempt sends it now. It is rendered for each attempt, so what was erased since
    /// is missing; `None` if the event cannot be read.
    pub body: Option<String>,
    /// The headers of an attempt now, without the values of signatures.
    pub headers: Vec<(&'static str, Option<String>)>,
}

impl Deliveries {
    /// Up to `limit` deliveries of an owner after `after`, the newest event first. The few endpoints
    /// of an owner are read one by one, each by its own index.
    pub async fn list_deliveries(
        &self,
        owner: Owner,
        selection: &Selection,
        after: Option<Last>,
        limit: u32,
    ) -> Result<Found, Error> {
        let limit = limit as usize;
        let endpoints: Vec<EndpointId> = match &selection.endpoint {
            Some(id) => vec![id.clone()],
            None => self.endpoints.list_webhooks(owner).await?.into_iter().map(|(id, _)| id).collect(),
        };
        let (mut rows, mut last, mut searched) = (Vec::new(), after, 0);
        loop {
            let page = self.merged(owner, (&endpoints, selection), last.as_ref(), limit + 1).await?;
            let more = page.len() > limit;
            searched += page.len();
            for sighted in page.into_iter().take(limit) {
                last = Some((sighted.place, sighted.endpoint.clone()));
                if selection.holds(&sighted) {
                    rows.push(sighted);
                }
                if rows.len() == limit {
                    return Ok(Found { rows, next: last });
                }
            }
            if !more || searched >= SEARCHED {
                return Ok(Found { rows, next: last.filter(|_| more) });
            }
        }
    }

    /// The next deliveries of these endpoints in one order: of equal events by endpoint.
    async fn merged(
        &self,
        owner: Owner,
        (endpoints, selection): (&[EndpointId], &Selection),
        last: Option<&Last>,
        limit: usize,
    ) -> Result<Vec<Sighted>, Error> {
        let filter = Filter { task_id: selection.task_id, state: selection.state };
        let most = u32::try_from(limit).unwrap_or(u32::MAX);
        let mut all = Vec::new();
        for id in endpoints {
            let after = last.map(|(place, endpoint)| {
                // Of the same event, the endpoints behind the last one are still to come.
                let seq = if id > endpoint { place.seq.saturating_add(1) } else { place.seq };
                After { seq, ..*place }
            });
            let key = EndpointKey { owner, id: id.clone() };
            let listed = self.list_webhook_deliveries(&key, filter, after, most).await?;
            let sighted = |(place, event_id, delivery): ListedDelivery| Sighted {
                endpoint: id.clone(),
                place,
                event_id,
                delivery,
            };
            all.extend(listed.into_iter().map(sighted).filter(|row| selection.since <= Some(row.place.recorded_at)));
        }
        all.sort_by_cached_key(|row| {
            let After { recorded_at, task_id, seq } = row.place;
            (Reverse((recorded_at, task_id, seq)), row.endpoint.clone())
        });
        all.truncate(limit);
        Ok(all)
    }

    /// One delivery, with what an attempt sends.
    pub async fn get_delivery(&self, key: &EndpointKey, event: EventId) -> Result<Detail, Error> {
        let endpoint = self.endpoints.get_webhook(key).await?;
        let stored = store::webhooks::deliveries::find(&self.pool, key, event).await?.ok_or(Error::NotFound)?;
        let place = (stored.task_id, stored.seq);
        let kind = self.kinds(key, &[place]).await?.pop().flatten();
        let body = match self.renderer.render_one(key.owner.party(), place).await {
            Ok(event) => Some(serde_json::to_vec(&event).map_err(|_| Error::impossible("an event that is no JSON"))?),
            Err(error) => error.unreadable().map(|_| None)?,
        };
        let at = (self.clock.now(), &self.clock);
        let sent = signed(event.into(), at, body.as_deref().unwrap_or_default(), &endpoint.secrets);
        let shown = sent.map(|(name, value)| {
            let name = name_of(name.as_str());
            let is_signature = name.ends_with("signature");
            (name, value.to_str().ok().filter(|_| !is_signature).map(ToOwned::to_owned))
        });
        let headers = [("content-type", Some("application/json".to_owned()))].into_iter().chain(shown).collect();
        let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
        Ok(Detail { endpoint, delivery: Delivery { stored, kind }, body, headers })
    }
}

/// The names of the headers that are signed with a delivery.
fn name_of(name: &str) -> &'static str {
    const NAMES: [&str; 6] = [
        "x-aitasker-signature",
        "x-aitasker-timestamp",
        "x-aitasker-delivery-id",
        "webhook-signature",
        "webhook-timestamp",
        "webhook-id",
    ];
    NAMES.into_iter().find(|known| *known == name).unwrap_or("other-signature")
}

impl Selection {
    fn holds(&self, row: &Sighted) -> bool {
        self.kind.as_deref().is_none_or(|kind| row.delivery.as_ref().is_ok_and(|delivery| delivery.kind == Some(kind)))
    }
}
