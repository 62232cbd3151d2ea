//! The feed: every event that the caller may see, in a fixed order, each with the status after it.
//!
//! **Order and horizon.** Rows are read in the order of their transactions, below the oldest
//! transaction still running ([`find_horizon`]). So a row that commits late never appears behind a
//! reader's position.
//!
//! **Cost.** A page for one partner examines at most [`store::feed::WINDOW`] rows of all partners.
//! The status after an event is the stored one if it has not changed since; otherwise the task's
//! trail is folded up to there, once per task and page, from where an earlier page came to
//! (`folds`). A page that would fold more than `FOLDED` rows ends before the task that exceeds
//! the limit, and a page ends with the row that completes a megabyte of stored text. So a page can
//! be short or empty although there are more events.
//!
//! **Positions.** A reader's position is one of its own rows, or the beginning or end of a
//! transaction, so it reveals no other party's task. That transaction is committed, and it is never
//! the horizon, whose number the database may reuse after a crash.
//!
//! **What has left.** Events leave the feed with tasks that are put away. A reader whose position is
//! before such an event may have missed it, so its request is refused. A reader that began at the
//! start is an exception while it catches up ([`Bookmark::began`]): only what it could not have
//! read from the beginning of its reading on counts.
//!
//! **Waiting.** Waiting readers cost nothing until there is an event for them; [`tail`] looks for
//! all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::domain::feed::{Item, RenderedEvent, UnreadableEvent, WebhookDisabled};
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{NoticeId, TaskId};
use crate::domain::webhook::Owner;
use crate::store::db::horizon::find_horizon;
use crate::store::feed::{Found, Item as Row, Notice, RowKey, Standing, Start};
use crate::store::{self, Pool};

use self::render::{Renderer, affordable};
use self::tail::{Follower, Tail, Target, Woken};
use super::access::{Caller, owner};
use super::base::Base;
use super::commits::Commits;
use super::contention::MAX_ATTEMPTS;
use super::error::Error;
use super::shares::{Share, Shares};

mod folds;
pub(in crate::app) mod render;
pub mod tail;

pub use crate::store::db::horizon::Transaction;
pub use crate::store::feed::Position;

/// Where a reader of the feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// Everything up to here was read.
    pub position: Position,
    /// The horizon as the reader began at the start, as long as it has not come so far. Of the
    /// events before it, the reader gets those that are still there as it passes.
    pub began: Option<Transaction>,
}

impl Bookmark {
    /// The start of the feed.
    pub const START: Self = Self { position: Position::START, began: None };

    /// Whether the reader may have missed an event that has left the feed.
    fn is_expired(self, start: Option<Start>) -> bool {
        start.is_some_and(|start| {
            self.position < start.position && self.began.is_none_or(|began| began <= start.position.transaction)
        })
    }

    /// The same reader at a later position.
    fn moved(self, position: Position) -> Self {
        Self { position, began: self.began.filter(|began| position.transaction < *began) }
    }
}

/// The pause before a server is read again that is behind the one that was read before.
const CATCHING_UP: Duration = Duration::from_millis(250);

/// A page of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The events and notices, in order.
    pub items: Vec<Item>,
    /// Where the reader is after this page: nothing up to there is missing.
    pub next: Bookmark,
    /// Whether there may already be more.
    pub more: bool,
    /// The current epoch.
    pub epoch: u64,
}

/// The feed.
#[derive(Debug)]
pub struct Feed {
    /// The end of the feed, for waiting readers.
    pub tail: Tail,
    pool: Pool,
    waits: Shares,
    /// The waits of pages count like those for statuses.
    watchers: Shares,
    renderer: Arc<Renderer>,
}

/// Follows the events of one caller, for pages that show what they change.
#[derive(Debug)]
pub struct News<'a> {
    feed: &'a Feed,
    follower: Follower,
    /// Rows below it were there before.
    read: Transaction,
    _share: Share,
}

impl News<'_> {
    /// Waits until there may be an event since the last wait, or since the start. `false`: the time
    /// is over, or the service is about to stop.
    pub async fn wait(&mut self, until: Instant) -> bool {
        match self.follower.wait(&self.feed.tail, self.read, until).await {
            Woken::News { horizon, .. } => {
                self.read = horizon;
                true
            }
            Woken::Nothing { .. } => false,
        }
    }
}

impl Feed {
    pub(super) fn new(base: &Base, renderer: Arc<Renderer>, commits: Arc<Commits>) -> Self {
        let (waits, watchers) = (base.shares.feed_waits.clone(), base.shares.watchers.clone());
        Self { tail: Tail::new(base, commits), pool: base.pool.clone(), waits, watchers, renderer }
    }

    /// Up to `limit` events after `after` that the caller may see. If there are none, waits up to
    /// `wait` for some.
    pub async fn list_events(
        &self,
        caller: &Caller,
        mut after: Bookmark,
        limit: usize,
        wait: Duration,
    ) -> Result<Page, Error> {
        let owner = owner(caller).ok_or(Error::NotFound)?;
        let until = Instant::now() + wait;
        let _share = if wait.is_zero() { None } else { Some(self.waits.take(caller)?) };
        let (mut follower, mut told) = (None, Transaction::NONE);
        loop {
            let (horizon, mut page) = self.page_in_peace(owner, after, limit).await?;
            if !page.items.is_empty() || page.more || Instant::now() >= until {
                return Ok(page);
            }
            if horizon < told {
                // The address leads to another standby by now, which has not replayed that far.
                sleep(CATCHING_UP).await;
            }
            let follower = follower.get_or_insert_with(|| self.tail.follow(Target::Owner(owner)));
            match follower.wait(&self.tail, horizon, until).await {
                Woken::News { horizon, passed } => {
                    (after, told) = (page.next.moved(behind(page.next.position, passed)), horizon);
                }
                Woken::Nothing { passed } => {
                    page.next = page.next.moved(behind(page.next.position, passed));
                    return Ok(page);
                }
            }
        }
    }

    /// Starts to follow the caller's events, or those of one task, which the caller must be allowed to
    /// see: what is written from now on ends a wait.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyAtOnce`] if the caller has as many waits as it may have.
    pub async fn follow(&self, caller: &Caller, task: Option<TaskId>) -> Result<News<'_>, Error> {
        let owner = owner(caller).ok_or(Error::NotFound)?;
        let share = self.watchers.take(caller)?;
        let follower = self.tail.follow(task.map_or(Target::Owner(owner), Target::Task));
        Ok(News { feed: self, follower, read: find_horizon(&self.pool).await?, _share: share })
    }

    /// A page during which no events left the feed, and the horizon below which it was read.
    async fn page_in_peace(&self, owner: Owner, after: Bookmark, limit: usize) -> Result<(Transaction, Page), Error> {
        for _ in 0..MAX_ATTEMPTS {
            let found = store::feed::list(&self.pool, after.position, owner, limit).await?;
            let horizon = found.horizon;
            let epoch = match found.standing {
                Standing::Below => horizon.epoch,
                // A reader that has seen more than a standby has also seen its epoch, which never falls.
                Standing::NotReplayed => after.position.transaction.epoch.max(horizon.epoch),
                // No reader has seen a row at or above the horizon of a primary, and horizons only grow.
                Standing::Lost => return Err(Error::FeedRestored),
            };
            let is_first = after.position == Position::START;
            let reader = if is_first { Bookmark { began: Some(horizon), ..after } } else { after };
            let start = found.start;
            if reader.is_expired(start) {
                return Err(Error::CursorExpired);
            }
            if found.rows.is_empty() {
                let next = reader.moved(found.next);
                return Ok((horizon, Page { items: Vec::new(), next, more: found.more, epoch }));
            }
            let page = self.page(owner, (reader, epoch), found).await;
            if start == store::feed::find_start(&self.pool, owner).await? {
                match page {
                    Ok(Some(page)) => return Ok((horizon, page)),
                    // Rows left before the start was read.
                    Ok(None) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Err(Error::contended())
    }

    /// The page with these rows; `None` if some have left the feed since they were found.
    async fn page(&self, owner: Owner, (reader, epoch): (Bookmark, u64), found: Found) -> Result<Option<Page>, Error> {
        let (after, mut rows) = (reader.position, found.rows);
        let mut page = Page { items: Vec::new(), next: reader.moved(found.next), more: found.more, epoch };
        let event_of = |key: RowKey| match key {
            RowKey::Event { task_id, seq } => Some((task_id, seq)),
            RowKey::Notice(_) => None,
        };
        let wanted: Vec<(TaskId, u64)> = rows.iter().filter_map(|(_, key)| event_of(*key)).collect();
        let mut events = store::feed::load(&self.pool, &wanted).await?;
        let is_there = |(event, wanted): &(&Row, &(TaskId, u64))| (event.task_id, event.seq) == **wanted;
        let same = events.iter().zip(&wanted).take_while(is_there).count();
        if same < events.len() || (events.is_empty() && !wanted.is_empty()) {
            if !self.pool.is_read_only() {
                return Ok(None);
            }
            // The address may lead to another standby by now, which lacks some of the rows. The page then
            // ends before the first one.
            events.truncate(same);
        }
        let tasks = self.renderer.load_tasks(&events).await?;
        let fits = affordable(&events, &tasks);
        if let Some(first) = wanted.get(fits) {
            let cut = rows.iter().position(|(_, key)| event_of(*key) == Some(*first));
            rows.truncate(cut.unwrap_or_default());
            (page.next, page.more) = (reader.moved(rows.last().copied().map_or(after, Position::at)), true);
            events.truncate(fits);
        }
        let mut rendered = self.renderer.render_all(owner.party(), events, &tasks).await?.into_iter();
        let mut notices = self.notices(&rows).await?;
        let mut passed = after;
        for row in rows {
            let item = match row.1 {
                RowKey::Notice(id) => notices.remove(&id),
                RowKey::Event { task_id, seq } => match rendered.next() {
                    Some(rendered) => match event((task_id, seq), rendered) {
                        Ok(item) => Some(item),
                        Err(error) if page.items.is_empty() => return Err(error),
                        // The page ends before it. A reader that continues from there reaches a
                        // replica that can read it, or is asked to retry.
                        Err(_) => {
                            (page.next, page.more) = (reader.moved(passed), true);
                            return Ok(Some(page));
                        }
                    },
                    None => None,
                },
            };
            page.items.push(item.ok_or_else(|| Error::impossible("a row of the feed that is gone"))?);
            passed = Position::at(row);
        }
        Ok(Some(page))
    }

    /// The notices among these rows, by id.
    async fn notices(&self, rows: &[(Transaction, RowKey)]) -> Result<BTreeMap<NoticeId, Item>, Error> {
        let notice_of = |(_, key): &(Transaction, RowKey)| match key {
            RowKey::Notice(id) => Some(*id),
            RowKey::Event { .. } => None,
        };
        let ids: Vec<NoticeId> = rows.iter().filter_map(notice_of).collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let notices = store::feed::load_notices(&self.pool, &ids).await?;
        let item = |Notice { id, endpoint, reason, recorded_at }| {
            let (item, kind) = (WebhookDisabled::ITEM, WebhookDisabled::TYPE);
            let notice = WebhookDisabled { id, item, kind, webhook: endpoint, reason, recorded_at };
            (id, Item::WebhookDisabled(notice))
        };
        Ok(notices.into_iter().map(item).collect())
    }
}

/// The next position, after rows that others wrote meanwhile, so that they are not examined again.
fn behind(next: Position, passed: Option<Transaction>) -> Position {
    passed.filter(|passed| *passed > next.transaction).map_or(next, Position::after)
}

/// The item for an event. A damaged event gets a placeholder, since the reader could otherwise
/// never continue. An event of a newer format gets none: a newer replica can read it, and a reader
/// that skipped it would lose it.
fn event((task_id, seq): (TaskId, u64), rendered: Result<RenderedEvent, Error>) -> Result<Item, Error> {
    let error = match rendered {
        Ok(rendered) => return Ok(Item::Event(Box::new(rendered))),
        Err(error) => error,
    };
    let unreadable = error.clone().unreadable()?;
    if unreadable == Unreadable::NewerFormat {
        return Err(error);
    }
    let (item, kind) = (UnreadableEvent::ITEM, UnreadableEvent::TYPE);
    Ok(Item::Unreadable(UnreadableEvent { item, kind, task_id, seq, unreadable }))
}
