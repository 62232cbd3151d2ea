//! What waits on the caller's party: a page of it, and how much waits where. Nothing here takes longer because more
//! tasks wait.

use crate::app::{App, Caller, Error, workflows};
use crate::domain::audit::task_fields::{KINDS, Kind};
use crate::domain::task::decide;
use crate::domain::task::unreadable::{ListedTask, UnreadableTask};
use crate::domain::values::id::{ActorId, PartnerId, StageKey, WorkflowKey};
use crate::domain::values::party::{ActorRef, Party};
use crate::store::tasks::inbox::{self, Assignee, Queue};

use super::{Loaded, with_workflow};

pub use crate::store::tasks::inbox::After as DueAfter;

/// Up to how many tasks are counted at a stage: whoever reads a count wants to know whether it is three or a great
/// many. Counting more would take longer than the page itself where dozens of stages are full.
pub const COUNTED: u32 = 100;

/// How many tasks are read for one page at most. Without `actor` a page needs no more than its own; with it, most
/// of what is read may be left out.
const READ_FOR_A_PAGE: usize = 500;

/// Which reviews. `None` leaves nothing out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// The workflow, in any version.
    pub workflow: Option<&'a WorkflowKey>,
    /// The current stage.
    pub stage: Option<&'a StageKey>,
    /// Whether the present wait's deadline passed.
    pub overdue: Option<bool>,
    /// A person whom the stage names as a reviewer, in the version that the task is pinned to.
    pub reviewer: Option<&'a ActorId>,
    /// A person of the caller's party: without what this person may not decide.
    pub actor: Option<&'a ActorId>,
}

/// A page of an inbox.
#[derive(Debug)]
pub struct Reviews {
    /// The tasks, the earliest due first. With `actor`, there can be fewer than asked for, even none, and more to come.
    pub items: Vec<ListedTask>,
    /// How much waits at each stage, whatever the page and the filter.
    pub counts: Vec<Count>,
    /// After what the next page starts; none on the last one.
    pub next: Option<DueAfter>,
}

/// How much waits at one stage of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Whose workflow: keys are unique per partner.
    pub partner_id: PartnerId,
    /// The workflow, in any version; none for a party that may not read which it is.
    pub workflow: Option<WorkflowKey>,
    /// The stage.
    pub stage: StageKey,
    /// How many tasks wait.
    pub waiting: Tally,
    /// How many of those are overdue.
    pub overdue: Tally,
}

/// A number of tasks, counted up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many were counted, at most [`COUNTED`].
    pub tasks: u64,
    /// Whether there are more.
    pub or_more: bool,
}

/// Up to `limit` of the tasks that wait on the caller's party, and how many there are.
pub async fn list_reviews(
    app: &App,
    caller: &Caller,
    filter: Filter<'_>,
    (after, limit): (Option<DueAfter>, usize),
) -> Result<Reviews, Error> {
    // One more than is told tells whether there are more.
    let queues = inbox::queues(&app.pool, assignee(caller), COUNTED + 1).await?;
    let counts = counts(&queues, reads_workflow(caller.party()));
    let queues = chosen(app, queues, filter).await?;
    let (items, next) = page(app, (caller, &queues), filter, (after, limit)).await?;
    Ok(Reviews { items, counts, next })
}

/// Whether a task may be decided by a person is the domain's to say, so a page is filled from several reads, but
/// not from any number.
async fn page(
    app: &App,
    (caller, queues): (&Caller, &[Queue]),
    filter: Filter<'_>,
    (after, limit): (Option<DueAfter>, usize),
) -> Result<(Vec<ListedTask>, Option<DueAfter>), Error> {
    let actor = filter.actor.map(|id| ActorRef { party: caller.party(), id: id.clone() });
    let (mut after, mut read) = (after, 0);
    let mut items = Vec::with_capacity(limit);
    if queues.is_empty() {
        return Ok((items, None));
    }
    loop {
        // One more tells whether this is the end.
        let wanted = u32::try_from(limit + 1).unwrap_or(u32::MAX);
        let mut records = inbox::list(&app.pool, (assignee(caller), queues), filter.overdue, after, wanted).await?;
        let is_last = records.len() <= limit;
        records.truncate(limit);
        for (place, record) in records {
            if items.len() == limit {
                return Ok((items, after));
            }
            after = Some(place);
            read += 1;
            // Who may decide on a task that cannot be read is not known: it is shown to all.
            let task = match record {
                Ok(record) => with_workflow(app, record).await,
                Err(error) => Err(error.into()),
            };
            match task {
                Ok(task) if actor.as_ref().is_none_or(|actor| may_decide(&task, actor)) => {
                    items.push(ListedTask::Task(Box::new(task.task_view(app, caller.party()))));
                }
                Ok(_) => {}
                Err(error) => {
                    let unreadable = error.unreadable()?;
                    items.push(ListedTask::Unreadable(UnreadableTask { task_id: place.task_id, unreadable }));
                }
            }
        }
        if is_last {
            return Ok((items, None));
        }
        if items.len() == limit || read >= READ_FOR_A_PAGE {
            return Ok((items, after));
        }
    }
}

fn may_decide(task: &Loaded, actor: &ActorRef) -> bool {
    decide::may_decide(&task.workflow, &task.snapshot().task, actor)
}

/// The queues that a filter leaves.
async fn chosen(app: &App, queues: Vec<Queue>, filter: Filter<'_>) -> Result<Vec<Queue>, Error> {
    let mut chosen = Vec::with_capacity(queues.len());
    for queue in queues {
        let is_asked_for = filter.workflow.is_none_or(|workflow| *workflow == queue.workflow.key)
            && filter.stage.is_none_or(|stage| *stage == queue.stage);
        if is_asked_for && names(app, &queue, filter.reviewer).await? {
            chosen.push(queue);
        }
    }
    Ok(chosen)
}

/// Whether the queue's stage names this person.
async fn names(app: &App, queue: &Queue, reviewer: Option<&ActorId>) -> Result<bool, Error> {
    let Some(reviewer) = reviewer else { return Ok(true) };
    let workflow = workflows::pinned(app, queue.partner_id, &queue.workflow).await?;
    Ok(workflow.find(&queue.stage).is_some_and(|(_, stage)| stage.reviewers().contains(reviewer)))
}

/// Whether `party` may read on which workflow a task is: the trail's table says so.
pub fn reads_workflow(party: Party) -> bool {
    Kind::find(&KINDS, "task.opened").is_some_and(|opened| opened.always_shows("data.workflow", party))
}

/// What is counted together: whose workflow, which one, and the stage.
type Place = (PartnerId, Option<WorkflowKey>, StageKey);

/// The versions of a workflow together; without `by_workflow`, a partner's stages of the same key together.
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
