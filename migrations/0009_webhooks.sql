-- Who is told of events over HTTP, and what became of each delivery. Deliveries hang on their task, as the trail does; endpoints and their
-- secrets are few and belong to whoever set them up.

create table webhook_endpoints (
    owner_id uuid not null,
    partner_id uuid generated always as (nullif(owner_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
    id text not null constraint webhook_endpoints_id_shape check (id ~ '^[a-z0-9-]{1,64}$'),
    url text not null constraint webhook_endpoints_url_length check (char_length(url) between 1 and 2000),
    types text[] constraint webhook_endpoints_types_are_some check (cardinality(types) >= 1),
    state text not null constraint webhook_endpoints_state_known check (state in ('enabled', 'disabled', 'removed')),
    constraint webhook_endpoints_pkey primary key (owner_id, id),
    constraint webhook_endpoints_partner_fkey foreign key (partner_id) references partners (id)
);

comment on table webhook_endpoints is 'Where events are sent. Never deleted: deliveries name them';
comment on column webhook_endpoints.owner_id is 'Whose view it receives: a partner''s id, or all zeros for the platform';
comment on column webhook_endpoints.partner_id is 'The same where it is a partner';
comment on column webhook_endpoints.id is 'What the owner calls it';
comment on column webhook_endpoints.url is 'Where to; checked again at every attempt, since what a name stands for can change';
comment on column webhook_endpoints.types is 'The types of events that it receives; null: all';
comment on column webhook_endpoints.state is 'enabled; disabled: deliveries are recorded and wait; removed: none are recorded';

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
    constraint webhook_deliveries_pkey primary key (task_id, seq, owner_id, endpoint_id),
    constraint webhook_deliveries_event_fkey foreign key (task_id, seq) references task_events (task_id, seq),
    constraint webhook_deliveries_pending_ones_are_due check ((state = 'pending') = (due_at is not null))
) with (
    -- Each attempt updates its row twice.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02
);

-- What each endpoint is to be sent next.
create index webhook_deliveries_due on webhook_deliveries (owner_id, endpoint_id, due_at) where state = 'pending';

comment on table webhook_deliveries is 'One row per event and endpoint that receives it, written by the statement that writes the event. No foreign key to the endpoint: every writer would lock its row';
comment on column webhook_deliveries.task_id is 'Whose event';
comment on column webhook_deliveries.seq is 'Which event';
comment on column webhook_deliveries.owner_id is 'Whose endpoint';
comment on column webhook_deliveries.endpoint_id is 'Which endpoint';
comment on column webhook_deliveries.event_id is 'The event''s own id, by which receivers know what they had before';
comment on column webhook_deliveries.recorded_at is 'When the event was recorded';
comment on column webhook_deliveries.state is 'pending; delivered: an answer of 2xx; failed: given up after the last attempt';
comment on column webhook_deliveries.due_at is 'When the next attempt may begin; while one runs: when it is taken for dead';
comment on column webhook_deliveries.attempt is 'How many attempts were begun: what one of them finds out counts only while it is the latest';

grant select, insert, update on webhook_endpoints to stagegate_app;
grant select, insert, update on webhook_deliveries to stagegate_app;
