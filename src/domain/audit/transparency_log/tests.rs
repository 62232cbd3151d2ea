//! The tree against its recursive definition and against the vectors of Certificate Transparency; the verifiers
//! against forgeries.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::super::signed_note::{KeyName, SignerKey};
use super::*;

const SIZES: u64 = 70;

/// Every node of a log with these leaf hashes, and its root at each size.
fn grow(leaves: &[Hash]) -> (HashMap<Node, Hash>, Vec<Hash>) {
    let (mut tree, mut nodes, mut roots) = (Tree::empty(), HashMap::new(), vec![Tree::empty().root()]);
    for leaf in leaves {
        nodes.extend(tree.append(*leaf));
        roots.push(tree.root());
    }
    (nodes, roots)
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| Hash::of_leaf(&n.to_be_bytes())).collect()
}

/// MTH of RFC 6962, section 2.1.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::from_bytes(Sha256::digest([]).into()),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            naive_root(left).beside(&naive_root(right))
        }
    }
}

/// PATH of section 2.1.1.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if index < left.len() {
        (naive_path(index, left), naive_root(right))
    } else {
        (naive_path(index - left.len(), right), naive_root(left))
    };
    path.push(sibling);
    path
}

/// SUBPROOF of section 2.1.2.
fn naive_proof(from: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, other) = if from <= left.len() {
        (naive_proof(from, left, whole), naive_root(right))
    } else {
        (naive_proof(from - left.len(), right, false), naive_root(left))
    };
    proof.push(other);
    proof
}

#[test]
fn roots_and_proofs_are_those_of_the_definition_at_every_size() {
    let leaves = leaves(SIZES);
    let (nodes, roots) = grow(&leaves);
    let find = |node| nodes.get(&node).copied();
    for size in 0..=SIZES {
        let here = &leaves[..usize::try_from(size).unwrap()];
        let root = naive_root(here);
        assert_eq!(roots[here.len()], root, "root of {size}");
        assert_eq!(Plan::root(size).resolve(find), Some(vec![root]), "root of {size} from its nodes");
        assert_eq!(Tree::load(size, find).unwrap().root(), root);
        for index in 0..size {
            let proof = Plan::inclusion(index, size).unwrap().resolve(find).unwrap();
            assert_eq!(proof, naive_path(usize::try_from(index).unwrap(), here), "{index} in {size}");
            assert!(verify_inclusion(here[usize::try_from(index).unwrap()], index, size, &proof, root));
        }
        for from in 1..=size {
            let proof = Plan::consistency(from, size).unwrap().resolve(find).unwrap();
            let from_at = usize::try_from(from).unwrap();
            assert_eq!(proof, naive_proof(from_at, here, true), "{from} to {size}");
            assert!(verify_consistency((from, roots[from_at]), (size, root), &proof), "{from} to {size}");
        }
        assert_eq!(Plan::inclusion(size, size), None);
        assert_eq!(Plan::consistency(size + 1, size), None);
    }
    assert_eq!(Plan::consistency(0, 7), None);
}

/// Every single change of a hash, and every other length.
fn mutations(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all: Vec<Vec<Hash>> = (0..proof.len())
        .flat_map(|at| (0..32).map(move |byte| (at, byte)))
        .map(|(at, byte)| {
            let mut forged = proof.to_vec();
            forged[at] = flipped(&forged[at], byte);
            forged
        })
        .collect();
    all.extend((0..proof.len()).map(|end| proof[..end].to_vec()));
    all.push([proof, &[Hash::of_leaf(b"more")]].concat());
    all.extend(proof.last().map(|last| [proof, &[*last]].concat()));
    all.extend((1..proof.len()).map(|at| {
        let mut swapped = proof.to_vec();
        swapped.swap(at - 1, at);
        swapped
    }));
    all
}

fn flipped(hash: &Hash, byte: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[byte] ^= 1 << (byte % 8);
    Hash::from_bytes(bytes)
}

#[test]
fn no_other_proof_place_leaf_or_root_is_taken() {
    let leaves = leaves(SIZES);
    let (nodes, roots) = grow(&leaves);
    let find = |node| nodes.get(&node).copied();
    for size in [1, 2, 3, 5, 7, 8, 13, 32, 33, 64, SIZES] {
        let root = roots[usize::try_from(size).unwrap()];
        for index in 0..size {
            let leaf = leaves[usize::try_from(index).unwrap()];
            let proof = Plan::inclusion(index, size).unwrap().resolve(find).unwrap();
            for forged in mutations(&proof) {
                assert!(!verify_inclusion(leaf, index, size, &forged, root), "{index} in {size}: {forged:?}");
            }
            for other in (0..size + 2).filter(|other| *other != index) {
                assert!(!verify_inclusion(leaf, other, size, &proof, root), "{index} as {other} in {size}");
            }
            for byte in 0..32 {
                assert!(!verify_inclusion(flipped(&leaf, byte), index, size, &proof, root));
                assert!(!verify_inclusion(leaf, index, size, &proof, flipped(&root, byte)));
            }
        }
        for from in 1..=size {
            let old = (from, roots[usize::try_from(from).unwrap()]);
            let proof = Plan::consistency(from, size).unwrap().resolve(find).unwrap();
            for forged in mutations(&proof) {
                assert!(!verify_consistency(old, (size, root), &forged), "{from} to {size}: {forged:?}");
            }
            for byte in 0..32 {
                assert!(!verify_consistency((from, flipped(&old.1, byte)), (size, root), &proof), "{from} to {size}");
                assert!(!verify_consistency(old, (size, flipped(&root, byte)), &proof), "{from} to {size}");
            }
        }
    }
    assert!(!verify_consistency((0, roots[0]), (5, roots[5]), &[]));
    assert!(!verify_consistency((5, roots[5]), (3, roots[3]), &[]));
    assert!(!verify_inclusion(leaves[0], 0, 0, &[], roots[0]));
}

fn hash(hex: &str) -> Hash {
    Hash::parse(hex).unwrap()
}

/// The leaves, roots and proofs that the tests of google/certificate-transparency publish.
#[test]
fn the_vectors_of_certificate_transparency_come_out_the_same() {
    let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let expected = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let leaves: Vec<Hash> = inputs.iter().map(|input| Hash::of_leaf(&hex::decode(input).unwrap())).collect();
    let (nodes, roots) = grow(&leaves);
    let find = |node| nodes.get(&node).copied();
    assert_eq!(roots[0], hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    assert_eq!(roots[1..], expected.map(hash));

    // Leaves counted from 0.
    let [left, pair, four] = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    let [fifth, last] = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    ];
    let inclusions: [(u64, u64, &[&str]); 5] = [
        (0, 1, &[]),
        (0, 8, &[left, pair, four]),
        (5, 8, &[fifth, last, expected[3]]),
        (2, 3, &[expected[1]]),
        (1, 5, &[expected[0], pair, fifth]),
    ];
    for (index, size, proof) in inclusions {
        let proof: Vec<Hash> = proof.iter().map(|hex| hash(hex)).collect();
        assert_eq!(Plan::inclusion(index, size).unwrap().resolve(find), Some(proof.clone()), "{index} in {size}");
        let (leaf, root) = (leaves[usize::try_from(index).unwrap()], roots[usize::try_from(size).unwrap()]);
        assert!(verify_inclusion(leaf, index, size, &proof, root));
    }
    let consistencies: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (1, 8, &[left, pair, four]),
        (6, 8, &["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a", last, expected[3]]),
        (2, 5, &[pair, fifth]),
    ];
    for (from, to, proof) in consistencies {
        let proof: Vec<Hash> = proof.iter().map(|hex| hash(hex)).collect();
        assert_eq!(Plan::consistency(from, to).unwrap().resolve(find), Some(proof.clone()), "{from} to {to}");
        let root = |size: u64| (size, roots[usize::try_from(size).unwrap()]);
        assert!(verify_consistency(root(from), root(to), &proof));
    }
}

#[test]
fn a_leaf_has_one_text_for_its_trail() {
    let id: uuid::Uuid = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000".parse().unwrap();
    let head = Hash::from_bytes([0xab; 32]);
    let task = Leaf { subject: Subject::Task(TaskId(id)), seq: 7, head };
    let text = format!(r#"{{"head":"{}","seq":7,"task":"{id}"}}"#, "ab".repeat(32));
    assert_eq!(task.text(), text);
    assert_eq!(serde_json::to_string(&task).unwrap(), text);
    assert_eq!(serde_json::from_str::<Leaf>(&text).unwrap(), task);
    let partner = Leaf { subject: Subject::Partner(PartnerId(id)), ..task };
    assert_eq!(partner.text(), text.replace("task", "partner"));
    assert_eq!(serde_json::to_string(&partner).unwrap(), partner.text());
    assert_ne!(partner.hash(), task.hash());
    for wrong in [text.replace(r#","task""#, r#","tsk""#), text.replace('}', &format!(r#","partner":"{id}"}}"#))] {
        assert!(serde_json::from_str::<Leaf>(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_proof_holds_with_the_public_key_alone_and_says_what_is_wrong_otherwise() {
    let signer = SignerKey::new(KeyName::parse("log.example").unwrap(), [5; 32]);
    let keys = [signer.verifier().clone()];
    let leaf = |seq: u64| Leaf {
        subject: Subject::Task(TaskId(uuid::Uuid::from_u128(seq.into()))),
        seq,
        head: Hash::of_leaf(b""),
    };
    let hashes: Vec<Hash> = (1..=9).map(|seq| leaf(seq).hash()).collect();
    let (nodes, roots) = grow(&hashes);
    let find = |node| nodes.get(&node).copied();
    let proof = InclusionProof {
        leaf: leaf(5),
        index: 4,
        size: 9,
        hashes: Plan::inclusion(4, 9).unwrap().resolve(find).unwrap(),
        checkpoint: Checkpoint::sign(&signer, 9, roots[9]),
    };
    let checkpoint = proof.verify(&keys).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (9, roots[9]));
    let stranger = SignerKey::new(KeyName::parse("log.example").unwrap(), [6; 32]);
    assert!(matches!(proof.verify(&[stranger.verifier().clone()]), Err(Error::Checkpoint(_))));
    assert_eq!(InclusionProof { leaf: leaf(6), ..proof.clone() }.verify(&keys), Err(Error::Leaf(4)));
    assert_eq!(InclusionProof { size: 8, ..proof.clone() }.verify(&keys), Err(Error::Size(8, 9)));

    let old = Checkpoint { size: 6, root: roots[6], ..checkpoint.clone() };
    let consistency =
        ConsistencyProof { from: 6, to: 9, hashes: Plan::consistency(6, 9).unwrap().resolve(find).unwrap() };
    assert_eq!(consistency.verify(&old, &checkpoint), Ok(()));
    let other_history = Checkpoint { root: roots[5], ..old.clone() };
    assert_eq!(consistency.verify(&other_history, &checkpoint), Err(Error::History(6, 9)));
    assert_eq!(consistency.verify(&Checkpoint { size: 5, ..old }, &checkpoint), Err(Error::Size(6, 5)));
}
