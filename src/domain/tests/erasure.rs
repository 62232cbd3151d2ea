//! Erases people from random tasks: their data is removed, others' stays, and every party's view
//! still verifies.

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::domain::audit::{self, Broken, Error, FieldProof, ProofView, Sealed, proof};
use crate::domain::task::event::{Event, Fact};
use crate::domain::values::party::{Party, Source};

use super::random::{play, sequences};
use super::test_support::{Play, origin, sender};
use super::words::definition;

/// Tasks that are played and then erased from.
const TASKS: usize = 1_000;

/// All actors of random tasks.
const PEOPLE: [&str; 8] = ["0", "1", "2", "3", "4", "5", "platform", "buyer"];

#[test]
fn a_thousand_tasks_verify_for_every_party_after_erasures() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = (sequences(), proptest::collection::vec(0..PEOPLE.len(), 1..3));
    let (mut tasks, mut entries, mut closed) = (0, 0, 0);
    while tasks < TASKS {
        let ((definition, rolls), people) = strategy.new_tree(&mut runner).unwrap().current();
        let mut last = None;
        // Short tasks: their end matters here, not their course.
        play(&definition, &rolls[..rolls.len().min(8)], |play| last = Some(play.clone()));
        let mut play = last.unwrap();
        for person in people {
            entries += usize::from(erase_and_check(&mut play, PEOPLE[person]));
        }
        assert_verifies(play.rows.as_ref().unwrap());
        closed += usize::from(play.snapshot.task.phase().is_terminal());
        tasks += 1;
    }
    assert!(entries > TASKS / 2 && closed > TASKS / 20, "{entries} erasures, {closed} closed tasks");
}

/// Whether anything was erased.
fn erase_and_check(play: &mut Play, who: &str) -> bool {
    play.store();
    let before = (play.trail.clone(), play.rows.clone().unwrap());
    let outcome = play.erase(who);
    let rows = play.rows.clone().unwrap();
    // Only for some, since it costs as much as the first time.
    if rows.len().is_multiple_of(4) {
        assert_eq!(play.clone().erase(who), "nothing", "a second time changes nothing");
    }
    if outcome == "nothing" {
        assert_eq!(rows, before.1);
        return false;
    }
    let Some(Event { fact: Fact::PersonalDataErased(erased), .. }) = play.trail.last() else { panic!("{outcome}") };
    let closed = play.snapshot.task.phase().is_terminal();
    assert!(!(closed && erased.ids_remain));
    let who = sender(who).actor_ref().unwrap();
    for ((event, row), now) in before.0.iter().zip(&before.1).zip(&rows) {
        let own =
            event.party == Source::from(who.party) && event.actor.as_ref().is_some_and(|actor| actor.id == who.id);
        let (had, has) = (fields(row), fields(now));
        for (path, value) in had.as_object().unwrap() {
            let copied = matches!(path.as_str(), "data.shared_feedback" | "data.internal_feedback" | "data.restated");
            let stays = matches!(path.as_str(), "credential_id" | "data.title" | "data.metadata")
                || path == "actor.id" && !closed;
            let list = match (path.as_str(), &event.fact) {
                ("data.added", Fact::ReviewersChanged(changed)) => Some(&changed.added),
                ("data.removed", Fact::ReviewersChanged(changed)) => Some(&changed.removed),
                _ => None,
            };
            let own = list.map_or(own, |list| {
                let named = event.party == Source::from(who.party) && list.iter().flatten().any(|id| *id == who.id);
                named && closed
            });
            if copied {
                continue;
            }
            let gone = has[path].is_string() && (value.is_string() || erased.entries.contains(&event.seq));
            assert!(
                if own && !stays { gone } else { has[path] == *value },
                "{} {path}: {value} {}",
                event.seq,
                has[path]
            );
        }
        assert_eq!((&row.entry, &row.data, row.hash), (&now.entry, &now.data, now.hash));
    }
    true
}

fn fields(row: &Sealed) -> Value {
    serde_json::from_str(&row.personal).unwrap()
}

fn assert_verifies(rows: &[Sealed]) {
    let head = audit::verify(&origin(), rows);
    assert!(head.is_ok(), "{head:?}");
    for party in Party::ALL {
        let proof = proof(&origin(), rows, party).unwrap();
        let text = serde_json::to_string(&proof).unwrap();
        assert_eq!(serde_json::from_str::<ProofView>(&text).unwrap().verify(), head, "{party}");
    }
}

/// Two partners' votes and a resolution by the platform lead to one rejection, whose lists have all
/// of them.
fn rejected_together() -> Play {
    let script = "reject anna full; reject bo full; reject chi; escalate dora platform; resolve platform reject";
    Play::of(&definition("a quorum=4,4; b back=a"), script)
}

fn shared(play: &Play) -> usize {
    let lists = play.trail.iter().map(|event| {
        if let Fact::StageRejected(rejected) = &event.fact {
            rejected.shared_feedback.as_ref().map_or(0, Vec::len)
        } else if let Fact::PersonalDataErased(erased) = &event.fact {
            erased.restated.iter().flatten().map(|restated| restated.shared_feedback.len()).sum()
        } else {
            0
        }
    });
    lists.sum()
}

#[test]
fn what_others_said_to_the_buyer_is_said_again_until_they_are_erased_too() {
    let mut play = rejected_together();
    let returned = |play: &Play| play.snapshot.notes.returned.as_ref().map_or(0, |returned| returned.feedback.len());
    assert_eq!((shared(&play), returned(&play)), (2, 4));
    play.erase("anna");
    assert_eq!((shared(&play), returned(&play)), (1, 3));
    // Feedback for the partner and the platform only: it stands in the vote.
    play.erase("chi");
    assert_eq!((shared(&play), returned(&play)), (1, 2));
    play.erase("bo");
    assert_eq!((shared(&play), returned(&play)), (0, 1));
    assert_eq!(play.erase("platform"), "personal_data_erased > preparing");
    assert_eq!(returned(&play), 0);
    assert_verifies(&play.rows.unwrap());
}

#[test]
fn the_buyers_status_loses_what_is_gone_and_changes_only_then() {
    let mut play = Play::of(&definition("a quorum=2,2"), "submit anna; status bo; approve chi");
    let before = play.snapshot.status.clone();
    play.erase("chi");
    assert_eq!(play.snapshot.status, before);
    play.erase("bo");
    let after = &play.snapshot.status;
    assert_eq!(
        (after.message.is_some(), after.percent, after.version),
        (false, Some(50), play.snapshot.task.version())
    );
    // The erased texts have no influence on versions.
    play.run("approve dora");
    let status = play.snapshot.status.clone();
    play.erase("anna");
    assert_eq!(play.snapshot.status, status, "the status of a closed task stays as it is");
}

#[test]
fn fields_that_were_taken_out_and_not_erased_are_found() {
    let mut play = rejected_together();
    play.erase("anna");
    let recorded = play.snapshot.task.version();
    play.run("cancel buyer");
    let rows = play.rows.unwrap();
    for party in Party::ALL {
        let whole = proof(&origin(), &rows, party).unwrap();
        let lost = |proof: &ProofView| -> Vec<u64> {
            let fields = |seq: &u64| proof.entries[usize::try_from(*seq - 1).unwrap()].fields.iter().flatten();
            (1..=proof.entries.len() as u64).filter(|seq| fields(seq).any(|field| field.erased)).collect()
        };
        assert!(!lost(&whole).is_empty(), "{party}");
        for (at, row) in rows.iter().enumerate() {
            // A forger who can change the column but not the chained text.
            let mut forged = rows.clone();
            let (personal, fields) = audit::erase::<Event>(row, |path| path == "actor.name").unwrap();
            forged[at].personal = personal;
            let proof = proof(&origin(), &forged, party).unwrap();
            let seq = at as u64 + 1;
            let shown = fields > 0 && lost(&proof).contains(&seq);
            let told = party == Party::Buyer && seq < recorded || whole_names(&whole, seq);
            let expected = if shown && !told { Err(Broken { seq, what: Error::Erased }) } else { whole.verify() };
            assert_eq!(proof.verify(), expected, "{party} {seq}");
        }
        // A value beside the mark, or the mark beside a salt, is not a valid field.
        let mut marked = whole.clone();
        let open = |field: &&mut FieldProof| field.salt.is_some();
        marked.entries[0].fields.iter_mut().flatten().find(open).unwrap().erased = true;
        assert_eq!(marked.verify(), Err(Broken { seq: 1, what: Error::Columns }));
    }
}

/// Whether an entry that records an erasure names this one.
fn whole_names(proof: &ProofView, seq: u64) -> bool {
    let entries = proof.entries.iter().flat_map(|entry| entry.fields.iter().flatten());
    let lists = entries.filter(|field| field.path == "data.entries").filter_map(|field| field.value.as_deref());
    lists.flat_map(|list| serde_json::from_str::<Vec<u64>>(list).unwrap()).any(|named| named == seq)
}
