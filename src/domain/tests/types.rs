//! The types of commands and events. The compiler finds most places that a new type needs; these
//! tests name the others.

use std::collections::BTreeSet;
use std::path::Path;

use crate::domain::task::command::CommandType;
use crate::domain::task::event::Fact;
use crate::domain::task::table::{ROWS, Trigger};

use super::laws::EDGES;
use super::test_support::{Play, VERBS};
use super::words::definition;

/// Fails unless both are the same, and says what is missing and what is too much.
fn assert_same<'a>(place: &str, found: impl IntoIterator<Item = &'a str>, expected: impl IntoIterator<Item = &'a str>) {
    let (found, expected): (BTreeSet<&str>, BTreeSet<&str>) =
        (found.into_iter().collect(), expected.into_iter().collect());
    let missing: Vec<_> = expected.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "{place}: missing {missing:?}, unknown {unknown:?}");
}

fn command_types() -> [&'static str; CommandType::ALL.len()] {
    CommandType::ALL.map(CommandType::as_str)
}

#[test]
fn the_state_machine_has_every_type_of_command() {
    let triggers = ROWS.iter().filter_map(|row| match row.trigger {
        Trigger::Command(kind) => Some(kind.as_str()),
        Trigger::Resolved(_) => Some("escalation_resolved"),
        Trigger::Open
        | Trigger::QuestionDeadline
        | Trigger::TaskDeadline
        | Trigger::GraceEnd
        | Trigger::Reminder
        | Trigger::StageDeadline(_)
        | Trigger::EscalationDeadline(_)
        | Trigger::Erasure => None,
    });
    assert_same("src/domain/task/table.rs", triggers, command_types());
}

#[test]
fn the_state_machine_records_every_type_of_event() {
    let recorded = EDGES.iter().flat_map(|edge| edge.events.iter().copied());
    let names = Fact::TYPES.map(|name| name.strip_prefix("task.").unwrap());
    assert_same("src/domain/task/table.rs", recorded, names);
}

#[test]
fn the_tests_have_a_verb_for_every_type_of_command() {
    let play = Play::of(&definition("a"), "");
    let sent = VERBS.map(|verb| {
        let argument = match verb {
            "resolve" => "approve",
            "staff" => "+dora",
            _ => "platform",
        };
        play.command(&format!("{verb} bo {argument}")).action().command_type().as_str()
    });
    assert_same("VERBS in src/domain/tests/test_support.rs", sent, command_types());
}

#[test]
fn a_type_of_command_is_found_by_its_name() {
    for kind in CommandType::ALL {
        assert_eq!(CommandType::parse(kind.as_str()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    assert_eq!(CommandType::parse("tick"), None);
}

#[test]
fn the_partners_page_explains_every_type_of_command() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/partner.md")).unwrap();
    let (_, table) = page.split_once("| `type` | sent by | effect |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    let names = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    assert_same("the table of commands in docs/partner.md", names, command_types());
}
