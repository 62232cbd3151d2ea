-- People who come and go in a running task: the trail's entries name others than those who wrote them, and each panel of a stage has a
-- hundred places of its own, however many sit in it.

alter table claims drop constraint claims_seat_from_one;
alter table claims add constraint claims_seat_from_one check (seat between 1 and 2000);

-- Whom the entries of trails name, as long as nobody has erased it: who wrote them, in whose seat somebody voted or approved, and whom they let
-- in or out. Whatever must find all data of a person asks here.
create view task_people as
    select event.task_id, event.party, named.actor
    from task_events event
    cross join lateral (
        select event.personal -> 'actor.id' ->> 1
        union all
        select event.personal -> 'data.for' ->> 1 where event.type in ('task.vote_recorded', 'task.escalation_resolved')
        union all
        select json_array_elements_text(case json_typeof(event.personal -> list.path -> 1) when 'array' then event.personal -> list.path -> 1 else '[]' end)
        from (values ('data.added'), ('data.removed')) list (path)
        where event.type = 'task.reviewers_changed'
    ) named (actor)
    where named.actor is not null;

comment on view task_people is 'Each person whom an entry of a task''s trail names, by the party that the person belongs to';

grant select on task_people to stagegate_app;
