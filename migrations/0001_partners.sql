-- Who may call: partners and their keys.
--
-- In every table, each time is one that the service can read (`…_times_are_real`): a row with an infinite time, or with a year that its
-- calendar does not know, would fail every statement that reads it together with others.

create table partners (
    id uuid primary key,
    name text not null check (char_length(name) between 1 and 200),
    created_at timestamptz not null,
    version bigint not null check (version >= 1),
    head_hash bytea not null check (octet_length(head_hash) = 32),
    updated_at timestamptz not null check (updated_at >= created_at),
    constraint partners_times_are_real check (
        least(created_at, updated_at) > '-infinity' and greatest(created_at, updated_at) < '100000-01-01 00:00:00+00')
);

comment on table partners is 'The agent developers whose work is reviewed. Small, read rarely: a key leads to the id, and the id is enough.';
comment on column partners.id is 'UUIDv7 made by the service, so that ids sort by age and lists need no other index.';
comment on column partners.name is 'What people of the platform call the partner; nothing depends on it.';
comment on column partners.created_at is 'When the platform added the partner.';
comment on column partners.version is 'Seq of the last event of the partner''s own trail: the guard of every write that the trail records.';
comment on column partners.head_hash is 'Hash of that event: the next link of the chain is made from it without reading the trail.';
comment on column partners.updated_at is 'When that event was recorded: the next one''s time is not before it.';

create table api_keys (
    key_hash bytea primary key check (octet_length(key_hash) = 32),
    id uuid not null unique,
    partner_id uuid not null references partners (id),
    hint text not null check (char_length(hint) between 1 and 16),
    label text check (char_length(label) between 1 and 200),
    scopes text[] not null default '{work,review,define,read}' check (
        cardinality(scopes) >= 1 and scopes <@ '{work,review,define,read}'),
    actors text[],
    made_by uuid references api_keys (id),
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz check (revoked_at >= created_at),
    constraint api_keys_times_are_real check (
        least(created_at, expires_at, revoked_at) > '-infinity'
        and greatest(created_at, expires_at, revoked_at) < '100000-01-01 00:00:00+00')
);

create index api_keys_by_partner on api_keys (partner_id, id);

comment on table api_keys is 'Partners'' keys, several valid at a time. Never deleted: the trail names them as credentials.';
comment on column api_keys.key_hash is 'SHA-256 of the key, by which it is found; the key itself is shown once and stored nowhere.';
comment on column api_keys.id is 'Names the key without revealing it: in the trail, in the log, to revoke it.';
comment on column api_keys.partner_id is 'Whom the key speaks for.';
comment on column api_keys.hint is 'The key''s first characters, by which people tell their keys apart.';
comment on column api_keys.label is 'What the key is for, in the words of whoever made it; null without one or once it was erased.';
comment on column api_keys.scopes is 'The operations that the key is good for.';
comment on column api_keys.actors is 'The only actors that the key can name; null: any. Empty once all of them were erased: then it can name nobody.';
comment on column api_keys.made_by is 'The key of the partner that made this one, which it ends with; null for a key that the platform made.';
comment on column api_keys.created_at is 'When the key was made.';
comment on column api_keys.expires_at is 'From when on the key is not accepted; null: until it is revoked.';
comment on column api_keys.revoked_at is 'When the key stopped being valid; null while it is.';

-- The trail grows; the rest of the row is as the platform made it.
grant select, insert, update (version, head_hash, updated_at) on partners to stagegate_app;
grant select, insert, update on api_keys to stagegate_app;
