//! Checks a line by itself.

use crate::domain::audit::error::Error as ChainError;
use crate::domain::audit::export::ENTRY;
use crate::domain::audit::proof::EntryProof;
use crate::domain::audit::proof_verifier::Committed;

use super::approval::Step;
use super::flaw::What;
use super::form::parse;

/// A line of an export, with its line feed, and everything that can be checked without the lines
/// before it, so that several lines can be checked in parallel.
#[derive(Clone, Debug)]
pub struct Line<'l> {
    pub(super) bytes: &'l [u8],
    /// The entry, if the line begins like one.
    pub(super) entry: Option<Result<Entry, What>>,
}

/// The part of an entry that is kept. Its fields are dropped on the thread that read them, since
/// others wait for the rest.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The proof without its fields.
    pub(super) proof: EntryProof,
    pub(super) committed: Result<Option<Committed>, ChainError>,
    pub(super) has_lost_fields: bool,
    /// See [`EntryProof::erases`].
    pub(super) erases: Option<(u64, Option<Vec<u64>>)>,
    /// What it says about an approval.
    pub(super) step: Option<Step>,
}

impl<'l> Line<'l> {
    /// Checks a line by itself, which is the greater part of the work.
    pub fn new(bytes: &'l [u8]) -> Self {
        let entry = bytes.starts_with(ENTRY).then(|| {
            let proof: EntryProof =
                parse(bytes.strip_suffix(b"\n").ok_or(What::Form)?, &mut Vec::with_capacity(bytes.len()))?;
            let has_lost_fields = proof.fields.iter().flatten().any(|field| field.erased);
            let (committed, erases, step) = (proof.committed(), proof.erases(), Step::of(&proof));
            Ok(Entry { proof: EntryProof { fields: None, ..proof }, committed, has_lost_fields, erases, step })
        });
        Self { bytes, entry }
    }
}
