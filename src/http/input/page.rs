//! Pages of lists. A page continues after the last row of the previous one (keyset pagination), so
//! new rows do not shift it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::app::audit::trail::Bounded;
use crate::domain::values::cell::{Cell, CellName};
use crate::http::problem::{FieldError, Problem};

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null on the last page. Opaque.
    #[schema(required = true)]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Builds a page of this cell from `rows`, which were read with [`Limit::and_one_more`]; `key` is
    /// the sort key of the list.
    pub fn new<R, K: Serialize>(
        cell: &Cell,
        mut rows: Vec<R>,
        limit: Limit,
        key: impl Fn(&R) -> K,
        view: impl Fn(R) -> T,
    ) -> Self {
        let more = rows.len() > limit.rows();
        rows.truncate(limit.rows());
        let next = rows.last().filter(|_| more).map(|last| Cursor::new(key(last), cell).encode());
        Self { items: rows.into_iter().map(view).collect(), next }
    }

    /// Builds a page from rows that were also limited by bytes; `key` is the sort key of the list.
    pub fn of<K: Serialize>(cell: &Cell, Bounded { rows, more }: Bounded<T>, key: impl Fn(&T) -> K) -> Self {
        let next = rows.last().filter(|_| more).map(|last| Cursor::new(key(last), cell).encode());
        Self { items: rows, next }
    }
}

/// A page of a list whose rows may be unreadable for this replica.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PageWithGaps<T, U> {
    /// The rows.
    pub items: Vec<T>,
    /// The rows of this page that this replica cannot read; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub unreadable: Vec<U>,
    /// The `cursor` of the next page; null on the last page. Opaque.
    #[schema(required = true)]
    pub next: Option<String>,
}

impl<T, U> PageWithGaps<T, U> {
    /// Builds a page from its rows; an error is an unreadable row.
    pub fn new(rows: Vec<Result<T, U>>, next: Option<String>) -> Self {
        let (items, unreadable) = apart(rows);
        Self { items, unreadable, next }
    }
}

impl<T, U> From<Page<Result<T, U>>> for PageWithGaps<T, U> {
    fn from(page: Page<Result<T, U>>) -> Self {
        Self::new(page.items, page.next)
    }
}

/// The readable rows and the others, each in order.
pub fn apart<T, U>(rows: impl IntoIterator<Item = Result<T, U>>) -> (Vec<T>, Vec<U>) {
    let (mut items, mut unreadable) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Ok(row) => items.push(row),
            Err(row) => unreadable.push(row),
        }
    }
    (items, unreadable)
}

/// Maximum number of rows of a page: 1 to 100, by default 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Limit(u32);

impl Limit {
    const MAX: u32 = 100;

    /// The number of rows of a page.
    pub fn rows(self) -> usize {
        self.0 as usize
    }

    /// The largest limit.
    pub fn max() -> Self {
        Self(Self::MAX)
    }

    /// The limit as the type that the use cases take.
    pub fn most(self) -> u32 {
        self.0
    }

    /// The number of rows to read: one extra row shows whether there is a next page.
    pub fn and_one_more(self) -> u32 {
        self.0 + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u32> for Limit {
    type Error = String;

    fn try_from(rows: u32) -> Result<Self, String> {
        if (1..=Self::MAX).contains(&rows) { Ok(Self(rows)) } else { Err(format!("must be from 1 to {}", Self::MAX)) }
    }
}

impl PartialSchema for Limit {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(Self::MAX))
            .default(Some(serde_json::json!(50)))
            .description(Some("The maximum number of rows of the page."))
            .into()
    }
}

impl ToSchema for Limit {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Limit")
    }
}

/// Where a page starts: after the row with this key. Opaque to callers: base64url of the key's
/// JSON, with the name of the cell that gave it out, if it has one. Other cells have other rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor<K> {
    key: K,
    cell: Option<CellName>,
}

/// A cursor in JSON. No key is an object.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Form<K> {
    OfCell { cell: CellName, after: K },
    Bare(K),
}

impl<K> Cursor<K> {
    /// A cursor of this cell.
    pub fn new(key: K, cell: &Cell) -> Self {
        Self { key, cell: cell.name().cloned() }
    }

    /// Takes the key out of the query parameter `name`.
    ///
    /// # Errors
    ///
    /// When another cell gave the cursor out; the error names both.
    pub fn open(self, name: &str, cell: &Cell) -> Result<K, Problem> {
        let refused = |other: crate::domain::values::cell::OtherCell| {
            Problem::invalid_parameter(FieldError::new(format!("/query/{name}"), "other_cell", other.to_string()))
        };
        cell.check(self.cell.as_ref()).map_err(refused)?;
        Ok(self.key)
    }

    /// The key in the parameter `cursor`, if it was given.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn of_page(cursor: Option<Self>, cell: &Cell) -> Result<Option<K>, Problem> {
        cursor.map(|cursor| cursor.open("cursor", cell)).transpose()
    }
}

impl<K: Serialize> Cursor<K> {
    /// Encodes the cursor.
    ///
    /// # Panics
    ///
    /// When the key cannot be written as JSON. Ids, numbers and times always can.
    pub fn encode(&self) -> String {
        let form = match self.cell.clone() {
            Some(cell) => Form::OfCell { cell, after: &self.key },
            None => Form::Bare(&self.key),
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&form).expect("keys are ids, numbers and times"))
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Cursor<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let invalid = || serde::de::Error::custom("must be the `next` of an earlier page of the same list");
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        match serde_json::from_slice(&bytes).map_err(|_| invalid())? {
            Form::OfCell { cell, after } => Ok(Self { key: after, cell: Some(cell) }),
            Form::Bare(key) => Ok(Self { key, cell: None }),
        }
    }
}

/// The schema of every cursor.
#[derive(Debug)]
pub struct AnyCursor;

impl PartialSchema for AnyCursor {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .pattern(Some("^[A-Za-z0-9_-]+$"))
            .description(Some("The `next` of an earlier page of the same list. Default: the first page."))
            .into()
    }
}

impl ToSchema for AnyCursor {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Cursor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cursor: impl Serialize) -> Cursor<(u64, String)> {
        serde_json::from_value(serde_json::json!(cursor)).unwrap()
    }

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let cell = Cell::default();
        let page = Page::new(&cell, vec![1, 2, 3], Limit(2), |row| *row, |row| row * 10);
        assert_eq!(page.items, [10, 20]);
        let next = serde_json::json!(page.next.unwrap());
        assert_eq!(serde_json::from_value::<Cursor<i32>>(next).unwrap().open("cursor", &cell).unwrap(), 2);
        assert_eq!(Page::new(&cell, vec![1, 2], Limit(2), |row| *row, |row| row).next, None);
        assert!(serde_json::from_value::<Cursor<i32>>(serde_json::json!("garbage!")).is_err());
    }

    #[test]
    fn a_cursor_of_another_cell_is_refused_by_name() {
        let named = |name| Cell::named(CellName::parse(name).unwrap(), false);
        let key = (u64::MAX, "x".to_owned());
        let cursor = Cursor::new(key.clone(), &named("eu1")).encode();
        assert_eq!(read(&cursor).open("after", &named("eu1")).unwrap(), key);
        for other in [Cell::default(), named("us1")] {
            let problem = read(&cursor).open("after", &other).unwrap_err();
            let error = &problem.errors()[0];
            assert_eq!((error.pointer.as_str(), error.code.as_ref()), ("/query/after", "other_cell"));
            assert!(error.message.contains("`eu1`"), "{}", error.message);
        }
        let bare = Cursor::new(key.clone(), &Cell::default()).encode();
        assert!(read(&bare).open("after", &named("us1")).is_err());
        let grown = Cell::named(CellName::parse("us1").unwrap(), true);
        assert_eq!(read(&bare).open("after", &grown).unwrap(), key);
    }
}
