//! Workflows and their versions. Versions are immutable, so whoever reads one may keep it for ever.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::row::{Place, int};
use super::{Error, Pool};
use crate::domain::id::{PartnerId, WorkflowKey};
use crate::domain::time::Time;
use crate::domain::workflow::Workflow;

/// The format number of stored definitions. Older ones load for ever; a newer one is refused.
pub const FORMAT: u32 = 1;

/// What a registration led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The version that now is the latest.
    pub version: u32,
    /// Whether it is new; if not, the latest one said the same already.
    pub is_new: bool,
}

/// A version of a workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Whose.
    pub partner_id: PartnerId,
    /// Which workflow.
    pub key: WorkflowKey,
    /// Which version.
    pub version: u32,
    /// The latest version of the workflow.
    pub latest_version: u32,
    /// What was registered.
    pub workflow: Workflow,
    /// SHA-256 of its canonical JSON.
    pub digest: [u8; 32],
    /// When the version was registered.
    pub created_at: Time,
    /// Since when no task may be opened on the workflow.
    pub retired_at: Option<Time>,
}

/// Registers `workflow` as the next version, unless the latest one says the same; brings a retired key back.
///
/// One statement. Racing registrations of one key wait for each other at the workflow's row, so they give versions one
/// after the other, or the same one; a version that a racer wrote is met by `do nothing`, since it cannot be seen yet.
pub async fn register(
    pool: &Pool,
    (partner_id, key): (PartnerId, &WorkflowKey),
    workflow: &Workflow,
    now: Time,
) -> Result<Registered, Error> {
    let row = sqlx::query!(
        r#"with workflow as (
               insert into workflows (partner_id, key, latest_version, latest_digest, created_at)
               values ($1, $2, 1, $3, $4)
               on conflict (partner_id, key) do update set
                   latest_version = workflows.latest_version + (workflows.latest_digest <> excluded.latest_digest)::integer,
                   latest_digest = excluded.latest_digest,
                   retired_at = null
               returning partner_id, key, latest_version, latest_digest
           ), added as (
               insert into workflow_versions (partner_id, key, version, format, definition, digest, created_at)
               select partner_id, key, latest_version, $5, $6::text::json, latest_digest, $4 from workflow
               on conflict (partner_id, key, version) do nothing
               returning version
           )
           select latest_version as "version!", exists (select from added) as "is_new!" from workflow"#,
        partner_id.0,
        key.as_str(),
        &workflow.digest()[..],
        now.utc(),
        int(FORMAT),
        workflow.canonical_json(),
    )
    .fetch_one(pool)
    .await?;
    let place = Place { table: "workflows", key };
    Ok(Registered { version: place.unsigned(row.version)?, is_new: row.is_new })
}

/// One version of a workflow; the latest if none is named.
pub async fn find(
    pool: &Pool,
    partner_id: PartnerId,
    key: &WorkflowKey,
    version: Option<u32>,
) -> Result<Option<Record>, Error> {
    // No version has a number that the column cannot hold.
    let Ok(version) = version.map(i32::try_from).transpose() else { return Ok(None) };
    let row = select_versions!(
        "where workflow.partner_id = $1 and workflow.key = $2 and version.version = coalesce($3, workflow.latest_version)",
        partner_id.0,
        key.as_str(),
        version,
    );
    row.fetch_optional(pool).await?.map(Record::try_from).transpose()
}

/// A page of a partner's workflows in their latest version, by key: those that follow `after`.
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

/// Retires a workflow: since when it is, or nothing where the partner has none of that key. Again changes nothing.
pub async fn retire(pool: &Pool, partner_id: PartnerId, key: &WorkflowKey, now: Time) -> Result<Option<Time>, Error> {
    let retired_at = sqlx::query_scalar!(
        r#"update workflows set retired_at = coalesce(retired_at, $3)
           where partner_id = $1 and key = $2
           returning retired_at as "retired_at!""#,
        partner_id.0,
        key.as_str(),
        now.utc(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(retired_at.map(Time::from))
}

/// Selects versions with their workflow: what follows the tables, and the parameters.
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
