//! Pages that end by bytes as well as by rows: a row may have a megabyte, and a page must fit into
//! memory.
//!
//! The statement itself adds up the sizes and ends with the row that reaches [`PAGE_BYTES`], so no
//! more leaves the database.

/// The bytes of stored text that end a page. The row that reaches this is its last.
pub const PAGE_BYTES: i64 = 1 << 20;

/// The rows of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounded<T> {
    /// The rows, in order; at least one if there is any.
    pub rows: Vec<T>,
    /// Whether there may be more after the last row.
    pub more: bool,
}

impl<T> Bounded<T> {
    /// Makes a page of at most `limit` rows. They were read with one extra row and cut at
    /// [`PAGE_BYTES`]; `bytes` returns the size of a row.
    pub(in crate::store) fn of(mut rows: Vec<T>, limit: u32, bytes: impl Fn(&T) -> usize) -> Self {
        let limit = limit as usize;
        let is_longer = rows.len() > limit;
        rows.truncate(limit);
        let size: usize = rows.iter().map(bytes).sum();
        let is_cut = i64::try_from(size).unwrap_or(i64::MAX) >= PAGE_BYTES;
        Self { more: is_longer || is_cut, rows }
    }

    /// Maps the rows of the page with `view`.
    pub fn map<U>(self, view: impl FnMut(T) -> U) -> Bounded<U> {
        Bounded { rows: self.rows.into_iter().map(view).collect(), more: self.more }
    }
}

/// Fetch one extra row to learn whether there is a next page.
pub(in crate::store) fn and_one_more(limit: u32) -> i64 {
    i64::from(limit) + 1
}
