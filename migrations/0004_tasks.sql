-- Tasks and their trail. Everything about a task hangs on its task_id, so that one task lives on one node of a distributed engine:
-- every unique key starts with it, and there are no sequences, triggers or advisory locks.

create table tasks (
    task_id uuid not null,
    partner_id uuid not null,
    buyer_id uuid not null,
    workflow_key text not null,
    workflow_version integer not null,
    title text constraint tasks_title_length check (char_length(title) between 1 and 200),
    metadata json constraint tasks_metadata_is_object check (json_typeof(metadata) = 'object'),
    open_digest bytea not null constraint tasks_open_digest_is_sha256 check (octet_length(open_digest) = 32),
    opened_at timestamptz not null,

    version bigint not null,
    phase text not null constraint tasks_phase_known check (phase in (
        'preparing', 'in_review', 'escalated', 'on_hold', 'cancelling', 'delivery', 'cancelled', 'expired', 'failed')),
    stage text not null constraint tasks_stage_shape check (stage ~ '^[a-z0-9-]{1,64}$'),
    round integer not null constraint tasks_round_from_one check (round >= 1),
    waiting_on text constraint tasks_waiting_on_known check (waiting_on in ('partner', 'buyer', 'platform')),
    waits_for uuid generated always as (case waiting_on
        when 'partner' then partner_id
        when 'buyer' then buyer_id
        when 'platform' then '00000000-0000-0000-0000-000000000000'::uuid end) stored,
    due_at timestamptz,
    due_rank timestamptz generated always as (coalesce(due_at, 'infinity'::timestamptz)) stored,
    overdue boolean not null,
    wake_at timestamptz,

    format integer not null constraint tasks_format_from_one check (format >= 1),
    state jsonb not null constraint tasks_state_is_object check (jsonb_typeof(state) = 'object'),
    notes jsonb not null constraint tasks_notes_are_object check (jsonb_typeof(notes) = 'object'),
    buyer_status json not null constraint tasks_buyer_status_is_object check (json_typeof(buyer_status) = 'object'),
    status_version bigint not null,
    head_hash bytea not null constraint tasks_head_hash_is_sha256 check (octet_length(head_hash) = 32),
    updated_at timestamptz not null,
    closed_at timestamptz,

    constraint tasks_pkey primary key (task_id),
    constraint tasks_workflow_fkey foreign key (partner_id, workflow_key, workflow_version)
        references workflow_versions (partner_id, key, version),
    constraint tasks_time_moves_on check (updated_at >= opened_at),
    constraint tasks_versions_from_one check (1 <= status_version and status_version <= version),
    constraint tasks_open_ones_wait check ((waiting_on is null) = (phase in ('delivery', 'cancelled', 'expired', 'failed'))),
    constraint tasks_closed_ones_are_still check (waiting_on is not null or (due_at is null and wake_at is null and not overdue)),
    constraint tasks_over_ones_ended check ((closed_at is null) = (waiting_on is not null) and closed_at between opened_at and updated_at),
    constraint tasks_overdue_was_due check (not overdue or (due_at is not null and phase in ('in_review', 'escalated'))),
    constraint tasks_cancelling_waits_on_partner check (phase <> 'cancelling' or waiting_on = 'partner'),
    constraint tasks_hold_stops_the_clock check (phase <> 'on_hold' or (due_at is null and waiting_on in ('partner', 'platform'))),
    constraint tasks_cancelling_ends check (phase <> 'cancelling' or (due_at is not null and wake_at is not distinct from due_at)),
    constraint tasks_times_are_real check (
        least(opened_at, due_at, wake_at, updated_at, closed_at) > '-infinity'
        and greatest(opened_at, due_at, wake_at, updated_at, closed_at) < '100000-01-01 00:00:00+00')
) with (
    -- A vote short of quorum changes no indexed column: room on the page lets it stay a heap-only update.
    fillfactor = 80,
    -- Every transition leaves a dead row; small and often keeps pages reusable.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.05
);

-- Whose desk a task is on: the inbox of all three parties, as one queue for each stage of a version, the overdue apart, the earliest due
-- first. A page is merged from the queues that it asks for, so no filter reads what it leaves out; counts need nothing but the index.
create index tasks_inbox on tasks (waits_for, waiting_on, partner_id, workflow_key, workflow_version, stage, overdue, due_rank, task_id)
    where waiting_on is not null;
-- A partner's lists, newest first: as in the inbox, what a filter can ask for is kept apart and pages are merged.
create index tasks_of_partner on tasks (partner_id, phase, workflow_key, stage, waiting_on, overdue, opened_at, task_id);
-- Lists of all partners' tasks, newest first. With the phase in front, the few open tasks are found among the many closed ones.
create index tasks_by_phase on tasks (phase, opened_at, task_id);
-- The same by stage, and of what is overdue.
create index tasks_of_stage on tasks (stage, phase, opened_at, task_id);
create index tasks_overdue on tasks (phase, opened_at, task_id) where overdue;
-- Every status of one buyer, newest first.
create index tasks_of_buyer on tasks (buyer_id, opened_at, task_id);
-- What the timers must wake.
create index tasks_to_wake on tasks (wake_at) where wake_at is not null;
-- What the latest finished tasks of a version took. Written once a task, at its end.
create index tasks_finished on tasks (partner_id, workflow_key, workflow_version, closed_at) where phase = 'delivery';

comment on table tasks is 'The present of every task, one row each; its version guards every write. Lists, inbox and timers search here too: a separate index table would cost a second write whenever one of their columns changes, and saves nothing when none does';
comment on column tasks.task_id is 'The id the platform gave it; distribution key of everything about the task';
comment on column tasks.partner_id is 'Whose workflow it runs on';
comment on column tasks.buyer_id is 'Who ordered it: the sub of the buyer''s token';
comment on column tasks.workflow_key is 'The workflow it was opened on';
comment on column tasks.workflow_version is 'The version it is pinned to for life';
comment on column tasks.title is 'What people call it, as the platform opened it; null once erased';
comment on column tasks.metadata is 'The platform''s own data, unread by us and given back as it came (json, not jsonb)';
comment on column tasks.open_digest is 'Digest of the opening request: the same body again is answered with this task, another one is refused';
comment on column tasks.opened_at is 'When it was opened; lists are sorted by it because it never changes';
comment on column tasks.version is 'Seq of the last event: the guard of optimistic writes, gap-free because it lives in the row it guards';
comment on column tasks.phase is 'Where the task is, in one word; lists filter by it';
comment on column tasks.stage is 'Key of the current stage (of a closed task: the last one); lists filter by it';
comment on column tasks.round is 'How many times the task has entered that stage; shown in lists';
comment on column tasks.waiting_on is 'The party that must act next; null once the task is closed';
comment on column tasks.waits_for is 'Id of that party (all zeros: the platform), so that one index serves the inbox of all three';
comment on column tasks.due_at is 'When the present wait should end; shown in lists';
comment on column tasks.due_rank is 'The same, infinity where there is no limit: the inbox is sorted by it, and an index of columns alone answers without the table';
comment on column tasks.overdue is 'Whether that time has passed and the wait goes on; lists filter by it';
comment on column tasks.wake_at is 'The earliest timer in the state; null: nothing to wake for';
comment on column tasks.format is 'Shape of state, notes and status: older ones load for ever, a replica that meets a newer one writes nothing';
comment on column tasks.state is 'What the next decision needs: folded from the events, without personal data but actor ids, and none of those once closed';
comment on column tasks.notes is 'The texts that the present still shows (personal data, erasable), folded from the events';
comment on column tasks.buyer_status is 'What the buyer reads, ready to send byte for byte (json, not jsonb)';
comment on column tasks.status_version is 'The version at which the buyer''s status last changed: its ETag';
comment on column tasks.head_hash is 'Hash of the last event: the next link of the chain is made from it without reading the trail';
comment on column tasks.updated_at is 'When the last event was recorded';
comment on column tasks.closed_at is 'When it ended; null while it is open. Late decisions move updated_at, never this';

create table task_events (
    task_id uuid not null,
    seq bigint not null,
    cause_seq bigint not null,
    type text not null constraint task_events_type_shape check (type ~ '^task\.[a-z_]{1,64}$'),
    stage text constraint task_events_stage_shape check (stage ~ '^[a-z0-9-]{1,64}$'),
    round integer constraint task_events_round_from_one check (round >= 1),
    party text not null constraint task_events_party_known check (party in ('partner', 'buyer', 'platform', 'service')),
    recorded_at timestamptz not null,
    command_id uuid,
    command_digest bytea constraint task_events_command_digest_is_sha256 check (octet_length(command_digest) = 32),
    epoch bigint not null default 0,
    xid xid8 not null default pg_current_xact_id(),
    entry text not null,
    data json not null constraint task_events_data_is_object check (json_typeof(data) = 'object'),
    personal json not null constraint task_events_personal_is_object check (json_typeof(personal) = 'object'),
    hash bytea not null constraint task_events_hash_is_sha256 check (octet_length(hash) = 32),
    constraint task_events_pkey primary key (task_id, seq),
    constraint task_events_task_fkey foreign key (task_id) references tasks (task_id),
    constraint task_events_cause_comes_first check (cause_seq between 1 and seq),
    constraint task_events_opened_is_first check ((type = 'task.opened') = (seq = 1)),
    constraint task_events_stage_has_round check ((stage is null) = (round is null)),
    constraint task_events_only_opening_has_no_stage check ((stage is null) = (seq = 1)),
    constraint task_events_command_has_digest check ((command_id is null) = (command_digest is null)),
    constraint task_events_command_is_the_cause check (command_id is null or (cause_seq = seq and party <> 'service')),
    constraint task_events_times_are_real check (
        recorded_at > '-infinity' and recorded_at < '100000-01-01 00:00:00+00')
) with (
    -- Insert only: visibility maps and statistics must not wait for dead rows that never come.
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);

-- The idempotency key of commands.
create unique index task_events_command on task_events (task_id, party, command_id) where command_id is not null;
-- The feed, in an order that never changes behind a reader: a page ends below the oldest transaction still running.
create index task_events_feed on task_events (epoch, xid, task_id, seq);

comment on table task_events is 'The trail, the feed and the record of commands in one: append-only for the service, but for the column personal';
comment on column task_events.task_id is 'Whose trail';
comment on column task_events.seq is '1, 2, 3 … per task, no gaps';
comment on column task_events.cause_seq is 'Seq of the first event of the same transition';
comment on column task_events.type is 'What happened; the names are a contract';
comment on column task_events.stage is 'The stage it happened in; null for the opening alone';
comment on column task_events.round is 'That stage''s round';
comment on column task_events.party is 'The credential''s party, or service for timers and automatic consequences';
comment on column task_events.recorded_at is 'When it was recorded; never goes backwards within a task';
comment on column task_events.command_id is 'The idempotency key, on the first event of the transition that the command caused';
comment on column task_events.command_digest is 'Digest of the command: the same id with another body is refused';
comment on column task_events.epoch is 'Orders transactions before xid does: those of an earlier epoch are over';
comment on column task_events.xid is 'The writing transaction, so that the feed can stop below those still running';
comment on column task_events.entry is 'The very text that was hashed (RFC 8785): commitments to every field, none of them readable';
comment on column task_events.data is 'The fields that are no personal data, with their salts, byte for byte (json, not jsonb)';
comment on column task_events.personal is 'Names, ids, free text and URLs, with their salts; where one was erased, its commitment alone, so that the chain still verifies';
comment on column task_events.hash is 'SHA-256 over the previous hash and the entry: one link of the task''s chain';

grant select, insert, update on tasks to stagegate_app;
grant select, insert on task_events to stagegate_app;

-- May be there already (roles belong to the cluster, and databases are migrated side by side).
do $$
begin
    if not exists (select from pg_roles where rolname = 'stagegate_erasure') then
        create role stagegate_erasure nologin;
        comment on role stagegate_erasure is 'May blank personal data in the trail, and nothing else there';
    end if;
exception
    when duplicate_object or unique_violation then null;
end
$$;

grant select, update (personal) on task_events to stagegate_erasure;
