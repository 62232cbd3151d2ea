//! Times as text of RFC 3339.

use chrono::{DateTime, Datelike, FixedOffset, TimeDelta, Timelike, Utc};

/// The text of an instant in the years 0 to 9999, as chrono's `to_rfc3339_opts` writes it. A decision
/// writes some fifty times, for which chrono takes several times as long.
pub(super) struct Text {
    text: [u8; Self::LONGEST.len()],
    length: usize,
}

impl Text {
    const LONGEST: &[u8] = b"0000-00-00T00:00:00.000000Z";

    pub(super) fn of(time: &DateTime<Utc>) -> Option<Self> {
        let time = time.naive_utc();
        let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9999)?;
        let micros = time.nanosecond() / 1_000;
        let mut text = [0; Self::LONGEST.len()];
        text.copy_from_slice(Self::LONGEST);
        for (number, first, digits) in [
            (year, 0, 4),
            (time.month(), 5, 2),
            (time.day(), 8, 2),
            (time.hour(), 11, 2),
            (time.minute(), 14, 2),
            (time.second(), 17, 2),
            (micros, 20, 6),
        ] {
            write_digits(number, &mut text[first..first + digits]);
        }
        // The fraction has 0, 3 or 6 digits.
        let end = match micros {
            0 => 19,
            _ if micros.is_multiple_of(1_000) => 23,
            _ => 26,
        };
        text[end] = b'Z';
        Some(Self { text, length: end + 1 })
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..self.length]).expect("digits are ASCII")
    }
}

/// Writes the last digits of a number, as many as there is room for.
fn write_digits(mut number: u32, text: &mut [u8]) {
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789"[number as usize % 10];
        number /= 10;
    }
}

/// Parses a `date-time` of RFC 3339, section 5.6. chrono checks the ranges but also accepts other
/// forms, such as a space for the `T` or a typographic minus.
pub(super) fn parse(text: &str) -> Option<DateTime<FixedOffset>> {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let (seconds, rest) = text.as_bytes().split_at_checked(FORM.len())?;
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        form => byte.eq_ignore_ascii_case(form),
    };
    let fraction = rest.strip_prefix(b".").map_or(0, |rest| 1 + rest.iter().take_while(|b| b.is_ascii_digit()).count());
    let is_zone = matches!(
        &rest[fraction..],
        b"Z" | b"z"
            | [b'+' | b'-', b'0'..=b'1', b'0'..=b'9', b':', b'0'..=b'5', b'0'..=b'9']
            | [b'+' | b'-', b'2', b'0'..=b'3', b':', b'0'..=b'5', b'0'..=b'9']
    );
    if !seconds.iter().zip(FORM).all(fits) || fraction == 1 || !is_zone {
        return None;
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    // A leap second is the last second of a month in UTC (section 5.7); anywhere else it is a
    // mistake.
    let (is_leap, utc) = (time.nanosecond() >= 1_000_000_000, time.to_utc());
    let ends_month = utc.hour() == 23 && utc.minute() == 59 && (utc + TimeDelta::seconds(2)).day() == 1;
    (!is_leap || ends_month).then_some(time)
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;
    use proptest::prelude::*;

    use super::*;

    fn written(time: &DateTime<Utc>) -> Option<String> {
        Text::of(time).map(|text| text.as_str().to_owned())
    }

    proptest! {
        #[test]
        fn it_is_what_chrono_writes(micros in -62_167_219_200_000_000_i64..253_402_300_800_000_000, zeros in 0_u32..=6) {
            let unit = 10_i64.pow(zeros);
            let time = DateTime::from_timestamp_micros(micros / unit * unit).unwrap();
            prop_assert_eq!(written(&time), Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)));
        }
    }

    #[test]
    fn a_year_of_other_than_four_digits_is_not_written() {
        for micros in [-62_167_219_200_000_001, 253_402_300_800_000_000] {
            assert_eq!(written(&DateTime::from_timestamp_micros(micros).unwrap()), None);
        }
    }
}
