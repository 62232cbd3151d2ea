//! The partners that an erasure reached, and what their trails say about it.

use uuid::Uuid;

use crate::domain::values::id::{ErasureId, PartnerId};
use crate::store::db::row::Place;
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
