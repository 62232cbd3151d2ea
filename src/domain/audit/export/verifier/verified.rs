//! What was proven about a trail.

use crate::domain::audit::chain::Head;
use crate::domain::audit::origin::TrailOrigin;
use crate::domain::audit::signed_note::KeyName;
use crate::domain::values::party::Party;

use super::approval::Approval;

/// A trail whose lines agree with each other, with the table of fields and with the trusted data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The owner of the trail.
    pub origin: TrailOrigin,
    /// The party whose view it is, as stated by the file; it hides only what this party may not
    /// see.
    pub viewer: Party,
    /// Where it ends.
    pub head: Head,
    /// The number of entries that are completely hidden.
    pub hidden: u64,
    /// The number of entries with fields marked as erased.
    pub erased: u64,
    /// The approvals of its stages, in order.
    pub approvals: Vec<Approval>,
    /// How far it is covered by the log.
    pub logged: Option<Logged>,
}

/// How far a trail is covered by the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The last entry that is covered.
    pub seq: u64,
    /// The number of leaves of the log at the checkpoint.
    pub size: u64,
    /// The log whose key signed the checkpoint, if that key is trusted.
    pub signed_by: Option<KeyName>,
}

impl Verified {
    /// Whether a trusted key vouches for it up to its last entry.
    pub fn is_signed(&self) -> bool {
        self.logged.as_ref().is_some_and(|logged| logged.signed_by.is_some() && logged.seq == self.head.seq)
    }
}
