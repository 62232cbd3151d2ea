//! Working time with explicit dates, and its laws.

use chrono::{DateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::domain::values::time::{Span, Time};

use super::{Calendar, DAY, Day, Error, TimeOfDay, WEEK};

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

const OFFICE: &str = "mon-fri 09:00-17:00";
const LUNCH: &str = "mon-fri 09:00-12:00 13:00-17:00";
const NIGHT: &str = "mon-sun 00:00-06:00 22:00-24:00";
const ALWAYS: &str = "mon-sun 00:00-24:00";

/// Description, zone, hours, holidays, start, working time, end. Times have the local offset, so
/// that the hours can be read.
type Fixture =
    (&'static str, &'static str, &'static str, &'static [&'static str], &'static str, &'static str, &'static str);

const FIXTURES: &[Fixture] = &[
    ("within a day", "Europe/Berlin", OFFICE, &[], "2026-11-23T10:00:00+01:00", "PT4H", "2026-11-23T14:00:00+01:00"),
    ("over noon", "Europe/Berlin", LUNCH, &[], "2026-11-23T11:30:00+01:00", "PT1H", "2026-11-23T13:30:00+01:00"),
    (
        "from within the break",
        "Europe/Berlin",
        LUNCH,
        &[],
        "2026-11-23T12:20:00+01:00",
        "PT1H",
        "2026-11-23T14:00:00+01:00",
    ),
    (
        "to the break exactly",
        "Europe/Berlin",
        LUNCH,
        &[],
        "2026-11-23T09:00:00+01:00",
        "PT3H",
        "2026-11-23T12:00:00+01:00",
    ),
    (
        "a second into the afternoon",
        "Europe/Berlin",
        LUNCH,
        &[],
        "2026-11-23T09:00:00+01:00",
        "PT3H1S",
        "2026-11-23T13:00:01+01:00",
    ),
    (
        "to closing time exactly",
        "Europe/Berlin",
        OFFICE,
        &[],
        "2026-11-23T09:00:00+01:00",
        "PT8H",
        "2026-11-23T17:00:00+01:00",
    ),
    (
        "a second beyond closing time",
        "Europe/Berlin",
        OFFICE,
        &[],
        "2026-11-23T09:00:00+01:00",
        "PT8H1S",
        "2026-11-24T09:00:01+01:00",
    ),
    (
        "before opening time",
        "Europe/Berlin",
        OFFICE,
        &[],
        "2026-11-23T06:00:00+01:00",
        "PT1H",
        "2026-11-23T10:00:00+01:00",
    ),
    ("at closing time", "Europe/Berlin", OFFICE, &[], "2026-11-23T17:00:00+01:00", "PT1H", "2026-11-24T10:00:00+01:00"),
    (
        "on a Friday evening",
        "Europe/Berlin",
        OFFICE,
        &[],
        "2026-11-27T18:00:00+01:00",
        "PT4H",
        "2026-11-30T13:00:00+01:00",
    ),
    ("over a weekend", "Europe/Berlin", OFFICE, &[], "2026-11-27T15:00:00+01:00", "PT4H", "2026-11-30T11:00:00+01:00"),
    ("on a Sunday", "Europe/Berlin", OFFICE, &[], "2026-11-29T12:00:00+01:00", "PT8H", "2026-11-30T17:00:00+01:00"),
    (
        "on a holiday, a Friday",
        "Europe/Berlin",
        OFFICE,
        &["2026-12-25"],
        "2026-12-25T10:00:00+01:00",
        "PT2H",
        "2026-12-28T11:00:00+01:00",
    ),
    (
        "over a holiday in the week",
        "America/New_York",
        OFFICE,
        &["2026-11-26"],
        "2026-11-25T16:00:00-05:00",
        "PT2H",
        "2026-11-27T10:00:00-05:00",
    ),
    (
        "over holidays and a weekend",
        "Europe/Berlin",
        OFFICE,
        &["2026-12-24", "2026-12-25", "2026-12-28"],
        "2026-12-23T16:00:00+01:00",
        "PT9H",
        "2026-12-29T17:00:00+01:00",
    ),
    (
        "a holiday on a Saturday takes nothing",
        "Europe/Berlin",
        OFFICE,
        &["2026-12-26"],
        "2026-12-25T16:00:00+01:00",
        "PT2H",
        "2026-12-28T10:00:00+01:00",
    ),
    ("five weeks", "Europe/Berlin", OFFICE, &[], "2026-11-02T09:00:00+01:00", "P8DT8H", "2026-12-04T17:00:00+01:00"),
    (
        "five weeks and a holiday",
        "Europe/Berlin",
        OFFICE,
        &["2026-11-18"],
        "2026-11-02T09:00:00+01:00",
        "P8DT8H",
        "2026-12-07T17:00:00+01:00",
    ),
    (
        "office hours over the spring change",
        "Europe/Berlin",
        OFFICE,
        &[],
        "2026-03-27T16:00:00+01:00",
        "PT2H",
        "2026-03-30T10:00:00+02:00",
    ),
    (
        "office hours over the autumn change",
        "Europe/Berlin",
        OFFICE,
        &[],
        "2026-10-23T16:00:00+02:00",
        "PT2H",
        "2026-10-26T10:00:00+01:00",
    ),
    (
        "half a year of weeks over a change",
        "Europe/Berlin",
        OFFICE,
        &[],
        "2026-01-05T09:00:00+01:00",
        "P43DT8H",
        "2026-07-03T17:00:00+02:00",
    ),
    (
        "a day without its lost hour",
        "Europe/Berlin",
        ALWAYS,
        &[],
        "2026-03-28T12:00:00+01:00",
        "PT24H",
        "2026-03-29T13:00:00+02:00",
    ),
    (
        "a day with its extra hour",
        "Europe/Berlin",
        ALWAYS,
        &[],
        "2026-10-24T12:00:00+02:00",
        "PT24H",
        "2026-10-25T11:00:00+01:00",
    ),
    (
        "around the clock in New York, spring",
        "America/New_York",
        ALWAYS,
        &[],
        "2026-03-07T12:00:00-05:00",
        "PT24H",
        "2026-03-08T13:00:00-04:00",
    ),
    (
        "around the clock in New York, autumn",
        "America/New_York",
        ALWAYS,
        &[],
        "2026-10-31T12:00:00-04:00",
        "PT24H",
        "2026-11-01T11:00:00-05:00",
    ),
    (
        "a night shift loses an hour",
        "Europe/Berlin",
        NIGHT,
        &[],
        "2026-03-28T22:00:00+01:00",
        "PT8H",
        "2026-03-29T23:00:00+02:00",
    ),
    (
        "a night shift gains an hour",
        "Europe/Berlin",
        NIGHT,
        &[],
        "2026-10-24T22:00:00+02:00",
        "PT9H",
        "2026-10-25T06:00:00+01:00",
    ),
    (
        "opening in the gap",
        "America/New_York",
        "sun 02:30-04:00",
        &[],
        "2026-03-08T00:00:00-05:00",
        "PT1H",
        "2026-03-08T04:00:00-04:00",
    ),
    (
        "closing in the gap",
        "America/New_York",
        "sun 01:00-02:30; mon 09:00-10:00",
        &[],
        "2026-03-08T00:00:00-05:00",
        "PT1H30M",
        "2026-03-09T09:30:00-04:00",
    ),
    (
        "wholly in the gap",
        "America/New_York",
        "sun 02:10-02:50; mon 09:00-10:00",
        &[],
        "2026-03-08T00:00:00-05:00",
        "PT1H",
        "2026-03-09T10:00:00-04:00",
    ),
    (
        "opening in the hour that comes twice",
        "America/New_York",
        "sun 01:30-03:00",
        &[],
        "2026-11-01T00:00:00-04:00",
        "PT2H30M",
        "2026-11-01T03:00:00-05:00",
    ),
    (
        "closing in the hour that comes twice",
        "America/New_York",
        "sun 00:30-01:30",
        &[],
        "2026-11-01T00:00:00-04:00",
        "PT2H",
        "2026-11-01T01:30:00-05:00",
    ),
    (
        "closing as that hour begins",
        "America/New_York",
        "sun 00:30-01:00; mon 09:00-10:00",
        &[],
        "2026-11-01T00:00:00-04:00",
        "PT1H",
        "2026-11-02T09:30:00-05:00",
    ),
    (
        "half an hour less on Lord Howe Island",
        "Australia/Lord_Howe",
        ALWAYS,
        &[],
        "2026-10-03T12:00:00+10:30",
        "PT24H",
        "2026-10-04T12:30:00+11:00",
    ),
    (
        "half an hour more on Lord Howe Island",
        "Australia/Lord_Howe",
        ALWAYS,
        &[],
        "2026-04-04T12:00:00+11:00",
        "PT24H",
        "2026-04-05T11:30:00+10:30",
    ),
    (
        "a night on Lord Howe Island",
        "Australia/Lord_Howe",
        "sun 01:00-03:00",
        &[],
        "2026-04-05T00:00:00+11:00",
        "PT2H30M",
        "2026-04-05T03:00:00+10:30",
    ),
    (
        "a change at midnight",
        "America/Havana",
        "sat 20:00-24:00; sun 00:00-02:00",
        &[],
        "2026-10-31T20:00:00-04:00",
        "PT7H",
        "2026-11-01T02:00:00-05:00",
    ),
    (
        "Saturday ends before midnight comes twice",
        "America/Havana",
        "sat 20:00-24:00; mon 09:00-10:00",
        &[],
        "2026-10-31T20:00:00-04:00",
        "PT5H",
        "2026-11-02T10:00:00-05:00",
    ),
    (
        "a day that never was",
        "Pacific/Apia",
        ALWAYS,
        &[],
        "2011-12-29T23:00:00-10:00",
        "PT2H",
        "2011-12-31T01:00:00+14:00",
    ),
    (
        "three quarters of an hour from a full one",
        "Asia/Kathmandu",
        OFFICE,
        &[],
        "2026-11-23T16:45:00+05:45",
        "PT30M",
        "2026-11-24T09:15:00+05:45",
    ),
    (
        "from the last second of a year",
        "UTC",
        ALWAYS,
        &["2027-01-01"],
        "2026-12-31T23:59:59Z",
        "PT2S",
        "2027-01-02T00:00:01Z",
    ),
];

#[test]
fn working_time_with_dates_written_out() {
    for (what, zone, words, holidays, start, work, end) in FIXTURES {
        let (calendar, work) = (calendar(zone, &hours(words), holidays), Span::parse(*work).unwrap().delta());
        let found = calendar.add(time(start), work);
        assert_eq!(found, time(end), "{what}: {start} and {work} come to {found}");
        assert_eq!(calendar.between(time(start), time(end)), work, "{what}");
        let took = (time(end) - time(start)).num_seconds();
        assert!(took <= calendar.longest(work.num_seconds()), "{what}: {took}");
        assert!(work.num_seconds() <= calendar.most_work_in(took), "{what}: {took}");
    }
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

fn any_calendar() -> impl Strategy<Value = Calendar> {
    let interval = (0_u16..1_440, 1_u16..=1_440);
    let days = prop::collection::vec(prop::collection::vec(interval, 0..4), 7);
    let zones = prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/Havana",
        "Africa/Casablanca",
        "Pacific/Apia",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Antarctica/Troll",
    ]);
    let holidays = prop::collection::btree_set(0_i64..2_000, 0..20);
    (zones, days, holidays).prop_map(|(zone, days, holidays)| {
        let mut hours = super::Hours::default();
        for (day, intervals) in hours.days_mut().into_iter().zip(&days) {
            for (from, length) in intervals {
                let one = super::Interval { from: TimeOfDay(*from), to: TimeOfDay((from + length).min(1_440)) };
                if !day.iter().any(|other| one.from < other.to && other.from < one.to) {
                    day.push(one);
                }
            }
        }
        if hours.days().into_iter().all(Vec::is_empty) {
            hours.sunday.push(super::Interval { from: TimeOfDay(90), to: TimeOfDay(180) });
        }
        let date = |days: i64| DateTime::from_timestamp(1_577_836_800 + days * DAY, 0).unwrap().date_naive();
        let holidays = holidays.into_iter().map(|days| Day(date(days))).collect();
        Calendar::new(super::TimeZone::parse(zone).unwrap(), hours, holidays).unwrap()
    })
}

/// An instant of the years 2019 to 2027, and a span of at most a week of working time.
fn instant() -> impl Strategy<Value = Time> {
    (1_546_300_800_000_000_i64..1_830_000_000_000_000).prop_map(Time::from_micros)
}

fn span() -> impl Strategy<Value = TimeDelta> {
    prop_oneof![1_i64..4 * 3_600_000_000, 1_i64..604_800_000_000].prop_map(TimeDelta::microseconds)
}

proptest! {
    #[test]
    fn to_add_working_time_and_to_measure_it_are_inverse(calendar in any_calendar(), start in instant(), work in span()) {
        // A week of work can take longer than the search covers, if there is a minute a week.
        prop_assume!(calendar.longest(work.num_seconds() + 1) <= super::MAX_SECONDS);
        let end = calendar.add(start, work);
        prop_assert_eq!(calendar.between(start, end), work);
        let just_before = end - TimeDelta::microseconds(1);
        prop_assert!(calendar.between(start, just_before) < work, "the earliest such instant");
        prop_assert!((end - start).num_seconds() <= calendar.longest(work.num_seconds() + 1));
        prop_assert!(work.num_seconds() <= calendar.most_work_in((end - start).num_seconds() + 1));
    }

    #[test]
    fn working_time_adds_up(calendar in any_calendar(), mut times in prop::collection::vec(instant(), 3)) {
        times.sort_unstable();
        let (first, middle, last) = (times[0], times[1], times[2]);
        let (one, other) = (calendar.between(first, middle), calendar.between(middle, last));
        prop_assert_eq!(calendar.between(first, last), one + other);
        prop_assert!(one >= TimeDelta::zero() && one <= middle - first);
    }

    #[test]
    fn parts_added_one_by_one_come_to_the_whole(calendar in any_calendar(), start in instant(), parts in prop::collection::vec(span(), 1..4), later in 0_i64..1_000_000_000_000) {
        let whole: TimeDelta = parts.iter().sum();
        prop_assume!(calendar.longest(whole.num_seconds() + 1) <= super::MAX_SECONDS);
        let end = calendar.add(start, whole);
        prop_assert_eq!(parts.iter().fold(start, |at, part| calendar.add(at, *part)), end);
        prop_assert!(calendar.add(start + TimeDelta::microseconds(later), whole) >= end, "who starts later is not done earlier");
    }

    /// Compares with the definition: every minute is checked for its local time, if no interval
    /// begins or ends in an hour that is repeated.
    #[test]
    fn a_minute_counts_if_its_local_time_is_a_working_hour(calendar in any_calendar(), start in instant(), minutes in 0_i64..12_000) {
        let start = Time::from_micros(start.micros().div_euclid(60_000_000) * 60_000_000);
        let zone = calendar.time_zone.0;
        let (mut work, mut offsets) = (0, std::collections::BTreeSet::new());
        for minute in -1_440..minutes + 1_440 {
            let local = (start + TimeDelta::minutes(minute)).utc().with_timezone(&zone);
            offsets.insert(local.offset().fix().local_minus_utc());
            let (day, time) = (Day(local.date_naive()), chrono::Timelike::num_seconds_from_midnight(&local));
            let on = |one: &super::Interval| (one.from.seconds()..one.to.seconds()).contains(&i64::from(time));
            let inside = (0..minutes).contains(&minute);
            work += i64::from(inside && !calendar.is_holiday(day.number()) && calendar.hours.on(day.number()).iter().any(on));
        }
        prop_assume!(offsets.len() == 1);
        prop_assert_eq!(calendar.between(start, start + TimeDelta::minutes(minutes)), TimeDelta::minutes(work));
    }
}
