//! A partner's trail: read by the partner and the platform, and appended to by the actions that it
//! records.

use crate::app::tasks::commands::MAX_ATTEMPTS;
use crate::app::{App, Caller, Error, partners};
use crate::domain::audit::transparency_log::Subject;
use crate::domain::audit::{self, PartnerEntryView, PartnerOrigin, ProofView};
use crate::domain::partner::event::{Author, PartnerFact, record};
use crate::domain::values::id::PartnerId;
use crate::store::audit::partner_events::Append;
use crate::{ids, store};

use super::trail::{Bounded, CHUNK, MAX, whole};
use super::transparency_log;

pub use crate::store::audit::partner_events::End;

/// Up to `limit` entries after `after`, oldest first, within the byte limit of a page. The caller
/// must be allowed to see the partner.
pub async fn get_partner_audit(
    app: &App,
    caller: &Caller,
    id: PartnerId,
    after: u64,
    limit: u32,
) -> Result<Bounded<PartnerEntryView>, Error> {
    find_visible(app, caller, id).await?;
    let rows = store::audit::partner_events::list(&app.pool, id, after, limit).await?;
    Ok(rows.map(|row| audit::partner_view(&row.event, &row.sealed.hash, caller.party())))
}

/// The data to check the whole trail offline.
pub async fn get_partner_audit_proof(app: &App, caller: &Caller, id: PartnerId) -> Result<ProofView, Error> {
    find_visible(app, caller, id).await?;
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

/// Refuses a partner that the caller may not see.
pub(in crate::app) async fn find_visible(app: &App, caller: &Caller, id: PartnerId) -> Result<(), Error> {
    let may_see = match caller {
        Caller::Partner { partner_id, .. } => *partner_id == id,
        Caller::Buyer { .. } => false,
        Caller::Platform { .. } => true,
    };
    if !may_see {
        return Err(Error::NotFound);
    }
    partners::get_partner(app, id).await.map(|_| ())
}

/// Records an action that is performed elsewhere, such as an export; returns the end of the trail.
pub async fn record_fact(app: &App, partner: PartnerId, author: &Author, fact: PartnerFact) -> Result<End, Error> {
    let attempt = || async {
        let end = store::audit::partner_events::find_end(&app.pool, partner).await?.ok_or(Error::NotFound)?;
        let append = append(app, author, (partner, Some(&end)), vec![fact.clone()]);
        Ok(store::audit::partner_events::insert(&app.pool, &append).await?.then(|| append.end()))
    };
    retry_on_conflict(app, partner, attempt).await
}

/// Prepares `facts` as the continuation of a trail, for the statement that performs the actions.
pub(in crate::app) fn append(
    app: &App,
    author: &Author,
    (partner, end): (PartnerId, Option<&End>),
    facts: Vec<PartnerFact>,
) -> Append {
    let events = record(end.map(|end| end.latest), author, facts, app.clock.now());
    Append::new(partner, end, &events, ids::random)
}

/// Retries until an attempt returns a value: `None` means that the partner's trail has grown since
/// it was read.
pub(in crate::app) async fn retry_on_conflict<T, F>(
    app: &App,
    partner: PartnerId,
    attempt: impl Fn() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<Option<T>, Error>>,
{
    let mut turn = None;
    for _ in 0..MAX_ATTEMPTS {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
        if turn.is_none() {
            turn = Some(app.turns.take_of_partner(partner).await?);
        }
    }
    Err(Error::contended())
}
