//! Ending links: one, those of a person, those about a task, and those that an erasure concerns.

use chrono::TimeDelta;

use crate::app::access::Caller;
use crate::app::error::Error;
use crate::domain::link::LinkKind;
use crate::domain::partner::event::PartnerFact;
use crate::domain::values::id::{ActorId, BuyerId, LinkId, PartnerId, TaskId};
use crate::domain::values::party::{Actor, Party};
use crate::domain::values::time::Time;
use crate::store;
use crate::store::links::{End, Link, LinkOwner, Wanted};

use super::{Links, check_actor, is_recorded, sight};

/// How long rows are kept after the end of a link and of its sessions.
const KEPT: TimeDelta = TimeDelta::days(90);

/// Whose links are revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// Those of a person of the caller's party.
    Actor(ActorId),
    /// Those about a task.
    Task(TaskId),
}

impl Links {
    /// Ends a link and its sessions. Ending it again changes nothing.
    pub async fn end(&self, caller: &Caller, id: LinkId) -> Result<(), Error> {
        let found = self.find(caller, id).await?;
        check_end(caller, found.link.actor.as_ref().map(|actor| &actor.id))?;
        if found.link.ended_at.is_some() {
            return Ok(());
        }
        self.end_link(caller, &found.link).await
    }

    /// Ends a link; a partner's trail records the end of those that it records the making of.
    pub(super) async fn end_link(&self, caller: &Caller, link: &Link) -> Result<(), Error> {
        let by = caller.credential_id();
        match link.owner.partner().filter(|_| is_recorded(link.kind)) {
            None => {
                let end = End { by: by.as_str(), at: self.clock.now() };
                store::links::end(&self.pool, &[link.id], end).await?;
            }
            Some(partner) => {
                let journal = &self.partners.journal;
                let attempt = || async {
                    let end =
                        store::audit::partner_events::find_end(&self.pool, partner).await?.ok_or(Error::NotFound)?;
                    let found = store::links::find(&self.pool, link.id).await?;
                    if found.is_none_or(|found| found.link.ended_at.is_some()) {
                        return Ok(Some(()));
                    }
                    let fact = PartnerFact::LinkEnded { link_id: link.id };
                    let append = journal.append(&caller.author(), (partner, Some(&end)), vec![fact]);
                    let ended = store::links::end_recorded(&self.pool, &[link.id], by.as_str(), &append).await?;
                    Ok(ended.then_some(()))
                };
                journal.retry_on_conflict(partner, attempt).await?;
            }
        }
        self.sessions.end_link(link.id).await;
        tracing::info!(link = %link.id, by = %by, "link ended");
        Ok(())
    }

    /// Ends every open link and session of a person or about a task; returns how many links.
    pub async fn revoke(&self, caller: &Caller, whose: Revoke) -> Result<u64, Error> {
        if let Revoke::Actor(actor) = &whose {
            check_end(caller, Some(actor))?;
        }
        if let Revoke::Task(task) = &whose {
            self.loader.find_visible(caller, *task).await?;
        }
        let ended = match caller.partner_id() {
            None => {
                let live = self.live(caller, &whose).await?;
                let by = caller.credential_id();
                store::links::end(&self.pool, &live, End { by: by.as_str(), at: self.clock.now() }).await?;
                live
            }
            Some(partner) => self.revoke_recorded(caller, partner, &whose).await?,
        };
        for link in &ended {
            self.sessions.end_link(*link).await;
        }
        tracing::info!(links = ended.len(), by = %caller.credential_id(), "links revoked");
        Ok(ended.len() as u64)
    }

    async fn revoke_recorded(&self, caller: &Caller, partner: PartnerId, whose: &Revoke) -> Result<Vec<LinkId>, Error> {
        let (by, journal) = (caller.credential_id(), &self.partners.journal);
        let attempt = || async {
            let end = store::audit::partner_events::find_end(&self.pool, partner).await?.ok_or(Error::NotFound)?;
            let live = self.live(caller, whose).await?;
            if live.is_empty() {
                return Ok(Some(live));
            }
            let (actor, task_id) = match whose {
                Revoke::Actor(actor) => (Some(actor.clone()), None),
                Revoke::Task(task) => (None, Some(*task)),
            };
            let fact = PartnerFact::LinksRevoked { actor, task_id, links: live.len() as u64 };
            let append = journal.append(&caller.author(), (partner, Some(&end)), vec![fact]);
            Ok(store::links::end_recorded(&self.pool, &live, by.as_str(), &append).await?.then_some(live))
        };
        journal.retry_on_conflict(partner, attempt).await
    }

    /// The links to revoke: those that still open or have a session, and that the key may end.
    async fn live(&self, caller: &Caller, whose: &Revoke) -> Result<Vec<LinkId>, Error> {
        let sight = sight(caller);
        let (wanted, party) = match whose {
            Revoke::Actor(actor) => (Wanted { sight, actor: Some(actor), task_id: None }, Some(caller.party())),
            Revoke::Task(task) => (Wanted { sight, actor: None, task_id: Some(*task) }, None),
        };
        let live = store::links::list_live(&self.pool, wanted, party, self.clock.now()).await?;
        let may_end = |actor: &Option<Actor>| check_end(caller, actor.as_ref().map(|actor| &actor.id)).is_ok();
        Ok(live.into_iter().filter(|(_, actor)| may_end(actor)).map(|(id, _)| id).collect())
    }

    /// Takes a person out of the links that were made by `until`, and ends those with their
    /// sessions.
    pub(in crate::app) async fn forget_actor(
        &self,
        (party, partner): (Party, Option<PartnerId>),
        actor: &ActorId,
        until: Time,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        match (party, partner) {
            (Party::Buyer, _) => {
                let Some(buyer) = actor.uuid() else { return Ok(()) };
                store::links::end_of_buyer(&self.pool, BuyerId(buyer), until, now).await?;
            }
            (Party::Partner, Some(partner)) => {
                store::links::forget_actor(&self.pool, LinkOwner::Partner(partner), actor, until, now).await?;
            }
            (Party::Partner, None) => {}
            (Party::Platform, _) => {
                store::links::forget_actor(&self.pool, LinkOwner::Platform, actor, until, now).await?;
            }
        }
        self.sessions.forget_all();
        Ok(())
    }

    /// Removes up to `limit` links that ended 90 days ago; returns how many.
    pub async fn remove_old(&self, limit: u32) -> Result<u64, Error> {
        Ok(store::links::remove_ended(&self.pool, self.clock.now() - KEPT, limit).await?)
    }
}

/// Refuses to end the links of people that the caller may not name. A console that may change things
/// is for the links of everybody of its party.
fn check_end(caller: &Caller, actor: Option<&ActorId>) -> Result<(), Error> {
    let is_console =
        caller.through().is_some_and(|through| through.reach.kind == LinkKind::Console && through.reach.manage);
    if is_console { Ok(()) } else { check_actor(caller, actor) }
}
