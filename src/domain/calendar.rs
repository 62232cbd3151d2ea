//! Working time: which hours of which days count, and how durations are counted by them.
//! `calendar/estimate.rs` estimates the upper bounds for a definition.
//!
//! An interval of a day runs from the first instant not before its local start to the last instant
//! before its local end. Local times skipped when clocks go forward do not exist; an hour repeated
//! when they go back counts twice. So working time is always elapsed time. Only decisions compute
//! it: events record the resulting instants, which keep their meaning under any later time-zone
//! database.

mod estimate;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, Offset as _, TimeDelta, TimeZone as _};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use super::values::outside::nothing_to_check;
use super::values::time::Time;
pub(super) use estimate::MAX_SECONDS;

/// Maximum number of intervals in one weekday.
pub const MAX_INTERVALS: usize = 8;
/// Maximum number of holidays in one calendar.
pub const MAX_HOLIDAYS: usize = 1_000;

/// Seconds, the unit of this file except for instants.
const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
const MICROS: i64 = 1_000_000;
/// More than twice the ten years that a definition may ask for; it makes every search end.
const MAX_WEEKS: i64 = 1_100;
/// The range of instants that can be stored: the years 0 to 9999.
const FIRST: i64 = -62_167_219_200 * MICROS;
const LAST: i64 = 253_402_300_800 * MICROS - 1;

/// Working hours: time zone, hours of each weekday, holidays. At least one interval in a week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Fields", deny_unknown_fields)]
pub struct Calendar {
    time_zone: TimeZone,
    hours: Hours,
    /// Days without work in local time, at most 1,000. Default none.
    #[schema(max_items = 1000, required = false)]
    holidays: Vec<Day>,
}

/// The hours of each weekday in local time; a missing day has none. At least one interval in total.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkingHours)]
pub struct Hours {
    /// At most 8 intervals that do not overlap; the same limit holds for every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8, required = false)]
    pub monday: Vec<Interval>,
    /// As on Mondays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8, required = false)]
    pub tuesday: Vec<Interval>,
    /// As on Mondays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8, required = false)]
    pub wednesday: Vec<Interval>,
    /// As on Mondays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8, required = false)]
    pub thursday: Vec<Interval>,
    /// As on Mondays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8, required = false)]
    pub friday: Vec<Interval>,
    /// As on Mondays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8, required = false)]
    pub saturday: Vec<Interval>,
    /// As on Mondays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8, required = false)]
    pub sunday: Vec<Interval>,
}

/// Working hours without a break. Write a shift over midnight as two intervals: to 24:00 and from
/// 00:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkingInterval)]
pub struct Interval {
    /// The first minute.
    pub from: TimeOfDay,
    /// The end, after `from`; that minute itself is not included.
    pub to: TimeOfDay,
}

/// The stored form of a calendar.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    time_zone: TimeZone,
    hours: Hours,
    #[serde(default)]
    holidays: Vec<Day>,
}

/// Why a calendar is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a time zone of the IANA database.
    #[error("must be a time zone of the IANA database, such as Europe/Berlin")]
    TimeZone,
    /// Not a time of day.
    #[error("must be a time of day from 00:00 to 24:00, such as 09:30")]
    TimeOfDay,
    /// Not a date.
    #[error("must be a date that exists, such as 2026-12-25")]
    Day,
    /// An interval that ends before it starts, or intervals out of order.
    #[error("working hours must be sorted intervals that do not overlap, each with `from` before `to`")]
    Hours,
    /// No working hours at all.
    #[error("must have working hours on at least one weekday")]
    NoHours,
    /// Holidays out of order, or too many.
    #[error("holidays must be sorted, unique, and at most 1,000")]
    Holidays,
}

impl Calendar {
    /// Sorts hours and holidays. Fails if intervals overlap, if there are none at all, or if a
    /// holiday is listed twice.
    pub fn new(time_zone: TimeZone, mut hours: Hours, mut holidays: Vec<Day>) -> Result<Self, Error> {
        hours.days_mut().into_iter().for_each(|day| day.sort_unstable());
        holidays.sort_unstable();
        Self::try_from(Fields { time_zone, hours, holidays })
    }

    /// The instant at which `work` has been done since `start`: the earliest one with that much
    /// working time in between. Work that ends with the working day is therefore due then, not at
    /// the next opening, and zero work is due at once. The result is never after the year 9999.
    pub fn add(&self, start: Time, work: TimeDelta) -> Time {
        let mut left = work.num_microseconds().unwrap_or(i64::MAX);
        let mut reached = start.micros().max(FIRST);
        if left <= 0 || reached >= LAST {
            return start;
        }
        let first = self.week_of(reached) - 1;
        for week in first..first + MAX_WEEKS {
            let total = self.work_in(week) * MICROS;
            if week >= first + 2 && left > total && self.offset_of(week).is_some() {
                left -= total;
                continue;
            }
            for (from, to) in self.pieces(week) {
                let from = from.max(reached);
                if left <= to - from {
                    return Time::from_micros((from + left).min(LAST));
                }
                left -= (to - from).max(0);
                reached = reached.max(to);
            }
        }
        Time::from_micros(monday(first + MAX_WEEKS).saturating_mul(MICROS).min(LAST))
    }

    /// The working time from `start` to `end`; zero if `end` is not after `start`.
    pub fn between(&self, start: Time, end: Time) -> TimeDelta {
        let (mut reached, end) = (start.micros().clamp(FIRST, LAST), end.micros().clamp(FIRST, LAST));
        let (first, last) = (self.week_of(reached) - 1, self.week_of(end));
        let mut work = 0;
        for week in first..=last + 1 {
            if week >= first + 2 && week < last && self.offset_of(week).is_some() {
                work += self.work_in(week) * MICROS;
                continue;
            }
            for (from, to) in self.pieces(week) {
                let (from, to) = (from.max(reached), to.min(end));
                work += (to - from).max(0);
                reached = reached.max(to);
            }
        }
        TimeDelta::microseconds(work)
    }

    /// The intervals of a week as instants in microseconds, in order. Where clocks go back they may
    /// overlap; the overlap then counts for the first one.
    fn pieces(&self, week: i64) -> impl Iterator<Item = (i64, i64)> {
        let offset = self.offset_of(week);
        let days = (0..7).map(move |index| monday(week) / DAY + index).filter(|day| !self.is_holiday(*day));
        let local = days.flat_map(move |day| {
            self.hours
                .on(day)
                .iter()
                .map(move |hours| (day * DAY + hours.from.seconds(), day * DAY + hours.to.seconds()))
        });
        local.map(move |(from, to)| match offset {
            Some(offset) => ((from - offset) * MICROS, (to - offset) * MICROS),
            None => (self.first_at(from) * MICROS, self.last_before(to) * MICROS),
        })
    }

    /// The nominal working time of a week: exact unless clocks change in it.
    fn work_in(&self, week: i64) -> i64 {
        let (from, to) = (monday(week) / DAY, monday(week + 1) / DAY);
        let from = self.holidays.partition_point(|holiday| holiday.number() < from);
        let free = self.holidays.iter().skip(from).map(|holiday| holiday.number()).take_while(|day| *day < to);
        self.hours.total() - free.map(|day| self.hours.work_on(day)).sum::<i64>()
    }

    fn is_holiday(&self, day: i64) -> bool {
        self.holidays.binary_search_by_key(&day, |holiday| holiday.number()).is_ok()
    }

    /// The local week of an instant in microseconds.
    fn week_of(&self, micros: i64) -> i64 {
        let seconds = micros.div_euclid(MICROS);
        ((seconds + self.offset(seconds)).div_euclid(DAY) + 3).div_euclid(7)
    }

    /// The UTC offset from a day before to a day after this week, if it does not change there. Two
    /// samples suffice: no zone changes its clocks and changes them back within nine days.
    fn offset_of(&self, week: i64) -> Option<i64> {
        let offset = self.offset(monday(week) - DAY);
        (offset == self.offset(monday(week + 1) + DAY)).then_some(offset)
    }

    /// The UTC offset at an instant.
    fn offset(&self, seconds: i64) -> i64 {
        let utc = DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc();
        self.time_zone.0.offset_from_utc_datetime(&utc).fix().local_minus_utc().into()
    }

    /// The first instant whose local time is not before this one.
    fn first_at(&self, local: i64) -> i64 {
        self.resolve(local).map_or_else(|gap_end| gap_end, |(first, _)| first)
    }

    /// The end of the last second whose local time is before this one.
    fn last_before(&self, local: i64) -> i64 {
        self.resolve(local - 1).map_or_else(|gap_end| gap_end, |(_, last)| last + 1)
    }

    /// The first and the last instant with this local time, or the end of the gap if the local time
    /// is skipped.
    fn resolve(&self, local: i64) -> Result<(i64, i64), i64> {
        let time = DateTime::from_timestamp(local, 0).unwrap_or_default().naive_utc();
        let zone = &self.time_zone.0;
        match zone.offset_from_local_datetime(&time).map(|offset| local - i64::from(offset.fix().local_minus_utc())) {
            LocalResult::Single(at) => Ok((at, at)),
            LocalResult::Ambiguous(one, other) => Ok((one.min(other), one.max(other))),
            LocalResult::None => {
                let end = GapInfo::new(&time, zone).and_then(|gap| gap.end);
                Err(end.map_or_else(|| local - self.offset(local), |end| end.timestamp()))
            }
        }
    }
}

/// The local midnight at the start of a week. (Week 0 is that of 1970-01-01, a Thursday.)
fn monday(week: i64) -> i64 {
    (week * 7 - 3) * DAY
}

impl TryFrom<Fields> for Calendar {
    type Error = Error;
    fn try_from(fields: Fields) -> Result<Self, Error> {
        let Fields { time_zone, hours, holidays } = fields;
        let sound = |day: &Vec<Interval>| {
            let apart = day.is_sorted_by(|one, next| one.to <= next.from);
            day.len() <= MAX_INTERVALS && apart && day.iter().all(|interval| interval.from < interval.to)
        };
        if !hours.days().into_iter().all(sound) {
            return Err(Error::Hours);
        }
        if hours.days().into_iter().all(Vec::is_empty) {
            return Err(Error::NoHours);
        }
        if holidays.len() > MAX_HOLIDAYS || !holidays.is_sorted_by(|one, next| one < next) {
            return Err(Error::Holidays);
        }
        Ok(Self { time_zone, hours, holidays })
    }
}

impl Hours {
    /// The field names, from Monday on.
    pub const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

    /// The days, from Monday on.
    fn days(&self) -> [&Vec<Interval>; 7] {
        let Self { monday, tuesday, wednesday, thursday, friday, saturday, sunday } = self;
        [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
    }

    /// The days, from Monday on.
    pub fn days_mut(&mut self) -> [&mut Vec<Interval>; 7] {
        let Self { monday, tuesday, wednesday, thursday, friday, saturday, sunday } = self;
        [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
    }

    /// The intervals of a day, given in days since 1970-01-01 (a Thursday), by its weekday.
    fn on(&self, day: i64) -> &[Interval] {
        match (day + 3).rem_euclid(7) {
            0 => &self.monday,
            1 => &self.tuesday,
            2 => &self.wednesday,
            3 => &self.thursday,
            4 => &self.friday,
            5 => &self.saturday,
            _ => &self.sunday,
        }
    }

    fn work_on(&self, day: i64) -> i64 {
        self.on(day).iter().map(|interval| interval.to.seconds() - interval.from.seconds()).sum()
    }

    /// The working time of a week.
    fn total(&self) -> i64 {
        (0..7).map(|day| self.work_on(day)).sum()
    }
}

/// A time zone of the IANA database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZone(Tz);

impl TimeZone {
    /// Parses a name such as `Europe/Berlin`, in the case that the database uses.
    pub fn parse(name: &str) -> Result<Self, Error> {
        name.parse().map(Self).map_err(|_| Error::TimeZone)
    }

    /// The zone's rules.
    pub fn tz(self) -> Tz {
        self.0
    }

    /// The name in the database.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl TryFrom<String> for TimeZone {
    type Error = Error;
    fn try_from(name: String) -> Result<Self, Error> {
        Self::parse(&name)
    }
}

impl From<TimeZone> for String {
    fn from(zone: TimeZone) -> Self {
        zone.name().to_owned()
    }
}

nothing_to_check!(TimeZone);

/// A time of day to the minute, 00:00 to 24:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// Parses a time such as `09:30`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let [h1 @ b'0'..=b'9', h2 @ b'0'..=b'9', b':', m1 @ b'0'..=b'5', m2 @ b'0'..=b'9'] = text.as_bytes() else {
            return Err(Error::TimeOfDay);
        };
        let number = |tens: &u8, ones: &u8| u16::from(tens - b'0') * 10 + u16::from(ones - b'0');
        let minutes = number(h1, h2) * 60 + number(m1, m2);
        if minutes <= 24 * 60 { Ok(Self(minutes)) } else { Err(Error::TimeOfDay) }
    }

    fn seconds(self) -> i64 {
        i64::from(self.0) * 60
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A date in the years 0 to 9999, in the calendar's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(NaiveDate);

impl Day {
    /// Parses a date such as `2026-12-25`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let shape = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Self).map_err(|_| Error::Day)?;
        // chrono also accepts months and days without leading zeros.
        if shape && date.to_string() == text { Ok(date) } else { Err(Error::Day) }
    }

    /// Days since 1970-01-01.
    fn number(self) -> i64 {
        i64::from(self.0.num_days_from_ce()) - 719_163
    }
}

impl TryFrom<String> for Day {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl utoipa::PartialSchema for TimeZone {
    fn schema() -> RefOr<Schema> {
        let description = "A time zone of the IANA database, in the database's upper and lower case. Clock changes are known until 2100.";
        text_schema(description, "Europe/Berlin").max_length(Some(64)).into()
    }
}

impl ToSchema for TimeZone {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("TimeZone")
    }
}

impl utoipa::PartialSchema for TimeOfDay {
    fn schema() -> RefOr<Schema> {
        let pattern = Some("^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$");
        text_schema("A time of day to the minute in local time; 24:00 is the end of the day.", "09:00")
            .pattern(pattern)
            .into()
    }
}

impl ToSchema for TimeOfDay {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("TimeOfDay")
    }
}

impl utoipa::PartialSchema for Day {
    fn schema() -> RefOr<Schema> {
        let format = Some(SchemaFormat::KnownFormat(KnownFormat::Date));
        text_schema("A date that exists, in local time.", "2026-12-25").format(format).into()
    }
}

impl ToSchema for Day {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Day")
    }
}

fn text_schema(description: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).examples([example])
}
