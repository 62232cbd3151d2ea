//! The openings of links, and the sessions that they made.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::domain::link::{Agent, SecretHash};
use crate::domain::partner::rights::Rights;
use crate::domain::values::id::LinkId;
use crate::domain::values::time::Time;
use crate::store::db::row::Place;
use crate::store::{Error, Pool, partners};

use super::{Link, find};

/// An opening of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The how-manieth it was, from 1.
    pub ordinal: u16,
    /// In which browser.
    pub agent: Agent,
    /// When.
    pub created_at: Time,
    /// When its session ends at the latest.
    pub expires_at: Time,
    /// When its session was last used.
    pub last_seen_at: Time,
    /// When its session was ended.
    pub ended_at: Option<Time>,
}

/// A session that was not ended, of a link that was not ended, under a key that was not revoked.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The link.
    pub link: Link,
    /// The opening.
    pub opening: Opening,
    /// The rights of the partner's key that made the link; none for another credential.
    pub rights: Option<Rights>,
}

/// An opening to record.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// The link as it was read.
    pub link: &'a Link,
    /// The hash of the session's secret; none in a browser whose session stays.
    pub secret: Option<SecretHash>,
    /// The browser.
    pub agent: Agent,
    /// When.
    pub at: Time,
}

/// Counts an opening and makes its session, in one statement; `None` if the link was opened as
/// often as it can be, has expired or was ended. The row's lock puts concurrent openings in order.
pub async fn open(pool: &Pool, open: Open<'_>) -> Result<Option<u16>, Error> {
    let Open { link, secret, agent, at } = open;
    let longest = at + if secret.is_some() { link.session_for } else { TimeDelta::zero() };
    let ends_at = link.vouched_until.map_or(longest, |end| end.min(longest));
    let ordinal = sqlx::query_scalar!(
        r#"with opened as (
               update links set openings = openings + 1
               where id = $1 and ended_at is null and expires_at > $2 and openings < $3
                   and not exists (select from api_keys key where key.id = links.key_id and key.revoked_at is not null)
               returning id, openings
           )
           insert into link_sessions (link_id, ordinal, token_hash, agent, created_at, expires_at, last_seen_at, ended_at)
           select id, openings, $4, $5, $2, $6, $2, case when $4::bytea is null then $2::timestamptz end from opened
           returning ordinal"#,
        link.id.0,
        at.utc(),
        i32::from(link.open.openings()),
        secret.as_ref().map(|secret| &secret.0[..]),
        agent.as_str(),
        ends_at.utc()
    );
    let place = Place { table: "link_sessions", key: link.id };
    ordinal.fetch_optional(pool).await?.map(|ordinal| place.unsigned(ordinal)).transpose()
}

/// Finds the session with this secret; `None` if it is unknown, or if it, its link or the key that
/// made the link was ended.
pub async fn find_by_secret(pool: &Pool, hash: SecretHash) -> Result<Option<Session>, Error> {
    let row = sqlx::query_as!(
        OpeningRow,
        "select link_id, ordinal, agent, created_at, expires_at, last_seen_at, ended_at from link_sessions
         where token_hash = $1 and ended_at is null",
        &hash.0[..]
    );
    let Some(row) = row.fetch_optional(pool).await? else { return Ok(None) };
    let link = LinkId(row.link_id);
    let opening = row.opening()?;
    let found = find(pool, link).await?.filter(|found| !found.key_revoked);
    let Some(link) = found.map(|found| found.link).filter(|link| link.ended_at.is_none()) else { return Ok(None) };
    let rights = rights_of(pool, &link).await?;
    Ok(Some(Session { link, opening, rights }))
}

async fn rights_of(pool: &Pool, link: &Link) -> Result<Option<Rights>, Error> {
    let Some((partner, key)) = link.owner.partner().zip(link.key_id) else { return Ok(None) };
    Ok(partners::find_key(pool, partner, key).await?.map(|key| key.rights))
}

/// Notes that a session was used.
pub async fn touch(pool: &Pool, link: LinkId, ordinal: u16, at: Time) -> Result<(), Error> {
    let touched = sqlx::query!(
        "update link_sessions set last_seen_at = $3 where link_id = $1 and ordinal = $2 and last_seen_at < $3",
        link.0,
        i32::from(ordinal),
        at.utc()
    );
    touched.execute(pool).await?;
    Ok(())
}

/// Ends a session.
pub async fn end(pool: &Pool, hash: SecretHash, at: Time) -> Result<(), Error> {
    let ended = sqlx::query!(
        "update link_sessions set ended_at = greatest($2, created_at) where token_hash = $1 and ended_at is null",
        &hash.0[..],
        at.utc()
    );
    ended.execute(pool).await?;
    Ok(())
}

/// Lists the openings of these links, the first of each first.
pub async fn list(pool: &Pool, links: &[LinkId]) -> Result<HashMap<LinkId, Vec<Opening>>, Error> {
    let links: Vec<Uuid> = links.iter().map(|link| link.0).collect();
    let rows = sqlx::query_as!(
        OpeningRow,
        "select link_id, ordinal, agent, created_at, expires_at, last_seen_at, ended_at
         from link_sessions where link_id = any($1) order by link_id, ordinal",
        &links
    );
    let mut openings: HashMap<LinkId, Vec<Opening>> = HashMap::new();
    for row in rows.fetch_all(pool).await? {
        openings.entry(LinkId(row.link_id)).or_default().push(row.opening()?);
    }
    Ok(openings)
}

struct OpeningRow {
    link_id: Uuid,
    ordinal: i32,
    agent: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

impl OpeningRow {
    fn opening(self) -> Result<Opening, Error> {
        let place = Place { table: "link_sessions", key: self.link_id };
        Ok(Opening {
            ordinal: place.unsigned(self.ordinal)?,
            agent: Agent::stored(&self.agent),
            created_at: self.created_at.into(),
            expires_at: self.expires_at.into(),
            last_seen_at: self.last_seen_at.into(),
            ended_at: self.ended_at.map(Time::from),
        })
    }
}
