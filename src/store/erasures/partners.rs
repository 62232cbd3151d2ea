//! The partners that an erasure reached, and what their trails say about it.

use uuid::Uuid;

use crate::domain::values::id::{ErasureId, PartnerId};
use crate::store::audit::partner_events::{self, Append, append};
use crate::store::db::row::{Place, bigint};
use crate::store::{Error, Pool};

/// Whether the erasure took something out of a task of this partner.
pub async fn has_reached(pool: &Pool, erasure: ErasureId, partner: PartnerId) -> Result<bool, Error> {
    let reached = sqlx::query_scalar!(
        r#"select exists (select from erasure_partners where erasure_id = $1 and partner_id = $2) as "reached!""#,
        erasure.0,
        partner.0
    );
    Ok(reached.fetch_one(pool).await?)
}

/// Lists the partners that the erasure reached, each with its numbers of tasks and fields.
pub async fn list_partners(pool: &Pool, erasure: ErasureId) -> Result<Vec<(PartnerId, u64, u64)>, Error> {
    let rows = sqlx::query!(
        "select partner_id, tasks, fields from erasure_partners where erasure_id = $1 order by partner_id",
        erasure.0
    );
    let place = Place { table: "erasure_partners", key: erasure };
    let partner =
        |id: Uuid, tasks: i64, fields: i64| Ok((PartnerId(id), place.unsigned(tasks)?, place.unsigned(fields)?));
    rows.fetch_all(pool).await?.into_iter().map(|row| partner(row.partner_id, row.tasks, row.fields)).collect()
}

/// Whether a partner's trail has an entry of this type about the erasure.
pub async fn is_recorded(
    pool: &Pool,
    partner: PartnerId,
    kind: &'static str,
    erasure: ErasureId,
) -> Result<bool, Error> {
    let recorded = sqlx::query_scalar!(
        r#"select exists (select from partner_events where partner_id = $1 and type = $2
               and data -> 'values' ->> 'data.erasure_id' = $3) as "recorded!""#,
        partner.0,
        kind,
        erasure.to_string(),
    );
    Ok(recorded.fetch_one(pool).await?)
}

/// Records the end of an erasure in a partner's trail and takes what it erases out of earlier
/// entries (each with the new content of its personal column), in one transaction; `false` if the
/// trail has moved on.
pub async fn complete(
    pool: &Pool,
    partner: PartnerId,
    append: &Append,
    erased: &[(u64, String)],
) -> Result<bool, Error> {
    if erased.is_empty() {
        return partner_events::insert(pool, append).await;
    }
    let mut transaction = pool.begin().await?;
    if append!(append, "").fetch_optional(transaction.connection()).await?.is_none() {
        return Ok(false);
    }
    sqlx::query!("set local role stagegate_erasure").execute(transaction.connection()).await?;
    let seqs: Vec<i64> = erased.iter().map(|(seq, _)| bigint(*seq)).collect();
    let columns: Vec<String> = erased.iter().map(|(_, personal)| personal.clone()).collect();
    let changed = sqlx::query!(
        "update partner_events set personal = row.personal::json
         from unnest($2::bigint[], $3::text[]) as row (seq, personal)
         where partner_events.partner_id = $1 and partner_events.seq = row.seq",
        partner.0,
        &seqs,
        &columns,
    );
    let changed = changed.execute(transaction.connection()).await?.rows_affected();
    if changed != erased.len() as u64 {
        return Err(Error::impossible("partner_events", partner, "fewer entries than were read before"));
    }
    transaction.commit().await?;
    Ok(true)
}
