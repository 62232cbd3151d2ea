-- Absences of partners' people, each with the person who stands in. Decisions read them with the task, so each partner has a version of
-- its absences: a decision is written only if that version is still the one it was made on.

alter table partners add column absences_version bigint not null default 0;
alter table partners add constraint partners_absences_version_from_zero check (absences_version >= 0);

comment on column partners.absences_version is 'Grows with each change of the partner''s absences: a guard of every write of a task, beside the task''s own version. 0: there was never one.';

create table absences (
    partner_id uuid not null,
    actor_key text not null constraint absences_actor_key_length check (char_length(actor_key) between 1 and 200),
    actor text not null constraint absences_actor_length check (char_length(actor) between 1 and 200),
    begins_at timestamptz not null,
    ends_at timestamptz not null,
    substitute text constraint absences_substitute_length check (char_length(substitute) between 1 and 200),
    substitute_key text constraint absences_substitute_key_length check (char_length(substitute_key) between 1 and 200),
    set_at timestamptz not null,
    constraint absences_pkey primary key (partner_id, actor_key),
    constraint absences_partner_fkey foreign key (partner_id) references partners (id),
    constraint absences_end_later check (ends_at > begins_at),
    constraint absences_substitute_has_key check ((substitute is null) = (substitute_key is null)),
    constraint absences_substitute_is_another check (substitute_key <> actor_key),
    constraint absences_times_are_real check (
        least(begins_at, set_at) > '-infinity' and greatest(ends_at, set_at) < '100000-01-01 00:00:00+00')
);

-- What has ended long ago, to be removed.
create index absences_ended on absences (ends_at);

comment on table absences is 'Who of a partner is absent, and who stands in: one row of each person. A row whose time is over counts for nothing and is removed a day later.';
comment on column absences.partner_id is 'Whose person.';
comment on column absences.actor_key is 'The form of the person''s id by which ids are compared, computed by the service.';
comment on column absences.actor is 'The person who is absent, as the partner wrote the id.';
comment on column absences.begins_at is 'From when on.';
comment on column absences.ends_at is 'Until when: at this instant the person is back.';
comment on column absences.substitute is 'Who stands in; null: nobody does.';
comment on column absences.substitute_key is 'The form of that id by which ids are compared.';
comment on column absences.set_at is 'When it was set, by the entry in the partner''s trail.';

grant select, insert, update, delete on absences to stagegate_app;
grant update (absences_version) on partners to stagegate_app;
