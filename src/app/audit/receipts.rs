//! Receipts: an entry of a task's trail as the caller may see it, signed.

use crate::app::{App, Caller, Error};
use crate::domain::audit::receipt::{Receipt, Row};
use crate::domain::values::id::TaskId;
use crate::store;

use super::transparency_log;

/// The receipt of the entry `seq`; there is none for an entry that the caller may not see.
pub async fn get_task_receipt(app: &App, caller: &Caller, id: TaskId, seq: u64) -> Result<String, Error> {
    app.loader.find_visible(caller, id).await?;
    let signer = transparency_log::signer(app)?;
    let record = store::tasks::events::find(&app.pool, id, seq).await?.ok_or(Error::NotFound)?;
    let submissions = store::tasks::events::list_submissions(&app.pool, id, seq).await?;
    let row = Row { task_id: id, event: &record.event, hash: record.sealed.hash, submissions: &submissions };
    let receipt = Receipt::new(signer.verifier().name(), row, caller.party());
    receipt.map(|receipt| receipt.sign(signer)).ok_or(Error::NotFound)
}
