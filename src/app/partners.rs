//! Partners and their keys.
//!
//! Every request of a partner resolves its key, so results are cached for a few seconds
//! ([`KeyCache`]). A key revoked by another replica stops working here when its cache entry
//! expires; one revoked here stops at once.

use std::time::Duration;

use moka::future::Cache;

use crate::domain::partner::api_key::{ApiKey, KeyHash};
use crate::domain::partner::event::{self, PartnerFact};
use crate::domain::values::id::{KeyId, PartnerId};
use crate::domain::values::text::Name;
use crate::{ids, store};

use super::audit::partner_trail::{append, retry_on_conflict};
use super::{App, Caller, Error};

pub use crate::store::partners::{Key, Partner};

/// How long a resolved key is cached. The documented limit is 5 s; the rest is for the look-up
/// itself.
const MAX_AGE: Duration = Duration::from_secs(4);

/// Resolved keys. Unknown keys are cached too, so that a client that keeps sending an invalid key
/// does not reach the database.
#[derive(Debug)]
pub struct KeyCache {
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

/// Adds a partner.
pub async fn create_partner(app: &App, caller: &Caller, name: Name) -> Result<Partner, Error> {
    let id = PartnerId(ids::new());
    let append = append(app, &caller.author(), (id, None), vec![PartnerFact::Created {}]);
    let partner = Partner { id, name, created_at: append.end().latest.recorded_at };
    store::partners::insert(&app.pool, &partner, &append).await?;
    tracing::info!(partner = %partner.id, by = %caller.credential_id(), "partner added");
    Ok(partner)
}

/// One partner.
pub async fn get_partner(app: &App, id: PartnerId) -> Result<Partner, Error> {
    store::partners::find(&app.pool, id).await?.ok_or(Error::NotFound)
}

/// Up to `limit` partners after `after`, oldest first.
pub async fn list_partners(app: &App, after: Option<PartnerId>, limit: u32) -> Result<Vec<Partner>, Error> {
    Ok(store::partners::list(&app.pool, after, limit).await?)
}

/// Creates a key for a partner.
pub async fn create_partner_key(app: &App, caller: &Caller, partner_id: PartnerId) -> Result<NewKey, Error> {
    let (secret, id) = (ApiKey::from_random(&ids::random()), KeyId(ids::new()));
    let (author, hint) = (caller.author(), secret.hint().to_owned());
    let attempt = || async {
        let (keys, end) = store::partners::count_keys(&app.pool, partner_id).await?.ok_or(Error::NotFound)?;
        event::may_have_another_key(keys.valid, keys.all).map_err(Error::Rejected)?;
        let made = PartnerFact::KeyCreated { key_id: id, hint: hint.clone() };
        let append = append(app, &author, (partner_id, Some(&end)), vec![made]);
        let created_at = append.end().latest.recorded_at;
        let record = Key { id, partner_id, hint: hint.clone(), created_at, revoked_at: None };
        Ok(store::partners::insert_key(&app.pool, &record, secret.hash(), &append).await?.then_some(record))
    };
    let record = retry_on_conflict(app, partner_id, attempt).await?;
    tracing::info!(partner = %partner_id, key = %record.id, by = %caller.credential_id(), "key made");
    Ok(NewKey { record, secret })
}

/// Up to `limit` of a partner's keys after `after`, oldest first, including revoked ones.
pub async fn list_partner_keys(
    app: &App,
    partner_id: PartnerId,
    after: Option<KeyId>,
    limit: u32,
) -> Result<Vec<Key>, Error> {
    let keys = store::partners::list_keys(&app.pool, partner_id, after, limit).await?;
    if keys.is_empty() {
        get_partner(app, partner_id).await?;
    }
    Ok(keys)
}

/// Revokes a key. Revoking it again changes nothing.
pub async fn revoke_partner_key(app: &App, caller: &Caller, partner: PartnerId, key: KeyId) -> Result<(), Error> {
    let author = caller.author();
    let attempt = || async {
        let (is_revoked, end) = store::partners::find_key(&app.pool, partner, key).await?.ok_or(Error::NotFound)?;
        if is_revoked {
            return Ok(Some(()));
        }
        let append = append(app, &author, (partner, Some(&end)), vec![PartnerFact::KeyRevoked { key_id: key }]);
        Ok(store::partners::revoke_key(&app.pool, key, &append).await?.then_some(()))
    };
    retry_on_conflict(app, partner, attempt).await?;
    app.keys.revoked.insert(key, ()).await;
    tracing::info!(partner = %partner, key = %key, by = %caller.credential_id(), "key revoked");
    Ok(())
}

/// The caller that a key belongs to; `None` if it is unknown or revoked.
pub async fn resolve_key(app: &App, key: &ApiKey) -> Result<Option<Caller>, Error> {
    let hash = key.hash();
    // Boxed, so that the large future of the look-up does not enlarge every request's.
    let found = match Box::pin(app.keys.resolved.get(&hash)).await {
        Some(found) => found,
        None => {
            Box::pin(app.keys.resolved.try_get_with(hash, store::partners::find_by_key(&app.decisions, hash))).await?
        }
    };
    Ok(found
        .filter(|(_, key_id)| !app.keys.revoked.contains_key(key_id))
        .map(|(partner_id, key_id)| Caller::Partner { partner_id, key_id }))
}
