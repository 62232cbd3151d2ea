//! Laws of working time, for any calendar.

use chrono::{DateTime, Offset as _, TimeDelta};
use proptest::prelude::*;

use crate::domain::calendar::{Calendar, DAY, Day, Hours, Interval, MAX_SECONDS, TimeOfDay, TimeZone};
use crate::domain::values::time::Time;

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
        let mut hours = Hours::default();
        for (day, intervals) in hours.days_mut().into_iter().zip(&days) {
            for (from, length) in intervals {
                let one = Interval { from: TimeOfDay(*from), to: TimeOfDay((from + length).min(1_440)) };
                if !day.iter().any(|other| one.from < other.to && other.from < one.to) {
                    day.push(one);
                }
            }
        }
        if hours.days().into_iter().all(Vec::is_empty) {
            hours.sunday.push(Interval { from: TimeOfDay(90), to: TimeOfDay(180) });
        }
        let date = |days: i64| DateTime::from_timestamp(1_577_836_800 + days * DAY, 0).unwrap().date_naive();
        let holidays = holidays.into_iter().map(|days| Day(date(days))).collect();
        Calendar::new(TimeZone::parse(zone).unwrap(), hours, holidays).unwrap()
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
        prop_assume!(calendar.longest(work.num_seconds() + 1) <= MAX_SECONDS);
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
        prop_assume!(calendar.longest(whole.num_seconds() + 1) <= MAX_SECONDS);
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
            let on = |one: &Interval| (one.from.seconds()..one.to.seconds()).contains(&i64::from(time));
            let inside = (0..minutes).contains(&minute);
            work += i64::from(inside && !calendar.is_holiday(day.number()) && calendar.hours.on(day.number()).iter().any(on));
        }
        prop_assume!(offsets.len() == 1);
        prop_assert_eq!(calendar.between(start, start + TimeDelta::minutes(minutes)), TimeDelta::minutes(work));
    }
}
