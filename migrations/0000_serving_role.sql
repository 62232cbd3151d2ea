-- The role that serving connections take. What it may do to each table, that table's migration says.
-- Roles belong to the whole server, and several databases of one server may be migrated at the same moment.
do $$
begin
    create role stagegate_app nologin;
exception
    when duplicate_object or unique_violation then null;
end
$$;

-- Whoever migrates also serves. Creating a role does not make a plain user its member (PostgreSQL 16: only its
-- administrator); where somebody else made the role, they also said who is its member.
do $$
begin
    grant stagegate_app to current_user;
exception
    when insufficient_privilege then null;
end
$$;

-- The readiness check compares what is applied with what the build knows.
grant select on _sqlx_migrations to stagegate_app;
