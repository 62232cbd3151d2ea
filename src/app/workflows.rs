//! Workflows: registered by partners, immutable by version, cached without expiry.

use std::ops::ControlFlow;
use std::sync::Arc;

use moka::future::Cache;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::domain::partner::event::{self, PartnerFact};
use crate::domain::task::TagSecret;
use crate::domain::task::decide::Opening;
use crate::domain::task::event::WorkflowRef;
use crate::domain::task::simulate::{self, Script, Step};
use crate::domain::values::id::{PartnerId, TaskId, WorkflowKey};
use crate::domain::values::party::Sender;
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::domain::workflow::{Parsed, Workflow};
use crate::store;
use crate::store::Pool;
use crate::store::workflows::Registry;

use super::access::Caller;
use super::base::Base;
use super::error::Error;
use super::journal::Journal;
use super::shares::Shares;

pub use crate::store::workflows::Record;

/// Definitions by partner, key and version. They are immutable, so they are cached as long as there
/// is room.
type Definitions = Cache<(PartnerId, WorkflowRef), Arc<Workflow>>;

/// The memory limit of all cached definitions in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// The size of a definition besides its texts.
const OVERHEAD: u32 = 1024;

fn definitions() -> Definitions {
    Cache::builder().max_capacity(MAX_BYTES).weigher(|_, workflow: &Arc<Workflow>| weight(workflow)).build()
}

/// A definition takes about three times the size of its JSON in memory: most of it is short texts,
/// each allocated separately.
fn weight(workflow: &Workflow) -> u32 {
    u32::try_from(workflow.canonical_json().len()).unwrap_or(u32::MAX).saturating_mul(3).saturating_add(OVERHEAD)
}

/// The result of a registration.
#[derive(Debug)]
pub struct Registration {
    /// The version of this definition; in a dry run, the version that it would get.
    pub version: u32,
    /// Whether it is new.
    pub created: bool,
    /// The definition and its warnings.
    pub parsed: Parsed,
}

/// Options of a registration.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Whether nothing is stored.
    pub dry_run: bool,
    /// Whether the caller accepts this as the latest version so far; `None`: the workflow does not
    /// exist yet.
    pub may_follow: &'a (dyn Fn(Option<u32>) -> bool + Sync),
}

/// Adds a step to a report, or breaks off.
pub type Show<R> = fn(&mut R, Step<'_>) -> ControlFlow<()>;

/// The input of a simulation.
#[derive(Debug)]
pub struct Plan<S> {
    /// Who opens the task.
    pub sender: Sender,
    /// The workflow reference shown for the task.
    pub workflow: WorkflowRef,
    /// When the task is opened.
    pub opened_at: Time,
    /// The platform's deadline.
    pub deadline_at: Option<Time>,
    /// The commands.
    pub script: S,
    /// When the simulation ends.
    pub until: Time,
}

impl<S> Plan<S> {
    fn opening(&self, workflow: &Workflow) -> Opening {
        Opening {
            task_id: TaskId(uuid::Uuid::nil()),
            sender: self.sender.clone(),
            workflow: self.workflow.clone(),
            definition: workflow.digest(),
            title: Name::parse("Simulated task").expect("a short text"),
            metadata: None,
            deadline_at: self.deadline_at,
            tag_secret: TagSecret::SIMULATED,
        }
    }
}

/// The workflows, and the simulations of workflows.
#[derive(Debug)]
pub struct Workflows {
    pool: Pool,
    decisions: Pool,
    journal: Arc<Journal>,
    definitions: Definitions,
    simulations: Shares,
    dual_control: bool,
}

impl Workflows {
    pub(super) fn new(base: &Base, journal: Arc<Journal>) -> Self {
        let (pool, decisions) = (base.pool.clone(), base.decisions.clone());
        let (simulations, dual_control) = (base.shares.simulations.clone(), base.dual_control);
        Self { pool, decisions, journal, definitions: definitions(), simulations, dual_control }
    }

    /// Registers a definition. An identical one keeps its version; a changed one gets the next. A
    /// dry run stores nothing.
    pub async fn register_workflow(
        &self,
        caller: &Caller,
        (partner, key): (PartnerId, &WorkflowKey),
        definition: &Value,
        wanted: Wanted<'_>,
    ) -> Result<Registration, Error> {
        let parsed = Workflow::parse(definition).map_err(Error::Definition)?;
        let author = caller.author();
        let attempt = || async {
            let found = store::workflows::find_registered(&self.pool, partner, key).await?;
            let Registry { known, workflows, end } = found.ok_or(Error::NotFound)?;
            let latest = known.map(|known| known.version);
            if !(wanted.may_follow)(latest) {
                return Err(Error::WorkflowChanged(latest));
            }
            let registered = event::register(known, workflows, key, parsed.workflow.digest());
            let (version, facts) = registered.map_err(Error::Rejected)?;
            let created = known.is_none_or(|known| known.version != version);
            if wanted.dry_run || facts.is_empty() {
                return Ok(Some((version, created)));
            }
            let append = self.journal.append(&author, (partner, Some(&end)), facts);
            let saved = store::workflows::save(&self.pool, (key, version), &parsed.workflow, &append).await?;
            Ok(saved.then_some((version, created)))
        };
        let (version, created) = self.journal.retry_on_conflict(partner, attempt).await?;
        Ok(Registration { version, created, parsed })
    }

    /// A version of a workflow; the latest if none is named. Retired ones can be read.
    pub async fn get_workflow(
        &self,
        partner: PartnerId,
        key: &WorkflowKey,
        version: Option<u32>,
    ) -> Result<Record, Error> {
        store::workflows::find(&self.pool, partner, key, version).await?.ok_or(Error::NotFound)
    }

    /// Up to `limit` of a partner's workflows after the key `after`, by key.
    pub async fn list_workflows(
        &self,
        partner: PartnerId,
        after: Option<&WorkflowKey>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        Ok(store::workflows::list(&self.pool, partner, after, limit).await?)
    }

    /// Up to `limit` versions of a workflow below `before`, the latest first.
    pub async fn list_workflow_versions(
        &self,
        partner: PartnerId,
        key: &WorkflowKey,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        Ok(store::workflows::list_versions(&self.pool, partner, (key, before), limit).await?)
    }

    /// Retires a workflow: it takes no new tasks; running ones continue. Retiring it again changes
    /// nothing.
    pub async fn retire_workflow(&self, caller: &Caller, partner: PartnerId, key: &WorkflowKey) -> Result<(), Error> {
        let author = caller.author();
        let attempt = || async {
            let found = store::workflows::find_registered(&self.pool, partner, key).await?;
            let Registry { known: Some(known), end, .. } = found.ok_or(Error::NotFound)? else {
                return Err(Error::NotFound);
            };
            if known.is_retired {
                return Ok(Some(()));
            }
            let retired = vec![PartnerFact::WorkflowRetired { key: key.clone() }];
            let append = self.journal.append(&author, (partner, Some(&end)), retired);
            Ok(store::workflows::retire(&self.pool, key, &append).await?.then_some(()))
        };
        self.journal.retry_on_conflict(partner, attempt).await
    }

    /// Simulates a workflow with the commands of a script on a virtual clock; nothing is stored. `show`
    /// adds each step to `report`, until it breaks off. Runs on a thread of its own, a few at a
    /// time, and ends when the caller disconnects.
    pub async fn simulate_workflow<S: Script + Send + 'static, R: Send + 'static>(
        &self,
        caller: &Caller,
        (workflow, mut plan): (Workflow, Plan<S>),
        (mut report, show): (R, Show<R>),
    ) -> Result<R, Error> {
        let share = self.simulations.take(caller)?;
        let dual_control = self.dual_control;
        let (answer, played) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let _share = share;
            let opening = (plan.opening(&workflow), plan.opened_at);
            let script = (&mut plan.script as &mut dyn Script, dual_control);
            let result = simulate::simulate(&workflow, opening, script, plan.until, |step| {
                if answer.is_closed() { ControlFlow::Break(()) } else { show(&mut report, step) }
            });
            // If the caller is gone, the result is not needed.
            let _ = answer.send(result.map(|()| report).map_err(Error::Rejected));
        });
        played.await.unwrap_or_else(|_| Err(Error::impossible("a simulation that panics")))
    }

    /// A version that tasks can be opened on: it exists and is not retired.
    pub(super) async fn for_opening(
        &self,
        partner: PartnerId,
        key: &WorkflowKey,
        version: Option<u32>,
    ) -> Result<Record, Error> {
        let found = store::workflows::find(&self.decisions, partner, key, version).await?;
        found.filter(|found| found.retired_at.is_none()).ok_or(Error::WorkflowUnavailable)
    }

    /// The definition that a task is pinned to. It is immutable, so it is cached as long as there
    /// is room.
    pub(super) async fn pinned(&self, partner: PartnerId, pinned: &WorkflowRef) -> Result<Arc<Workflow>, Error> {
        let key = (partner, pinned.clone());
        let load = async {
            let found = store::workflows::find(&self.decisions, partner, &pinned.key, Some(pinned.version)).await?;
            found.map(|found| Arc::new(found.workflow)).ok_or_else(|| {
                let key = format!("{partner}/{}/{}", pinned.key, pinned.version);
                store::Error::impossible("workflow_versions", key, "a task is pinned to it and it is not there")
            })
        };
        self.definitions.try_get_with(key, load).await.map_err(|error: Arc<store::Error>| Error::from(error))
    }
}
