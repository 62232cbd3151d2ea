//! The log of heads: an append-only Merkle tree as in RFC 6962, section 2.1 (RFC 9162 has the same), whose root is
//! signed as a [`super::checkpoint`].
//!
//! A leaf says that a trail had a certain head: the text `{"head":"<hash>","seq":7,"task":"<UUID>"}` (for the trail
//! of a partner, `"partner"` in the place of `"task"`), whose leaf hash is `SHA-256(0x00 ‖ text)`; a node's hash is
//! `SHA-256(0x01 ‖ left ‖ right)`. Kept are the hashes of complete subtrees alone, which never change: [`Node`]
//! names them. Everything else is computed from those.
//!
//! Proofs are the lists of hashes of RFC 6962, sections 2.1.1 and 2.1.2; [`verify_inclusion`] and
//! [`verify_consistency`] check them as RFC 9162 does in sections 2.1.3.2 and 2.1.4.2.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::id::{PartnerId, TaskId};

use super::checkpoint::{self, Checkpoint};
use super::hash::Hash;
use super::note::VerifierKey;

/// Whose trail a leaf is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A task's.
    Task(TaskId),
    /// A partner's own.
    Partner(PartnerId),
}

/// A leaf of the log: at some time this was the head of a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LogLeaf", into = "LogLeaf")]
pub struct Leaf {
    /// Whose trail.
    pub subject: Subject,
    /// The `seq` of the trail's last entry.
    pub seq: u64,
    /// The hash of that entry.
    pub head: Hash,
}

/// A leaf of the log as JSON: in this order of members and without white space it is the text that is hashed. It
/// has `task` or `partner`, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLeaf {
    /// The hash of the trail's last entry.
    pub head: Hash,
    /// The `seq` of that entry.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// The task whose trail it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The partner whose own trail it is.
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
    /// The text that is hashed.
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

/// A complete subtree: at `level` 0 a leaf, at level n it covers the 2^n leaves from `index` · 2^n on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// How high above the leaves.
    pub level: u8,
    /// Its place among those of its level, from 0.
    pub index: u64,
}

impl Node {
    /// The subtree that has this one as its left or right half.
    #[must_use]
    pub fn parent(self) -> Self {
        Self { level: self.level + 1, index: self.index / 2 }
    }

    /// Its halves; `None` for a leaf.
    pub fn halves(self) -> Option<[Self; 2]> {
        let level = self.level.checked_sub(1)?;
        Some([self.index * 2, self.index * 2 + 1].map(|index| Self { level, index }))
    }

    /// Whether a log of this size has all of its leaves.
    pub fn is_in(self, size: u64) -> bool {
        self.level < 64 && self.index < size >> self.level
    }
}

/// The hash of a subtree with these halves.
pub fn above(left: &Hash, right: &Hash) -> Hash {
    left.beside(right)
}

/// A hash that a proof needs, as the complete subtrees that make it up, left to right.
type Part = Vec<Node>;

/// Which complete subtrees a proof or a root is made of; [`Plan::resolve`] makes it once their hashes are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan(Vec<Part>);

impl Plan {
    /// The root of a log of this size.
    pub fn root(size: u64) -> Self {
        Self(vec![complete(0..size)])
    }

    /// The proof that the leaf at `index` is in the log of `size`: RFC 6962's PATH(index, D\[size\]).
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

    /// The proof that the log of size `from` is the beginning of that of size `to`: RFC 6962's PROOF(from, D\[to\]).
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
        // The old tree itself is known to the verifier; a subtree of it is not.
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

    /// The hashes of the proof; `None` when a subtree is missing.
    pub fn resolve(&self, find: impl Fn(Node) -> Option<Hash>) -> Option<Vec<Hash>> {
        let part =
            |part: &Part| part.iter().map(|node| find(*node)).collect::<Option<Vec<_>>>().map(|part| join(&part));
        self.0.iter().map(part).collect()
    }
}

/// A log that grows: the roots of its complete subtrees, largest first, which are all that appending needs.
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

    /// The log of this size, from the hashes of the nodes of [`Plan::root`]; `None` when one is missing.
    pub fn load(size: u64, find: impl Fn(Node) -> Option<Hash>) -> Option<Self> {
        Some(Self { size, peaks: complete(0..size).into_iter().map(find).collect::<Option<_>>()? })
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        join(&self.peaks)
    }

    /// Adds a leaf; the complete subtrees that it makes, itself first.
    pub fn append(&mut self, leaf: Hash) -> Vec<(Node, Hash)> {
        let mut made = vec![(Node { level: 0, index: self.size }, leaf)];
        let (mut hash, mut node) = (leaf, made[0].0);
        // An odd index has a complete sibling to its left, which is the last peak.
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

/// Where RFC 6962 splits a tree: the largest power of two smaller than its size, from its start.
fn split(range: &Range<u64>) -> u64 {
    let size = range.end - range.start;
    range.start + (1 << (size - 1).ilog2())
}

/// The complete subtrees of a range that begins where one of its size can.
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

/// Whether `hashes` prove that the log with size and root `old` is the beginning of `new`.
pub fn verify_consistency(old: (u64, Hash), new: (u64, Hash), hashes: &[Hash]) -> bool {
    let ((from, old_root), (to, new_root)) = (old, new);
    if from == 0 || from > to {
        return false;
    }
    if from == to {
        return hashes.is_empty() && old_root == new_root;
    }
    // The old root stands for the first hash where the old tree is complete.
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

/// The proof that a trail's head is in the log, with the checkpoint that it is checked against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// The leaf. Its hash, `SHA-256(0x00 ‖ text)` over this object as text without white space, is at `index`.
    #[schema(value_type = LogLeaf)]
    pub leaf: Leaf,
    /// The leaf's place in the log, from 0.
    pub index: u64,
    /// How many leaves the log has at the checkpoint.
    #[schema(minimum = 1)]
    pub size: u64,
    /// The hashes of RFC 6962, section 2.1.1, from the leaf's sibling to the root.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint of that size, as it was published.
    pub checkpoint: String,
}

/// The proof that one log is the beginning of another.
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

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The checkpoint is not to be believed.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] checkpoint::Error),
    /// The proof is about a log of another size than the checkpoint's.
    #[error("the proof is for a log of {0} leaves, the checkpoint for one of {1}")]
    Size(u64, u64),
    /// The leaf is not at that place in the log.
    #[error("leaf {0} is not what the checkpoint signs")]
    Leaf(u64),
    /// The older log is not the beginning of the newer one.
    #[error("the log of {0} leaves is not the beginning of that of {1}: its history was rewritten, or there are two")]
    History(u64, u64),
}

impl InclusionProof {
    /// Checks the proof with nothing but public keys; the checkpoint that it holds.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Checkpoint, Error> {
        let checkpoint = Checkpoint::open(&self.checkpoint, keys)?;
        self.verify_against(&checkpoint)?;
        Ok(checkpoint)
    }

    /// Checks the proof against a checkpoint that is believed already, such as one that was kept.
    pub fn verify_against(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        if self.size != checkpoint.size {
            return Err(Error::Size(self.size, checkpoint.size));
        }
        let holds = verify_inclusion(self.leaf.hash(), self.index, self.size, &self.hashes, checkpoint.root);
        if holds { Ok(()) } else { Err(Error::Leaf(self.index)) }
    }
}

impl ConsistencyProof {
    /// Checks that the log of the checkpoint `new` begins with that of `old`.
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
