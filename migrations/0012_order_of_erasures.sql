-- What was recorded before an erasure was asked for is told by the order of transactions, as the feed is ordered, and not by the clocks of two
-- replicas. Erasures of before this migration have no transaction here and go by their time alone.

alter table erasures add column epoch bigint not null default 0, add column xid xid8;
alter table erasures alter column xid set default pg_current_xact_id();

do $$
begin
    execute format('alter table erasures alter column epoch set default %s', (select max(epoch) from epochs));
end
$$;

comment on column erasures.epoch is 'As that of task_events';
comment on column erasures.xid is 'The transaction that asked for it: what older ones wrote goes. Null where it was asked for before this was recorded';
