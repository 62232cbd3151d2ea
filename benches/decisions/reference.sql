with row as materialized (
    select * from unnest(
        $18::bigint[], $19::bigint[], $20::text[], $21::text[], $22::integer[], $23::text[], $24::timestamptz[],
        $25::uuid[], $26::bytea[], $27::text[], $28::text[], $29::text[], $30::bytea[], $32::uuid[], $33::text[]
    ) as row (seq, cause_seq, type, stage, round, party, recorded_at,
        command_id, command_digest, entry, data, personal, hash, event_id, partner_type)
), task as (
    update tasks set
        version = $3, phase = $4, stage = $5, round = $6, waiting_on = $7, due_at = $8, overdue = $9,
        wake_at = $10, format = $11, state = $12::text::jsonb, notes = $13::text::jsonb,
        buyer_status = $14::text::json, status_version = $15, head_hash = $16, updated_at = $17,
        closed_at = $31
    where task_id = $1 and version = $2
    returning task_id, partner_id, version
), trail as (
    insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at,
        command_id, command_digest, entry, data, personal, hash)
    select task.task_id, row.seq, row.cause_seq, row.type, row.stage, row.round, row.party, row.recorded_at,
        row.command_id, row.command_digest, row.entry, row.data::json, row.personal::json, row.hash
    from task cross join row
), deliveries as (
    insert into webhook_deliveries (task_id, seq, owner_id, endpoint_id, event_id, recorded_at, due_at)
    select task.task_id, row.seq, endpoint.owner_id, endpoint.id, row.event_id, row.recorded_at, row.recorded_at
    from task cross join row join webhook_endpoints endpoint
        on endpoint.owner_id in (task.partner_id, '00000000-0000-0000-0000-000000000000')
        and endpoint.state <> 'removed'
        and (endpoint.types is null
            or case endpoint.owner_id when task.partner_id then row.partner_type else row.type end = any (endpoint.types))
)
select version from task
