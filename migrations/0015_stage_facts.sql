-- What statistics keep of closed tasks: numbers by stage, of no person and without a text that somebody wrote. The statement that closes a
-- task writes them, from the task's state; nothing is written per decision. They stay when a task is put away or a person is erased.

create table stage_facts (
    task_id uuid not null,
    stage text not null constraint stage_facts_stage_shape check (stage ~ '^[a-z0-9-]{1,64}$'),
    position integer not null constraint stage_facts_position_from_zero check (position >= 0),
    partner_id uuid not null,
    workflow_key text not null,
    workflow_version integer not null,
    outcome text not null constraint stage_facts_outcome_known check (outcome in ('delivery', 'cancelled', 'expired', 'failed')),
    opened_at timestamptz not null,
    closed_at timestamptz not null,
    rounds integer not null,
    approved integer not null,
    rejected integer not null,
    first_pass boolean not null,
    escalated_person integer not null,
    escalated_deadline integer not null,
    escalated_exhausted integer not null,
    escalated_no_quorum integer not null,
    overdue integer not null,
    questions integer not null,
    partner_micros bigint not null,
    buyer_micros bigint not null,
    platform_micros bigint not null,
    revising_micros bigint not null,
    reasons json constraint stage_facts_reasons_is_object check (json_typeof(reasons) = 'object'),
    constraint stage_facts_pkey primary key (task_id, stage),
    constraint stage_facts_times_are_real check (
        least(opened_at, closed_at) > '-infinity' and greatest(opened_at, closed_at) < '100000-01-01 00:00:00+00')
) with (
    -- Insert only.
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);

-- The tasks of a version by the time at which they closed: a task is found by its first stage, which every task enters.
create index stage_facts_closed on stage_facts (partner_id, workflow_key, workflow_version, closed_at, task_id) where position = 0;

comment on table stage_facts is 'One row for each stage that a closed task entered: what statistics count. No personal data, no texts of people';
comment on column stage_facts.task_id is 'The task; its own row may have been put away';
comment on column stage_facts.stage is 'The stage''s key';
comment on column stage_facts.position is 'Its index in the workflow version; 0 is the one that stands for the task';
comment on column stage_facts.partner_id is 'Whose workflow it ran on';
comment on column stage_facts.workflow_key is 'The workflow';
comment on column stage_facts.workflow_version is 'The version that it was pinned to';
comment on column stage_facts.outcome is 'How the task ended';
comment on column stage_facts.opened_at is 'When the task was opened';
comment on column stage_facts.closed_at is 'When the task ended: the span of a statistic is by this time';
comment on column stage_facts.rounds is 'How many times the task entered the stage';
comment on column stage_facts.approved is 'How many times the stage was approved';
comment on column stage_facts.rejected is 'How many times it was rejected';
comment on column stage_facts.first_pass is 'Whether it was approved in its first round';
comment on column stage_facts.escalated_person is 'Escalations that somebody asked for';
comment on column stage_facts.escalated_deadline is 'Escalations after a deadline';
comment on column stage_facts.escalated_exhausted is 'Escalations after the last round';
comment on column stage_facts.escalated_no_quorum is 'Escalations because too few reviewers might approve';
comment on column stage_facts.overdue is 'Deadlines that passed, of reviewers or of whoever had to decide';
comment on column stage_facts.questions is 'Questions that were asked';
comment on column stage_facts.partner_micros is 'Microseconds that the task waited on the partner';
comment on column stage_facts.buyer_micros is 'The same for the buyer';
comment on column stage_facts.platform_micros is 'The same for the platform';
comment on column stage_facts.revising_micros is 'The part of the partner''s time in which the returned task waited for a revision';
comment on column stage_facts.reasons is 'How many rejections gave each reason of the definition; null if none did';

grant select, insert on stage_facts to stagegate_app;

-- Since when statistics are complete, if there were tasks before.
create table stage_facts_start (
    one boolean not null default true constraint stage_facts_start_is_one check (one),
    at timestamptz not null,
    constraint stage_facts_start_pkey primary key (one),
    constraint stage_facts_start_times_are_real check (at > '-infinity' and at < '100000-01-01 00:00:00+00')
);

comment on table stage_facts_start is 'One row if tasks were opened before statistics were kept, else none';
comment on column stage_facts_start.one is 'Always true, so that there is no second row';
comment on column stage_facts_start.at is 'Tasks that closed before have no facts, and of tasks that were opened before, counts can be too low';

insert into stage_facts_start (at) select clock_timestamp() where exists (select from tasks) or exists (select from archived_tasks);

grant select on stage_facts_start to stagegate_app;
