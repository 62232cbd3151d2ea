-- The trace of the request that caused an event, for the span of its delivery. It stands beside the trail, which neither hashes nor exports it,
-- and only until the delivery is settled. Null while the service runs without traces.

-- Engines on top of Postgres take a constraint only in a statement of its own.
alter table webhook_deliveries add column traceparent text, add column continues_trace boolean;
alter table webhook_deliveries add constraint webhook_deliveries_traceparent_form
    check (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');
alter table webhook_deliveries add constraint webhook_deliveries_trace_whole
    check ((traceparent is null) = (continues_trace is null));

comment on column webhook_deliveries.traceparent is 'The span of the request, as W3C Trace Context writes it; null: none is known, or the delivery is settled';
comment on column webhook_deliveries.continues_trace is 'Whether it was a request of the endpoint''s owner, whose trace the delivery then continues; false: the owner must not learn the trace''s id';
