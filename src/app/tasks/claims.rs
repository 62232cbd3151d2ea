//! Claims: people of one party tell each other who decides a task. A claim blocks no vote, has no
//! event and no version. It is for one decision, and void once the task has moved on.

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::access::Caller;
use crate::app::base::Base;
use crate::app::conflict::ConflictContext;
use crate::app::contention::MAX_ATTEMPTS;
use crate::app::error::{Error, NothingToDecide};
use crate::clock::Clock;
use crate::domain::link::BoundTo;
use crate::domain::task::command::CommandType;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::seats::Places;
use crate::domain::task::why::Asker;
use crate::domain::values::id::{ActorId, PartnerId, TaskId};
use crate::domain::values::party::{Actor, Party, Sender};
use crate::domain::values::time::{Span, Time};
use crate::store::Pool;
use crate::store::tasks::claims::{self, Take, Target};

use super::load::{Loaded, Loader};
use super::pending;

pub use crate::store::tasks::claims::Claim;

/// The claims of several tasks, each with its place.
pub(super) type Found = HashMap<TaskId, Vec<(u32, Claim)>>;

/// A request to claim a task.
#[derive(Clone, Debug)]
pub struct Claiming {
    /// Who claims it; none: the person that the key is bound to.
    pub actor: Option<Actor>,
    /// For how long.
    pub lease: Span,
    /// Whether to take the place of the claim that ends first if there is no free one.
    pub take_over: bool,
}

/// The claims of a task as a person sees them who may decide it.
#[derive(Clone, Debug, Default)]
pub struct DeskClaims {
    /// Those for the decision that the task waits for, the first to end first.
    pub standing: Vec<Claim>,
    /// Whether there is no room for another of the person's group.
    pub is_full: bool,
    /// Whether the person could claim it.
    pub may_claim: bool,
}

/// The claims.
#[derive(Debug)]
pub struct Claims {
    pool: Pool,
    clock: Clock,
    loader: Arc<Loader>,
    dual_control: bool,
}

impl Claims {
    pub(super) fn new(base: &Base, loader: Arc<Loader>) -> Self {
        Self { pool: base.pool.clone(), clock: base.clock.clone(), loader, dual_control: base.dual_control }
    }

    /// Claims a task for an actor of the caller's party, or renews the actor's claim. There can be as
    /// many claims as votes are needed to approve the stage, in each of its panels, and one for an
    /// escalation.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Rejected`] for an actor that is missing or that the key is not
    /// bound to; [`Error::NothingToDecide`] if the task waits for no decision of the actor;
    /// [`Error::Claimed`] if others have claimed it.
    pub async fn claim(&self, caller: &Caller, id: TaskId, request: Claiming) -> Result<Claim, Error> {
        let task = self.loader.find_visible(caller, id).await?;
        let actor = request.actor.or_else(|| caller.only_actor().map(Actor::from));
        let actor = actor.ok_or_else(|| Error::Rejected(Refusal::required("/actor")))?;
        let (sender, now) = (caller.sender(Some(actor.clone())), self.clock.now());
        if !sender.admitted {
            return Err(Error::Rejected(Refusal::KeyActor));
        }
        let asker = Asker { sender: &sender, dual_control: self.dual_control };
        let (party, decision) = (caller.party(), pending::decision(&task, caller.party(), asker, now)?);
        check_link(caller, &task, &decision)?;
        let target = target(decision);
        let until = now + request.lease.delta();
        let take = Take { task_id: id, party, target: &target, actor: &actor, at: now, until };
        self.take(&task, &take, request.take_over).await?;
        Ok(Claim { target: target.clone(), actor, claimed_at: now, until })
    }

    async fn take(&self, task: &Loaded, take: &Take<'_>, take_over: bool) -> Result<(), Error> {
        let places = Places::of(&task.workflow, &task.snapshot().task, task.moment(take.at));
        let own = places.iter().find(|group| group.admits(&take.actor.id)).ok_or_else(Error::contended)?;
        for _ in 0..MAX_ATTEMPTS {
            claims::remove_void(&self.pool, take.task_id, take.target, take.at).await?;
            self.remove_of_others(&places, take).await?;
            if claims::renew(&self.pool, take).await? || claims::take(&self.pool, take, &own.numbers).await? {
                return Ok(());
            }
            let mut standing = self.list_seats(take).await?;
            standing.retain(|(seat, claim)| own.holds(*seat, &claim.actor.id));
            let standing: Vec<Claim> = standing.into_iter().map(|(_, claim)| claim).collect();
            let is_own = |claim: &Claim| claim.actor.id.key() == take.actor.id.key();
            if standing.len() < own.count() || standing.iter().any(is_own) {
                // Another request came first: somebody's claim, the end of one, or the actor's own.
                continue;
            }
            if let Some(first) = standing.into_iter().next().filter(|_| !take_over) {
                let context = ConflictContext::new(&task.workflow, task.snapshot(), take.party);
                return Err(Error::Claimed(Box::new(first), Box::new(context)));
            }
            claims::remove_first_to_end(&self.pool, take.task_id, &own.numbers).await?;
        }
        Err(Error::contended())
    }

    async fn list_seats(&self, take: &Take<'_>) -> Result<Vec<(u32, Claim)>, Error> {
        let found = claims::list(&self.pool, &[take.task_id], take.at).await?.remove(&take.task_id);
        Ok(found.unwrap_or_default())
    }

    /// Removes the claims of people who do not belong to the group any more whose place they have.
    async fn remove_of_others(&self, places: &[Places<'_>], take: &Take<'_>) -> Result<(), Error> {
        for (seat, claim) in self.list_seats(take).await? {
            if !places.iter().any(|group| group.holds(seat, &claim.actor.id)) {
                claims::remove(&self.pool, take.task_id, take.party, &claim.actor.id).await?;
            }
        }
        Ok(())
    }

    /// The claims of a task that count now, the first to end first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn list(&self, caller: &Caller, id: TaskId) -> Result<Vec<Claim>, Error> {
        let task = self.loader.find_visible(caller, id).await?;
        self.find_standing(&task, self.clock.now()).await
    }

    async fn find_standing(&self, task: &Loaded, now: Time) -> Result<Vec<Claim>, Error> {
        let id = task.snapshot().task.id();
        let mut found = claims::list(&self.pool, &[id], now).await?;
        Ok(standing(task, found.remove(&id), now))
    }

    /// The claims of a task as a person of the caller's party sees them. A buyer is one person and has
    /// none.
    pub(super) async fn of_desk(&self, caller: &Caller, task: &Loaded, sender: &Sender) -> Result<DeskClaims, Error> {
        if caller.party() == Party::Buyer {
            return Ok(DeskClaims::default());
        }
        let now = self.clock.now();
        let asker = Asker { sender, dual_control: self.dual_control };
        let decision = pending::decision(task, caller.party(), asker, now);
        let may_claim = decision.is_ok_and(|decision| check_link(caller, task, &decision).is_ok());
        let standing = self.find_standing(task, now).await?;
        let places = Places::of(&task.workflow, &task.snapshot().task, task.moment(now));
        let own = sender.actor.as_ref().and_then(|actor| places.iter().find(|group| group.admits(&actor.id)));
        let is_full =
            own.is_some_and(|own| standing.iter().filter(|claim| own.admits(&claim.actor.id)).count() >= own.count());
        Ok(DeskClaims { standing, is_full, may_claim })
    }

    /// Gives up an actor's claim, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Rejected`] for an actor that the key is not bound to.
    pub async fn release(&self, caller: &Caller, id: TaskId, actor: &ActorId) -> Result<(), Error> {
        self.loader.find_visible(caller, id).await?;
        if !caller.admits(actor) {
            return Err(Error::Rejected(Refusal::KeyActor));
        }
        Ok(claims::remove(&self.pool, id, caller.party(), actor).await?)
    }

    /// Removes the claims that a person made by `until`.
    pub(in crate::app) async fn forget_actor(
        &self,
        whose: (Party, Option<PartnerId>),
        actor: &ActorId,
        until: Time,
    ) -> Result<(), Error> {
        Ok(claims::forget_actor(&self.pool, whose, actor, until).await?)
    }

    /// The claims of these tasks that are not over, whether they still fit their task or not.
    pub(super) async fn find_all(&self, tasks: &[TaskId], now: Time) -> Result<Found, Error> {
        Ok(claims::list(&self.pool, tasks, now).await?)
    }
}

/// Refuses a claim on a decision that the caller's link is not for.
fn check_link(caller: &Caller, task: &Loaded, decision: &BoundTo) -> Result<(), Error> {
    let Some(through) = caller.through() else { return Ok(()) };
    let is_escalated = decision.escalation.is_some();
    let kind = if is_escalated { CommandType::EscalationResolved } else { CommandType::StageApproved };
    caller.check_type(kind).map_err(Error::Rejected)?;
    if through.reach.bound_to.as_ref().is_some_and(|bound| bound != decision) {
        let context = ConflictContext::new(&task.workflow, task.snapshot(), caller.party());
        return Err(Error::NothingToDecide(NothingToDecide::NotWaiting, Box::new(context)));
    }
    Ok(())
}

fn target(bound: BoundTo) -> Target {
    Target { stage: bound.stage, round: bound.round, escalation: bound.escalation }
}

/// Those of a task's claims that are for the decision that it waits for, by people who can still make it.
pub(super) fn standing(task: &Loaded, found: Option<Vec<(u32, Claim)>>, now: Time) -> Vec<Claim> {
    let (workflow, moment, task) = (&task.workflow, task.moment(now), &task.snapshot().task);
    let Some(target) = BoundTo::of(workflow, task).map(target) else { return Vec::new() };
    let places = Places::of(workflow, task, moment);
    let stands = |(seat, claim): &(u32, Claim)| {
        claim.target == target && places.iter().any(|group| group.holds(*seat, &claim.actor.id))
    };
    found.unwrap_or_default().into_iter().filter(stands).map(|(_, claim)| claim).collect()
}

/// Whether as many people have claimed the task as can decide it together: in every panel that is
/// still asked, or in that of `actor`.
pub(super) fn is_taken(task: &Loaded, standing: &[Claim], actor: Option<&ActorId>, now: Time) -> bool {
    let groups = Places::of(&task.workflow, &task.snapshot().task, task.moment(now));
    let asked = groups.iter().filter(|group| group.is_open && actor.is_none_or(|actor| group.admits(actor)));
    let taken =
        |group: &Places<'_>| standing.iter().filter(|claim| group.admits(&claim.actor.id)).count() >= group.count();
    asked.map(taken).reduce(|all, taken| all && taken).unwrap_or(false)
}
