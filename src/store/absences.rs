//! Absences of partners' people, and the version of each partner's absences.
//!
//! Every change raises that version in the row of `partners`, in the statement that makes it. What was
//! decided on an earlier version is not written: see `tasks/transitions.rs`.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::domain::absence::{Absence, Absences};
use crate::domain::values::id::{ActorId, PartnerId};
use crate::domain::values::time::Time;

use super::audit::partner_events::{Append, End, append, end};
use super::db::row::Place;
use super::{Error, Pool};

/// How long a row stays after the end of its absence: much longer than the clocks of two replicas may
/// differ, so that no replica misses an absence that is still valid by its own clock.
const KEPT: TimeDelta = TimeDelta::days(1);

/// The absences of a partner, and their version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versioned {
    /// The version.
    pub version: u64,
    /// The absences, including some that have ended.
    pub absences: Absences,
}

/// Reads a partner's absences with their version, as of one moment.
pub async fn load(pool: &Pool, partner: PartnerId) -> Result<Versioned, Error> {
    let rows = sqlx::query!(
        r#"select absences_version, absence.actor as "actor?", absence.begins_at as "begins_at?", absence.ends_at as "ends_at?",
               absence.substitute
           from partners partner left join absences absence on absence.partner_id = partner.id
           where partner.id = $1"#,
        partner.0
    );
    let place = Place { table: "partners", key: partner };
    let (mut version, mut found) = (0, Vec::new());
    for row in rows.fetch_all(pool).await? {
        version = place.unsigned(row.absences_version)?;
        if let (Some(actor), Some(begins_at), Some(ends_at)) = (row.actor, row.begins_at, row.ends_at) {
            let row = Row { partner_id: partner.0, actor, begins_at, ends_at, substitute: row.substitute };
            found.push(row.absence()?);
        }
    }
    Ok(Versioned { version, absences: Absences::new(found) })
}

/// Lists up to `limit` absences that have not ended at `now`, after the person `after`, in the order of
/// the persons' ids.
pub async fn list(
    pool: &Pool,
    partner: PartnerId,
    (after, limit): (Option<&ActorId>, u32),
    now: Time,
) -> Result<Vec<Absence>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "select partner_id, actor, begins_at, ends_at, substitute from absences
         where partner_id = $1 and ends_at > $2 and ($3::text is null or actor_key > $3)
         order by actor_key limit $4",
        partner.0,
        now.utc(),
        after.map(ActorId::key),
        i64::from(limit)
    );
    rows.fetch_all(pool).await?.into_iter().map(Row::absence).collect()
}

/// Finds the absence of a person that has not ended at `now`.
pub async fn find(pool: &Pool, partner: PartnerId, actor: &ActorId, now: Time) -> Result<Option<Absence>, Error> {
    let row = sqlx::query_as!(
        Row,
        "select partner_id, actor, begins_at, ends_at, substitute from absences
         where partner_id = $1 and actor_key = $2 and ends_at > $3",
        partner.0,
        actor.key(),
        now.utc()
    );
    row.fetch_optional(pool).await?.map(Row::absence).transpose()
}

/// What a change of a person's absence depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The person's absence, if one has not ended.
    pub absence: Option<Absence>,
    /// The number of absences of other people that have not ended.
    pub others: u32,
    /// The end of the partner's trail. Every change moves it on.
    pub end: End,
}

/// Reads what a change depends on, as of one moment; `None` if there is no such partner.
pub async fn find_to_change(
    pool: &Pool,
    partner: PartnerId,
    actor: &ActorId,
    now: Time,
) -> Result<Option<Known>, Error> {
    let row = sqlx::query!(
        r#"select version, head_hash, updated_at,
               (select count(*) from absences other
                where other.partner_id = partner.id and other.actor_key <> $2 and other.ends_at > $3) as "others!",
               own.actor as "actor?", own.begins_at as "begins_at?", own.ends_at as "ends_at?", own.substitute
           from partners partner left join absences own
               on own.partner_id = partner.id and own.actor_key = $2 and own.ends_at > $3
           where partner.id = $1"#,
        partner.0,
        actor.key(),
        now.utc()
    );
    let Some(row) = row.fetch_optional(pool).await? else { return Ok(None) };
    let own = match (row.actor, row.begins_at, row.ends_at) {
        (Some(actor), Some(begins_at), Some(ends_at)) => {
            Some(Row { partner_id: partner.0, actor, begins_at, ends_at, substitute: row.substitute })
        }
        (_, _, _) => None,
    };
    let others = Place { table: "partners", key: partner }.unsigned(row.others)?;
    let end = end(partner, row.version, &row.head_hash, row.updated_at)?;
    Ok(Some(Known { absence: own.map(Row::absence).transpose()?, others, end }))
}

/// Sets a person's absence in place of an earlier one and records it; `false` if the partner's trail has
/// moved on. Removes absences of the partner that ended long ago.
pub async fn save(pool: &Pool, absence: &Absence, now: Time, append: &Append) -> Result<bool, Error> {
    let saved = append!(
        append,
        "update partners set version = $2, head_hash = $3, updated_at = $4, absences_version = absences_version + 1
         where id = $1 and version = $12",
        ", gone as (
             delete from absences using partner
             where absences.partner_id = partner.id and absences.ends_at <= $13 and absences.actor_key <> $14
         ), saved as (
             insert into absences (partner_id, actor_key, actor, begins_at, ends_at, substitute, substitute_key, set_at)
             select id, $14, $15, $16, $17, $18, $19, $4 from partner
             on conflict (partner_id, actor_key) do update set
                 actor = excluded.actor, begins_at = excluded.begins_at, ends_at = excluded.ends_at,
                 substitute = excluded.substitute, substitute_key = excluded.substitute_key, set_at = excluded.set_at
         )",
        append.expected,
        (now - KEPT).utc(),
        absence.actor.key(),
        absence.actor.as_str(),
        absence.from.utc(),
        absence.until.utc(),
        absence.substitute.as_ref().map(ActorId::as_str),
        absence.substitute.as_ref().map(ActorId::key),
    );
    Ok(saved.fetch_optional(pool).await?.is_some())
}

/// Removes a person's absence and records it; `false` if the partner's trail has moved on.
pub async fn remove(pool: &Pool, actor: &ActorId, append: &Append) -> Result<bool, Error> {
    let removed = append!(
        append,
        "update partners set version = $2, head_hash = $3, updated_at = $4, absences_version = absences_version + 1
         where id = $1 and version = $12",
        ", gone as (
             delete from absences using partner where absences.partner_id = partner.id and absences.actor_key = $13
         )",
        append.expected,
        actor.key(),
    );
    Ok(removed.fetch_optional(pool).await?.is_some())
}

/// Removes up to `limit` absences that ended long ago; returns how many. They counted for nothing, so
/// no version changes.
pub async fn remove_ended(pool: &Pool, now: Time, limit: u32) -> Result<u64, Error> {
    let removed = sqlx::query!(
        "delete from absences where (partner_id, actor_key) in (
             select partner_id, actor_key from absences where ends_at <= $1 order by ends_at limit $2)",
        (now - KEPT).utc(),
        i64::from(limit)
    );
    Ok(removed.execute(pool).await?.rows_affected())
}

/// Takes a person out of the absences that a partner set by `until`: the person's own absence goes, and
/// nobody stands in where the person did.
pub async fn forget_actor(pool: &Pool, partner: PartnerId, actor: &ActorId, until: Time) -> Result<(), Error> {
    let forgotten = sqlx::query!(
        "with gone as (
             delete from absences where partner_id = $1 and actor_key = $2 and set_at <= $3 returning 1
         ), without as (
             update absences set substitute = null, substitute_key = null
             where partner_id = $1 and actor_key <> $2 and substitute_key = $2 and set_at <= $3 returning 1
         )
         update partners set absences_version = absences_version + 1
         where id = $1 and (select count(*) from gone) + (select count(*) from without) > 0",
        partner.0,
        actor.key(),
        until.utc()
    );
    forgotten.execute(pool).await?;
    Ok(())
}

struct Row {
    partner_id: Uuid,
    actor: String,
    begins_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    substitute: Option<String>,
}

impl Row {
    fn absence(self) -> Result<Absence, Error> {
        let place = Place { table: "absences", key: self.partner_id };
        Ok(Absence {
            actor: place.checked(self.actor)?,
            from: self.begins_at.into(),
            until: self.ends_at.into(),
            substitute: self.substitute.map(|id| place.checked(id)).transpose()?,
        })
    }
}
