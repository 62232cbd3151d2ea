//! Checks whether a view hides what its party may see, or shows what it may not: the table of
//! fields in reverse.
//!
//! All checks use only what the view itself shows. Two questions stay open: whether feedback that a
//! buyer does not see was withheld, and what an entry without fields is. The possible positions of
//! such an entry limit the second.

use crate::domain::values::party::Party;

use super::proof::FieldProof;
use super::task_fields::{Ending, Field, Kind, Sees};

/// A field or entry that a view wrongly hides or shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A field that the party may see.
    #[error("the field `{path}` is hidden from the {viewer}, who may see it")]
    Hidden {
        /// The field.
        path: &'static str,
        /// The party that the view claims to be for.
        viewer: Party,
    },
    /// A field that the party may not see.
    #[error("the field `{path}` is shown, which the {viewer} may not see")]
    Shown {
        /// The field.
        path: &'static str,
        /// The party that the view claims to be for.
        viewer: Party,
    },
    /// An entry that the party may not see.
    #[error("it is shown, but the {0} may not see it")]
    ShownEntry(Party),
    /// A hidden entry at a position where every possible entry is visible to the party.
    #[error("it is hidden from the {0}, who may see every entry that can stand here")]
    HiddenEntry(Party),
    /// A hidden entry inside a transition, where none can be hidden: hidden types only begin
    /// transitions.
    #[error("entry {hidden} before it is hidden from the {viewer}, who may see all that entry {cause} brought about")]
    HiddenWithin {
        /// The hidden entry.
        hidden: u64,
        /// The first entry of the transition.
        cause: u64,
        /// The party that the view claims to be for.
        viewer: Party,
    },
    /// A field that an erasure never removes.
    #[error("the field `{0}` is marked as erased, which it cannot be")]
    Kept(&'static str),
}

/// What one entry shows, checked for each party.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    ending: Ending,
    cause: Option<u64>,
    flaws: [Option<Flaw>; Party::ALL.len()],
}

impl Sight {
    /// Checks the fields of an entry of this type; they must be those that the table lists.
    pub(super) fn of(kind: &'static Kind, fields: &[FieldProof]) -> Self {
        let value = |path: &str| fields.iter().find(|field| field.path == path)?.value.as_deref();
        let (party, to) = (value("party"), value("data.to"));
        let names = |text: Option<&str>, viewer: Party| {
            text.and_then(|text| text.strip_prefix('"')?.strip_suffix('"')) == Some(viewer.as_str())
        };
        let is_return = value("data.resolution") == Some("\"return\"");
        let flaws = Party::ALL.map(|viewer| {
            let (is_own, is_asked) = (names(party, viewer), names(to, viewer));
            let expected = |sees| match sees {
                Sees::Always => Some(true),
                Sees::Never => Some(false),
                Sees::Own => Some(is_own),
                Sees::Asked => Some(is_own || is_asked),
                Sees::Answered => Some(is_own || is_asked && is_return),
                Sees::Shared => is_own.then_some(true),
            };
            if expected(kind.rows_for(viewer)) == Some(false) {
                return Some(Flaw::ShownEntry(viewer));
            }
            kind.fields()
                .zip(fields)
                .find_map(|(field, proof)| judge(field, proof, expected(field.sees(viewer)), viewer))
        });
        Self { ending: kind.ending, cause: value("cause_seq").and_then(|text| text.parse().ok()), flaws }
    }
}

/// Checks one field. `expected`: whether the party sees it; `None` if that depends on its value,
/// which must then be shared feedback.
fn judge(field: &Field, proof: &FieldProof, expected: Option<bool>, viewer: Party) -> Option<Flaw> {
    let (path, is_open) = (field.path, proof.salt.is_some());
    let may_show = expected.unwrap_or_else(|| is_open && is_shared(proof));
    if proof.erased && !field.is_personal() {
        Some(Flaw::Kept(path))
    } else if (is_open || proof.erased) && !may_show {
        Some(Flaw::Shown { path, viewer })
    } else if !is_open && !proof.erased && expected == Some(true) {
        Some(Flaw::Hidden { path, viewer })
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
pub(super) struct Watch {
    viewer: Party,
    kinds: &'static [Kind],
    is_ending: bool,
    hidden: u64,
    last_hidden: u64,
}

impl Watch {
    /// The start of a trail with these types of entries.
    pub(super) fn new(viewer: Party, kinds: &'static [Kind]) -> Self {
        Self { viewer, kinds, is_ending: false, hidden: 0, last_hidden: 0 }
    }

    /// The number of hidden entries.
    pub(super) fn hidden(&self) -> u64 {
        self.hidden
    }

    /// Checks the next entry, at position `seq`; `None`: it is hidden.
    pub(super) fn follow(&mut self, seq: u64, sight: Option<&Sight>) -> Result<(), Flaw> {
        let (viewer, is_ending) = (self.viewer, self.is_ending);
        let Some(sight) = sight else {
            let may_be =
                |kind: &Kind| kind.rows_for(viewer) != Sees::Always && (kind.ending != Ending::Follows || is_ending);
            (self.hidden, self.last_hidden) = (self.hidden + 1, seq);
            return if self.kinds.iter().any(may_be) { Ok(()) } else { Err(Flaw::HiddenEntry(viewer)) };
        };
        let own = Party::ALL.iter().zip(sight.flaws).find_map(|(party, flaw)| flaw.filter(|_| *party == viewer));
        if let Some(flaw) = own {
            return Err(flaw);
        }
        let hidden = self.last_hidden;
        if let Some(cause) = sight.cause.filter(|cause| *cause < hidden) {
            return Err(Flaw::HiddenWithin { hidden, cause, viewer });
        }
        self.is_ending |= sight.ending == Ending::Begins;
        Ok(())
    }
}
