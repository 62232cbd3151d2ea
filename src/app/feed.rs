//! The feed: every event that the caller may see, in a fixed order, each with the status after it.
//!
//! **Order and horizon.** Rows are read in the order of their transactions, below the oldest
//! transaction still running ([`find_horizon`]). So a row that commits late never appears behind a
//! reader's position.
//!
//! **Cost.** A page for one partner examines at most [`store::feed::WINDOW`] rows of all partners.
//! The status after an event is the stored one if it has not changed since; otherwise the task's
//! trail is folded up to there, once per task and page. A page that would fold more than `FOLDED`
//! rows ends before the task that exceeds the limit, and a page ends with the row that completes a
//! megabyte of stored text. So a page can be short or empty although there are more events.
//!
//! **Positions.** A reader's position is one of its own rows, or the beginning or end of a
//! transaction, so it reveals no other party's task. That transaction is committed, and it is never
//! the horizon, whose number the database may reuse after a crash.
//!
//! **Waiting.** Waiting readers cost nothing until there is an event for them; [`tail`] looks for
//! all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::audit;
use crate::domain::feed::{Item, RenderedEvent, UnreadableEvent, WebhookDisabled};
use crate::domain::task::decide::Snapshot;
use crate::domain::task::forecast::Timeline;
use crate::domain::task::status::Status;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::TaskId;
use crate::domain::values::party::Party;
use crate::domain::webhook::Owner;
use crate::store;
use crate::store::db::horizon::find_horizon;
use crate::store::feed::{Item as Row, Notice};
use crate::store::tasks::events::Record;

use self::tail::Woken;
use super::access::owner;
use super::tasks::{Loaded, replay};
use super::{App, Caller, Error};

pub mod tail;

pub use crate::store::db::horizon::Transaction;
pub use crate::store::feed::Position;

/// How many rows of trails are folded per page; more only if a single task has more.
const FOLDED: u64 = 5_000;

/// A page of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The events and notices, in order.
    pub items: Vec<Item>,
    /// The position after this page: nothing up to it is missing.
    pub next: Position,
    /// Whether there may already be more.
    pub more: bool,
    /// The current epoch.
    pub epoch: u64,
}

/// Up to `limit` events after `after` that the caller may see. If there are none, waits up to
/// `wait` for some.
pub async fn list_events(
    app: &App,
    caller: &Caller,
    mut after: Position,
    limit: usize,
    wait: Duration,
) -> Result<Page, Error> {
    let owner = owner(caller).ok_or(Error::NotFound)?;
    let until = Instant::now() + wait;
    let _share = if wait.is_zero() { None } else { Some(app.shares.feed_waits.take(caller)?) };
    let (mut horizon, mut follower) = (find_horizon(&app.pool).await?, None);
    // No reader has seen a row at or above a horizon, and horizons only grow.
    if after.transaction >= horizon {
        return Err(Error::FeedRestored);
    }
    loop {
        let mut page = page(app, owner, (after, horizon), limit).await?;
        if !page.items.is_empty() || page.more || Instant::now() >= until {
            return Ok(page);
        }
        let follower = follower.get_or_insert_with(|| app.feed.follow(owner));
        match follower.wait(app, horizon, until).await {
            Woken::News { horizon: newer, passed } => (after, horizon) = (behind(page.next, passed), newer),
            Woken::Nothing { passed } => {
                page.next = behind(page.next, passed);
                return Ok(page);
            }
        }
    }
}

/// The next position, after rows that others wrote meanwhile, so that they are not examined again.
fn behind(next: Position, passed: Option<Transaction>) -> Position {
    passed.filter(|passed| *passed > next.transaction).map_or(next, Position::after)
}

async fn page(app: &App, owner: Owner, (after, horizon): (Position, Transaction), limit: usize) -> Result<Page, Error> {
    let mut found = store::feed::list(&app.pool, (after, horizon), owner, limit).await?;
    let mut page = Page { items: Vec::new(), next: found.next, more: found.more, epoch: horizon.epoch };
    if found.rows.is_empty() {
        return Ok(page);
    }
    let wanted: Vec<(TaskId, u64)> =
        found.rows.iter().filter(|row| row.notice().is_none()).map(|row| (row.task_id, row.seq)).collect();
    let mut events = store::feed::load(&app.pool, &wanted).await?;
    let tasks = load_tasks(app, &events).await?;
    let fits = affordable(&events, &tasks);
    if let Some(first) = wanted.get(fits) {
        let cut = found.rows.iter().position(|row| (row.task_id, row.seq) == *first);
        found.rows.truncate(cut.unwrap_or_default());
        (page.next, page.more) = (found.rows.last().copied().unwrap_or(after), true);
        events.truncate(fits);
    }
    let mut rendered = render_all(app, owner.party(), events, &tasks).await?.into_iter();
    let mut notices = notices(app, &found.rows).await?;
    let mut passed = after;
    for row in &found.rows {
        let item = match row.notice() {
            Some(id) => notices.remove(&id),
            None => match rendered.next() {
                Some(rendered) => match event(row, rendered) {
                    Ok(item) => Some(item),
                    Err(error) if page.items.is_empty() => return Err(error),
                    // The page ends before it. A reader that continues from there reaches a replica
                    // that can read it, or is asked to retry.
                    Err(_) => {
                        (page.next, page.more) = (passed, true);
                        return Ok(page);
                    }
                },
                None => None,
            },
        };
        page.items.push(item.ok_or_else(|| Error::impossible("a row of the feed that is gone"))?);
        passed = *row;
    }
    Ok(page)
}

/// The item for an event. A damaged event gets a placeholder, since the reader could otherwise
/// never continue. An event of a newer format gets none: a newer replica can read it, and a reader
/// that skipped it would lose it.
fn event(row: &Position, rendered: Result<RenderedEvent, Error>) -> Result<Item, Error> {
    let error = match rendered {
        Ok(rendered) => return Ok(Item::Event(Box::new(rendered))),
        Err(error) => error,
    };
    let unreadable = error.clone().unreadable()?;
    if unreadable == Unreadable::NewerFormat {
        return Err(error);
    }
    let (kind, task_id, seq) = (UnreadableEvent::TYPE, row.task_id, row.seq);
    Ok(Item::Unreadable(UnreadableEvent { kind, task_id, seq, unreadable }))
}

/// The notices among these rows, by id.
async fn notices(app: &App, rows: &[Position]) -> Result<BTreeMap<Uuid, Item>, Error> {
    let ids: Vec<Uuid> = rows.iter().filter_map(Position::notice).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let notices = store::feed::load_notices(&app.pool, &ids).await?;
    let item = |Notice { id, endpoint, reason, recorded_at }| {
        let notice = WebhookDisabled { id, kind: WebhookDisabled::TYPE, webhook: endpoint, reason, recorded_at };
        (id, Item::WebhookDisabled(notice))
    };
    Ok(notices.into_iter().map(item).collect())
}

/// The event `seq` of a task as the feed shows it to this party, for delivery by a webhook.
pub(super) async fn render_one(app: &App, party: Party, row: (TaskId, u64)) -> Result<RenderedEvent, Error> {
    let items = store::feed::load(&app.pool, &[row]).await?;
    let tasks = load_tasks(app, &items).await?;
    let rendered = render_all(app, party, items, &tasks).await?.pop();
    rendered.ok_or_else(|| Error::impossible("a delivery without its event"))?
}

/// The tasks of the items, each readable or not.
type Tasks = BTreeMap<TaskId, Result<Loaded, Error>>;

async fn load_tasks(app: &App, items: &[Row]) -> Result<Tasks, Error> {
    let mut ids: Vec<TaskId> = items.iter().map(|item| item.task_id).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(app.loader.load_all(&ids).await?.into_iter().collect())
}

/// The items in order, each with the status after it; an unreadable one is an error of its own. An
/// outage fails all of them.
async fn render_all(
    app: &App,
    party: Party,
    items: Vec<Row>,
    tasks: &Tasks,
) -> Result<Vec<Result<RenderedEvent, Error>>, Error> {
    let presents = presents(app, &items, tasks).await?;
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        let rendered = render_item(app, party, item, (tasks, &presents)).await;
        all.push(match rendered {
            Err(error) if error.is_outage() => return Err(error),
            rendered => rendered,
        });
    }
    Ok(all)
}

async fn render_item(
    app: &App,
    party: Party,
    item: Row,
    (tasks, presents): (&Tasks, &Presents),
) -> Result<RenderedEvent, Error> {
    let (task_id, last) = (item.task_id, item.last);
    let task = tasks.get(&task_id).ok_or_else(|| Error::impossible("an event without its task"))?;
    let task = task.as_ref().map_err(Error::clone)?;
    let record = item.record?;
    let after = match presents.get(&(task_id, last)) {
        Some(after) => after.clone()?,
        None => (task.snapshot().status.clone(), Timeline::of(&task.snapshot().task)),
    };
    render(app, party, (task, &record), after).await
}

async fn render(
    app: &App,
    party: Party,
    (task, record): (&Loaded, &Record),
    (status, course): (Status, Timeline),
) -> Result<RenderedEvent, Error> {
    let event = &record.event;
    let partner = task.identity.partner_id;
    let version = (partner, &task.identity.workflow);
    // If the reader may not see an event, the status must not reveal its time either.
    let at = audit::view(event, None, party).recorded_at.unwrap_or(status.updated_at);
    let status = app.forecasts.as_recorded(version, (status, &course), at).await?;
    Ok(RenderedEvent::new((task.id(), partner), (event, &record.sealed), status, party))
}

/// Whether the task's status is still the one after the item's transition.
fn is_present(item: &Row, task: &Loaded) -> bool {
    item.last >= task.snapshot().status.version
}

/// How many of the items can be rendered within the folding limit; at least one.
fn affordable(items: &[Row], tasks: &Tasks) -> usize {
    let mut folded: BTreeMap<TaskId, u64> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(Ok(task)) = tasks.get(&item.task_id)
            && !is_present(item, task)
        {
            folded.insert(item.task_id, item.last);
        }
        if index > 0 && folded.values().sum::<u64>() > FOLDED {
            return index;
        }
    }
    items.len()
}

/// Status and timeline after transitions, by task and last `seq`; or why the trail cannot be read
/// up to there.
type Presents = BTreeMap<(TaskId, u64), Result<(Status, Timeline), Error>>;

/// The statuses after transitions that the tasks' stored status no longer reflects.
async fn presents(app: &App, items: &[Row], tasks: &Tasks) -> Result<Presents, Error> {
    let mut presents = BTreeMap::new();
    for (id, task) in tasks {
        let Ok(task) = task else { continue };
        let past = items.iter().filter(|item| item.task_id == *id && !is_present(item, task));
        let wanted: Vec<u64> = past.map(|item| item.last).collect();
        let Some(until) = wanted.iter().max() else { continue };
        let mut after = |present: &Snapshot| {
            let last = present.task.version();
            if wanted.contains(&last) {
                presents.insert((*id, last), Ok((present.status.clone(), Timeline::of(&present.task))));
            }
        };
        match replay::fold(&app.decisions, (*id, &task.workflow), *until, &mut after).await {
            Ok(_) => {}
            Err(error) if error.is_outage() => return Err(error),
            Err(error) => presents.extend(wanted.iter().map(|last| ((*id, *last), Err(error.clone())))),
        }
    }
    Ok(presents)
}
