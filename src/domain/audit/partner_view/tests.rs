//! Properties of a partner's trail, on one with every type of event. Tests of the chain itself are
//! shared with tasks.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::link::LinkKind;
use crate::domain::partner::event::ArchivedTrail;
use crate::domain::values::id::{ActorId, ErasureId, KeyId, LinkId, PartnerId, TaskId, WorkflowKey};
use crate::domain::values::scope::Scope;
use crate::domain::values::text::{Name, Text};

use super::super::tests::{assert_fixed, assert_flips_are_found, assert_moved_rows_are_found, assert_proofs_hold};
use super::super::{
    Broken, Error, PartnerOrigin, Recorded as _, Sealed, Subject as _, erase, open, proof, sample, seal, verify,
};
use super::*;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + n)
}

pub(in crate::domain::audit) fn origin() -> PartnerOrigin {
    PartnerOrigin { partner_id: PartnerId(id(2)) }
}

fn key_created(key_id: KeyId) -> PartnerFact {
    PartnerFact::KeyCreated {
        key_id,
        hint: "ait_7Gq2".to_owned(),
        label: Some(Name::parse("Reviews of Anna").unwrap()),
        scopes: vec![Scope::Review, Scope::Read],
        actors: Some(vec![ActorId::parse("u-anna").unwrap()]),
        expires_at: Some(Time::from_micros(1_795_400_000_123_456)),
    }
}

#[expect(clippy::too_many_lines, reason = "one event of each type")]
pub(in crate::domain::audit) fn trail() -> Vec<PartnerEvent> {
    let (key_id, erasure_id) = (KeyId(id(4)), ErasureId(id(5)));
    let key = || WorkflowKey::parse("brand-campaign").unwrap();
    let time = || Some(Time::from_micros(1_795_400_000_123_456));
    let facts = [
        (Source::Platform, PartnerFact::Created {}),
        (Source::Platform, key_created(key_id)),
        (Source::Partner, PartnerFact::WorkflowRegistered { key: key(), version: 3, digest: "5e".repeat(32) }),
        (Source::Partner, PartnerFact::WorkflowRetired { key: key() }),
        (Source::Partner, PartnerFact::WorkflowRestored { key: key() }),
        (Source::Platform, PartnerFact::ErasureRequested { erasure_id, party: Party::Partner }),
        (
            Source::Service,
            PartnerFact::ErasureCompleted {
                erasure_id,
                party: Party::Partner,
                tasks: 40_000,
                fields: 160_000,
                entries: vec![2],
            },
        ),
        (
            Source::Platform,
            PartnerFact::Exported { workflow: Some(key()), from: time(), until: time(), tasks: 7, entries: 140 },
        ),
        (Source::Partner, PartnerFact::Exported { workflow: None, from: None, until: None, tasks: 7, entries: 140 }),
        (Source::Platform, PartnerFact::KeyRevoked { key_id }),
        (
            Source::Partner,
            PartnerFact::LinkCreated {
                link_id: LinkId(id(6)),
                to: LinkKind::Console,
                actor: Some(ActorId::parse("u-anna").unwrap()),
                manage: true,
                expires_at: Time::from_micros(1_795_400_000_123_456),
            },
        ),
        (Source::Partner, PartnerFact::LinkEnded { link_id: LinkId(id(6)) }),
        (
            Source::Partner,
            PartnerFact::LinksRevoked {
                actor: Some(ActorId::parse("u-anna").unwrap()),
                task_id: Some(TaskId(id(7))),
                links: 12,
            },
        ),
        (
            Source::Service,
            PartnerFact::TasksArchived {
                archived: [7, 8]
                    .map(|n| ArchivedTrail { task_id: TaskId(id(n)), seq: 12, sha256: "5e".repeat(32) })
                    .into(),
            },
        ),
        (
            Source::Partner,
            PartnerFact::AbsenceSet {
                actor: Some(ActorId::parse("u-anna").unwrap()),
                from: Time::from_micros(1_795_341_600_000_000),
                until: Time::from_micros(1_795_946_400_000_000),
                substitute: Some(ActorId::parse("u-bo").unwrap()),
            },
        ),
        (Source::Partner, PartnerFact::AbsenceRemoved { actor: Some(ActorId::parse("u-anna").unwrap()) }),
    ];
    let event = |((party, fact), seq)| PartnerEvent {
        seq,
        party,
        credential_id: (party != Source::Service).then(|| Text::parse("SECRET OWN credential").unwrap()),
        recorded_at: Time::from_micros(1_795_341_600_000_000 + i64::try_from(seq).unwrap()),
        fact,
    };
    facts.into_iter().zip(1..).map(event).collect()
}

/// Seals events with their numbers as seeds.
pub(in crate::domain::audit) fn sealed(events: &[PartnerEvent]) -> Vec<Sealed> {
    let mut prev = origin().hash();
    let seal = |event: &PartnerEvent| {
        let row = seal(&prev, origin().partner_id, event, [u8::try_from(event.seq).unwrap(); 32]);
        prev = row.hash;
        row
    };
    events.iter().map(seal).collect()
}

#[test]
fn the_table_has_exactly_the_fields_that_events_have() {
    assert_eq!(PartnerEvent::KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>(), PartnerFact::TYPES);
    // One of the two exports has every field.
    for event in trail().iter().filter(|event| event.seq != 9) {
        let listed: Vec<&str> = Kind::of(event).fields().map(|field| field.path).collect();
        assert!(listed.is_sorted(), "{} is out of order", event.kind());
        let mut present = vec!["credential_id".to_owned()];
        present.extend(data(event, &event.fact, Party::Platform).keys().map(|name| format!("data.{name}")));
        present.extend(["party", "recorded_at", "type"].map(str::to_owned));
        assert_eq!(present, listed, "{}", event.kind());
    }
    assert!(PartnerFact::TYPES.iter().all(|name| trail().iter().any(|event| event.kind() == *name)));
}

#[test]
fn the_partner_and_the_platform_see_their_views() {
    for party in [Party::Partner, Party::Platform] {
        let views: Vec<_> =
            trail().iter().zip(sealed(&trail())).map(|(event, row)| partner_view(event, &row, party)).collect();
        insta::assert_json_snapshot!(format!("views_{party}"), views, { "[].hash" => "<hash>" });
    }
}

#[test]
fn the_credential_of_another_party_is_in_no_view_or_proof() {
    for event in trail() {
        let rows = sealed(std::slice::from_ref(&event));
        let shown = |party| {
            let view = serde_json::to_string(&partner_view(&event, &rows[0], party)).unwrap();
            view + &serde_json::to_string(&proof(&origin(), &rows, party).unwrap()).unwrap()
        };
        let sent = event.credential_id.is_some();
        assert_eq!(shown(Party::Platform).contains("SECRET"), sent);
        assert_eq!(shown(Party::Partner).contains("SECRET"), event.party == Source::Partner);
        assert!(!rows[0].data.contains("SECRET") && rows[0].personal.contains("SECRET") == sent);
    }
}

#[test]
fn a_buyer_would_see_places_alone() {
    let proof = proof(&origin(), &sealed(&trail()), Party::Buyer).unwrap();
    assert!(proof.entries.iter().all(|entry| entry.fields.is_none()));
}

#[test]
fn the_format_stays_as_it_is() {
    let rows = sealed(&trail());
    let vector = |(event, row): (&PartnerEvent, &Sealed)| json!({ "event": event, "entry": row.entry, "data": row.data, "personal": row.personal, "hash": row.hash });
    let vectors: Vec<Value> = trail().iter().zip(&rows).map(vector).collect();
    let vectors = json!({ "origin": origin(), "genesis": origin().hash(), "entries": vectors });
    let fixed: Value = serde_json::from_str(include_str!("../partner_vectors.json")).unwrap();
    assert_fixed(&vectors, &fixed, "partner_vectors.json");
    for text in rows.iter().flat_map(|row| [&row.entry, &row.data, &row.personal]).chain([&origin().text()]) {
        assert_eq!(&serde_json_canonicalizer::pipe(text).unwrap(), text);
    }
}

#[test]
fn events_are_read_back_as_they_were() {
    for (event, row) in trail().into_iter().zip(sealed(&trail())) {
        assert_eq!(open(&row), Ok(event));
    }
}

#[test]
fn every_entry_can_be_read_without_its_personal_fields() {
    for (event, row) in trail().into_iter().zip(sealed(&trail())) {
        let (personal, fields) = erase::<PartnerEvent>(&row, |_| true).unwrap();
        let left: PartnerEvent = open(&Sealed { personal, ..row }).unwrap();
        assert_eq!((left.seq, left.fact.kind()), (event.seq, event.fact.kind()));
        assert_eq!(left == event, fields == 0, "{}: {fields} fields were erased", event.fact.kind());
    }
}

#[test]
fn every_change_is_found() {
    assert_flips_are_found(&origin(), &sealed(&trail()));
    assert_moved_rows_are_found(&origin(), &sealed(&trail()));
    assert_proofs_hold(&origin(), &sealed(&trail()));
    let other = PartnerOrigin { partner_id: PartnerId(id(3)) };
    assert_eq!(verify(&other, &sealed(&trail())), Err(Broken { seq: 1, what: Error::Trail }));
}

#[test]
fn a_trail_of_the_one_kind_is_none_of_the_other() {
    let (tasks, partners) = (sample::sealed(&sample::trail()), sealed(&trail()));
    let not_an_entry = Err(Broken { seq: 1, what: Error::Entry });
    assert_eq!(verify(&origin(), &tasks), not_an_entry);
    assert_eq!(verify(&sample::origin(), &partners), not_an_entry);
    // The texts of one entry with the hashes of the other.
    let task = Sealed { hash: Hash::of_text(PartnerOrigin::ENTRY, &tasks[0].entry), ..tasks[0].clone() };
    assert_eq!(verify(&sample::origin(), [&task]), Err(Broken { seq: 1, what: Error::Hash }));
    // The fields of one entry in the other entry.
    let mixed = Sealed { data: tasks[0].data.clone(), personal: tasks[0].personal.clone(), ..partners[0].clone() };
    assert_eq!(verify(&origin(), [&mixed]), Err(Broken { seq: 1, what: Error::Columns }));
    assert_eq!(open::<PartnerEvent>(&tasks[0]), Err(Error::Entry));
}
