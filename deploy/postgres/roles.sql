-- The roles of the service, which an administrator makes once. One login owns the schema and migrates it
-- (`stagegate migrate`); replicas use the other, which can do no more than the serving roles allow.
-- Run it with psql and three variables: owner_password, serve_password, database (which exists).
create role stagegate_app nologin;
create role stagegate_erasure nologin;

create role stagegate_owner login password :'owner_password' in role stagegate_app, stagegate_erasure;
create role stagegate_serve login noinherit password :'serve_password' in role stagegate_app, stagegate_erasure;

alter database :"database" owner to stagegate_owner;
-- Who holds up the feed is named in the log only to members of this role.
grant pg_read_all_stats to stagegate_serve;
