-- Who is told of events over HTTP, and what became of each delivery. Deliveries hang on their task, as the trail does; endpoints and their
-- secrets are few and belong to whoever set them up.

create table webhook_owners (
    owner_id uuid not null,
    constraint webhook_owners_pkey primary key (owner_id)
);

comment on table webhook_owners is 'Who has set up endpoints. Adding one locks the owner''s row first, so that the count which follows sees every earlier one; the platform has no other row to lock';
comment on column webhook_owners.owner_id is 'As that of webhook_endpoints';

-- Its one column never changes; an update is how a statement waits for the row.
grant select, insert, update on webhook_owners to stagegate_app;

create table webhook_endpoints (
    owner_id uuid not null,
    partner_id uuid generated always as (nullif(owner_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
    id text not null constraint webhook_endpoints_id_shape check (id ~ '^[a-z0-9-]{1,64}$'),
    url text not null constraint webhook_endpoints_url_length check (char_length(url) between 1 and 2000),
    types text[] constraint webhook_endpoints_types_are_some check (cardinality(types) >= 1),
    state text not null constraint webhook_endpoints_state_known check (state in ('enabled', 'disabled', 'removed')),
    disabled_reason text constraint webhook_endpoints_reason_known check (disabled_reason in ('gone', 'failing')),
    secret text,
    secret_created_at timestamptz,
    next_secret text,
    next_secret_created_at timestamptz,
    failures integer not null default 0 constraint webhook_endpoints_failures_from_zero check (failures >= 0),
    failing_since timestamptz,
    paused_until timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint webhook_endpoints_pkey primary key (owner_id, id),
    constraint webhook_endpoints_partner_fkey foreign key (partner_id) references partners (id),
    constraint webhook_endpoints_disabled_ones_say_why check ((state = 'disabled') = (disabled_reason is not null)),
    constraint webhook_endpoints_removed_ones_have_no_secret check ((state = 'removed') = (secret is null)),
    constraint webhook_endpoints_secret_whole check ((secret is null) = (secret_created_at is null)),
    constraint webhook_endpoints_next_secret_whole check ((next_secret is null) = (next_secret_created_at is null)),
    constraint webhook_endpoints_failing_whole check ((failures > 0) = (failing_since is not null)),
    constraint webhook_endpoints_times_are_real check (
        least(secret_created_at, next_secret_created_at, failing_since, paused_until, created_at, updated_at) > '-infinity'
        and greatest(secret_created_at, next_secret_created_at, failing_since, paused_until, created_at, updated_at)
            < '100000-01-01 00:00:00+00')
);

comment on table webhook_endpoints is 'Where events are sent. Never deleted: deliveries name them';
comment on column webhook_endpoints.owner_id is 'Whose view it receives: a partner''s id, or all zeros for the platform';
comment on column webhook_endpoints.partner_id is 'The same where it is a partner';
comment on column webhook_endpoints.id is 'What the owner calls it';
comment on column webhook_endpoints.url is 'Where to; checked again at every attempt, since what a name stands for can change';
comment on column webhook_endpoints.types is 'The types of events that it receives; null: all';
comment on column webhook_endpoints.state is 'enabled; disabled: deliveries are recorded and wait; removed: none are recorded';
comment on column webhook_endpoints.disabled_reason is 'gone: it answered 410; failing: every attempt of five days failed';
comment on column webhook_endpoints.secret is 'What deliveries are signed with: as it is, since a signature needs it whole. None once removed';
comment on column webhook_endpoints.secret_created_at is 'When it was made';
comment on column webhook_endpoints.next_secret is 'What takes its place when the owner says so, or a day after it was made';
comment on column webhook_endpoints.next_secret_created_at is 'When that was made';
comment on column webhook_endpoints.failures is 'How many attempts have failed since one succeeded';
comment on column webhook_endpoints.failing_since is 'When the first of them did';
comment on column webhook_endpoints.paused_until is 'Until when it is left alone after several failures';
comment on column webhook_endpoints.created_at is 'When it was set up, after a removal: set up again';
comment on column webhook_endpoints.updated_at is 'When the owner, or the service by disabling it, changed it last';

create table webhook_deliveries (
    task_id uuid not null,
    seq bigint not null,
    owner_id uuid not null,
    endpoint_id text not null,
    event_id uuid not null,
    recorded_at timestamptz not null,
    state text not null default 'pending' constraint webhook_deliveries_state_known check (state in ('pending', 'delivered', 'failed')),
    due_at timestamptz,
    attempt integer not null default 0 constraint webhook_deliveries_attempt_from_zero check (attempt >= 0),
    earlier integer not null default 0,
    attempts json not null default '[]',
    answer text,
    under_way boolean not null default false,
    constraint webhook_deliveries_pkey primary key (task_id, seq, owner_id, endpoint_id),
    constraint webhook_deliveries_event_fkey foreign key (task_id, seq) references task_events (task_id, seq),
    constraint webhook_deliveries_pending_ones_are_due check ((state = 'pending') = (due_at is not null)),
    constraint webhook_deliveries_earlier_within check (earlier between 0 and attempt),
    constraint webhook_deliveries_times_are_real check (
        least(recorded_at, due_at) > '-infinity' and greatest(recorded_at, due_at) < '100000-01-01 00:00:00+00')
) with (
    -- Each attempt updates its row twice.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02
);

-- What each endpoint is to be sent next.
create index webhook_deliveries_due on webhook_deliveries (owner_id, endpoint_id, due_at) where state = 'pending';
-- The head of each line: of one task's deliveries to one endpoint the oldest that is pending, found without those that are settled.
create index webhook_deliveries_line on webhook_deliveries (task_id, owner_id, endpoint_id, seq) where state = 'pending';
-- What it was sent, the newest first.
create index webhook_deliveries_recorded on webhook_deliveries (owner_id, endpoint_id, recorded_at, task_id, seq);
-- The few that are looked for among the many.
create index webhook_deliveries_failed on webhook_deliveries (owner_id, endpoint_id, recorded_at, task_id, seq) where state = 'failed';
-- One of them, by the id that its receiver knows.
create index webhook_deliveries_event on webhook_deliveries (event_id);

comment on table webhook_deliveries is 'One row per event and endpoint that receives it, written by the statement that writes the event. No foreign key to the endpoint: every writer would lock its row';
comment on column webhook_deliveries.task_id is 'Whose event';
comment on column webhook_deliveries.seq is 'Which event';
comment on column webhook_deliveries.owner_id is 'Whose endpoint';
comment on column webhook_deliveries.endpoint_id is 'Which endpoint';
comment on column webhook_deliveries.event_id is 'The event''s own id, by which receivers know what they had before';
comment on column webhook_deliveries.recorded_at is 'When the event was recorded';
comment on column webhook_deliveries.state is 'pending; delivered: an answer of 2xx; failed: given up after the last attempt, or as the endpoint was removed';
comment on column webhook_deliveries.due_at is 'When the next attempt may begin; while one runs: when it is taken for dead; behind another event of its task: when that one''s is';
comment on column webhook_deliveries.attempt is 'How many attempts were begun: what one of them finds out counts only while it is the latest';
comment on column webhook_deliveries.earlier is 'How many of them were begun before it was last asked to be sent again: the others are its place in the schedule';
comment on column webhook_deliveries.attempts is 'The latest attempts, in order, each with what it came to';
comment on column webhook_deliveries.answer is 'The beginning of the last answer';
comment on column webhook_deliveries.under_way is 'An attempt was begun and its result is not written yet; after a crash, until the next attempt. An erasure clears it, and without it no answer is kept: the body may have held what was erased';

create table webhook_notices (
    id uuid not null,
    owner_id uuid not null,
    endpoint_id text not null,
    reason text not null constraint webhook_notices_reason_known check (reason in ('gone', 'failing')),
    recorded_at timestamptz not null,
    xid xid8 not null default pg_current_xact_id(),
    epoch bigint not null default 0,
    constraint webhook_notices_pkey primary key (id),
    constraint webhook_notices_endpoint_fkey foreign key (owner_id, endpoint_id) references webhook_endpoints (owner_id, id),
    constraint webhook_notices_times_are_real check (
        recorded_at > '-infinity' and recorded_at < '100000-01-01 00:00:00+00')
);

-- The order of the feed.
create index webhook_notices_feed on webhook_notices (epoch, xid, id);

comment on table webhook_notices is 'Endpoints that the service disabled, as their owners'' feeds tell it';
comment on column webhook_notices.id is 'Which notice';
comment on column webhook_notices.owner_id is 'Whose endpoint, and whose feed';
comment on column webhook_notices.endpoint_id is 'Which endpoint';
comment on column webhook_notices.reason is 'As the endpoint''s disabled_reason';
comment on column webhook_notices.recorded_at is 'When';
comment on column webhook_notices.xid is 'As that of task_events';
comment on column webhook_notices.epoch is 'As that of task_events';

grant select, insert, update on webhook_endpoints to stagegate_app;
grant select, insert, update on webhook_deliveries to stagegate_app;
grant select, insert on webhook_notices to stagegate_app;
