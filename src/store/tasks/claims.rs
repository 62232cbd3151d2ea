//! Who has taken a task to decide on. Rows that no longer count stay until the next claim.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::values::id::{ActorId, PartnerId, StageKey, TaskId};
use crate::domain::values::party::{Actor, Party};
use crate::domain::values::time::Time;
use crate::store::db::row::{Place, bigint, int, to_json};
use crate::store::{Error, Pool};

/// What a claim is for: one decision about one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The stage.
    pub stage: StageKey,
    /// Its round.
    pub round: u32,
    /// The escalation, by the `seq` of its event; none for a review.
    pub escalation: Option<u64>,
}

/// A row of `claims`.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What it is for.
    pub target: Target,
    /// Who has the task.
    pub actor: Actor,
    /// Since when.
    pub claimed_at: Time,
    /// Until when.
    pub until: Time,
}

/// A claim to store.
#[derive(Clone, Copy, Debug)]
pub struct Take<'a> {
    /// The task.
    pub task_id: TaskId,
    /// The party of the actor.
    pub party: Party,
    /// What it is for.
    pub target: &'a Target,
    /// Who takes it.
    pub actor: &'a Actor,
    /// When.
    pub at: Time,
    /// Until when.
    pub until: Time,
}

/// Removes what no longer counts: claims of this task that are over or for another decision.
pub async fn remove_void(pool: &Pool, task: TaskId, target: &Target, now: Time) -> Result<(), Error> {
    let removed = sqlx::query!(
        "delete from claims where task_id = $1
             and (lease_until <= $5 or stage <> $2 or round <> $3 or escalation is distinct from $4)",
        task.0,
        target.stage.as_str(),
        int(target.round),
        target.escalation.map(bigint),
        now.utc()
    );
    removed.execute(pool).await?;
    Ok(())
}

/// Extends or shortens the claim that the actor has; `false` if there is none.
pub async fn renew(pool: &Pool, take: &Take<'_>) -> Result<bool, Error> {
    let renewed = sqlx::query!(
        "update claims set actor = $3::text::json, lease_until = $4 where task_id = $1 and actor_key = $2",
        take.task_id.0,
        take.actor.id.key(),
        to_json(take.actor),
        take.until.utc()
    );
    Ok(renewed.execute(pool).await?.rows_affected() > 0)
}

/// Takes a free one of `seats`; `false` if there is none, or another claim came first.
pub async fn take(pool: &Pool, take: &Take<'_>, seats: &RangeInclusive<u32>) -> Result<bool, Error> {
    let Take { task_id, party, target, actor, at, until } = take;
    let taken = sqlx::query!(
        "insert into claims (task_id, seat, party, stage, round, escalation, actor, actor_key, claimed_at, lease_until)
         select $1, free.seat, $3, $4, $5, $6, $7::text::json, $8, $9, $10 from generate_series($2::integer, $11::integer) as free (seat)
         where not exists (select from claims where claims.task_id = $1 and claims.seat = free.seat)
         order by free.seat limit 1
         on conflict do nothing",
        task_id.0,
        int(*seats.start()),
        party.as_str(),
        target.stage.as_str(),
        int(target.round),
        target.escalation.map(bigint),
        to_json(actor),
        actor.id.key(),
        at.utc(),
        until.utc(),
        int(*seats.end())
    );
    Ok(taken.execute(pool).await?.rows_affected() > 0)
}

/// Frees that of `seats` whose claim ends first.
pub async fn remove_first_to_end(pool: &Pool, task: TaskId, seats: &RangeInclusive<u32>) -> Result<(), Error> {
    let removed = sqlx::query!(
        "delete from claims where task_id = $1
             and seat = (select seat from claims where task_id = $1 and seat between $2 and $3 order by lease_until, seat limit 1)",
        task.0,
        int(*seats.start()),
        int(*seats.end())
    );
    removed.execute(pool).await?;
    Ok(())
}

/// Removes an actor's claim of a task, if there is one.
pub async fn remove(pool: &Pool, task: TaskId, party: Party, actor: &ActorId) -> Result<(), Error> {
    let removed = sqlx::query!(
        "delete from claims where task_id = $1 and party = $2 and actor_key = $3",
        task.0,
        party.as_str(),
        actor.key()
    );
    removed.execute(pool).await?;
    Ok(())
}

/// Lists the claims of these tasks that are not over, the first to end first, each with its seat.
pub async fn list(pool: &Pool, tasks: &[TaskId], now: Time) -> Result<HashMap<TaskId, Vec<(u32, Claim)>>, Error> {
    let ids: Vec<Uuid> = tasks.iter().map(|task| task.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"select task_id, seat, stage, round, escalation, actor::text as "actor!", claimed_at, lease_until from claims
           where task_id = any($1) and lease_until > $2 order by task_id, lease_until, seat"#,
        &ids,
        now.utc()
    );
    let mut claims: HashMap<TaskId, Vec<(u32, Claim)>> = HashMap::new();
    for row in rows.fetch_all(pool).await? {
        claims.entry(TaskId(row.task_id)).or_default().push(row.claim()?);
    }
    Ok(claims)
}

/// Removes all claims of a person that were made by `until`.
pub async fn forget_actor(
    pool: &Pool,
    (party, partner): (Party, Option<PartnerId>),
    actor: &ActorId,
    until: Time,
) -> Result<(), Error> {
    let forgotten = sqlx::query!(
        "delete from claims using tasks
         where tasks.task_id = claims.task_id and claims.party = $1 and claims.actor_key = $3 and claims.claimed_at <= $4
             and ($2::uuid is null or tasks.partner_id = $2)",
        party.as_str(),
        partner.map(|id| id.0),
        actor.key(),
        until.utc()
    );
    forgotten.execute(pool).await?;
    Ok(())
}

struct Row {
    task_id: Uuid,
    seat: i32,
    stage: String,
    round: i32,
    escalation: Option<i64>,
    actor: String,
    claimed_at: DateTime<Utc>,
    lease_until: DateTime<Utc>,
}

impl Row {
    fn claim(self) -> Result<(u32, Claim), Error> {
        let place = Place { table: "claims", key: self.task_id };
        let target = Target {
            stage: place.checked(self.stage)?,
            round: place.unsigned(self.round)?,
            escalation: self.escalation.map(|seq| place.unsigned(seq)).transpose()?,
        };
        let (claimed_at, until) = (self.claimed_at.into(), self.lease_until.into());
        Ok((place.unsigned(self.seat)?, Claim { target, actor: place.json(&self.actor)?, claimed_at, until }))
    }
}
