//! Stored formats are a contract: files hold the shapes of state, notes, status and events, and
//! their content must always load. An intended change of a shape gets a new file beside the old
//! one, whose lines below stay.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::task::event::{Event, Fact};
use crate::domain::task::notes::Notes;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::status::{StageStatus, Status};
use crate::domain::task::{Tally, Task, table};
use crate::domain::values::party::Party;

use super::test_support::{Play, brand};
use super::words::definition;

/// A file's content: the events and the state that they lead to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Golden {
    trail: Vec<Event>,
    task: Task,
    notes: Notes,
    status: Status,
}

/// The files, and the story of each; no definition: the example of the contract.
const STORIES: &[(&str, &str, &str)] = &[
    (
        "preparing",
        "",
        "submit anna; approve dora; reject bo full; status anna; ask anna buyer options; answer buyer 2 full; ask platform buyer; withdraw platform",
    ),
    ("asked", "a quorum=2,2 deadline=none remind=PT8H | P30D", "approve bo; wait PT2H; ask bo buyer options shared"),
    (
        "asked_business",
        "a deadline=none within=PT40H answer=PT20H business",
        "wait P2D; ask bo buyer; hold bo; wait P2D; resume bo",
    ),
    ("in_review", "", "submit anna full; approve dora; approve bo; tick"),
    ("in_review_overdue", "a quorum=2,2 deadline=none", "approve bo; reject chi full; tick"),
    ("escalated", "", "submit anna; approve dora; approve bo; wait PT1H; escalate chi buyer"),
    ("escalated_redirected", "a to=platform,buyer", "escalate bo platform; resolve platform redirect buyer"),
    (
        "escalated_by_the_platform",
        "a buyer",
        "escalate platform platform; resolve platform return; escalate platform platform",
    ),
    (
        "overridden",
        "a buyer; b",
        "escalate platform platform; resolve platform-olga^2 reject; submit anna; approve buyer",
    ),
    ("escalated_after_deadline", "a deadline=platform respond=none", "tick; tick"),
    ("escalated_exhausted", "a rounds=1 | P30D", "reject bo full"),
    ("on_hold", "", "submit anna; approve dora; approve bo; wait PT1H; hold platform; status anna"),
    ("on_hold_preparing", "a required", "hold anna; resume anna; hold anna"),
    ("in_review_business", "a deadline=none remind=PT8H within=PT40H business | P30D business", "wait P2D"),
    ("on_hold_business", "a deadline=none remind=PT8H within=PT40H business", "wait P2D; hold anna"),
    (
        "resumed_business",
        "a deadline=none remind=PT8H,PT1H within=PT40H respond=none finish business",
        "submit anna; tick; hold anna; wait P2D; resume anna; escalate bo platform; wait PT20H; resolve platform return",
    ),
    ("on_hold_overdue", "a deadline=none", "tick; hold anna"),
    (
        "cancelling",
        "",
        "submit anna; approve dora; escalate bo platform; cancel buyer; resolve platform return; approve chi",
    ),
    ("delivery", "", "submit anna; approve dora; approve bo; approve chi; approve buyer"),
    (
        "cancelled",
        "a finish",
        "escalate bo platform; resolve platform return; cancel buyer; ack anna salvaged; reject bo full",
    ),
    ("expired", "a | P1D", "tick"),
    ("in_review_erased", "a quorum=2,3", "submit anna; status anna; reject bo full; reject chi; erase anna; erase bo"),
    (
        "delivery_erased",
        "a; b back=a",
        "submit anna; approve bo; reject chi full; submit anna; approve bo; approve bo; erase chi",
    ),
    ("failed", "a deadline=fail", "tick"),
    (
        "in_review_panels",
        "a; b panels=legal:anna+bo/brand:chi+dan:all",
        "approve zoe; approve bo; reject anna full; submit zoe; approve dora; approve bo; approve chi",
    ),
    (
        "in_review_other_reviewers",
        "a panels=legal:anna+bo/brand:chi+dan:all; b named=anna,bo",
        "approve bo; approve chi; staff lead panel=legal +dora -bo; staff lead -anna @b",
    ),
    (
        "in_review_absent",
        "a panels=legal:anna+bo:all/brand:chi+dan; b",
        "away anna P1D eve; away chi P1D finn; approve eve; approve finn remarks; escalate bo platform; resolve platform return; approve anna",
    ),
    (
        "decided_by_a_substitute",
        "a panel to=partner; b required",
        "approve bo; escalate bo partner; away anna P1D chi; resolve chi approve",
    ),
    ("delivery_panels", "a panels=legal:anna+bo/brand:chi deadline=approve", "approve bo; tick"),
];

/// Compares with `tests/golden/<file>`; a differing result is written to `target/golden`.
fn matches_file(file: &str, text: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = std::fs::read_to_string(root.join("tests/golden").join(file)).unwrap_or_default();
    if golden == text {
        return None;
    }
    let new = root.join("target/golden").join(file);
    std::fs::create_dir_all(new.parent().unwrap()).unwrap();
    std::fs::write(&new, text).unwrap();
    Some(format!("tests/golden/{file} differs from {}", new.display()))
}

#[test]
fn stored_shapes_stand_in_files() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (file, words, script) in STORIES {
        let play = Play::of(&if words.is_empty() { brand() } else { definition(words) }, script);
        let Snapshot { task, notes, status } = play.snapshot;
        seen.insert(task.phase());
        let golden = Golden { trail: play.trail, task, notes, status };
        wrong.extend(matches_file(
            &format!("task/{file}.json"),
            &(serde_json::to_string_pretty(&golden).unwrap() + "\n"),
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen.len(), 9, "a file for every phase");
}

#[test]
fn what_was_stored_loads_and_its_events_lead_to_its_state() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/task");
    let mut types = BTreeSet::new();
    for (file, words, _) in STORIES {
        let text = std::fs::read_to_string(folder.join(format!("{file}.json"))).unwrap();
        let golden: Golden = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        types.extend(golden.trail.iter().map(|event| event.fact.kind()));
        let workflow = super::test_support::parse(&if words.is_empty() { brand() } else { definition(words) });
        let Golden { trail, task, notes, status } = golden;
        let again = Snapshot::fold(&workflow, &trail).unwrap();
        assert_eq!(again, Snapshot { task, notes, status }.without_tag_secret(), "{file}");
    }
    assert_eq!(types, BTreeSet::from(Fact::TYPES), "every type of event is in a file");
}

/// Written before stages named their reviewers.
fn older(status: Status) -> Status {
    let stages = status.stages.into_iter().map(|stage| StageStatus { reviewer: None, ..stage });
    Status { stages: stages.collect(), ..status }
}

/// Written before tasks had a tally.
fn uncounted(task: Task) -> Task {
    Task { tally: Tally::default(), ..task }
}

/// Written before texts had readers. Such a text is shown only to the parties that read everything.
#[test]
fn older_shapes_load_and_keep_to_the_narrower_readers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/older");
    let open =
        |file: &str| -> Golden { serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap() };
    let Golden { trail, task, notes, status } = open("escalated.json");
    let again = Snapshot::fold(&super::test_support::parse(&brand()), &trail).unwrap();
    assert_eq!((uncounted(again.task), older(again.status)), (task, status));
    assert!(again.notes.question_for(Party::Buyer).is_some() && notes.question_for(Party::Buyer).is_none());
    assert_eq!(again.notes.question_for(Party::Partner), notes.question_for(Party::Partner));

    let Golden { trail, task, notes, status } = open("returned.json");
    let words = "a deadline=none remind=PT8H,PT1H within=PT40H respond=none finish business";
    let again = Snapshot::fold(&super::test_support::parse(&definition(words)), &trail).unwrap();
    assert_eq!((uncounted(again.task), older(again.status)), (task, status));
    assert!(notes.advice_for(Party::Partner).is_some() && notes.advice_for(Party::Buyer).is_none());
    assert_eq!(again.notes, notes);
}

#[test]
fn the_table_in_the_documentation_is_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let written = std::fs::read_to_string(root.join("src/domain/task/table.md")).unwrap();
    assert!(written == table::markdown(), "src/domain/task/table.md should be:\n{}", table::markdown());
}
