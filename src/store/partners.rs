//! Partners and their keys.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::partner::api_key::KeyHash;
use crate::domain::partner::rights::Rights;
use crate::domain::values::id::{ActorId, KeyId, PartnerId};
use crate::domain::values::scope::{Scope, Scopes};
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;

use super::audit::partner_events::{Append, End, append, end};
use super::db::row::Place;
use super::{Error, Pool};

/// A row of `partners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// The id of the partner.
    pub id: PartnerId,
    /// The display name.
    pub name: Name,
    /// When it was added.
    pub created_at: Time,
}

/// A row of `api_keys`, without the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The id of the key.
    pub id: KeyId,
    /// The partner that the key authenticates.
    pub partner_id: PartnerId,
    /// The first characters of the key.
    pub hint: String,
    /// What it is for.
    pub label: Option<Name>,
    /// What it may do.
    pub rights: Rights,
    /// The partner's key that made it; `None` if the platform did.
    pub made_by: Option<KeyId>,
    /// When it was created.
    pub created_at: Time,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}

/// Adds a partner with the first entry of its trail; `false` if there is one with this id.
pub async fn insert(pool: &Pool, partner: &Partner, append: &Append) -> Result<bool, Error> {
    let inserted = append!(
        append,
        "insert into partners (id, name, created_at, version, head_hash, updated_at) values ($1, $12, $13, $2, $3, $4)
         on conflict (id) do nothing",
        "",
        partner.name.as_str(),
        partner.created_at.utc(),
    );
    Ok(inserted.fetch_optional(pool).await?.is_some())
}

/// Finds the partner with this id.
pub async fn find(pool: &Pool, id: PartnerId) -> Result<Option<Partner>, Error> {
    let row = sqlx::query_as!(PartnerRow, "select id, name, created_at from partners where id = $1", id.0)
        .fetch_optional(pool)
        .await?;
    row.map(Partner::try_from).transpose()
}

/// Lists up to `limit` partners after `after`, oldest first.
pub async fn list(pool: &Pool, after: Option<PartnerId>, limit: u32) -> Result<Vec<Partner>, Error> {
    let rows = sqlx::query_as!(
        PartnerRow,
        "select id, name, created_at from partners where $1::uuid is null or id > $1 order by id limit $2",
        after.map(|id| id.0),
        i64::from(limit)
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Partner::try_from).collect()
}

/// Adds a key and records it; `false` if the trail has moved on.
pub async fn insert_key(pool: &Pool, key: &Key, hash: KeyHash, append: &Append) -> Result<bool, Error> {
    let inserted = append!(
        append,
        ", added as (
             insert into api_keys (key_hash, id, partner_id, hint, created_at, label, scopes, actors, expires_at, made_by)
             select $13, $14, id, $15, $16, $17, $18::text[], $19::text[], $20, $21 from partner
         )",
        &hash.0[..],
        key.id.0,
        key.hint,
        key.created_at.utc(),
        key.label.as_ref().map(Name::as_str),
        &key.rights.scopes.iter().map(Scope::as_str).collect::<Vec<_>>() as _,
        key.rights.actors.as_ref().map(|actors| texts(actors)) as _,
        key.rights.expires_at.map(Time::utc),
        key.made_by.map(|id| id.0),
    );
    Ok(inserted.fetch_optional(pool).await?.is_some())
}

/// The number of a partner's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyCount {
    /// Valid keys.
    pub valid: u32,
    /// All keys, including revoked ones.
    pub all: u32,
}

/// Counts a partner's keys that are valid at `now` and reads the end of its trail, as of one
/// moment; `None` if there is no such partner. Creating or revoking a key moves the trail on.
pub async fn count_keys(pool: &Pool, partner: PartnerId, now: Time) -> Result<Option<(KeyCount, End)>, Error> {
    let row = sqlx::query!(
        r#"select version, head_hash, updated_at, keys.valid as "valid!", keys.all_of_them as "all!"
           from partners partner cross join lateral (
               select count(*) filter (where revoked_at is null and (expires_at is null or expires_at > $2)) as valid,
                   count(*) as all_of_them
               from api_keys where partner_id = partner.id
           ) keys where partner.id = $1"#,
        partner.0,
        now.utc(),
    );
    let Some(row) = row.fetch_optional(pool).await? else { return Ok(None) };
    let place = Place { table: "partners", key: partner };
    let count = KeyCount { valid: place.unsigned(row.valid)?, all: place.unsigned(row.all)? };
    Ok(Some((count, end(partner, row.version, &row.head_hash, row.updated_at)?)))
}

/// A key that was not revoked, with its partner and its rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidKey {
    /// The partner.
    pub partner_id: PartnerId,
    /// The key.
    pub key_id: KeyId,
    /// What it may do, and when it expires.
    pub rights: Rights,
}

/// Finds a key that was not revoked; `None` if it is unknown or revoked.
pub async fn find_by_key(pool: &Pool, hash: KeyHash) -> Result<Option<ValidKey>, Error> {
    let row = sqlx::query!(
        "select partner_id, id, scopes, actors, expires_at from api_keys where key_hash = $1 and revoked_at is null",
        &hash.0[..]
    )
    .fetch_optional(pool)
    .await?;
    let found = row.map(|row| {
        let rights = rights(row.id, &row.scopes, row.actors, row.expires_at)?;
        Ok(ValidKey { partner_id: PartnerId(row.partner_id), key_id: KeyId(row.id), rights })
    });
    found.transpose()
}

/// Lists up to `limit` of a partner's keys after `after`, oldest first, including revoked ones.
pub async fn list_keys(pool: &Pool, partner: PartnerId, after: Option<KeyId>, limit: u32) -> Result<Vec<Key>, Error> {
    let rows = sqlx::query_as!(
        KeyRow,
        "select id, hint, label, scopes, actors, made_by, created_at, expires_at, revoked_at from api_keys
         where partner_id = $1 and ($2::uuid is null or id > $2) order by id limit $3",
        partner.0,
        after.map(|id| id.0),
        i64::from(limit)
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(|row| row.key(partner)).collect()
}

/// Finds a partner's key.
pub async fn find_key(pool: &Pool, partner: PartnerId, key: KeyId) -> Result<Option<Key>, Error> {
    let row = sqlx::query_as!(
        KeyRow,
        "select id, hint, label, scopes, actors, made_by, created_at, expires_at, revoked_at from api_keys
         where partner_id = $1 and id = $2",
        partner.0,
        key.0
    );
    row.fetch_optional(pool).await?.map(|row| row.key(partner)).transpose()
}

/// Lists the keys that end with a partner's key: the key itself and those that it made, directly
/// or through another key, as far as they are not revoked.
pub async fn list_dependent_keys(pool: &Pool, partner: PartnerId, key: KeyId) -> Result<Vec<KeyId>, Error> {
    let ids = sqlx::query_scalar!(
        r#"with recursive dependent as (
               select id, revoked_at from api_keys where partner_id = $1 and id = $2
               union
               select key.id, key.revoked_at from api_keys key join dependent on key.made_by = dependent.id
               where key.partner_id = $1
           )
           select id as "id!" from dependent where revoked_at is null order by id"#,
        partner.0,
        key.0
    );
    Ok(ids.fetch_all(pool).await?.into_iter().map(KeyId).collect())
}

/// Revokes keys that were read as valid after the end of the trail, and records it; `false` if the
/// trail has moved on.
pub async fn revoke_keys(pool: &Pool, keys: &[KeyId], append: &Append) -> Result<bool, Error> {
    let revoked = append!(
        append,
        ", ended as (
             update api_keys set revoked_at = greatest($4, created_at) from partner
             where api_keys.partner_id = partner.id and api_keys.id = any($13::uuid[])
         )",
        &keys.iter().map(|key| key.0).collect::<Vec<_>>(),
    );
    Ok(revoked.fetch_optional(pool).await?.is_some())
}

/// Takes an actor out of the keys that a partner had by `until`, with the labels of those keys.
/// A key that is left without actors stays bound: to nobody.
pub async fn forget_actor(pool: &Pool, partner: PartnerId, actor: &ActorId, until: Time) -> Result<(), Error> {
    let rows = sqlx::query!(
        r#"select id, actors as "actors!" from api_keys
           where partner_id = $1 and actors is not null and created_at <= $2 order by id"#,
        partner.0,
        until.utc()
    );
    for row in rows.fetch_all(pool).await? {
        // Ids are compared by their key, and one that cannot be read is nobody's.
        let is_named = |id: &String| ActorId::stored(id.as_str()).is_ok_and(|id| id == *actor);
        let named: Vec<String> = row.actors.iter().filter(|id| is_named(id)).cloned().collect();
        if !named.is_empty() {
            let forget = sqlx::query!(
                "update api_keys set label = null, actors = array(
                     select actor from unnest(actors) with ordinality as list (actor, place)
                     where actor <> all($2::text[]) order by place)
                 where id = $1",
                row.id,
                &named
            );
            forget.execute(pool).await?;
        }
    }
    Ok(())
}

fn texts(actors: &[ActorId]) -> Vec<String> {
    actors.iter().map(|actor| actor.as_str().to_owned()).collect()
}

fn rights(
    id: Uuid,
    scopes: &[String],
    actors: Option<Vec<String>>,
    expires_at: Option<DateTime<Utc>>,
) -> Result<Rights, Error> {
    let place = Place { table: "api_keys", key: id };
    let scope = |name: &String| Scope::parse(name).ok_or_else(|| place.impossible("an unknown scope"));
    let scopes = scopes.iter().map(scope).collect::<Result<Scopes, Error>>()?;
    let actors = actors.map(|list| list.into_iter().map(|actor| place.checked(actor)).collect()).transpose()?;
    Ok(Rights { scopes, actors, expires_at: expires_at.map(Time::from) })
}

struct PartnerRow {
    id: Uuid,
    name: String,
    created_at: DateTime<Utc>,
}

impl TryFrom<PartnerRow> for Partner {
    type Error = Error;

    fn try_from(row: PartnerRow) -> Result<Self, Error> {
        let name = Name::stored(row.name).map_err(|error| Error::impossible("partners", row.id, error))?;
        Ok(Self { id: PartnerId(row.id), name, created_at: row.created_at.into() })
    }
}

struct KeyRow {
    id: Uuid,
    hint: String,
    label: Option<String>,
    scopes: Vec<String>,
    actors: Option<Vec<String>>,
    made_by: Option<Uuid>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl KeyRow {
    fn key(self, partner_id: PartnerId) -> Result<Key, Error> {
        let place = Place { table: "api_keys", key: self.id };
        Ok(Key {
            id: KeyId(self.id),
            partner_id,
            hint: self.hint,
            label: self.label.map(|label| place.checked(label)).transpose()?,
            rights: rights(self.id, &self.scopes, self.actors, self.expires_at)?,
            made_by: self.made_by.map(KeyId),
            created_at: self.created_at.into(),
            revoked_at: self.revoked_at.map(Time::from),
        })
    }
}
