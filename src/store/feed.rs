//! The feed: the rows of all trails and the notices to owners of webhooks, in the order of
//! [`super::db::horizon`], and its current end.

use std::collections::BTreeSet;

use sqlx::PgExecutor;
use sqlx::types::Uuid;

use crate::domain::values::id::{EndpointId, NoticeId, TaskId};
use crate::domain::values::time::Time;
use crate::domain::webhook::{DisabledReason, Owner};

use super::db::horizon::{Transaction, find_horizon, is_standby};
use super::db::page::PAGE_BYTES;
use super::db::row::{Place, bigint, bigint_or_max};
use super::db::session::Session;
use super::tasks::events::Record;
use super::{Error, Pool};

mod position;

pub use position::{Position, RowKey};

/// A page of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The horizon below which the rows were read.
    pub horizon: Transaction,
    /// How the reader's position relates to it.
    pub standing: Standing,
    /// The rows, in order, each with the transaction that wrote it.
    pub rows: Vec<(Transaction, RowKey)>,
    /// Where to continue. No row up to this position is missing.
    pub next: Position,
    /// Whether there may be more rows below the horizon.
    pub more: bool,
    /// How far events had left the owner's feed after the rows were read; `None`: all are there.
    pub start: Option<Start>,
}

/// How a reader's position relates to the horizon of the server that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Below it, as every position that the server or its primary gave out and still has.
    Below,
    /// Not below it, on a standby that has not replayed that far.
    NotReplayed,
    /// Not below it, on a primary: the database was restored.
    Lost,
}

/// The most rows that a statement looks at for one partner's rows.
pub const WINDOW: u32 = 5_000;

/// Lists up to `limit` rows after `after` and below the horizon; for a partner, the rows of its
/// tasks among the next [`WINDOW`]. Notices go to their owner only. Horizon, rows and start are read
/// in one session, so from one server.
///
/// The position to continue from never names a row of another owner. It is the reader's own last
/// row, or the beginning or end of a committed transaction. If a transaction of others fills the
/// window, the search continues after it.
pub async fn list(pool: &Pool, after: Position, owner: Owner, limit: usize) -> Result<Found, Error> {
    let mut reading = pool.reading().await?;
    let session = reading.connection();
    let found = search(&mut *session, after, owner, limit).await?;
    // After the rows. Otherwise events that leave in between are skipped.
    Ok(Found { start: find_start(session, owner).await?, ..found })
}

async fn search(session: &mut Session, after: Position, owner: Owner, limit: usize) -> Result<Found, Error> {
    let mut horizon = find_horizon(&mut *session).await?;
    if after.transaction >= horizon && !is_standby(&mut *session).await? {
        // The standby may have been promoted between the two statements.
        horizon = find_horizon(&mut *session).await?;
        if after.transaction >= horizon {
            return Ok(Found::nothing(after, horizon, Standing::Lost));
        }
    }
    if after.transaction >= horizon {
        return Ok(Found::nothing(after, horizon, Standing::NotReplayed));
    }
    let window = match owner {
        Owner::Partner(_) => i64::from(WINDOW),
        Owner::Platform => count(limit + 1),
    };
    let mut from = after;
    loop {
        let looked = look(session, (from, horizon), owner, (limit, window)).await?;
        let Some(last) = looked.last().map(|last| Position::at(last.row)) else {
            let next = if from == after { after } else { Position::after(from.transaction) };
            return Ok(Found::nothing(next, horizon, Standing::Below));
        };
        match Found::of(&looked, (from, horizon), (limit, window)) {
            Some(found) => return Ok(found),
            None => from = last,
        }
    }
}

/// Looks at the next `window` rows and returns those for the reader, up to one more than `limit`,
/// and the last row that was looked at, if it is not after them.
async fn look(
    session: &mut Session,
    (after, horizon): (Position, Transaction),
    owner: Owner,
    (limit, window): (usize, i64),
) -> Result<Vec<Looked>, Error> {
    let partner = match owner {
        Owner::Partner(partner) => Some(partner.0),
        Owner::Platform => None,
    };
    let ((epoch, number), (horizon_epoch, horizon)) = (after.transaction.columns(), horizon.columns());
    let (id, seq) = after.columns();
    // Include the last row that was looked at, regardless of its owner, unless it is after the
    // page.
    let rows = sqlx::query!(
        r#"/* search: feed */
           with looked as materialized (
               select epoch, xid, task_id, seq, owner_id, row_number() over (order by epoch, xid, task_id, seq) as place
               from (
                   (select epoch, xid, task_id, seq, null::uuid as owner_id from task_events
                    where (epoch, xid, task_id, seq) > ($1, $2::text::xid8, $3, $4) and (epoch, xid) < ($5, $6::text::xid8)
                    order by epoch, xid, task_id, seq limit $7)
                   union all
                   (select epoch, xid, id, 0::bigint, owner_id from webhook_notices
                    where (epoch, xid, id, 0::bigint) > ($1, $2::text::xid8, $3, $4) and (epoch, xid) < ($5, $6::text::xid8)
                    order by epoch, xid, id limit $7)
               ) found
               order by epoch, xid, task_id, seq limit $7
           ), owned as (
               select looked.*, case seq
                   when 0 then owner_id = $10
                   else $8::uuid is null or $8 = (select tasks.partner_id from tasks where tasks.task_id = looked.task_id)
               end as shown
               from looked
           )
           select epoch as "epoch!", xid::text as "xid!", task_id as "task_id!", seq as "seq!", place as "place!", shown as "shown!"
           from owned where shown or place = (select max(place) from looked)
           order by place limit $9"#,
        epoch,
        number,
        id,
        bigint_or_max(seq),
        horizon_epoch,
        horizon,
        window,
        partner,
        count(limit + 1),
        owner.id(),
    )
    .fetch_all(session)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let place = Place { table: "task_events", key: row.task_id };
        let transaction = Transaction::read(row.epoch, &row.xid, Place { table: "task_events", key: "xid" })?;
        let key = RowKey::of((row.task_id, place.unsigned(row.seq)?));
        Ok(Looked { row: (transaction, key), place: row.place, shown: row.shown })
    });
    rows.collect()
}

/// A row that was looked at.
struct Looked {
    row: (Transaction, RowKey),
    /// The row's number within the window.
    place: i64,
    /// Whether the row is for the reader.
    shown: bool,
}

impl Found {
    /// A page without rows.
    fn nothing(next: Position, horizon: Transaction, standing: Standing) -> Self {
        Self { horizon, standing, rows: Vec::new(), next, more: false, start: None }
    }

    /// Makes a page of these rows. Returns `None` if they all belong to others and to the
    /// transaction of `from`.
    fn of(looked: &[Looked], (from, horizon): (Position, Transaction), (limit, window): (usize, i64)) -> Option<Self> {
        let standing = Standing::Below;
        let mut rows: Vec<_> = looked.iter().filter(|looked| looked.shown).map(|looked| looked.row).collect();
        let last = looked.last()?;
        let transaction = last.row.0;
        if rows.len() > limit {
            rows.truncate(limit);
            let next = rows.last().copied().map(Position::at)?;
            return Some(Self { horizon, standing, rows, next, more: true, start: None });
        }
        let more = last.place == window;
        let next = if last.shown {
            Position::at(last.row)
        } else if more {
            // The transaction may continue after the window.
            rows.last().copied().map_or(from, Position::at).max(Position::before(transaction))
        } else {
            Position::after(transaction)
        };
        (next > from).then_some(Self { horizon, standing, rows, next, more, start: None })
    }
}

/// How far events have left an owner's feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The last event that did. A reader before it may have missed some.
    pub position: Position,
    /// How often some did.
    pub removals: u64,
}

/// Finds how far events have left an owner's feed; `None`: all are there.
pub async fn find_start(database: impl PgExecutor<'_>, owner: Owner) -> Result<Option<Start>, Error> {
    let row = sqlx::query!(
        r#"select epoch, xid::text as "xid!", row_id, row_seq, removals from feed_starts where owner_id = $1"#,
        owner.id()
    );
    let Some(row) = row.fetch_optional(database).await? else { return Ok(None) };
    let place = Place { table: "feed_starts", key: owner.id() };
    let transaction = Transaction::read(row.epoch, &row.xid, Place { table: "feed_starts", key: "xid" })?;
    let position = Position::of(transaction, (row.row_id, place.unsigned(row.row_seq)?));
    Ok(Some(Start { position, removals: place.unsigned(row.removals)? }))
}

/// Lists the tasks of the first `limit` rows that this transaction or later ones wrote and have
/// committed, and of as many tasks that they put away.
pub async fn list_changed(pool: &Pool, since: Transaction, limit: usize) -> Result<Vec<TaskId>, Error> {
    let (epoch, number) = since.columns();
    let rows = sqlx::query_scalar!(
        r#"/* search: changed tasks */
           (select task_id as "task_id!" from task_events where (epoch, xid) >= ($1, $2::text::xid8)
            order by epoch, xid, task_id, seq limit $3)
           union all
           (select task_id from archived_tasks where (epoch, xid) >= ($1, $2::text::xid8) order by epoch, xid limit $3)"#,
        epoch,
        number,
        count(limit),
    );
    Ok(rows.fetch_all(pool).await?.into_iter().map(TaskId).collect())
}

/// A row of the feed.
#[derive(Debug)]
pub struct Item {
    /// The task whose trail it is.
    pub task_id: TaskId,
    /// The `seq` in the trail.
    pub seq: u64,
    /// The event. A row that cannot be read has an error of its own and does not affect others.
    pub record: Result<Record, Error>,
    /// The `seq` of the last row of the same transition.
    pub last: u64,
}

/// Loads these rows, each given by its task and `seq`, in their order. Stops with the row that
/// reaches [`PAGE_BYTES`], so it loads at least one.
pub async fn load(pool: &Pool, rows: &[(TaskId, u64)]) -> Result<Vec<Item>, Error> {
    let (tasks, seqs): (Vec<Uuid>, Vec<i64>) = rows.iter().map(|(task_id, seq)| (task_id.0, bigint(*seq))).unzip();
    let found = sqlx::query!(
        r#"/* search: rows of a page of the feed */
           select event.task_id, event.seq, event.type as kind, event.entry, event.data::text as "data!",
               event.personal::text as "personal!", event.hash,
               coalesce(
                   (select next.seq - 1 from task_events next
                    where next.task_id = event.task_id and next.seq > event.seq and next.cause_seq > event.seq
                    order by next.seq limit 1),
                   (select tasks.version from tasks where tasks.task_id = event.task_id)) as "last!"
           from (
               select task_id, seq, place, sum(bytes) over (order by place) - bytes as before
               from (
                   select wanted.task_id, wanted.seq, wanted.place, case when cardinality($1::uuid[]) > 1
                       then octet_length(sized.entry) + octet_length(sized.data::text) + octet_length(sized.personal::text)
                       else 0 end as bytes
                   from unnest($1::uuid[], $2::bigint[]) with ordinality as wanted (task_id, seq, place)
                   join task_events sized on sized.task_id = wanted.task_id and sized.seq = wanted.seq
               ) found
           ) wanted
           join task_events event on event.task_id = wanted.task_id and event.seq = wanted.seq
           where wanted.before < $3
           order by wanted.place"#,
        &tasks,
        &seqs,
        PAGE_BYTES,
    )
    .fetch_all(pool)
    .await?;
    let mut items = Vec::with_capacity(found.len());
    for row in found {
        let place = Place { table: "task_events", key: row.task_id };
        let (seq, last) = (place.unsigned(row.seq)?, place.unsigned(row.last)?);
        let columns = super::tasks::events::Row {
            task_id: row.task_id,
            seq: row.seq,
            kind: row.kind,
            entry: row.entry,
            data: row.data,
            personal: row.personal,
            hash: row.hash,
        };
        items.push(Item { task_id: TaskId(row.task_id), seq, record: Record::try_from(columns), last });
    }
    Ok(items)
}

/// A notice to the owner of a webhook endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The id of the notice.
    pub id: NoticeId,
    /// The endpoint that was disabled.
    pub endpoint: EndpointId,
    /// Why it was disabled.
    pub reason: DisabledReason,
    /// When it was disabled.
    pub recorded_at: Time,
}

/// Loads these notices, in no particular order.
pub async fn load_notices(pool: &Pool, ids: &[NoticeId]) -> Result<Vec<Notice>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows =
        sqlx::query!("select id, endpoint_id, reason, recorded_at from webhook_notices where id = any ($1)", &ids);
    let rows = rows.fetch_all(pool).await?.into_iter().map(|row| {
        let place = Place { table: "webhook_notices", key: row.id };
        let reason = DisabledReason::ALL.into_iter().find(|reason| reason.as_str() == row.reason);
        Ok(Notice {
            id: NoticeId(row.id),
            endpoint: place.checked(row.endpoint_id)?,
            reason: reason.ok_or_else(|| place.impossible("an unknown reason"))?,
            recorded_at: row.recorded_at.into(),
        })
    });
    rows.collect()
}

/// What is new in a span of the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The owners that have rows in it.
    pub owners: BTreeSet<Owner>,
    /// The tasks that have rows in it.
    pub tasks: BTreeSet<TaskId>,
    /// The last transaction that wrote a row; `None` if there is none, or if `more` is set.
    pub last: Option<Transaction>,
    /// Whether some rows were not looked at, so that other owners may have rows too.
    pub more: bool,
}

impl News {
    /// Whether this owner may have rows in it.
    pub fn concern(&self, owner: Owner) -> bool {
        self.more || self.owners.contains(&owner)
    }

    /// Whether this task may have rows in it.
    pub fn concern_task(&self, task: TaskId) -> bool {
        self.more || self.tasks.contains(&task)
    }
}

/// Finds the tasks and the owners of the rows that transactions from `since` on and below the
/// horizon wrote. If there are `limit` rows or more, it only reports that there are more. Returns
/// the horizon, too, and no news if it is not above `since`, or if there is no `since`. Horizon and
/// rows are read in one session, so from one server.
pub async fn list_news(
    pool: &Pool,
    since: Option<Transaction>,
    limit: usize,
) -> Result<(Transaction, Option<News>), Error> {
    let mut reading = pool.reading().await?;
    let session = reading.connection();
    let horizon = find_horizon(&mut *session).await?;
    match since {
        Some(since) if since < horizon => Ok((horizon, Some(look_for_news(session, (since, horizon), limit).await?))),
        Some(_) | None => Ok((horizon, None)),
    }
}

async fn look_for_news(
    session: &mut Session,
    (since, horizon): (Transaction, Transaction),
    limit: usize,
) -> Result<News, Error> {
    let ((epoch, number), (horizon_epoch, horizon)) = (since.columns(), horizon.columns());
    let rows = sqlx::query!(
        r#"/* search: tasks and owners in the feed */
           with looked as materialized (
               (select epoch, xid, task_id, null::uuid as owner_id from task_events
                where (epoch, xid) >= ($1, $2::text::xid8) and (epoch, xid) < ($3, $4::text::xid8)
                order by epoch, xid, task_id, seq limit $5)
               union all
               (select epoch, xid, null::uuid, owner_id from webhook_notices
                where (epoch, xid) >= ($1, $2::text::xid8) and (epoch, xid) < ($3, $4::text::xid8)
                order by epoch, xid, id limit $5)
           ), last as (
               select epoch, xid, (select count(*) from looked) as rows from looked order by epoch desc, xid desc limit 1
           ), owned as (
               select distinct task_id,
                   coalesce(owner_id, (select tasks.partner_id from tasks where tasks.task_id = looked.task_id)) as owner_id
               from looked
           )
           select epoch as "epoch!", xid::text as "xid!", rows as "rows!", task_id as "task_id?", owner_id as "owner_id!"
           from last cross join owned"#,
        epoch,
        number,
        horizon_epoch,
        horizon,
        count(limit),
    );
    let mut news = News::default();
    for row in rows.fetch_all(session).await? {
        let last = Transaction::read(row.epoch, &row.xid, Place { table: "task_events", key: "xid" })?;
        news.more = row.rows >= count(limit);
        news.last = Some(last).filter(|_| !news.more);
        news.owners.insert(Owner::of(row.owner_id));
        // The platform reads the events of all tasks, and its own notices.
        if let Some(task) = row.task_id {
            news.owners.insert(Owner::Platform);
            news.tasks.insert(TaskId(task));
        }
    }
    Ok(news)
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
