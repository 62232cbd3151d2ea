//! Tables with one mistake per line. Every code occurs in at least one of them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{MistakeCode as Code, Workflow, definition};

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

/// Mistakes caused by one value: its place, the value, and the expected mistakes (`pointer code`;
/// empty: it is valid).
#[expect(clippy::too_many_lines, reason = "a table")]
fn values() -> Vec<(&'static str, Value, Vec<&'static str>)> {
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
        ("/stages/3/self_approval", json!(false), vec!["/stages/3/self_approval partner_only"]),
        ("/stages/3/distinct_from", json!(["a"]), vec!["/stages/3/distinct_from partner_only"]),
        // Unreachable quorums.
        ("/stages/1/quorum", json!({"approvals": 3}), vec![]),
        ("/stages/1/quorum", json!({"approvals": 2, "rejections": 2}), vec![]),
        ("/stages/1/quorum", json!({"approvals": 4}), vec!["/stages/1/quorum quorum_unreachable"]),
        ("/stages/1/quorum", json!({"approvals": 3, "rejections": 2}), vec!["/stages/1/quorum quorum_unreachable"]),
        ("/stages/1/quorum", json!({"rejections": 4}), vec!["/stages/1/quorum quorum_unreachable"]),
        ("/stages/0/quorum", json!({"approvals": 50, "rejections": 60}), vec![]),
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

/// The mistakes that one value causes in a definition with a calendar by which every kind of
/// duration is counted.
#[expect(clippy::too_many_lines, reason = "a table")]
fn calendars() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let at = |from: &str, to: &str| json!({"from": from, "to": to});
    let hour = |hour: usize| at(&format!("{hour:02}:00"), &format!("{:02}:00", hour + 1));
    vec![
        ("/calendar", json!(null), vec!["/calendar wrong_type"]),
        ("/calendar", json!({}), vec!["/calendar/time_zone required", "/calendar/hours required"]),
        ("/calendar/zone", json!("UTC"), vec!["/calendar/zone unknown_field"]),
        ("/calendar/time_zone", json!("UTC"), vec![]),
        ("/calendar/time_zone", json!(1), vec!["/calendar/time_zone wrong_type"]),
        ("/calendar/time_zone", json!("Europe/Atlantis"), vec!["/calendar/time_zone unknown_time_zone"]),
        ("/calendar/time_zone", json!("CEST"), vec!["/calendar/time_zone unknown_time_zone"]),
        ("/calendar/time_zone", json!("+01:00"), vec!["/calendar/time_zone unknown_time_zone"]),
        ("/calendar/hours", json!([]), vec!["/calendar/hours wrong_type"]),
        ("/calendar/hours", json!({}), vec!["/calendar/hours no_working_hours"]),
        ("/calendar/hours", json!({"monday": [], "friday": []}), vec!["/calendar/hours no_working_hours"]),
        ("/calendar/hours/mon", json!([]), vec!["/calendar/hours/mon unknown_field"]),
        ("/calendar/hours/monday", json!("09:00-17:00"), vec!["/calendar/hours/monday wrong_type"]),
        ("/calendar/hours/tuesday", json!([at("13:00", "24:00"), at("00:00", "12:00"), at("12:00", "13:00")]), vec![]),
        ("/calendar/hours/sunday", (0..8).map(hour).collect(), vec![]),
        ("/calendar/hours/sunday", (0..9).map(hour).collect(), vec!["/calendar/hours/sunday too_many"]),
        ("/calendar/hours/monday/0", json!({"from": "09:00"}), vec!["/calendar/hours/monday/0/to required"]),
        ("/calendar/hours/monday/0/till", json!("18:00"), vec!["/calendar/hours/monday/0/till unknown_field"]),
        ("/calendar/hours/monday/0/from", json!(9), vec!["/calendar/hours/monday/0/from wrong_type"]),
        ("/calendar/hours/monday/0/from", json!("9:00"), vec!["/calendar/hours/monday/0/from invalid_time"]),
        ("/calendar/hours/monday/0/to", json!("24:01"), vec!["/calendar/hours/monday/0/to invalid_time"]),
        ("/calendar/hours/monday/0/to", json!("09:00"), vec!["/calendar/hours/monday/0 invalid_hours"]),
        ("/calendar/hours/monday/0", at("22:00", "06:00"), vec!["/calendar/hours/monday/0 invalid_hours"]),
        ("/calendar/hours/monday/1", at("11:59", "17:00"), vec!["/calendar/hours/monday/1 invalid_hours"]),
        ("/calendar/hours/monday/1", at("09:00", "12:00"), vec!["/calendar/hours/monday/1 invalid_hours"]),
        ("/calendar/holidays", json!("2026-12-25"), vec!["/calendar/holidays wrong_type"]),
        ("/calendar/holidays/0", json!(20_261_225), vec!["/calendar/holidays/0 wrong_type"]),
        ("/calendar/holidays/0", json!("2026-02-29"), vec!["/calendar/holidays/0 invalid_date"]),
        ("/calendar/holidays/0", json!("25.12.2026"), vec!["/calendar/holidays/0 invalid_date"]),
        (
            "/calendar/holidays",
            json!(["2028-02-29", "2026-12-25", "2028-02-29"]),
            vec!["/calendar/holidays/2 duplicate"],
        ),
        ("/calendar/holidays", (0..1000).map(date).collect(), vec![]),
        ("/calendar/holidays", (0..1001).map(date).collect(), vec!["/calendar/holidays too_many"]),
        ("/deadline/clock", json!("office"), vec!["/deadline/clock unknown_value"]),
        ("/deadline/clock", json!("wall"), vec![]),
        ("/deadline/clock", json!(true), vec!["/deadline/clock wrong_type"]),
        // 366 days are 8,784 working hours: at the week's 37 hours about 237 weeks, at one hour a
        // week more than ten years.
        ("/deadline/within", json!("P366D"), vec![]),
        (
            "/calendar/hours",
            json!({"friday": [at("09:00", "09:20")]}),
            vec!["/stages/1/deadline/within beyond_calendar", "/deadline/within beyond_calendar"],
        ),
        (
            "/calendar/hours",
            json!({"friday": [at("09:00", "09:01")]}),
            vec![
                "/stages/1/escalation/respond_within beyond_calendar",
                "/stages/1/deadline/within beyond_calendar",
                "/stages/1/cancellation/grace beyond_calendar",
                "/deadline/within beyond_calendar",
            ],
        ),
        (
            "/stages/1/deadline/remind_before",
            json!(["P9D"]),
            vec!["/stages/1/deadline/remind_before/0 reminder_too_long"],
        ),
        ("/stages/1/escalation", json!({"clock": "business"}), vec!["/stages/1/escalation/respond_within required"]),
        ("/stages/1/cancellation", json!({"clock": "business"}), vec!["/stages/1/cancellation/clock not_applicable"]),
        ("/stages/1/cancellation", json!({"in_flight": "let_finish", "clock": "business"}), vec![]),
    ]
}

fn date(days: i64) -> String {
    (chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap() + chrono::TimeDelta::days(days))
        .date_naive()
        .to_string()
}

/// Every duration counts working time.
fn business() -> Value {
    let mut definition = base();
    let hours = json!([{"from": "09:00", "to": "12:00"}, {"from": "13:00", "to": "17:30"}]);
    definition["calendar"] = json!({"time_zone": "Europe/Berlin", "holidays": ["2026-12-25"],
        "hours": {"monday": hours, "tuesday": hours, "wednesday": hours, "thursday": hours, "friday": hours}});
    definition["deadline"] = json!({"within": "P10D", "clock": "business"});
    let stage = &mut definition["stages"][1];
    stage["deadline"] = json!({"within": "P8D", "remind_before": ["PT4H"], "clock": "business"});
    stage["escalation"] = json!({"respond_within": "PT20H", "clock": "business"});
    stage["cancellation"] = json!({"in_flight": "let_finish", "grace": "PT16H", "clock": "business"});
    definition
}

#[test]
fn a_calendar_that_is_wrong_is_found_where_it_is() {
    assert_eq!(found(&business()), Vec::<String>::new());
    for (pointer, value, expected) in calendars() {
        let mut definition = business();
        put(&mut definition, pointer, value.clone());
        assert_eq!(found(&definition), expected, "{pointer} = {value}");
    }
    let mut without = business();
    without.as_object_mut().unwrap().remove("calendar");
    let places =
        ["/stages/1/escalation/clock", "/stages/1/deadline/clock", "/stages/1/cancellation/clock", "/deadline/clock"];
    assert_eq!(found(&without), places.map(|place| format!("{place} calendar_required")));
    // An invalid calendar causes no further mistakes.
    let mut unread = business();
    unread["calendar"]["time_zone"] = json!("Mars");
    assert_eq!(found(&unread), ["/calendar/time_zone unknown_time_zone"]);
}

#[test]
fn hours_and_holidays_are_put_in_order_and_the_usual_clock_is_not_written_down() {
    let parsed = Workflow::parse(&business()).unwrap().workflow;
    let mut other = business();
    other["calendar"]["hours"]["monday"].as_array_mut().unwrap().reverse();
    other["calendar"]["hours"]["sunday"] = json!([]);
    other["stages"][0]["deadline"] = json!({"within": "PT1H", "clock": "wall"});
    let mut plain = business();
    plain["stages"][0]["deadline"] = json!({"within": "PT1H"});
    let canonical = |definition: &Value| Workflow::parse(definition).unwrap().workflow.canonical_json();
    assert_eq!(canonical(&other), canonical(&plain));
    assert!(!canonical(&plain).contains("wall") && !canonical(&base()).contains("calendar"));
    other["calendar"]["holidays"] = json!(["2026-12-26", "2026-12-25"]);
    assert!(canonical(&other).contains(r#""holidays":["2026-12-25","2026-12-26"]"#));

    // A stored definition that lost its calendar is invalid.
    let mut stored = serde_json::to_value(&parsed).unwrap();
    assert_eq!(serde_json::from_value::<Workflow>(stored.clone()).unwrap(), parsed);
    stored.as_object_mut().unwrap().remove("calendar");
    assert!(serde_json::from_value::<Workflow>(stored).unwrap_err().to_string().contains("needs a calendar"));
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
    ];
    for (pointer, value, expected) in cases {
        assert_eq!(message(pointer, value), expected);
    }
    let long = message(&format!("/{}", "x\n".repeat(5000)), json!(1));
    assert!(long.len() < 300, "{long}");
}

/// JSON of any shape, built from the field names of a definition so that it passes the first check.
#[expect(clippy::too_many_lines, reason = "a list of words")]
fn anything() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "key",
        "name",
        "a",
        "b",
        "stages",
        "buyer_label",
        "reviewer",
        "partner",
        "buyer",
        "platform",
        "quorum",
        "approvals",
        "reviewers",
        "on_reject",
        "return_to",
        "max_rounds",
        "on_exhausted",
        "action",
        "escalate",
        "approve",
        "to",
        "escalation",
        "respond_within",
        "on_timeout",
        "deadline",
        "within",
        "remind_before",
        "PT1H",
        "P1D",
        "cancellation",
        "in_flight",
        "let_finish",
        "grace",
        "clock",
        "business",
        "calendar",
        "time_zone",
        "hours",
        "monday",
        "holidays",
        "UTC",
        "09:00",
        "2026-12-25",
        "",
        "~/",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 120, 10, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..10)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    })
}

/// Every place in a JSON value.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| places(value, &format!("{at}/{index}"), into));
        }
        Value::Object(map) => {
            map.iter().for_each(|(name, value)| places(value, &format!("{at}/{}", escape(name)), into));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A refusal is never empty, no mistake is listed twice, and its pointers exist.
fn check_refusal(definition: &Value) -> Result<(), TestCaseError> {
    let Err(mistakes) = Workflow::parse(definition) else { return Ok(()) };
    prop_assert!(!mistakes.is_empty());
    for (index, mistake) in mistakes.iter().enumerate() {
        prop_assert!(!mistakes[..index].contains(mistake), "twice: {mistake:?}");
        let (parent, _) = mistake.pointer.rsplit_once('/').unwrap_or_default();
        let missing = mistake.code == Code::Required && definition.pointer(&mistake.pointer).is_none();
        let place = if missing { parent } else { &mistake.pointer };
        prop_assert!(definition.pointer(place).is_some(), "leads nowhere: {mistake:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(definition in anything(), stage in anything()) {
        check_refusal(&definition)?;
        check_refusal(&json!({"name": "x", "stages": [stage, definition], "deadline": null}))?;
    }

    #[test]
    fn a_sound_definition_with_one_place_spoilt_is_refused_or_sound_but_never_a_panic(
        mut definition in definition(4), junk in anything(), pick in any::<prop::sample::Index>()
    ) {
        let mut all = Vec::new();
        places(&definition, "", &mut all);
        *definition.pointer_mut(&all[pick.index(all.len())]).unwrap() = junk;
        check_refusal(&definition)?;
    }
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
