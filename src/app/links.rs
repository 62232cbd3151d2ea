//! Links for people: issued by a back end, opened in a browser, and the sessions that follow.
//!
//! A link never reaches further than the credential that made it, and ends with it: a session is
//! looked up together with that credential. Sessions are cached for a few seconds, as keys are, so
//! what is ended stops working here at once and on other replicas within 5 seconds.
//!
//! `issue.rs` makes links, `ends.rs` ends them, and `visits.rs` has what the pages need.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::domain::link::{LinkKind, LinkState};
use crate::domain::task::refusal::Refusal;
use crate::domain::values::cell::Cell;
use crate::domain::values::credential;
use crate::domain::values::id::{ActorId, CredentialId, LinkId, TaskId};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::store::links::{Found, Link, Sight, Wanted};
use crate::store::{self, Pool};

use self::limits::Limits;
use self::sessions::Sessions;
use super::access::Caller;
use super::base::Base;
use super::error::Error;
use super::partners::Partners;
use super::tasks::load::{Loaded, Loader};

pub use self::ends::Revoke;
pub use self::limits::Seat;
pub use self::visits::{OpenError, OpenLink, Opened, Standing, Visit};
pub use crate::store::links::sessions::Opening;

mod ends;
mod issue;
mod limits;
mod sessions;
mod visits;

/// How long a `task` link works after the task has closed.
const AFTER_CLOSE: TimeDelta = TimeDelta::days(30);

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
    cell: Cell,
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
            cell: base.cell.clone(),
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

    /// One link, with its openings.
    pub async fn get(&self, caller: &Caller, id: LinkId) -> Result<LinkView, Error> {
        let found = self.find(caller, id).await?;
        let openings = store::links::sessions::list(&self.pool, &[id]).await?.remove(&id).unwrap_or_default();
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

    /// Adds the openings to links of a list.
    pub async fn add_openings(&self, links: &mut [LinkView]) -> Result<(), Error> {
        let ids: Vec<LinkId> = links.iter().map(|view| view.link.id).collect();
        let mut openings = store::links::sessions::list(&self.pool, &ids).await?;
        for view in links {
            view.openings = openings.remove(&view.link.id).unwrap_or_default();
        }
        Ok(())
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
        let loaded = self.loader.load_all(&tasks).await?.into_iter();
        let loaded: HashMap<TaskId, Loaded> = loaded.map(|(id, task)| Ok((id, task?))).collect::<Result<_, Error>>()?;
        let of = |found: &Found| found.link.task_id.and_then(|id| loaded.get(&id));
        Ok(found.iter().map(|found| self.state_on(found, of(found))).collect())
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
    match kind {
        LinkKind::Decide | LinkKind::Task => true,
        LinkKind::Inbox | LinkKind::Console => false,
    }
}

fn is_long_closed(task: &Loaded, now: Time) -> bool {
    task.snapshot().task.closed_at().is_some_and(|closed_at| now >= closed_at + AFTER_CLOSE)
}

fn check_actor(caller: &Caller, actor: Option<&ActorId>) -> Result<(), Error> {
    if actor.is_none_or(|actor| caller.admits(actor)) { Ok(()) } else { Err(Error::Rejected(Refusal::KeyActor)) }
}

/// Whose links the caller sees.
fn sight(caller: &Caller) -> Sight {
    Sight { partner: caller.partner_id(), buyer: caller.buyer_id() }
}
