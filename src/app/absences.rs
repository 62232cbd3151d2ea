//! Absences of partners' people: set, read and removed, and what decisions need of them.
//!
//! A task is read with the version of its partner's absences. The absences themselves are cached by
//! that version, so a partner whose absences stay as they are costs no statement. A decision is written
//! only if the version is still the same, so what is cached here can be old and never be wrong.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use moka::future::Cache;

use crate::clock::Clock;
use crate::domain::absence::Absence;
use crate::domain::partner::absences;
use crate::domain::values::id::{ActorId, PartnerId};
use crate::domain::values::time::Time;
use crate::store;
use crate::store::Pool;

use super::access::Caller;
use super::base::Base;
use super::error::Error;
use super::journal::Journal;

pub(in crate::app) use crate::store::absences::Versioned;

/// How long absences are cached. It bounds how long an erased name stays in memory.
const MAX_AGE: Duration = Duration::from_mins(1);
/// The memory limit of the cache.
const MAX_BYTES: u64 = 16 << 20;
/// About the most that an absence takes in memory, and a partner without one.
const BYTES: usize = 512;

/// What is known of a partner without absences.
static NONE: LazyLock<Arc<Versioned>> = LazyLock::new(Arc::default);

/// The absences of all partners.
#[derive(Debug)]
pub struct Absences {
    pool: Pool,
    decisions: Pool,
    clock: Clock,
    journal: Arc<Journal>,
    known: Cache<PartnerId, Arc<Versioned>>,
}

impl Absences {
    pub(super) fn new(base: &Base, journal: Arc<Journal>) -> Self {
        let weight = |_: &PartnerId, known: &Arc<Versioned>| {
            u32::try_from((known.absences.len() + 1).saturating_mul(BYTES)).unwrap_or(u32::MAX)
        };
        Self {
            pool: base.pool.clone(),
            decisions: base.decisions.clone(),
            clock: base.clock.clone(),
            journal,
            known: Cache::builder().time_to_live(MAX_AGE).max_capacity(MAX_BYTES).weigher(weight).build(),
        }
    }

    /// Sets a person's absence in place of an earlier one; `true` if that changes anything.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if it breaks a rule or the partner has too many.
    pub async fn set_absence(&self, caller: &Caller, partner: PartnerId, absence: &Absence) -> Result<bool, Error> {
        let author = caller.author();
        let attempt = || async {
            let now = self.clock.now();
            let known = store::absences::find_to_change(&self.pool, partner, &absence.actor, now).await?;
            let known = known.ok_or(Error::NotFound)?;
            let fact = absences::set(known.absence.as_ref(), known.others, absence, now).map_err(Error::Rejected)?;
            let Some(fact) = fact else { return Ok(Some(false)) };
            let append = self.journal.append(&author, (partner, Some(&known.end)), vec![fact]);
            Ok(store::absences::save(&self.pool, absence, now, &append).await?.then_some(true))
        };
        let changed = self.journal.retry_on_conflict(partner, attempt).await?;
        if changed {
            tracing::info!(%partner, by = %caller.credential_id(), "absence set");
        }
        Ok(changed)
    }

    /// Removes a person's absence. Without one, or after its end, nothing changes.
    pub async fn remove_absence(&self, caller: &Caller, partner: PartnerId, actor: &ActorId) -> Result<(), Error> {
        let author = caller.author();
        let attempt = || async {
            let now = self.clock.now();
            let known = store::absences::find_to_change(&self.pool, partner, actor, now).await?;
            let known = known.ok_or(Error::NotFound)?;
            let fact = absences::remove(known.absence.as_ref(), actor, now);
            let Some(fact) = fact else { return Ok(Some(false)) };
            let append = self.journal.append(&author, (partner, Some(&known.end)), vec![fact]);
            Ok(store::absences::remove(&self.pool, actor, &append).await?.then_some(true))
        };
        if self.journal.retry_on_conflict(partner, attempt).await? {
            tracing::info!(%partner, by = %caller.credential_id(), "absence removed");
        }
        Ok(())
    }

    /// The absence of a person that has not ended.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] without one.
    pub async fn get_absence(&self, partner: PartnerId, actor: &ActorId) -> Result<Absence, Error> {
        store::absences::find(&self.pool, partner, actor, self.clock.now()).await?.ok_or(Error::NotFound)
    }

    /// Up to `limit` of a partner's absences that have not ended, after the person `after`, in the
    /// order of the persons' ids.
    pub async fn list_absences(
        &self,
        partner: PartnerId,
        after: Option<&ActorId>,
        limit: u32,
    ) -> Result<Vec<Absence>, Error> {
        let absences = store::absences::list(&self.pool, partner, (after, limit), self.clock.now()).await?;
        if absences.is_empty() && store::partners::find(&self.pool, partner).await?.is_none() {
            return Err(Error::NotFound);
        }
        Ok(absences)
    }

    /// A partner's absences of this version. If they have changed since the version was read, newer ones.
    pub(in crate::app) async fn of_version(&self, partner: PartnerId, version: u64) -> Result<Arc<Versioned>, Error> {
        if version == 0 {
            return Ok(Arc::clone(&NONE));
        }
        if let Some(found) = self.known.get(&partner).await.filter(|found| found.version == version) {
            return Ok(found);
        }
        self.now(partner).await
    }

    /// A partner's absences as this replica last read them, for a decision that is written only if they
    /// are still the same; nobody's if it has not read any.
    pub(in crate::app) async fn last_read(&self, partner: PartnerId) -> Arc<Versioned> {
        self.known.get(&partner).await.unwrap_or_else(|| Arc::clone(&NONE))
    }

    /// A partner's absences as they are stored now.
    pub(in crate::app) async fn now(&self, partner: PartnerId) -> Result<Arc<Versioned>, Error> {
        let found = Arc::new(store::absences::load(&self.decisions, partner).await?);
        self.known.insert(partner, Arc::clone(&found)).await;
        Ok(found)
    }

    /// Takes a person out of the absences that the partner set by `until`.
    pub(super) async fn forget_actor(&self, partner: PartnerId, actor: &ActorId, until: Time) -> Result<(), Error> {
        store::absences::forget_actor(&self.pool, partner, actor, until).await?;
        self.known.invalidate(&partner).await;
        Ok(())
    }

    /// Removes up to `limit` absences that ended a day ago or earlier; returns how many.
    pub async fn remove_ended(&self, limit: u32) -> Result<u64, Error> {
        Ok(store::absences::remove_ended(&self.pool, self.clock.now(), limit).await?)
    }
}
