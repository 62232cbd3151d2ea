//! Times as people read them. The server writes them in the visitor's time zone if the link named
//! one, and in UTC otherwise; the script of the page adds the browser's zone and "in 3 hours".

use std::fmt;

use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};
use chrono::{Datelike as _, Timelike as _};
use chrono_tz::Tz;

use crate::domain::values::time::Time;

use super::texts::{Language, Texts};

/// How a visitor reads times: language and zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// The words.
    pub(super) texts: Texts,
    /// The zone.
    pub(super) zone: Tz,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
impl Times {
    /// Times in this language and zone; in UTC without one.
    pub(super) fn new(texts: Texts, zone: Option<Tz>) -> Self {
        Self { texts, zone: zone.unwrap_or(Tz::UTC) }
    }

    /// An element `<time>`.
    pub(super) fn tag(self, time: &Time) -> TimeTag {
        TimeTag { time: *time, text: self.text(time), is_relative: false }
    }

    /// An element `<time>` to which the script adds the distance from now. For times that somebody
    /// waits for.
    pub(super) fn due(self, time: &Time) -> TimeTag {
        TimeTag { is_relative: true, ..self.tag(time) }
    }

    /// The time in words, such as `22 Nov 2026, 10:00 UTC`.
    pub(super) fn text(self, time: &Time) -> String {
        let local = time.utc().with_timezone(&self.zone);
        let month = self.texts.text(MONTHS[local.month0() as usize]);
        let (day, year, hour, minute) = (local.day(), local.year(), local.hour(), local.minute());
        let zone = local.format("%Z");
        match self.texts.language {
            #[cfg(debug_assertions)]
            Language::Pseudo => format!("{day} {month} {year}, {hour:02}:{minute:02} {zone}"),
            Language::English => format!("{day} {month} {year}, {hour:02}:{minute:02} {zone}"),
            Language::German => format!("{day}. {month} {year}, {hour:02}:{minute:02} {zone}"),
        }
    }
}

const MONTHS: [&str; 12] = [
    "month-1", "month-2", "month-3", "month-4", "month-5", "month-6", "month-7", "month-8", "month-9", "month-10",
    "month-11", "month-12",
];

/// An element `<time>`. It escapes nothing, because neither part has a character of markup.
#[derive(Clone, Debug)]
pub(super) struct TimeTag {
    time: Time,
    text: String,
    is_relative: bool,
}

impl fmt::Display for TimeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relative = if self.is_relative { " data-relative" } else { "" };
        write!(f, r#"<time datetime="{}"{relative}>{}</time>"#, self.time, self.text)
    }
}

impl HtmlSafe for TimeTag {}

impl FastWritable for TimeTag {
    fn write_into(&self, to: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(write!(to, "{self}")?)
    }
}

/// Reads a time as people type it: whole (RFC 3339), or a day in UTC.
pub(super) fn typed_time(text: &str) -> Option<Time> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    serde_json::from_value(whole.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into()
    }

    #[test]
    fn a_time_has_its_zone_and_its_instant() {
        let english = Texts { language: Language::English };
        let german = Texts { language: Language::German };
        let noon = time("2026-11-22T10:00:00Z");
        assert_eq!(
            Times::new(english, None).due(&noon).to_string(),
            r#"<time datetime="2026-11-22T10:00:00Z" data-relative>22 Nov 2026, 10:00 UTC</time>"#
        );
        assert_eq!(Times::new(english, Some(Tz::Europe__Berlin)).text(&noon), "22 Nov 2026, 11:00 CET");
        assert_eq!(Times::new(german, None).text(&noon), "22. Nov. 2026, 10:00 UTC");
    }

    #[test]
    fn a_day_is_a_time() {
        assert_eq!(typed_time("2027-01-15").map(|time| time.to_string()).as_deref(), Some("2027-01-15T00:00:00Z"));
        assert!(typed_time("2027-01-15T08:30:00+01:00").is_some());
        for wrong in ["", "yesterday", "2027-02-30", "2027-1-1"] {
            assert!(typed_time(wrong).is_none(), "{wrong}");
        }
    }
}
