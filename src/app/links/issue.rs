//! Making links: what the caller may ask for, and what the trail records.

use chrono::TimeDelta;

use crate::app::access::Caller;
use crate::app::error::Error;
use crate::app::tasks::load::Loaded;
use crate::app::tasks::pending;
use crate::domain::link::{BoundTo, LinkKind, LinkState, NewLink, Terms, Voucher, scopes_to_make};
use crate::domain::partner::event::PartnerFact;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::why::Asker;
use crate::domain::values::credential;
use crate::domain::values::id::{CredentialId, LinkId};
use crate::domain::values::party::{Actor, Party};
use crate::ids;
use crate::store;
use crate::store::links::{Link, LinkOwner};

use super::{LinkView, Links, check_actor, is_recorded, visits};

impl Links {
    /// Makes a link. The voucher for its address is in this answer only.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] for a field, or for a key that may not make the link;
    /// [`Error::NotFound`] for a task that the caller may not see; [`Error::NothingToDecide`];
    /// [`Error::TooManyRequests`] beyond 300 a minute.
    pub async fn issue(&self, caller: &Caller, new: NewLink) -> Result<(LinkView, Voucher), Error> {
        let made_by = CredentialId::stored(credential::vouching(&caller.credential_id()))
            .map_err(|_| Error::impossible("a credential without a name"))?;
        self.limits.made.check(&made_by).map_err(Error::TooManyRequests)?;
        let terms = new.check(caller.party()).map_err(Error::Rejected)?;
        check_key(caller, &new)?;
        let task = match new.task_id {
            Some(id) => Some(self.loader.find_visible(caller, id).await?),
            None => None,
        };
        let owner = owner(caller, terms.party, task.as_ref())?;
        let bound_to = match &task {
            Some(task) if new.kind == LinkKind::Decide => Some(self.bind(caller, owner, task, new.actor.clone())?),
            Some(_) | None => None,
        };
        let link = self.made(caller, (new, made_by), (terms, owner), bound_to);
        if link.expires_at <= link.created_at {
            return Err(Error::Expired);
        }
        let voucher = Voucher::from_random(self.cell.name(), &ids::random());
        let link = self.insert(caller, link, &voucher).await?;
        tracing::info!(link = %link.id, kind = link.kind.as_str(), by = %caller.credential_id(), "link made");
        let party = link.owner.party();
        Ok((LinkView { link, party, state: LinkState::Open, openings: Vec::new() }, voucher))
    }

    /// The link that a request asks for, from now on.
    fn made(
        &self,
        caller: &Caller,
        (new, made_by): (NewLink, CredentialId),
        (terms, owner): (Terms, LinkOwner),
        bound_to: Option<BoundTo>,
    ) -> Link {
        let now = self.clock.now();
        let left = caller.time_left(now).and_then(|left| TimeDelta::from_std(left).ok());
        let vouched_until = left.map(|left| now + left);
        let wanted = now + terms.lives;
        Link {
            id: LinkId(ids::new()),
            owner,
            key_id: caller.key_id(),
            made_by,
            vouched_until,
            kind: new.kind,
            task_id: new.task_id,
            bound_to,
            actor: new.actor,
            manage: new.manage,
            open: new.open,
            openings: 0,
            session_for: terms.session_for,
            language: new.language,
            time_zone: new.time_zone,
            created_at: now,
            expires_at: vouched_until.map_or(wanted, |end| end.min(wanted)),
            ended_at: None,
        }
    }

    /// Writes the link; a partner's trail records links to its inbox and console.
    async fn insert(&self, caller: &Caller, link: Link, voucher: &Voucher) -> Result<Link, Error> {
        let recorded = link.owner.partner().zip(link.actor.as_ref()).filter(|_| is_recorded(link.kind));
        let Some((partner, actor)) = recorded else {
            store::links::insert(&self.pool, &link, voucher.hash()).await?;
            return Ok(link);
        };
        let fact = PartnerFact::LinkCreated {
            link_id: link.id,
            to: link.kind,
            actor: Some(actor.id.clone()),
            manage: link.manage,
            expires_at: link.expires_at,
        };
        let journal = &self.partners.journal;
        let attempt = || async {
            let end = store::audit::partner_events::find_end(&self.pool, partner).await?.ok_or(Error::NotFound)?;
            let append = journal.append(&caller.author(), (partner, Some(&end)), vec![fact.clone()]);
            Ok(store::links::insert_recorded(&self.pool, &link, voucher.hash(), &append).await?.then_some(()))
        };
        journal.retry_on_conflict(partner, attempt).await?;
        Ok(link)
    }

    /// What a `decide` link is for. Refuses one whose actor could do nothing about it: what the
    /// actor could do is what the rules say of its commands.
    fn bind(&self, caller: &Caller, owner: LinkOwner, task: &Loaded, actor: Option<Actor>) -> Result<BoundTo, Error> {
        let sender = visits::sender_of(owner, caller, actor);
        let asker = Asker { sender: &sender, dual_control: self.dual_control };
        pending::decision(task, caller.party(), asker, self.clock.now())
    }
}

/// Refuses a link that reaches further than the partner's key: in scopes or people.
fn check_key(caller: &Caller, new: &NewLink) -> Result<(), Error> {
    if caller.through().is_some() && new.kind != LinkKind::Task {
        // Its sessions would have the scopes of the key, and so reach further than this one.
        let rule = "a session of a link can make links to a task only".to_owned();
        return Err(Error::Rejected(Refusal::KeyScope(rule)));
    }
    let needed = scopes_to_make(new.kind, new.manage);
    if caller.rights().is_some_and(|rights| !rights.scopes.include_any(needed)) {
        let what = if new.manage { " with `manage`" } else { "" };
        let rule = format!("a link to `{}`{what} needs a key with the scope {needed}", new.kind.as_str());
        return Err(Error::Rejected(Refusal::KeyScope(rule)));
    }
    check_actor(caller, new.actor.as_ref().map(|actor| &actor.id))
}

fn owner(caller: &Caller, party: Party, task: Option<&Loaded>) -> Result<LinkOwner, Error> {
    let of_task = || task.map(|task| LinkOwner::Buyer(task.identity.buyer_id));
    let owner = match party {
        Party::Partner => caller.partner_id().map(LinkOwner::Partner),
        Party::Buyer => caller.buyer_id().map(LinkOwner::Buyer).or_else(of_task),
        Party::Platform => Some(LinkOwner::Platform),
    };
    owner.ok_or_else(|| Error::impossible("a link of nobody"))
}
