//! Workflows and their versions. Versions are immutable, so a reader may cache one for ever.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::partner::event::Registered;
use crate::domain::values::id::{PartnerId, WorkflowKey};
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;

use super::audit::partner_events::{Append, End, append, end};
use super::db::row::{Place, int};
use super::{Error, Pool};

/// The format number of stored definitions. Older formats always load; a newer one is refused.
pub const FORMAT: u32 = 1;

/// A version of a workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The partner.
    pub partner_id: PartnerId,
    /// The key of the workflow.
    pub key: WorkflowKey,
    /// The number of this version.
    pub version: u32,
    /// The latest version of the workflow.
    pub latest_version: u32,
    /// The registered definition.
    pub workflow: Workflow,
    /// The SHA-256 of its canonical JSON.
    pub digest: [u8; 32],
    /// When the version was registered.
    pub created_at: Time,
    /// Since when no task may be opened on the workflow.
    pub retired_at: Option<Time>,
}

/// What a partner has registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registry {
    /// What is registered under the requested key.
    pub known: Option<Registered>,
    /// The number of workflows, including retired ones.
    pub workflows: u32,
    /// The end of the partner's trail as of the same moment.
    pub end: End,
}

/// Finds what is registered under a key and how many workflows there are; `None` if there is no
/// such partner. Every change moves the partner's trail on, so a write that is guarded by that end
/// can rely on these numbers.
pub async fn find_registered(pool: &Pool, partner_id: PartnerId, key: &WorkflowKey) -> Result<Option<Registry>, Error> {
    let row = sqlx::query!(
        r#"select latest_version as "latest_version?", latest_digest as "latest_digest?", retired_at, partner.version, head_hash, updated_at,
               (select count(*) from workflows every where every.partner_id = partner.id) as "workflows!"
           from partners partner left join workflows workflow on workflow.partner_id = partner.id and workflow.key = $2
           where partner.id = $1"#,
        partner_id.0,
        key.as_str(),
    );
    let Some(row) = row.fetch_optional(pool).await? else { return Ok(None) };
    let place = Place { table: "workflows", key };
    let registered = |(version, digest): (i32, Vec<u8>)| -> Result<Registered, Error> {
        let is_retired = row.retired_at.is_some();
        Ok(Registered { version: place.unsigned(version)?, digest: place.digest(&digest)?, is_retired })
    };
    Ok(Some(Registry {
        known: row.latest_version.zip(row.latest_digest).map(registered).transpose()?,
        workflows: place.unsigned(row.workflows)?,
        end: end(partner_id, row.version, &row.head_hash, row.updated_at)?,
    }))
}

/// Makes `workflow` the latest version of its key, ends a retirement, and records it; `false` if
/// the trail has moved on.
///
/// It is one statement. Of several registrations that read the same end of a partner's trail, one
/// writes.
pub async fn save(
    pool: &Pool,
    (key, version): (&WorkflowKey, u32),
    workflow: &Workflow,
    append: &Append,
) -> Result<bool, Error> {
    let saved = append!(
        append,
        ", workflow as (
             insert into workflows (partner_id, key, latest_version, latest_digest, created_at)
             select id, $13, $14, $15, $4 from partner
             on conflict (partner_id, key) do update set
                 latest_version = excluded.latest_version, latest_digest = excluded.latest_digest, retired_at = null
         ), added as (
             insert into workflow_versions (partner_id, key, version, format, definition, digest, created_at)
             select id, $13, $14, $16, $17::text::json, $15, $4 from partner
             on conflict (partner_id, key, version) do nothing
         )",
        key.as_str(),
        int(version),
        &workflow.digest()[..],
        int(FORMAT),
        workflow.canonical_json(),
    );
    Ok(saved.fetch_optional(pool).await?.is_some())
}

/// Finds one version of a workflow; the latest if none is given.
pub async fn find(
    pool: &Pool,
    partner_id: PartnerId,
    key: &WorkflowKey,
    version: Option<u32>,
) -> Result<Option<Record>, Error> {
    // No version has a number beyond the column's range.
    let Ok(version) = version.map(i32::try_from).transpose() else { return Ok(None) };
    let row = select_versions!(
        "where workflow.partner_id = $1 and workflow.key = $2 and version.version = coalesce($3, workflow.latest_version)",
        partner_id.0,
        key.as_str(),
        version,
    );
    row.fetch_optional(pool).await?.map(Record::try_from).transpose()
}

/// Lists a page of a partner's workflows in their latest version, by key, after `after`.
pub async fn list(
    pool: &Pool,
    partner_id: PartnerId,
    after: Option<&WorkflowKey>,
    limit: u32,
) -> Result<Vec<Record>, Error> {
    let rows = select_versions!(
        "where workflow.partner_id = $1 and workflow.key > coalesce($2, '') and version.version = workflow.latest_version
         order by workflow.key limit $3",
        partner_id.0,
        after.map(WorkflowKey::as_str),
        i64::from(limit),
    );
    rows.fetch_all(pool).await?.into_iter().map(Record::try_from).collect()
}

/// Lists a page of a workflow's versions below `before`, the latest first.
pub async fn list_versions(
    pool: &Pool,
    partner_id: PartnerId,
    (key, before): (&WorkflowKey, Option<u32>),
    limit: u32,
) -> Result<Vec<Record>, Error> {
    let rows = select_versions!(
        "where workflow.partner_id = $1 and workflow.key = $2 and version.version < coalesce($3, 2147483647)
         order by version.version desc limit $4",
        partner_id.0,
        key.as_str(),
        before.map(|before| i32::try_from(before).unwrap_or(i32::MAX)),
        i64::from(limit),
    );
    rows.fetch_all(pool).await?.into_iter().map(Record::try_from).collect()
}

/// Retires a workflow that was read as not retired together with the end of the trail, and records
/// it; `false` if the trail has moved on.
pub async fn retire(pool: &Pool, key: &WorkflowKey, append: &Append) -> Result<bool, Error> {
    let retired = append!(
        append,
        ", retired as (
             update workflows set retired_at = $4 from partner where workflows.partner_id = partner.id and workflows.key = $13
         )",
        key.as_str(),
    );
    Ok(retired.fetch_optional(pool).await?.is_some())
}

/// Selects versions with their workflow. The arguments are the text after the tables and the
/// parameters.
macro_rules! select_versions {
    ($after:literal, $($parameter:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select partner_id, key, version.version, latest_version, format, definition::text as "definition!", digest,
                   version.created_at, retired_at
               from workflows workflow join workflow_versions version using (partner_id, key) "# + $after,
            $($parameter),+
        )
    };
}
use select_versions;

struct Row {
    partner_id: Uuid,
    key: String,
    version: i32,
    latest_version: i32,
    format: i32,
    definition: String,
    digest: Vec<u8>,
    created_at: DateTime<Utc>,
    retired_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Record {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let key = format!("({}, {}, {})", row.partner_id, row.key, row.version);
        let place = Place { table: "workflow_versions", key: key.as_str() };
        place.known_format(row.format, FORMAT)?;
        Ok(Self {
            partner_id: PartnerId(row.partner_id),
            version: place.unsigned(row.version)?,
            latest_version: place.unsigned(row.latest_version)?,
            workflow: place.json(&row.definition)?,
            digest: place.digest(&row.digest)?,
            created_at: row.created_at.into(),
            retired_at: row.retired_at.map(Time::from),
            key: place.checked(row.key)?,
        })
    }
}
