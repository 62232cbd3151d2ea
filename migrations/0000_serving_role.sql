-- The role that serves requests. It owns nothing: what it may do to each table, that table's migration says, and what is
-- not granted (changing or deleting the trail above all) it cannot do, whatever a bug asks for.
-- Roles belong to the whole server: several databases of one server may be migrated at the same moment, and where the
-- migrating user may not create roles, an administrator creates this one beforehand and grants it.
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
            when insufficient_privilege then
                raise exception '% is not a member of role stagegate_app and may not become one', current_user
                    using hint = 'As an administrator: GRANT stagegate_app TO ' || quote_ident(current_user) || ';';
        end;
    end loop;
    if not has_schema_privilege('stagegate_app', current_schema(), 'USAGE') then
        execute format('grant usage on schema %I to stagegate_app', current_schema());
    end if;
end
$$;

-- The readiness check compares what is applied with what the build knows.
grant select on _sqlx_migrations to stagegate_app;
