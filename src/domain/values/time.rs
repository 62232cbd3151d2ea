//! Instants and durations. Nothing here reads a clock.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, Sub};

use chrono::{DateTime, Datelike, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use super::outside::nothing_to_check;

mod rfc3339;

nothing_to_check!(Time);

/// An instant in whole microseconds (the resolution of Postgres); on the wire RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The instant as a chrono type; the epoch if it is outside chrono's range.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Time {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

impl Add<TimeDelta> for Time {
    type Output = Self;
    fn add(self, delta: TimeDelta) -> Self {
        Self(self.0.saturating_add(delta.num_microseconds().unwrap_or(i64::MAX)))
    }
}

impl Sub<TimeDelta> for Time {
    type Output = Self;
    fn sub(self, delta: TimeDelta) -> Self {
        Self(self.0.saturating_sub(delta.num_microseconds().unwrap_or(i64::MAX)))
    }
}

impl Sub for Time {
    type Output = TimeDelta;
    fn sub(self, earlier: Self) -> TimeDelta {
        TimeDelta::microseconds(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.utc();
        match rfc3339::Text::of(&utc) {
            Some(text) => f.write_str(text.as_str()),
            None => f.write_str(&utc.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match rfc3339::Text::of(&self.utc()) {
            Some(text) => serializer.serialize_str(text.as_str()),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let time = rfc3339::parse(&text)
            .ok_or_else(|| de::Error::custom("must be an RFC 3339 date and time, such as 2026-11-22T10:00:00Z"))?;
        // The conversion to UTC can change the year. RFC 3339 allows four digits, and stored times
        // must load again.
        if !(0..=9999).contains(&time.to_utc().year()) {
            return Err(de::Error::custom("must be a time in the years 0 to 9999 (UTC)"));
        }
        Ok(Self(time.timestamp_micros()))
    }
}

impl utoipa::PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339 date and time, answered in UTC with at most microseconds."))
            .examples(["2026-11-22T10:00:00Z"])
            .into()
    }
}

impl utoipa::ToSchema for Time {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Time")
    }
}

/// A measured duration, exact to the microsecond; on the wire a number of seconds with at most 6
/// decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(i64);

impl Seconds {
    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// In microseconds.
    pub fn micros(self) -> i64 {
        self.0
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1_000_000 == 0 {
            return serializer.serialize_i64(self.0 / 1_000_000);
        }
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 microseconds, which are 285 years")]
        serializer.serialize_f64(self.0 as f64 / 1e6)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it reads what is written above; values out of range saturate"
        )]
        f64::deserialize(deserializer).map(|seconds| Self((seconds * 1e6).round() as i64))
    }
}

impl utoipa::PartialSchema for Seconds {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .minimum(Some(0))
            .description(Some("Seconds, with at most 6 decimals: exact to the microsecond."))
            .examples([serde_json::json!(5_400.25)])
            .into()
    }
}

impl utoipa::ToSchema for Seconds {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Seconds")
    }
}

/// A duration from a workflow definition: ISO 8601 weeks, days (24 h), hours, minutes and seconds,
/// from `PT1S` to `P366D`. Keeps its original text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    text: String,
    seconds: u32,
}

/// Why a duration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a duration of the supported form.
    #[error("must be an ISO 8601 duration of weeks, days, hours, minutes and seconds, such as PT48H or P14D")]
    Syntax,
    /// Out of bounds.
    #[error("must be from PT1S to P366D")]
    Range,
}

impl Span {
    /// The longest duration: 366 days.
    pub const MAX_SECONDS: u32 = 366 * 86_400;

    /// The same as a length of time.
    pub const LONGEST: TimeDelta = TimeDelta::seconds(Self::MAX_SECONDS as i64);

    /// Parses a duration such as `PT48H`.
    pub fn parse(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let seconds = parse_seconds(&text).ok_or(Error::Syntax)?;
        if seconds < 1 || seconds > u64::from(Self::MAX_SECONDS) {
            return Err(Error::Range);
        }
        let seconds = u32::try_from(seconds).map_err(|_| Error::Range)?;
        Ok(Self { text, seconds })
    }

    /// The length in seconds.
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// The length.
    pub fn delta(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.seconds))
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Parses `P[nW][nD][T[nH][nM][nS]]` with at least one part, in that order, in whole numbers;
/// `None` for anything else.
fn parse_seconds(text: &str) -> Option<u64> {
    let rest = text.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let date = parse_units(date, &[('W', 604_800), ('D', 86_400)])?;
    let time = parse_units(time, &[('H', 3_600), ('M', 60), ('S', 1)])?;
    date.checked_add(time)
}

fn parse_units(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    let mut units = units.iter();
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = text.get(..end)?.parse().ok()?;
        let unit = text.get(end..)?.chars().next()?;
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*factor)?)?;
        text = text.get(end + 1..)?;
    }
    Some(total)
}

impl TryFrom<String> for Span {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.text
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl utoipa::PartialSchema for Span {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^P([0-9]+W)?([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$"))
            .description(Some(
                "ISO 8601 duration of weeks, days (24 h), hours, minutes and seconds; from PT1S to P366D.",
            ))
            .examples(["PT48H"])
            .into()
    }
}

impl utoipa::ToSchema for Span {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Span")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_that_is_read_can_be_read_again() {
        let read = |text: &str| serde_json::from_value::<Time>(text.into());
        for text in
            ["9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2026-06-30T23:59:60Z"]
        {
            let time = read(text).unwrap();
            assert_eq!(serde_json::from_value::<Time>(serde_json::to_value(time).unwrap()).unwrap(), time, "{text}");
        }
        for text in ["9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00+12:00"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rfc_3339_sections_5_6_and_5_7_date_and_time() {
        let good = [
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("2026-11-22t10:00:00z", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00.5Z", "2026-11-22T10:00:00.500Z"),
            ("2026-11-22T10:00:00.1234567891234Z", "2026-11-22T10:00:00.123456Z"),
            ("2026-11-22T10:00:00+05:30", "2026-11-22T04:30:00Z"),
            ("2026-11-22T10:00:00-00:00", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00+23:59", "2026-11-21T10:01:00Z"),
            ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z"),
            ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00Z"),
            ("1990-12-31T23:59:60.25Z", "1991-01-01T00:00:00.250Z"),
        ];
        for (text, expected) in good {
            assert_eq!(serde_json::from_value::<Time>(text.into()).unwrap().to_string(), expected, "{text}");
        }
        let bad = "2026-11-22|2026-11-22T10:00Z|2026-11-22T10:00:00|2026-11-22 10:00:00Z|2026-11-22_10:00:00Z|20261122T100000Z\
            |2026-11-22T10:00:00.Z|2026-11-22T10:00:00,5Z|2026-11-22T24:00:00Z|2026-11-22T10:60:00Z|2026-11-22T10:00:61Z\
            |2026-11-22T10:00:60Z|2026-11-22T23:59:60Z|2026-11-30T23:59:60+01:00|2026-02-29T00:00:00Z|2026-13-01T00:00:00Z\
            |2026-00-01T00:00:00Z|2026-11-31T00:00:00Z|2026-11-22T10:00:00+0530|2026-11-22T10:00:00+05|2026-11-22T10:00:00+24:00\
            |2026-11-22T10:00:00+05:60|2026-11-22T10:00:00\u{2212}05:00|2026-11-22T10:00:00 Z| 2026-11-22T10:00:00Z|2026-11-22T10:00:00Z \
            |+2026-11-22T10:00:00Z|12026-11-22T10:00:00Z|26-11-22T10:00:00Z|2026-1-22T10:00:00Z|2026-11-22T10:00:00UTC|";
        for text in bad.split('|') {
            assert!(serde_json::from_value::<Time>(text.into()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn iso_8601_durations_are_read_to_the_second() {
        let cases = [
            ("PT1S", Ok(1)),
            ("PT48H", Ok(172_800)),
            ("P1W2DT3H4M5S", Ok(788_645)),
            ("P366D", Ok(Span::MAX_SECONDS)),
            ("P367D", Err(Error::Range)),
            ("PT0S", Err(Error::Range)),
            ("P", Err(Error::Syntax)),
            ("PT", Err(Error::Syntax)),
            ("P1DT", Err(Error::Syntax)),
            ("P1M", Err(Error::Syntax)),
            ("P1Y", Err(Error::Syntax)),
            ("PT1H1H", Err(Error::Syntax)),
            ("PT1S1M", Err(Error::Syntax)),
            ("PT1.5S", Err(Error::Syntax)),
            ("-PT1S", Err(Error::Syntax)),
            ("pt1s", Err(Error::Syntax)),
            ("PT99999999999999999999S", Err(Error::Syntax)),
            ("P1D ", Err(Error::Syntax)),
            ("P01D", Ok(86_400)),
            ("P1W", Ok(604_800)),
            ("P1.5D", Err(Error::Syntax)),
            ("P1,5D", Err(Error::Syntax)),
            ("+P1D", Err(Error::Syntax)),
            ("P+1D", Err(Error::Syntax)),
            ("P-1D", Err(Error::Syntax)),
            ("P1D1W", Err(Error::Syntax)),
            ("P1DT1D", Err(Error::Syntax)),
            ("P1H", Err(Error::Syntax)),
            ("PT1W", Err(Error::Syntax)),
            ("PD", Err(Error::Syntax)),
            ("P1", Err(Error::Syntax)),
            ("P1DT1HT1M", Err(Error::Syntax)),
            ("P\u{661}D", Err(Error::Syntax)),
            ("P1\u{e4}", Err(Error::Syntax)),
        ];
        for (text, seconds) in cases {
            assert_eq!(Span::parse(text).map(|span| span.seconds()), seconds, "{text}");
        }
    }
}
