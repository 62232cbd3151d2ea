//! Webhook endpoints: where events are sent, what they are signed with, and how the endpoints fare.

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::values::id::EndpointId;
use crate::domain::values::time::Time;
use crate::domain::webhook::{DisabledReason, EndpointKey, EndpointState, OVERLAP, Owner, Types};
use crate::store::db::row::Place;
use crate::store::{Error, Pool};
use crate::webhook::sign::Secret;

/// An endpoint that was not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Which.
    pub key: EndpointKey,
    /// Where events are sent, as it was checked when it was written.
    pub url: String,
    /// Which events; `None`: all.
    pub types: Option<Types>,
    /// Whether they are sent.
    pub state: EndpointState,
    /// Why not.
    pub disabled_reason: Option<DisabledReason>,
    /// What they are signed with.
    pub secrets: Secrets,
    /// Since when every attempt has failed.
    pub failing_since: Option<Time>,
    /// When it was set up.
    pub created_at: Time,
    /// When it was changed last.
    pub updated_at: Time,
}

/// The secrets of an endpoint, as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// The one in use.
    pub current: Dated,
    /// The one that takes its place.
    pub next: Option<Dated>,
}

/// A secret and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// The secret.
    pub secret: Secret,
    /// When it was made.
    pub created_at: Time,
}

impl Secrets {
    /// The secrets as of `now`: one that has waited for long enough is the one in use.
    #[must_use]
    pub fn at(self, now: Time) -> Self {
        match self.next {
            Some(next) if next.created_at + OVERLAP <= now => Self { current: next, next: None },
            next @ (Some(_) | None) => Self { next, ..self },
        }
    }
}

/// What an owner sets.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// Which endpoint.
    pub key: &'a EndpointKey,
    /// Where events are sent.
    pub url: &'a str,
    /// Which.
    pub types: Option<&'a Types>,
    /// Now.
    pub at: Time,
}

/// How many endpoints an owner may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Those that were not removed.
    pub present: u32,
    /// All that there ever were: rows are kept, and every write of the owner's tasks reads them.
    pub ever: u32,
}

/// Adds an endpoint, or brings back one that was removed; `false` if it is there, or if its owner has as many as it
/// may.
///
/// The owner's row is locked first, so that the statement that counts begins after every earlier one has committed.
pub async fn insert(pool: &Pool, set: &Set<'_>, secret: &Secret, limits: Limits) -> Result<bool, Error> {
    let mut transaction = pool.begin().await?;
    let owner = sqlx::query!(
        "insert into webhook_owners (owner_id) values ($1) on conflict (owner_id) do update set owner_id = excluded.owner_id",
        set.key.owner.id(),
    );
    owner.execute(transaction.connection()).await?;
    let inserted = sqlx::query!(
        "insert into webhook_endpoints (owner_id, id, url, types, state, secret, secret_created_at, created_at, updated_at)
         select $1, $2, $3, $4, 'enabled', $5, $6, $6, $6
         where (select count(*) from webhook_endpoints where owner_id = $1 and state <> 'removed') < $7
             and (exists (select from webhook_endpoints where owner_id = $1 and id = $2)
                 or (select count(*) from webhook_endpoints where owner_id = $1) < $8)
         on conflict (owner_id, id) do update set
             url = excluded.url, types = excluded.types, state = excluded.state, secret = excluded.secret,
             secret_created_at = excluded.secret_created_at, failures = 0, failing_since = null, paused_until = null,
             created_at = excluded.created_at, updated_at = excluded.updated_at
         where webhook_endpoints.state = 'removed'",
        set.key.owner.id(),
        set.key.id.as_str(),
        set.url,
        set.types.map(words) as _,
        secret.reveal(),
        set.at.utc(),
        i64::from(limits.present),
        i64::from(limits.ever),
    );
    let inserted = inserted.execute(transaction.connection()).await?.rows_affected() == 1;
    transaction.commit().await?;
    Ok(inserted)
}

/// Changes an endpoint and enables it, as if it had never failed; `false` if it is not there.
pub async fn save(pool: &Pool, set: &Set<'_>) -> Result<bool, Error> {
    let saved = sqlx::query!(
        "update webhook_endpoints set
             url = $3, types = $4, state = 'enabled', disabled_reason = null, failures = 0, failing_since = null, paused_until = null,
             updated_at = $5
         where owner_id = $1 and id = $2 and state <> 'removed'",
        set.key.owner.id(),
        set.key.id.as_str(),
        set.url,
        set.types.map(words) as _,
        set.at.utc(),
    );
    Ok(saved.execute(pool).await?.rows_affected() == 1)
}

/// Removes an endpoint and its secrets; `false` if it is not there.
pub async fn remove(pool: &Pool, key: &EndpointKey, now: Time) -> Result<bool, Error> {
    let removed = sqlx::query!(
        "update webhook_endpoints set
             state = 'removed', disabled_reason = null, secret = null, secret_created_at = null, next_secret = null,
             next_secret_created_at = null, updated_at = $3
         where owner_id = $1 and id = $2 and state <> 'removed'",
        key.owner.id(),
        key.id.as_str(),
        now.utc(),
    );
    Ok(removed.execute(pool).await?.rows_affected() == 1)
}

/// Puts a secret beside the one in use, in the place of one that waits; `false` if the endpoint is not there.
pub async fn add_secret(pool: &Pool, key: &EndpointKey, new: &Dated) -> Result<bool, Error> {
    let added = sqlx::query!(
        "update webhook_endpoints set
             secret = case when next_secret_created_at <= $5 then next_secret else secret end,
             secret_created_at = case when next_secret_created_at <= $5 then next_secret_created_at else secret_created_at end,
             next_secret = $3, next_secret_created_at = $4, updated_at = $4
         where owner_id = $1 and id = $2 and state <> 'removed'",
        key.owner.id(),
        key.id.as_str(),
        new.secret.reveal(),
        new.created_at.utc(),
        (new.created_at - OVERLAP).utc(),
    );
    Ok(added.execute(pool).await?.rows_affected() == 1)
}

/// Takes the secret that waits into use; nothing where none waits.
pub async fn activate_secret(pool: &Pool, key: &EndpointKey, now: Time) -> Result<(), Error> {
    let activated = sqlx::query!(
        "update webhook_endpoints set
             secret = next_secret, secret_created_at = next_secret_created_at, next_secret = null, next_secret_created_at = null,
             updated_at = $3
         where owner_id = $1 and id = $2 and next_secret is not null",
        key.owner.id(),
        key.id.as_str(),
        now.utc(),
    );
    activated.execute(pool).await?;
    Ok(())
}

/// One endpoint.
pub async fn find(pool: &Pool, key: &EndpointKey) -> Result<Option<Endpoint>, Error> {
    let row = select_endpoints!("where owner_id = $1 and id = $2", key.owner.id(), key.id.as_str());
    row.fetch_optional(pool).await?.map(Endpoint::try_from).transpose()
}

/// An endpoint in a list, by its id; one that cannot be read takes no other along.
pub type Listed = (EndpointId, Result<Endpoint, Error>);

/// All endpoints of an owner, by id.
pub async fn list(pool: &Pool, owner: Owner) -> Result<Vec<Listed>, Error> {
    let mut rows = select_endpoints!("where owner_id = $1", owner.id()).fetch_all(pool).await?;
    // By bytes, whatever the database's collation.
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    let listed = rows.into_iter().map(|row| {
        let place = Place { table: "webhook_endpoints", key: Key(row.owner_id, &row.id) };
        Ok((endpoint_id(place)?, Endpoint::try_from(row)))
    });
    listed.collect()
}

/// What waits for an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many deliveries are pending, counted up to a bound.
    pub pending: u32,
    /// When the oldest event among those was recorded.
    pub oldest: Option<Time>,
}

/// What waits for each of an owner's endpoints that has anything pending, by its id. Of each, at most `bound`
/// deliveries are looked at: those that are due first.
pub async fn list_backlogs(
    pool: &Pool,
    owner: Owner,
    ids: &[&str],
    bound: u32,
) -> Result<HashMap<String, Backlog>, Error> {
    let rows = sqlx::query!(
        r#"/* search: backlogs of an owner */
           select wanted.id as "id!", backlog.pending as "pending!", backlog.oldest
           from unnest($2::text[]) as wanted (id) cross join lateral (
               select count(*) as pending, min(counted.recorded_at) as oldest from (
                   select recorded_at from webhook_deliveries
                   where owner_id = $1 and endpoint_id = wanted.id and state = 'pending'
                   order by due_at limit $3) counted
           ) backlog
           where backlog.pending > 0"#,
        owner.id(),
        ids as _,
        i64::from(bound),
    );
    let rows = rows.fetch_all(pool).await?.into_iter().map(|row| {
        let place = Place { table: "webhook_endpoints", key: Key(owner.id(), &row.id) };
        let backlog = Backlog { pending: place.unsigned(row.pending)?, oldest: row.oldest.map(Time::from) };
        Ok((row.id, backlog))
    });
    rows.collect()
}

/// How many endpoints there are, of all owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that are sent something.
    pub enabled: u64,
    /// Those that the service gave up.
    pub disabled: u64,
}

/// Counts the endpoints.
pub async fn count(pool: &Pool) -> Result<Count, Error> {
    let row = sqlx::query!(
        r#"select count(*) filter (where state = 'enabled') as "enabled!", count(*) filter (where state = 'disabled') as "disabled!"
           from webhook_endpoints"#
    );
    let row = row.fetch_one(pool).await?;
    Ok(Count { enabled: row.enabled.unsigned_abs(), disabled: row.disabled.unsigned_abs() })
}

/// Notes that an attempt succeeded, for an endpoint that was failing.
pub async fn recovered(pool: &Pool, key: &EndpointKey) -> Result<(), Error> {
    let recovered = sqlx::query!(
        "update webhook_endpoints set failures = 0, failing_since = null, paused_until = null
         where owner_id = $1 and id = $2 and failures > 0",
        key.owner.id(),
        key.id.as_str(),
    );
    recovered.execute(pool).await?;
    Ok(())
}

/// Notes that an attempt failed, and until when the endpoint is left alone; since when all have failed. `None`: it is
/// not there, or has another URL by now, of which the attempt says nothing.
pub async fn failed(
    pool: &Pool,
    (key, url): (&EndpointKey, &str),
    now: Time,
    paused_until: Option<Time>,
) -> Result<Option<Time>, Error> {
    let since = sqlx::query_scalar!(
        r#"update webhook_endpoints set
               failures = failures + 1, failing_since = coalesce(failing_since, $3), paused_until = greatest(paused_until, $4)
           where owner_id = $1 and id = $2 and state <> 'removed' and url = $5
           returning failing_since as "failing_since!""#,
        key.owner.id(),
        key.id.as_str(),
        now.utc(),
        paused_until.map(Time::utc),
        url,
    );
    Ok(since.fetch_optional(pool).await?.map(Time::from))
}

/// What the service tells an owner of an endpoint that it gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: Uuid,
    /// Why.
    pub reason: DisabledReason,
    /// When.
    pub recorded_at: Time,
}

/// Gives up an endpoint that is enabled and still has this URL, and says so in its owner's feed; whether it was.
pub async fn disable(pool: &Pool, key: &EndpointKey, url: &str, notice: &Notice) -> Result<bool, Error> {
    let disabled = sqlx::query!(
        "with disabled as (
             update webhook_endpoints set state = 'disabled', disabled_reason = $4, updated_at = $5
             where owner_id = $1 and id = $2 and state = 'enabled' and url = $3
             returning owner_id, id
         )
         insert into webhook_notices (id, owner_id, endpoint_id, reason, recorded_at) select $6, owner_id, id, $4, $5 from disabled",
        key.owner.id(),
        key.id.as_str(),
        url,
        notice.reason.as_str(),
        notice.recorded_at.utc(),
        notice.id,
    );
    Ok(disabled.execute(pool).await?.rows_affected() == 1)
}

/// Selects endpoints that were not removed: the condition, the parameters.
macro_rules! select_endpoints {
    ($where:literal, $($parameter:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select owner_id, id, url, types, state, disabled_reason, secret as "secret!", secret_created_at as "secret_created_at!",
                   next_secret, next_secret_created_at, failing_since, created_at, updated_at
               from webhook_endpoints "# + $where + " and state <> 'removed'",
            $($parameter),+
        )
    };
}
use select_endpoints;

fn words(types: &Types) -> Vec<&'static str> {
    types.as_slice().to_vec()
}

struct Row {
    owner_id: Uuid,
    id: String,
    url: String,
    types: Option<Vec<String>>,
    state: String,
    disabled_reason: Option<String>,
    secret: String,
    secret_created_at: DateTime<Utc>,
    next_secret: Option<String>,
    next_secret_created_at: Option<DateTime<Utc>>,
    failing_since: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// The primary key, for errors.
#[derive(Clone, Copy)]
pub(in crate::store) struct Key<'a>(pub(in crate::store) Uuid, pub(in crate::store) &'a str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.0, self.1)
    }
}

/// The secrets in four columns.
pub(in crate::store) fn secrets(
    place: Place<Key<'_>>,
    (current, created_at): (&str, DateTime<Utc>),
    next: Option<(&str, DateTime<Utc>)>,
) -> Result<Secrets, Error> {
    let dated = |(text, created_at): (&str, DateTime<Utc>)| {
        let secret = Secret::parse(text).map_err(|error| place.impossible(error))?;
        Ok::<_, Error>(Dated { secret, created_at: created_at.into() })
    };
    Ok(Secrets { current: dated((current, created_at))?, next: next.map(dated).transpose()? })
}

impl TryFrom<Row> for Endpoint {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let place = Place { table: "webhook_endpoints", key: Key(row.owner_id, &row.id) };
        let state = EndpointState::ALL.into_iter().find(|state| state.as_str() == row.state);
        let reason = |word: &str| DisabledReason::ALL.into_iter().find(|reason| reason.as_str() == word);
        let next = row.next_secret.as_deref().zip(row.next_secret_created_at);
        let unknown = || place.impossible("a word that is none of its column's");
        Ok(Self {
            key: EndpointKey { owner: Owner::of(row.owner_id), id: endpoint_id(place)? },
            types: row.types.map(Types::try_from).transpose().map_err(|error| place.impossible(error))?,
            state: state.ok_or_else(unknown)?,
            disabled_reason: row.disabled_reason.as_deref().map(|word| reason(word).ok_or_else(unknown)).transpose()?,
            secrets: secrets(place, (&row.secret, row.secret_created_at), next)?,
            failing_since: row.failing_since.map(Time::from),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            url: row.url,
        })
    }
}

pub(in crate::store) fn endpoint_id(place: Place<Key<'_>>) -> Result<EndpointId, Error> {
    EndpointId::parse(place.key.1).map_err(|error| place.impossible(error))
}
