//! Many tasks: one that the service opened, copied by SQL. They differ only in their ids, which are
//! scattered more than real ones, so that neighbours in the index are not neighbours in the table.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::shared::Failure;

/// The id of the task with this number.
pub fn id(number: u32) -> Uuid {
    // The number itself is the lower half, so different numbers have different ids.
    let low = u64::from(number).wrapping_mul(MIX) & 0x7fff_ffff_ffff_ffff;
    Uuid::from_u128(u128::from(low) << 64 | u128::from(number))
}

const MIX: u64 = 0x1e37_79b9_7f4a_7c15;

/// Copies the task this many times.
pub async fn fill(database: &PgConnectOptions, template: Uuid, count: u32) -> Result<(), Failure> {
    let mut connection = PgConnection::connect_with(database).await?;
    let mut number = 0;
    while number < count {
        let until = count.min(number + CHUNK);
        let ids: Vec<Uuid> = (number..until).map(id).collect();
        sqlx::query(COPY).bind(template).bind(&ids).execute(&mut connection).await?;
        number = until;
    }
    sqlx::query("vacuum (analyze) tasks").execute(&mut connection).await?;
    Ok(())
}

/// The tasks of one statement.
const CHUNK: u32 = 50_000;

const COPY: &str = "
    insert into tasks (task_id, partner_id, buyer_id, workflow_key, workflow_version, title, metadata, open_digest, opened_at, version,
        phase, stage, round, waiting_on, overdue, format, state, notes, buyer_status, status_version, head_hash, updated_at)
    select id, partner_id, buyer_id, workflow_key, workflow_version, title, metadata, open_digest, opened_at, version,
        phase, stage, round, waiting_on, overdue, format, state || jsonb_build_object('id', id), notes,
        replace(buyer_status::text, task_id::text, id::text)::json, status_version, head_hash, updated_at
    from tasks cross join unnest($2::uuid[]) as copy (id) where task_id = $1";
