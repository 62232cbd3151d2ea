//! Statistics of closed tasks. They are counted on demand, a few at a time.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::domain::analytics::{self, DEFAULT_SPAN_SECONDS, MAX_TASKS, Subject};
use crate::domain::task::event::WorkflowRef;
use crate::domain::values::id::{PartnerId, WorkflowKey};
use crate::domain::values::time::Time;
use crate::store::{self, Pool};

use super::access::Caller;
use super::base::Base;
use super::error::Error;
use super::shares::Shares;
use super::workflows::Workflows;

/// Which tasks are counted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose workflow.
    pub partner_id: PartnerId,
    /// The workflow.
    pub key: WorkflowKey,
    /// The version; `None`: the latest.
    pub version: Option<u32>,
    /// The start of the span.
    pub from: Time,
    /// Its end.
    pub until: Time,
}

/// Counts what closed tasks left.
#[derive(Debug)]
pub struct Analytics {
    pool: Pool,
    clock: Clock,
    shares: Shares,
    workflows: Arc<Workflows>,
}

impl Analytics {
    pub(super) fn new(base: &Base, workflows: Arc<Workflows>) -> Self {
        Self { pool: base.pool.clone(), clock: base.clock.clone(), shares: base.shares.analytics.clone(), workflows }
    }

    /// The span of time with what was left out: until now, and 30 days long.
    pub fn span(&self, from: Option<Time>, until: Option<Time>) -> (Time, Time) {
        let until = until.unwrap_or_else(|| self.clock.now());
        (from.unwrap_or(until - TimeDelta::seconds(DEFAULT_SPAN_SECONDS)), until)
    }

    /// The statistics of a workflow version. The caller may see that partner's tasks.
    pub async fn get_workflow_analytics(&self, caller: &Caller, wanted: Wanted) -> Result<analytics::Analytics, Error> {
        let Wanted { partner_id, key, version, from, until } = wanted;
        let found = self.workflows.get_workflow(partner_id, &key, version).await?;
        let _share = self.shares.take(caller)?;
        let subject = Subject { partner_id, workflow: WorkflowRef { key, version: found.version }, from, until };
        let figures = store::analytics::count(&self.pool, &subject, MAX_TASKS).await?;
        Ok(analytics::Analytics::new(subject, &found.workflow, figures))
    }
}
