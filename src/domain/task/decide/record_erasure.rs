//! Records an erasure. The texts are already gone: the snapshot that is decided on has only the
//! remaining notes.

use crate::domain::task::event::{Fact, PersonalDataErased};
use crate::domain::task::status::Status;

use super::Erasure;
use super::draft::{By, Draft};

/// Appends just this entry, to open and to closed tasks. The buyer's status changes if it showed an
/// erased text.
pub(super) fn record(draft: &mut Draft<'_>, erasure: &Erasure) {
    let snapshot = draft.snapshot();
    let earlier = &snapshot.status;
    let status = Status::after(draft.workflow, &snapshot.task, &snapshot.notes, Some(earlier), draft.moment.now);
    let (status_version, status_updated_at) = if status == *earlier {
        (earlier.version, earlier.updated_at)
    } else {
        (snapshot.task.version() + 1, draft.moment.now)
    };
    let erased = PersonalDataErased {
        erasure_id: erasure.erasure_id,
        entries: erasure.entries.clone(),
        ids_remain: erasure.ids_remain,
        restated: Some(erasure.restated.clone()).filter(|list| !list.is_empty()),
        status_version,
        status_updated_at,
    };
    draft.push(Fact::PersonalDataErased(erased), By::Sender);
}
