//! The feed: every event that the caller may see, in an order that never changes, each with the status after it.
//!
//! **Order and horizon.** Rows are read in the order of their transactions, below the oldest one still running ([`find_horizon`]), so a
//! row that commits late is never behind a reader.
//!
//! **Cost.** A page of one partner looks at [`store::feed::WINDOW`] rows at most, whosever they are, and ends with the row that brings it to
//! [`PAGE_BYTES`]: rows, tasks and what is told of them are each cut there. The status after an event is the stored one
//! where it has not changed since; else the task's trail is folded up to there, once per task and page. A page that would
//! fold more than `FOLDED` rows ends before the task that is too much. So a page may be short, or empty, and have more behind it.
//!
//! **Places.** Where a reader goes on is a row of its own, or the end of a transaction: it names nobody else's task. It is always behind a row
//! that was committed, never at the horizon, as the database may give out a transaction number anew after a crash.
//!
//! **Waiting.** While somebody waits, one task per replica looks for what is new ([`look_while_followed`]), after own writes and otherwise every
//! `INTERVAL`: two statements, however many wait. It wakes those whose rows it finds, and gives them the horizon that it read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use crate::domain::audit;
use crate::domain::decide::Snapshot;
use crate::domain::feed::{Item, Told, WebhookDisabled};
use crate::domain::id::TaskId;
use crate::domain::pace::Course;
use crate::domain::party::Party;
use crate::domain::status::Status;
use crate::domain::webhook::Owner;
use crate::store;
use crate::store::PAGE_BYTES;
use crate::store::feed::{Item as Row, Notice};
use crate::store::horizon::find_horizon;

use super::tasks::Loaded;
use super::{App, Caller, Error, pace, tasks, trails, webhooks};

pub use crate::store::feed::Position;
pub use crate::store::horizon::Transaction;

/// How many rows of trails are folded for a page; more only where one task alone has more.
const FOLDED: u64 = 5_000;
/// Bytes of JSON with which a page ends: it has the item that reaches this, and none after it.
const MAX_BYTES: usize = PAGE_BYTES.unsigned_abs() as usize;
/// How many rows are looked at for whose they are; with more, all who wait are woken.
const LOOKED_AT: usize = 5_000;
/// How often the end of the feed is looked for while somebody waits.
const INTERVAL: Duration = Duration::from_millis(250);
/// The least time between two looks, however much is written.
const PAUSE: Duration = Duration::from_millis(100);

/// A part of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The events and notices, in order.
    pub items: Vec<Item>,
    /// Where to go on: nothing up to here is missing.
    pub next: Position,
    /// Whether there may be more already.
    pub more: bool,
    /// The present epoch.
    pub epoch: u64,
}

/// Up to `limit` events after `after` that the caller may see; where there are none, waits for some, at most for `wait`.
pub async fn list_events(
    app: &Arc<App>,
    caller: &Caller,
    mut after: Position,
    limit: usize,
    wait: Duration,
) -> Result<Page, Error> {
    let owner = webhooks::owner(caller).ok_or(Error::NotFound)?;
    let until = Instant::now() + wait;
    let _share = if wait.is_zero() { None } else { Some(app.shares.feed_waits.take(caller)?) };
    let mut horizon = find_horizon(&app.pool).await?;
    loop {
        // No row at or above a horizon was ever given out, and horizons only grow.
        if after.transaction >= horizon {
            return Err(Error::FeedRestored);
        }
        let mut page = page(app, owner, (after, horizon), limit).await?;
        if !page.items.is_empty() || page.more {
            return Ok(page);
        }
        match app.feed.wait(app, owner, horizon, until).await {
            Woken::News(newer) => (after, horizon) = (page.next, newer),
            Woken::Nothing { end } => {
                // What others have written meanwhile need not be looked at again.
                page.next = page.next.max(end.map_or(page.next, Position::after));
                return Ok(page);
            }
        }
    }
}

async fn page(
    app: &App,
    owner: Owner,
    (after, horizon): (Position, Transaction),
    limit: usize,
) -> Result<Page, Error> {
    let found = store::feed::list(&app.pool, (after, horizon), owner, limit).await?;
    let mut page = Page { items: Vec::new(), next: found.next, more: found.more, epoch: horizon.epoch };
    if found.rows.is_empty() {
        return Ok(page);
    }
    let rows = found.rows.iter().filter(|row| row.notice().is_none());
    let mut events = store::feed::load(&app.pool, rows.map(|row| (row.task_id, row.seq))).await?;
    let tasks = load_tasks(app, &events).await?;
    events.truncate(affordable(&events, &tasks));
    let mut told = tell(app, owner.party(), events, &tasks).await?.into_iter();
    let mut notices = notices(app, &found.rows).await?;
    for (index, row) in found.rows.iter().enumerate() {
        let item = match row.notice() {
            Some(id) => notices.remove(&id),
            None => told.next().map(|told| Item::Event(Box::new(told))),
        };
        match item {
            Some(item) => page.items.push(item),
            // Too much for one page: the next one begins here.
            None if index > 0 => {
                (page.next, page.more) = (found.rows[index - 1], true);
                break;
            }
            None => return Err(Error::impossible("a row of the feed that is gone")),
        }
    }
    Ok(page)
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

/// The event with this `seq` of a task, as a page of the feed tells it to this party: what a webhook delivers.
pub(super) async fn tell_one(app: &App, party: Party, row: (TaskId, u64)) -> Result<Told, Error> {
    let items = store::feed::load(&app.pool, std::iter::once(row)).await?;
    let tasks = load_tasks(app, &items).await?;
    let told = tell(app, party, items, &tasks).await?.pop();
    told.ok_or_else(|| Error::impossible("a delivery without its event"))
}

/// The tasks of these events; without the last ones, where they have more than a page's bytes.
async fn load_tasks(app: &App, items: &[Row]) -> Result<BTreeMap<TaskId, Loaded>, Error> {
    let mut known = BTreeSet::new();
    let ids: Vec<TaskId> = items.iter().map(|item| item.task_id).filter(|id| known.insert(*id)).collect();
    let tasks = tasks::load_for_page(app, &ids).await?;
    tasks.into_iter().map(|(id, task)| Ok((id, task?))).collect()
}

/// These items in their order, each with the status after it; up to the one that brings them to a page's bytes.
async fn tell(app: &App, party: Party, items: Vec<Row>, tasks: &BTreeMap<TaskId, Loaded>) -> Result<Vec<Told>, Error> {
    let mut presents = presents(app, &items, tasks).await?;
    let (mut all, mut bytes) = (Vec::with_capacity(items.len()), 0);
    for item in items {
        let task = tasks.get(&item.task_id).ok_or_else(|| Error::impossible("an event without its task"))?;
        let key = (item.task_id, item.last);
        let after = match presents.remove(&key) {
            Some(after) => after,
            None if is_present(&item, task) => (task.snapshot().status.clone(), Course::of(&task.snapshot().task)),
            // There were too many that are large.
            None => break,
        };
        let told = told(app, party, (task, &item), after.clone()).await?;
        bytes += size(&told);
        all.push(told);
        if bytes >= MAX_BYTES {
            break;
        }
        presents.insert(key, after);
    }
    Ok(all)
}

/// How many bytes of JSON it is.
fn size(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    // Nothing that is told can fail to be written.
    serde_json::to_writer(&mut counter, value).map_or(MAX_BYTES, |()| counter.0)
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn told(
    app: &App,
    party: Party,
    (task, item): (&Loaded, &Row),
    (status, course): (Status, Course),
) -> Result<Told, Error> {
    let event = &item.record.event;
    let partner = task.identity.partner_id;
    let version = (partner, &task.identity.workflow);
    // When an event was recorded that the reader may not see must not show in the status either.
    let at = audit::view(event, None, party).recorded_at.unwrap_or(status.updated_at);
    let status = pace::told(app, version, (status, &course), at).await?;
    Ok(Told::new((item.task_id, partner), (event, &item.record.sealed), status, party))
}

/// Whether the task's status is still the one after the item's transition.
fn is_present(item: &Row, task: &Loaded) -> bool {
    item.last >= task.snapshot().status.version
}

/// How many of the items can be told: up to the first whose task was not loaded, and without folding too much; at least one.
fn affordable(items: &[Row], tasks: &BTreeMap<TaskId, Loaded>) -> usize {
    let mut folded: BTreeMap<TaskId, u64> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        let task = tasks.get(&item.task_id);
        if task.is_some_and(|task| !is_present(item, task)) {
            folded.insert(item.task_id, item.last);
        }
        if index > 0 && (task.is_none() || folded.values().sum::<u64>() > FOLDED) {
            return index;
        }
    }
    items.len()
}

/// Status and course after those transitions that the tasks' present does not tell any more, by task and last `seq`: of the earliest items, as
/// far as they fit into a page.
async fn presents(
    app: &App,
    items: &[Row],
    tasks: &BTreeMap<TaskId, Loaded>,
) -> Result<BTreeMap<(TaskId, u64), (Status, Course)>, Error> {
    let (mut presents, mut bytes) = (BTreeMap::new(), 0);
    let mut wanted: Vec<(TaskId, BTreeSet<u64>)> = Vec::new();
    for item in items.iter().filter(|item| tasks.get(&item.task_id).is_some_and(|task| !is_present(item, task))) {
        match wanted.iter_mut().find(|(id, _)| *id == item.task_id) {
            Some((_, seqs)) => drop(seqs.insert(item.last)),
            None => wanted.push((item.task_id, BTreeSet::from([item.last]))),
        }
    }
    for (id, seqs) in wanted {
        let (Some(task), Some(until)) = (tasks.get(&id), seqs.last()) else { continue };
        if bytes >= MAX_BYTES {
            break;
        }
        let keep = |after: &Snapshot| {
            let last = after.task.version();
            if seqs.contains(&last) && bytes < MAX_BYTES {
                bytes += size(&after.status);
                presents.insert((id, last), (after.status.clone(), Course::of(&after.task)));
            }
        };
        trails::fold(app, (id, &task.workflow), *until, keep).await?;
    }
    Ok(presents)
}

/// The end of the feed, followed while somebody waits for it to go on.
#[derive(Debug, Default)]
pub(super) struct Tail {
    written: Notify,
    followed: Mutex<Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    /// How far was looked; none while nobody looks.
    looked: Option<Looked>,
    /// Those who wait, by whose rows they wait for: the horizon of the look that last found some.
    waiting: HashMap<Owner, watch::Sender<Transaction>>,
}

#[derive(Clone, Copy, Debug)]
struct Looked {
    /// All rows below are known of.
    horizon: Transaction,
    /// The last transaction that wrote one, since the looking began.
    end: Option<Transaction>,
}

/// What ended a wait.
enum Woken {
    /// There are rows of the owner below this horizon.
    News(Transaction),
    /// There are none, up to and with transaction `end`, if that is known; time is up, or the service is about to stop.
    Nothing { end: Option<Transaction> },
}

/// What a look has found.
enum News {
    /// Rows of these.
    Of(store::feed::News),
    /// Too much to say whose it is.
    OfAll,
}

impl Tail {
    /// Something was written here: the feed may have gone on.
    pub(super) fn look(&self) {
        self.written.notify_one();
    }

    /// Waits for rows of `owner` at the horizon `read` or beyond.
    async fn wait(&self, app: &Arc<App>, owner: Owner, read: Transaction, until: Instant) -> Woken {
        let mut stopping = pin!(app.stopping.notified());
        // Before the look at the flag, so that a drain in between is not missed.
        stopping.as_mut().enable();
        if app.is_draining() || Instant::now() >= until {
            return Woken::Nothing { end: None };
        }
        let mut news = match self.follow(app, owner, read) {
            Ok(news) => news,
            Err(newer) => return Woken::News(newer),
        };
        let found = tokio::select! {
            found = news.wait_for(|found| *found > read) => found.ok().map(|found| *found),
            () = sleep_until(until) => None,
            () = stopping => None,
        };
        let followed = self.followed();
        // Under the lock: what was found is all there is up to where was looked.
        let newest = *news.borrow();
        match found {
            Some(horizon) => Woken::News(horizon),
            None if newest > read => Woken::News(newest),
            None => Woken::Nothing { end: followed.looked.and_then(|looked| looked.end).filter(|end| *end >= read) },
        }
    }

    /// Sees to it that somebody looks for what is at `read` or beyond, for as long as what this gives is held; or the horizon up to which was
    /// looked already, if that is beyond.
    fn follow(
        &self,
        app: &Arc<App>,
        owner: Owner,
        read: Transaction,
    ) -> Result<watch::Receiver<Transaction>, Transaction> {
        let mut followed = self.followed();
        if let Some(looked) = followed.looked.filter(|looked| looked.horizon > read) {
            return Err(looked.horizon);
        }
        let news = followed.waiting.entry(owner).or_insert_with(|| watch::Sender::new(Transaction::NONE)).subscribe();
        if followed.looked.is_none() {
            followed.looked = Some(Looked { horizon: read, end: None });
            let app = Arc::clone(app);
            tokio::spawn(async move { look_while_followed(&app).await });
        }
        Ok(news)
    }

    /// From where on is to be looked; none if nobody waits any more, and then nobody looks.
    fn next_look(&self) -> Option<Transaction> {
        let mut followed = self.followed();
        followed.waiting.retain(|_, news| news.receiver_count() > 0);
        if followed.waiting.is_empty() {
            followed.looked = None;
        }
        followed.looked.map(|looked| looked.horizon)
    }

    /// Wakes those whom it concerns.
    fn tell(&self, horizon: Transaction, news: &News) {
        let mut followed = self.followed();
        for (owner, waiting) in &followed.waiting {
            let is_concerned = match news {
                News::Of(found) => found.owners.contains(owner),
                News::OfAll => true,
            };
            if is_concerned {
                waiting.send_replace(horizon);
            }
        }
        let earlier = followed.looked.and_then(|looked| looked.end);
        let end = if let News::Of(found) = news { found.end.max(earlier) } else { earlier };
        followed.looked = Some(Looked { horizon, end });
    }

    fn followed(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look_while_followed(app: &App) {
    while let Some(since) = app.feed.next_look() {
        match find_news(app, since).await {
            Ok(Some((horizon, news))) => app.feed.tell(horizon, &news),
            Ok(None) => {}
            // Those who wait are answered at the end of their time; their next request says what is wrong.
            Err(error) => tracing::debug!(error = %error, "the end of the feed was not found"),
        }
        sleep(PAUSE).await;
        tokio::select! {
            () = app.feed.written.notified() => {}
            () = sleep(INTERVAL) => {}
        }
    }
}

/// What is new from `since` on.
async fn find_news(app: &App, since: Transaction) -> Result<Option<(Transaction, News)>, store::Error> {
    let horizon = find_horizon(&app.pool).await?;
    if horizon == since {
        return Ok(None);
    }
    // A horizon that went back is that of a database that was restored: each finds out by itself.
    if horizon < since {
        return Ok(Some((horizon, News::OfAll)));
    }
    let found = store::feed::list_owners(&app.pool, (since, horizon), LOOKED_AT).await?;
    let news = if found.more { News::OfAll } else { News::Of(found) };
    Ok(Some((horizon, news)))
}
