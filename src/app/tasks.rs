//! Tasks: opened by the platform, read by the parties that they belong to.

use std::collections::HashMap;
use std::sync::Arc;

use tracing::Instrument as _;

use crate::clock::Clock;
use crate::domain::absence::Moment;
use crate::domain::link::LinkState;
use crate::domain::task::TagSecret;
use crate::domain::task::decide::{self, Opening};
use crate::domain::task::event::WorkflowRef;
use crate::domain::task::unreadable::{ListedTask, UnreadableTask};
use crate::domain::task::view::TaskView;
use crate::domain::task::why::{Asker, Why};
use crate::domain::values::id::{ActorId, BuyerId, PartnerId, TaskId, WorkflowKey};
use crate::domain::values::party::{Actor, Party, Sender};
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;
use crate::ids;
use crate::store::tasks::Record;
use crate::store::tasks::transitions::{Open, Outcome, insert_opened};
use crate::store::{self, Pool};
use crate::telemetry::spans;

use self::claims::{Claims, DeskClaims};
use self::commands::Commands;
use self::inbox::Inbox;
use self::load::Loader;
use self::timers::Timers;
use self::writes::Writes;
use super::access::{Caller, may_see};
use super::archived::missing;
use super::base::Base;
use super::conflict::ConflictContext;
use super::contention::MAX_ATTEMPTS;
use super::error::Error;
use super::replay::Replay;
use super::status::forecast::Forecasts;
use super::workflows::Workflows;

pub use self::load::Loaded;
pub use crate::store::tasks::Standing;
pub use crate::store::tasks::counts::StageCount;
pub use crate::store::tasks::lists::{After as OpenedAfter, Filter};

pub mod claims;
pub mod commands;
pub(in crate::app) mod fold;
pub mod inbox;
pub(in crate::app) mod load;
pub(in crate::app) mod pending;
pub mod timers;
mod write_cache;
pub(in crate::app) mod writes;

/// How many open tasks are counted at most.
pub const MAX_COUNTED: u32 = 10_000;

/// The tasks.
#[derive(Debug)]
pub struct Tasks {
    /// Commands of parties and of the timer.
    pub commands: Arc<Commands>,
    /// The tasks that wait on a party.
    pub inbox: Inbox,
    /// Who has taken which task to decide on.
    pub claims: Arc<Claims>,
    /// The search for due timers.
    pub timers: Timers,
    pool: Pool,
    decisions: Pool,
    clock: Clock,
    workflows: Arc<Workflows>,
    loader: Arc<Loader>,
    writes: Arc<Writes>,
    dual_control: bool,
    replay: Replay,
}

/// A request of the platform to open a task.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// The id, assigned by the platform.
    pub id: TaskId,
    /// The partner whose agent does the work.
    pub partner_id: PartnerId,
    /// Who posted it.
    pub buyer_id: BuyerId,
    /// The workflow.
    pub workflow: WorkflowKey,
    /// Its version; the latest if none is named.
    pub version: Option<u32>,
    /// The title.
    pub title: Name,
    /// The platform's own data.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// The platform's deadline.
    pub deadline_at: Option<Time>,
    /// The digest of the body: a repeated request returns the same task.
    pub digest: [u8; 32],
}

/// A task as one person of a party decides on it.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The task as the party sees it.
    pub task: TaskView,
    /// Its pinned definition.
    pub workflow: Arc<Workflow>,
    /// Why it waits, and what the person can do about it.
    pub why: Why,
    /// Whether the task still waits for the decision that the person's link is for. Always open for
    /// a link that is for none in particular.
    pub link: LinkState,
    /// Who has claimed the decision, and whether the person could.
    pub claims: DeskClaims,
    /// The moment of all of these.
    pub at: Time,
}

impl Tasks {
    pub(super) fn new(
        base: &Base,
        (loader, writes): (Arc<Loader>, Arc<Writes>),
        workflows: Arc<Workflows>,
        forecasts: Arc<Forecasts>,
    ) -> Self {
        let claims = Arc::new(Claims::new(base, Arc::clone(&loader)));
        Self {
            commands: Arc::new(Commands::new(base, (Arc::clone(&loader), Arc::clone(&writes)), forecasts)),
            inbox: Inbox::new(base, (Arc::clone(&loader), Arc::clone(&claims)), Arc::clone(&workflows)),
            claims,
            timers: Timers::new(base, Arc::clone(&loader), Arc::clone(&writes.commits)),
            pool: base.pool.clone(),
            decisions: base.decisions.clone(),
            clock: base.clock.clone(),
            workflows,
            loader,
            writes,
            dual_control: base.dual_control,
            replay: base.replay.clone(),
        }
    }

    /// Opens a task; returns whether it is new. A repeated id and body returns the task as it is.
    pub async fn open_task(&self, sender: Sender, new: NewTask) -> Result<(TaskView, bool), Error> {
        if let Some(found) = self.loader.load_to_decide(new.id).await? {
            return same(&found, &new, &self.clock).map(|view| (view, false));
        }
        let pinned = self.workflows.for_opening(new.partner_id, &new.workflow, new.version).await?;
        let opening = Opening {
            task_id: new.id,
            sender,
            workflow: WorkflowRef { key: new.workflow.clone(), version: pinned.version },
            definition: pinned.workflow.digest(),
            title: new.title.clone(),
            metadata: new.metadata.clone(),
            deadline_at: new.deadline_at,
            tag_secret: TagSecret::from_random(ids::random()),
        };
        let (decisions, clock) = (self.decisions.clone(), self.clock.clone());
        let (loader, writes) = (Arc::clone(&self.loader), Arc::clone(&self.writes));
        // The write continues if the caller disconnects.
        let write = Box::pin(async move {
            open_new(&decisions, &clock, (&loader, &writes), (&pinned.workflow, opening, &new)).await
        });
        let write = tokio::spawn(spans::follow(write.in_current_span()));
        write.await.map_err(|fault| Error::Internal(Arc::new(fault)))?
    }

    /// The full state of a task, for partner or platform.
    pub async fn get_task(&self, caller: &Caller, id: TaskId) -> Result<TaskView, Error> {
        self.get_task_at_least(caller, id, 0).await
    }

    /// The same for a caller that has seen the version `seen`, which a standby may lack.
    pub async fn get_task_at_least(&self, caller: &Caller, id: TaskId, seen: u64) -> Result<TaskView, Error> {
        let task = match self.loader.find_visible(caller, id).await {
            Ok(task) if task.snapshot().task.version() >= seen => task,
            Err(Error::NotFound) if seen > 0 => {
                self.replay.require_complete().await?;
                return Err(Error::NotFound);
            }
            found => {
                let task = found?;
                self.replay.require_complete().await?;
                task
            }
        };
        Ok(task.task_view(caller.party(), self.clock.now()))
    }

    /// Why a task waits, and what an actor of the caller's party can do about it under the caller's
    /// credential. A buyer is the actor itself.
    pub async fn get_why(&self, caller: &Caller, id: TaskId, actor: Option<ActorId>) -> Result<Why, Error> {
        let task = self.loader.find_visible(caller, id).await?;
        check_actor(caller, actor.as_ref())?;
        Ok(self.why(caller, &task, actor, self.clock.now()))
    }

    /// How far a task is: all that a page compares while it waits.
    pub async fn get_standing(&self, caller: &Caller, id: TaskId) -> Result<Standing, Error> {
        match store::tasks::find_standing(&self.pool, id).await? {
            Some(found) if may_see(caller, id, found.parties) => Ok(found),
            Some(_) => Err(Error::NotFound),
            None => Err(missing(&self.pool, caller, id).await),
        }
    }

    /// A task with its definition and what an actor of the caller's party can do about it, all of
    /// one moment, for partner or platform.
    pub async fn get_desk(&self, caller: &Caller, id: TaskId, actor: Option<ActorId>) -> Result<Desk, Error> {
        let task = self.loader.find_visible(caller, id).await?;
        check_actor(caller, actor.as_ref())?;
        let at = self.clock.now();
        let bound = caller.through().and_then(|through| through.reach.bound_to.as_ref());
        let link = bound.map_or(LinkState::Open, |bound| bound.compare(&task.workflow, &task.snapshot().task));
        let claims = self.claims.of_desk(caller, &task, &caller.sender(actor.clone().map(Actor::from))).await?;
        let why = self.why(caller, &task, actor, at);
        let view = task.task_view(caller.party(), at);
        Ok(Desk { task: view, workflow: task.workflow, why, link, claims, at })
    }

    fn why(&self, caller: &Caller, task: &Loaded, actor: Option<ActorId>, at: Time) -> Why {
        let sender = caller.sender(actor.map(Actor::from));
        let asker = Asker { sender: &sender, dual_control: self.dual_control };
        let mut why = Why::new(&task.workflow, task.snapshot(), asker, task.moment(at));
        for ability in &mut why.you {
            if let Err(refusal) = caller.check_type(ability.command) {
                (ability.refusal, ability.until) = (Some(refusal), None);
            }
        }
        why
    }

    /// Up to `limit` of the tasks that the caller may see, the latest opened first, each with its
    /// position. An unreadable one has a placeholder.
    pub async fn list_tasks(
        &self,
        caller: &Caller,
        filter: Filter<'_>,
        after: Option<OpenedAfter>,
        limit: u32,
    ) -> Result<Vec<(OpenedAfter, ListedTask)>, Error> {
        if !caller.may_list() {
            return Err(Error::NotFound);
        }
        let filter = Filter { partner_id: caller.partner_id().or(filter.partner_id), ..filter };
        let records = store::tasks::lists::list(&self.pool, filter, after, limit).await?;
        let mut views = Vec::with_capacity(records.len());
        for (place, record) in records {
            views.push((place, self.listed(caller, (place.task_id, record)).await?));
        }
        Ok(views)
    }

    /// The titles of those of these tasks that are the caller's. Erased ones are left out.
    pub async fn list_titles(&self, caller: &Caller, ids: &[TaskId]) -> Result<HashMap<TaskId, String>, Error> {
        let found = store::tasks::list(&self.pool, ids).await?;
        let titled = found.into_iter().filter_map(|(id, record)| {
            let record = record.ok().filter(|record| may_see(caller, id, (record.partner_id, record.buyer_id)))?;
            Some((id, record.title?.as_str().to_owned()))
        });
        Ok(titled.collect())
    }

    /// The open tasks that the caller may see, by workflow and stage. At most [`MAX_COUNTED`] tasks are
    /// counted.
    pub async fn count_tasks(&self, caller: &Caller) -> Result<Vec<StageCount>, Error> {
        if caller.party() == Party::Buyer {
            return Err(Error::NotFound);
        }
        Ok(store::tasks::counts::count_by_stage(&self.pool, caller.partner_id(), MAX_COUNTED).await?)
    }

    /// A row of a list as the caller sees it.
    async fn listed(
        &self,
        caller: &Caller,
        (task_id, record): (TaskId, Result<Record, store::Error>),
    ) -> Result<ListedTask, Error> {
        let loaded = match record {
            Ok(record) => self.loader.with_workflow(record).await,
            Err(error) => Err(error.into()),
        };
        Ok(match loaded {
            Ok(task) => ListedTask::Task(Box::new(task.task_view(caller.party(), self.clock.now()))),
            Err(error) => ListedTask::Unreadable(UnreadableTask { task_id, unreadable: error.unreadable()? }),
        })
    }
}

/// A buyer's token identifies the person, and the other parties must name one.
fn check_actor(caller: &Caller, actor: Option<&ActorId>) -> Result<(), Error> {
    let (code, rule) = match (caller.party(), actor) {
        (Party::Buyer, Some(_)) => ("not_allowed", "must not be sent by a buyer, whose token identifies the person"),
        (Party::Partner | Party::Platform, None) => ("required", "is required"),
        (Party::Buyer, None) | (Party::Partner | Party::Platform, Some(_)) => return Ok(()),
    };
    Err(Error::Parameter { pointer: "/query/actor", code, rule })
}

/// Decides and writes an opening; returns whether the task is new. An opening can begin a review, so it is
/// decided again if the partner's absences were changed meanwhile.
async fn open_new(
    decisions: &Pool,
    clock: &Clock,
    (loader, writes): (&Loader, &Writes),
    (workflow, opening, new): (&Workflow, Opening, &NewTask),
) -> Result<(TaskView, bool), Error> {
    let mut absences = loader.absences.last_read(new.partner_id).await;
    let traceparent = spans::traceparent();
    for _ in 0..MAX_ATTEMPTS {
        let moment = Moment { now: clock.now(), absences: &absences.absences };
        let transition = decide::open(workflow, opening.clone(), moment).map_err(Error::Rejected)?;
        let open = Open {
            transition: &transition,
            partner_id: new.partner_id,
            buyer_id: new.buyer_id,
            absences_version: absences.version,
            digest: new.digest,
            seed: ids::random::<32>,
            traceparent: traceparent.as_deref(),
        };
        let outcome = spans::Span::step("write").run(insert_opened(decisions, &open)).await?;
        let opened = matches!(outcome, Outcome::Saved(_));
        if opened {
            writes.commits.announce(&transition);
        }
        if let Some(found) = loader.load_to_decide(new.id).await? {
            let answer = same(&found, new, clock).map(|view| (view, opened));
            if opened {
                writes.recent.keep(Arc::new(found)).await;
            }
            return answer;
        }
        if let Some(archived) = loader.find_archived(new.id).await? {
            return Err(Error::TaskExisted(Box::new(archived)));
        }
        if opened {
            return Err(Error::impossible("a task that was just written is not there"));
        }
        absences = loader.absences.now(new.partner_id).await?;
    }
    Err(Error::contended())
}

/// The task for a repeated request to open it, if the request is the same.
fn same(found: &Loaded, new: &NewTask, clock: &Clock) -> Result<TaskView, Error> {
    if new.digest != found.open_digest {
        let context = ConflictContext::new(&found.workflow, found.snapshot(), Party::Platform);
        return Err(Error::TaskExists(Box::new(context)));
    }
    Ok(found.task_view(Party::Platform, clock.now()))
}
