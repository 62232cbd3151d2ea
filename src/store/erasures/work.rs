//! Lists of erasures that have something left to do.

use uuid::Uuid;

use crate::domain::values::time::Time;
use crate::store::{Error, Pool};

use super::Record;
use super::row::{Row, select_erasures};

/// Lists up to `limit` erasures that still scan the tasks and were requested by `until`.
pub async fn list_running(pool: &Pool, until: Time, limit: u32) -> Result<Vec<Record>, Error> {
    let mut readable = Readable::up_to(limit);
    loop {
        let rows = select_erasures!(
            "where state in ('pending', 'running') and requested_at <= $1 and id > $2 order by id limit $3",
            until.utc(),
            readable.after,
            i64::from(limit)
        );
        if !readable.add(rows.fetch_all(pool).await?) {
            return Ok(readable.found);
        }
    }
}

/// Collects readable erasures page by page, in the order of their ids. The others are left for a
/// person or a newer build and do not hold these up.
struct Readable {
    found: Vec<Record>,
    /// The last id that was looked at.
    after: Uuid,
    limit: usize,
}

impl Readable {
    fn up_to(limit: u32) -> Self {
        Self { found: Vec::new(), after: Uuid::nil(), limit: limit as usize }
    }

    /// Adds a page; whether another page is needed.
    fn add(&mut self, rows: Vec<Row>) -> bool {
        let Some(last) = rows.last() else { return false };
        self.after = last.id;
        for record in rows.into_iter().map(Record::try_from) {
            match record {
                Ok(record) => self.found.push(record),
                Err(error) => tracing::error!(error = error.to_string(), "an erasure cannot be read and is skipped"),
            }
        }
        self.found.truncate(self.limit);
        self.found.len() < self.limit
    }
}

/// Lists up to `limit` erasures that have returned to every task they had to.
pub async fn list_finished(pool: &Pool, limit: u32) -> Result<Vec<Record>, Error> {
    let mut readable = Readable::up_to(limit);
    loop {
        let rows = select_erasures!(
            "where state = 'waiting' and not exists (select from erasure_tasks aside where aside.erasure_id = erasures.id)
             and id > $1 order by id limit $2",
            readable.after,
            i64::from(limit)
        );
        if !readable.add(rows.fetch_all(pool).await?) {
            return Ok(readable.found);
        }
    }
}
