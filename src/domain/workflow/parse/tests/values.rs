//! Mistakes that one value causes, one per line.

use serde_json::{Value, json};

use super::{base, found, people, with};

/// Mistakes caused by one value: its place, the value, and the expected mistakes (`pointer code`;
/// empty: it is valid).
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn values() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    vec![
        // Types.
        ("", json!(null), vec![" wrong_type"]),
        ("", json!([]), vec![" wrong_type"]),
        ("/name", json!(7), vec!["/name wrong_type"]),
        ("/stages", json!({}), vec!["/stages wrong_type"]),
        ("/stages/1", json!("b"), vec!["/stages/1 wrong_type"]),
        ("/stages/1/key", json!(null), vec!["/stages/1/key wrong_type"]),
        ("/stages/1/submission", json!(true), vec!["/stages/1/submission wrong_type"]),
        ("/stages/1/quorum", json!(2), vec!["/stages/1/quorum wrong_type"]),
        ("/stages/1/quorum/approvals", json!("2"), vec!["/stages/1/quorum/approvals wrong_type"]),
        ("/stages/1/quorum/approvals", json!(1.0), vec!["/stages/1/quorum/approvals wrong_type"]),
        ("/stages/1/reviewers", json!("u-1"), vec!["/stages/1/reviewers wrong_type"]),
        (
            "/stages/1/reviewers",
            json!(["u-1", 2, null]),
            vec!["/stages/1/reviewers/1 wrong_type", "/stages/1/reviewers/2 wrong_type"],
        ),
        ("/stages/1/self_approval", json!("yes"), vec!["/stages/1/self_approval wrong_type"]),
        ("/stages/1/on_reject", json!("a"), vec!["/stages/1/on_reject wrong_type"]),
        ("/stages/1/on_reject/max_rounds", json!(2.5), vec!["/stages/1/on_reject/max_rounds wrong_type"]),
        ("/stages/1/on_reject/on_exhausted", json!("fail"), vec!["/stages/1/on_reject/on_exhausted wrong_type"]),
        ("/stages/1/escalation", json!(null), vec!["/stages/1/escalation wrong_type"]),
        ("/stages/1/escalation/to", json!("platform"), vec!["/stages/1/escalation/to wrong_type"]),
        ("/stages/1/deadline", json!("PT1H"), vec!["/stages/1/deadline wrong_type"]),
        ("/stages/1/deadline/within", json!(3600), vec!["/stages/1/deadline/within wrong_type"]),
        ("/stages/1/cancellation", json!("withdraw"), vec!["/stages/1/cancellation wrong_type"]),
        ("/deadline", json!(null), vec!["/deadline wrong_type"]),
        // Questions.
        ("/stages/1/questions", json!({}), vec![]),
        ("/stages/1/questions", json!(3), vec!["/stages/1/questions wrong_type"]),
        ("/stages/1/questions", json!({"max_per_round": 0}), vec![]),
        ("/stages/1/questions", json!({"max_per_round": 21}), vec!["/stages/1/questions/max_per_round out_of_range"]),
        ("/stages/1/questions", json!({"to": []}), vec!["/stages/1/questions/to too_few"]),
        ("/stages/1/questions", json!({"to": ["buyer", "buyer"]}), vec!["/stages/1/questions/to/1 duplicate"]),
        (
            "/stages/1/questions",
            json!({"respond_within": "soon"}),
            vec!["/stages/1/questions/respond_within invalid_duration"],
        ),
        ("/stages/1/questions", json!({"clock": "wall"}), vec!["/stages/1/questions/respond_within required"]),
        (
            "/stages/1/questions",
            json!({"respond_within": "PT8H", "clock": "business"}),
            vec!["/stages/1/questions/clock calendar_required"],
        ),
        ("/stages/1/questions", json!({"on_timeout": {}}), vec!["/stages/1/questions/on_timeout unknown_field"]),
        // Missing and unknown fields.
        ("/color", json!("red"), vec!["/color unknown_field"]),
        ("/a~1b~0c", json!("red"), vec!["/a~1b~0c unknown_field"]),
        ("/stages/2/buyerLabel", json!("x"), vec!["/stages/2/buyerLabel unknown_field"]),
        ("/stages/2/on_reject/to", json!("a"), vec!["/stages/2/on_reject/to unknown_field"]),
        ("/stages/1/quorum/votes", json!(1), vec!["/stages/1/quorum/votes unknown_field"]),
        ("/stages/2/escalation/within", json!("PT1H"), vec!["/stages/2/escalation/within unknown_field"]),
        ("/stages/2/cancellation/x", json!(1), vec!["/stages/2/cancellation/x unknown_field"]),
        ("/deadline", json!({"within": "P1D", "on_timeout": {}}), vec!["/deadline/on_timeout unknown_field"]),
        ("/deadline", json!({}), vec!["/deadline/within required"]),
        ("/stages/1/deadline", json!({"remind_before": []}), vec!["/stages/1/deadline/within required"]),
        ("/stages/1/deadline/on_timeout", json!({"action": "fail"}), vec!["/stages/1/deadline/within required"]),
        (
            "/stages/1/escalation/on_timeout",
            json!({"action": "fail"}),
            vec!["/stages/1/escalation/respond_within required"],
        ),
        (
            "/stages/1/deadline",
            json!({"within": "PT1H", "on_timeout": {}}),
            vec!["/stages/1/deadline/on_timeout/action required"],
        ),
        (
            "/stages/1/on_reject/on_exhausted",
            json!({"action": "escalate"}),
            vec!["/stages/1/on_reject/on_exhausted/to required"],
        ),
        (
            "/stages/1/on_reject/on_exhausted",
            json!({"to": "platform"}),
            vec!["/stages/1/on_reject/on_exhausted/action required"],
        ),
        // Words and texts.
        ("/stages/1/reviewer", json!("service"), vec!["/stages/1/reviewer unknown_value"]),
        ("/stages/1/submission", json!("Required"), vec!["/stages/1/submission unknown_value"]),
        ("/stages/1/escalation/to", json!(["platform", "court"]), vec!["/stages/1/escalation/to/1 unknown_value"]),
        ("/stages/1/cancellation/in_flight", json!("abandon"), vec!["/stages/1/cancellation/in_flight unknown_value"]),
        (
            "/stages/1/on_reject/on_exhausted",
            json!({"action": "approve"}),
            vec!["/stages/1/on_reject/on_exhausted/action unknown_value"],
        ),
        (
            "/stages/1/on_reject/on_exhausted",
            json!({"action": "none"}),
            vec!["/stages/1/on_reject/on_exhausted/action unknown_value"],
        ),
        ("/name", json!(" \t"), vec!["/name blank"]),
        ("/name", json!("é".repeat(200)), vec![]),
        ("/name", json!("é".repeat(201)), vec!["/name too_long"]),
        ("/name", json!("a\0b"), vec!["/name control_character"]),
        ("/stages/0/name", json!("x".repeat(201)), vec!["/stages/0/name too_long"]),
        ("/stages/0/buyer_label", json!("x".repeat(500)), vec![]),
        ("/stages/0/buyer_label", json!("x".repeat(501)), vec!["/stages/0/buyer_label too_long"]),
        (
            "/stages/1/reviewers",
            json!(["u-1", "", "x".repeat(201)]),
            vec!["/stages/1/reviewers/1 blank", "/stages/1/reviewers/2 too_long"],
        ),
        (
            "/stages/1/reviewers",
            json!(["u-1", "System", "service-desk", "stagegate"]),
            vec!["/stages/1/reviewers/1 reserved", "/stages/1/reviewers/3 reserved"],
        ),
        (
            "/stages/1/reviewers",
            json!(["u-1", "u-1 ", "zoe\u{308}", "erased-7", "u\u{200b}2"]),
            vec![
                "/stages/1/reviewers/1 invalid_id",
                "/stages/1/reviewers/2 invalid_id",
                "/stages/1/reviewers/3 invalid_id",
                "/stages/1/reviewers/4 invisible_character",
            ],
        ),
        ("/name", json!("two\nlines"), vec!["/name line_break"]),
        ("/stages/0/name", json!("a\u{202e}b"), vec!["/stages/0/name invisible_character"]),
        ("/stages/0/buyer_label", json!("\u{2800}"), vec!["/stages/0/buyer_label blank"]),
        ("/stages/0/buyer_label", json!("مراجعة 👩\u{200d}💻"), vec![]),
        ("/stages/3/key", json!("D"), vec!["/stages/3/key invalid_key"]),
        ("/stages/3/key", json!("../x"), vec!["/stages/3/key invalid_key"]),
        ("/stages/3/key", json!("d".repeat(64)), vec![]),
        ("/stages/3/key", json!("d".repeat(65)), vec!["/stages/3/key invalid_key"]),
        // Numbers, durations, counts.
        ("/stages/1/quorum/approvals", json!(0), vec!["/stages/1/quorum/approvals out_of_range"]),
        ("/stages/0/quorum/approvals", json!(100), vec![]),
        ("/stages/0/quorum/approvals", json!(101), vec!["/stages/0/quorum/approvals out_of_range"]),
        ("/stages/0/quorum/rejections", json!(-1), vec!["/stages/0/quorum/rejections out_of_range"]),
        ("/stages/1/on_reject/answers", json!("required"), vec![]),
        ("/stages/1/on_reject/answers", json!("always"), vec!["/stages/1/on_reject/answers unknown_value"]),
        ("/stages/1/on_reject/reasons", reasons(30), vec![]),
        ("/stages/1/on_reject/reasons", reasons(31), vec!["/stages/1/on_reject/reasons too_many"]),
        ("/stages/1/on_reject/reasons", json!([]), vec![]),
        (
            "/stages/1/on_reject/reasons",
            json!([{"key": "tone", "name": "Tone"}, {"key": "tone", "name": "Also tone"}, {"key": "Law"}, 3]),
            vec![
                "/stages/1/on_reject/reasons/1/key duplicate",
                "/stages/1/on_reject/reasons/2/key invalid_key",
                "/stages/1/on_reject/reasons/2/name required",
                "/stages/1/on_reject/reasons/3 wrong_type",
            ],
        ),
        ("/stages/1/on_reject/max_rounds", json!(0), vec!["/stages/1/on_reject/max_rounds out_of_range"]),
        ("/stages/1/on_reject/max_rounds", json!(1000), vec![]),
        ("/stages/1/on_reject/max_rounds", json!(1001), vec!["/stages/1/on_reject/max_rounds out_of_range"]),
        ("/stages/1/on_reject/max_rounds", json!(u64::MAX), vec!["/stages/1/on_reject/max_rounds out_of_range"]),
        ("/deadline/within", json!("P1M"), vec!["/deadline/within invalid_duration"]),
        ("/deadline/within", json!("P367D"), vec!["/deadline/within out_of_range"]),
        (
            "/stages/1/escalation/respond_within",
            json!("1h"),
            vec!["/stages/1/escalation/respond_within invalid_duration"],
        ),
        (
            "/stages/1/escalation/respond_within",
            json!("PT0S"),
            vec!["/stages/1/escalation/respond_within out_of_range"],
        ),
        (
            "/stages/1/deadline",
            json!({"within": "PT1H", "remind_before": ["soon"]}),
            vec!["/stages/1/deadline/remind_before/0 invalid_duration"],
        ),
        ("/stages/1/cancellation", json!({"in_flight": "let_finish", "grace": "P7D"}), vec![]),
        (
            "/stages/1/cancellation",
            json!({"in_flight": "let_finish", "grace": "P7DT1S"}),
            vec!["/stages/1/cancellation/grace out_of_range"],
        ),
        ("/stages", json!([]), vec!["/stages too_few"]),
        ("/stages/1/on_reject/return_to", json!([]), vec!["/stages/1/on_reject/return_to too_few"]),
        ("/stages/1/escalation/to", json!([]), vec!["/stages/1/escalation/to too_few"]),
        ("/stages/1/reviewers", json!([]), vec![]),
        ("/stages/1/reviewers", json!(people(100)), vec![]),
        ("/stages/1/reviewers", json!(people(101)), vec!["/stages/1/reviewers too_many"]),
        (
            "/stages/1/deadline",
            json!({"within": "PT1H", "remind_before": vec!["PT1S"; 11]}),
            [vec!["/stages/1/deadline/remind_before too_many"], REMINDERS.to_vec()].concat(),
        ),
        // Duplicates.
        ("/stages/1/key", json!("a"), vec!["/stages/1/key duplicate"]),
        (
            "/stages/1/reviewers",
            json!(["u-1", "u-2", "u-1", "u-1"]),
            vec!["/stages/1/reviewers/2 duplicate", "/stages/1/reviewers/3 duplicate"],
        ),
        ("/stages/1/distinct_from", json!(["a", "a"]), vec!["/stages/1/distinct_from/1 duplicate"]),
        ("/stages/1/on_reject/return_to", json!(["a", "b", "a"]), vec!["/stages/1/on_reject/return_to/2 duplicate"]),
        ("/stages/1/escalation/to", json!(["buyer", "buyer"]), vec!["/stages/1/escalation/to/1 duplicate"]),
        (
            "/stages/1/deadline",
            json!({"within": "PT2H", "remind_before": ["PT1H", "PT60M"]}),
            vec!["/stages/1/deadline/remind_before/1 duplicate"],
        ),
        // Fields only for stages that the partner reviews.
        ("/stages/2/quorum", json!({"approvals": 1}), vec!["/stages/2/quorum partner_only"]),
        ("/stages/2/reviewers", json!([]), vec!["/stages/2/reviewers partner_only"]),
        ("/stages/3/panels", json!([]), vec!["/stages/3/panels partner_only"]),
        ("/stages/3/self_approval", json!(false), vec!["/stages/3/self_approval partner_only"]),
        ("/stages/3/distinct_from", json!(["a"]), vec!["/stages/3/distinct_from partner_only"]),
        // Unreachable quorums.
        ("/stages/1/quorum", json!({"approvals": 3}), vec![]),
        ("/stages/1/quorum", json!({"approvals": 2, "rejections": 2}), vec![]),
        ("/stages/1/quorum", json!({"approvals": 4}), vec!["/stages/1/quorum quorum_unreachable"]),
        ("/stages/1/quorum", json!({"approvals": 3, "rejections": 2}), vec!["/stages/1/quorum quorum_unreachable"]),
        ("/stages/1/quorum", json!({"rejections": 4}), vec!["/stages/1/quorum quorum_unreachable"]),
        ("/stages/0/quorum", json!({"approvals": 50, "rejections": 60}), vec![]),
        // All of them.
        ("/stages/1/quorum", json!({"approvals": "all"}), vec![]),
        ("/stages/1/quorum", json!({"approvals": "all", "rejections": 1}), vec![]),
        ("/stages/1/quorum", json!({"approvals": "all", "rejections": 2}), vec!["/stages/1/quorum quorum_unreachable"]),
        ("/stages/1/quorum/approvals", json!("most"), vec!["/stages/1/quorum/approvals wrong_type"]),
        ("/stages/1/quorum/approvals", json!(null), vec!["/stages/1/quorum/approvals wrong_type"]),
        ("/stages/0/quorum", json!({"approvals": "all"}), vec!["/stages/0/quorum/approvals not_applicable"]),
        (
            "/stages/0/quorum",
            json!({"approvals": "all", "votes": 1}),
            vec!["/stages/0/quorum/votes unknown_field", "/stages/0/quorum/approvals not_applicable"],
        ),
        // References to stages.
        ("/stages/1/distinct_from", json!(["a"]), vec![]),
        ("/stages/1/distinct_from", json!(["x"]), vec!["/stages/1/distinct_from/0 unknown_stage"]),
        ("/stages/1/distinct_from", json!(["a", "b"]), vec!["/stages/1/distinct_from/1 later_stage"]),
        ("/stages/1/distinct_from", json!(["c"]), vec!["/stages/1/distinct_from/0 later_stage"]),
        ("/stages/1/on_reject/return_to", json!(["b"]), vec![]),
        ("/stages/1/on_reject/return_to", json!(["a", "x"]), vec!["/stages/1/on_reject/return_to/1 unknown_stage"]),
        ("/stages/1/on_reject/return_to", json!(["c"]), vec!["/stages/1/on_reject/return_to/0 later_stage"]),
        ("/stages/1/on_reject/return_to", json!(["A!"]), vec!["/stages/1/on_reject/return_to/0 invalid_key"]),
        // Parties.
        ("/stages/1/on_reject/on_exhausted", json!({"action": "escalate", "to": "platform"}), vec![]),
        (
            "/stages/1/on_reject/on_exhausted",
            json!({"action": "escalate", "to": "buyer"}),
            vec!["/stages/1/on_reject/on_exhausted/to party_not_allowed"],
        ),
        (
            "/stages/1/escalation",
            json!({"to": ["buyer"], "respond_within": "PT1H", "on_timeout": {"action": "escalate", "to": "platform"}}),
            vec!["/stages/1/escalation/on_timeout/to party_not_allowed"],
        ),
        (
            "/stages/1/escalation",
            json!({"to": ["buyer"], "respond_within": "PT1H", "on_timeout": {"action": "escalate", "to": "buyer"}}),
            vec![],
        ),
        (
            "/stages/1/deadline",
            json!({"within": "PT1H", "on_timeout": {"action": "escalate", "to": "partner"}}),
            vec!["/stages/1/deadline/on_timeout/to party_not_allowed"],
        ),
        (
            "/stages/1/deadline",
            json!({"within": "PT1H", "on_timeout": {"action": "escalate", "to": "nobody"}}),
            vec!["/stages/1/deadline/on_timeout/to unknown_value"],
        ),
        ("/stages/2/escalation/to", json!(["partner", "platform"]), vec![]),
        ("/stages/2/escalation/to", json!(["platform", "buyer"]), vec!["/stages/2/escalation/to/1 buyer_reviews"]),
        (
            "/stages/1/on_reject/on_exhausted",
            json!({"action": "fail", "to": "platform"}),
            vec!["/stages/1/on_reject/on_exhausted/to not_applicable"],
        ),
        (
            "/stages/1/deadline",
            json!({"within": "PT1H", "on_timeout": {"action": "none", "to": "platform"}}),
            vec!["/stages/1/deadline/on_timeout/to not_applicable"],
        ),
        // Timeouts, reminders, cancellation.
        (
            "/stages/1/escalation",
            json!({"respond_within": "PT1H", "on_timeout": {"action": "approve"}}),
            vec!["/stages/1/escalation/on_timeout/action silence_resolves"],
        ),
        ("/stages/1/deadline", json!({"within": "PT1H", "on_timeout": {"action": "approve"}}), vec![]),
        ("/stages/2/deadline", json!({"within": "PT24H", "on_timeout": {"action": "approve"}}), vec![]),
        (
            "/stages/2/deadline",
            json!({"within": "PT23H59M59S", "on_timeout": {"action": "approve"}}),
            vec!["/stages/2/deadline/on_timeout/action silence_resolves"],
        ),
        (
            "/stages/3/deadline",
            json!({"within": "P30D", "on_timeout": {"action": "approve"}}),
            vec!["/stages/3/deadline/on_timeout/action silence_resolves"],
        ),
        ("/stages/1/deadline", json!({"within": "PT1H", "remind_before": ["PT1H", "PT5M"]}), vec![]),
        (
            "/stages/1/deadline",
            json!({"within": "PT1H", "remind_before": ["PT5M", "PT61M"]}),
            vec!["/stages/1/deadline/remind_before/1 reminder_too_long"],
        ),
        ("/stages/1/cancellation", json!({"grace": "PT1H"}), vec!["/stages/1/cancellation/grace not_applicable"]),
        (
            "/stages/1/cancellation",
            json!({"in_flight": "withdraw", "grace": "PT1H"}),
            vec!["/stages/1/cancellation/grace not_applicable"],
        ),
    ]
}

/// Eleven identical reminders make ten elements, nine of them repeated.
const REMINDERS: [&str; 9] = [
    "/stages/1/deadline/remind_before/1 duplicate",
    "/stages/1/deadline/remind_before/2 duplicate",
    "/stages/1/deadline/remind_before/3 duplicate",
    "/stages/1/deadline/remind_before/4 duplicate",
    "/stages/1/deadline/remind_before/5 duplicate",
    "/stages/1/deadline/remind_before/6 duplicate",
    "/stages/1/deadline/remind_before/7 duplicate",
    "/stages/1/deadline/remind_before/8 duplicate",
    "/stages/1/deadline/remind_before/9 duplicate",
];

#[test]
fn every_value_that_is_wrong_is_found_where_it_is_and_nothing_else() {
    assert_eq!(found(&base()), Vec::<String>::new());
    for (pointer, value, expected) in values() {
        assert_eq!(found(&with(pointer, value.clone())), expected, "{pointer} = {value}");
    }
}

fn reasons(count: usize) -> Value {
    (0..count).map(|index| json!({"key": format!("r-{index}"), "name": "A reason"})).collect()
}
