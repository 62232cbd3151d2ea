//! Exports with every possible change: none of them verifies, and the error names the place.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::domain::audit::checkpoint::Checkpoint;
use crate::domain::audit::sample::{origin, sealed, sealed_as, trail};
use crate::domain::audit::signed_note::{KeyName, SignerKey};
use crate::domain::audit::transparency_log::{self, Leaf, Plan, Subject as Logged, Tree};
use crate::domain::values::id::TaskId;

use super::*;

mod both;
mod forged_files;
mod forgeries;

fn signer() -> SignerKey {
    SignerKey::new(KeyName::parse("audit.example.com/stagegate").unwrap(), [7; 32])
}

fn trusted() -> Trusted {
    Trusted { keys: vec![signer().verifier().clone()], ..Trusted::default() }
}

/// The lines of an export of one trail, whose entry before the last one is the 6th leaf of a log of 11.
fn lines(rows: &[Sealed], viewer: Party) -> Vec<Vec<u8>> {
    let mut writer = Writer::default();
    let mut lines = vec![writer.header(origin().into(), viewer)];
    lines.extend(rows.iter().map(|row| writer.entry::<Origin>(row, viewer).unwrap()));
    let (logged, last) = (&rows[rows.len() - 2], rows.last().unwrap());
    let leaf = |n: usize| Leaf {
        subject: Logged::Task(origin().task_id),
        seq: if n == 5 { rows.len() as u64 - 1 } else { 1000 + n as u64 },
        head: logged.hash,
    };
    let (mut tree, mut nodes) = (Tree::empty(), std::collections::HashMap::new());
    (0..11).for_each(|n| nodes.extend(tree.append(leaf(n).hash())));
    let hashes = Plan::inclusion(5, 11).unwrap().resolve(|node| nodes.get(&node).copied()).unwrap();
    let checkpoint = Checkpoint::sign(&signer(), 11, tree.root());
    let inclusion = InclusionProof { leaf: leaf(5), index: 5, size: 11, hashes, checkpoint };
    lines.push(writer.end(Head { seq: rows.len() as u64, hash: last.hash }, Some(inclusion)));
    lines.into_iter().map(String::into_bytes).collect()
}

/// The first flaw found from the state `verifier` on; none if the rest is sound.
fn flaw(mut verifier: Verifier<'_>, lines: &[Vec<u8>]) -> Option<Flaw> {
    for line in lines {
        if let Err(flaw) = verifier.read(Line::new(line)) {
            return Some(flaw);
        }
    }
    verifier.finish().err()
}

/// Splits a file at its line feeds, as a reader does.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Recomputes the digest of the last line, as a forger would.
fn close_again(lines: &mut [Vec<u8>]) {
    let Some((last, before)) = lines.split_last_mut() else { return };
    let text = String::from_utf8_lossy(last).into_owned();
    let Some((said, _)) = text.rsplit_once(DIGEST) else { return };
    let digest = before.iter().fold(Sha256::new(), sha2::Digest::chain_update);
    *last = (with_digest(format!("{said}}}"), digest) + "\n").into_bytes();
}

/// The state of the verifier before each line.
fn snapshots<'t>(trusted: &'t Trusted, lines: &[Vec<u8>]) -> Vec<Verifier<'t>> {
    let mut verifier = Verifier::new(trusted);
    let mut all = Vec::new();
    for line in lines {
        all.push(verifier.clone());
        verifier.read(Line::new(line)).unwrap();
    }
    assert_eq!(verifier.finish(), Ok(()));
    all
}

#[test]
fn every_flipped_byte_is_found_and_where() {
    let (trusted, rows) = (trusted(), sealed(&trail()[..3]));
    for viewer in [Party::Buyer, Party::Platform] {
        let lines = lines(&rows, viewer);
        let before = snapshots(&trusted, &lines);
        for (at, line) in lines.iter().enumerate() {
            for (place, flip) in (0..line.len()).flat_map(|place| [0x01, 0x20, 0x80, 0xff].map(|flip| (place, flip))) {
                let mut changed = line.clone();
                changed[place] ^= flip;
                let mut file = split(&[&changed, &lines[at + 1..].concat()[..]].concat());
                let found = flaw(before[at].clone(), &file);
                let found = found.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&changed)));
                // Data outside entries and hashes is covered by the digest at the end.
                let end = lines.len() as u64;
                let here = at as u64 + 1;
                assert!(found.line == here || at == 0 && (found.line == 2 || found.line == end), "{found:?}");
                if (1..lines.len() - 1).contains(&at) {
                    assert_eq!(found.seq, Some(at as u64), "{found:?}");
                }
                // A new digest only hides a change of the file's own claim: whose view it is.
                close_again(&mut file);
                if flaw(before[at].clone(), &file).is_none() {
                    assert!(at + 1 == lines.len() && split(&changed) != file, "{}", String::from_utf8_lossy(&changed));
                }
            }
        }
    }
}

#[test]
fn every_line_that_is_left_out_doubled_moved_or_anothers_is_found() {
    let (trusted, events) = (trusted(), trail());
    let lines = lines(&sealed(&events[..6]), Party::Partner);
    let mut other = events[..6].to_vec();
    other[2].recorded_at = Time::from_micros(1);
    let others = self::lines(&sealed(&other), Party::Partner);
    let mut files = Vec::new();
    for at in 0..lines.len() {
        let edited = |edit: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut file = lines.clone();
            edit(&mut file);
            file
        };
        files.push((at, edited(&|file| drop(file.remove(at)))));
        files.push((at + 1, edited(&|file| file.insert(at, lines[at].clone()))));
        for place in 0..lines.len() {
            if place > at {
                files.push((at, edited(&|file| file.swap(at, place))));
            }
            if place >= at && others[place] != lines[place] {
                files.push((at, edited(&|file| file.insert(at, others[place].clone()))));
            }
            if others[at] != lines[at] {
                files.push((at, edited(&|file| file[at] = others[at].clone())));
            }
        }
    }
    assert!(files.len() > 50);
    for (at, mut file) in files {
        for closed_again in [false, true] {
            if closed_again {
                close_again(&mut file);
            }
            let found = flaw(Verifier::new(&trusted), &file);
            let found = found.unwrap_or_else(|| panic!("a change at line {} passes", at + 1));
            assert!((at as u64..at as u64 + 3).contains(&found.line), "line {}: {found:?}", at + 1);
        }
    }
    assert_eq!(flaw(Verifier::new(&trusted), &[]).map(|flaw| flaw.what), Some(What::Cut));
}

/// Changes to the bytes of a file.
fn change(bytes: &[u8], (place, other): (usize, usize), (kind, byte): (u8, u8)) -> Vec<u8> {
    let (place, other) = (place % bytes.len(), other % bytes.len());
    let mut changed = bytes.to_vec();
    match kind {
        0 => changed[place] = byte,
        1 => changed.insert(place, byte),
        2 => drop(changed.remove(place)),
        3 => drop(changed.drain(place.min(other)..place.max(other))),
        4 => changed.swap(place, other),
        5 => changed.truncate(place),
        _ => {
            let part = bytes[place.min(other)..place.max(other)].to_vec();
            changed.splice(other..other, part);
        }
    }
    changed
}

#[test]
fn a_thousand_random_changes_of_a_large_export_are_found() {
    let mut events: Vec<_> = (0..4).flat_map(|_| trail()).collect();
    events.iter_mut().zip(1..).for_each(|(event, seq)| (event.seq, event.cause_seq) = (seq, seq));
    let trusted = trusted();
    let lines = lines(&sealed(&events), Party::Buyer);
    assert!(lines.len() > 100);
    let before = snapshots(&trusted, &lines);
    let whole = lines.concat();
    let config = ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(config, rng);
    let places = (any::<usize>(), any::<usize>());
    runner
        .run(&(places, (0..7_u8, any::<u8>())), |(places, how)| {
            let changed = change(&whole, places, how);
            if changed == whole {
                return Ok(());
            }
            // The part before the change was already read.
            let same = whole.iter().zip(&changed).take_while(|(one, other)| one == other).count();
            let at = whole[..same].split(|byte| *byte == b'\n').count() - 1;
            let at = at.min(lines.len() - 1);
            let start: usize = lines[..at].iter().map(Vec::len).sum();
            let found = flaw(before[at].clone(), &split(&changed[start..]));
            let found = found.ok_or_else(|| TestCaseError::fail("it passes"))?;
            prop_assert!((at as u64 + 1..=at as u64 + 2).contains(&found.line), "line {}: {:?}", at + 1, found);
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_export_of_many_says_what_it_has() {
    let mut writer = Writer::default();
    let mut lines = vec![writer.opening(&Selection { partner: Some(origin().partner_id), ..Selection::default() })];
    for id in [1, 9] {
        let origin = Origin { task_id: TaskId(uuid::Uuid::from_u128(id)), ..origin() };
        let rows = sealed_as(&origin, &trail()[..3]);
        lines.push(writer.header(origin.into(), Party::Platform));
        lines.extend(rows.iter().map(|row| writer.entry::<Origin>(row, Party::Platform).unwrap()));
        lines.push(writer.end(Head { seq: 3, hash: rows[2].hash }, None));
    }
    lines.push(writer.closing());
    let lines: Vec<_> = lines.into_iter().map(String::into_bytes).collect();
    let trusted = trusted();
    assert_eq!(flaw(Verifier::new(&trusted), &lines), None);
    // One trail less; the end is consistent except for the totals.
    let less = [&lines[..6], &lines[11..]].concat();
    let found = flaw(Verifier::new(&trusted), &less).unwrap();
    assert_eq!((found.line, found.what), (7, What::Totals));
    let cut = flaw(Verifier::new(&trusted), &lines[..6]).unwrap();
    assert_eq!((cut.line, cut.what), (7, What::Cut));
    // A flaw in the first trail does not prevent checking the second.
    let mut file = lines.clone();
    file.remove(2);
    let mut verifier = Verifier::new(&trusted);
    let read: Vec<_> = file.iter().map(|line| verifier.read(Line::new(line))).collect();
    let flaws: Vec<_> = read.iter().filter_map(|read| read.as_ref().err()).collect();
    assert_eq!((flaws[0].line, flaws[0].seq, &flaws[0].what), (3, Some(1), &What::Entry(Error::Order(2))));
    assert_eq!(read.iter().filter(|read| matches!(read, Ok(Some(_)))).count(), 1);
    assert_eq!(flaws.last().unwrap().what, What::Totals);
    let before = snapshots(&trusted, &lines);
    for at in [0, 1, 5, lines.len() - 1] {
        for place in 0..lines[at].len() {
            let mut changed = lines[at].clone();
            changed[place] ^= 1;
            let file = split(&[&changed[..], &lines[at + 1..].concat()].concat());
            assert!(flaw(before[at].clone(), &file).is_some(), "{}", String::from_utf8_lossy(&changed));
        }
    }
}

#[test]
fn a_damaged_entry_is_told_by_its_place() {
    let rows = sealed(&trail()[..3]);
    let mut writer = Writer::default();
    let mut lines = vec![writer.header(origin().into(), Party::Buyer)];
    lines.push(writer.entry::<Origin>(&rows[0], Party::Buyer).unwrap());
    lines.push(writer.damaged(2, "its row is not one that was written"));
    lines.push(writer.entry::<Origin>(&rows[2], Party::Buyer).unwrap());
    lines.push(writer.end(Head { seq: 3, hash: rows[2].hash }, None));
    let lines: Vec<_> = lines.into_iter().map(String::into_bytes).collect();
    let trusted = Trusted::default();
    let found = flaw(Verifier::new(&trusted), &lines).unwrap();
    assert_eq!((found.line, found.seq), (3, Some(2)));
    assert!(matches!(found.what, What::Damaged(_)));
}

#[test]
fn a_kept_checkpoint_must_be_the_one_or_be_connected() {
    let lines = lines(&sealed(&trail()[..3]), Party::Buyer);
    let mut end: End = serde_json::from_slice(lines.last().unwrap()).unwrap();
    let proof = end.inclusion.take().unwrap();
    let made = Checkpoint::open(&proof.checkpoint, &trusted().keys).unwrap();
    let with = |kept: Checkpoint| Trusted { kept: vec![kept], ..trusted() };
    assert_eq!(flaw(Verifier::new(&with(made.clone())), &lines), None);
    let other = Checkpoint { root: Hash::from_bytes([9; 32]), ..made.clone() };
    let found = flaw(Verifier::new(&with(other)), &lines).unwrap();
    assert_eq!(found.what, What::Contradiction(11, 11));
    let older = Checkpoint { size: 10, ..made };
    let found = flaw(Verifier::new(&with(older.clone())), &lines).unwrap();
    assert_eq!(found.what, What::Unconnected(11));
    let forged = transparency_log::ConsistencyProof { from: 10, to: 11, hashes: proof.hashes };
    let found = flaw(Verifier::new(&Trusted { consistency: vec![forged], ..with(older) }), &lines).unwrap();
    assert_eq!(found.what, What::Contradiction(11, 10));
}

#[test]
fn the_published_list_of_fields_is_that_of_the_table() {
    let published = include_str!("../../../../tests/golden/audit-fields.json");
    assert_eq!(fields(), published);
    let read: serde_json::Value = serde_json::from_str(published).unwrap();
    assert_eq!(read["task"]["task.vote_recorded"]["fields"]["data.feedback"]["buyer"], "shared");
}
