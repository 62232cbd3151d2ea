//! Fills a database: one task that the service opened, copied many times by SQL with other ids,
//! positions and due times.

use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use stagegate::ids;
use uuid::Uuid;

use crate::shared::Failure;
use crate::{PLATFORM_KEY, Service, text};

/// Due times and opening times are spread over this many days.
pub const DAYS: i64 = 30;

/// The stages of every version of three workflows.
const STAGES: [&str; 6] = ["stage-1", "stage-2", "stage-3", "stage-4", "stage-5", "rare"];

/// Creates an empty database on the same server.
pub async fn create(beside: &PgConnectOptions, name: &str) -> Result<(), Failure> {
    let mut connection = PgConnection::connect_with(beside).await?;
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await?;
    Ok(())
}

/// Adds tasks in review over three workflows with three versions and five stages each; one in ten
/// has no time limit. Three of them are at a stage of their own, three are overdue, and three more
/// wait on the platform. For each open task there is a finished one, as lists of a real partner have
/// them.
pub async fn fill(service: &Service, database: &PgConnectOptions, count: i64) -> Result<(), Failure> {
    for workflow in ["w-1", "w-2", "w-3"] {
        for version in 1..=3 {
            let path = format!("/api/v1/workflows/{workflow}");
            service.call("PUT", &path, &service.partner_key, &definition(workflow, version)).await?;
        }
    }
    let template = open(service, "w-1").await?;
    let finished = open(service, "w-1").await?;
    finish(service, finished).await?;
    for _ in 0..3 {
        let path = format!("/api/v1/tasks/{}/events", open(service, "w-2").await?);
        let escalation = json!({ "type": "stage_escalated", "stage": "stage-1", "round": 1, "revision": 0, "to": "platform",
            "actor": { "id": "u-1" }, "reason": "May we?" });
        service.call("POST", &path, &service.partner_key, &escalation).await?;
    }
    let mut connection = PgConnection::connect_with(database).await?;
    sqlx::query(COPY).bind(template).bind(count).bind(DAYS * 86_400).bind(&STAGES[..]).execute(&mut connection).await?;
    sqlx::query(COPY_FINISHED).bind(finished).bind(count).bind(DAYS * 86_400).execute(&mut connection).await?;
    sqlx::query("vacuum (analyze) tasks").execute(&mut connection).await?;
    Ok(())
}

fn definition(workflow: &str, version: u32) -> serde_json::Value {
    let stage = |key: &&str| {
        let rare = *key == "rare" && workflow == "w-3" && version == 3;
        let reviewers = if rare { json!(["u-1", "u-2", "u-rare"]) } else { json!(["u-1", "u-2", "u-3"]) };
        json!({ "key": key, "name": key, "buyer_label": key, "reviewers": reviewers,
            "quorum": { "approvals": 2, "rejections": 1 }, "self_approval": true,
            "deadline": { "within": "PT48H", "on_timeout": { "action": "none" } } })
    };
    json!({ "name": format!("Version {version}"), "stages": STAGES.iter().map(stage).collect::<Vec<_>>() })
}

async fn open(service: &Service, workflow: &str) -> Result<Uuid, Failure> {
    let id = ids::new();
    let opening = json!({ "id": id, "partner_id": service.partner_id, "buyer_id": ids::new(),
        "workflow": { "key": workflow }, "title": "Spring campaign", "metadata": { "order": "A-1024" } });
    let opened = service.call("POST", "/api/v1/tasks", PLATFORM_KEY, &opening).await?;
    if text(&opened["id"]) == id.to_string() { Ok(id) } else { Err("another task was opened".into()) }
}

/// Approves every stage.
async fn finish(service: &Service, task: Uuid) -> Result<(), Failure> {
    let path = format!("/api/v1/tasks/{task}/events");
    for stage in STAGES {
        for reviewer in ["u-1", "u-2"] {
            let vote = json!({ "type": "stage_approved", "stage": stage, "round": 1, "revision": 0,
                "actor": { "id": reviewer } });
            service.call("POST", &path, &service.partner_key, &vote).await?;
        }
    }
    Ok(())
}

/// The state agrees with the columns, so the answers are those of real tasks.
const COPY: &str = r#"
    insert into tasks (task_id, partner_id, buyer_id, workflow_key, workflow_version, title, metadata, open_digest, opened_at, version,
        phase, stage, round, waiting_on, due_at, overdue, wake_at, format, state, notes, buyer_status, status_version, head_hash, updated_at)
    select id, partner_id, buyer_id, 'w-' || w, v::integer, title, metadata, open_digest, opened, version,
        phase, ($4::text[])[stage_at + 1], round, waiting_on, due, late, case when not late then due end, format,
        state || jsonb_build_object('id', id, 'stage', stage_at, 'opened_at', to_char(opened at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'phase', (state -> 'phase') || jsonb_build_object('clock', case
                when due is null then jsonb_build_object('state', 'unbounded')
                when late then jsonb_build_object('state', 'passed', 'due_at', due_text)
                else jsonb_build_object('state', 'running', 'due_at', due_text, 'remind_at', '[]'::jsonb) end)),
        notes, buyer_status, status_version, head_hash, updated_at
    from tasks
    cross join lateral (
        select n, gen_random_uuid() as id, n between 4 and 6 as late,
            case when n <= 3 then 3 else n % 3 + 1 end as w, case when n <= 3 then 3 else n / 3 % 3 + 1 end as v,
            case when n <= 3 then 5 else n / 9 % 5 end::integer as stage_at,
            date_trunc('second', opened_at) - interval '1 second' * (n * 6151 % $2 * $3 / $2) as opened
        from generate_series(1, $2) n where task_id is not null
    ) copy
    cross join lateral (
        select case when late then date_trunc('second', opened_at) - interval '1 hour'
            when n % 10 > 0 then date_trunc('second', opened_at) + interval '1 second' * (n * 7919 % $2 * $3 / $2) end as due
    ) limited
    cross join lateral (select to_char(due at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as due_text) written
    where task_id = $1"#;

/// Spread over the same three workflows with their versions, closed when the template was.
const COPY_FINISHED: &str = r#"
    insert into tasks (task_id, partner_id, buyer_id, workflow_key, workflow_version, title, metadata, open_digest, opened_at, version,
        phase, stage, round, overdue, format, state, notes, buyer_status, status_version, head_hash, updated_at, closed_at)
    select id, partner_id, buyer_id, 'w-' || n % 3 + 1, (n / 3 % 3 + 1)::integer, title, metadata, open_digest, opened, version,
        phase, stage, round, overdue, format,
        state || jsonb_build_object('id', id, 'opened_at', to_char(opened at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
        notes, buyer_status, status_version, head_hash, updated_at, closed_at
    from tasks
    cross join lateral (
        select n, gen_random_uuid() as id,
            date_trunc('second', opened_at) - interval '1 second' * (n * 6151 % $2 * $3 / $2) as opened
        from generate_series(1, $2) n where task_id is not null
    ) copy
    where task_id = $1"#;
