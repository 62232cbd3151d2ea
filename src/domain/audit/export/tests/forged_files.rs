//! Forged files of the other kinds that both verifiers read: receipts, partners' trails and exports of many trails.

use crate::domain::audit::signed_note::SignerKey;

use super::both::Outcome::{self, Consistent, Refused, Unreadable, Verified};
use super::both::{Case, assert_both_say};
use super::forgeries::other_key;
use super::*;

mod many;
mod partner_trails;
mod receipts;

/// The proof that a head is the second leaf of a log of five that `signer` signs.
fn inclusion(subject: Logged, seq: usize, head: Hash, signer: &SignerKey) -> InclusionProof {
    let leaf = Leaf { subject, seq: seq as u64, head };
    inclusions(&[leaf], signer).remove(0)
}

/// The proofs that these heads are in a log of five that `signer` signs.
fn inclusions(leaves: &[Leaf], signer: &SignerKey) -> Vec<InclusionProof> {
    let own = |n: usize| leaves.get(n.wrapping_sub(1)).copied();
    let other = |n: usize| Leaf { seq: 1_000 + n as u64, ..leaves[0] };
    let (mut tree, mut nodes) = (Tree::empty(), std::collections::HashMap::new());
    (0..5).for_each(|n| nodes.extend(tree.append(own(n).unwrap_or_else(|| other(n)).hash())));
    let proof = |(leaf, index): (&Leaf, u64)| InclusionProof {
        leaf: *leaf,
        index,
        size: 5,
        hashes: Plan::inclusion(index, 5).unwrap().resolve(|node| nodes.get(&node).copied()).unwrap(),
        checkpoint: Checkpoint::sign(signer, 5, tree.root()),
    };
    leaves.iter().zip(1..).map(proof).collect()
}

/// The lines of a file, with every digest recomputed, as a forger would.
fn closed(lines: &[String]) -> String {
    let (mut whole, mut trail) = (String::new(), Sha256::new());
    for line in lines {
        let bytes = line.as_bytes();
        let before = if bytes.starts_with(TOTALS) { Sha256::new().chain_update(&whole) } else { trail.clone() };
        let line = match line.rsplit_once(DIGEST) {
            Some((said, _)) if bytes.starts_with(super::super::END) || bytes.starts_with(TOTALS) => {
                with_digest(format!("{said}}}"), before) + "\n"
            }
            Some(_) | None => line.clone(),
        };
        if bytes.starts_with(HEADER) {
            trail = Sha256::new();
        }
        trail.update(&line);
        whole.push_str(&line);
    }
    whole
}

/// The file of `lines` after a change.
fn edited(lines: &[String], edit: impl Fn(&mut Vec<String>)) -> String {
    let mut lines = lines.to_vec();
    edit(&mut lines);
    closed(&lines)
}

/// The file in which `from` in a line is `to`.
fn replaced(lines: &[String], at: usize, from: &str, to: &str) -> String {
    assert!(lines[at].contains(from), "{from} is not in {}", lines[at]);
    edited(lines, |lines| lines[at] = lines[at].replacen(from, to, 1))
}

/// The file with one entry changed.
fn entry(lines: &[String], at: usize, change: impl Fn(&mut EntryProof)) -> String {
    edited(lines, |lines| {
        let mut proof: EntryProof = serde_json::from_str(&lines[at]).unwrap();
        change(&mut proof);
        lines[at] = serde_json::to_string(&proof).unwrap() + "\n";
    })
}
