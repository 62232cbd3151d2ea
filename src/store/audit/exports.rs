//! Finds the trails to export, each with its end as the task's or partner's own row records it.

use uuid::Uuid;

use crate::domain::audit::export::Selection;
use crate::domain::audit::{Head, Origin, PartnerOrigin};
use crate::domain::values::id::{BuyerId, PartnerId, TaskId};
use crate::store::db::row::Place;
use crate::store::{Error, Pool};

/// A trail as of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trail<O> {
    /// The task or partner whose trail it is.
    pub origin: O,
    /// The end of the trail according to the task's or partner's own row.
    pub head: Head,
    /// The `seq` of the last row. It differs from `head` only if somebody tampered with the trail.
    pub last: u64,
}

/// Tasks in the order of their ids, and where the next page starts.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The trails that match the selection.
    pub trails: Vec<Trail<Origin>>,
    /// The last task that was looked at; `None` if there are no more tasks.
    pub next: Option<TaskId>,
}

/// Finds a task's trail.
pub async fn find(pool: &Pool, task_id: TaskId) -> Result<Option<Trail<Origin>>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select task_id, partner_id, buyer_id, version, head_hash,
               (select coalesce(max(seq), 0) from task_events where task_events.task_id = $1) as last
           from tasks where task_id = $1"#,
        task_id.0,
    );
    Ok(row.fetch_optional(pool).await?.map(Row::trail).transpose()?.flatten())
}

/// Finds a partner's own trail.
pub async fn find_partner(pool: &Pool, partner_id: PartnerId) -> Result<Option<Trail<PartnerOrigin>>, Error> {
    let row = sqlx::query!(
        r#"select version, head_hash, (select coalesce(max(seq), 0) from partner_events where partner_id = $1) as "last!"
           from partners where id = $1"#,
        partner_id.0,
    );
    let place = Place { table: "partners", key: partner_id };
    let trail = |version, head: &[u8], last| {
        let head = Head { seq: place.unsigned(version)?, hash: place.hash(head)? };
        Ok(Trail { origin: PartnerOrigin { partner_id }, head, last: place.unsigned(last)? })
    };
    row.fetch_optional(pool).await?.map(|row| trail(row.version, &row.head_hash, row.last)).transpose()
}

/// Looks at up to `limit` tasks after `after` and returns those that match the selection. The limit
/// counts the tasks that were looked at, so a statement has a bound even if few match.
pub async fn list(pool: &Pool, wanted: &Selection, after: Option<TaskId>, limit: u32) -> Result<Page, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"/* search: tasks to export */
           select page.task_id, page.partner_id, page.buyer_id, page.version, page.head_hash, wanted.last as "last?"
           from (
               select task_id, partner_id, buyer_id, workflow_key, opened_at, updated_at, version, head_hash
               from tasks where task_id > $1 order by task_id limit $2
           ) page
           left join lateral (
               select (select coalesce(max(seq), 0) from task_events event where event.task_id = page.task_id) as last
               where ($3::uuid is null or page.partner_id = $3)
                   and ($4::text is null or page.workflow_key = $4)
                   and ($5::timestamptz is null or page.updated_at >= $5)
                   and ($6::timestamptz is null or page.opened_at < $6)
                   and ($5 is null or $6 is null or exists (
                       select from task_events event where event.task_id = page.task_id
                           and event.recorded_at >= $5 and event.recorded_at < $6))
           ) wanted on true
           order by page.task_id"#,
        after.map_or(Uuid::nil(), |after| after.0),
        i64::from(limit),
        wanted.partner.map(|id| id.0),
        wanted.workflow.as_ref().map(crate::domain::values::id::WorkflowKey::as_str),
        wanted.from.map(crate::domain::values::time::Time::utc),
        wanted.until.map(crate::domain::values::time::Time::utc),
    );
    let rows = rows.fetch_all(pool).await?;
    let next = rows.last().map(|row| TaskId(row.task_id));
    let trails = rows.into_iter().filter_map(|row| row.trail().transpose()).collect::<Result<_, _>>()?;
    Ok(Page { trails, next })
}

struct Row {
    task_id: Uuid,
    partner_id: Uuid,
    buyer_id: Uuid,
    version: i64,
    head_hash: Vec<u8>,
    last: Option<i64>,
}

impl Row {
    fn trail(self) -> Result<Option<Trail<Origin>>, Error> {
        let Some(last) = self.last else { return Ok(None) };
        let place = Place { table: "tasks", key: self.task_id };
        let origin = Origin {
            buyer_id: BuyerId(self.buyer_id),
            partner_id: PartnerId(self.partner_id),
            task_id: TaskId(self.task_id),
        };
        let head = Head { seq: place.unsigned(self.version)?, hash: place.hash(&self.head_hash)? };
        Ok(Some(Trail { origin, head, last: place.unsigned(last)? }))
    }
}
