-- What webhooks need to be bounded: a row per owner that is locked while its endpoints are counted, and a mark on deliveries that are under way.

create table webhook_owners (
    owner_id uuid not null,
    constraint webhook_owners_pkey primary key (owner_id)
);

comment on table webhook_owners is 'Who has set up endpoints. Adding one locks the owner''s row first, so that the count which follows sees every earlier one; the platform has no other row to lock';
comment on column webhook_owners.owner_id is 'As that of webhook_endpoints';

-- Its one column never changes; an update is how a statement waits for the row.
grant select, insert, update on webhook_owners to stagegate_app;

alter table webhook_deliveries add column under_way boolean not null default false;

comment on column webhook_deliveries.under_way is 'An attempt was begun and its result is not written yet; after a crash, until the next attempt. An erasure clears it, and without it no answer is kept: the body may have held what was erased';
