//! The trail that is being read: its chain, what its view hides, and its end.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::domain::audit::chain::{Chain, Head};
use crate::domain::audit::error::Error as ChainError;
use crate::domain::audit::export::{End, Header};
use crate::domain::audit::origin::TrailOrigin;
use crate::domain::audit::proof_verifier::visibility;
use crate::domain::audit::transparency_log::{self, InclusionProof, Leaf, Subject};
use crate::domain::audit::visibility::VisibilityCheck;
use crate::domain::partner::trail::PartnerOrigin;
use crate::domain::task::trail::Origin;
use crate::domain::trail::{Hash, Kind};

use super::approval::Approvals;
use super::flaw::What;
use super::form::{digest, parse_closed};
use super::line::Entry;
use super::trusted::Trusted;
use super::verified::{Logged, Verified};

/// The current trail.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    pub(super) header: Header,
    pub(super) chain: Following,
    visible: VisibilityCheck,
    erased: u64,
    hashes: Vec<Hash>,
    digest: Sha256,
    /// Entries with erased fields for which no later entry has accounted yet.
    lost: BTreeSet<u64>,
    approvals: Approvals,
    pub(super) is_flawed: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Following {
    Task(Chain<Origin>),
    Partner(Chain<PartnerOrigin>),
}

impl Following {
    pub(super) fn head(&self) -> Head {
        match self {
            Self::Task(chain) => chain.head(),
            Self::Partner(chain) => chain.head(),
        }
    }

    fn follow(
        &mut self,
        Entry { proof, committed, .. }: &Entry,
        visible: &mut VisibilityCheck,
    ) -> Result<(), ChainError> {
        let head = match self {
            Self::Task(chain) => proof.check(committed, chain)?,
            Self::Partner(chain) => proof.check(committed, chain)?,
        };
        visible.follow(head.seq, visibility(committed))?;
        match self {
            Self::Task(chain) => chain.advance(head),
            Self::Partner(chain) => chain.advance(head),
        }
        Ok(())
    }
}

impl Trail {
    /// A trail that begins with this header, written as this line.
    pub(super) fn new(header: Header, line: &[u8], (chain, kinds): (Following, &'static [Kind])) -> Self {
        Self {
            chain,
            visible: VisibilityCheck::new(header.viewer, kinds),
            header,
            erased: 0,
            hashes: Vec::new(),
            digest: Sha256::new().chain_update(line),
            lost: BTreeSet::new(),
            approvals: Approvals::default(),
            is_flawed: false,
        }
    }

    pub(super) fn entry(&mut self, line: &[u8], entry: Result<Entry, What>) -> Result<(), What> {
        let entry = entry?;
        self.chain.follow(&entry, &mut self.visible)?;
        let Entry { proof, has_lost_fields, erases, step, .. } = entry;
        if has_lost_fields {
            self.erased += 1;
            self.lost.insert(proof.seq);
        }
        if let Some((seq, entries)) = erases {
            // A buyer does not see which entries they were.
            self.lost.retain(|lost| *lost >= seq || entries.as_ref().is_some_and(|entries| !entries.contains(lost)));
        }
        if let Some(step) = step {
            self.approvals.add(step);
        }
        self.hashes.push(proof.hash);
        self.digest.update(line);
        Ok(())
    }

    /// Checks the end of the trail; `checkpoint` is that of the trails before it.
    pub(super) fn end(
        &self,
        text: &[u8],
        trusted: &Trusted,
        checkpoint: &mut Option<String>,
        buffer: &mut Vec<u8>,
    ) -> Result<Verified, What> {
        let End { head, inclusion, sha256 } = parse_closed(text, buffer)?;
        let reached = self.chain.head();
        if reached.seq == 0 {
            return Err(What::Empty);
        }
        if head != reached {
            return Err(What::Head(reached.seq));
        }
        if sha256 != Some(digest(&self.digest, text)) {
            return Err(What::Digest);
        }
        if let Some(lost) = self.lost.first() {
            return Err(What::Erased(*lost));
        }
        if let Some(proof) = &inclusion
            && *checkpoint.get_or_insert_with(|| proof.checkpoint.clone()) != proof.checkpoint
        {
            return Err(What::Checkpoints);
        }
        let logged = match &inclusion {
            Some(proof) => Some(self.logged(proof, trusted)?),
            None if trusted.kept.is_empty() => None,
            None => return Err(What::NotIncluded),
        };
        let Header { origin, viewer, .. } = self.header;
        let (hidden, approvals) = (self.visible.hidden(), self.approvals.list().to_vec());
        Ok(Verified { origin, viewer, head, hidden, erased: self.erased, approvals, logged })
    }

    fn logged(&self, proof: &InclusionProof, trusted: &Trusted) -> Result<Logged, What> {
        let (checkpoint, is_signed) = trusted.open(&proof.checkpoint).map_err(transparency_log::Error::from)?;
        proof.verify_against(&checkpoint)?;
        let Leaf { subject, seq, head } = proof.leaf;
        let own = match self.header.origin {
            TrailOrigin::Task(origin) => Subject::Task(origin.task_id),
            TrailOrigin::Partner(origin) => Subject::Partner(origin.partner_id),
        };
        let place = seq.checked_sub(1).and_then(|before| usize::try_from(before).ok());
        if subject != own || place.and_then(|place| self.hashes.get(place)) != Some(&head) {
            return Err(What::Elsewhere);
        }
        trusted.connect(&checkpoint)?;
        Ok(Logged { seq, size: proof.size, signed_by: Some(checkpoint.origin).filter(|_| is_signed) })
    }
}
