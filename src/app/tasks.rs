//! Tasks: opened by the platform, read by the parties that they belong to.

use std::sync::Arc;

use tracing::Instrument as _;

use crate::domain::audit::Hash;
use crate::domain::task::decide::{self, Opening, Snapshot, Transition};
use crate::domain::task::event::WorkflowRef;
use crate::domain::task::unreadable::{ListedTask, UnreadableTask};
use crate::domain::task::view::{Identity, Reader, TaskView};
use crate::domain::values::id::{BuyerId, PartnerId, TaskId, WorkflowKey};
use crate::domain::values::party::{Party, Sender};
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;
use crate::store::tasks::Record;
use crate::store::tasks::transitions::{Open, Outcome, Written, insert_opened};
use crate::{ids, store};

use super::access::may_see;
use super::conflict::ConflictContext;
use super::digest::Digest;
use super::{App, Caller, Error};

pub use crate::store::tasks::lists::{After as OpenedAfter, Filter};

pub mod commands;
pub mod inbox;
pub(in crate::app) mod replay;
pub mod timers;
pub(in crate::app) mod write_cache;

/// A task that was read to be decided on or shown, with its pinned definition.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The present state.
    pub(super) snapshot: Snapshot,
    /// The hash of the last event.
    pub(super) head: Hash,
    /// The pinned definition.
    pub(super) workflow: Arc<Workflow>,
    /// The properties that never change.
    pub(super) identity: Arc<Identity>,
    /// SHA-256 of the request that opened it.
    open_digest: [u8; 32],
    /// The approximate size of its stored JSON in bytes.
    pub(super) size: usize,
}

impl Loaded {
    /// The present state.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.snapshot.task.id()
    }

    /// The task after a written transition.
    pub(super) fn moved(&self, transition: Transition, written: &Written) -> Self {
        let (_, snapshot) = transition.into_parts();
        Self {
            snapshot,
            head: written.hashes.last().copied().unwrap_or(self.head),
            workflow: Arc::clone(&self.workflow),
            identity: Arc::clone(&self.identity),
            open_digest: self.open_digest,
            size: self.size.max(written.size),
        }
    }

    pub(super) fn is_open_to(&self, caller: &Caller) -> bool {
        may_see(caller, self.identity.partner_id, self.identity.buyer_id)
    }

    pub(super) fn task_view(&self, app: &App, party: Party) -> TaskView {
        let reader = Reader { party, at: app.clock.now() };
        TaskView::new(&self.workflow, &self.identity, self.snapshot(), Some(self.head), reader)
    }
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
    pub digest: Digest,
}

/// Opens a task; returns whether it is new. A repeated id and body returns the task as it is.
pub async fn open_task(app: &Arc<App>, sender: Sender, new: NewTask) -> Result<(TaskView, bool), Error> {
    if let Some(found) = load_to_decide(app, new.id).await? {
        return same(app, &found, &new).map(|view| (view, false));
    }
    let pinned = app.workflows.for_opening(new.partner_id, &new.workflow, new.version).await?;
    let opening = Opening {
        task_id: new.id,
        sender,
        workflow: WorkflowRef { key: new.workflow.clone(), version: pinned.version },
        definition: pinned.workflow.digest(),
        title: new.title.clone(),
        metadata: new.metadata.clone(),
        deadline_at: new.deadline_at,
    };
    let transition = decide::open(&pinned.workflow, opening, app.clock.now()).map_err(Error::Rejected)?;
    let (id, app) = (new.id, Arc::clone(app));
    // The write continues if the caller disconnects.
    let write = async move {
        let open = Open {
            transition: &transition,
            partner_id: new.partner_id,
            buyer_id: new.buyer_id,
            digest: new.digest.meaning,
            seed: ids::random::<32>,
        };
        let outcome = insert_opened(&app.decisions, &open).await?;
        if let Outcome::Saved(_) = outcome {
            app.committed(&transition);
        }
        let found = load_to_decide(&app, id)
            .await?
            .ok_or_else(|| Error::impossible("a task that was just written is not there"))?;
        let opened = matches!(outcome, Outcome::Saved(_));
        let answer = same(&app, &found, &new).map(|view| (view, opened));
        if opened {
            app.recent.keep(Arc::new(found)).await;
        }
        answer
    };
    let write = tokio::spawn(Box::pin(write.in_current_span()));
    write.await.map_err(|fault| Error::Internal(Arc::new(fault)))?
}

fn same(app: &App, found: &Loaded, new: &NewTask) -> Result<TaskView, Error> {
    let standing = ConflictContext::new(&found.workflow, found.snapshot(), Party::Platform);
    if !new.digest.is(&found.open_digest) {
        return Err(Error::TaskExists(Box::new(standing)));
    }
    Ok(found.task_view(app, Party::Platform))
}

/// A task that the caller may see; other tasks do not exist for it.
pub async fn find_visible(app: &App, caller: &Caller, id: TaskId) -> Result<Loaded, Error> {
    visible(caller, load(app, id).await?)
}

/// The same for a command, which does not queue behind reads.
pub(super) async fn find_to_decide(app: &App, caller: &Caller, id: TaskId) -> Result<Loaded, Error> {
    visible(caller, load_to_decide(app, id).await?)
}

fn visible(caller: &Caller, found: Option<Loaded>) -> Result<Loaded, Error> {
    found.filter(|task| task.is_open_to(caller)).ok_or(Error::NotFound)
}

pub(super) async fn load(app: &App, id: TaskId) -> Result<Option<Loaded>, Error> {
    load_through(app, &app.pool, id).await
}

/// The same for a command, which does not queue behind reads.
pub(super) async fn load_to_decide(app: &App, id: TaskId) -> Result<Option<Loaded>, Error> {
    load_through(app, &app.decisions, id).await
}

async fn load_through(app: &App, pool: &store::Pool, id: TaskId) -> Result<Option<Loaded>, Error> {
    match store::tasks::find(pool, id).await? {
        Some(record) => Ok(Some(with_workflow(app, record).await?)),
        None => Ok(None),
    }
}

/// These tasks, each readable or not; missing ones are left out.
pub(super) async fn load_all(
    app: &App,
    pool: &store::Pool,
    ids: &[TaskId],
) -> Result<Vec<(TaskId, Result<Loaded, Error>)>, Error> {
    let found = store::tasks::list(pool, ids).await?;
    let mut loaded = Vec::with_capacity(found.len());
    for (id, record) in found {
        let task = match record {
            Ok(record) => with_workflow(app, record).await,
            Err(error) => Err(error.into()),
        };
        loaded.push((id, task));
    }
    Ok(loaded)
}

pub(super) async fn with_workflow(app: &App, record: Record) -> Result<Loaded, Error> {
    let workflow = app.workflows.pinned(record.partner_id, &record.workflow).await?;
    let Record { partner_id, buyer_id, workflow: key, title, metadata, open_digest, snapshot, head, size } = record;
    let identity = Arc::new(Identity { partner_id, buyer_id, workflow: key, title, metadata });
    Ok(Loaded { snapshot, head, workflow, identity, open_digest, size })
}

/// The full state of a task, for partner or platform.
pub async fn get_task(app: &App, caller: &Caller, id: TaskId) -> Result<TaskView, Error> {
    Ok(find_visible(app, caller, id).await?.task_view(app, caller.party()))
}

/// Up to `limit` of the tasks that the caller may see, the latest opened first, each with its
/// position. An unreadable one has a placeholder.
pub async fn list_tasks(
    app: &App,
    caller: &Caller,
    filter: Filter<'_>,
    after: Option<OpenedAfter>,
    limit: u32,
) -> Result<Vec<(OpenedAfter, ListedTask)>, Error> {
    let filter = Filter { partner_id: caller.partner_id().or(filter.partner_id), ..filter };
    let records = store::tasks::lists::list(&app.pool, filter, after, limit).await?;
    let mut views = Vec::with_capacity(records.len());
    for (place, record) in records {
        views.push((place, listed(app, caller, (place.task_id, record)).await?));
    }
    Ok(views)
}

/// A row of a list as the caller sees it.
async fn listed(
    app: &App,
    caller: &Caller,
    (task_id, record): (TaskId, Result<Record, store::Error>),
) -> Result<ListedTask, Error> {
    let loaded = match record {
        Ok(record) => with_workflow(app, record).await,
        Err(error) => Err(error.into()),
    };
    Ok(match loaded {
        Ok(task) => ListedTask::Task(Box::new(task.task_view(app, caller.party()))),
        Err(error) => ListedTask::Unreadable(UnreadableTask { task_id, unreadable: error.unreadable()? }),
    })
}
