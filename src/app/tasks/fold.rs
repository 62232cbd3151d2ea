//! Trails of tasks, read a page at a time, so that memory holds only one page and the result for a
//! trail of any length.

use std::borrow::Cow;

use crate::app::error::Error;
use crate::domain::task::snapshot::{Fold, Snapshot};
use crate::domain::values::id::TaskId;
use crate::domain::workflow::Workflow;
use crate::store::tasks::events::Record;
use crate::store::{self, Bounded, Pool};

/// How many rows are read at a time if they are small.
const CHUNK: u32 = 500;

/// The task's state after its events up to `last`; passes the state after each transition to
/// `show`. `None` without events. Events of `start`, the state after an earlier transition, are not
/// read again.
pub(in crate::app) async fn fold(
    pool: &Pool,
    (id, workflow): (TaskId, &Workflow),
    start: Option<Snapshot>,
    last: u64,
    mut show: impl FnMut(&Snapshot) + Send,
) -> Result<Option<Snapshot>, Error> {
    let mut after = start.as_ref().map_or(0, |start| start.task.version());
    let mut fold = start.map_or_else(|| Fold::new(workflow), |start| Fold::resume(workflow, start));
    while after < last {
        for row in page(pool, id, after, last).await? {
            after = row.event.seq;
            fold.push(Cow::Owned(row.event), &mut show);
        }
    }
    Ok(fold.end(show))
}

/// The entries `first` to `last` of a trail: those of one transition, which the response contains
/// anyway.
pub(in crate::app) async fn read_between(pool: &Pool, id: TaskId, first: u64, last: u64) -> Result<Vec<Record>, Error> {
    let mut rows = Vec::new();
    let mut after = first.saturating_sub(1);
    while after < last {
        rows.extend(page(pool, id, after, last).await?);
        after = rows.last().map_or(after, |row: &Record| row.event.seq);
    }
    Ok(rows)
}

async fn page(pool: &Pool, id: TaskId, after: u64, last: u64) -> Result<Vec<Record>, Error> {
    let limit = u32::try_from(last - after).unwrap_or(CHUNK).min(CHUNK);
    let Bounded { rows, .. } = store::tasks::events::list(pool, id, after, limit).await?;
    if rows.is_empty() {
        return Err(Error::impossible("a trail that is shorter than its task says"));
    }
    Ok(rows)
}
