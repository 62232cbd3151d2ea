//! Checks whether a view hides what its party may see, or shows what it may not: the table of
//! fields in reverse.
//!
//! All checks use only what the view itself shows. Two questions stay open: whether feedback that a
//! buyer does not see was withheld, and what an entry without fields is. The possible positions of
//! such an entry limit the second.

use crate::domain::trail::{Ending, Field, Kind, Sees};
use crate::domain::values::party::Party;

use super::error::ViewFlaw;
use super::proof::FieldProof;

/// What one entry shows, checked for each party.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visibility {
    ending: Ending,
    cause: Option<u64>,
    flaws: [Option<ViewFlaw>; Party::ALL.len()],
}

impl Visibility {
    /// Checks the fields of an entry of this type; they must be those that the table lists.
    pub(super) fn of(kind: &'static Kind, fields: &[FieldProof]) -> Self {
        let value = |path: &str| fields.iter().find(|field| field.path == path)?.value.as_deref();
        let (party, to) = (value("party"), value("data.to"));
        let names = |text: Option<&str>, viewer: Party| {
            text.and_then(|text| text.strip_prefix('"')?.strip_suffix('"')) == Some(viewer.as_str())
        };
        let is_shared = value("data.share_with_buyer") == Some("true");
        let is_return = value("data.resolution") == Some("\"return\"");
        let flaws = Party::ALL.map(|viewer| {
            let (is_own, is_asked) = (names(party, viewer), names(to, viewer));
            let expected = |sees| match sees {
                Sees::Always => Some(true),
                Sees::Never => Some(false),
                Sees::Own => Some(is_own),
                Sees::Asked => Some(is_own || is_asked),
                Sees::Answered => Some(is_own || is_asked && is_return),
                Sees::Involved => Some(is_own || is_asked || is_shared),
                Sees::Shared => is_own.then_some(true),
            };
            if expected(kind.rows_for(viewer)) == Some(false) {
                return Some(ViewFlaw::ShownEntry(viewer));
            }
            kind.fields()
                .zip(fields)
                .find_map(|(field, proof)| check_field(field, proof, expected(field.sees(viewer)), viewer))
        });
        Self { ending: kind.ending, cause: value("cause_seq").and_then(|text| text.parse().ok()), flaws }
    }
}

/// Checks one field. `expected`: whether the party sees it; `None` if that depends on its value,
/// which must then be shared feedback.
fn check_field(field: &Field, proof: &FieldProof, expected: Option<bool>, viewer: Party) -> Option<ViewFlaw> {
    let (path, is_open) = (field.path, proof.salt.is_some());
    let may_show = expected.unwrap_or_else(|| is_open && is_shared(proof));
    if proof.erased && !field.is_personal() {
        Some(ViewFlaw::Kept(path))
    } else if (is_open || proof.erased) && !may_show {
        Some(ViewFlaw::Shown { path, viewer })
    } else if !is_open && !proof.erased && expected == Some(true) {
        Some(ViewFlaw::Hidden { path, viewer })
    } else {
        None
    }
}

/// Whether it is feedback that its author shared with the buyer.
fn is_shared(proof: &FieldProof) -> bool {
    #[derive(serde::Deserialize)]
    struct Feedback {
        #[serde(default)]
        share_with_buyer: bool,
    }
    let value = proof.value.as_deref().and_then(|value| serde_json::from_str::<Feedback>(value).ok());
    value.is_some_and(|feedback| feedback.share_with_buyer)
}

/// Checks a view entry by entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct VisibilityCheck {
    viewer: Party,
    kinds: &'static [Kind],
    is_ending: bool,
    hidden: u64,
    last_hidden: u64,
}

impl VisibilityCheck {
    /// The start of a trail with these types of entries.
    pub(super) fn new(viewer: Party, kinds: &'static [Kind]) -> Self {
        Self { viewer, kinds, is_ending: false, hidden: 0, last_hidden: 0 }
    }

    /// The number of hidden entries.
    pub(super) fn hidden(&self) -> u64 {
        self.hidden
    }

    /// Checks the next entry, at position `seq`; `None`: it is hidden.
    pub(super) fn follow(&mut self, seq: u64, visibility: Option<&Visibility>) -> Result<(), ViewFlaw> {
        let (viewer, is_ending) = (self.viewer, self.is_ending);
        let Some(visibility) = visibility else {
            let may_be =
                |kind: &Kind| kind.rows_for(viewer) != Sees::Always && (kind.ending != Ending::Follows || is_ending);
            (self.hidden, self.last_hidden) = (self.hidden + 1, seq);
            return if self.kinds.iter().any(may_be) { Ok(()) } else { Err(ViewFlaw::HiddenEntry(viewer)) };
        };
        let own = Party::ALL.iter().zip(visibility.flaws).find_map(|(party, flaw)| flaw.filter(|_| *party == viewer));
        if let Some(flaw) = own {
            return Err(flaw);
        }
        let hidden = self.last_hidden;
        if let Some(cause) = visibility.cause.filter(|cause| *cause < hidden) {
            return Err(ViewFlaw::HiddenWithin { hidden, cause, viewer });
        }
        self.is_ending |= visibility.ending == Ending::Begins;
        Ok(())
    }
}
