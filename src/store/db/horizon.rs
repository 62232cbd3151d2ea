//! The order in which readers follow writers: by the transaction that wrote, below the oldest
//! transaction still running.
//!
//! A transaction takes its number when it begins to write and becomes visible when it commits, so
//! rows can appear behind others with greater numbers. A reader that stops at the horizon never
//! misses such a row: everything below it is complete. The feed and the transparency log both read
//! this way.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Executor, Postgres};

use crate::domain::values::time::Time;
use crate::store::{Error, Pool};

use super::connect;
use super::row::Place;
use super::session::{Limits, Session};
use super::settings;

/// A transaction of the database. The epoch comes first, since a restored database counts its
/// transactions from the start again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Transaction {
    /// Raised by [`begin_epoch`].
    pub epoch: u64,
    /// The `xid8`.
    pub number: u64,
}

impl Transaction {
    /// Before all transactions.
    pub const NONE: Self = Self { epoch: 0, number: 0 };

    pub(in crate::store) fn read(epoch: i64, number: &str, place: Place<&str>) -> Result<Self, Error> {
        let number = number.parse().map_err(|_| place.impossible("a transaction that is not a number"))?;
        Ok(Self { epoch: place.unsigned(epoch)?, number })
    }

    /// Converts it to statement parameters. A caller may send one beyond the columns' ranges.
    pub(in crate::store) fn columns(self) -> (i64, String) {
        (i64::try_from(self.epoch).unwrap_or(i64::MAX), self.number.to_string())
    }
}

/// Finds the oldest transaction that still runs: the rows of older ones are complete.
///
/// Read it before the rows and in a statement of its own. Otherwise the rows of a transaction that
/// commits in between are lost.
///
/// The rows must come from the same server: a standby may lack some that this one has.
pub async fn find_horizon(on: impl Executor<'_, Database = Postgres>) -> Result<Transaction, Error> {
    let row = sqlx::query!(
        r#"select (select max(epoch) from epochs) as "epoch!", pg_snapshot_xmin(pg_current_snapshot())::text as "number!""#
    );
    let row = row.fetch_one(on).await?;
    Transaction::read(row.epoch, &row.number, Place { table: "epochs", key: "epoch" })
}

/// Whether the server is a standby, which may lack what the primary has committed.
pub async fn is_standby(on: impl Executor<'_, Database = Postgres>) -> Result<bool, Error> {
    let is_standby = sqlx::query_scalar!(r#"select pg_is_in_recovery() as "is_standby!""#);
    Ok(is_standby.fetch_one(on).await?)
}

/// Reads the database's clock.
pub async fn read_clock(pool: &Pool) -> Result<Time, Error> {
    let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#);
    Ok(now.fetch_one(pool).await?.into())
}

/// Begins the next epoch, as the owner of the tables, and returns its number. Writers wait briefly:
/// those before it belong to the old epoch, those after it to the new one.
///
/// # Errors
///
/// If the database cannot be reached or is not migrated, or the user lacks the right.
pub async fn begin_epoch(options: &PgConnectOptions, now: Time) -> Result<u64, connect::Error> {
    // The lock waits for running writers, which have time limits of their own.
    let limits = Limits { answer: Duration::from_mins(1), ..Limits::default() };
    let mut session = Session::open(&settings::migrating(options), limits).await?;
    session.begin().await?;
    sqlx::query(
        "lock table task_events, partner_events, webhook_notices, erasures, archived_tasks in access exclusive mode",
    )
    .execute(&mut session)
    .await?;
    let began_at: DateTime<Utc> = now.utc();
    let epoch: i64 = sqlx::query_scalar(
        "insert into epochs (epoch, began_at) select greatest(max(epoch) + 1, $2), $1 from epochs returning epoch",
    )
    .bind(began_at)
    .bind(began_at.timestamp())
    .fetch_one(&mut session)
    .await?;
    for table in ["task_events", "partner_events", "webhook_notices", "erasures", "archived_tasks"] {
        let default = format!("alter table {table} alter column epoch set default {epoch}");
        sqlx::query(AssertSqlSafe(default)).execute(&mut session).await?;
    }
    session.commit().await?;
    session.close().await;
    Ok(epoch.unsigned_abs())
}
