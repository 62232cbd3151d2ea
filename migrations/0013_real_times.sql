-- Every time that is stored is one that the service can read: no infinity, and no year beyond those that its calendar knows. A row that has another
-- would otherwise fail every statement that reads it together with others. Rows of before this migration are not looked at.

alter table partners add constraint partners_times_are_real check (
    least(created_at, updated_at) > '-infinity' and greatest(created_at, updated_at) < '100000-01-01 00:00:00+00') not valid;
alter table api_keys add constraint api_keys_times_are_real check (
    least(created_at, revoked_at) > '-infinity' and greatest(created_at, revoked_at) < '100000-01-01 00:00:00+00') not valid;
alter table workflows add constraint workflows_times_are_real check (
    least(created_at, retired_at) > '-infinity' and greatest(created_at, retired_at) < '100000-01-01 00:00:00+00') not valid;
alter table workflow_versions add constraint workflow_versions_times_are_real check (
    created_at > '-infinity' and created_at < '100000-01-01 00:00:00+00') not valid;
alter table tasks add constraint tasks_times_are_real check (
    least(opened_at, due_at, wake_at, updated_at, closed_at) > '-infinity' and greatest(opened_at, due_at, wake_at, updated_at, closed_at) < '100000-01-01 00:00:00+00') not valid;
alter table task_events add constraint task_events_times_are_real check (
    recorded_at > '-infinity' and recorded_at < '100000-01-01 00:00:00+00') not valid;
alter table audit_checkpoints add constraint audit_checkpoints_times_are_real check (
    signed_at > '-infinity' and signed_at < '100000-01-01 00:00:00+00') not valid;
alter table partner_events add constraint partner_events_times_are_real check (
    recorded_at > '-infinity' and recorded_at < '100000-01-01 00:00:00+00') not valid;
alter table erasures add constraint erasures_times_are_real check (
    least(requested_at, started_at, finished_at) > '-infinity' and greatest(requested_at, started_at, finished_at) < '100000-01-01 00:00:00+00') not valid;
alter table erasure_tasks add constraint erasure_tasks_times_are_real check (
    retry_at > '-infinity' and retry_at < '100000-01-01 00:00:00+00') not valid;
alter table epochs add constraint epochs_times_are_real check (
    began_at > '-infinity' and began_at < '100000-01-01 00:00:00+00') not valid;
alter table webhook_endpoints add constraint webhook_endpoints_times_are_real check (
    least(secret_created_at, next_secret_created_at, failing_since, paused_until, created_at, updated_at) > '-infinity' and greatest(secret_created_at, next_secret_created_at, failing_since, paused_until, created_at, updated_at) < '100000-01-01 00:00:00+00') not valid;
alter table webhook_deliveries add constraint webhook_deliveries_times_are_real check (
    least(recorded_at, due_at) > '-infinity' and greatest(recorded_at, due_at) < '100000-01-01 00:00:00+00') not valid;
alter table webhook_notices add constraint webhook_notices_times_are_real check (
    recorded_at > '-infinity' and recorded_at < '100000-01-01 00:00:00+00') not valid;
