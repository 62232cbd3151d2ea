//! The query of a page's address: filters, positions and what a link selects. Parameters that a page does not
//! read are ignored, since mail programs and advertisers add some.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::values::cell::Cell;
use crate::http::AppState;
use crate::http::input::page::Cursor;

/// The parameters of a query. Empty ones count as absent, since browsers send every field of a form.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    wrong: Vec<&'static str>,
    /// Whose positions it holds.
    cell: Cell,
}

impl Query {
    /// Reads a query as it stands in the address.
    pub(super) fn new(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let pairs = pairs.map(|(name, value)| (name.into_owned(), value.trim().to_owned()));
        let pairs = pairs.filter(|(_, value)| !value.is_empty()).collect();
        Self { pairs, wrong: Vec::new(), cell: Cell::default() }
    }

    /// An empty query of a page of this service.
    pub(super) fn empty(state: &AppState) -> Self {
        Self { cell: state.app.cell().clone(), ..Self::default() }
    }

    /// The first value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, for a field that shows it; empty if it is missing.
    pub(super) fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The value of a parameter that is a whole number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// The value of a parameter as `parse` reads it. What it cannot read is remembered as wrong.
    pub(super) fn read<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = parse(self.get(name)?);
        if value.is_none() {
            self.wrong.push(name);
        }
        value
    }

    /// Remembers that a parameter is wrong, and gives what is used instead.
    pub(super) fn wrong<T>(&mut self, name: &'static str, instead: T) -> T {
        self.wrong.push(name);
        instead
    }

    /// The parameters that could not be read.
    pub(super) fn mistakes(&self) -> &[&'static str] {
        &self.wrong
    }

    /// Where the page begins.
    pub(super) fn cursor<K: DeserializeOwned>(&mut self) -> Option<K> {
        let cell = self.cell.clone();
        let parse = |text: &str| serde_json::from_value::<Cursor<K>>(text.into()).ok()?.open("cursor", &cell).ok();
        self.read("cursor", parse)
    }

    /// The address of the page that begins after `key`, with the same filters.
    pub(super) fn next(&self, path: &str, key: impl Serialize) -> String {
        let filters = self.pairs.iter().filter(|(name, _)| name != "cursor");
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(filters).append_pair("cursor", &Cursor::new(key, &self.cell).encode());
        format!("{path}?{}", query.finish())
    }

    /// Whether there is a filter.
    pub(super) fn is_filtered(&self) -> bool {
        self.pairs.iter().any(|(name, _)| !matches!(name.as_str(), "cursor" | "done"))
    }
}

impl FromRequestParts<AppState> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self { cell: state.app.cell().clone(), ..Self::new(parts.uri.query().unwrap_or_default()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let mut query = Query::new("stage=&state=failed&task=x&cursor=garbage");
        assert_eq!(query.read("stage", |_| Some(())), None);
        assert_eq!(query.read("state", |text| (text == "failed").then_some(1)), Some(1));
        assert_eq!(query.read("task", |_| None::<()>), None);
        assert_eq!(query.cursor::<u32>(), None);
        assert_eq!(query.mistakes(), ["task", "cursor"]);
    }

    #[test]
    fn the_next_page_keeps_the_filters() {
        let query = Query::new("state=failed&type=a%26b&cursor=old");
        let next = query.next("/deliveries", 7);
        let mut again = Query::new(next.split_once('?').map_or("", |(_, query)| query));
        assert_eq!(again.cursor(), Some(7));
        assert_eq!((again.value("state"), again.value("type")), ("failed", "a&b"));
    }
}
