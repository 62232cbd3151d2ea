//! Links for people. Their sessions are in `links/sessions.rs`.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::domain::calendar::TimeZone;
use crate::domain::link::{BoundTo, LinkKind, OpenMode, SecretHash};
use crate::domain::values::id::{ActorId, BuyerId, CredentialId, KeyId, LinkId, PartnerId, TaskId};
use crate::domain::values::language::Language;
use crate::domain::values::party::{Actor, Party};
use crate::domain::values::time::Time;

use super::audit::partner_events::{Append, append};
use super::db::row::{Place, to_json};
use super::{Error, Pool};

pub mod sessions;

/// A row of `links`, without the hash.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The id.
    pub id: LinkId,
    /// Whose link it is.
    pub owner: LinkOwner,
    /// The partner's key that made it.
    pub key_id: Option<KeyId>,
    /// Names the credential that made it.
    pub made_by: CredentialId,
    /// From when on that credential is not accepted; `None`: until it is revoked.
    pub vouched_until: Option<Time>,
    /// Where it leads.
    pub kind: LinkKind,
    /// Its task.
    pub task_id: Option<TaskId>,
    /// The decision that it is for.
    pub bound_to: Option<BoundTo>,
    /// The person.
    pub actor: Option<Actor>,
    /// Whether a console may change something.
    pub manage: bool,
    /// How it is opened.
    pub open: OpenMode,
    /// How often it was opened.
    pub openings: u16,
    /// How long each session lasts.
    pub session_for: TimeDelta,
    /// The language of the pages.
    pub language: Option<Language>,
    /// The time zone of the pages.
    pub time_zone: Option<TimeZone>,
    /// When it was made.
    pub created_at: Time,
    /// From when on it does not open.
    pub expires_at: Time,
    /// When it was ended.
    pub ended_at: Option<Time>,
}

/// Whose link it is: the party that the person acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkOwner {
    /// A partner.
    Partner(PartnerId),
    /// A buyer.
    Buyer(BuyerId),
    /// The platform.
    Platform,
}

impl LinkOwner {
    /// The party.
    pub fn party(self) -> Party {
        match self {
            Self::Partner(_) => Party::Partner,
            Self::Buyer(_) => Party::Buyer,
            Self::Platform => Party::Platform,
        }
    }

    /// The partner, if it is one.
    pub fn partner(self) -> Option<PartnerId> {
        match self {
            Self::Partner(id) => Some(id),
            Self::Buyer(_) | Self::Platform => None,
        }
    }

    /// The buyer, if it is one.
    pub fn buyer(self) -> Option<BuyerId> {
        match self {
            Self::Buyer(id) => Some(id),
            Self::Partner(_) | Self::Platform => None,
        }
    }
}

/// Whose links a caller sees. The platform also sees those of buyers, which it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Only this partner's.
    pub partner: Option<PartnerId>,
    /// Only this buyer's.
    pub buyer: Option<BuyerId>,
}

impl Sight {
    /// Whether a link of this owner is among them.
    pub fn includes(self, owner: LinkOwner) -> bool {
        match (self.partner, self.buyer) {
            (Some(partner), _) => owner == LinkOwner::Partner(partner),
            (None, Some(buyer)) => owner == LinkOwner::Buyer(buyer),
            (None, None) => owner.partner().is_none(),
        }
    }
}

/// Selects links.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Those that the caller sees.
    pub sight: Sight,
    /// Those of this person.
    pub actor: Option<&'a ActorId>,
    /// Those about this task.
    pub task_id: Option<TaskId>,
}

/// A link that was looked up by its secret or id.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The link.
    pub link: Link,
    /// Whether the partner's key that made it was revoked.
    pub key_revoked: bool,
}

/// Reads whole links, each with whether its key was revoked.
macro_rules! select {
    ($where:literal $(, $parameter:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select link.id, party, link.partner_id, buyer_id, key_id, link.made_by, vouched_until, kind, task_id,
                   bound::text as bound, actor::text as actor, manage, opens, openings, session_seconds, language, time_zone,
                   link.created_at, link.expires_at, ended_at, key.revoked_at is not null as "key_revoked!"
               from links link left join api_keys key on key.id = link.key_id "# + $where
            $(, $parameter)*
        )
    };
}

/// Adds a link.
pub async fn insert(pool: &Pool, link: &Link, hash: SecretHash) -> Result<(), Error> {
    let row = Columns::of(link);
    let insert = sqlx::query!(
        "insert into links (id, token_hash, party, partner_id, buyer_id, key_id, made_by, vouched_until, kind, task_id, bound, actor,
             actor_key, manage, opens, session_seconds, language, time_zone, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::json, $12::text::json, $13, $14, $15, $16, $17, $18, $19, $20)",
        link.id.0,
        &hash.0[..],
        link.owner.party().as_str(),
        link.owner.partner().map(|id| id.0),
        link.owner.buyer().map(|id| id.0),
        link.key_id.map(|id| id.0),
        link.made_by.as_str(),
        link.vouched_until.map(Time::utc),
        link.kind.as_str(),
        link.task_id.map(|id| id.0),
        row.bound,
        row.actor,
        row.actor_key,
        link.manage,
        link.open.as_str(),
        row.session_seconds,
        link.language.as_ref().map(Language::as_str),
        link.time_zone.map(TimeZone::name),
        link.created_at.utc(),
        link.expires_at.utc(),
    );
    insert.execute(pool).await?;
    Ok(())
}

/// Adds a partner's link and records it; `false` if the partner's trail has moved on.
pub async fn insert_recorded(pool: &Pool, link: &Link, hash: SecretHash, append: &Append) -> Result<bool, Error> {
    let row = Columns::of(link);
    let inserted = append!(
        append,
        ", made as (
             insert into links (id, token_hash, party, partner_id, key_id, made_by, vouched_until, kind, task_id, bound, actor, actor_key,
                 manage, opens, session_seconds, language, time_zone, created_at, expires_at)
             select $13, $14, 'partner', id, $15, $16, $17, $18, $19, $20::text::json, $21::text::json, $22, $23, $24, $25, $26, $27, $28,
                 $29 from partner
         )",
        link.id.0,
        &hash.0[..],
        link.key_id.map(|id| id.0),
        link.made_by.as_str(),
        link.vouched_until.map(Time::utc),
        link.kind.as_str(),
        link.task_id.map(|id| id.0),
        row.bound,
        row.actor,
        row.actor_key,
        link.manage,
        link.open.as_str(),
        row.session_seconds,
        link.language.as_ref().map(Language::as_str),
        link.time_zone.map(TimeZone::name),
        link.created_at.utc(),
        link.expires_at.utc(),
    );
    Ok(inserted.fetch_optional(pool).await?.is_some())
}

/// Finds the link with this secret.
pub async fn find_by_secret(pool: &Pool, hash: SecretHash) -> Result<Option<Found>, Error> {
    let row = select!("where link.token_hash = $1", &hash.0[..]);
    row.fetch_optional(pool).await?.map(Row::found).transpose()
}

/// Finds the link with this id.
pub async fn find(pool: &Pool, id: LinkId) -> Result<Option<Found>, Error> {
    let row = select!("where link.id = $1", id.0);
    row.fetch_optional(pool).await?.map(Row::found).transpose()
}

/// Lists up to `limit` links before `before`, the latest first.
pub async fn list(pool: &Pool, wanted: Wanted<'_>, before: Option<LinkId>, limit: u32) -> Result<Vec<Found>, Error> {
    let rows = select!(
        "where case when $1::uuid is not null then party = 'partner' and link.partner_id = $1
                      when $2::uuid is not null then party = 'buyer' and buyer_id = $2
                      else party <> 'partner' end
               and ($3::text is null or actor_key = $3) and ($4::uuid is null or task_id = $4) and ($5::uuid is null or link.id < $5)
           order by link.id desc limit $6",
        wanted.sight.partner.map(|id| id.0),
        wanted.sight.buyer.map(|id| id.0),
        wanted.actor.map(ActorId::key),
        wanted.task_id.map(|id| id.0),
        before.map(|id| id.0),
        i64::from(limit)
    );
    rows.fetch_all(pool).await?.into_iter().map(Row::found).collect()
}

/// Lists the links that can be opened at `now` or have a session: the ids, each with its person.
/// `party` is that of the person, if one is asked for.
pub async fn list_live(
    pool: &Pool,
    wanted: Wanted<'_>,
    party: Option<Party>,
    now: Time,
) -> Result<Vec<(LinkId, Option<Actor>)>, Error> {
    let rows = sqlx::query!(
        "select id, actor::text as actor from links
         where case when $1::uuid is not null then party = 'partner' and partner_id = $1
                    when $2::uuid is not null then party = 'buyer' and buyer_id = $2
                    else party <> 'partner' end
             and ($3::text is null or actor_key = $3) and ($4::uuid is null or task_id = $4) and ($5::text is null or party = $5)
             and ended_at is null
             and (expires_at > $6 or exists (
                 select from link_sessions session where session.link_id = links.id and session.ended_at is null and session.expires_at > $6))
         order by id",
        wanted.sight.partner.map(|id| id.0),
        wanted.sight.buyer.map(|id| id.0),
        wanted.actor.map(ActorId::key),
        wanted.task_id.map(|id| id.0),
        party.map(Party::as_str),
        now.utc()
    );
    let live = |id: Uuid, actor: Option<String>| {
        let place = Place { table: "links", key: id };
        Ok((LinkId(id), actor.map(|actor| place.json(&actor)).transpose()?))
    };
    rows.fetch_all(pool).await?.into_iter().map(|row| live(row.id, row.actor)).collect()
}

/// Who ends links, and when.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// Names the credential.
    pub by: &'a str,
    /// When.
    pub at: Time,
}

/// Ends links and, with them, their sessions; those that were ended before stay as they are.
pub async fn end(pool: &Pool, links: &[LinkId], end: End<'_>) -> Result<u64, Error> {
    let ended = sqlx::query!(
        "update links set ended_at = greatest($2, created_at), ended_by = $3 where id = any($1) and ended_at is null",
        &ids(links),
        end.at.utc(),
        end.by
    );
    Ok(ended.execute(pool).await?.rows_affected())
}

/// The same with a record in the partner's trail; `false` if that has moved on.
pub async fn end_recorded(pool: &Pool, links: &[LinkId], by: &str, append: &Append) -> Result<bool, Error> {
    let ended = append!(
        append,
        ", ended as (
             update links set ended_at = greatest($4, created_at), ended_by = $14 from partner
             where links.partner_id = partner.id and links.id = any($13::uuid[]) and links.ended_at is null
         )",
        &ids(links),
        by,
    );
    Ok(ended.fetch_optional(pool).await?.is_some())
}

/// Takes a person out of the links that were made by `until`, and ends those.
pub async fn forget_actor(
    pool: &Pool,
    owner: LinkOwner,
    actor: &ActorId,
    until: Time,
    now: Time,
) -> Result<u64, Error> {
    let forgotten = sqlx::query!(
        "update links set actor = null, actor_key = null, ended_by = case when ended_at is null then 'service' else ended_by end,
             ended_at = coalesce(ended_at, greatest($5, created_at))
         where party = $1 and partner_id is not distinct from $2 and actor_key = $3 and created_at <= $4",
        owner.party().as_str(),
        owner.partner().map(|id| id.0),
        actor.key(),
        until.utc(),
        now.utc()
    );
    Ok(forgotten.execute(pool).await?.rows_affected())
}

/// Ends the links that were made for a buyer by `until`.
pub async fn end_of_buyer(pool: &Pool, buyer: BuyerId, until: Time, now: Time) -> Result<u64, Error> {
    let ended = sqlx::query!(
        "update links set ended_at = greatest($3, created_at), ended_by = 'service'
         where party = 'buyer' and buyer_id = $1 and created_at <= $2 and ended_at is null",
        buyer.0,
        until.utc(),
        now.utc()
    );
    Ok(ended.execute(pool).await?.rows_affected())
}

/// Removes up to `limit` links that ended before `before`, with their sessions; returns how many.
pub async fn remove_ended(pool: &Pool, before: Time, limit: u32) -> Result<u64, Error> {
    let removed = sqlx::query!(
        "delete from links where id in (
             select id from links link
             where least(expires_at, ended_at) < $1 and not exists (
                 select from link_sessions session where session.link_id = link.id and least(session.expires_at, session.ended_at) >= $1)
             order by least(expires_at, ended_at) limit $2)",
        before.utc(),
        i64::from(limit)
    );
    Ok(removed.execute(pool).await?.rows_affected())
}

fn ids(links: &[LinkId]) -> Vec<Uuid> {
    links.iter().map(|id| id.0).collect()
}

/// The columns that a link is converted to.
struct Columns {
    bound: Option<String>,
    actor: Option<String>,
    actor_key: Option<String>,
    session_seconds: i32,
}

impl Columns {
    fn of(link: &Link) -> Self {
        Self {
            bound: link.bound_to.as_ref().map(to_json),
            actor: link.actor.as_ref().map(to_json),
            actor_key: link.actor.as_ref().map(|actor| actor.id.key().to_owned()),
            session_seconds: i32::try_from(link.session_for.num_seconds()).unwrap_or(i32::MAX),
        }
    }
}

struct Row {
    id: Uuid,
    party: String,
    partner_id: Option<Uuid>,
    buyer_id: Option<Uuid>,
    key_id: Option<Uuid>,
    made_by: String,
    vouched_until: Option<DateTime<Utc>>,
    kind: String,
    task_id: Option<Uuid>,
    bound: Option<String>,
    actor: Option<String>,
    manage: bool,
    opens: String,
    openings: i32,
    session_seconds: i32,
    language: Option<String>,
    time_zone: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    key_revoked: bool,
}

impl Row {
    fn found(self) -> Result<Found, Error> {
        let key_revoked = self.key_revoked;
        Ok(Found { link: self.link()?, key_revoked })
    }

    fn link(self) -> Result<Link, Error> {
        let place = Place { table: "links", key: self.id };
        let owner = match (self.partner_id, self.buyer_id) {
            (Some(partner), _) => LinkOwner::Partner(PartnerId(partner)),
            (None, Some(buyer)) => LinkOwner::Buyer(BuyerId(buyer)),
            (None, None) => LinkOwner::Platform,
        };
        if owner.party().as_str() != self.party {
            return Err(place.impossible("a link of two parties"));
        }
        Ok(Link {
            id: LinkId(self.id),
            owner,
            key_id: self.key_id.map(KeyId),
            made_by: place.checked(self.made_by)?,
            vouched_until: self.vouched_until.map(Time::from),
            kind: LinkKind::parse(&self.kind).ok_or_else(|| place.impossible("an unknown kind"))?,
            task_id: self.task_id.map(TaskId),
            bound_to: self.bound.map(|bound| place.json(&bound)).transpose()?,
            actor: self.actor.map(|actor| place.json(&actor)).transpose()?,
            manage: self.manage,
            open: OpenMode::parse(&self.opens).ok_or_else(|| place.impossible("an unknown way to open"))?,
            openings: place.unsigned(self.openings)?,
            session_for: TimeDelta::seconds(self.session_seconds.into()),
            language: self.language.map(|tag| place.checked(tag)).transpose()?,
            time_zone: self.time_zone.map(|name| place.checked(name)).transpose()?,
            created_at: self.created_at.into(),
            expires_at: self.expires_at.into(),
            ended_at: self.ended_at.map(Time::from),
        })
    }
}
