-- The order of the feed over restores. Rows are ordered by the transaction that wrote them, and a database that was restored counts its
-- transactions anew or goes back in its count. So rows carry an epoch, too, which `stagegate migrate --restored` raises: it adds a row
-- here and changes the columns' default, so that writers pay nothing for it.

create table epochs (
    epoch bigint not null constraint epochs_epoch_from_zero check (epoch >= 0),
    began_at timestamptz not null,
    constraint epochs_pkey primary key (epoch)
);

comment on table epochs is 'Spans in which the database counts transactions without going back; the newest is the present one';
comment on column epochs.epoch is '0, then the seconds since 1970 when it began, so that a number that a restore has taken back is not given again';
comment on column epochs.began_at is 'When it began';

insert into epochs (epoch, began_at) values (0, now());

alter table task_events add column epoch bigint not null default 0;
alter table partner_events add column epoch bigint not null default 0;
alter table audit_checkpoints add column cursor_epoch bigint not null default 0;

drop index task_events_feed;
drop index partner_events_feed;
create index task_events_feed on task_events (epoch, xid, task_id, seq);
create index partner_events_feed on partner_events (epoch, xid, partner_id, seq);

comment on column task_events.epoch is 'Orders transactions before xid does: those of an earlier epoch are over';
comment on column partner_events.epoch is 'As that of task_events';
comment on column audit_checkpoints.cursor_epoch is 'The epoch of the transaction in cursor';

grant select on epochs to stagegate_app;
