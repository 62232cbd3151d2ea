//! What the reader of an export already trusts: keys and checkpoints.

use crate::domain::audit::checkpoint::{self, Checkpoint};
use crate::domain::audit::signed_note::{self, VerifierKey};
use crate::domain::audit::transparency_log::ConsistencyProof;

use super::flaw::What;

/// The trusted data that trails are checked with.
#[derive(Clone, Debug, Default)]
pub struct Trusted {
    /// The public keys of the log.
    pub keys: Vec<VerifierKey>,
    /// Checkpoints that were kept and are trusted.
    pub kept: Vec<Checkpoint>,
    /// Proofs that lead from one checkpoint to another.
    pub consistency: Vec<ConsistencyProof>,
}

impl Trusted {
    /// Reads a checkpoint and returns whether one of the trusted keys signed it. A signature that
    /// names such a key must be valid.
    pub fn open(&self, note: &str) -> Result<(Checkpoint, bool), checkpoint::Error> {
        match Checkpoint::open(note, &self.keys) {
            Err(checkpoint::Error::Note(signed_note::Error::Unknown)) => {
                Checkpoint::read(note).map(|read| (read, false))
            }
            opened => opened.map(|opened| (opened, true)),
        }
    }

    /// Checks that a checkpoint was kept, or is proven to continue a kept one or to be continued by
    /// one.
    pub fn connect(&self, checkpoint: &Checkpoint) -> Result<(), What> {
        let mut is_connected = self.kept.is_empty();
        for kept in &self.kept {
            let contradiction = What::Contradiction(checkpoint.size, kept.size);
            if kept.size == checkpoint.size && kept.origin == checkpoint.origin {
                if kept.root != checkpoint.root {
                    return Err(contradiction);
                }
                is_connected = true;
                continue;
            }
            let (old, new) = if kept.size < checkpoint.size { (kept, checkpoint) } else { (checkpoint, kept) };
            for proof in self.consistency.iter().filter(|proof| (proof.from, proof.to) == (old.size, new.size)) {
                proof.verify(old, new).map_err(|_| contradiction.clone())?;
                is_connected |= kept.origin == checkpoint.origin;
            }
        }
        if is_connected { Ok(()) } else { Err(What::Unconnected(checkpoint.size)) }
    }
}
