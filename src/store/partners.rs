//! Partners and their keys.

use chrono::{DateTime, Utc};

use crate::domain::partner::api_key::KeyHash;
use crate::domain::values::id::{KeyId, PartnerId};
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
    /// When it was created.
    pub created_at: Time,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}

/// Adds a partner with the first entry of its trail.
pub async fn insert(pool: &Pool, partner: &Partner, append: &Append) -> Result<(), Error> {
    let inserted = append!(
        append,
        "insert into partners (id, name, created_at, version, head_hash, updated_at) values ($1, $12, $13, $2, $3, $4)",
        "",
        partner.name.as_str(),
        partner.created_at.utc(),
    );
    inserted.fetch_one(pool).await?;
    Ok(())
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
             insert into api_keys (key_hash, id, partner_id, hint, created_at) select $13, $14, id, $15, $16 from partner
         )",
        &hash.0[..],
        key.id.0,
        key.hint,
        key.created_at.utc(),
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

/// Counts a partner's keys and reads the end of its trail, as of one moment; `None` if there is no
/// such partner. Creating or revoking a key moves the trail on.
pub async fn count_keys(pool: &Pool, partner: PartnerId) -> Result<Option<(KeyCount, End)>, Error> {
    let row = sqlx::query!(
        r#"select version, head_hash, updated_at, keys.valid as "valid!", keys.all_of_them as "all!"
           from partners partner cross join lateral (
               select count(*) filter (where revoked_at is null) as valid, count(*) as all_of_them
               from api_keys where partner_id = partner.id
           ) keys where partner.id = $1"#,
        partner.0
    );
    let Some(row) = row.fetch_optional(pool).await? else { return Ok(None) };
    let place = Place { table: "partners", key: partner };
    let count = KeyCount { valid: place.unsigned(row.valid)?, all: place.unsigned(row.all)? };
    Ok(Some((count, end(partner, row.version, &row.head_hash, row.updated_at)?)))
}

/// Finds the partner of a valid key; `None` if the key is unknown or revoked.
pub async fn find_by_key(pool: &Pool, hash: KeyHash) -> Result<Option<(PartnerId, KeyId)>, Error> {
    let row =
        sqlx::query!("select partner_id, id from api_keys where key_hash = $1 and revoked_at is null", &hash.0[..])
            .fetch_optional(pool)
            .await?;
    Ok(row.map(|row| (PartnerId(row.partner_id), KeyId(row.id))))
}

/// Lists up to `limit` of a partner's keys after `after`, oldest first, including revoked ones.
pub async fn list_keys(pool: &Pool, partner: PartnerId, after: Option<KeyId>, limit: u32) -> Result<Vec<Key>, Error> {
    let rows = sqlx::query_as!(
        KeyRow,
        "select id, hint, created_at, revoked_at from api_keys
         where partner_id = $1 and ($2::uuid is null or id > $2) order by id limit $3",
        partner.0,
        after.map(|id| id.0),
        i64::from(limit)
    )
    .fetch_all(pool)
    .await?;
    let key = |row: KeyRow| Key {
        id: KeyId(row.id),
        partner_id: partner,
        hint: row.hint,
        created_at: row.created_at.into(),
        revoked_at: row.revoked_at.map(Time::from),
    };
    Ok(rows.into_iter().map(key).collect())
}

/// Whether a partner's key is revoked, and the end of the partner's trail as of the same moment;
/// `None` if the partner has no such key.
pub async fn find_key(pool: &Pool, partner: PartnerId, key: KeyId) -> Result<Option<(bool, End)>, Error> {
    let row = sqlx::query!(
        r#"select revoked_at is not null as "revoked!", version, head_hash, updated_at
           from api_keys key join partners partner on partner.id = key.partner_id where key.partner_id = $1 and key.id = $2"#,
        partner.0,
        key.0
    );
    let row = row.fetch_optional(pool).await?;
    row.map(|row| Ok((row.revoked, end(partner, row.version, &row.head_hash, row.updated_at)?))).transpose()
}

/// Revokes a key that was read as valid together with the end of the trail, and records it; `false`
/// if the trail has moved on.
pub async fn revoke_key(pool: &Pool, key: KeyId, append: &Append) -> Result<bool, Error> {
    let revoked = append!(
        append,
        ", ended as (
             update api_keys set revoked_at = greatest($4, created_at) from partner
             where api_keys.partner_id = partner.id and api_keys.id = $13
         )",
        key.0,
    );
    Ok(revoked.fetch_optional(pool).await?.is_some())
}

struct PartnerRow {
    id: uuid::Uuid,
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
    id: uuid::Uuid,
    hint: String,
    created_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
}
