//! The transaction that takes personal data out of a task's trail.

use uuid::Uuid;

use crate::domain::erasure::Plan;
use crate::domain::values::id::{ErasureId, PartnerId};
use crate::store::db::row::bigint;
use crate::store::db::session::Session;
use crate::store::tasks::transitions::{Outcome, Save, save_within};
use crate::store::{Error, Pool};

/// The erasure of data from one task.
#[derive(Clone, Copy, Debug)]
pub struct Erase<'a> {
    /// The erasure that requires it.
    pub erasure_id: ErasureId,
    /// The partner of the task.
    pub partner_id: PartnerId,
    /// What is erased.
    pub plan: &'a Plan,
    /// The transition that records the erasure.
    pub save: Save<'a>,
}

/// Clears the stored answers of receivers, which may repeat what they were sent. An answer that is
/// still to come belongs to a body made before the erasure, so it is not kept.
async fn forget_answers(connection: &mut Session, task_id: Uuid) -> Result<(), Error> {
    let answers = sqlx::query!(
        "update webhook_deliveries set answer = null, under_way = false
         where task_id = $1 and (answer is not null or under_way)",
        task_id
    );
    answers.execute(connection).await?;
    Ok(())
}

/// Takes personal data out of a task's trail and records that, in one transaction.
///
/// Nothing is done if the task has another version than the one that was decided on. Only one
/// statement runs in the erasing role. The stored answers of webhook receivers for the task's
/// events go too.
pub async fn erase(pool: &Pool, erase: &Erase<'_>) -> Result<Outcome, Error> {
    let Erase { erasure_id, partner_id, plan, save } = erase;
    let task_id = save.transition.snapshot().task.id().0;
    let mut transaction = pool.begin().await?;
    let outcome = save_within(transaction.connection(), save).await?;
    let Outcome::Saved(_) = outcome else { return Ok(outcome) };
    sqlx::query!("set local role stagegate_erasure").execute(transaction.connection()).await?;
    let seqs: Vec<i64> = plan.entries.iter().map(|entry| bigint(entry.seq)).collect();
    let columns: Vec<String> = plan.entries.iter().map(|entry| entry.personal.clone()).collect();
    let changed = sqlx::query!(
        "update task_events set personal = row.personal::json
         from unnest($2::bigint[], $3::text[]) as row (seq, personal)
         where task_events.task_id = $1 and task_events.seq = row.seq",
        task_id,
        &seqs,
        &columns,
    );
    let changed = changed.execute(transaction.connection()).await?.rows_affected();
    if changed != plan.entries.len() as u64 {
        return Err(Error::impossible("task_events", task_id, "fewer entries than were read before"));
    }
    sqlx::query!("set local role stagegate_app").execute(transaction.connection()).await?;
    let counted = sqlx::query_scalar!(
        r#"with partner as (
               insert into erasure_partners (erasure_id, partner_id, tasks, fields)
               select $2, $3, case when counted.already then 0 else 1 end, $5
               from (select exists (select from erasure_tasks where task_id = $1 and erasure_id = $2 and touched) as already) counted
               on conflict (erasure_id, partner_id) do update set
                   tasks = erasure_partners.tasks + excluded.tasks, fields = erasure_partners.fields + excluded.fields
           )
           update erasures set entries_erased = entries_erased + $4, fields_erased = fields_erased + $5,
               tasks_erased = tasks_erased + case when exists (
                   select from erasure_tasks where task_id = $1 and erasure_id = $2 and touched) then 0 else 1 end
           where id = $2 returning id"#,
        task_id,
        erasure_id.0,
        partner_id.0,
        bigint(plan.fresh()),
        bigint(plan.fields()),
    );
    counted.fetch_one(transaction.connection()).await?;
    forget_answers(transaction.connection(), task_id).await?;
    if plan.ids_remain {
        let waits = sqlx::query!(
            "insert into erasure_tasks (task_id, erasure_id, touched) values ($1, $2, true)
             on conflict (task_id, erasure_id) do update set touched = true, failures = 0, retry_at = null",
            task_id,
            erasure_id.0
        );
        waits.execute(transaction.connection()).await?;
    } else {
        let settled =
            sqlx::query!("delete from erasure_tasks where task_id = $1 and erasure_id = $2", task_id, erasure_id.0);
        settled.execute(transaction.connection()).await?;
    }
    transaction.commit().await?;
    Ok(outcome)
}
