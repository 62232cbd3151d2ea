//! Tables with one mistake per line. Every code occurs in at least one of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::{MistakeCode as Code, Workflow};

use self::calendars::calendars;
use self::panels::{panel, panels};
use self::values::values;

mod any_json;
mod calendars;
mod panels;
mod values;

/// Three valid stages, of the partner (`a`, `b`) and the buyer (`c`), and one of the platform
/// (`d`).
fn base() -> Value {
    json!({"name": "Base", "stages": [
        {"key": "a", "name": "A", "buyer_label": "In A"},
        {"key": "b", "name": "B", "buyer_label": "In B", "reviewers": ["u-1", "u-2", "u-3"]},
        {"key": "c", "name": "C", "buyer_label": "In C", "reviewer": "buyer"},
        {"key": "d", "name": "D", "buyer_label": "In D", "reviewer": "platform"},
    ]})
}

/// The base definition with `value` at `pointer`; missing objects on the way are created.
fn with(pointer: &str, value: Value) -> Value {
    let mut definition = base();
    put(&mut definition, pointer, value);
    definition
}

fn put(definition: &mut Value, pointer: &str, value: Value) {
    let mut place = definition;
    for token in pointer.split('/').skip(1) {
        place = match (token.parse::<usize>(), place.is_array()) {
            (Ok(index), true) => &mut place[index],
            _ => &mut place[token.replace("~1", "/").replace("~0", "~")],
        };
    }
    *place = value;
}

fn without(pointer: &str) -> Value {
    let mut definition = base();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    definition.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    definition
}

/// The mistakes of a definition, as `pointer code` lines.
fn found(definition: &Value) -> Vec<String> {
    let mistakes = Workflow::parse(definition).err().unwrap_or_default();
    mistakes.iter().map(|mistake| format!("{} {}", mistake.pointer, mistake.code.as_str())).collect()
}

fn people(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("u-{index}")).collect()
}

#[test]
fn what_must_be_there_is_missed() {
    for pointer in ["/name", "/stages", "/stages/0/key", "/stages/2/name", "/stages/3/buyer_label"] {
        assert_eq!(found(&without(pointer)), [format!("{pointer} required")]);
    }
}

#[test]
fn lists_are_cut_at_their_limit_and_answers_too() {
    let stage = |index: usize| json!({"key": format!("s{index}"), "name": "S", "buyer_label": "In S"});
    let stages = |count| json!({"name": "Many", "stages": (0..count).map(stage).collect::<Vec<_>>()});
    assert_eq!(found(&stages(50)), Vec::<String>::new());
    assert_eq!(found(&stages(51)), ["/stages too_many"]);

    let fields: serde_json::Map<_, _> = (0..5000).map(|index| (format!("f{index}"), json!(0))).collect();
    let mistakes = found(&Value::Object(fields));
    assert_eq!(mistakes.len(), 1001);
    assert_eq!(mistakes.last().unwrap(), " too_many_mistakes");
}

#[test]
fn the_tables_produce_every_code() {
    let tables = values()
        .into_iter()
        .chain(calendars())
        .chain(panels())
        .flat_map(|(_, _, expected)| expected)
        .filter_map(|line| line.split_once(' '));
    let produced: BTreeSet<_> =
        tables.map(|(_, code)| code).chain(["required", "too_many_mistakes", "calendar_required"]).collect();
    let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(produced, codes);
}

#[test]
fn mistakes_all_over_a_definition_are_reported_together() {
    let definition = json!({"name": "", "extra": 1, "deadline": {"within": "soon"}, "stages": [
        {"key": "A", "name": "A", "buyer_label": "a", "on_reject": {"return_to": ["b"], "max_rounds": 0}},
        {"key": "b", "buyer_label": "b", "reviewer": "buyer", "quorum": {}, "escalation": {"to": ["buyer"], "on_timeout": {"action": "approve", "x": 1}},
         "deadline": {"within": "PT1H", "on_timeout": {"action": "escalate", "to": "partner"}}},
        7,
    ]});
    let mut found = found(&definition);
    found.sort();
    let expected = [
        "/deadline/within invalid_duration",
        "/extra unknown_field",
        "/name blank",
        "/stages/0/key invalid_key",
        "/stages/0/on_reject/max_rounds out_of_range",
        "/stages/0/on_reject/return_to/0 later_stage",
        "/stages/1/escalation/on_timeout/action silence_resolves",
        "/stages/1/escalation/on_timeout/x unknown_field",
        "/stages/1/escalation/respond_within required",
        "/stages/1/escalation/to/0 buyer_reviews",
        "/stages/1/name required",
        "/stages/1/quorum partner_only",
        "/stages/2 wrong_type",
    ];
    assert_eq!(found, expected);
}

#[test]
fn messages_name_the_field_and_the_rule() {
    let message = |pointer, value| Workflow::parse(&with(pointer, value)).unwrap_err()[0].message.clone();
    let cases = [
        ("", json!(3), "The definition must be an object, not a number."),
        (
            "/color",
            json!(3),
            "`color` is not a field of the definition; its fields are name, stages, deadline, calendar.",
        ),
        ("/name", json!(""), "`name` must not be empty."),
        ("/stages/1/on_reject/max_rounds", json!(0), "`max_rounds` must be from 1 to 1000."),
        ("/stages/1/reviewers", json!(["u", "u"]), "`reviewers[1]` is already in the list."),
        (
            "/stages/1/on_reject/return_to",
            json!(["x"]),
            "`return_to[0]` names `x`, which is not a stage of this workflow.",
        ),
        ("/stages/1/reviewer", json!("me"), "`reviewer` must be one of `partner`, `buyer`, `platform`."),
        ("/stages/1/quorum", json!({"approvals": 9}), "`quorum` requires 9 approvals of 3 named reviewers."),
        (
            "/stages/1/quorum",
            json!({"approvals": "all", "rejections": 2}),
            "`quorum` can fail to reach a decision: where `all` must approve, one rejection must be enough, not 2.",
        ),
        (
            "/stages/0/panels",
            json!([panel("x", &["u-1"]), panel("y", &["u-2", "u-1"])]),
            "`reviewers[1]` is already in the panel `x`; an actor sits in one panel of a stage.",
        ),
        (
            "/stages/1/panels",
            json!([panel("x", &["u-1"])]),
            "`reviewers` is not allowed beside `panels`, which say who may vote and how many votes decide.",
        ),
    ];
    for (pointer, value, expected) in cases {
        assert_eq!(message(pointer, value), expected);
    }
    let long = message(&format!("/{}", "x\n".repeat(5000)), json!(1));
    assert!(long.len() < 300, "{long}");
}

#[test]
fn depth_does_not_hurt() {
    let mut deep = json!(1);
    for _ in 0..100_000 {
        deep = Value::Array(vec![deep]);
    }
    let mut definition = base();
    definition["stages"][1]["quorum"] = deep;
    assert_eq!(found(&definition), ["/stages/1/quorum wrong_type"]);
    // Dropping such a value would overflow the stack; bodies this deep are refused before they are
    // parsed into one.
    std::mem::forget(definition);
}
