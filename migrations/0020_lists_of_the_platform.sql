-- The platform's lists by stage and of what is overdue: found by an index of their own, not by reading past all other tasks of a phase.

create index tasks_of_stage on tasks (stage, phase, opened_at, task_id);
create index tasks_overdue on tasks (phase, opened_at, task_id) where overdue;
