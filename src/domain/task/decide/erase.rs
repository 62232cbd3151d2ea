//! Putting an erasure on record. The texts are gone already: the snapshot decided on has the notes that are left.

use crate::domain::task::command::PersonalDataErased;
use crate::domain::task::event::{self, Fact};
use crate::domain::task::status::Status;

use super::draft::{By, Draft};

/// Appends the entry and nothing else, to an open task as to a closed one. The buyer's status changes where it
/// showed what is gone.
pub(super) fn record(draft: &mut Draft<'_>, body: &PersonalDataErased) {
    let snapshot = draft.snapshot();
    let earlier = &snapshot.status;
    let status = Status::after(draft.workflow, &snapshot.task, &snapshot.notes, Some(earlier.clone()), draft.now);
    let (status_version, status_updated_at) = if status == *earlier {
        (earlier.version, earlier.updated_at)
    } else {
        (snapshot.task.version() + 1, draft.now)
    };
    let erased = event::PersonalDataErased {
        erasure_id: body.erasure_id,
        entries: body.entries.clone(),
        ids_remain: body.ids_remain,
        restated: Some(body.restated.clone()).filter(|list| !list.is_empty()),
        status_version,
        status_updated_at,
    };
    draft.push(Fact::PersonalDataErased(erased), By::Sender);
}
