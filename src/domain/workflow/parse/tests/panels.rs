//! Mistakes in panels, one per line.

use serde_json::{Value, json};

use super::{found, people, with as at};

/// A panel of these people, with the defaults.
pub(super) fn panel(key: &str, people: &[&str]) -> Value {
    json!({"key": key, "name": "A panel", "reviewers": people})
}

fn with(key: &str, people: &[&str], fields: &Value) -> Value {
    let mut panel = panel(key, people);
    panel.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    panel
}

/// The place, the value, and the expected mistakes.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn panels() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let two = json!([panel("x", &["u-1", "u-2"]), panel("y", &["u-3"])]);
    let many: Vec<Value> = (0..21).map(|number| panel(&format!("p{number}"), &[&format!("u-{number}")])).collect();
    let crowd = |from: usize, to: usize| people(200)[from..to].to_vec();
    vec![
        ("/stages/0/panels", two.clone(), vec![]),
        ("/stages/0/panels", json!([panel("x", &["u-1"])]), vec![]),
        ("/stages/0/panels", json!([]), vec!["/stages/0/panels too_few"]),
        ("/stages/0/panels", json!(many[..20]), vec![]),
        ("/stages/0/panels", json!(many), vec!["/stages/0/panels too_many"]),
        ("/stages/0/panels", json!({}), vec!["/stages/0/panels wrong_type"]),
        ("/stages/0/panels", json!(["legal"]), vec!["/stages/0/panels/0 wrong_type"]),
        // In place of quorum and reviewers.
        ("/stages/1/panels", two.clone(), vec!["/stages/1/reviewers not_applicable"]),
        (
            "/stages/0",
            json!({"key": "a", "name": "A", "buyer_label": "In A", "panels": two, "quorum": {}, "reviewers": []}),
            vec!["/stages/0/quorum not_applicable", "/stages/0/reviewers not_applicable"],
        ),
        // Their fields.
        (
            "/stages/0/panels",
            json!([{}]),
            vec![
                "/stages/0/panels/0/key required",
                "/stages/0/panels/0/name required",
                "/stages/0/panels/0/reviewers required",
            ],
        ),
        (
            "/stages/0/panels",
            json!([with("x", &["u-1"], &json!({"quorum": {}}))]),
            vec!["/stages/0/panels/0/quorum unknown_field"],
        ),
        ("/stages/0/panels", json!([panel("X", &["u-1"])]), vec!["/stages/0/panels/0/key invalid_key"]),
        (
            "/stages/0/panels",
            json!([panel("x", &["u-1"]), panel("x", &["u-2"])]),
            vec!["/stages/0/panels/1/key duplicate"],
        ),
        (
            "/stages/0/panels",
            json!([with("x", &["u-1"], &json!({"name": "a\nb"}))]),
            vec!["/stages/0/panels/0/name line_break"],
        ),
        ("/stages/0/panels", json!([panel("x", &[])]), vec!["/stages/0/panels/0/reviewers too_few"]),
        ("/stages/0/panels", json!([panel("x", &["u-1", "u-1"])]), vec!["/stages/0/panels/0/reviewers/1 duplicate"]),
        ("/stages/0/panels", json!([panel("x", &["system"])]), vec!["/stages/0/panels/0/reviewers/0 reserved"]),
        // One actor, one panel.
        (
            "/stages/0/panels",
            json!([panel("x", &["u-1", "u-2"]), panel("y", &["u-2"]), panel("z", &["u-3", "u-1"])]),
            vec!["/stages/0/panels/1/reviewers/0 two_panels", "/stages/0/panels/2/reviewers/1 two_panels"],
        ),
        (
            "/stages/0/panels",
            json!([
                {"key": "x", "name": "X", "reviewers": crowd(0, 60)},
                {"key": "y", "name": "Y", "reviewers": crowd(60, 100)},
            ]),
            vec![],
        ),
        (
            "/stages/0/panels",
            json!([
                {"key": "x", "name": "X", "reviewers": crowd(0, 60)},
                {"key": "y", "name": "Y", "reviewers": crowd(60, 101)},
            ]),
            vec!["/stages/0/panels too_many"],
        ),
        // Votes.
        ("/stages/0/panels", json!([with("x", &["u-1", "u-2"], &json!({"approvals": "all"}))]), vec![]),
        ("/stages/0/panels", json!([with("x", &["u-1", "u-2"], &json!({"approvals": 2, "rejections": 1}))]), vec![]),
        (
            "/stages/0/panels",
            json!([with("x", &["u-1"], &json!({"approvals": "any"}))]),
            vec!["/stages/0/panels/0/approvals wrong_type"],
        ),
        (
            "/stages/0/panels",
            json!([with("x", &["u-1"], &json!({"approvals": 0}))]),
            vec!["/stages/0/panels/0/approvals out_of_range"],
        ),
        (
            "/stages/0/panels",
            json!([with("x", &["u-1"], &json!({"rejections": "all"}))]),
            vec!["/stages/0/panels/0/rejections wrong_type"],
        ),
        (
            "/stages/0/panels",
            json!([panel("y", &["u-9"]), with("x", &["u-1", "u-2"], &json!({"approvals": 3}))]),
            vec!["/stages/0/panels/1 quorum_unreachable"],
        ),
        (
            "/stages/0/panels",
            json!([with("x", &["u-1", "u-2"], &json!({"approvals": 2, "rejections": 2}))]),
            vec!["/stages/0/panels/0 quorum_unreachable"],
        ),
        (
            "/stages/0/panels",
            json!([with("x", &["u-1", "u-2"], &json!({"approvals": "all", "rejections": 2}))]),
            vec!["/stages/0/panels/0 quorum_unreachable"],
        ),
    ]
}

#[test]
fn a_panel_that_is_wrong_is_found_where_it_is() {
    for (pointer, value, expected) in panels() {
        assert_eq!(found(&at(pointer, value.clone())), expected, "{pointer}: {value}");
    }
}
