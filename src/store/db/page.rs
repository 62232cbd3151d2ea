//! Pages that end by bytes as well as by rows: a row may have a megabyte, and a page must fit into memory.
//!
//! The statement itself adds up what its rows have and ends with the one that reaches [`PAGE_BYTES`], so that no more
//! leaves the database.

/// The bytes of stored text with which a page ends: it has the row that reaches this, and none after it.
pub const PAGE_BYTES: i64 = 1 << 20;

/// The rows of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounded<T> {
    /// In order; at least one, where there is any.
    pub rows: Vec<T>,
    /// Whether there may be more behind the last one.
    pub more: bool,
}

impl<T> Bounded<T> {
    /// A page of at most `limit` of these rows, which were read with one more, and up to [`PAGE_BYTES`] by what `bytes`
    /// says or more.
    pub(in crate::store) fn of(mut rows: Vec<T>, limit: u32, bytes: impl Fn(&T) -> usize) -> Self {
        let limit = limit as usize;
        let is_longer = rows.len() > limit;
        rows.truncate(limit);
        let size: usize = rows.iter().map(bytes).sum();
        let is_cut = i64::try_from(size).unwrap_or(i64::MAX) >= PAGE_BYTES;
        Self { more: is_longer || is_cut, rows }
    }

    /// The same page of what `view` makes of the rows.
    pub fn map<U>(self, view: impl FnMut(T) -> U) -> Bounded<U> {
        Bounded { rows: self.rows.into_iter().map(view).collect(), more: self.more }
    }
}

/// One more than a page has: it tells whether there are more.
pub(in crate::store) fn and_one_more(limit: u32) -> i64 {
    i64::from(limit) + 1
}
