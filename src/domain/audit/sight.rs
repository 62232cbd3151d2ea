//! Whether a view hides what its party may see, or shows what it may not: the table of fields, read the other way
//! round.
//!
//! Everything is decided by what the view itself shows. Two things cannot be: whether feedback that a buyer is not
//! shown was kept from it, and what an entry without fields is. The second is bounded by where such an entry may
//! stand.

use crate::domain::values::party::Party;

use super::proof::FieldProof;
use super::task_fields::{Ending, Field, Kind, Sees};

/// What a view hides without a right, or shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A field that the party may see.
    #[error("the field `{path}` is hidden from the {viewer}, who may see it")]
    Hidden {
        /// Which field.
        path: &'static str,
        /// Whose view it is said to be.
        viewer: Party,
    },
    /// A field that the party may not see.
    #[error("the field `{path}` is shown, which the {viewer} may not see")]
    Shown {
        /// Which field.
        path: &'static str,
        /// Whose view it is said to be.
        viewer: Party,
    },
    /// An entry that the party may not see.
    #[error("it is shown, and the {0} may not see it")]
    ShownEntry(Party),
    /// An entry where none can be that the party may not see.
    #[error("it is hidden from the {0}, who may see every entry that can stand here")]
    HiddenEntry(Party),
    /// A hidden entry that cannot be one of those that are hidden, since these begin a transition.
    #[error("entry {hidden} before it is hidden from the {viewer}, who may see all that entry {cause} brought about")]
    HiddenWithin {
        /// The hidden entry.
        hidden: u64,
        /// The first entry of the transition.
        cause: u64,
        /// Whose view it is said to be.
        viewer: Party,
    },
    /// A field that no erasure takes out.
    #[error("the field `{0}` is marked as erased, which it cannot be")]
    Kept(&'static str),
}

/// What one entry shows, judged for each party.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    ending: Ending,
    cause: Option<u64>,
    flaws: [Option<Flaw>; Party::ALL.len()],
}

impl Sight {
    /// Judges the fields of an entry of this type; they are those that the table lists.
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

/// `expected`: whether the party sees the field; `None` where that depends on its value, which must then be
/// feedback that is shared.
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

/// Whether it is feedback that its author shares with the buyer.
fn is_shared(proof: &FieldProof) -> bool {
    #[derive(serde::Deserialize)]
    struct Feedback {
        #[serde(default)]
        share_with_buyer: bool,
    }
    let value = proof.value.as_deref().and_then(|value| serde_json::from_str::<Feedback>(value).ok());
    value.is_some_and(|feedback| feedback.share_with_buyer)
}

/// Follows a view from entry to entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    viewer: Party,
    kinds: &'static [Kind],
    is_ending: bool,
    hidden: u64,
    last_hidden: u64,
}

impl Watch {
    /// At the beginning of a trail that has these types of entries.
    pub(super) fn new(viewer: Party, kinds: &'static [Kind]) -> Self {
        Self { viewer, kinds, is_ending: false, hidden: 0, last_hidden: 0 }
    }

    /// How many entries were hidden.
    pub(super) fn hidden(&self) -> u64 {
        self.hidden
    }

    /// Judges the next entry, which has the place `seq`; `None`: it is hidden.
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
