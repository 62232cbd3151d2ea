-- Who may call: partners and their keys, and the role that serves requests.
--
-- The service serves requests as `stagegate_app`, which owns nothing: what it may do to each table is granted next to the
-- table, and what is not granted (changing or deleting the trail above all) it cannot do, whatever a bug asks for.
-- Roles belong to the cluster, not to the database, so two databases may create it at the same moment; and where the
-- migrating user may not create roles, an administrator creates it beforehand and grants it.

do $$
declare
    -- Membership counts only if it allows SET ROLE; before Postgres 16 every membership does.
    may_set_role constant text := case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end;
begin
    if not exists (select from pg_roles where rolname = 'stagegate_app') then
        begin
            create role stagegate_app nologin;
        exception
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then
                raise exception 'role stagegate_app is missing and % may not create it', current_user
                    using hint = 'As an administrator: CREATE ROLE stagegate_app NOLOGIN; GRANT stagegate_app TO ' || quote_ident(current_user) || ';';
        end;
    end if;
    for attempt in 1 .. 5 loop
        exit when pg_has_role(current_user, 'stagegate_app', may_set_role);
        begin
            execute format('grant stagegate_app to %I', current_user);
        exception
            -- Somebody grants it at this moment: look again. (XX000 is "tuple concurrently updated".)
            when unique_violation or internal_error then perform pg_sleep(0.05 * attempt);
        end;
    end loop;
    if not has_schema_privilege('stagegate_app', current_schema(), 'USAGE') then
        execute format('grant usage on schema %I to stagegate_app', current_schema());
    end if;
    -- So that a replica can tell whether the database is migrated.
    if to_regclass('_sqlx_migrations') is not null then
        grant select on _sqlx_migrations to stagegate_app;
    end if;
end
$$;

create table partners (
    id uuid primary key,
    name text not null check (char_length(name) between 1 and 200),
    created_at timestamptz not null
);

comment on table partners is 'The agent developers whose work is reviewed. Small, read rarely: a key leads to the id, and the id is enough.';
comment on column partners.id is 'UUIDv7 made by the service, so that ids sort by age and lists need no other index.';
comment on column partners.name is 'What people of the platform call the partner; nothing depends on it.';
comment on column partners.created_at is 'When the platform added the partner.';

create table api_keys (
    key_hash bytea primary key check (octet_length(key_hash) = 32),
    id uuid not null unique,
    partner_id uuid not null references partners (id),
    hint text not null check (char_length(hint) between 1 and 16),
    created_at timestamptz not null,
    revoked_at timestamptz check (revoked_at >= created_at)
);

create index api_keys_by_partner on api_keys (partner_id, id);

comment on table api_keys is 'Partners'' keys, several valid at a time. Never deleted: the trail names them as credentials.';
comment on column api_keys.key_hash is 'SHA-256 of the key, by which it is found; the key itself is shown once and stored nowhere.';
comment on column api_keys.id is 'Names the key without revealing it: in the trail, in the log, to revoke it.';
comment on column api_keys.partner_id is 'Whom the key speaks for.';
comment on column api_keys.hint is 'The key''s first characters, by which people tell their keys apart.';
comment on column api_keys.created_at is 'When the platform made the key.';
comment on column api_keys.revoked_at is 'When the key stopped being valid; null while it is.';

grant select, insert on partners to stagegate_app;
grant select, insert, update on api_keys to stagegate_app;
