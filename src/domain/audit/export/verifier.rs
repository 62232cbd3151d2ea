//! Checks an export line by line, with nothing but the file itself and what the reader already
//! trusts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::audit::chain::{Chain, FORMAT, Head};
use crate::domain::audit::checkpoint::{self, Checkpoint};
use crate::domain::audit::error::Error as ChainError;
use crate::domain::audit::note::{self, KeyName, VerifierKey};
use crate::domain::audit::origin::TrailOrigin;
use crate::domain::audit::proof::EntryProof;
use crate::domain::audit::proof_verifier::{Committed, visibility};
use crate::domain::audit::transparency_log::{self, ConsistencyProof, InclusionProof, Leaf, Subject};
use crate::domain::audit::visibility::VisibilityCheck;
use crate::domain::partner::event::PartnerEvent;
use crate::domain::partner::trail::PartnerOrigin;
use crate::domain::task::event::Event;
use crate::domain::task::trail::Origin;
use crate::domain::trail::{Hash, Recorded as _};
use crate::domain::values::party::Party;

use super::{DAMAGED, DIGEST, DamagedLine, ENTRY, End, HEADER, Header, OPENING, Opening, Selection, TOTALS, Totals};

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

/// A line of an export, with its line feed, and everything that can be checked without the lines
/// before it, so that several lines can be checked in parallel.
#[derive(Clone, Debug)]
pub struct Line<'l> {
    bytes: &'l [u8],
    /// The entry, if the line begins like one.
    entry: Option<Result<Entry, What>>,
}

/// The part of an entry that is kept. Its fields are dropped on the thread that read them, since
/// others wait for the rest.
#[derive(Clone, Debug)]
struct Entry {
    /// The proof without its fields.
    proof: EntryProof,
    committed: Result<Option<Committed>, ChainError>,
    has_lost_fields: bool,
    /// See [`EntryProof::erases`].
    erases: Option<(u64, Option<Vec<u64>>)>,
}

impl<'l> Line<'l> {
    /// Checks a line by itself, which is the greater part of the work.
    pub fn new(bytes: &'l [u8]) -> Self {
        let entry = bytes.starts_with(ENTRY).then(|| {
            let proof: EntryProof =
                parse(bytes.strip_suffix(b"\n").ok_or(What::Form)?, &mut Vec::with_capacity(bytes.len()))?;
            let has_lost_fields = proof.fields.iter().flatten().any(|field| field.erased);
            let (committed, erases) = (proof.committed(), proof.erases());
            Ok(Entry { proof: EntryProof { fields: None, ..proof }, committed, has_lost_fields, erases })
        });
        Self { bytes, entry }
    }
}

/// Checks an export line by line. It keeps 32 bytes for each entry of the current trail, and
/// nothing of earlier trails.
#[derive(Clone, Debug)]
pub struct Verifier<'t> {
    trusted: &'t Trusted,
    line: u64,
    whole: Sha256,
    selection: Option<Selection>,
    /// The id of the previous trail.
    last: Option<Uuid>,
    /// The signed checkpoint of the trails so far.
    checkpoint: Option<String>,
    trail: Option<Trail>,
    counted: (u64, u64),
    is_flawed: bool,
    is_over: bool,
    buffer: Vec<u8>,
}

impl<'t> Verifier<'t> {
    /// The start of a file.
    pub fn new(trusted: &'t Trusted) -> Self {
        Self {
            trusted,
            line: 0,
            whole: Sha256::new(),
            selection: None,
            last: None,
            checkpoint: None,
            trail: None,
            counted: (0, 0),
            is_flawed: false,
            is_over: false,
            buffer: Vec::new(),
        }
    }

    /// The number of trails and entries so far.
    pub fn counted(&self) -> (u64, u64) {
        self.counted
    }

    /// Reads the next line; returns the trail that ends with it and is sound. After a flaw in a
    /// trail the rest of it is skipped.
    pub fn read(&mut self, line: Line<'_>) -> Result<Option<Verified>, Flaw> {
        self.line += 1;
        let bytes = line.bytes;
        let step = self.step(line).map_err(|what| self.flaw(what));
        if bytes.starts_with(super::END) && self.trail.take().is_some() {
            self.is_over = self.selection.is_none();
        }
        if self.selection.is_some() {
            self.whole.update(bytes);
        }
        step
    }

    /// Reports the end of the file.
    pub fn finish(&mut self) -> Result<(), Flaw> {
        if self.is_over {
            return Ok(());
        }
        self.line += 1;
        Err(self.flaw(What::Cut))
    }

    fn flaw(&mut self, what: What) -> Flaw {
        self.is_flawed = true;
        let trail = self.trail.as_mut();
        let seq = trail.as_ref().and_then(|trail| what.seq(trail.chain.head().seq));
        let trail = trail.map(|trail| {
            trail.is_flawed = true;
            trail.header.origin
        });
        Flaw { line: self.line, trail, seq, what }
    }

    fn step(&mut self, Line { bytes: line, entry }: Line<'_>) -> Result<Option<Verified>, What> {
        let text = line.strip_suffix(b"\n").ok_or(What::Form)?;
        let is_entry = text.starts_with(ENTRY) || text.starts_with(DAMAGED);
        let is_known = [HEADER, super::END, OPENING, TOTALS].iter().any(|start| text.starts_with(start));
        if self.is_over {
            return Err(What::Place);
        }
        if !is_known && !is_entry {
            return match &self.trail {
                Some(trail) if trail.is_flawed => Ok(None),
                Some(_) | None => Err(unreadable(text)),
            };
        }
        if is_entry {
            self.counted.1 += 1;
        }
        if let Some(trail) = &mut self.trail {
            if is_entry {
                return if trail.is_flawed {
                    Ok(None)
                } else {
                    trail.entry(line, entry.unwrap_or_else(|| Err(damaged(text, &mut self.buffer)))).map(|()| None)
                };
            }
            if text.starts_with(super::END) {
                return if trail.is_flawed {
                    Ok(None)
                } else {
                    trail.end(text, self.trusted, &mut self.checkpoint, &mut self.buffer).map(Some)
                };
            }
            if !trail.is_flawed {
                // The next trail or the end of the file comes before the end of this one.
                return Err(What::Place);
            }
        }
        self.trail = None;
        if text.starts_with(HEADER) {
            self.header(line, text)
        } else if text.starts_with(OPENING) && self.line == 1 {
            self.selection = Some(parse::<Opening>(text, &mut self.buffer)?.export);
            Ok(None)
        } else if text.starts_with(TOTALS) && self.selection.is_some() {
            self.totals(text)
        } else {
            Err(What::Place)
        }
    }

    fn header(&mut self, line: &[u8], text: &[u8]) -> Result<Option<Verified>, What> {
        let header: Header = parse(text, &mut self.buffer)?;
        self.counted.0 += 1;
        let (chain, kinds, partner, id) = match &header.origin {
            TrailOrigin::Task(origin) => {
                (Following::Task(Chain::new(origin)), Event::KINDS, origin.partner_id, origin.task_id.0)
            }
            TrailOrigin::Partner(origin) => {
                (Following::Partner(Chain::new(origin)), PartnerEvent::KINDS, origin.partner_id, origin.partner_id.0)
            }
        };
        let before = self.last.replace(id);
        self.trail = Some(Trail {
            header,
            chain,
            watch: VisibilityCheck::new(header.viewer, kinds),
            erased: 0,
            hashes: Vec::new(),
            digest: Sha256::new().chain_update(line),
            lost: BTreeSet::new(),
            is_flawed: false,
        });
        if header.format != FORMAT {
            return Err(What::Format(header.format));
        }
        let wanted = self.selection.as_ref().and_then(|selection| selection.partner);
        if wanted.is_some_and(|wanted| wanted != partner) {
            return Err(What::Foreign);
        }
        if before.is_some_and(|before| before >= id) { Err(What::Unordered) } else { Ok(None) }
    }

    fn totals(&mut self, text: &[u8]) -> Result<Option<Verified>, What> {
        self.is_over = true;
        let totals: Totals = parse_closed(text, &mut self.buffer)?;
        if (totals.trails, totals.entries) != self.counted {
            return Err(What::Totals);
        }
        // A flaw that was already reported is not reported again.
        if self.is_flawed || totals.sha256 == Some(digest(&self.whole, text)) { Ok(None) } else { Err(What::Digest) }
    }
}

impl What {
    /// The entry that the flaw is about, in a trail checked up to the entry `last`.
    fn seq(&self, last: u64) -> Option<u64> {
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

/// The current trail.
#[derive(Clone, Debug)]
struct Trail {
    header: Header,
    chain: Following,
    watch: VisibilityCheck,
    erased: u64,
    hashes: Vec<Hash>,
    digest: Sha256,
    /// Entries with erased fields for which no later entry has accounted yet.
    lost: BTreeSet<u64>,
    is_flawed: bool,
}

#[derive(Clone, Debug)]
enum Following {
    Task(Chain<Origin>),
    Partner(Chain<PartnerOrigin>),
}

impl Following {
    fn head(&self) -> Head {
        match self {
            Self::Task(chain) => chain.head(),
            Self::Partner(chain) => chain.head(),
        }
    }

    fn follow(
        &mut self,
        Entry { proof, committed, .. }: &Entry,
        watch: &mut VisibilityCheck,
    ) -> Result<(), ChainError> {
        let head = match self {
            Self::Task(chain) => proof.check(committed, chain)?,
            Self::Partner(chain) => proof.check(committed, chain)?,
        };
        watch.follow(head.seq, visibility(committed))?;
        match self {
            Self::Task(chain) => chain.advance(head),
            Self::Partner(chain) => chain.advance(head),
        }
        Ok(())
    }
}

impl Trail {
    fn entry(&mut self, line: &[u8], entry: Result<Entry, What>) -> Result<(), What> {
        let entry = entry?;
        self.chain.follow(&entry, &mut self.watch)?;
        let Entry { proof, has_lost_fields, erases, .. } = entry;
        if has_lost_fields {
            self.erased += 1;
            self.lost.insert(proof.seq);
        }
        if let Some((seq, entries)) = erases {
            // A buyer does not see which entries they were.
            self.lost.retain(|lost| *lost >= seq || entries.as_ref().is_some_and(|entries| !entries.contains(lost)));
        }
        self.hashes.push(proof.hash);
        self.digest.update(line);
        Ok(())
    }

    /// Checks the end of the trail; `checkpoint` is that of the trails before it.
    fn end(
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
        Ok(Verified { origin, viewer, head, hidden: self.watch.hidden(), erased: self.erased, logged })
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

impl Trusted {
    /// Reads a checkpoint and returns whether one of the trusted keys signed it. A signature that
    /// names such a key must be valid.
    pub fn open(&self, note: &str) -> Result<(Checkpoint, bool), checkpoint::Error> {
        match Checkpoint::open(note, &self.keys) {
            Err(checkpoint::Error::Note(note::Error::Unknown)) => Checkpoint::read(note).map(|read| (read, false)),
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

/// The flaw reported by a placeholder line.
fn damaged(text: &[u8], buffer: &mut Vec<u8>) -> What {
    parse::<DamagedLine>(text, buffer).map_or_else(|what| what, |line| What::Damaged(line.damaged.what))
}

/// Parses a line that must have exactly the form that this build writes.
fn parse<'a, T: Serialize + Deserialize<'a>>(text: &'a [u8], buffer: &mut Vec<u8>) -> Result<T, What> {
    let line: T = serde_json::from_slice(text).map_err(|error| What::Unreadable(error.to_string()))?;
    buffer.clear();
    serde_json::to_writer(&mut *buffer, &line).map_err(|error| What::Unreadable(error.to_string()))?;
    if buffer == text { Ok(line) } else { Err(What::Form) }
}

/// The same for a last line, which is written with its digest.
fn parse_closed<'a, T: Serialize + Deserialize<'a> + Closed>(text: &'a [u8], buffer: &mut Vec<u8>) -> Result<T, What> {
    let line: T = serde_json::from_slice(text).map_err(|error| What::Unreadable(error.to_string()))?;
    buffer.clear();
    serde_json::to_writer(&mut *buffer, &line).map_err(|error| What::Unreadable(error.to_string()))?;
    buffer.pop();
    let digest = line.digest().ok_or(What::Form)?;
    buffer.extend_from_slice(format!("{DIGEST}\"{digest}\"}}").as_bytes());
    if buffer == text { Ok(line) } else { Err(What::Form) }
}

trait Closed {
    fn digest(&self) -> Option<Hash>;
}

impl Closed for End {
    fn digest(&self) -> Option<Hash> {
        self.sha256
    }
}

impl Closed for Totals {
    fn digest(&self) -> Option<Hash> {
        self.sha256
    }
}

/// The digest that a last line must have after what `before` has seen.
fn digest(before: &Sha256, text: &[u8]) -> Hash {
    let own = text.len() - DIGEST.len() - "\"\"}".len() - 64;
    Hash::from_bytes(before.clone().chain_update(&text[..own]).finalize().into())
}

fn unreadable(text: &[u8]) -> What {
    match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
        Ok(_) => What::Unreadable("it begins otherwise".to_owned()),
        Err(error) => What::Unreadable(error.to_string()),
    }
}
