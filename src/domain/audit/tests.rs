//! Properties of the trail, on one with every type of event.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::domain::task::event::{Event, Fact};
use crate::domain::task::trail::KINDS;
use crate::domain::trail::Kind;
use crate::domain::values::party::{Party, Source};

use super::sample::{SECRET_DIGEST, any_event, origin, sealed, trail};
use super::{
    Broken, Chain, EntryProof, EntryView, Error, FieldProof, Hash, ProofView, Sealed, Subject, TrailOrigin, erase,
    open, proof, seal, verify, view,
};

/// The paths of everything in an event's JSON, as the table names them.
fn paths(event: &Event) -> BTreeSet<String> {
    let json = serde_json::to_value(event).unwrap();
    let names = |prefix: &'static str, value: &Value| -> Vec<String> {
        value.as_object().unwrap().keys().map(|name| format!("{prefix}{name}")).collect()
    };
    let row = names("", &json).into_iter().filter(|name| !matches!(name.as_str(), "seq" | "actor" | "fact"));
    let actor = event.actor.iter().flat_map(|_| names("actor.", &json["actor"]));
    row.chain(actor).chain(["type".to_owned()]).chain(names("data.", &json["fact"]["data"])).collect()
}

#[test]
fn the_table_has_exactly_the_fields_that_events_have() {
    assert_eq!(KINDS.each_ref().map(|kind| kind.name), Fact::TYPES);
    let mut seen = BTreeSet::new();
    for event in trail() {
        let kind = Kind::of(&event);
        seen.insert(kind.name);
        let listed: Vec<String> = kind.fields().map(|field| field.path.to_owned()).collect();
        assert!(listed.is_sorted(), "{} is out of order", kind.name);
        let actor = ["actor.id", "actor.name", "actor.role"].map(str::to_owned);
        let present: Vec<String> =
            paths(&event).into_iter().chain(actor).collect::<BTreeSet<_>>().into_iter().collect();
        assert_eq!(present, listed, "{}", kind.name);
    }
    assert_eq!(seen, Fact::TYPES.into(), "the sample has every type");
}

#[test]
fn every_party_sees_its_view() {
    for party in Party::ALL {
        let views: Vec<EntryView> =
            trail().iter().zip(sealed(&trail())).map(|(event, row)| view(event, Some(&row.hash), party)).collect();
        insta::assert_json_snapshot!(format!("views_{party}"), views, { "[].hash" => "<hash>" });
    }
}

fn assert_keeps_secrets(event: &Event) {
    let rows = sealed(std::slice::from_ref(event));
    let shown = |party| {
        let proof = proof(&origin(), &rows, party).unwrap();
        let opened: Event = open(&rows[0]).unwrap();
        let views =
            [event, &opened].map(|event| serde_json::to_string(&view(event, Some(&rows[0].hash), party)).unwrap());
        format!("{}{}{}", views[0], views[1], serde_json::to_string(&proof).unwrap())
    };
    if event.party != Source::Buyer {
        let text = shown(Party::Buyer);
        for secret in ["SECRET", "secret-", SECRET_DIGEST, "05ec2e70-"] {
            assert!(!text.contains(secret), "the buyer reads {secret}: {text}");
        }
    }
    if event.party != Source::Partner {
        let text = shown(Party::Partner);
        for secret in ["OWN", "05ec2e70-"] {
            assert!(!text.contains(secret), "the partner reads {secret}: {text}");
        }
    }
}

#[test]
fn what_is_not_for_a_party_is_in_no_view_or_proof_of_it() {
    // The buyer's own rows, with data of other parties' people.
    for event in trail() {
        assert_keeps_secrets(&event);
        if let Fact::StageRejected(_) = event.fact {
            let text = serde_json::to_string(&view(&event, Some(&origin().hash()), Party::Buyer)).unwrap();
            assert!(!text.contains("SECRET too"), "{text}");
        }
    }
}

#[test]
fn a_row_that_is_not_for_a_party_shows_its_place_and_nothing_else() {
    for (event, row) in trail().iter().zip(sealed(&trail())) {
        let hidden = match (&event.fact, event.party) {
            (Fact::VoteRecorded(_) | Fact::LateDecisionRecorded(_), party) => party != Source::Buyer,
            (fact, _) => fact.kind() == "task.cancellation_acknowledged",
        };
        if hidden {
            let expected = json!({ "seq": event.seq, "hash": row.hash });
            assert_eq!(serde_json::to_value(view(event, Some(&row.hash), Party::Buyer)).unwrap(), expected);
        }
    }
}

#[test]
fn a_field_that_is_not_in_the_table_is_for_the_platform_only() {
    let event = &trail()[0];
    let shows = |party| Kind::of(event).shows("data.unheard_of", event, party);
    assert_eq!(Party::ALL.map(shows), [false, false, true]);
}

#[test]
fn the_columns_hold_personal_values_apart() {
    for row in sealed(&trail()) {
        assert!(!row.entry.contains("SECRET") && !row.data.contains("SECRET"), "{} {}", row.entry, row.data);
        assert!(row.entry.len() <= 240, "{}", row.entry.len());
    }
}

#[test]
fn the_format_stays_as_it_is() {
    let rows = sealed(&trail());
    let vector = |(event, row): (&Event, &Sealed)| json!({ "event": event, "entry": row.entry, "data": row.data, "personal": row.personal, "hash": row.hash });
    let vectors: Vec<Value> = trail().iter().zip(&rows).map(vector).collect();
    let vectors = json!({ "origin": origin(), "genesis": origin().hash(), "entries": vectors });
    let fixed: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_fixed(&vectors, &fixed, "vectors.json");
}

pub(super) fn assert_fixed(vectors: &Value, fixed: &Value, file: &str) {
    if vectors != fixed {
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
        panic!(
            "the stored format has changed, which breaks every stored trail; what it would be now is in {}",
            path.display()
        );
    }
}

#[test]
fn every_flipped_byte_is_found() {
    assert_flips_are_found(&origin(), &sealed(&trail()));
}

pub(super) fn assert_flips_are_found(origin: &impl Subject, rows: &[Sealed]) {
    let mut chain = Chain::new(origin);
    for row in rows {
        let found = |changed: &Sealed, flipped: &str| {
            assert!(chain.clone().append(changed).is_err(), "not found: {flipped} in {changed:?}");
        };
        let columns: [fn(&mut Sealed) -> &mut String; 3] =
            [|row| &mut row.entry, |row| &mut row.data, |row| &mut row.personal];
        for column in columns {
            for at in 0..column(&mut row.clone()).len() {
                let mut changed = row.clone();
                let mut bytes = column(&mut changed).clone().into_bytes();
                bytes[at] ^= 1;
                // A text that is no longer UTF-8 cannot be read from a database.
                let Ok(text) = String::from_utf8(bytes) else { continue };
                *column(&mut changed) = text;
                found(&changed, &format!("byte {at}"));
            }
        }
        for at in 0..32 {
            let mut bytes = *row.hash.as_bytes();
            bytes[at] ^= 0x80;
            found(&Sealed { hash: Hash::from_bytes(bytes), ..row.clone() }, "the hash");
        }
        chain.append(row).unwrap();
    }
}

#[test]
fn columns_hold_nothing_but_what_is_committed() {
    let row = sealed(&trail()[..1]).remove(0);
    let (data, personal) = (row.data.as_str(), row.personal.as_str());
    let erased = erase::<Event>(&row, |_| true).unwrap().0;
    let changes = [
        (data.replace(':', ": "), personal.to_owned()),
        (format!(" {data}"), personal.to_owned()),
        (data.replace("}}", r#","unheard_of":1}}"#), personal.to_owned()),
        (data.replace("}}", r#","type":"task.opened"}}"#), personal.to_owned()),
        (data.replace("}}", r#"},"more":1}"#), personal.to_owned()),
        (data.to_owned(), personal.replace('{', r#"{"data.revision":["00000000000000000000000000000000",1],"#)),
        (data.to_owned(), personal.replace("[\"", "[ \"")),
        (data.to_owned(), erased.replace(':', ": ")),
        (data.to_owned(), "{}".to_owned() + "{}"),
    ];
    for (data, personal) in changes {
        let forged = Sealed { data, personal, ..row.clone() };
        assert_eq!(verify(&origin(), [&forged]), Err(Broken { seq: 1, what: Error::Columns }), "{forged:?}");
    }
}

#[test]
fn rows_that_are_missing_doubled_swapped_or_of_another_trail_are_found() {
    let rows = sealed(&trail());
    assert_moved_rows_are_found(&origin(), &rows);
    let broken = |seq, what| Err(Broken { seq, what });
    for index in 0..rows.len() - 1 {
        let place = index as u64 + 1;
        // A forger who knows the format but cannot rewrite the following entries.
        let mut forged = rows.clone();
        let event = Event { cause_seq: 99, ..trail()[index].clone() };
        let prev = index.checked_sub(1).map_or(origin().hash(), |before| rows[before].hash);
        forged[index] = seal(&prev, origin().task_id, &event, [0; 32]);
        assert_eq!(verify(&origin(), &forged), broken(place + 1, Error::Link));
    }
    let mut others = [origin(), origin(), origin()];
    others[0].buyer_id.0 = others[0].task_id.0;
    others[1].partner_id.0 = others[1].task_id.0;
    others[2].task_id.0 = others[2].buyer_id.0;
    assert_eq!(
        others.map(|other| verify(&other, &rows)),
        [broken(1, Error::Link), broken(1, Error::Link), broken(1, Error::Trail)]
    );
    assert_eq!(
        verify(&origin(), &rows[..3]).map(|head| (head.seq, head.hash)),
        Ok((3, rows[2].hash)),
        "a cut tail shows in the head"
    );
}

/// Drops, repeats and swaps each row, and gives it another row's fields.
pub(super) fn assert_moved_rows_are_found(origin: &impl Subject, rows: &[Sealed]) {
    let broken = |seq, what| Err(Broken { seq, what });
    for index in 0..rows.len() - 1 {
        let place = index as u64 + 1;
        let mut dropped = rows.to_vec();
        dropped.remove(index);
        assert_eq!(verify(origin, &dropped), broken(place, Error::Order(place + 1)));
        let mut doubled = rows.to_vec();
        doubled.insert(index, rows[index].clone());
        assert_eq!(verify(origin, &doubled), broken(place + 1, Error::Order(place)));
        let mut swapped = rows.to_vec();
        swapped.swap(index, index + 1);
        assert_eq!(verify(origin, &swapped), broken(place, Error::Order(place + 1)));
        // Moves fields between entries, whole columns at a time.
        let mut mixed = rows.to_vec();
        mixed[index].data.clone_from(&rows[index + 1].data);
        mixed[index].personal.clone_from(&rows[index + 1].personal);
        assert_eq!(verify(origin, &mixed), broken(place, Error::Fields));
    }
}

#[test]
fn erasing_keeps_the_chain_and_leaves_no_value_or_salt() {
    let rows = sealed(&trail());
    let mut chain = Chain::new(&origin());
    let mut all = rows.clone();
    for ((event, row), erased) in trail().iter().zip(&rows).zip(&mut all) {
        for field in Kind::of(event).fields().filter(|field| field.is_personal()) {
            let one = Sealed { personal: erase::<Event>(row, |path| path == field.path).unwrap().0, ..row.clone() };
            chain.clone().append(&one).unwrap();
            let left = paths(&Event { note: None, credential_id: None, ..open::<Event>(&one).unwrap() });
            assert!(matches!(field.path, "note" | "credential_id") || !left.contains(field.path), "{left:?}");
        }
        // No later entry can account for the entry that accounts for the others.
        if row.hash == rows.last().unwrap().hash {
            break;
        }
        erased.personal = erase::<Event>(row, |_| true).unwrap().0;
        assert!(!erased.personal.contains('['), "{}", erased.personal);
        assert_eq!(
            erase::<Event>(erased, |_| true).unwrap(),
            (erased.personal.clone(), 0),
            "a second time changes nothing"
        );
        let opened: Event = open(erased).unwrap();
        assert_eq!((opened.actor, opened.note, opened.credential_id), (None, None, None));
        chain.append(row).unwrap();
    }
    assert_eq!(verify(&origin(), &all), verify(&origin(), &rows));
    for party in Party::ALL {
        assert_eq!(proof(&origin(), &all, party).unwrap().verify(), verify(&origin(), &rows));
    }
}

#[test]
fn every_proof_verifies_and_every_change_to_it_is_found() {
    assert_proofs_hold(&origin(), &sealed(&trail()));
}

pub(super) fn assert_proofs_hold(origin: &(impl Subject + Into<TrailOrigin>), rows: &[Sealed]) {
    for party in Party::ALL {
        let proof = proof(origin, rows, party).unwrap();
        let text = serde_json::to_string(&proof).unwrap();
        let read: ProofView = serde_json::from_str(&text).unwrap();
        assert_eq!(read.verify(), verify(origin, rows), "{party}");
        let mut chain = Chain::new(origin);
        for entry in &proof.entries {
            let found = |change: &dyn Fn(&mut EntryProof)| {
                let mut changed = entry.clone();
                change(&mut changed);
                assert!(changed.check(&changed.committed(), &chain).is_err(), "not found: {changed:?}");
            };
            found(&|entry| entry.hash = origin.hash());
            found(&|entry| entry.seq += 1);
            found(&|entry| entry.entry.push(' '));
            for at in 0..entry.fields.as_ref().map_or(0, Vec::len) {
                let field = |entry: &mut EntryProof, change: &dyn Fn(&mut FieldProof)| {
                    change(&mut entry.fields.as_mut().unwrap()[at]);
                };
                found(&|entry| drop(entry.fields.as_mut().unwrap().remove(at)));
                found(&|entry| field(entry, &|field| field.path.push('x')));
                found(&|entry| field(entry, &|field| field.leaf = field.leaf.is_none().then(|| origin.hash())));
                found(&|entry| {
                    field(entry, &|field| field.value = Some(format!("{} ", field.value.as_deref().unwrap_or("1"))));
                });
            }
            chain.advance(entry.check(&entry.committed(), &chain).unwrap());
        }
    }
}

#[test]
fn a_proof_does_not_tell_an_absent_field_from_a_hidden_one() {
    let full = trail();
    for event in &full {
        let bare = Event { note: None, actor: None, credential_id: None, command_id: None, ..event.clone() };
        for party in [Party::Buyer, Party::Partner].into_iter().filter(|party| event.party != Source::from(*party)) {
            let hidden = |event: &Event| {
                let entry = proof(&origin(), &sealed(std::slice::from_ref(event)), party).unwrap().entries.remove(0);
                let fields = entry.fields.unwrap_or_default().into_iter().filter(|field| field.leaf.is_some());
                fields.map(|field| field.path).collect::<Vec<_>>()
            };
            assert_eq!(hidden(event), hidden(&bare), "{party} {}", event.fact.kind());
        }
    }
}

proptest! {
    #[test]
    fn any_event_is_read_back_as_it_was(event in any_event(), seed: [u8; 32]) {
        let row = seal(&origin().hash(), origin().task_id, &event, seed);
        prop_assert_eq!(open(&row), Ok(event));
    }

    #[test]
    fn no_secret_of_any_event_is_shown(event in any_event()) {
        assert_keeps_secrets(&Event { seq: 1, ..event });
    }

    #[test]
    fn stored_values_are_canonical_json(event in any_event(), seed: [u8; 32]) {
        let row = seal(&origin().hash(), origin().task_id, &event, seed);
        for text in [row.entry, row.data, row.personal] {
            prop_assert_eq!(&serde_json_canonicalizer::pipe(&text).unwrap(), &text);
        }
    }
}
