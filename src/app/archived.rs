//! Tasks that were put away: what their readers still learn, and whose data their files hold.

use hmac::{Hmac, KeyInit as _, Mac};
use sha2::Sha256;

use crate::domain::values::id::{ActorId, PartnerId, TaskId};
use crate::domain::values::party::Party;
use crate::store::retention::Archived as Record;
use crate::store::{self, Pool};

use super::access::{Caller, may_see};
use super::error::{Archived, Error};

/// The error about a task that has no rows: that it was put away, for a caller who could see it
/// before, and otherwise that there is none.
pub(super) async fn missing(pool: &Pool, caller: &Caller, id: TaskId) -> Error {
    match store::retention::find(pool, id).await {
        Ok(Some(record)) if may_see(caller, id, (record.partner_id, record.buyer_id)) => {
            Error::Archived(Box::new(shown(record, caller.party())))
        }
        Ok(_) => Error::NotFound,
        Err(error) => error.into(),
    }
}

/// The same for a caller of this party who could see the task a moment ago.
pub(super) async fn gone(pool: &Pool, party: Party, id: TaskId) -> Error {
    match store::retention::find(pool, id).await {
        Ok(found) => found.map_or(Error::NotFound, |record| Error::Archived(Box::new(shown(record, party)))),
        Err(error) => error.into(),
    }
}

/// The record as a party reads it: the name of the file is not for buyers.
pub(super) fn shown(record: Record, party: Party) -> Archived {
    let Record { task_id, closed_at, archived_at, file, sha256, .. } = record;
    let file = match party {
        Party::Partner | Party::Platform => Some(file),
        Party::Buyer => None,
    };
    Archived { task_id, closed_at, archived_at, sha256, file }
}

/// The digest by which the files that hold an actor's data are found: HMAC-SHA256(secret, party ":"
/// partner ":" id), with no partner for the actors of other parties. Ids that count as one person
/// have one digest. The secret is in the database, so a digest alone confirms no guess.
pub(super) fn actor_digest(
    secret: &[u8; 32],
    (party, partner): (Party, Option<PartnerId>),
    actor: &ActorId,
) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    let partner = partner.filter(|_| party == Party::Partner).map(|id| id.to_string()).unwrap_or_default();
    let texts = [party.as_str(), ":", &partner, ":", actor.key()];
    texts.into_iter().fold(mac, Mac::chain_update).finalize().into_bytes().into()
}
