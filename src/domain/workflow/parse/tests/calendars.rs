//! Mistakes in calendars, and in durations that count working time.

use serde_json::{Value, json};

use crate::domain::workflow::Workflow;

use super::{base, found, put};

/// The mistakes that one value causes in a definition with a calendar by which every kind of
/// duration is counted.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn calendars() -> Vec<(&'static str, Value, Vec<&'static str>)> {
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
