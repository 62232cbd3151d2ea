//! What can be wrong with an entry, a chain or a view.

use crate::domain::values::party::Party;

/// What is wrong with a stored entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `entry` does not have the hashed form.
    #[error("its text is not that of an entry")]
    Entry,
    /// `data` or `personal` does not have the stored form.
    #[error("its fields are not in the form they are stored in")]
    Columns,
    /// The format number is unknown.
    #[error("it has the format {0}, which is not known here")]
    Format(u32),
    /// Another entry is in the place of this one.
    #[error("entry {0} is in its place")]
    Order(u64),
    /// The entry names another task, or another partner.
    #[error("it belongs to another trail")]
    Trail,
    /// The entry does not name the hash of the one before.
    #[error("it does not continue the entry before it")]
    Link,
    /// `hash` is not the hash of `entry`.
    #[error("its hash is not that of its text")]
    Hash,
    /// The fields are not those that the entry commits to.
    #[error("its fields are not those that were committed")]
    Fields,
    /// The entry lost fields, and no later one records their erasure.
    #[error("fields were removed from it, but no later entry records their erasure")]
    Erased,
    /// The view hides or shows what it must not.
    #[error(transparent)]
    View(#[from] ViewFlaw),
    /// The fields are those committed but do not form a known event.
    #[error("its fields do not make an event: {0}")]
    Event(String),
}

/// Where a chain is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq}: {what}")]
pub struct Broken {
    /// The `seq` that the entry should have according to its place.
    pub seq: u64,
    /// What is wrong with it.
    pub what: Error,
}

/// A field or entry that a view wrongly hides or shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewFlaw {
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
