//! What can be wrong with an export, and where.

use crate::domain::audit::error::Error as ChainError;
use crate::domain::audit::origin::TrailOrigin;
use crate::domain::audit::transparency_log;

/// A flaw and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The line, from 1.
    pub line: u64,
    /// The trail.
    pub trail: Option<TrailOrigin>,
    /// The entry, by its position in the trail.
    pub seq: Option<u64>,
    /// The flaw.
    pub what: What,
}

/// The kinds of flaws of an export.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// Not a line of an export.
    #[error("not a line of an export: {0}")]
    Unreadable(String),
    /// Readable, but not byte for byte in the form of an export.
    #[error("it is not written byte for byte as exports are")]
    Form,
    /// A line that may not occur here.
    #[error("a line that may not occur here")]
    Place,
    /// The end is missing.
    #[error("the export is not complete: its last line is missing")]
    Cut,
    /// It has an unknown format.
    #[error("it has the format {0}, which is not known here")]
    Format(u32),
    /// A flaw of the entry.
    #[error(transparent)]
    Entry(#[from] ChainError),
    /// The service could not read it.
    #[error("the service found it damaged: {0}")]
    Damaged(String),
    /// Every trail has at least its opening.
    #[error("there are no entries")]
    Empty,
    /// The head is not that of the last entry.
    #[error("the trail ends with entry {0}, and its head is another: entries are missing, or were added")]
    Head(u64),
    /// An entry lost fields, and no later one records their erasure.
    #[error("fields were removed from it, but no later entry records their erasure")]
    Erased(u64),
    /// Something was changed that no other hash covers.
    #[error("the lines up to here are not those that its digest was made of")]
    Digest,
    /// Trails or entries were lost or added.
    #[error("it does not have as many trails and entries as its last line says")]
    Totals,
    /// A trail that was not requested.
    #[error("a trail of another partner than the requested one")]
    Foreign,
    /// A trail that occurs twice or is out of order.
    #[error("the trails of an export are in the order of their ids, each once; this one is not")]
    Unordered,
    /// Two trails of one file are proven against different checkpoints.
    #[error("its checkpoint differs from that of the trails before it; an export has only one")]
    Checkpoints,
    /// A flaw of the inclusion proof.
    #[error("its proof of inclusion: {0}")]
    Inclusion(#[from] transparency_log::Error),
    /// The proof of inclusion is for something else.
    #[error("its proof of inclusion is for another head than the trail has")]
    Elsewhere,
    /// It is in no checkpoint, but a kept one was given to check it against.
    #[error(
        "it has no proof of inclusion, so the kept checkpoint says nothing about it: export it with `size=` of that one"
    )]
    NotIncluded,
    /// No proof leads from a kept checkpoint to that of the export.
    #[error(
        "it is proven against a checkpoint of {0} leaves, which was not kept: export it with the `size=` of a kept one, or provide the consistency proof"
    )]
    Unconnected(u64),
    /// The kept checkpoint and that of the export contradict each other.
    #[error("its checkpoint of {0} leaves CONTRADICTS the kept one of {1}: there are two histories")]
    Contradiction(u64, u64),
}

impl What {
    /// The entry that the flaw is about, in a trail checked up to the entry `last`.
    pub(super) fn seq(&self, last: u64) -> Option<u64> {
        match self {
            Self::Unreadable(_)
            | Self::Form
            | Self::Place
            | Self::Cut
            | Self::Entry(_)
            | Self::Empty
            | Self::Damaged(_) => Some(last + 1),
            Self::Head(_) => Some(last),
            Self::Erased(seq) => Some(*seq),
            Self::Format(_)
            | Self::Digest
            | Self::Totals
            | Self::Foreign
            | Self::Unordered
            | Self::Checkpoints
            | Self::Inclusion(_)
            | Self::Elsewhere
            | Self::NotIncluded
            | Self::Unconnected(_)
            | Self::Contradiction(..) => None,
        }
    }
}
