//! Fills the database: one task with a few decisions, copied by SQL until the requested number of
//! events is stored. All copies have the same hashes and texts, so their trails do not verify, but
//! sizes, keys and indexes are realistic.

use std::io::Write as _;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::client::Kind;
use crate::service::Service;
use crate::shared::Failure;

/// The tasks of one statement.
const BATCH: i64 = 10_000;

const COPY_TASKS: &str = "insert into tasks (task_id, partner_id, buyer_id, workflow_key, workflow_version, title, metadata, open_digest,
    opened_at, version, phase, stage, round, waiting_on, due_at, overdue, wake_at, format, state, notes, buyer_status,
    status_version, head_hash, updated_at, closed_at)
select ('ffffffff-' || substr(md5(number::text), 1, 4) || '-4' || substr(md5(number::text), 5, 3) || '-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
    partner_id, gen_random_uuid(), workflow_key, workflow_version, title, metadata, open_digest,
    opened_at, version, phase, stage, round, waiting_on, due_at, overdue, wake_at, format, state, notes, buyer_status,
    status_version, head_hash, updated_at, closed_at
from tasks, generate_series($2, $3) number where task_id = $1";

const COPY_EVENTS: &str = "insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at, command_id,
    command_digest, entry, data, personal, hash)
select ('ffffffff-' || substr(md5(number::text), 1, 4) || '-4' || substr(md5(number::text), 5, 3) || '-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
    seq, cause_seq, type, stage, round, party, recorded_at, command_id, command_digest, entry, data, personal, hash
from task_events, generate_series($2, $3) number where task_id = $1 order by number, seq";

const SIZES: &str = "select reltuples::bigint, pg_total_relation_size(oid) from pg_class where oid = $1::regclass";

/// Stores at least this many events.
pub async fn fill(service: &Service, database: &PgConnectOptions, events: i64) -> Result<(), Failure> {
    let mut client = service.clients(Kind::Vote, 1);
    service.top_up(&mut client).await?;
    client.decide(Duration::from_millis(200)).await?;
    let task = client.decided_task();
    let mut connection = PgConnection::connect_with(database).await?;
    let of_one: i64 = sqlx::query_scalar("select count(*) from task_events where task_id = $1")
        .bind(task)
        .fetch_one(&mut connection)
        .await?;
    let tasks = events / of_one + 1;
    for first in (1..=tasks).step_by(usize::try_from(BATCH)?) {
        let last = (first + BATCH - 1).min(tasks);
        for copy in [COPY_TASKS, COPY_EVENTS] {
            sqlx::query(copy).bind(task).bind(first).bind(last).execute(&mut connection).await?;
        }
    }
    sqlx::query("vacuum (analyze) tasks, task_events").execute(&mut connection).await?;
    sqlx::query("checkpoint").execute(&mut connection).await?;
    for table in ["tasks", "task_events"] {
        let (rows, bytes): (i64, i64) = sqlx::query_as(SIZES).bind(table).fetch_one(&mut connection).await?;
        writeln!(std::io::stdout(), "{table}: {rows} rows of {} bytes with their indexes", bytes / rows.max(1))?;
    }
    Ok(connection.close().await?)
}
