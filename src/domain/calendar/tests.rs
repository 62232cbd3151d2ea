//! Working time with explicit dates, and its laws.

use chrono::{DateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use serde_json::{Value, json};

use crate::domain::values::time::Time;

use super::{Calendar, DAY, Day, Error, TimeOfDay, WEEK};

mod dates;
mod laws;

const OFFICE: &str = "mon-fri 09:00-17:00";
const LUNCH: &str = "mon-fri 09:00-12:00 13:00-17:00";
const NIGHT: &str = "mon-sun 00:00-06:00 22:00-24:00";
const ALWAYS: &str = "mon-sun 00:00-24:00";

fn calendar(time_zone: &str, hours: &Value, holidays: &[&str]) -> Calendar {
    serde_json::from_value(json!({"time_zone": time_zone, "hours": hours, "holidays": holidays})).unwrap()
}

/// Hours in words: `mon-fri 09:00-12:00 13:00-17:00; sun 00:00-24:00`.
fn hours(words: &str) -> Value {
    let short = |name: &str| super::Hours::WEEKDAYS.iter().position(|day| day.starts_with(name)).unwrap();
    let mut hours = json!({});
    for part in words.split(';') {
        let mut words = part.split_whitespace();
        let days = words.next().unwrap();
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let intervals: Vec<Value> = words
            .map(|interval| interval.split_once('-').unwrap())
            .map(|(from, to)| json!({"from": from, "to": to}))
            .collect();
        for day in short(first)..=short(last) {
            hours[super::Hours::WEEKDAYS[day]] = json!(intervals);
        }
    }
    hours
}

fn time(text: &str) -> Time {
    text.parse::<DateTime<Utc>>().unwrap_or_else(|error| panic!("{text}: {error}")).into()
}

#[test]
fn no_work_is_done_at_once_and_none_lies_before_its_beginning() {
    let calendar = calendar("Europe/Berlin", &hours(OFFICE), &[]);
    let (friday, monday) = (time("2026-11-27T18:00:00Z"), time("2026-11-30T07:00:00Z"));
    assert_eq!(calendar.add(friday, TimeDelta::zero()), friday);
    assert_eq!(calendar.add(friday, TimeDelta::microseconds(-1)), friday);
    assert_eq!(calendar.between(friday, monday), TimeDelta::zero());
    assert_eq!(calendar.between(time("2026-12-04T12:00:00Z"), friday), TimeDelta::zero());
    assert_eq!(calendar.add(friday, TimeDelta::microseconds(1)), time("2026-11-30T08:00:00.000001Z"));
}

#[test]
fn the_search_ends_with_the_calendars_of_the_ends_of_time() {
    let calendar = calendar("Europe/Berlin", &hours("mon 09:00-09:01"), &[]);
    let last = time("9999-12-31T23:59:59.999999Z");
    assert!(calendar.add(time("9999-12-01T00:00:00Z"), TimeDelta::hours(1)) <= last);
    assert!(calendar.add(time("2026-01-01T00:00:00Z"), TimeDelta::days(366)) < time("2048-01-01T00:00:00Z"));
    for micros in [i64::MIN, i64::MAX] {
        let _ = calendar.add(Time::from_micros(micros), TimeDelta::hours(1));
        assert_eq!(calendar.between(Time::from_micros(micros), Time::from_micros(micros)), TimeDelta::zero());
    }
}

#[test]
fn the_longest_that_working_time_can_take() {
    let office = |holidays: &[&str]| calendar("UTC", &hours(OFFICE), holidays).longest(8 * 3_600) / 3_600;
    // From Friday's closing time to Monday's.
    assert_eq!(office(&[]), 72);
    // The same over two holidays beside the weekend; one that is years away adds nothing.
    assert_eq!(office(&["2026-12-24", "2026-12-25"]), 72 + 2 * 24);
    assert_eq!(office(&["2026-12-24", "2026-12-25", "2031-05-01"]), 72 + 2 * 24);
    assert_eq!(calendar("UTC", &hours(ALWAYS), &[]).longest(8_784 * 3_600), 366 * DAY);
    assert!(calendar("UTC", &hours("mon 09:00-09:10"), &[]).longest(366 * DAY) > super::MAX_SECONDS);
    assert_eq!(calendar("UTC", &hours(OFFICE), &[]).most_work_in(WEEK + DAY), 48 * 3_600);
    assert_eq!(calendar("UTC", &hours(LUNCH), &[]).most_work_in(4 * 3_600), 4 * 3_600);
}

#[test]
fn what_is_no_calendar_does_not_load() {
    let sound = json!({"time_zone": "Europe/Berlin", "hours": hours(LUNCH), "holidays": ["2026-12-24", "2026-12-25"]});
    let load = |pointer: &str, value: Value| {
        let mut calendar = sound.clone();
        *calendar.pointer_mut(pointer).unwrap() = value;
        serde_json::from_value::<Calendar>(calendar).map_err(|error| error.to_string())
    };
    let cases = [
        ("/time_zone", json!("Europe/Atlantis"), Error::TimeZone),
        ("/time_zone", json!("europe/berlin"), Error::TimeZone),
        ("/hours/monday/0/from", json!("9:00"), Error::TimeOfDay),
        ("/hours/monday/0/from", json!("12:00"), Error::Hours),
        ("/hours/monday/0/to", json!("13:01"), Error::Hours),
        ("/hours/monday", json!([{"from": "13:00", "to": "17:00"}, {"from": "09:00", "to": "12:00"}]), Error::Hours),
        ("/hours", json!({}), Error::NoHours),
        ("/hours", json!({"monday": []}), Error::NoHours),
        ("/holidays", json!(["2026-12-25", "2026-12-24"]), Error::Holidays),
        ("/holidays", json!(["2026-12-25", "2026-12-25"]), Error::Holidays),
        ("/holidays/0", json!("2026-02-29"), Error::Day),
    ];
    for (pointer, value, error) in cases {
        let found = load(pointer, value.clone()).unwrap_err();
        assert!(found.contains(&error.to_string()), "{pointer} {value}: {found}");
    }
    for text in ["24:01", "25:00", "12:60", "1200", "", "12:0", "+1:00", "12:00:00"] {
        assert_eq!(TimeOfDay::parse(text), Err(Error::TimeOfDay), "{text}");
    }
    for text in ["2026-2-03", "26-02-03", "2026-13-01", "2026-00-10", "+026-01-01", " 2026-01-1", "2026-01-01 "] {
        assert_eq!(Day::parse(text), Err(Error::Day), "{text}");
    }
}

#[test]
fn no_zone_changes_its_clocks_twice_in_nine_days() {
    let at = |zone: &chrono_tz::Tz, day: i64| {
        let utc = DateTime::from_timestamp(day * DAY, 0).unwrap().naive_utc();
        zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()
    };
    // From 2020 to 2040.
    for zone in chrono_tz::TZ_VARIANTS {
        let mut changed = 0;
        let mut offset = at(&zone, 18_262);
        for day in 18_263..25_567 {
            let now = at(&zone, day);
            if now != offset {
                assert!(day - changed > 9, "{zone} on day {day}");
                (changed, offset) = (day, now);
            }
        }
    }
}
