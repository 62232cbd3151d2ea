//! The log of heads: an append-only Merkle tree as in RFC 6962, section 2.1 (RFC 9162 defines the
//! same tree), whose root is signed as a [`super::checkpoint`].
//!
//! A leaf says that a trail had a certain head: the text
//! `{"head":"<hash>","seq":7,"task":"<UUID>"}` (for a partner's trail, `"partner"` in the place of
//! `"task"`), whose leaf hash is `SHA-256(0x00 ‖ text)`. A node's hash is
//! `SHA-256(0x01 ‖ left ‖ right)`. Only the hashes of complete subtrees, which never change, are
//! stored; [`Node`] names them. Everything else is computed from them.
//!
//! Proofs are the lists of hashes of RFC 6962, sections 2.1.1 and 2.1.2; [`verify_inclusion`] and
//! [`verify_consistency`] check them as RFC 9162 does in sections 2.1.3.2 and 2.1.4.2.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::trail::Hash;
use crate::domain::values::id::{PartnerId, TaskId};

use super::checkpoint::{self, Checkpoint};
use super::signed_note::VerifierKey;

/// The owner of the trail that a leaf is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A task's trail.
    Task(TaskId),
    /// A partner's own trail.
    Partner(PartnerId),
}

/// A leaf of the log: a head that a trail had at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LogLeaf", into = "LogLeaf")]
pub struct Leaf {
    /// The owner of the trail.
    pub subject: Subject,
    /// The `seq` of the trail's last entry.
    pub seq: u64,
    /// The hash of that entry.
    pub head: Hash,
}

/// A leaf of the log as JSON. In this order of members and without white space it is the hashed
/// text. It has either `task` or `partner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLeaf {
    /// The hash of the trail's last entry.
    pub head: Hash,
    /// The `seq` of that entry.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// The task, if it is a task's trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The partner, if it is a partner's own trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
}

/// Neither or both of `task` and `partner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a leaf must have `task` or `partner`, and not both")]
pub struct InvalidLeaf;

impl From<Leaf> for LogLeaf {
    fn from(Leaf { subject, seq, head }: Leaf) -> Self {
        let (task, partner) = match subject {
            Subject::Task(id) => (Some(id), None),
            Subject::Partner(id) => (None, Some(id)),
        };
        Self { head, seq, task, partner }
    }
}

impl TryFrom<LogLeaf> for Leaf {
    type Error = InvalidLeaf;

    fn try_from(LogLeaf { head, seq, task, partner }: LogLeaf) -> Result<Self, InvalidLeaf> {
        let subject = match (task, partner) {
            (Some(id), None) => Subject::Task(id),
            (None, Some(id)) => Subject::Partner(id),
            (None, None) | (Some(_), Some(_)) => return Err(InvalidLeaf),
        };
        Ok(Self { subject, seq, head })
    }
}

impl Leaf {
    /// The hashed text.
    pub fn text(&self) -> String {
        let Self { subject, seq, head } = self;
        let (what, id) = match subject {
            Subject::Task(id) => ("task", id.0),
            Subject::Partner(id) => ("partner", id.0),
        };
        format!(r#"{{"head":"{head}","seq":{seq},"{what}":"{id}"}}"#)
    }

    /// Its leaf hash.
    pub fn hash(&self) -> Hash {
        Hash::of_leaf(self.text().as_bytes())
    }
}

/// A complete subtree: at `level` 0 it is a leaf; at level n it covers the 2^n leaves from `index`
/// · 2^n on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// The height above the leaves.
    pub level: u8,
    /// The position among the nodes of its level, from 0.
    pub index: u64,
}

impl Node {
    /// The subtree of which this one is the left or right half.
    #[must_use]
    pub fn parent(self) -> Self {
        Self { level: self.level + 1, index: self.index / 2 }
    }

    /// Its halves; `None` for a leaf.
    pub fn halves(self) -> Option<[Self; 2]> {
        let level = self.level.checked_sub(1)?;
        Some([self.index * 2, self.index * 2 + 1].map(|index| Self { level, index }))
    }

    /// Whether a log of this size contains all its leaves.
    pub fn is_in(self, size: u64) -> bool {
        self.level < 64 && self.index < size >> self.level
    }
}

/// The hash of a subtree with these halves.
pub fn above(left: &Hash, right: &Hash) -> Hash {
    left.beside(right)
}

/// A hash that a proof needs, as the complete subtrees that it is computed from, left to right.
type Part = Vec<Node>;

/// The complete subtrees that a proof or a root is computed from; [`Plan::resolve`] computes it
/// from their hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan(Vec<Part>);

impl Plan {
    /// The root of a log of this size.
    pub fn root(size: u64) -> Self {
        Self(vec![complete(0..size)])
    }

    /// The proof that the leaf at `index` is in the log of `size` leaves: RFC 6962's PATH(index,
    /// D\[size\]).
    pub fn inclusion(index: u64, size: u64) -> Option<Self> {
        if index >= size {
            return None;
        }
        let (mut range, mut path) = (0..size, Vec::new());
        while range.end - range.start > 1 {
            let middle = split(&range);
            if index < middle {
                path.push(complete(middle..range.end));
                range.end = middle;
            } else {
                path.push(complete(range.start..middle));
                range.start = middle;
            }
        }
        path.reverse();
        Some(Self(path))
    }

    /// The proof that the log of `from` leaves is a prefix of the log of `to` leaves: RFC 6962's
    /// PROOF(from, D\[to\]).
    pub fn consistency(from: u64, to: u64) -> Option<Self> {
        if from == 0 || from > to {
            return None;
        }
        let (mut range, mut path) = (0..to, Vec::new());
        while from < range.end {
            let middle = split(&range);
            if from <= middle {
                path.push(complete(middle..range.end));
                range.end = middle;
            } else {
                path.push(complete(range.start..middle));
                range.start = middle;
            }
        }
        // The verifier knows the old tree itself, but not a subtree of it.
        if range.start > 0 {
            path.push(complete(range));
        }
        path.reverse();
        Some(Self(path))
    }

    /// The subtrees whose hashes are needed.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        self.0.iter().flatten().copied()
    }

    /// The hashes of the proof; `None` if a subtree is missing.
    pub fn resolve(&self, find: impl Fn(Node) -> Option<Hash>) -> Option<Vec<Hash>> {
        let part =
            |part: &Part| part.iter().map(|node| find(*node)).collect::<Option<Vec<_>>>().map(|part| join(&part));
        self.0.iter().map(part).collect()
    }
}

/// A growing log: the roots of its complete subtrees, largest first, which are all that appending
/// needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    peaks: Vec<Hash>,
}

impl Tree {
    /// An empty log.
    pub fn empty() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// The log of this size, from the hashes of the nodes of [`Plan::root`]; `None` if one is
    /// missing.
    pub fn load(size: u64, find: impl Fn(Node) -> Option<Hash>) -> Option<Self> {
        Some(Self { size, peaks: complete(0..size).into_iter().map(find).collect::<Option<_>>()? })
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        join(&self.peaks)
    }

    /// Adds a leaf. Returns the complete subtrees that this creates, the leaf first.
    pub fn append(&mut self, leaf: Hash) -> Vec<(Node, Hash)> {
        let mut made = vec![(Node { level: 0, index: self.size }, leaf)];
        let (mut hash, mut node) = (leaf, made[0].0);
        // A node with an odd index has a complete sibling to its left, which is the last peak.
        while node.index % 2 == 1 {
            let left = self.peaks.pop().expect("a log has a peak for each bit of its size");
            hash = left.beside(&hash);
            node = node.parent();
            made.push((node, hash));
        }
        self.peaks.push(hash);
        self.size += 1;
        made
    }
}

/// The split point of a tree in RFC 6962: the largest power of two smaller than its size, from its
/// start.
fn split(range: &Range<u64>) -> u64 {
    let size = range.end - range.start;
    range.start + (1 << (size - 1).ilog2())
}

/// The complete subtrees of a range that starts at a multiple of the largest one.
fn complete(mut range: Range<u64>) -> Vec<Node> {
    let mut nodes = Vec::new();
    while range.start < range.end {
        let level = (range.end - range.start).ilog2();
        nodes.push(Node { level: u8::try_from(level).expect("a u64 has 64 bits"), index: range.start >> level });
        range.start += 1 << level;
    }
    nodes
}

/// The root over complete subtrees, largest first.
fn join(peaks: &[Hash]) -> Hash {
    let mut peaks = peaks.iter().rev();
    let Some(last) = peaks.next() else { return Hash::of_tree(Vec::new()) };
    peaks.fold(*last, |right, left| left.beside(&right))
}

/// Whether `hashes` prove that the leaf with this hash is at `index` in the log of this size and root.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, hashes: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last, mut made) = (index, size - 1, leaf);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if place % 2 == 1 || place == last {
            made = hash.beside(&made);
            while place % 2 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            made = made.beside(hash);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && made == root
}

/// Whether `hashes` prove that the log with size and root `old` is a prefix of `new`.
pub fn verify_consistency(old: (u64, Hash), new: (u64, Hash), hashes: &[Hash]) -> bool {
    let ((from, old_root), (to, new_root)) = (old, new);
    if from == 0 || from > to {
        return false;
    }
    if from == to {
        return hashes.is_empty() && old_root == new_root;
    }
    // If the old tree is complete, its root is the first hash.
    let own = from.is_power_of_two().then_some(old_root);
    let mut hashes = own.iter().chain(hashes);
    let Some(first) = hashes.next() else { return false };
    let (mut place, mut last) = (from - 1, to - 1);
    while place % 2 == 1 {
        (place, last) = (place >> 1, last >> 1);
    }
    let (mut made_old, mut made_new) = (*first, *first);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if place % 2 == 1 || place == last {
            (made_old, made_new) = (hash.beside(&made_old), hash.beside(&made_new));
            while place % 2 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            made_new = made_new.beside(hash);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && made_old == old_root && made_new == new_root
}

/// The proof that a trail's head is in the log, with the checkpoint to check it against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// The leaf. The hash at `index` is its leaf hash, `SHA-256(0x00 ‖ text)`, with this object as
    /// text without white space.
    #[schema(value_type = LogLeaf)]
    pub leaf: Leaf,
    /// The leaf's position in the log, from 0.
    pub index: u64,
    /// The number of leaves of the log at the checkpoint.
    #[schema(minimum = 1)]
    pub size: u64,
    /// The hashes of RFC 6962, section 2.1.1, from the leaf's sibling to the root.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint of that size, as it was published.
    pub checkpoint: String,
}

/// The proof that one log is a prefix of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// The size of the older log.
    #[schema(minimum = 1)]
    pub from: u64,
    /// The size of the newer one.
    #[schema(minimum = 1)]
    pub to: u64,
    /// The hashes of RFC 6962, section 2.1.2.
    pub hashes: Vec<Hash>,
}

/// Why a proof is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The checkpoint is not trustworthy.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] checkpoint::Error),
    /// The proof is for a log of another size than the checkpoint's.
    #[error("the proof is for a log of {0} leaves, the checkpoint for one of {1}")]
    Size(u64, u64),
    /// The leaf is not at that position in the log.
    #[error("leaf {0} is not what the checkpoint signs")]
    Leaf(u64),
    /// The older log is not a prefix of the newer one.
    #[error("the log of {0} leaves is not the beginning of that of {1}: its history was rewritten, or there are two")]
    History(u64, u64),
}

impl InclusionProof {
    /// Checks the proof with nothing but public keys; returns its checkpoint.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Checkpoint, Error> {
        let checkpoint = Checkpoint::open(&self.checkpoint, keys)?;
        self.verify_against(&checkpoint)?;
        Ok(checkpoint)
    }

    /// Checks the proof against a checkpoint that is already trusted, such as one that was kept.
    pub fn verify_against(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        if self.size != checkpoint.size {
            return Err(Error::Size(self.size, checkpoint.size));
        }
        let holds = verify_inclusion(self.leaf.hash(), self.index, self.size, &self.hashes, checkpoint.root);
        if holds { Ok(()) } else { Err(Error::Leaf(self.index)) }
    }
}

impl ConsistencyProof {
    /// Checks that the log of the checkpoint `old` is a prefix of that of `new`.
    pub fn verify(&self, old: &Checkpoint, new: &Checkpoint) -> Result<(), Error> {
        for (own, other) in [(self.from, old.size), (self.to, new.size)] {
            if own != other {
                return Err(Error::Size(own, other));
            }
        }
        let holds = verify_consistency((old.size, old.root), (new.size, new.root), &self.hashes);
        if holds { Ok(()) } else { Err(Error::History(old.size, new.size)) }
    }
}

#[cfg(test)]
mod tests;
