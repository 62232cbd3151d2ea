//! A partner's trail, read by the partner and the platform.

use std::sync::Arc;

use crate::app::access::Caller;
use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::partners::Partners;
use crate::app::shares::Shares;
use crate::domain::audit::transparency_log::Subject;
use crate::domain::audit::{self, PartnerEntryView, PartnerOrigin, ProofView};
use crate::domain::values::id::PartnerId;
use crate::store::{self, Pool};

use super::trail::{Bounded, CHUNK, MAX, whole};
use super::transparency_log::TransparencyLog;

/// The trails of partners.
#[derive(Debug)]
pub struct PartnerTrails {
    pool: Pool,
    long_reads: Shares,
    partners: Arc<Partners>,
    log: Arc<TransparencyLog>,
}

impl PartnerTrails {
    pub(super) fn new(base: &Base, partners: Arc<Partners>, log: Arc<TransparencyLog>) -> Self {
        Self { pool: base.pool.clone(), long_reads: base.shares.long_reads.clone(), partners, log }
    }

    /// Up to `limit` entries after `after`, oldest first, within the byte limit of a page. The
    /// caller must be allowed to see the partner.
    pub async fn get_partner_audit(
        &self,
        caller: &Caller,
        id: PartnerId,
        after: u64,
        limit: u32,
    ) -> Result<Bounded<PartnerEntryView>, Error> {
        self.partners.find_visible(caller, id).await?;
        let rows = store::audit::partner_events::list(&self.pool, id, after, limit).await?;
        Ok(rows.map(|row| audit::partner_view(&row.event, &row.sealed, caller.party())))
    }

    /// The data to check the whole trail offline.
    pub async fn get_partner_audit_proof(&self, caller: &Caller, id: PartnerId) -> Result<ProofView, Error> {
        self.partners.find_visible(caller, id).await?;
        let _share = self.long_reads.take(caller)?;
        // Read before the rows, so that the trail is at least as long as the log's.
        let signed = self.log.find_for_export(None).await?;
        let rows =
            whole(id.0, |after| store::audit::partner_events::list_stored(&self.pool, id, after, MAX, CHUNK)).await?;
        let origin = PartnerOrigin { partner_id: id };
        let proof = audit::proof(&origin, &rows, caller.party());
        let proof = proof.map_err(|_| Error::impossible("a trail that cannot be read"))?;
        let inclusion = match signed {
            Some(signed) => self.log.prove(&signed, Subject::Partner(id), None).await?,
            None => None,
        };
        Ok(ProofView { inclusion, ..proof })
    }
}
