//! Partners and their keys.
//!
//! Every request of a partner resolves its key, so results are cached for a few seconds
//! (`KeyCache`). A key revoked by another replica stops working here when its cache entry
//! expires; one revoked here stops at once.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::domain::partner::api_key::{ApiKey, KeyHash};
use crate::domain::partner::event::{self, PartnerFact};
use crate::domain::values::id::{KeyId, PartnerId};
use crate::domain::values::text::Name;
use crate::store::Pool;
use crate::{ids, store};

use super::access::Caller;
use super::base::Base;
use super::error::Error;
use super::journal::Journal;

pub use crate::store::partners::{Key, Partner};

/// How long a resolved key is cached. The documented limit is 5 s; the rest is for the look-up
/// itself.
const MAX_AGE: Duration = Duration::from_secs(4);

/// Resolved keys. Unknown keys are cached too, so that a client that keeps sending an invalid key
/// does not reach the database.
#[derive(Debug)]
struct KeyCache {
    resolved: Cache<KeyHash, Option<(PartnerId, KeyId)>>,
    /// Keys revoked by this replica. A look-up that began before the revocation may fill `resolved`
    /// after it; this entry outlives that.
    revoked: Cache<KeyId, ()>,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            resolved: Cache::builder().max_capacity(100_000).time_to_live(MAX_AGE).build(),
            revoked: Cache::builder().max_capacity(100_000).time_to_live(10 * MAX_AGE).build(),
        }
    }
}

/// A newly created key. Only this value holds the secret.
#[derive(Debug)]
pub struct NewKey {
    /// The stored record.
    pub record: Key,
    /// The key.
    pub secret: ApiKey,
}

/// The partners, their keys and their trails.
#[derive(Debug)]
pub struct Partners {
    /// Appends to the partners' trails.
    pub journal: Arc<Journal>,
    pool: Pool,
    decisions: Pool,
    keys: KeyCache,
}

impl Partners {
    pub(super) fn new(base: &Base, journal: Arc<Journal>) -> Self {
        let (pool, decisions) = (base.pool.clone(), base.decisions.clone());
        Self { journal, pool, decisions, keys: KeyCache::default() }
    }

    /// Adds a partner.
    pub async fn create_partner(&self, caller: &Caller, name: Name) -> Result<Partner, Error> {
        let id = PartnerId(ids::new());
        let append = self.journal.append(&caller.author(), (id, None), vec![PartnerFact::Created {}]);
        let partner = Partner { id, name, created_at: append.end().latest.recorded_at };
        store::partners::insert(&self.pool, &partner, &append).await?;
        tracing::info!(partner = %partner.id, by = %caller.credential_id(), "partner added");
        Ok(partner)
    }

    /// One partner.
    pub async fn get_partner(&self, id: PartnerId) -> Result<Partner, Error> {
        store::partners::find(&self.pool, id).await?.ok_or(Error::NotFound)
    }

    /// Up to `limit` partners after `after`, oldest first.
    pub async fn list_partners(&self, after: Option<PartnerId>, limit: u32) -> Result<Vec<Partner>, Error> {
        Ok(store::partners::list(&self.pool, after, limit).await?)
    }

    /// Creates a key for a partner.
    pub async fn create_partner_key(&self, caller: &Caller, partner_id: PartnerId) -> Result<NewKey, Error> {
        let (secret, id) = (ApiKey::from_random(&ids::random()), KeyId(ids::new()));
        let (author, hint) = (caller.author(), secret.hint().to_owned());
        let attempt = || async {
            let (keys, end) = store::partners::count_keys(&self.pool, partner_id).await?.ok_or(Error::NotFound)?;
            event::may_have_another_key(keys.valid, keys.all).map_err(Error::Rejected)?;
            let made = PartnerFact::KeyCreated { key_id: id, hint: hint.clone() };
            let append = self.journal.append(&author, (partner_id, Some(&end)), vec![made]);
            let created_at = append.end().latest.recorded_at;
            let record = Key { id, partner_id, hint: hint.clone(), created_at, revoked_at: None };
            Ok(store::partners::insert_key(&self.pool, &record, secret.hash(), &append).await?.then_some(record))
        };
        let record = self.journal.retry_on_conflict(partner_id, attempt).await?;
        tracing::info!(partner = %partner_id, key = %record.id, by = %caller.credential_id(), "key made");
        Ok(NewKey { record, secret })
    }

    /// Up to `limit` of a partner's keys after `after`, oldest first, including revoked ones.
    pub async fn list_partner_keys(
        &self,
        partner_id: PartnerId,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<Vec<Key>, Error> {
        let keys = store::partners::list_keys(&self.pool, partner_id, after, limit).await?;
        if keys.is_empty() {
            self.get_partner(partner_id).await?;
        }
        Ok(keys)
    }

    /// Revokes a key. Revoking it again changes nothing.
    pub async fn revoke_partner_key(&self, caller: &Caller, partner: PartnerId, key: KeyId) -> Result<(), Error> {
        let author = caller.author();
        let attempt = || async {
            let (is_revoked, end) =
                store::partners::find_key(&self.pool, partner, key).await?.ok_or(Error::NotFound)?;
            if is_revoked {
                return Ok(Some(()));
            }
            let append =
                self.journal.append(&author, (partner, Some(&end)), vec![PartnerFact::KeyRevoked { key_id: key }]);
            Ok(store::partners::revoke_key(&self.pool, key, &append).await?.then_some(()))
        };
        self.journal.retry_on_conflict(partner, attempt).await?;
        self.keys.revoked.insert(key, ()).await;
        tracing::info!(partner = %partner, key = %key, by = %caller.credential_id(), "key revoked");
        Ok(())
    }

    /// The caller that a key belongs to; `None` if it is unknown or revoked.
    pub async fn resolve_key(&self, key: &ApiKey) -> Result<Option<Caller>, Error> {
        let hash = key.hash();
        // Boxed, so that the large future of the look-up does not enlarge every request's.
        let found = match Box::pin(self.keys.resolved.get(&hash)).await {
            Some(found) => found,
            None => {
                Box::pin(self.keys.resolved.try_get_with(hash, store::partners::find_by_key(&self.decisions, hash)))
                    .await?
            }
        };
        Ok(found
            .filter(|(_, key_id)| !self.keys.revoked.contains_key(key_id))
            .map(|(partner_id, key_id)| Caller::Partner { partner_id, key_id }))
    }

    /// Refuses a partner that the caller may not see.
    pub(super) async fn find_visible(&self, caller: &Caller, id: PartnerId) -> Result<(), Error> {
        let may_see = match caller {
            Caller::Partner { partner_id, .. } => *partner_id == id,
            Caller::Buyer { .. } => false,
            Caller::Platform { .. } => true,
        };
        if !may_see {
            return Err(Error::NotFound);
        }
        self.get_partner(id).await.map(|_| ())
    }
}
