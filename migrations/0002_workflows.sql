-- Workflows and their immutable versions. Small tables, read through a cache; on a sharded engine they are copied to every node.

create table workflows (
    partner_id uuid not null constraint workflows_partner_fkey references partners (id),
    key text not null constraint workflows_key_shape check (key ~ '^[a-z0-9-]{1,64}$'),
    latest_version integer not null constraint workflows_version_from_one check (latest_version >= 1),
    latest_digest bytea not null constraint workflows_digest_is_sha256 check (octet_length(latest_digest) = 32),
    created_at timestamptz not null,
    retired_at timestamptz,
    constraint workflows_pkey primary key (partner_id, key),
    constraint workflows_times_are_real check (
        least(created_at, retired_at) > '-infinity' and greatest(created_at, retired_at) < '100000-01-01 00:00:00+00')
);

comment on table workflows is 'The names under which partners register workflows; the row that racing registrations of one key wait on';
comment on column workflows.partner_id is 'Whose workflow: a key is unique per partner';
comment on column workflows.key is 'What tasks are opened with';
comment on column workflows.latest_version is 'What a task gets that names no version';
comment on column workflows.latest_digest is 'Digest of the latest version, repeated here because a registration must compare with it under this row''s lock: another row would be read as it was before the wait';
comment on column workflows.created_at is 'When the first version was registered';
comment on column workflows.retired_at is 'Since when no task may be opened on it; running ones finish, registering again brings it back';

create table workflow_versions (
    partner_id uuid not null,
    key text not null,
    version integer not null constraint workflow_versions_version_from_one check (version >= 1),
    format integer not null constraint workflow_versions_format_from_one check (format >= 1),
    definition json not null constraint workflow_versions_definition_is_object check (json_typeof(definition) = 'object'),
    digest bytea not null constraint workflow_versions_digest_is_sha256 check (octet_length(digest) = 32),
    created_at timestamptz not null,
    constraint workflow_versions_pkey primary key (partner_id, key, version),
    constraint workflow_versions_workflow_fkey foreign key (partner_id, key) references workflows (partner_id, key),
    constraint workflow_versions_times_are_real check (
        created_at > '-infinity' and created_at < '100000-01-01 00:00:00+00')
);

-- Checked at the commit: the statement that writes both is several where an engine such as Citus splits it.
alter table workflows add constraint workflows_latest_fkey
    foreign key (partner_id, key, latest_version) references workflow_versions (partner_id, key, version)
    deferrable initially deferred;

comment on table workflow_versions is 'What was registered: immutable, so that a task keeps the rules it was opened under';
comment on column workflow_versions.partner_id is 'Whose workflow';
comment on column workflow_versions.key is 'Which workflow';
comment on column workflow_versions.version is '1, 2, 3 … per workflow; tasks are pinned to one';
comment on column workflow_versions.format is 'Shape of the definition: older ones load for ever, newer ones are refused by an older replica';
comment on column workflow_versions.definition is 'The canonical text (RFC 8785) with defaults filled in, kept byte for byte (json, not jsonb), since the digest covers it';
comment on column workflow_versions.digest is 'SHA-256 of the definition: tells whether a registration changes anything, and starts the hash chain of every task';
comment on column workflow_versions.created_at is 'When it was registered';

grant select, insert, update on workflows to stagegate_app;
grant select, insert on workflow_versions to stagegate_app;
