//! Webhook endpoints: where events are sent, the secrets that sign them, and the endpoints' health.

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::values::id::{EndpointId, NoticeId};
use crate::domain::values::time::Time;
use crate::domain::webhook::{DisabledReason, EndpointKey, EndpointState, OVERLAP, Owner, Types};
use crate::store::db::row::Place;
use crate::store::{Error, Pool};
use crate::webhook::sign::Secret;

/// An endpoint that was not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The owner and id.
    pub key: EndpointKey,
    /// The URL to send to, as it was validated when it was written.
    pub url: String,
    /// The event types to send; `None` for all.
    pub types: Option<Types>,
    /// Whether events are sent.
    pub state: EndpointState,
    /// Why it is disabled.
    pub disabled_reason: Option<DisabledReason>,
    /// The secrets that sign deliveries.
    pub secrets: Secrets,
    /// Since when every attempt has failed.
    pub failing_since: Option<Time>,
    /// When it was created.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

/// The stored secrets of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// The secret in use.
    pub current: Dated,
    /// The secret that will replace it.
    pub next: Option<Dated>,
}

/// A secret and when it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// The secret.
    pub secret: Secret,
    /// When it was created.
    pub created_at: Time,
}

impl Secrets {
    /// Returns the secrets as of `now`: a successor that has waited long enough is in use.
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
    /// The endpoint.
    pub key: &'a EndpointKey,
    /// The URL to send to.
    pub url: &'a str,
    /// The event types to send.
    pub types: Option<&'a Types>,
    /// The current time.
    pub at: Time,
}

/// The most endpoints that an owner may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Endpoints that were not removed.
    pub present: u32,
    /// All endpoints ever created. Removed rows are kept, and every write to the owner's tasks
    /// reads them.
    pub ever: u32,
}

/// Adds an endpoint or restores a removed one; `false` if it exists already or its owner has
/// reached a limit.
///
/// The owner's row is locked first, so that the counting statement starts after every earlier one
/// has committed.
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

/// Changes an endpoint and enables it with no failures; `false` if it does not exist.
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

/// Removes an endpoint and its secrets; `false` if it does not exist.
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

/// Adds a secret beside the one in use and replaces one that waits; `false` if the endpoint does
/// not exist.
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

/// Takes the waiting secret into use; does nothing if none waits.
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

/// Finds an endpoint.
pub async fn find(pool: &Pool, key: &EndpointKey) -> Result<Option<Endpoint>, Error> {
    let row = select_endpoints!("where owner_id = $1 and id = $2", key.owner.id(), key.id.as_str());
    row.fetch_optional(pool).await?.map(Endpoint::try_from).transpose()
}

/// An endpoint in a list, with its id. One that cannot be read does not affect others.
pub type Listed = (EndpointId, Result<Endpoint, Error>);

/// Lists all endpoints of an owner, by id.
pub async fn list(pool: &Pool, owner: Owner) -> Result<Vec<Listed>, Error> {
    let mut rows = select_endpoints!("where owner_id = $1", owner.id()).fetch_all(pool).await?;
    // Sort by bytes, which does not depend on the database's collation.
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    let listed = rows.into_iter().map(|row| {
        let place = Place { table: "webhook_endpoints", key: Key(row.owner_id, &row.id) };
        Ok((endpoint_id(place)?, Endpoint::try_from(row)))
    });
    listed.collect()
}

/// The pending deliveries of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The number of pending deliveries, counted up to a bound.
    pub pending: u32,
    /// When the oldest event among them was recorded.
    pub oldest: Option<Time>,
}

/// Finds the backlog of each of an owner's endpoints that has pending deliveries, by its id. At
/// most `bound` deliveries of each are looked at, those due first.
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

/// The number of endpoints of all owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Enabled endpoints.
    pub enabled: u64,
    /// Endpoints that the service disabled.
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

/// Records a successful attempt at an endpoint that was failing.
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

/// Records a failed attempt and until when the endpoint is paused; returns since when all attempts
/// have failed. `None` if the endpoint is gone or has another URL, which the attempt says nothing
/// about.
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

/// The notice to the owner of an endpoint that the service disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The id of the notice.
    pub id: NoticeId,
    /// Why the endpoint was disabled.
    pub reason: DisabledReason,
    /// When it was disabled.
    pub recorded_at: Time,
}

/// Disables an endpoint that is enabled and still has this URL, and adds a notice to its owner's
/// feed; whether it was disabled.
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
        notice.id.0,
    );
    Ok(disabled.execute(pool).await?.rows_affected() == 1)
}

/// Selects endpoints that were not removed. The arguments are the condition and the parameters.
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

/// Reads the secrets from four columns.
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
        let unknown = || place.impossible("an unknown value");
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
