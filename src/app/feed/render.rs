//! Renders events as the feed shows them, for its readers and for webhooks.
//!
//! The status after an event is the stored one if it has not changed since; otherwise the task's
//! trail is folded up to there, once per task.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::status::forecast::Forecasts;
use crate::app::tasks::fold;
use crate::app::tasks::load::{Loaded, Loader};
use crate::domain::audit;
use crate::domain::feed::RenderedEvent;
use crate::domain::task::forecast::Timeline;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::status::Status;
use crate::domain::values::id::TaskId;
use crate::domain::values::party::Party;
use crate::store::feed::Item as Row;
use crate::store::tasks::events::Record;
use crate::store::{self, Pool};

use super::folds::Folds;

/// How many rows of trails are folded per page; more only if a single task has more.
const FOLDED: u64 = 5_000;

/// The tasks of the items, each readable or not.
pub(super) type Tasks = BTreeMap<TaskId, Result<Known, Error>>;

/// A task, and where folding its trail begins for the past items.
#[derive(Debug)]
pub(super) struct Known {
    task: Loaded,
    /// The state after an earlier transition; `None`: the beginning of the trail.
    start: Option<Snapshot>,
}

impl Known {
    /// Whether the task's status is still the one after the item's transition.
    fn is_present(&self, item: &Row) -> bool {
        item.last >= self.task.snapshot().status.version
    }

    /// How many rows must be folded for this item.
    fn distance(&self, item: &Row) -> u64 {
        item.last.saturating_sub(self.start.as_ref().map_or(0, |start| start.task.version()))
    }
}

/// Status and timeline after transitions, by task and last `seq`; or why the trail cannot be read
/// up to there.
type Presents = BTreeMap<(TaskId, u64), Result<(Status, Timeline), Error>>;

/// Renders events.
#[derive(Debug)]
pub(in crate::app) struct Renderer {
    pool: Pool,
    loader: Arc<Loader>,
    forecasts: Arc<Forecasts>,
    folds: Folds,
}

impl Renderer {
    pub(in crate::app) fn new(base: &Base, loader: Arc<Loader>, forecasts: Arc<Forecasts>) -> Self {
        Self { pool: base.pool.clone(), loader, forecasts, folds: Folds::default() }
    }

    /// The event `seq` of a task as the feed shows it to this party, for delivery by a webhook.
    pub(in crate::app) async fn render_one(&self, party: Party, row: (TaskId, u64)) -> Result<RenderedEvent, Error> {
        let items = store::feed::load(&self.pool, &[row]).await?;
        let tasks = self.load_tasks(&items).await?;
        let rendered = self.render_all(party, items, &tasks).await?.pop();
        rendered.ok_or_else(|| Error::impossible("a delivery without its event"))?
    }

    /// The tasks of the items.
    pub(super) async fn load_tasks(&self, items: &[Row]) -> Result<Tasks, Error> {
        let mut ids: Vec<TaskId> = items.iter().map(|item| item.task_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut tasks = Tasks::new();
        for (id, task) in self.loader.load_all(&ids).await? {
            let known = match task {
                Ok(task) => Ok(self.with_start(task, items).await?),
                Err(error) => Err(error),
            };
            tasks.insert(id, known);
        }
        Ok(tasks)
    }

    async fn with_start(&self, task: Loaded, items: &[Row]) -> Result<Known, Error> {
        let mut known = Known { task, start: None };
        let past = items.iter().filter(|item| item.task_id == known.task.id() && !known.is_present(item));
        if let Some(first) = past.map(|item| item.last).min() {
            known.start = self.folds.find(&self.pool, &known.task, first).await?;
        }
        Ok(known)
    }

    /// The items in order, each with the status after it; an unreadable one is an error of its own.
    /// An outage fails all of them.
    pub(super) async fn render_all(
        &self,
        party: Party,
        items: Vec<Row>,
        tasks: &Tasks,
    ) -> Result<Vec<Result<RenderedEvent, Error>>, Error> {
        let presents = self.presents(&items, tasks).await?;
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            let rendered = self.render_item(party, item, (tasks, &presents)).await;
            all.push(match rendered {
                Err(error) if error.is_outage() => return Err(error),
                rendered => rendered,
            });
        }
        Ok(all)
    }

    async fn render_item(
        &self,
        party: Party,
        item: Row,
        (tasks, presents): (&Tasks, &Presents),
    ) -> Result<RenderedEvent, Error> {
        let (task_id, last) = (item.task_id, item.last);
        let task = tasks.get(&task_id).ok_or_else(|| Error::impossible("an event without its task"))?;
        let Known { task, .. } = task.as_ref().map_err(Error::clone)?;
        let record = item.record?;
        let after = match presents.get(&(task_id, last)) {
            Some(after) => after.clone()?,
            None => (task.snapshot().status.clone(), Timeline::of(&task.snapshot().task)),
        };
        self.render(party, (task, &record), after).await
    }

    async fn render(
        &self,
        party: Party,
        (task, record): (&Loaded, &Record),
        (status, course): (Status, Timeline),
    ) -> Result<RenderedEvent, Error> {
        let event = &record.event;
        let partner = task.identity.partner_id;
        let version = (partner, &task.identity.workflow);
        // If the reader may not see an event, the status must not reveal its time either.
        let at = audit::view(event, None, party).recorded_at.unwrap_or(status.updated_at);
        let status = self.forecasts.as_recorded(version, (status, &course), at).await?;
        Ok(RenderedEvent::new((task.id(), partner), (event, &record.sealed), status, party))
    }

    /// The statuses after transitions that the tasks' stored status no longer reflects.
    async fn presents(&self, items: &[Row], tasks: &Tasks) -> Result<Presents, Error> {
        let mut presents = BTreeMap::new();
        for (id, known) in tasks {
            let Ok(known) = known else { continue };
            let past = items.iter().filter(|item| item.task_id == *id && !known.is_present(item));
            let wanted: Vec<u64> = past.map(|item| item.last).collect();
            let Some(until) = wanted.iter().max() else { continue };
            let mut after = |present: &Snapshot| {
                let last = present.task.version();
                if wanted.contains(&last) {
                    presents.insert((*id, last), Ok((present.status.clone(), Timeline::of(&present.task))));
                }
            };
            known.start.iter().for_each(&mut after);
            let (task, start) = (&known.task, known.start.clone());
            match fold::fold(&self.pool, (*id, &task.workflow), start, *until, &mut after).await {
                Ok(Some(present)) => self.folds.keep(task, known.start.as_ref(), present).await,
                Ok(None) => {}
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => presents.extend(wanted.iter().map(|last| ((*id, *last), Err(error.clone())))),
            }
        }
        Ok(presents)
    }
}

/// How many of the items can be rendered within the folding limit; at least one.
pub(super) fn affordable(items: &[Row], tasks: &Tasks) -> usize {
    let mut folded: BTreeMap<TaskId, u64> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(Ok(known)) = tasks.get(&item.task_id)
            && !known.is_present(item)
        {
            folded.insert(item.task_id, known.distance(item));
        }
        if index > 0 && folded.values().sum::<u64>() > FOLDED {
            return index;
        }
    }
    items.len()
}
