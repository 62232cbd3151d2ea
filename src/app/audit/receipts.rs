//! Receipts: an entry of a task's trail as the caller may see it, signed.

use std::sync::Arc;

use crate::app::access::Caller;
use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::replay::Replay;
use crate::app::tasks::load::Loader;
use crate::domain::audit::receipt::{Receipt, Row};
use crate::domain::values::id::TaskId;
use crate::store::{self, Pool};

use super::transparency_log::TransparencyLog;

/// Signs receipts, with the key of the log.
#[derive(Debug)]
pub struct Receipts {
    pool: Pool,
    loader: Arc<Loader>,
    log: Arc<TransparencyLog>,
    replay: Replay,
}

impl Receipts {
    pub(super) fn new(base: &Base, loader: Arc<Loader>, log: Arc<TransparencyLog>) -> Self {
        Self { pool: base.pool.clone(), loader, log, replay: base.replay.clone() }
    }

    /// The receipt of the entry `seq`; there is none for an entry that the caller may not see.
    pub async fn get_task_receipt(&self, caller: &Caller, id: TaskId, seq: u64) -> Result<String, Error> {
        let task = self.loader.find_visible(caller, id).await?;
        let signer = self.log.signer()?;
        if seq > task.snapshot().task.version() {
            self.replay.require_complete().await?;
        }
        let record = store::tasks::events::find(&self.pool, id, seq).await?.ok_or(Error::NotFound)?;
        let submissions = store::tasks::events::list_submissions(&self.pool, id, seq).await?;
        let row = Row { task_id: id, event: &record.event, hash: record.sealed.hash, submissions: &submissions };
        let receipt = Receipt::new(signer.verifier().name(), row, caller.party());
        receipt.map(|receipt| receipt.sign(signer)).ok_or(Error::NotFound)
    }
}
