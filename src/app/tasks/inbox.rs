//! The tasks that wait on the caller's party: a page of them, and counts by stage. The cost does
//! not grow with the number of waiting tasks.

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::access::Caller;
use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::workflows::Workflows;
use crate::clock::Clock;
use crate::domain::absence::Moment;
use crate::domain::task::decide;
use crate::domain::task::seats;
use crate::domain::task::trail::KINDS;
use crate::domain::task::unreadable::{ListedTask, UnreadableTask};
use crate::domain::trail::Kind;
use crate::domain::values::id::{ActorId, PartnerId, StageKey, TaskId, WorkflowKey};
use crate::domain::values::party::{Actor, Party, Sender};
use crate::store::Pool;
use crate::store::tasks::inbox::{self, Assignee, Queue};

use super::claims::{self, Claim, Claims};
use super::load::{Loaded, Loader};

pub use crate::store::tasks::inbox::After as DueAfter;

/// The limit up to which the tasks of a stage are counted: a reader needs to distinguish three from
/// very many. If dozens of stages are full, counting further would take longer than the page
/// itself.
pub const COUNTED: u32 = 100;

/// How many tasks are read for one page at most. Without `actor` and `reviewer` a page reads only its
/// own tasks; with them, most of those read may be left out.
const READ_FOR_A_PAGE: usize = 500;

/// Which reviews to list. `None` applies no filter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// The workflow, in any version.
    pub workflow: Option<&'a WorkflowKey>,
    /// The current stage.
    pub stage: Option<&'a StageKey>,
    /// Whether the current wait is past its deadline.
    pub overdue: Option<bool>,
    /// An actor whom the task's stage names as a reviewer now, or who stands in for such a person now.
    pub reviewer: Option<&'a ActorId>,
    /// An actor of the caller's party: leaves out what this actor may not decide.
    pub actor: Option<&'a ActorId>,
    /// Whether to leave out tasks that as many people have claimed as can decide them together.
    pub unclaimed: bool,
}

/// A page of an inbox.
#[derive(Debug)]
pub struct Reviews {
    /// The tasks, the earliest due first. With `actor` or `reviewer` there can be fewer than requested,
    /// even none, although more follow.
    pub items: Vec<ListedTask>,
    /// The claims of these tasks, the first to end first. Buyers have none.
    pub claims: HashMap<TaskId, Vec<Claim>>,
    /// The counts by stage, regardless of page and filter.
    pub counts: Vec<Count>,
    /// The position after this page; none on the last one.
    pub next: Option<DueAfter>,
}

/// The number of tasks that wait at one stage of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The workflow's partner: keys are unique per partner.
    pub partner_id: PartnerId,
    /// The workflow, in any version; none for a party that may not read it.
    pub workflow: Option<WorkflowKey>,
    /// The stage.
    pub stage: StageKey,
    /// The tasks that wait.
    pub waiting: Tally,
    /// The overdue ones among them.
    pub overdue: Tally,
}

/// A number of tasks, counted up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The counted tasks, at most [`COUNTED`].
    pub tasks: u64,
    /// Whether there are more.
    pub or_more: bool,
}

/// The inboxes of all parties.
#[derive(Debug)]
pub struct Inbox {
    pool: Pool,
    clock: Clock,
    loader: Arc<Loader>,
    claims: Arc<Claims>,
    workflows: Arc<Workflows>,
    dual_control: bool,
}

/// A part of an inbox that is being read.
#[derive(Default)]
struct Found {
    items: Vec<ListedTask>,
    claims: HashMap<TaskId, Vec<Claim>>,
    next: Option<DueAfter>,
}

impl Inbox {
    pub(super) fn new(base: &Base, (loader, claims): (Arc<Loader>, Arc<Claims>), workflows: Arc<Workflows>) -> Self {
        let (pool, clock) = (base.pool.clone(), base.clock.clone());
        Self { pool, clock, loader, claims, workflows, dual_control: base.dual_control }
    }

    /// Up to `limit` of the tasks that wait on the caller's party, and their counts.
    pub async fn list_reviews(
        &self,
        caller: &Caller,
        filter: Filter<'_>,
        (after, limit): (Option<DueAfter>, usize),
    ) -> Result<Reviews, Error> {
        if !caller.may_list() {
            return Err(Error::NotFound);
        }
        // Fetch one extra row to learn whether there are more than the limit.
        let queues = inbox::queues(&self.pool, assignee(caller), COUNTED + 1).await?;
        let counts = counts(&queues, reads_workflow(caller.party()));
        let queues = self.chosen(caller, queues, filter).await?;
        let Found { items, claims, next } = self.page((caller, &queues), filter, (after, limit)).await?;
        Ok(Reviews { items, claims, counts, next })
    }

    /// Fills a page. Only the domain knows whether an actor may decide a task, and whom its stage names
    /// now, so a page may take several reads, but not arbitrarily many.
    async fn page(
        &self,
        (caller, queues): (&Caller, &[Queue]),
        filter: Filter<'_>,
        (after, limit): (Option<DueAfter>, usize),
    ) -> Result<Found, Error> {
        let decider = filter.actor.map(|id| caller.sender(Some(Actor::from(id.clone()))));
        let (mut after, mut read) = (after, 0);
        let mut found = Found::default();
        if queues.is_empty() {
            return Ok(found);
        }
        loop {
            // Fetch one extra row to learn whether there is a next page.
            let wanted = u32::try_from(limit + 1).unwrap_or(u32::MAX);
            let mut records =
                inbox::list(&self.pool, (assignee(caller), queues), filter.overdue, after, wanted).await?;
            let is_last = records.len() <= limit;
            records.truncate(limit);
            let mut claims = self.claims_of(caller, &records).await?;
            for (place, record) in records {
                if found.items.len() == limit {
                    return Ok(Found { next: after, ..found });
                }
                after = Some(place);
                read += 1;
                // Nobody knows who may decide a task that cannot be read, so it is shown to all.
                let task = match record {
                    Ok(record) => self.loader.with_workflow(record).await,
                    Err(error) => Err(error.into()),
                };
                match task {
                    Ok(task) if self.is_for(&task, filter.reviewer, decider.as_ref()) => {
                        let standing = claims::standing(&task, claims.remove(&place.task_id), self.clock.now());
                        if filter.unclaimed && claims::is_taken(&task, &standing, filter.actor, self.clock.now()) {
                            continue;
                        }
                        found.claims.insert(place.task_id, standing);
                        found.items.push(ListedTask::Task(Box::new(task.task_view(caller.party(), self.clock.now()))));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        let unreadable = error.unreadable()?;
                        found.items.push(ListedTask::Unreadable(UnreadableTask { task_id: place.task_id, unreadable }));
                    }
                }
            }
            if is_last {
                return Ok(found);
            }
            if found.items.len() == limit || read >= READ_FOR_A_PAGE {
                return Ok(Found { next: after, ..found });
            }
        }
    }

    /// The claims of these tasks. A buyer is one person and has none.
    async fn claims_of<T>(&self, caller: &Caller, records: &[(DueAfter, T)]) -> Result<claims::Found, Error> {
        if caller.party() == Party::Buyer || records.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<TaskId> = records.iter().map(|(place, _)| place.task_id).collect();
        self.claims.find_all(&ids, self.clock.now()).await
    }

    /// The queues that match a filter.
    async fn chosen(&self, caller: &Caller, queues: Vec<Queue>, filter: Filter<'_>) -> Result<Vec<Queue>, Error> {
        let absences = match (filter.reviewer, caller.partner_id()) {
            (Some(_), Some(partner)) => self.loader.absences.now(partner).await?,
            (_, _) => Arc::default(),
        };
        let moment = Moment { now: self.clock.now(), absences: &absences.absences };
        let mut chosen = Vec::with_capacity(queues.len());
        for queue in queues {
            let is_asked_for = filter.workflow.is_none_or(|workflow| *workflow == queue.workflow.key)
                && filter.stage.is_none_or(|stage| *stage == queue.stage);
            if is_asked_for && self.may_name(&queue, filter.reviewer, moment).await? {
                chosen.push(queue);
            }
        }
        Ok(chosen)
    }

    /// Whether the task's stage names `reviewer` now, or somebody for whom the person stands in, and the
    /// decision is open to `decider`.
    fn is_for(&self, task: &Loaded, reviewer: Option<&ActorId>, decider: Option<&Sender>) -> bool {
        let (workflow, moment, task) = (&task.workflow, task.moment(self.clock.now()), &task.snapshot().task);
        let may = |sender| decide::may_decide(workflow, task, (sender, self.dual_control), moment);
        reviewer.is_none_or(|reviewer| seats::names(workflow, task, reviewer, moment)) && decider.is_none_or(may)
    }

    /// Whether tasks of the queue can name this actor, or somebody for whom the actor stands in. A queue
    /// that cannot is not read at all.
    async fn may_name(&self, queue: &Queue, reviewer: Option<&ActorId>, moment: Moment<'_>) -> Result<bool, Error> {
        let Some(reviewer) = reviewer else { return Ok(true) };
        let workflow = self.workflows.pinned(queue.partner_id, &queue.workflow).await?;
        Ok(workflow.find(&queue.stage).is_some_and(|(_, stage)| seats::may_name(stage, reviewer, moment)))
    }
}

/// Whether `party` may read a task's workflow, according to the table of the trail's fields.
pub fn reads_workflow(party: Party) -> bool {
    Kind::find(&KINDS, "task.opened").is_some_and(|opened| opened.always_shows("data.workflow", party))
}

/// The grouping of counts: partner, workflow and stage.
type Place = (PartnerId, Option<WorkflowKey>, StageKey);

/// Adds up the versions of a workflow; without `by_workflow`, also a partner's stages with the same
/// key.
fn counts(queues: &[Queue], by_workflow: bool) -> Vec<Count> {
    let place = |queue: &Queue| -> Place {
        let workflow = by_workflow.then(|| queue.workflow.key.clone());
        (queue.partner_id, workflow, queue.stage.clone())
    };
    let mut queues: Vec<_> = queues.iter().map(|queue| (place(queue), queue)).collect();
    queues.sort_by(|(a, _), (b, _)| a.cmp(b));
    let of_a_stage = queues.chunk_by(|(a, _), (b, _)| a == b);
    let count = |stage: &[(Place, &Queue)]| {
        let ((partner_id, workflow, key), _) = stage.first()?.clone();
        let waiting = Tally::new(stage.iter().map(|(_, queue)| queue.waiting).sum());
        let overdue = Tally::new(stage.iter().map(|(_, queue)| queue.overdue).sum());
        Some(Count { partner_id, workflow, stage: key, waiting, overdue })
    };
    of_a_stage.filter_map(count).collect()
}

impl Tally {
    fn new(tasks: u64) -> Self {
        let bound = u64::from(COUNTED);
        Self { tasks: tasks.min(bound), or_more: tasks > bound }
    }
}

fn assignee(caller: &Caller) -> Assignee {
    match caller {
        Caller::Partner { partner_id, .. } => Assignee::Partner(*partner_id),
        Caller::Buyer { buyer_id, .. } => Assignee::Buyer(*buyer_id),
        Caller::Platform { .. } => Assignee::Platform,
    }
}
