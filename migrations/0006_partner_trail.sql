-- The trail of every partner: what happened to its keys and workflows, and which erasures and exports reached its tasks. The same chain
-- as a task's, of its own words; its end is in partners (version, head_hash).

create table partner_events (
    partner_id uuid not null,
    seq bigint not null constraint partner_events_seq_from_one check (seq >= 1),
    type text not null constraint partner_events_type_shape check (type ~ '^partner\.[a-z_]{1,64}$'),
    party text not null constraint partner_events_party_known check (party in ('partner', 'buyer', 'platform', 'service')),
    recorded_at timestamptz not null,
    epoch bigint not null default 0,
    xid xid8 not null default pg_current_xact_id(),
    entry text not null,
    data json not null constraint partner_events_data_is_object check (json_typeof(data) = 'object'),
    personal json not null constraint partner_events_personal_is_object check (json_typeof(personal) = 'object'),
    hash bytea not null constraint partner_events_hash_is_sha256 check (octet_length(hash) = 32),
    constraint partner_events_pkey primary key (partner_id, seq),
    constraint partner_events_partner_fkey foreign key (partner_id) references partners (id),
    constraint partner_events_created_is_first check ((type = 'partner.created') = (seq = 1)),
    constraint partner_events_times_are_real check (
        recorded_at > '-infinity' and recorded_at < '100000-01-01 00:00:00+00')
);

-- As that of task_events: an order that never changes behind a reader who stops below the oldest transaction still running.
create index partner_events_feed on partner_events (epoch, xid, partner_id, seq);

comment on table partner_events is 'The trail of every partner, append-only for the service; a row is written by the statement that does what it records';
comment on column partner_events.partner_id is 'Whose trail';
comment on column partner_events.seq is '1, 2, 3 … per partner, no gaps';
comment on column partner_events.type is 'What happened; the names are a contract';
comment on column partner_events.party is 'The credential''s party, or service for what it does by itself';
comment on column partner_events.recorded_at is 'When it was recorded; never goes backwards within a partner';
comment on column partner_events.epoch is 'As that of task_events';
comment on column partner_events.xid is 'The writing transaction, so that a reader in this order can stop below those still running';
comment on column partner_events.entry is 'The very text that was hashed (RFC 8785): commitments to every field, none of them readable';
comment on column partner_events.data is 'The fields that are no personal data, with their salts, byte for byte (json, not jsonb)';
comment on column partner_events.personal is 'The credential''s id with its salt, in the form of task_events.personal';
comment on column partner_events.hash is 'SHA-256 over the previous hash and the entry: one link of the partner''s chain';

grant select, insert on partner_events to stagegate_app;
-- As in the trails of tasks: an erasure blanks personal data, and nothing else changes.
grant select, update (personal) on partner_events to stagegate_erasure;
