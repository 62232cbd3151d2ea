-- Retention: closed tasks whose trails are files in the operator's archive, and whose rows are gone. What is left of a task here names the
-- file, says who may be told of it, and keeps the figures that forecasts need. The leaves of its trail stay in audit_leaves.

create table archived_tasks (
    task_id uuid not null,
    partner_id uuid not null,
    buyer_id uuid not null,
    workflow_key text not null,
    workflow_version integer not null,
    closed_at timestamptz not null,
    entered_at jsonb constraint archived_tasks_entered_at_is_array check (jsonb_typeof(entered_at) = 'array'),
    version bigint not null constraint archived_tasks_version_from_one check (version >= 1),
    head_hash bytea not null constraint archived_tasks_head_hash_is_sha256 check (octet_length(head_hash) = 32),
    file text not null constraint archived_tasks_file_length check (char_length(file) between 1 and 200),
    file_sha256 bytea not null constraint archived_tasks_file_sha256_is_sha256 check (octet_length(file_sha256) = 32),
    file_size bigint not null constraint archived_tasks_file_size_from_one check (file_size >= 1),
    archived_at timestamptz not null,
    epoch bigint not null default 0,
    xid xid8 not null default pg_current_xact_id(),
    constraint archived_tasks_pkey primary key (task_id),
    constraint archived_tasks_partner_fkey foreign key (partner_id) references partners (id),
    constraint archived_tasks_time_moves_on check (archived_at >= closed_at),
    constraint archived_tasks_times_are_real check (
        least(closed_at, archived_at) > '-infinity' and greatest(closed_at, archived_at) < '100000-01-01 00:00:00+00')
);

-- As tasks_finished: what the latest finished tasks of a version took.
create index archived_tasks_finished on archived_tasks (partner_id, workflow_key, workflow_version, closed_at)
    where entered_at is not null;
-- What has gone since a replica last looked, so that it drops what it has in memory.
create index archived_tasks_changed on archived_tasks (epoch, xid);

comment on table archived_tasks is 'Tasks that were put away: closed, exported to a file of the archive, verified there, and deleted here. A row is written by the transaction that deletes the others';
comment on column archived_tasks.task_id is 'The task; no other is opened under its id';
comment on column archived_tasks.partner_id is 'Whose workflow it ran on: that partner may be told where its trail is';
comment on column archived_tasks.buyer_id is 'Who ordered it: that buyer may be told that it was put away';
comment on column archived_tasks.workflow_key is 'The workflow it ran on, for forecasts';
comment on column archived_tasks.workflow_version is 'Its version, for forecasts';
comment on column archived_tasks.closed_at is 'When it ended';
comment on column archived_tasks.entered_at is 'Of a delivered task: when it first entered each stage, for forecasts; null for any other end';
comment on column archived_tasks.version is 'Seq of the last entry of its trail';
comment on column archived_tasks.head_hash is 'Hash of that entry, which is the last leaf of the trail in audit_leaves and the end of the file';
comment on column archived_tasks.file is 'Where its export is, below the archive''s directory';
comment on column archived_tasks.file_sha256 is 'SHA-256 of that file; the partner''s trail has it too';
comment on column archived_tasks.file_size is 'Its length in bytes';
comment on column archived_tasks.archived_at is 'When it was put away, by the clock of the replica that did it';
comment on column archived_tasks.epoch is 'As that of task_events';
comment on column archived_tasks.xid is 'The transaction that put it away';

create table archive_secrets (
    id boolean not null default true constraint archive_secrets_is_one check (id),
    secret bytea not null constraint archive_secrets_length check (octet_length(secret) = 32),
    constraint archive_secrets_pkey primary key (id)
);

comment on table archive_secrets is 'One row: the key of the digests in archived_actors, so that they say nothing to whoever has that table alone';
comment on column archive_secrets.id is 'Always true: there is one row';
comment on column archive_secrets.secret is 'Random, made with the table';

insert into archive_secrets (secret) values (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

create table archived_actors (
    task_id uuid not null,
    actor_digest bytea not null constraint archived_actors_digest_is_sha256 check (octet_length(actor_digest) = 32),
    constraint archived_actors_pkey primary key (task_id, actor_digest),
    constraint archived_actors_task_fkey foreign key (task_id) references archived_tasks (task_id)
);

create index archived_actors_of_actor on archived_actors (actor_digest, task_id);

comment on table archived_actors is 'Whose data is in the files of tasks that were put away, so that an erasure can say which files it does not reach';
comment on column archived_actors.task_id is 'The task';
comment on column archived_actors.actor_digest is 'HMAC-SHA256 of the actor''s party, partner and id under the key in archive_secrets';

create table archive_writes (
    task_id uuid not null,
    file text not null constraint archive_writes_file_length check (char_length(file) between 1 and 200),
    holder uuid not null,
    constraint archive_writes_pkey primary key (task_id)
);

comment on table archive_writes is 'Files that may be in the archive without a record of them: written before a file is, deleted with the rows of its task or once the file was removed. A crash leaves its rows, and the next turn sees to them first';
comment on column archive_writes.task_id is 'The task';
comment on column archive_writes.file is 'The file';
comment on column archive_writes.holder is 'The process that writes it. Only that one may delete the task''s rows or remove the file, and another one takes it over first';

create table archive_turns (
    id boolean not null default true constraint archive_turns_is_one check (id),
    holder uuid,
    until timestamptz not null default now(),
    constraint archive_turns_pkey primary key (id),
    constraint archive_turns_times_are_real check (until > '-infinity' and until < '100000-01-01 00:00:00+00')
);

comment on table archive_turns is 'One row: which replica puts tasks away. It saves work and decides nothing: two at once would write the same bytes, and one would delete the rows';
comment on column archive_turns.id is 'Always true: there is one row';
comment on column archive_turns.holder is 'The process that has the turn; null: none had it yet';
comment on column archive_turns.until is 'When its turn ends unless it is renewed, by the database''s clock';

insert into archive_turns default values;

create table feed_starts (
    owner_id uuid not null,
    epoch bigint not null,
    xid xid8 not null,
    row_id uuid not null,
    row_seq bigint not null,
    removals bigint not null default 1 constraint feed_starts_removals_from_one check (removals >= 1),
    constraint feed_starts_pkey primary key (owner_id)
);

comment on table feed_starts is 'How far events have left each feed. A cursor before that place might skip one, so it is refused; a cursor behind it missed nothing';
comment on column feed_starts.owner_id is 'Whose feed: a partner''s id, or all zeros for the platform';
comment on column feed_starts.epoch is 'Of the last event that left the feed, as in task_events';
comment on column feed_starts.xid is 'Its transaction';
comment on column feed_starts.row_id is 'Its task';
comment on column feed_starts.row_seq is 'Its seq';
comment on column feed_starts.removals is 'How often events have left it, so that a reader sees whether some did while it read';

create table erasure_archived_tasks (
    task_id uuid not null,
    erasure_id uuid not null,
    constraint erasure_archived_tasks_pkey primary key (task_id, erasure_id),
    constraint erasure_archived_tasks_task_fkey foreign key (task_id) references archived_tasks (task_id),
    constraint erasure_archived_tasks_erasure_fkey foreign key (erasure_id) references erasures (id)
);

create index erasure_archived_tasks_of_erasure on erasure_archived_tasks (erasure_id, task_id);

comment on table erasure_archived_tasks is 'Files of the archive that hold what an erasure should remove and cannot reach';
comment on column erasure_archived_tasks.task_id is 'The task that the file is of';
comment on column erasure_archived_tasks.erasure_id is 'The erasure';

-- Which tasks have been closed for long. A task enters it once, as it closes.
create index tasks_closed on tasks (closed_at, task_id) where closed_at is not null;

-- The tasks that nothing but their age keeps: closed, the log has the end of the trail, no erasure has to visit them, and nothing waits to be
-- sent about them. (What a disabled endpoint has missed for so long is given up.) It is a view, and no function that is given a row of tasks,
-- since Citus passes rows of another type and allows no statement inside another. Ask whether count(*) is 1 for a task: with exists the
-- planner may read the whole view to answer for a few.
create view archivable_tasks as
    select task.task_id
    from tasks task
    where task.closed_at is not null
        and exists (
            select from audit_leaves leaf
            where leaf.subject = 'task' and leaf.subject_id = task.task_id and leaf.seq = task.version and leaf.head = task.head_hash)
        and not exists (select from erasure_tasks aside where aside.task_id = task.task_id)
        and not exists (
            select from erasures erasure
            where erasure.state <> 'done' and erasure.state <> 'waiting' and (erasure.last_task is null or erasure.last_task < task.task_id)
                and case erasure.party
                    when 'partner' then erasure.partner_id = task.partner_id
                    when 'buyer' then lower(erasure.actor_id) = task.buyer_id::text
                    else true
                end)
        and not exists (
            select from webhook_deliveries delivery
            join webhook_endpoints endpoint on (endpoint.owner_id, endpoint.id) = (delivery.owner_id, delivery.endpoint_id)
            where delivery.task_id = task.task_id and delivery.state = 'pending' and endpoint.state = 'enabled');

comment on view archivable_tasks is 'Tasks that can be put away now, if they have been closed for long enough. It is asked for one task at a time';

-- Deletes the rows of these tasks and records where their exports are, and returns those that were deleted. The serving role may delete
-- nothing from the trail; it may call this, which compares every task with the end of its file first. A task that has moved on, that
-- something keeps, that somebody writes at this moment, or whose file another process has taken over is left alone.
create function archive_tasks(
    writer uuid, ids uuid[], versions bigint[], heads bytea[], files text[], digests bytea[], sizes bigint[], at timestamptz
) returns setof uuid
language plpgsql security definer as $$
declare
    gone uuid[];
    -- As the column's default has it. Citus cannot rebuild an insert from a select of tables that calls a stable function.
    here constant xid8 := pg_current_xact_id();
begin
    gone := array(
        select task.task_id
        from archive_writes write
        join unnest(ids, versions, heads, files) as filed (task_id, version, head, file)
            on (filed.task_id, filed.file) = (write.task_id, write.file)
        join tasks task on task.task_id = filed.task_id
        where write.holder = writer and (task.version, task.head_hash) = (filed.version, filed.head)
            and (select count(*) from archivable_tasks archivable where archivable.task_id = task.task_id) = 1
        order by task.task_id
        for update of write
        for update of task skip locked);
    delete from archive_writes where task_id = any (gone);
    insert into archived_tasks (task_id, partner_id, buyer_id, workflow_key, workflow_version, closed_at, entered_at, version, head_hash,
        file, file_sha256, file_size, archived_at, xid)
    select task.task_id, task.partner_id, task.buyer_id, task.workflow_key, task.workflow_version, task.closed_at,
        case when task.phase = 'delivery'
                and jsonb_array_length(task.state -> 'stages') = jsonb_array_length(jsonb_path_query_array(task.state, '$.stages[*].entered_at'))
            then jsonb_path_query_array(task.state, '$.stages[*].entered_at') end,
        task.version, task.head_hash, filed.file, filed.digest, filed.size, at, here
    from tasks task join unnest(ids, files, digests, sizes) as filed (task_id, file, digest, size) on filed.task_id = task.task_id
    where task.task_id = any (gone);
    insert into feed_starts as start (owner_id, epoch, xid, row_id, row_seq)
    select distinct on (owner.owner_id) owner.owner_id, event.epoch, event.xid, event.task_id, event.seq
    from task_events event join tasks task on task.task_id = event.task_id
    cross join lateral (values (task.partner_id), ('00000000-0000-0000-0000-000000000000'::uuid)) as owner (owner_id)
    where event.task_id = any (gone)
    order by owner.owner_id, event.epoch desc, event.xid desc, event.task_id desc, event.seq desc
    on conflict (owner_id) do update
        set (epoch, xid, row_id, row_seq) = (
                select place.epoch, place.xid, place.row_id, place.row_seq
                from (values (start.epoch, start.xid, start.row_id, start.row_seq),
                    (excluded.epoch, excluded.xid, excluded.row_id, excluded.row_seq)) as place (epoch, xid, row_id, row_seq)
                order by place.epoch desc, place.xid desc, place.row_id desc, place.row_seq desc limit 1),
            removals = start.removals + 1;
    delete from webhook_deliveries where task_id = any (gone);
    -- An inbox only begins at the task.
    update links set task_id = null where task_id = any (gone) and kind in ('inbox', 'console');
    delete from links where task_id = any (gone);
    delete from task_events where task_id = any (gone);
    delete from tasks where task_id = any (gone);
    return query select unnest(gone);
end
$$;

comment on function archive_tasks is 'The one way by which the rows of a task and its trail are deleted';

-- It runs with the rights of the owner, so it finds tables in this schema and nowhere else.
do $$
declare
    arguments constant text := 'archive_tasks(uuid, uuid[], bigint[], bytea[], text[], bytea[], bigint[], timestamptz)';
begin
    execute format('alter function %s set search_path = %I, pg_temp', arguments, current_schema());
    execute format('revoke execute on function %s from public', arguments);
    execute format('grant execute on function %s to stagegate_app', arguments);
end
$$;

-- What was recorded of a task that was put away stays as it is.
grant select on archived_tasks, archive_secrets, feed_starts, archivable_tasks to stagegate_app;
grant select, insert on archived_actors, erasure_archived_tasks to stagegate_app;
grant select, insert, update, delete on archive_writes to stagegate_app;
grant select, update on archive_turns to stagegate_app;
