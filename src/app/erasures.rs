//! Erases one actor's personal data from every task: requested here, performed in steps by the
//! worker of any replica.
//!
//! An erasure visits all tasks in the order of their ids, a window at a time, and returns to those
//! that were open (the rules need the actor's id until a task closes) and those that failed. Each
//! task is one transaction guarded by the task's version, and a task with nothing left to erase
//! does not change. So any step may be repeated, by two replicas or after a crash.
//!
//! An erasure does not reach the files of tasks that were put away. It notes which of them hold data
//! of the actor, as it is requested and again once it has visited all tasks. Meanwhile no task is
//! put away that it may still have to visit.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sha2::{Digest as _, Sha256};

use crate::clock::Clock;
use crate::domain::audit::{self, Sealed};
use crate::domain::erasure::{Plan, Scope, plan_partner_entry};
use crate::domain::partner::event::{Author, PartnerFact};
use crate::domain::task::decide::{self, Input};
use crate::domain::task::event::Event;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{ActorId, ErasureId, PartnerId, TaskId};
use crate::domain::values::party::{ActorRef, Party, Source};
use crate::domain::values::text::Prose;
use crate::ids;
use crate::store::erasures::{Erase, New, Window};
use crate::store::tasks::transitions::{Outcome, Save};
use crate::store::{self, Pool};

use super::absences::Absences;
use super::access::Caller;
use super::archived;
use super::base::Base;
use super::contention::MAX_ATTEMPTS;
use super::error::{Archived, Error};
use super::links::Links;
use super::operations::clock_skew;
use super::partners::Partners;
use super::shutdown::Shutdown;
use super::tasks::claims::Claims;
use super::tasks::fold;
use super::tasks::load::{Loaded, Loader};
use super::tasks::writes::Writes;

pub use crate::store::erasures::{Progress, Record, State};

/// How long an erasure waits before it starts. A command decided before the request is written
/// within ten seconds or not at all, and the clocks of two working replicas differ by at most the
/// rest.
pub const SETTLE: TimeDelta = TimeDelta::seconds(10 + 2 * clock_skew::MOST.num_seconds());

/// How many files are noted at a time.
const MAX_NOTED: u32 = 5_000;

/// How many entries of a partner's trail are read at a time.
const PAGE: u32 = 500;

/// The pause before the next attempt on a task whose row is locked.
const LOCKED_PAUSE: Duration = Duration::from_millis(20);

/// A request of the platform.
#[derive(Clone, Debug)]
pub struct Request {
    /// The erasure's id, if the platform gives one.
    pub id: Option<ErasureId>,
    /// The party of the actor.
    pub party: Party,
    /// The partner of the actor; only for a partner's actor, and required there.
    pub partner_id: Option<PartnerId>,
    /// The actor whose data is erased.
    pub actor_id: ActorId,
    /// Who requested the erasure, and why.
    pub reason: Prose,
    /// The digest of the body: a repeated request returns the same erasure.
    pub digest: [u8; 32],
}

/// Requests erasures, and takes the steps of those that run.
#[derive(Debug)]
pub struct Erasures {
    pool: Pool,
    decisions: Pool,
    clock: Clock,
    shutdown: Shutdown,
    partners: Arc<Partners>,
    absences: Arc<Absences>,
    links: Arc<Links>,
    claims: Arc<Claims>,
    loader: Arc<Loader>,
    writes: Arc<Writes>,
}

impl Erasures {
    pub(super) fn new(
        base: &Base,
        (partners, absences, links, claims): (Arc<Partners>, Arc<Absences>, Arc<Links>, Arc<Claims>),
        loader: Arc<Loader>,
        writes: Arc<Writes>,
    ) -> Self {
        Self {
            pool: base.pool.clone(),
            decisions: base.decisions.clone(),
            clock: base.clock.clone(),
            shutdown: base.shutdown.clone(),
            partners,
            absences,
            links,
            claims,
            loader,
            writes,
        }
    }

    /// Requests an erasure; returns whether it is new. A repeated id and body returns the erasure
    /// as it is.
    pub async fn request_erasure(&self, caller: &Caller, request: Request) -> Result<(Record, bool), Error> {
        self.check(&request).await?;
        let (id, salt) = (request.id.unwrap_or_else(|| ErasureId(ids::new())), ids::random());
        let new = New {
            id,
            party: request.party,
            partner_id: request.partner_id,
            actor_id: request.actor_id,
            reason: request.reason,
            credential_id: caller.credential_id(),
            salt,
            digest: salted(&salt, &request.digest),
            requested_at: self.clock.now(),
        };
        let inserted = store::erasures::insert(&self.pool, &new).await?;
        let mut record = self.get_erasure(id).await?;
        if inserted {
            // The rest is noted later.
            self.note_archived(&record, None).await?;
            record = self.get_erasure(id).await?;
        }
        if record.digest != salted(&record.salt, &request.digest) {
            return Err(Error::ErasureIdReused);
        }
        if let Some(partner) = record.partner_id {
            self.record_request(&record, partner).await?;
        }
        if inserted {
            tracing::info!(erasure = %id, by = %caller.credential_id(), "erasure requested");
        }
        Ok((record, inserted))
    }

    /// Checks the actor: a partner's actor belongs to one partner, the platform's to none, and a
    /// buyer's actor is the buyer.
    async fn check(&self, request: &Request) -> Result<(), Error> {
        let wrong = |code, message| Err(Error::Rejected(Refusal::invalid("/partner_id", code, message)));
        match (request.party, request.partner_id) {
            (Party::Partner, None) => {
                wrong("required", "is required with party partner, since each partner has its own ids")
            }
            (Party::Buyer | Party::Platform, Some(_)) => wrong("not_allowed", "is only allowed with party partner"),
            (Party::Buyer, None) if request.actor_id.uuid().is_none() => {
                let rule = "must be a UUID, the `sub` of the buyer's tokens";
                Err(Error::Rejected(Refusal::invalid("/actor_id", "invalid_value", rule)))
            }
            (Party::Buyer | Party::Platform, None) => Ok(()),
            (Party::Partner, Some(id)) => match self.partners.get_partner(id).await {
                Ok(_) => Ok(()),
                Err(Error::NotFound) => wrong("unknown_value", "must be the id of a partner"),
                Err(error) => Err(error),
            },
        }
    }

    /// One erasure.
    pub async fn get_erasure(&self, id: ErasureId) -> Result<Record, Error> {
        store::erasures::find(&self.pool, id).await?.ok_or(Error::NotFound)
    }

    /// Up to `limit` of the tasks that were put away and whose files an erasure does not reach, after
    /// `after`, in the order of their ids.
    pub async fn list_archived(
        &self,
        id: ErasureId,
        after: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<Archived>, Error> {
        self.get_erasure(id).await?;
        let listed = store::erasures::list_archived(&self.pool, id, after, limit).await?.into_iter();
        Ok(listed.map(|record| archived::shown(record, Party::Platform)).collect())
    }

    /// Notes the next files after `after` that hold data of the erasure's actor; returns the last
    /// one, or `None` if there are no more.
    async fn note_archived(&self, erasure: &Record, after: Option<TaskId>) -> Result<Option<TaskId>, Error> {
        let Some(actor) = &erasure.actor_id else { return Ok(None) };
        let secret = store::retention::find_secret(&self.pool).await?;
        let digest = archived::actor_digest(&secret, (erasure.party, erasure.partner_id), actor);
        Ok(store::erasures::note_archived(&self.pool, erasure.id, &digest, (after, MAX_NOTED)).await?)
    }

    /// Up to `limit` erasures after `after`, in the order of their ids; an unreadable one does not
    /// affect the others.
    pub async fn list_erasures(&self, after: Option<ErasureId>, limit: u32) -> Result<Vec<Listed>, Error> {
        let listed = store::erasures::list(&self.pool, after, limit).await?.into_iter();
        let shown = listed.map(|(id, record)| {
            Ok(match record {
                Ok(record) => (id, Ok(record)),
                Err(error) => (id, Err(Error::from(error).unreadable()?)),
            })
        });
        shown.collect()
    }

    /// Up to `limit` erasures that are visiting the tasks now.
    pub async fn list_running(&self, limit: u32) -> Result<Vec<Record>, Error> {
        Ok(store::erasures::list_running(&self.pool, self.clock.now() - SETTLE, limit).await?)
    }

    /// The next tasks that an erasure visits.
    pub async fn list_next(&self, erasure: &Record, limit: u32) -> Result<Window, Error> {
        Ok(store::erasures::list_next(&self.pool, erasure, limit).await?)
    }

    /// Records that these tasks are done or, without a window, that there are no more; then the
    /// actor also leaves links, claims, absences and the partner's keys, and the files that hold its data are
    /// noted. `false` if another replica was faster.
    pub async fn advance(&self, erasure: &Record, window: Option<&Window>) -> Result<bool, Error> {
        if let (None, Some(actor)) = (window, &erasure.actor_id) {
            let whose = (erasure.party, erasure.partner_id);
            self.links.forget_actor(whose, actor, erasure.requested_at).await?;
            self.claims.forget_actor(whose, actor, erasure.requested_at).await?;
            if let Some(partner) = erasure.partner_id {
                self.partners.forget_actor(partner, actor, erasure.requested_at).await?;
                self.absences.forget_actor(partner, actor, erasure.requested_at).await?;
            }
            let mut noted = None;
            while let Some(last) = self.note_archived(erasure, noted).await? {
                noted = Some(last);
            }
        }
        Ok(store::erasures::advance(&self.pool, erasure, window, self.clock.now()).await?)
    }

    /// Up to `limit` tasks that an erasure must return to now.
    pub async fn list_waiting(&self, limit: u32) -> Result<Vec<(ErasureId, TaskId)>, Error> {
        Ok(store::erasures::list_waiting(&self.pool, self.clock.now(), limit).await?)
    }

    /// Records that a task failed, so that the others can continue.
    pub async fn set_aside(&self, erasure: ErasureId, task: TaskId) -> Result<(), Error> {
        Ok(store::erasures::set_aside(&self.pool, erasure, task, self.clock.now()).await?)
    }

    /// Completes up to `limit` erasures that have returned to every task; returns how many.
    pub async fn finish(&self, limit: u32) -> Result<u64, Error> {
        let mut finished = 0;
        for erasure in store::erasures::list_finished(&self.pool, limit).await? {
            let mut reached = store::erasures::list_partners(&self.pool, erasure.id).await?;
            reached.extend(erasure.partner_id.filter(|_| reached.is_empty()).map(|partner| (partner, 0, 0)));
            for (partner, tasks, fields) in reached {
                self.record_request(&erasure, partner).await?;
                let (erasure_id, party) = (erasure.id, erasure.party);
                let completed = |entries| PartnerFact::ErasureCompleted { erasure_id, party, tasks, fields, entries };
                self.complete(&erasure, partner, completed).await?;
            }
            finished += u64::from(store::erasures::finish(&self.pool, erasure.id, self.clock.now()).await?);
        }
        Ok(finished)
    }

    /// Erases from one task what may be erased now; returns whether anything was.
    pub async fn erase_task(&self, erasure: &Record, id: TaskId) -> Result<bool, Error> {
        let Some(actor_id) = &erasure.actor_id else { return Ok(false) };
        let actor = ActorRef { party: erasure.party, id: actor_id.clone() };
        let mut turn = None;
        for _ in 0..MAX_ATTEMPTS {
            let task = self.loader.load(id).await?.ok_or(Error::NotFound)?;
            let last = store::erasures::find_last_before(&self.pool, erasure.id, id).await?;
            let scope = Scope { actor: actor.clone(), until: erasure.requested_at, last };
            let Some((plan, transition)) = self.plan(erasure, &scope, &task).await? else {
                store::erasures::settle(&self.pool, erasure.id, id).await?;
                return Ok(false);
            };
            let Some(transition) = transition else {
                store::erasures::wait_for(&self.pool, erasure.id, id).await?;
                return Ok(false);
            };
            let partner_id = task.identity.partner_id;
            if !store::erasures::has_reached(&self.pool, erasure.id, partner_id).await? {
                self.record_request(erasure, partner_id).await?;
            }
            let (transition, head, seed) = (&transition, task.head, ids::random::<32>);
            let absences_version = task.absences.version;
            let save = Save { transition, head, absences_version, command_digest: None, seed, traceparent: None };
            let erase = Erase { erasure_id: erasure.id, partner_id, plan: &plan, save };
            match store::erasures::erase(&self.pool, &erase).await {
                Ok(Outcome::Saved(_)) => {
                    self.writes.recent.forget(id).await;
                    self.writes.commits.announce(transition);
                    return Ok(true);
                }
                Ok(Outcome::Stale | Outcome::Duplicate) => {}
                // Another replica is erasing from it, or a command is being written.
                Err(store::Error::Locked) => self.shutdown.pause(LOCKED_PAUSE).await,
                Err(error) => return Err(error.into()),
            }
            if turn.is_none() {
                turn = Some(self.writes.turns.take(id.0).await?);
            }
        }
        Err(Error::contended())
    }

    /// What to erase from a task, and the transition that records it. `None`: nothing, now or
    /// later. Without a transition: nothing before the task closes.
    async fn plan(&self, erasure: &Record, scope: &Scope, task: &Loaded) -> Result<Planned, Error> {
        let snapshot = task.snapshot();
        let trail = self.trail(task).await?;
        let unreadable = |_| Error::impossible("a trail that cannot be read");
        let plan = Plan::new(&trail, scope, !snapshot.task.phase().is_terminal()).map_err(unreadable)?;
        if plan.entries.is_empty() {
            return Ok(plan.ids_remain.then_some((plan, None)));
        }
        let mut left: Vec<Event> = Vec::with_capacity(trail.len());
        let mut changed = plan.entries.iter().peekable();
        for (event, row) in trail {
            left.push(match changed.next_if(|entry| entry.seq == event.seq) {
                Some(entry) => audit::open(&Sealed { personal: entry.personal.clone(), ..row }).map_err(unreadable)?,
                None => event,
            });
        }
        let snapshot = snapshot.without_erased(&task.workflow, &left);
        let snapshot = snapshot.ok_or_else(|| Error::impossible("a trail without an opening"))?;
        let recorded = decide::Erasure {
            credential_id: erasure.credential_id.clone(),
            erasure_id: erasure.id,
            entries: plan.entries.iter().map(|entry| entry.seq).collect(),
            ids_remain: plan.ids_remain,
            restated: plan.restated.clone(),
        };
        let decided = decide::decide(&task.workflow, &snapshot, Input::Erase(&recorded), task.moment(self.clock.now()));
        let transition = decided.map_err(|_| Error::impossible("an erasure that is refused"))?;
        Ok(Some((plan, Some(transition))))
    }

    /// The whole trail up to the version that was read.
    async fn trail(&self, task: &Loaded) -> Result<Vec<(Event, Sealed)>, Error> {
        let version = task.snapshot().task.version();
        let rows = fold::read_between(&self.decisions, task.id(), 1, version).await?;
        Ok(rows.into_iter().map(|row| (row.event, row.sealed)).collect())
    }

    /// Records in a partner's trail that an erasure was requested that concerns its tasks.
    async fn record_request(&self, erasure: &Record, partner: PartnerId) -> Result<(), Error> {
        let author = Author { party: Source::Platform, credential_id: Some(erasure.credential_id.clone()) };
        let fact = PartnerFact::ErasureRequested { erasure_id: erasure.id, party: erasure.party };
        self.record_once(partner, &author, erasure.id, fact).await
    }

    /// Records in a partner's trail that the erasure is done, and takes the actor out of the
    /// entries of that trail, unless it was recorded before.
    async fn complete(
        &self,
        erasure: &Record,
        partner: PartnerId,
        completed: impl Fn(Vec<u64>) -> PartnerFact,
    ) -> Result<(), Error> {
        let author = Author { party: Source::Service, credential_id: None };
        let attempt = || async {
            let end = store::audit::partner_events::find_end(&self.pool, partner).await?.ok_or(Error::NotFound)?;
            let erased = self.plan_partner(erasure, partner).await?;
            let fact = completed(erased.iter().map(|(seq, _)| *seq).collect());
            if store::erasures::is_recorded(&self.pool, partner, fact.kind(), erasure.id).await? {
                return Ok(Some(()));
            }
            let append = self.partners.journal.append(&author, (partner, Some(&end)), vec![fact]);
            Ok(store::erasures::complete(&self.pool, partner, &append, &erased).await?.then_some(()))
        };
        self.partners.journal.retry_on_conflict(partner, attempt).await
    }

    /// The entries of the partner's own trail that lose the actor, each with the new content of its
    /// personal column.
    async fn plan_partner(&self, erasure: &Record, partner: PartnerId) -> Result<Vec<(u64, String)>, Error> {
        let Some(actor) = erasure.actor_id.as_ref().filter(|_| erasure.partner_id == Some(partner)) else {
            return Ok(Vec::new());
        };
        let (mut erased, mut after) = (Vec::new(), 0);
        loop {
            let page = store::audit::partner_events::list(&self.pool, partner, after, PAGE).await?;
            for row in page.rows {
                after = row.event.seq;
                let planned = plan_partner_entry(&row.event, &row.sealed, actor, erasure.requested_at);
                let planned = planned.map_err(|_| Error::impossible("a trail that cannot be read"))?;
                erased.extend(planned.map(|personal| (row.event.seq, personal)));
            }
            if !page.more {
                return Ok(erased);
            }
        }
    }

    /// Records a fact about an erasure, unless the partner's trail already has it. The search comes
    /// after reading the end of the trail, which guards the write, so that of several simultaneous
    /// attempts only one records it.
    async fn record_once(
        &self,
        partner: PartnerId,
        author: &Author,
        erasure: ErasureId,
        fact: PartnerFact,
    ) -> Result<(), Error> {
        let attempt = || async {
            let end = store::audit::partner_events::find_end(&self.pool, partner).await?.ok_or(Error::NotFound)?;
            if store::erasures::is_recorded(&self.pool, partner, fact.kind(), erasure).await? {
                return Ok(Some(()));
            }
            let append = self.partners.journal.append(author, (partner, Some(&end)), vec![fact.clone()]);
            Ok(store::audit::partner_events::insert(&self.pool, &append).await?.then_some(()))
        };
        self.partners.journal.retry_on_conflict(partner, attempt).await
    }
}

fn salted(salt: &[u8; 16], digest: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(digest).finalize().into()
}

/// An erasure in a list, or why it cannot be shown, with its id.
pub type Listed = (ErasureId, Result<Record, Unreadable>);

type Planned = Option<(Plan, Option<decide::Transition>)>;
