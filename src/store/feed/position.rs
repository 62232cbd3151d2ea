//! Positions in the feed, and the four columns that order them.
//!
//! Events and notices share the columns: `(epoch, xid, id, seq)`, where the id is the task's or the
//! notice's, and `seq` is 0 for a notice. Cursors hold the same four values.

use std::cmp::Ordering;

use sqlx::types::Uuid;

use crate::domain::values::id::{NoticeId, TaskId};
use crate::store::db::horizon::Transaction;

/// Names a row of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKey {
    /// An event of a task.
    Event {
        /// The task whose trail it is in.
        task_id: TaskId,
        /// Its `seq` there, from 1.
        seq: u64,
    },
    /// A notice to the owner of a webhook.
    Notice(NoticeId),
}

impl RowKey {
    /// Reads the key from its columns, the id and the `seq`.
    pub fn of((id, seq): (Uuid, u64)) -> Self {
        match seq {
            0 => Self::Notice(NoticeId(id)),
            seq => Self::Event { task_id: TaskId(id), seq },
        }
    }

    fn columns(self) -> (Uuid, u64) {
        match self {
            Self::Event { task_id, seq } => (task_id.0, seq),
            Self::Notice(id) => (id.0, 0),
        }
    }
}

/// A position in the feed. Positions have the order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The transaction.
    pub transaction: Transaction,
    /// Where in the transaction.
    point: Point,
}

/// A point among the rows of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Before all rows.
    Before,
    /// At this row.
    At(RowKey),
    /// After all rows.
    After,
}

/// Beyond every `seq` of an event.
const MAX_SEQ: u64 = i64::MAX.unsigned_abs();

impl Position {
    /// Before all rows.
    pub const START: Self = Self::before(Transaction::NONE);

    /// At a row.
    pub const fn at((transaction, key): (Transaction, RowKey)) -> Self {
        Self { transaction, point: Point::At(key) }
    }

    /// Before all rows of a transaction. It names no task.
    pub const fn before(transaction: Transaction) -> Self {
        Self { transaction, point: Point::Before }
    }

    /// After all rows of a transaction. It names no task.
    pub const fn after(transaction: Transaction) -> Self {
        Self { transaction, point: Point::After }
    }

    /// Reads the position from its columns. Every value is a position.
    pub fn of(transaction: Transaction, (id, seq): (Uuid, u64)) -> Self {
        let point = match seq {
            0 if id.is_nil() => Point::Before,
            MAX_SEQ if id.is_max() => Point::After,
            seq => Point::At(RowKey::of((id, seq))),
        };
        Self { transaction, point }
    }

    /// The id and the `seq`, as columns.
    pub fn columns(self) -> (Uuid, u64) {
        match self.point {
            Point::Before => (Uuid::nil(), 0),
            Point::At(key) => key.columns(),
            Point::After => (Uuid::max(), MAX_SEQ),
        }
    }
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> Ordering {
        self.transaction.cmp(&other.transaction).then_with(|| self.columns().cmp(&other.columns()))
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_keep_their_columns_and_their_order() {
        let id = Uuid::from_u128;
        let in_order =
            [(id(0), 0), (id(0), 1), (id(7), 0), (id(7), 1), (id(8), 0), (Uuid::max(), 0), (Uuid::max(), MAX_SEQ)];
        let at = |columns| Position::of(Transaction { epoch: 1, number: 5 }, columns);
        for columns in in_order {
            assert_eq!(at(columns).columns(), columns);
        }
        assert!(in_order.map(at).is_sorted());
        assert!(
            Position::START < at((id(0), 0))
                && at((Uuid::max(), MAX_SEQ)) < Position::before(Transaction { epoch: 1, number: 6 })
        );
        let points = [(id(0), 0), (id(7), 0), (id(7), 1), (Uuid::max(), MAX_SEQ)].map(|columns| at(columns).point);
        let event = RowKey::Event { task_id: TaskId(id(7)), seq: 1 };
        assert_eq!(points, [Point::Before, Point::At(RowKey::Notice(NoticeId(id(7)))), Point::At(event), Point::After]);
    }
}
