//! The trail of a task, as each party may see it.

use crate::domain::audit::{self, EntryView, Origin, ProofView, Sealed};
use crate::domain::id::TaskId;
use crate::store;
use crate::store::events::Record;

use super::{App, Caller, Error, tasks};

/// How many rows are read at a time where a whole trail is wanted.
const CHUNK: u32 = 1_000;

/// Up to `limit` entries after `after`, oldest first.
pub async fn get_task_audit(
    app: &App,
    caller: &Caller,
    id: TaskId,
    after: u64,
    limit: u32,
) -> Result<Vec<EntryView>, Error> {
    let task = tasks::find_visible(app, caller, id).await?;
    let rows = store::events::list(&app.pool, task.id(), after, limit).await?;
    let view = |row: &Record| audit::view_stored(&row.event, &row.sealed, caller.party());
    Ok(rows.iter().map(view).collect())
}

/// What it takes to check the whole trail offline.
pub async fn get_task_audit_proof(app: &App, caller: &Caller, id: TaskId) -> Result<ProofView, Error> {
    let task = tasks::find_visible(app, caller, id).await?;
    let origin = Origin { task_id: id, partner_id: task.record.partner_id, buyer_id: task.record.buyer_id };
    let page = |after, limit| store::events::list(&app.pool, id, after, limit);
    let rows = whole(page, |row| row.sealed).await?;
    audit::proof(&origin, &rows, caller.party()).map_err(|_| Error::impossible("a trail that cannot be read"))
}

/// A whole trail, read in pages: `page` gives what follows a `seq`, up to a number of rows.
pub(super) async fn whole<R, F>(
    page: impl Fn(u64, u32) -> F,
    sealed: impl Fn(R) -> Sealed,
) -> Result<Vec<Sealed>, Error>
where
    F: Future<Output = Result<Vec<R>, store::Error>>,
{
    let mut rows = Vec::new();
    loop {
        let page = page(rows.len() as u64, CHUNK).await?;
        let is_last = page.len() < CHUNK as usize;
        rows.extend(page.into_iter().map(&sealed));
        if is_last {
            return Ok(rows);
        }
    }
}
