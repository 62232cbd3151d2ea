//! Links for people: issued by a back end, opened in a browser, and the sessions that follow.
//!
//! A link never reaches further than the credential that made it, and ends with it: whoever looks a
//! session up looks the key up with it. Sessions are cached for a few seconds, as keys are, so what
//! is ended stops working here at once and on other replicas within 5 seconds.
//!
//! `visits.rs` has what the pages need.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::domain::link::{BoundTo, LinkKind, LinkState, NewLink, Terms, Voucher, scopes_to_make};
use crate::domain::partner::event::PartnerFact;
use crate::domain::task::command::CommandType;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::why::Asker;
use crate::domain::values::credential;
use crate::domain::values::id::{ActorId, BuyerId, CredentialId, LinkId, PartnerId, TaskId};
use crate::domain::values::party::{Actor, Party};
use crate::domain::values::time::Time;
use crate::store::links::{End, Found, Link, LinkOwner, Sight, Wanted};
use crate::store::{self, Pool};
use crate::{domain, ids};

use self::limits::Limiter;
use self::sessions::Sessions;
use super::access::Caller;
use super::base::Base;
use super::conflict::ConflictContext;
use super::error::{Error, NothingToDecide};
use super::partners::Partners;
use super::tasks::load::{Loaded, Loader};

pub use self::limits::Seat;
pub use self::visits::{OpenError, OpenLink, Opened, Standing, Visit};
pub use crate::store::links::sessions::Opening;

mod limits;
mod sessions;
mod visits;

/// How long a `task` link works after the task has closed.
const AFTER_CLOSE: TimeDelta = TimeDelta::days(30);

/// How long rows are kept after the end of a link and of its sessions.
const KEPT: TimeDelta = TimeDelta::days(90);

/// Rows read at a time by a list that is filtered by state.
const CHUNK: u32 = 200;
/// How many such reads a page takes at most.
const MAX_CHUNKS: u32 = 5;

/// Issues links and follows the sessions that they open.
#[derive(Debug)]
pub struct Links {
    pool: Pool,
    clock: Clock,
    partners: Arc<Partners>,
    loader: Arc<Loader>,
    sessions: Sessions,
    /// The platform's credentials that are configured, which vouch for its links.
    platform: RwLock<HashSet<CredentialId>>,
    limits: Limits,
    dual_control: bool,
    public_origin: Option<String>,
}

/// The rate limits, each with a bucket for every key, in this process.
#[derive(Debug)]
struct Limits {
    /// Links that a credential makes.
    made: Limiter<CredentialId>,
    /// Attempts to open a link.
    opened: Limiter<LinkId>,
    /// Pages of a session.
    pages: Limiter<(LinkId, u16)>,
    /// Commands of a session.
    commands: Limiter<(LinkId, u16)>,
    /// Waiting requests of a session.
    waits: limits::Waits,
}

impl Limits {
    fn new(clock: &Clock) -> Self {
        const fn number(number: u32) -> NonZeroU32 {
            NonZeroU32::new(number).expect("limits are not zero")
        }
        Self {
            made: Limiter::per_minute(number(300), number(600), clock),
            opened: Limiter::per_minute(number(10), number(10), clock),
            pages: Limiter::per_minute(number(120), number(120), clock),
            commands: Limiter::per_minute(number(30), number(30), clock),
            waits: limits::Waits::default(),
        }
    }
}

/// A link as those who may end it see it. The secret of its address is not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkView {
    /// The link.
    pub link: Link,
    /// The party that the person acts for.
    pub party: Party,
    /// Whether it can be used, and if not, why.
    pub state: LinkState,
    /// Its openings, the first first. Empty in lists.
    pub openings: Vec<Opening>,
}

/// Selects links in a list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Links about this task.
    pub task_id: Option<TaskId>,
    /// Links of this person.
    pub actor: Option<ActorId>,
    /// Links in this state.
    pub state: Option<LinkState>,
}

/// Whose links are revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// Those of a person of the caller's party.
    Actor(ActorId),
    /// Those about a task.
    Task(TaskId),
}

impl Links {
    pub(super) fn new(
        base: &Base,
        (partners, loader): (Arc<Partners>, Arc<Loader>),
        public_origin: Option<String>,
    ) -> Self {
        Self {
            pool: base.pool.clone(),
            clock: base.clock.clone(),
            sessions: Sessions::default(),
            platform: RwLock::default(),
            limits: Limits::new(&base.clock),
            dual_control: base.dual_control,
            public_origin,
            partners,
            loader,
        }
    }

    /// The origin of the public URL, such as `https://stagegate.example`; `None` if none is known.
    pub fn public_origin(&self) -> Option<&str> {
        self.public_origin.as_deref()
    }

    /// Sets the names of the platform's keys that are configured. Links that were made under
    /// another one do not open, and their sessions have ended.
    pub fn set_platform_credentials(&self, configured: impl IntoIterator<Item = CredentialId>) {
        *self.platform.write().unwrap_or_else(PoisonError::into_inner) = configured.into_iter().collect();
    }

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
        let voucher = Voucher::from_random(&ids::random());
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
            actor: actor.id.clone(),
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
        let context = || {
            let context = ConflictContext::new(&task.workflow, task.snapshot(), caller.party());
            Box::new(context)
        };
        let bound = BoundTo::of(&task.workflow, &task.snapshot().task)
            .ok_or_else(|| Error::NothingToDecide(NothingToDecide::NotWaiting, context()))?;
        let sender = visits::sender_of(owner, caller, actor);
        let asker = Asker { sender: &sender, dual_control: self.dual_control };
        let why = domain::task::why::Why::new(&task.workflow, task.snapshot(), asker, self.clock.now());
        let decisions = why.you.into_iter().filter(|ability| is_decision(&bound, ability.command));
        let mut refusals = Vec::new();
        for ability in decisions {
            match ability.refusal {
                None => return Ok(bound),
                Some(refusal) => refusals.push(refusal),
            }
        }
        let why = refusals.into_iter().next().map_or(NothingToDecide::NotWaiting, NothingToDecide::Refused);
        Err(Error::NothingToDecide(why, context()))
    }

    /// One link, with its openings.
    pub async fn get(&self, caller: &Caller, id: LinkId) -> Result<LinkView, Error> {
        let found = self.find(caller, id).await?;
        let openings = store::links::sessions::list(&self.pool, id).await?;
        let state = self.state(&found).await?;
        let party = found.link.owner.party();
        Ok(LinkView { link: found.link, party, state, openings })
    }

    /// Up to `limit` of the caller's links before `before`, the latest first, and the link that the
    /// next page comes after. A page that is filtered by state examines at most 1,000 links, so it
    /// can have fewer rows while more follow.
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &Filter,
        before: Option<LinkId>,
        limit: u32,
    ) -> Result<(Vec<LinkView>, Option<LinkId>), Error> {
        let wanted = Wanted { sight: sight(caller), actor: filter.actor.as_ref(), task_id: filter.task_id };
        let (mut before, mut views) = (before, Vec::new());
        let chunk = if filter.state.is_some() { CHUNK } else { limit + 1 };
        for _ in 0..MAX_CHUNKS {
            let found = store::links::list(&self.pool, wanted, before, chunk).await?;
            let is_last = found.len() < chunk as usize;
            let states = self.states(&found).await?;
            for (found, state) in found.into_iter().zip(states) {
                if views.len() == limit as usize {
                    return Ok((views, before));
                }
                before = Some(found.link.id);
                if filter.state.is_none_or(|wanted| wanted == state) {
                    let party = found.link.owner.party();
                    views.push(LinkView { link: found.link, party, state, openings: Vec::new() });
                }
            }
            if is_last {
                return Ok((views, None));
            }
        }
        Ok((views, before))
    }

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
    pub(super) async fn forget_actor(
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

    async fn find(&self, caller: &Caller, id: LinkId) -> Result<Found, Error> {
        let found = store::links::find(&self.pool, id).await?;
        found.filter(|found| sight(caller).includes(found.link.owner)).ok_or(Error::NotFound)
    }

    async fn state(&self, found: &Found) -> Result<LinkState, Error> {
        let task = match found.link.task_id.filter(|_| needs_task(found.link.kind)) {
            Some(id) => self.loader.load(id).await?,
            None => None,
        };
        Ok(self.state_on(found, task.as_ref()))
    }

    /// The states of links, with their tasks read together.
    async fn states(&self, found: &[Found]) -> Result<Vec<LinkState>, Error> {
        let tasks = found.iter().filter(|found| needs_task(found.link.kind)).filter_map(|found| found.link.task_id);
        let tasks: Vec<TaskId> = tasks.collect::<HashSet<_>>().into_iter().collect();
        let mut loaded = Vec::new();
        for (id, task) in self.loader.load_all(&tasks).await? {
            loaded.push((id, task?));
        }
        let of = |id: Option<TaskId>| loaded.iter().find(|(task, _)| Some(*task) == id).map(|(_, task)| task);
        Ok(found.iter().map(|found| self.state_on(found, of(found.link.task_id))).collect())
    }

    /// Whether a link can be used. What ended it comes first, then what became of its decision.
    fn state_on(&self, found: &Found, task: Option<&Loaded>) -> LinkState {
        let (link, now) = (&found.link, self.clock.now());
        if link.ended_at.is_some() || found.key_revoked || !self.is_vouched_for(link) {
            return LinkState::Ended;
        }
        let waits = match (&link.bound_to, task) {
            (Some(bound), Some(task)) => bound.compare(&task.workflow, &task.snapshot().task),
            (Some(_), None) => LinkState::Withdrawn,
            (None, _) => LinkState::Open,
        };
        let is_over = link.kind == LinkKind::Task && task.is_none_or(|task| is_long_closed(task, now));
        let is_spent = link.openings >= link.open.openings();
        if waits.is_closed() {
            waits
        } else if now >= link.expires_at || is_spent || is_over {
            LinkState::Expired
        } else {
            waits
        }
    }

    /// Whether the credential that made the link is still one: a platform's key that is configured,
    /// or any other that was not revoked, which is looked up with the link.
    fn is_vouched_for(&self, link: &Link) -> bool {
        if let Some(key) = link.key_id {
            return !self.partners.is_revoked_here(key);
        }
        !credential::is_of_platform(&link.made_by)
            || self.platform.read().unwrap_or_else(PoisonError::into_inner).contains(&link.made_by)
    }
}

/// Whether a partner's trail records such links: they are rare, and reach far.
fn is_recorded(kind: LinkKind) -> bool {
    match kind {
        LinkKind::Decide | LinkKind::Task => false,
        LinkKind::Inbox | LinkKind::Console => true,
    }
}

/// Whether the state of such a link depends on its task.
fn needs_task(kind: LinkKind) -> bool {
    !is_recorded(kind)
}

fn is_long_closed(task: &Loaded, now: Time) -> bool {
    task.snapshot().task.closed_at().is_some_and(|closed_at| now >= closed_at + AFTER_CLOSE)
}

/// Whether the command decides what the link is for.
fn is_decision(bound: &BoundTo, command: CommandType) -> bool {
    if bound.escalation.is_some() {
        command == CommandType::EscalationResolved
    } else {
        matches!(command, CommandType::StageApproved | CommandType::StageRejected)
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

/// Refuses to end the links of people that the caller may not name. A console that may change things
/// is for the links of everybody of its party.
fn check_end(caller: &Caller, actor: Option<&ActorId>) -> Result<(), Error> {
    let is_console =
        caller.through().is_some_and(|through| through.reach.kind == LinkKind::Console && through.reach.manage);
    if is_console { Ok(()) } else { check_actor(caller, actor) }
}

fn check_actor(caller: &Caller, actor: Option<&ActorId>) -> Result<(), Error> {
    if actor.is_none_or(|actor| caller.admits(actor)) { Ok(()) } else { Err(Error::Rejected(Refusal::KeyActor)) }
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

/// Whose links the caller sees.
fn sight(caller: &Caller) -> Sight {
    Sight { partner: caller.partner_id(), buyer: caller.buyer_id() }
}
