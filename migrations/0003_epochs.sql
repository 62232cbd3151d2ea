-- The order of the feed over restores. Rows are ordered by the transaction that wrote them, and a database that was restored counts its
-- transactions anew or goes back in its count. So rows carry an epoch, too, which `stagegate migrate --restored` raises: it adds a row
-- here and changes the columns' default, so that writers pay nothing for it.

create table epochs (
    epoch bigint not null constraint epochs_epoch_from_zero check (epoch >= 0),
    began_at timestamptz not null,
    constraint epochs_pkey primary key (epoch),
    constraint epochs_times_are_real check (
        began_at > '-infinity' and began_at < '100000-01-01 00:00:00+00')
);

comment on table epochs is 'Spans in which the database counts transactions without going back; the newest is the present one';
comment on column epochs.epoch is '0, then the seconds since 1970 when it began, so that a number that a restore has taken back is not given again';
comment on column epochs.began_at is 'When it began';

insert into epochs (epoch, began_at) values (0, now());

grant select on epochs to stagegate_app;
