//! Filters and positions in the address of a list.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::values::time::Time;
use crate::http::input::page::Cursor;
use crate::pages::frame::Frame;

use super::Slip;

/// The query of an address. Fields that are empty count as absent, as browsers send every field.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    wrong: Vec<&'static str>,
}

impl Query {
    /// Reads a query.
    pub(super) fn of(raw: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(raw.unwrap_or_default().as_bytes());
        let pairs = pairs.map(|(name, value)| (name.into_owned(), value.trim().to_owned()));
        Self { pairs: pairs.filter(|(_, value)| !value.is_empty()).collect(), wrong: Vec::new() }
    }

    /// The value of a field; empty if it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The value of a field as `parse` reads it. What it cannot read is remembered as wrong.
    pub(super) fn read<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.get(name);
        if text.is_empty() {
            return None;
        }
        let value = parse(text);
        if value.is_none() {
            self.wrong.push(name);
        }
        value
    }

    /// Remembers that a field is wrong, and gives what stands in its place.
    pub(super) fn wrong<T>(&mut self, name: &'static str, instead: T) -> T {
        self.wrong.push(name);
        instead
    }

    /// Where the page begins.
    pub(super) fn cursor<K: DeserializeOwned>(&mut self) -> Option<K> {
        let parse = |text: &str| serde_json::from_value::<Cursor<K>>(text.into()).ok();
        self.read("cursor", parse).map(|cursor| cursor.0)
    }

    /// The address of the page that begins after `key`, with the same filters.
    pub(super) fn next(&self, path: &str, key: impl Serialize) -> String {
        let filters = self.pairs.iter().filter(|(name, _)| name != "cursor");
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(filters).append_pair("cursor", &Cursor(key).encode());
        format!("{path}?{}", query.finish())
    }

    /// Whether there is a filter.
    pub(super) fn is_filtered(&self) -> bool {
        self.pairs.iter().any(|(name, _)| !matches!(name.as_str(), "cursor" | "done"))
    }

    /// The fields that could not be read.
    pub(super) fn slips(&self, frame: &Frame) -> Vec<Slip> {
        let slip = |field: &&'static str| Slip { field, text: frame.t.text(sentence(field)).into_owned() };
        self.wrong.iter().map(slip).collect()
    }
}

/// The id of the sentence about a field that cannot be read.
fn sentence(field: &str) -> &'static str {
    match field {
        "stage" => "console-wrong-stage",
        "workflow" | "from" => "console-wrong-workflow",
        "task" => "console-wrong-task",
        "partner" => "console-wrong-partner",
        "since" | "opened_at" => "console-wrong-time",
        "hours" => "console-wrong-hours",
        "cursor" => "console-wrong-cursor",
        "actor" => "console-wrong-actor",
        _ => "console-wrong-choice",
    }
}

/// Reads a time as people write it: whole, or a day in UTC.
pub(super) fn time(text: &str) -> Option<Time> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    serde_json::from_value(whole.into()).ok()
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.query()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let mut query = Query::of(Some("stage=&state=failed&task=x&cursor=garbage"));
        assert_eq!(query.read("stage", |_| Some(())), None);
        assert_eq!(query.read("state", |text| (text == "failed").then_some(1)), Some(1));
        assert_eq!(query.read("task", |_| None::<()>), None);
        assert_eq!(query.cursor::<u32>(), None);
        assert_eq!(query.wrong, ["task", "cursor"]);
    }

    #[test]
    fn the_next_page_keeps_the_filters() {
        let query = Query::of(Some("state=failed&type=a%26b&cursor=old"));
        let next = query.next("/deliveries", 7);
        let mut again = Query::of(next.split_once('?').map(|(_, query)| query));
        assert_eq!(again.cursor(), Some(7));
        assert_eq!((again.get("state"), again.get("type")), ("failed", "a&b"));
    }

    #[test]
    fn a_day_is_a_time() {
        assert_eq!(time("2027-01-15").map(|time| time.to_string()).as_deref(), Some("2027-01-15T00:00:00Z"));
        assert!(time("2027-01-15T08:30:00+01:00").is_some());
        for wrong in ["", "yesterday", "2027-02-30", "2027-1-1"] {
            assert!(time(wrong).is_none(), "{wrong}");
        }
    }
}
