//! The trail of a task, as each party may see it.

use std::sync::Arc;

use uuid::Uuid;

use crate::app::access::Caller;
use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::shares::Shares;
use crate::app::tasks::load::Loader;
use crate::domain::audit::transparency_log::Subject;
use crate::domain::audit::{self, EntryView, Origin, ProofView, Sealed};
use crate::domain::values::id::TaskId;
use crate::store::tasks::events::Stored;
use crate::store::{self, Pool};

use super::transparency_log::TransparencyLog;

pub use crate::store::Bounded;

/// How many rows are read at a time for a whole trail.
pub(super) const CHUNK: u32 = 1_000;
/// A bound above every `seq`: the database has signed integers.
pub(super) const MAX: u64 = i64::MAX.unsigned_abs();

/// The trails of tasks.
#[derive(Debug)]
pub struct TaskTrails {
    pool: Pool,
    long_reads: Shares,
    loader: Arc<Loader>,
    log: Arc<TransparencyLog>,
}

impl TaskTrails {
    pub(super) fn new(base: &Base, loader: Arc<Loader>, log: Arc<TransparencyLog>) -> Self {
        Self { pool: base.pool.clone(), long_reads: base.shares.long_reads.clone(), loader, log }
    }

    /// Up to `limit` entries after `after`, oldest first, within the byte limit of a page.
    pub async fn get_task_audit(
        &self,
        caller: &Caller,
        id: TaskId,
        after: u64,
        limit: u32,
    ) -> Result<Bounded<EntryView>, Error> {
        let task = self.loader.find_visible(caller, id).await?;
        let rows = store::tasks::events::list(&self.pool, task.id(), after, limit).await?;
        if rows.rows.is_empty() && after < task.snapshot().task.version() {
            self.loader.still_there(caller.party(), id).await?;
        }
        Ok(rows.map(|row| audit::view_stored(&row.event, &row.sealed, caller.party())))
    }

    /// The entry of the trail that recorded a revision of the work, from 1.
    pub async fn get_submission(&self, caller: &Caller, id: TaskId, revision: u32) -> Result<EntryView, Error> {
        let task = self.loader.find_visible(caller, id).await?;
        let is_there = revision >= 1 && revision <= task.snapshot().task.revision();
        let row = if is_there { store::tasks::events::find_submission(&self.pool, id, revision).await? } else { None };
        let row = row.ok_or(Error::NotFound)?;
        Ok(audit::view_stored(&row.event, &row.sealed, caller.party()))
    }

    /// The data to check the whole trail offline.
    pub async fn get_task_audit_proof(&self, caller: &Caller, id: TaskId) -> Result<ProofView, Error> {
        let task = self.loader.find_visible(caller, id).await?;
        let _share = self.long_reads.take(caller)?;
        let origin = Origin { task_id: id, partner_id: task.identity.partner_id, buyer_id: task.identity.buyer_id };
        // Read before the rows, so that the trail is at least as long as the log's.
        let signed = self.log.find_for_export(None).await?;
        let rows = whole(id.0, |after| store::tasks::events::list_stored(&self.pool, id, after, MAX, CHUNK)).await?;
        if rows.is_empty() {
            self.loader.still_there(caller.party(), id).await?;
        }
        let proof = audit::proof(&origin, &rows, caller.party());
        let proof = proof.map_err(|_| Error::impossible("a trail that cannot be read"))?;
        let inclusion = match signed {
            Some(signed) => self.log.prove(&signed, Subject::Task(id), None).await?,
            None => None,
        };
        Ok(ProofView { inclusion, ..proof })
    }
}

/// A whole trail, read in pages of at most [`CHUNK`] rows: `page` returns the rows after a `seq`. A
/// damaged row is an error.
pub(super) async fn whole<F>(id: Uuid, page: impl Fn(u64) -> F) -> Result<Vec<Sealed>, Error>
where
    F: Future<Output = Result<Vec<Stored>, store::Error>>,
{
    let (mut rows, mut after, mut gap) = (Vec::new(), 0, None);
    loop {
        let page = page(after).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        for row in page {
            gap = gap.or((row.seq != after + 1).then_some(after + 1));
            if row.flaw.is_some() {
                return Err(Error::TrailDamaged(id, gap.unwrap_or(row.seq)));
            }
            after = row.seq;
            rows.push(row.sealed);
        }
    }
}
