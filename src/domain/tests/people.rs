//! Ids of people that nobody can tell apart are one person to every rule, even if they were stored
//! as two.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;
use serde_json::json;

use crate::domain::erasure::{Plan, Scope};
use crate::domain::task::command::{Command, Meta};
use crate::domain::task::snapshot::Snapshot;
use crate::domain::values::id::ActorId;
use crate::domain::values::party::{Actor, ActorRef, Party};
use crate::domain::workflow::Workflow;

use super::test_support::{Play, outcome};
use super::words::definition;

const PAIRS: u32 = 1_000;

/// Invisible characters, at any position.
const INVISIBLE: [&str; 10] = [
    "\u{200B}",
    "\u{200C}",
    "\u{200D}",
    "\u{FEFF}",
    "\u{2060}",
    "\u{AD}",
    "\u{202E}",
    "\u{2066}",
    "\u{E0041}",
    "\u{FE0F}",
];
/// Characters that look like a space.
const BLANKS: [&str; 6] = ["  ", "\u{A0}", "\u{3000}", "\u{2800}", "\t", " \u{200B} "];

/// A valid id, with letters that have two encodings.
fn ids() -> impl Strategy<Value = String> {
    let words = proptest::collection::vec("[a-zA-Z0-9éüñşåÅ가한@._-]{1,6}", 1..3).prop_map(|words| words.join(" "));
    let uuids = any::<u128>().prop_map(|bits| uuid::Uuid::from_u128(bits).to_string());
    let fair = |id: &String| ActorId::parse(id.as_str()).is_ok();
    prop_oneof![4 => words, 1 => uuids].prop_filter("an id that may be given", fair)
}

/// An id that looks the same, in other characters.
fn look_alike(id: &str, how: u8, place: Index, with: Index) -> String {
    let places: Vec<usize> = id.char_indices().map(|(at, _)| at).chain([id.len()]).collect();
    let (at, mut alike) = (*place.get(&places), id.to_owned());
    match how % 5 {
        0 => alike.insert_str(at, with.get::<&str>(&INVISIBLE)),
        1 => alike.push_str(with.get::<&str>(&BLANKS)),
        2 => alike = id.replace(' ', with.get::<&str>(&BLANKS)),
        3 => alike = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd().normalize(id).into_owned(),
        _ if uuid::Uuid::try_parse(id).is_ok() => alike = id.to_uppercase(),
        _ => alike.insert_str(0, with.get::<&str>(&BLANKS)),
    }
    if alike == id { format!("{id} ") } else { alike }
}

/// An id, and one that looks the same.
fn pairs() -> impl Strategy<Value = (String, String)> {
    (ids(), any::<u8>(), any::<Index>(), any::<Index>()).prop_map(|(id, how, place, with)| {
        let alike = look_alike(&id, how, place, with);
        (id, alike)
    })
}

fn stored(id: &str) -> ActorId {
    ActorId::stored(id).unwrap()
}

/// The command of a step, by the person with this id.
fn by(play: &Play, step: &str, id: &str) -> Command {
    let command = play.command(step);
    let mut meta: Meta = command.meta().clone();
    meta.sender.actor = Some(Actor { id: stored(id), name: None, role: None });
    Command::new(meta, command.action().clone()).unwrap()
}

fn run(play: &mut Play, step: &str, id: &str) -> String {
    let command = by(play, step, id);
    outcome(&play.send(&command))
}

/// A stored workflow whose only reviewer has this id.
fn named(id: &str) -> Workflow {
    let workflow = Workflow::parse(&definition("a")).unwrap().workflow;
    let mut stored = serde_json::to_value(workflow).unwrap();
    stored["stages"][0]["reviewers"] = json!([id]);
    serde_json::from_value(stored).unwrap()
}

proptest! {
    #![proptest_config(Config { cases: PAIRS, ..Config::default() })]

    #[test]
    fn pairs_are_told_apart_by_their_characters_alone((id, alike) in pairs()) {
        prop_assert_ne!(&id, &alike);
        prop_assert_eq!(stored(&id), stored(&alike));
        prop_assert!(ActorId::parse(&*alike).is_err() || stored(&id).uuid().is_some(), "{:?} may not be given", alike);
    }

    #[test]
    fn nobody_approves_their_own_work_under_an_id_that_looks_the_same((id, alike) in pairs()) {
        let mut play = Play::of(&definition("a required"), "");
        run(&mut play, "submit anna", &id);
        prop_assert_eq!(run(&mut play, "approve bo", &alike), "self_approval");
        let mut play = Play::of(&definition("a required"), "");
        run(&mut play, "submit anna", &alike);
        run(&mut play, "submit anna", "somebody else");
        prop_assert_eq!(run(&mut play, "approve bo", &id), "self_approval");
    }

    #[test]
    fn nobody_is_distinct_from_themselves_or_votes_twice((id, alike) in pairs()) {
        let mut play = Play::of(&definition("a quorum=2,2; b distinct=a"), "");
        run(&mut play, "approve bo", &id);
        prop_assert_eq!(run(&mut play, "approve bo", &alike), "already_voted");
        prop_assert!(run(&mut play, "approve bo", "somebody else").contains("stage_approved"));
        prop_assert_eq!(run(&mut play, "approve bo", &alike), "not_distinct");
    }

    #[test]
    fn a_named_reviewer_is_known_by_every_spelling((id, alike) in pairs()) {
        for (name, voter) in [(&id, &alike), (&alike, &id)] {
            let mut play = Play::of(&definition("a"), "");
            play.workflow = named(name);
            prop_assert_eq!(run(&mut play, "approve bo", "somebody else"), "not_a_reviewer");
            prop_assert!(run(&mut play, "approve bo", voter).contains("stage_approved"));
        }
        let twice = json!({"name": "w", "stages": [{"key": "a", "name": "a", "buyer_label": "In a", "reviewers": [id, alike]}]});
        prop_assert!(Workflow::parse(&twice).is_err());
    }

    #[test]
    fn an_erasure_finds_every_spelling((id, alike) in pairs()) {
        let mut play = Play::of(&definition("a quorum=3,3; b"), "");
        run(&mut play, "status anna", &alike);
        run(&mut play, "approve bo", &id);
        run(&mut play, "approve bo", "somebody else");
        play.store();
        let rows = play.rows.clone().unwrap();
        let trail: Vec<_> = play.trail.iter().cloned().zip(rows).collect();
        for actor in [&id, &alike] {
            let actor = ActorRef { party: Party::Partner, id: stored(actor) };
            let scope = Scope { actor, until: play.now, last: 0 };
            let entries: Vec<u64> = Plan::new(&trail, &scope, false).unwrap().entries.iter().map(|entry| entry.seq).collect();
            prop_assert_eq!(entries, vec![3, 4]);
        }
    }

    #[test]
    fn a_trail_with_both_spellings_leads_to_the_same_state((id, alike) in pairs()) {
        let mut play = Play::of(&definition("a required quorum=2,2; b distinct=a"), "");
        for (step, id) in [("submit anna", &alike), ("submit anna", &id), ("reject bo", &alike), ("reject bo", &id)] {
            run(&mut play, step, id);
        }
        let text = serde_json::to_string(&play.trail).unwrap();
        let trail: Vec<_> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&trail).unwrap(), text);
        let again = Snapshot::fold(&play.workflow, &trail).unwrap();
        let kept = play.snapshot.clone().without_tag_secret();
        prop_assert_eq!(serde_json::to_value(&again.task).unwrap(), serde_json::to_value(&kept.task).unwrap());
        prop_assert_eq!(again, kept);
    }
}

#[test]
fn visible_differences_make_two_people() {
    for (one, other) in [("u-dora", "U-dora"), ("u dora", "udora"), ("zoe", "zoë"), ("u-1", "u-l")] {
        let mut play = Play::of(&definition("a required"), "");
        run(&mut play, "submit anna", one);
        assert!(run(&mut play, "approve bo", other).contains("stage_approved"), "{one} and {other}");
    }
}
