//! Reads tasks with the definitions that they are pinned to.

use std::sync::Arc;

use crate::app::absences::{Absences, Versioned};
use crate::app::access::{Caller, may_see};
use crate::app::archived::{gone, missing, shown};
use crate::app::base::Base;
use crate::app::error::{Archived, Error};
use crate::app::workflows::Workflows;
use crate::domain::absence::Moment;
use crate::domain::audit::Hash;
use crate::domain::task::decide::Transition;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::view::{Identity, Reader, TaskView};
use crate::domain::values::id::TaskId;
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;
use crate::store::tasks::Record;
use crate::store::tasks::transitions::Written;
use crate::store::{self, Pool};

/// A task that was read to be decided on or shown, with its pinned definition.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The present state.
    pub(in crate::app) snapshot: Snapshot,
    /// The hash of the last event.
    pub(in crate::app) head: Hash,
    /// The pinned definition.
    pub(in crate::app) workflow: Arc<Workflow>,
    /// The properties that never change.
    pub(in crate::app) identity: Arc<Identity>,
    /// The absences of the partner's people when it was read.
    pub(in crate::app) absences: Arc<Versioned>,
    /// SHA-256 of the request that opened it.
    pub(super) open_digest: [u8; 32],
    /// The approximate size of its stored JSON in bytes.
    pub(in crate::app) size: usize,
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
    pub(in crate::app) fn moved(&self, transition: Transition, written: &Written) -> Self {
        let (_, snapshot) = transition.into_parts();
        Self {
            snapshot,
            head: written.hashes.last().copied().unwrap_or(self.head),
            workflow: Arc::clone(&self.workflow),
            identity: Arc::clone(&self.identity),
            absences: Arc::clone(&self.absences),
            open_digest: self.open_digest,
            size: self.size.max(written.size),
        }
    }

    /// This time, with those who are absent then.
    pub(in crate::app) fn moment(&self, now: Time) -> Moment<'_> {
        Moment { now, absences: &self.absences.absences }
    }

    /// Whether the caller may see the task.
    pub(in crate::app) fn is_open_to(&self, caller: &Caller) -> bool {
        may_see(caller, self.id(), (self.identity.partner_id, self.identity.buyer_id))
    }

    /// The task as this party sees it at this time.
    pub(in crate::app) fn task_view(&self, party: Party, at: Time) -> TaskView {
        let reader = Reader { party, moment: self.moment(at) };
        TaskView::new(&self.workflow, &self.identity, self.snapshot(), Some(self.head), reader)
    }
}

/// Reads tasks, with what is needed to decide on them.
#[derive(Debug)]
pub(in crate::app) struct Loader {
    pool: Pool,
    decisions: Pool,
    workflows: Arc<Workflows>,
    /// The absences of the tasks' partners.
    pub(super) absences: Arc<Absences>,
}

impl Loader {
    pub(in crate::app) fn new(base: &Base, (workflows, absences): (Arc<Workflows>, Arc<Absences>)) -> Self {
        Self { pool: base.pool.clone(), decisions: base.decisions.clone(), workflows, absences }
    }

    /// A task that the caller may see; other tasks do not exist for it.
    pub(in crate::app) async fn find_visible(&self, caller: &Caller, id: TaskId) -> Result<Loaded, Error> {
        self.visible(caller, id, self.load(id).await?).await
    }

    /// The same for a command, which does not queue behind reads.
    pub(in crate::app) async fn find_to_decide(&self, caller: &Caller, id: TaskId) -> Result<Loaded, Error> {
        self.visible(caller, id, self.load_to_decide(id).await?).await
    }

    /// The task, if the caller may see it, or why it is not there.
    async fn visible(&self, caller: &Caller, id: TaskId, found: Option<Loaded>) -> Result<Loaded, Error> {
        match found {
            Some(task) if task.is_open_to(caller) => Ok(task),
            Some(_) => Err(Error::NotFound),
            // Boxed, since it is rarely needed.
            None => Err(Box::pin(missing(&self.pool, caller, id)).await),
        }
    }

    /// Why a task is not there that this party's caller could see a moment ago.
    pub(in crate::app) async fn gone(&self, party: Party, id: TaskId) -> Error {
        Box::pin(gone(&self.pool, party, id)).await
    }

    /// Whether a task whose trail is empty was put away a moment ago; an error if so.
    pub(in crate::app) async fn still_there(&self, party: Party, id: TaskId) -> Result<(), Error> {
        let gone = self.gone(party, id).await;
        if matches!(gone, Error::NotFound) { Ok(()) } else { Err(gone) }
    }

    /// A task that was put away, if this was its id.
    pub(in crate::app) async fn find_archived(&self, id: TaskId) -> Result<Option<Archived>, Error> {
        let found = store::retention::find(&self.pool, id).await?;
        Ok(found.map(|record| shown(record, Party::Platform)))
    }

    /// A task, if it exists.
    pub(in crate::app) async fn load(&self, id: TaskId) -> Result<Option<Loaded>, Error> {
        self.load_through(&self.pool, id).await
    }

    /// The same for a command, which does not queue behind reads.
    pub(in crate::app) async fn load_to_decide(&self, id: TaskId) -> Result<Option<Loaded>, Error> {
        self.load_through(&self.decisions, id).await
    }

    async fn load_through(&self, pool: &Pool, id: TaskId) -> Result<Option<Loaded>, Error> {
        match store::tasks::find(pool, id).await? {
            Some(record) => Ok(Some(self.with_workflow(record).await?)),
            None => Ok(None),
        }
    }

    /// These tasks, each readable or not; missing ones are left out.
    pub(in crate::app) async fn load_all(&self, ids: &[TaskId]) -> Result<Vec<(TaskId, Result<Loaded, Error>)>, Error> {
        self.load_all_through(&self.pool, ids).await
    }

    /// The same for timers, which do not queue behind reads.
    pub(in crate::app) async fn load_all_to_decide(
        &self,
        ids: &[TaskId],
    ) -> Result<Vec<(TaskId, Result<Loaded, Error>)>, Error> {
        self.load_all_through(&self.decisions, ids).await
    }

    async fn load_all_through(
        &self,
        pool: &Pool,
        ids: &[TaskId],
    ) -> Result<Vec<(TaskId, Result<Loaded, Error>)>, Error> {
        let found = store::tasks::list(pool, ids).await?;
        let mut loaded = Vec::with_capacity(found.len());
        for (id, record) in found {
            let task = match record {
                Ok(record) => self.with_workflow(record).await,
                Err(error) => Err(error.into()),
            };
            loaded.push((id, task));
        }
        Ok(loaded)
    }

    /// A stored task with its pinned definition and the absences of its partner.
    pub(in crate::app) async fn with_workflow(&self, record: Record) -> Result<Loaded, Error> {
        let workflow = self.workflows.pinned(record.partner_id, &record.workflow).await?;
        let absences = self.absences.of_version(record.partner_id, record.absences_version).await?;
        let Record { partner_id, buyer_id, workflow: key, title, metadata, open_digest, snapshot, head, size, .. } =
            record;
        let identity = Arc::new(Identity { partner_id, buyer_id, workflow: key, title, metadata });
        Ok(Loaded { snapshot, head, workflow, identity, absences, open_digest, size })
    }
}
