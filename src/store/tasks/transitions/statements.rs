//! The two statements that write tasks: one opens a task, one writes a batch of transitions. A batch
//! that closes tasks also writes their facts.
//!
//! A delivery is due from when its event was recorded, but no later than now by the database's clock:
//! that of a replica may be ahead. "Now" is `clock_timestamp()`. It is later than `now()`, the start of the
//! transaction, by what the statement has waited and run, and earlier than the commit, before which nobody
//! sees the row. The rows of one statement may differ by microseconds, and the order within a task is that of
//! `seq`. `now()` would do as well, but Citus cannot write such an insert anew: see `tests/api/store/engines.rs`.

use std::collections::{HashMap, HashSet};

use sqlx::PgExecutor;
use uuid::Uuid;

use crate::domain::task::event::Opened;
use crate::domain::values::id::TaskId;
use crate::domain::values::text::Text;
use crate::store::Pool;
use crate::store::db::row::{int, to_json};

use super::Open;
use super::facts::FactRow;
use super::prepared::{Fate, Prepared, Present, Row, Trace};

/// The statement of a batch: what it returns of each task and does with it beyond moving it on, and
/// the parameters of that.
macro_rules! write_batch {
    ($tasks:ident, $rows:ident, $commands:ident, $traces:ident, [$returning:literal, $facts:literal] $(, $parameter:expr)* $(,)?) => {
        sqlx::query_as! {
            Found,
            r#"with row as (
                   select * from unnest(
                       $19::uuid[], $20::bigint[], $21::bigint[], $22::text[], $23::text[], $24::integer[], $25::text[],
                       $26::timestamptz[], $27::uuid[], $28::bytea[], $29::text[], $30::text[], $31::text[], $32::bytea[],
                       $33::uuid[], $34::text[]
                   ) as row (task_id, seq, cause_seq, type, stage, round, party, recorded_at,
                       command_id, command_digest, entry, data, personal, hash, event_id, partner_type)
               ), task as (
                   update tasks set
                       version = moved.version, phase = moved.phase, stage = moved.stage, round = moved.round,
                       waiting_on = moved.waiting_on, due_at = moved.due_at, overdue = moved.overdue, wake_at = moved.wake_at,
                       format = moved.format, state = moved.state::jsonb, notes = moved.notes::jsonb,
                       buyer_status = moved.buyer_status::json, status_version = moved.status_version,
                       head_hash = moved.head_hash, updated_at = moved.updated_at, closed_at = moved.closed_at
                   from unnest(
                       $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::integer[], $7::text[],
                       $8::timestamptz[], $9::boolean[], $10::timestamptz[], $11::integer[], $12::text[], $13::text[],
                       $14::text[], $15::bigint[], $16::bytea[], $17::timestamptz[], $18::timestamptz[], $35::text[], $36::uuid[],
                       $37::text[], $38::text[], $39::bigint[]
                   ) as moved (task_id, expected, version, phase, stage, round, waiting_on, due_at, overdue, wake_at, format,
                       state, notes, buyer_status, status_version, head_hash, updated_at, closed_at, command_party, command_id,
                       traceparent, trace_party, absences_version)
                   where tasks.task_id = any ($1) and tasks.task_id = moved.task_id and tasks.version = moved.expected
                       and (select count(*) from task_events known
                            where known.task_id = moved.task_id and known.party = moved.command_party
                                and known.command_id = moved.command_id) = 0
                       and (select partner.absences_version from partners partner
                            where partner.id = tasks.partner_id) = moved.absences_version
                   returning tasks.task_id, tasks.partner_id, moved.traceparent, moved.trace_party "# + $returning + r#"
               ), trail as (
                   insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at,
                       command_id, command_digest, entry, data, personal, hash)
                   select task.task_id, row.seq, row.cause_seq, row.type, row.stage, row.round, row.party, row.recorded_at,
                       row.command_id, row.command_digest, row.entry, row.data::json, row.personal::json, row.hash
                   from task join row on row.task_id = task.task_id
               ), deliveries as (
                   insert into webhook_deliveries (task_id, seq, owner_id, endpoint_id, event_id, recorded_at, due_at,
                       traceparent, continues_trace)
                   select task.task_id, row.seq, endpoint.owner_id, endpoint.id, row.event_id, row.recorded_at, least(row.recorded_at, clock_timestamp()),
                       task.traceparent,
                       task.trace_party = case endpoint.owner_id when task.partner_id then 'partner' else 'platform' end
                   from task join row on row.task_id = task.task_id join webhook_endpoints endpoint
                       on endpoint.owner_id = any (array[task.partner_id, '00000000-0000-0000-0000-000000000000'::uuid])
                       and endpoint.state <> 'removed'
                       and (endpoint.types is null
                           or case endpoint.owner_id when task.partner_id then row.partner_type else row.type end = any (endpoint.types))
               ) "# + $facts + r#"
               select task_id as "task_id!", null::boolean as "known?" from task
               union all
               select task_id, exists (
                   select from task_events known
                   where known.task_id = wanted.task_id and known.party = wanted.party and known.command_id = wanted.command_id)
               from unnest($1::uuid[], $35::text[], $36::uuid[]) as wanted (task_id, party, command_id)
               where (select count(*) from task) < cardinality($1)"#,
            &column($tasks, |task| task.task_id), &column($tasks, |task| task.expected), &column($tasks, |task| task.version),
            &column($tasks, |task| task.phase) as _, &column($tasks, |task| task.stage.as_str()) as _,
            &column($tasks, |task| task.round), &column($tasks, |task| task.waiting_on) as _,
            &column($tasks, |task| task.due_at) as _, &column($tasks, |task| task.overdue),
            &column($tasks, |task| task.wake_at) as _, &column($tasks, |task| task.format),
            &column($tasks, |task| task.state.as_str()) as _, &column($tasks, |task| task.notes.as_str()) as _,
            &column($tasks, |task| task.buyer_status.as_str()) as _, &column($tasks, |task| task.status_version),
            &column($tasks, |task| &task.head.as_bytes()[..]) as _, &column($tasks, |task| task.updated_at),
            &column($tasks, |task| task.closed_at) as _, &column($rows, |row| row.task_id), &column($rows, |row| row.seq),
            &column($rows, |row| row.cause_seq), &column($rows, |row| row.kind) as _,
            &column($rows, |row| row.stage.as_deref()) as _, &column($rows, |row| row.round) as _,
            &column($rows, |row| row.party) as _, &column($rows, |row| row.recorded_at),
            &column($rows, |row| row.command_id) as _,
            &column($rows, |row| row.command_digest.as_ref().map(|digest| &digest[..])) as _,
            &column($rows, |row| row.sealed.entry.as_str()) as _, &column($rows, |row| row.sealed.data.as_str()) as _,
            &column($rows, |row| row.sealed.personal.as_str()) as _,
            &column($rows, |row| &row.sealed.hash.as_bytes()[..]) as _, &column($rows, |row| row.event_id.0),
            &column($rows, |row| row.partner_kind) as _, &column($commands, |command| command.map(|(party, _)| party)) as _,
            &column($commands, |command| command.map(|(_, id)| id)) as _,
            &column($traces, |trace| trace.as_ref().map(|trace| trace.traceparent.as_str())) as _,
            &column($traces, |trace| trace.as_ref().map(|trace| trace.party)) as _,
            &column($tasks, |task| task.absences_version)
            $(, $parameter)*
        }
    };
}

/// The member that a row is about, and whether the trail has its command's id; null: it was written.
struct Found {
    task_id: Uuid,
    known: Option<bool>,
}

/// Writes transitions of different tasks, each guarded by the versions of the task and of its partner's
/// absences that it was decided on.
/// Writes all that pass their guards, or on an error none. Returns the fate of each, in their
/// order.
///
/// No member can violate the unique key of command ids. If the trail has the id already, an earlier
/// transition wrote it, and the statement sees it; or a later one did, and then the version has
/// moved on and the guard refuses the member.
///
/// The statement waits for a row that another session has locked for up to `lock_timeout`, then
/// fails and writes nothing. [`list_unlocked`] then finds the members to send again.
pub(in crate::store) async fn update<'c>(
    database: impl PgExecutor<'c>,
    writes: &[&Prepared],
) -> Result<Vec<Fate>, sqlx::Error> {
    let tasks: Vec<&Present> = writes.iter().map(|write| &write.present).collect();
    let rows: Vec<&Row> = writes.iter().flat_map(|write| &write.rows).collect();
    let commands: Vec<Option<(&str, Uuid)>> = writes.iter().map(|write| write.command()).collect();
    let commands: Vec<&Option<(&str, Uuid)>> = commands.iter().collect();
    let traces: Vec<&Option<Trace>> = writes.iter().map(|write| &write.trace).collect();
    let (tasks, rows, commands, traces) = (&tasks, &rows, &commands, &traces);
    let facts: Vec<&FactRow> = writes.iter().flat_map(|write| &write.facts).collect();
    // A batch that closes no task is the statement that it would be without statistics.
    let found = if facts.is_empty() {
        write_batch!(tasks, rows, commands, traces, ["", ""]).fetch_all(database).await?
    } else {
        write_batch!(
            tasks,
            rows,
            commands,
            traces,
            [
                ", tasks.workflow_key, tasks.workflow_version, tasks.phase, tasks.opened_at, tasks.closed_at",
                ", facts as (
                     insert into stage_facts (task_id, stage, position, partner_id, workflow_key, workflow_version, outcome,
                         opened_at, closed_at, rounds, approved, rejected, first_pass, escalated_person, escalated_deadline,
                         escalated_exhausted, escalated_no_quorum, overdue, questions, partner_micros, buyer_micros,
                         platform_micros, revising_micros, reasons)
                     select task.task_id, fact.stage, fact.position, task.partner_id, task.workflow_key, task.workflow_version,
                         task.phase, task.opened_at, task.closed_at, fact.rounds, fact.approved, fact.rejected, fact.first_pass,
                         fact.escalated_person, fact.escalated_deadline, fact.escalated_exhausted, fact.escalated_no_quorum,
                         fact.overdue, fact.questions, fact.partner_micros, fact.buyer_micros, fact.platform_micros,
                         fact.revising_micros, fact.reasons
                     from task join json_to_recordset($40::text::json) as fact (task_id uuid, stage text, position integer,
                         rounds integer, approved integer, rejected integer, first_pass boolean, escalated_person integer,
                         escalated_deadline integer, escalated_exhausted integer, escalated_no_quorum integer, overdue integer,
                         questions integer, partner_micros bigint, buyer_micros bigint, platform_micros bigint,
                         revising_micros bigint, reasons json) on fact.task_id = task.task_id
                     on conflict (task_id, stage) do nothing
                 )"
            ],
            to_json(&facts),
        )
        .fetch_all(database)
        .await?
    };
    let mut fates = HashMap::with_capacity(found.len());
    for row in found {
        let fate = match row.known {
            None => Fate::Written,
            Some(true) => Fate::Known,
            Some(false) => Fate::Stale,
        };
        // The rows that were written come first; a task may appear again.
        fates.entry(row.task_id).or_insert(fate);
    }
    Ok(tasks.iter().map(|task| fates.get(&task.task_id).copied().unwrap_or(Fate::Stale)).collect())
}

/// Lists those of these tasks whose rows no other session has locked right now. It waits for no
/// lock.
pub(in crate::store) async fn list_unlocked<'c>(
    database: impl PgExecutor<'c>,
    tasks: &[TaskId],
) -> Result<HashSet<TaskId>, sqlx::Error> {
    let tasks: Vec<Uuid> = tasks.iter().map(|task| task.0).collect();
    let found =
        sqlx::query_scalar!("select task_id from tasks where task_id = any ($1) for no key update skip locked", &tasks);
    Ok(found.fetch_all(database).await?.into_iter().map(TaskId).collect())
}

/// Writes an opening and returns its version; no row comes back if the task exists, or did before it
/// was put away, or if the partner's absences have another version.
pub(super) async fn insert(
    pool: &Pool,
    prepared: &Prepared,
    open: &Open<'_>,
    opened: &Opened,
) -> Result<Option<i64>, sqlx::Error> {
    let Prepared { present, rows, facts: _, trace } = prepared;
    let rows: Vec<&Row> = rows.iter().collect();
    sqlx::query_scalar! {
        r#"with row as materialized (
               select * from unnest(
                   $24::bigint[], $25::bigint[], $26::text[], $27::text[], $28::integer[], $29::text[], $30::timestamptz[],
                   $31::uuid[], $32::bytea[], $33::text[], $34::text[], $35::text[], $36::bytea[], $37::uuid[], $38::text[]
               ) as row (seq, cause_seq, type, stage, round, party, recorded_at,
                   command_id, command_digest, entry, data, personal, hash, event_id, partner_type)
           ), task as (
               insert into tasks (task_id, partner_id, buyer_id, workflow_key, workflow_version, title, metadata,
                   open_digest, opened_at, version, phase, stage, round, waiting_on, due_at, overdue, wake_at, format,
                   state, notes, buyer_status, status_version, head_hash, updated_at)
               select $1, $2, $3, $4, $5, $6, $7::text::json, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                   $19::text::jsonb, $20::text::jsonb, $21::text::json, $22, $23, $9
               where not exists (select from archived_tasks archived where archived.task_id = $1)
                   and (select partner.absences_version from partners partner where partner.id = $2) = $41
               on conflict (task_id) do nothing
               returning task_id, partner_id, version
           ), trail as (
               insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at,
                   command_id, command_digest, entry, data, personal, hash)
               select task.task_id, row.seq, row.cause_seq, row.type, row.stage, row.round, row.party, row.recorded_at,
                   row.command_id, row.command_digest, row.entry, row.data::json, row.personal::json, row.hash
               from task cross join row
           ), deliveries as (
               insert into webhook_deliveries (task_id, seq, owner_id, endpoint_id, event_id, recorded_at, due_at,
                   traceparent, continues_trace)
               select task.task_id, row.seq, endpoint.owner_id, endpoint.id, row.event_id, row.recorded_at, least(row.recorded_at, clock_timestamp()),
                   $39, $40 = case endpoint.owner_id when task.partner_id then 'partner' else 'platform' end
               from task cross join row join webhook_endpoints endpoint
                   on endpoint.owner_id in (task.partner_id, '00000000-0000-0000-0000-000000000000')
                   and endpoint.state <> 'removed'
                   and (endpoint.types is null
                       or case endpoint.owner_id when task.partner_id then row.partner_type else row.type end = any (endpoint.types))
           )
           select version as "version!" from task"#,
        present.task_id, open.partner_id.0, open.buyer_id.0, opened.workflow.key.as_str(), int(opened.workflow.version),
        opened.title.as_ref().map(Text::as_str), opened.metadata.as_ref().map(to_json), &open.digest[..], present.updated_at,
        present.version, present.phase, present.stage, present.round, present.waiting_on, present.due_at, present.overdue,
        present.wake_at, present.format, present.state, present.notes, present.buyer_status, present.status_version,
        &present.head.as_bytes()[..],
        &column(&rows, |row| row.seq), &column(&rows, |row| row.cause_seq), &column(&rows, |row| row.kind) as _,
        &column(&rows, |row| row.stage.as_deref()) as _, &column(&rows, |row| row.round) as _,
        &column(&rows, |row| row.party) as _, &column(&rows, |row| row.recorded_at), &column(&rows, |row| row.command_id) as _,
        &column(&rows, |row| row.command_digest.as_ref().map(|digest| &digest[..])) as _,
        &column(&rows, |row| row.sealed.entry.as_str()) as _, &column(&rows, |row| row.sealed.data.as_str()) as _,
        &column(&rows, |row| row.sealed.personal.as_str()) as _, &column(&rows, |row| &row.sealed.hash.as_bytes()[..]) as _,
        &column(&rows, |row| row.event_id.0), &column(&rows, |row| row.partner_kind) as _,
        trace.as_ref().map(|trace| trace.traceparent.as_str()), trace.as_ref().map(|trace| trace.party),
        present.absences_version,
    }
    .fetch_optional(pool)
    .await
}

/// Collects one column of many rows, as `unnest` takes it.
fn column<'a, R, T>(of: &[&'a R], column: impl Fn(&'a R) -> T) -> Vec<T> {
    of.iter().copied().map(column).collect()
}
