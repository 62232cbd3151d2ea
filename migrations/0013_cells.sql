-- A database (or schema) can be one of several cells, and remembers which: nothing of one may be taken for another's.

create table cell (
    one boolean primary key default true check (one),
    name text not null check (name ~ '^[a-z]([a-z0-9-]{0,14}[a-z0-9])?$'),
    was_unnamed boolean not null,
    named_at timestamptz not null,
    constraint cell_times_are_real check (named_at > '-infinity' and named_at < '100000-01-01 00:00:00+00')
);

comment on table cell is 'The cell that this is: one row, or none if it has no name. Never changed: keys, links and cursors carry the name.';
comment on column cell.one is 'Always true, so that there is no second row.';
comment on column cell.name is 'The value of STAGEGATE_CELL, without which no replica starts here.';
comment on column cell.was_unnamed is 'Whether there were partners before it got the name: then keys and cursors without a name are its own.';
comment on column cell.named_at is 'When it got the name.';

grant select on cell to stagegate_app;

-- The hint of a key begins with all that comes before its secret, the name of the cell included.
alter table api_keys drop constraint api_keys_hint_check;
alter table api_keys add constraint api_keys_hint_check check (char_length(hint) between 1 and 32);
