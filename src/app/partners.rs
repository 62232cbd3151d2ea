//! Partners and their keys.
//!
//! Every request of a partner resolves its key, so results are cached for a few seconds
//! (`KeyCache`). A key revoked by another replica stops working here when its cache entry
//! expires; one revoked here stops at once. A key's rights are cached with it, so that checking them
//! costs no statement; its expiry is compared with the clock at every use.
//!
//! A key that a partner made for itself reaches no further than the key that made it, and ends with
//! it.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::clock::Clock;
use crate::domain::partner::api_key::{ApiKey, KeyHash};
use crate::domain::partner::event::{self, PartnerFact};
use crate::domain::partner::rights::Rights;
use crate::domain::task::refusal::Refusal;
use crate::domain::values::cell::Cell;
use crate::domain::values::id::{ActorId, KeyId, PartnerId};
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::store::Pool;
use crate::{ids, store};

use super::access::Caller;
use super::base::Base;
use super::error::Error;
use super::journal::Journal;

use crate::store::partners::ValidKey;
pub use crate::store::partners::{Key, Partner};

/// How long a resolved key is cached. The documented limit is 5 s; the rest is for the look-up
/// itself.
const MAX_AGE: Duration = Duration::from_secs(4);

/// Resolved keys. Unknown keys are cached too, so that a client that keeps sending an invalid key
/// does not reach the database.
#[derive(Debug)]
struct KeyCache {
    resolved: Cache<KeyHash, Option<Arc<Resolved>>>,
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

/// A key that was looked up.
#[derive(Debug)]
struct Resolved {
    partner_id: PartnerId,
    key_id: KeyId,
    rights: Arc<Rights>,
}

/// A key to create.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What it is for.
    pub label: Option<Name>,
    /// What it may do.
    pub rights: Rights,
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
    clock: Clock,
    cell: Cell,
    keys: KeyCache,
}

impl Partners {
    pub(super) fn new(base: &Base, journal: Arc<Journal>) -> Self {
        let (pool, decisions) = (base.pool.clone(), base.decisions.clone());
        let (clock, cell) = (base.clock.clone(), base.cell.clone());
        Self { journal, pool, decisions, clock, cell, keys: KeyCache::default() }
    }

    /// Adds a partner, with the platform's id if it gives one; returns whether it is new. The same id
    /// and name again returns the same partner.
    ///
    /// # Errors
    ///
    /// [`Error::PartnerExists`] if a partner of another name has the id.
    pub async fn create_partner(
        &self,
        caller: &Caller,
        id: Option<PartnerId>,
        name: Name,
    ) -> Result<(Partner, bool), Error> {
        let (given, id) = (id.is_some(), id.unwrap_or_else(|| PartnerId(ids::new())));
        if given && let Some(found) = store::partners::find(&self.pool, id).await? {
            return same(found, &name);
        }
        let append = self.journal.append(&caller.author(), (id, None), vec![PartnerFact::Created {}]);
        let partner = Partner { id, name, created_at: append.end().latest.recorded_at };
        if !store::partners::insert(&self.pool, &partner, &append).await? {
            // The same request came twice at once, and the other one was faster.
            return same(self.get_partner(id).await?, &partner.name);
        }
        tracing::info!(partner = %partner.id, by = %caller.credential_id(), "partner added");
        Ok((partner, true))
    }

    /// One partner.
    pub async fn get_partner(&self, id: PartnerId) -> Result<Partner, Error> {
        store::partners::find(&self.pool, id).await?.ok_or(Error::NotFound)
    }

    /// Up to `limit` partners after `after`, oldest first.
    pub async fn list_partners(&self, after: Option<PartnerId>, limit: u32) -> Result<Vec<Partner>, Error> {
        Ok(store::partners::list(&self.pool, after, limit).await?)
    }

    /// Creates a key for a partner. A partner's own key can make only keys that reach no further
    /// than itself.
    pub async fn create_partner_key(
        &self,
        caller: &Caller,
        partner_id: PartnerId,
        wanted: Wanted,
    ) -> Result<NewKey, Error> {
        check_reach(self.reach(caller).await?, &wanted.rights)?;
        let (secret, id) = (ApiKey::from_random(self.cell.name(), &ids::random()), KeyId(ids::new()));
        let record = Key {
            id,
            partner_id,
            hint: secret.hint().to_owned(),
            label: wanted.label,
            rights: wanted.rights,
            made_by: caller.key_id(),
            created_at: self.clock.now(),
            revoked_at: None,
        };
        let attempt = || self.try_create_key(caller, &record, &secret);
        let record = self.journal.retry_on_conflict(partner_id, attempt).await?;
        tracing::info!(partner = %partner_id, key = %record.id, by = %caller.credential_id(), "key made");
        Ok(NewKey { record, secret })
    }

    /// Creates a key, unless the partner's trail has grown since it was read. Revoking a key makes
    /// it grow, so the key that makes this one is valid at the time of the write.
    async fn try_create_key(&self, caller: &Caller, key: &Key, secret: &ApiKey) -> Result<Option<Key>, Error> {
        let counted = store::partners::count_keys(&self.pool, key.partner_id, self.clock.now()).await?;
        let (keys, end) = counted.ok_or(Error::NotFound)?;
        if let Some(maker) = key.made_by {
            let maker = store::partners::find_key(&self.pool, key.partner_id, maker).await?;
            if maker.is_none_or(|maker| maker.revoked_at.is_some()) {
                return Err(Error::Expired);
            }
        }
        event::may_have_another_key(keys.valid, keys.all).map_err(Error::Rejected)?;
        let made = PartnerFact::KeyCreated {
            key_id: key.id,
            hint: key.hint.clone(),
            label: key.label.clone(),
            scopes: key.rights.scopes.into(),
            actors: key.rights.actors.clone(),
            expires_at: key.rights.expires_at,
        };
        let append = self.journal.append(&caller.author(), (key.partner_id, Some(&end)), vec![made]);
        let record = Key { created_at: append.end().latest.recorded_at, ..key.clone() };
        Ok(store::partners::insert_key(&self.pool, &record, secret.hash(), &append).await?.then_some(record))
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

    /// Revokes a key and the keys that it made. Revoking it again changes nothing. A partner's own
    /// key can revoke only keys that reach no further than itself.
    pub async fn revoke_partner_key(&self, caller: &Caller, partner: PartnerId, key: KeyId) -> Result<(), Error> {
        let found = store::partners::find_key(&self.pool, partner, key).await?.ok_or(Error::NotFound)?;
        check_reach(self.vouching_rights(caller).await?, &found.rights)?;
        let author = caller.author();
        let attempt = || async {
            let end = store::audit::partner_events::find_end(&self.pool, partner).await?.ok_or(Error::NotFound)?;
            let ended = store::partners::list_dependent_keys(&self.pool, partner, key).await?;
            if ended.is_empty() {
                return Ok(Some(ended));
            }
            let facts = ended.iter().map(|key_id| PartnerFact::KeyRevoked { key_id: *key_id }).collect();
            let append = self.journal.append(&author, (partner, Some(&end)), facts);
            Ok(store::partners::revoke_keys(&self.pool, &ended, &append).await?.then_some(ended))
        };
        for key in self.journal.retry_on_conflict(partner, attempt).await? {
            self.keys.revoked.insert(key, ()).await;
            tracing::info!(partner = %partner, %key, by = %caller.credential_id(), "key revoked");
        }
        Ok(())
    }

    /// How far the keys that a partner's caller makes may reach; `None`: not limited. The keys of a
    /// session have no scopes that the session has not, but outlast it.
    async fn reach(&self, caller: &Caller) -> Result<Option<Rights>, Error> {
        let vouching = self.vouching_rights(caller).await?;
        Ok(vouching.zip(caller.rights()).map(|(key, own)| Rights { scopes: own.scopes, ..key }))
    }

    /// The rights of the partner's key that was used, or that vouches for the session; `None`: not
    /// limited.
    async fn vouching_rights(&self, caller: &Caller) -> Result<Option<Rights>, Error> {
        match caller {
            Caller::Partner { partner_id, key_id, through: Some(_), .. } => {
                let key = store::partners::find_key(&self.pool, *partner_id, *key_id).await?;
                key.map(|key| Some(key.rights)).ok_or(Error::Expired)
            }
            Caller::Partner { .. } | Caller::Buyer { .. } | Caller::Platform { .. } => Ok(caller.rights().cloned()),
        }
    }

    /// The keys that end with a key when it is revoked, itself included; none if it is revoked already.
    pub async fn list_dependent_keys(&self, partner: PartnerId, key: KeyId) -> Result<Vec<KeyId>, Error> {
        Ok(store::partners::list_dependent_keys(&self.pool, partner, key).await?)
    }

    /// One key of a partner.
    pub async fn get_partner_key(&self, partner: PartnerId, key: KeyId) -> Result<Key, Error> {
        store::partners::find_key(&self.pool, partner, key).await?.ok_or(Error::NotFound)
    }

    /// Takes an actor out of the keys that the partner had by `until`.
    pub(super) async fn forget_actor(&self, partner: PartnerId, actor: &ActorId, until: Time) -> Result<(), Error> {
        store::partners::forget_actor(&self.pool, partner, actor, until).await?;
        self.keys.resolved.invalidate_all();
        Ok(())
    }

    /// The caller that a key belongs to; `None` if it is unknown, expired or revoked.
    pub async fn resolve_key(&self, key: &ApiKey) -> Result<Option<Caller>, Error> {
        let hash = key.hash();
        // Boxed, so that the large future of the look-up does not enlarge every request's.
        let found = match Box::pin(self.keys.resolved.get(&hash)).await {
            Some(found) => found,
            None => Box::pin(self.keys.resolved.try_get_with(hash, self.look_up(hash))).await?,
        };
        let caller =
            found.filter(|found| !self.keys.revoked.contains_key(&found.key_id)).map(|found| Caller::Partner {
                partner_id: found.partner_id,
                key_id: found.key_id,
                rights: Arc::clone(&found.rights),
                through: None,
            });
        let now = self.clock.now();
        Ok(caller.filter(|caller| caller.time_left(now).is_none_or(|left| !left.is_zero())))
    }

    /// Whether this replica revoked the key in the last seconds.
    pub(super) fn is_revoked_here(&self, key: KeyId) -> bool {
        self.keys.revoked.contains_key(&key)
    }

    async fn look_up(&self, hash: KeyHash) -> Result<Option<Arc<Resolved>>, store::Error> {
        let found = store::partners::find_by_key(&self.decisions, hash).await?;
        Ok(found.map(|ValidKey { partner_id, key_id, rights }| {
            Arc::new(Resolved { partner_id, key_id, rights: Arc::new(rights) })
        }))
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

/// The partner that has the id already, if it has this name.
fn same(found: Partner, name: &Name) -> Result<(Partner, bool), Error> {
    if found.name == *name { Ok((found, false)) } else { Err(Error::PartnerExists) }
}

/// Refuses a partner's key that would make or revoke a key which reaches further than itself.
fn check_reach(own: Option<Rights>, other: &Rights) -> Result<(), Error> {
    match own {
        Some(own) if !own.cover(other) => {
            let rule = "the key in question reaches further than the key used, in scopes, actors or expiry";
            Err(Error::Rejected(Refusal::KeyScope(rule.to_owned())))
        }
        Some(_) | None => Ok(()),
    }
}
