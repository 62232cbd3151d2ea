//! Appends to partners' trails. Every action that a partner's trail records goes through here.

use crate::clock::Clock;
use crate::domain::partner::event::{Author, PartnerFact, record};
use crate::domain::values::id::PartnerId;
use crate::store::Pool;
use crate::store::audit::partner_events::Append;
use crate::{ids, store};

use super::base::Base;
use super::contention::{MAX_ATTEMPTS, Turns};
use super::error::Error;

pub use crate::store::audit::partner_events::End;

/// The ends of the partners' trails.
#[derive(Debug)]
pub struct Journal {
    pool: Pool,
    clock: Clock,
    turns: Turns,
}

impl Journal {
    pub(super) fn new(base: &Base) -> Self {
        Self { pool: base.pool.clone(), clock: base.clock.clone(), turns: Turns::default() }
    }

    /// Records an action that is performed elsewhere, such as an export; returns the end of the
    /// trail.
    pub async fn record_fact(&self, partner: PartnerId, author: &Author, fact: PartnerFact) -> Result<End, Error> {
        let attempt = || async {
            let end = store::audit::partner_events::find_end(&self.pool, partner).await?.ok_or(Error::NotFound)?;
            let append = self.append(author, (partner, Some(&end)), vec![fact.clone()]);
            Ok(store::audit::partner_events::insert(&self.pool, &append).await?.then(|| append.end()))
        };
        self.retry_on_conflict(partner, attempt).await
    }

    /// Prepares `facts` as the continuation of a trail, for the statement that performs the
    /// actions.
    pub(super) fn append(
        &self,
        author: &Author,
        (partner, end): (PartnerId, Option<&End>),
        facts: Vec<PartnerFact>,
    ) -> Append {
        let events = record(end.map(|end| end.latest), author, facts, self.clock.now());
        Append::new(partner, end, &events, ids::random)
    }

    /// Retries until an attempt returns a value: `None` means that the partner's trail has grown
    /// since it was read.
    pub(super) async fn retry_on_conflict<T, F>(&self, partner: PartnerId, attempt: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<Option<T>, Error>>,
    {
        let mut turn = None;
        for _ in 0..MAX_ATTEMPTS {
            if let Some(done) = attempt().await? {
                return Ok(done);
            }
            if turn.is_none() {
                turn = Some(self.turns.take(partner.0).await?);
            }
        }
        Err(Error::contended())
    }
}
