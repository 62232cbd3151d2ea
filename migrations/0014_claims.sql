-- Who of a party has taken a task to decide on. No transition of a task reads or writes here: a claim is politeness
-- and blocks no decision. It is compared with the task when it is read, so it is void once the task has moved on.

create table claims (
    task_id uuid not null,
    seat int not null constraint claims_seat_from_one check (seat between 1 and 100),
    party text not null constraint claims_party_known check (party in ('partner', 'platform')),
    stage text not null constraint claims_stage_length check (char_length(stage) between 1 and 64),
    round int not null constraint claims_round_from_one check (round >= 1),
    escalation bigint constraint claims_escalation_from_one check (escalation >= 1),
    actor json not null constraint claims_actor_is_object check (json_typeof(actor) = 'object'),
    actor_key text not null constraint claims_actor_key_length check (char_length(actor_key) between 1 and 200),
    claimed_at timestamptz not null,
    lease_until timestamptz not null constraint claims_end_later check (lease_until > claimed_at),
    constraint claims_pkey primary key (task_id, seat),
    constraint claims_actor_key_key unique (task_id, actor_key),
    constraint claims_task_fkey foreign key (task_id) references tasks (task_id) on delete cascade,
    constraint claims_times_are_real check (claimed_at > '-infinity' and lease_until < '100000-01-01 00:00:00+00')
);

-- What is erased together.
create index claims_of_people on claims (actor_key);

comment on table claims is 'Who has taken a task to decide on, until when. A row that does not fit the task, or whose time is over, counts for nothing and is removed by the next claim.';
comment on column claims.task_id is 'Which task.';
comment on column claims.seat is 'The how-manieth of those whose votes decide, from 1: a seat is one person''s at a time.';
comment on column claims.party is 'The party that the person acts for.';
comment on column claims.stage is 'The stage that is to be decided.';
comment on column claims.round is 'Its round.';
comment on column claims.escalation is 'The escalation that is to be resolved; null for a review.';
comment on column claims.actor is 'The person, in the words of the party.';
comment on column claims.actor_key is 'The form of the person''s id by which ids are compared, computed by the service.';
comment on column claims.claimed_at is 'When the person took it.';
comment on column claims.lease_until is 'Until when.';

grant select, insert, update, delete on claims to stagegate_app;
