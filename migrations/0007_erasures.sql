-- Erasures: whose personal data shall go from every task, and how far that is. Not of one task, so these tables are small and apart; what is
-- done in a task is done in one transaction of that task, with the counts here.

create table erasures (
    id uuid not null,
    party text not null constraint erasures_party_known check (party in ('partner', 'buyer', 'platform')),
    partner_id uuid,
    actor_id text constraint erasures_actor_length check (char_length(actor_id) between 1 and 200),
    reason text not null constraint erasures_reason_length check (char_length(reason) between 1 and 4000),
    credential_id text not null,
    salt bytea not null constraint erasures_salt_length check (octet_length(salt) = 16),
    digest bytea not null constraint erasures_digest_is_sha256 check (octet_length(digest) = 32),
    state text not null constraint erasures_state_known check (state in ('pending', 'running', 'waiting', 'done')),
    requested_at timestamptz not null,
    epoch bigint not null default 0,
    xid xid8 default pg_current_xact_id(),
    started_at timestamptz,
    finished_at timestamptz,
    last_task uuid,
    examined bigint not null default 0,
    tasks_erased bigint not null default 0,
    entries_erased bigint not null default 0,
    fields_erased bigint not null default 0,
    constraint erasures_pkey primary key (id),
    constraint erasures_partner_fkey foreign key (partner_id) references partners (id),
    constraint erasures_only_partners_have_actors_of_their_own check ((party = 'partner') = (partner_id is not null)),
    constraint erasures_begin_once check ((state = 'pending') = (started_at is null)),
    constraint erasures_forget_in_the_end check ((state = 'done') = (actor_id is null) and (state = 'done') = (finished_at is not null)),
    constraint erasures_counts_from_zero check (least(examined, tasks_erased, entries_erased, fields_erased) >= 0),
    constraint erasures_times_are_real check (
        least(requested_at, started_at, finished_at) > '-infinity'
        and greatest(requested_at, started_at, finished_at) < '100000-01-01 00:00:00+00')
);

-- What the workers look for; those that are done are many and of no interest to them.
create index erasures_under_way on erasures (id) where state <> 'done';

comment on table erasures is 'Requests to erase one actor; done by the worker of any replica, in steps';
comment on column erasures.id is 'The id the platform gave it, or one of ours';
comment on column erasures.party is 'Whose actor: ids are compared within a party';
comment on column erasures.partner_id is 'Which partner''s, if a partner''s: two partners may call two people by one id';
comment on column erasures.actor_id is 'Whose data; null once it is done, for it is personal data itself';
comment on column erasures.reason is 'Who asked for it and why, in the platform''s own words; read by the platform alone, in no trail';
comment on column erasures.credential_id is 'The platform''s credential that asked for it';
comment on column erasures.salt is 'Random, so that the digest of one erasure tells nothing about another''s';
comment on column erasures.digest is 'Salted digest of the request: the same again is answered with this erasure, another one is refused';
comment on column erasures.state is 'pending; running through the tasks; waiting for tasks to close or to be tried again; done';
comment on column erasures.requested_at is 'When it was asked for';
comment on column erasures.epoch is 'As that of task_events';
comment on column erasures.xid is 'The transaction that asked for it: what older ones wrote goes, since the clocks of replicas differ';
comment on column erasures.started_at is 'When the first step was done';
comment on column erasures.finished_at is 'When the last one was done';
comment on column erasures.last_task is 'How far the run through the tasks has come, in the order of their ids: a step is taken by who moves it on';
comment on column erasures.examined is 'How many tasks were looked at';
comment on column erasures.tasks_erased is 'How many of them lost something';
comment on column erasures.entries_erased is 'How many entries of their trails did';
comment on column erasures.fields_erased is 'How many fields';

create table erasure_tasks (
    task_id uuid not null,
    erasure_id uuid not null,
    touched boolean not null,
    failures integer not null default 0,
    retry_at timestamptz,
    constraint erasure_tasks_pkey primary key (task_id, erasure_id),
    constraint erasure_tasks_task_fkey foreign key (task_id) references tasks (task_id),
    constraint erasure_tasks_erasure_fkey foreign key (erasure_id) references erasures (id),
    constraint erasure_tasks_retry_after_failure check ((failures > 0) = (retry_at is not null)),
    constraint erasure_tasks_times_are_real check (
        retry_at > '-infinity' and retry_at < '100000-01-01 00:00:00+00')
);

create index erasure_tasks_of_erasure on erasure_tasks (erasure_id, task_id);

comment on table erasure_tasks is 'Tasks that an erasure must come back to: open ones, whose rules need the actor''s id until they close, and those that failed';
comment on column erasure_tasks.task_id is 'The task';
comment on column erasure_tasks.erasure_id is 'Which erasure must come back to it';
comment on column erasure_tasks.touched is 'Whether the task lost something before and is counted';
comment on column erasure_tasks.failures is 'How often in a row it could not be done';
comment on column erasure_tasks.retry_at is 'When it is tried again; null: when the task is closed';

create table erasure_partners (
    erasure_id uuid not null,
    partner_id uuid not null,
    tasks bigint not null,
    fields bigint not null,
    constraint erasure_partners_pkey primary key (erasure_id, partner_id),
    constraint erasure_partners_erasure_fkey foreign key (erasure_id) references erasures (id),
    constraint erasure_partners_partner_fkey foreign key (partner_id) references partners (id)
);

comment on table erasure_partners is 'What an erasure did in the tasks of each partner, for that partner''s trail';
comment on column erasure_partners.erasure_id is 'Which erasure';
comment on column erasure_partners.partner_id is 'Whose tasks';
comment on column erasure_partners.tasks is 'How many of its tasks lost something';
comment on column erasure_partners.fields is 'How many fields';

grant select, insert, update on erasures to stagegate_app;
grant select, insert, update, delete on erasure_tasks to stagegate_app;
grant select, insert, update on erasure_partners to stagegate_app;

-- The service takes the erasing role for one statement of a transaction, and no longer.
do $$
declare
    may_set_role constant text := case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end;
begin
    for attempt in 1 .. 5 loop
        exit when pg_has_role(current_user, 'stagegate_erasure', may_set_role);
        begin
            execute format('grant stagegate_erasure to %I', current_user);
        exception
            -- Somebody grants it at this moment: look again. (XX000 is "tuple concurrently updated".)
            when unique_violation or internal_error then perform pg_sleep(0.05 * attempt);
            when insufficient_privilege then
                raise exception '% is not a member of role stagegate_erasure and may not become one', current_user
                    using hint = 'As an administrator: GRANT stagegate_erasure TO ' || quote_ident(current_user) || ';';
        end;
    end loop;
    if not has_schema_privilege('stagegate_erasure', current_schema(), 'USAGE') then
        execute format('grant usage on schema %I to stagegate_erasure', current_schema());
    end if;
end
$$;
