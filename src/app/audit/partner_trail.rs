//! A partner's trail, read by the partner and the platform.

use crate::app::{App, Caller, Error};
use crate::domain::audit::transparency_log::Subject;
use crate::domain::audit::{self, PartnerEntryView, PartnerOrigin, ProofView};
use crate::domain::values::id::PartnerId;
use crate::store;

use super::trail::{Bounded, CHUNK, MAX, whole};
use super::transparency_log;

/// Up to `limit` entries after `after`, oldest first, within the byte limit of a page. The caller
/// must be allowed to see the partner.
pub async fn get_partner_audit(
    app: &App,
    caller: &Caller,
    id: PartnerId,
    after: u64,
    limit: u32,
) -> Result<Bounded<PartnerEntryView>, Error> {
    app.partners.find_visible(caller, id).await?;
    let rows = store::audit::partner_events::list(&app.pool, id, after, limit).await?;
    Ok(rows.map(|row| audit::partner_view(&row.event, &row.sealed.hash, caller.party())))
}

/// The data to check the whole trail offline.
pub async fn get_partner_audit_proof(app: &App, caller: &Caller, id: PartnerId) -> Result<ProofView, Error> {
    app.partners.find_visible(caller, id).await?;
    let _share = app.shares.long_reads.take(caller)?;
    // Read before the rows, so that the trail is at least as long as the log's.
    let signed = transparency_log::find_for_export(app, None).await?;
    let rows = whole(id.0, |after| store::audit::partner_events::list_stored(&app.pool, id, after, MAX, CHUNK)).await?;
    let origin = PartnerOrigin { partner_id: id };
    let proof = audit::proof(&origin, &rows, caller.party());
    let proof = proof.map_err(|_| Error::impossible("a trail that cannot be read"))?;
    let inclusion = match signed {
        Some(signed) => transparency_log::prove(app, &signed, Subject::Partner(id), None).await?,
        None => None,
    };
    Ok(ProofView { inclusion, ..proof })
}
