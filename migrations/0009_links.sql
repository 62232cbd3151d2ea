-- How people come in without a credential: the links that a back end asks for, and the sessions that they open.
-- No transition of a task writes here: what a link is for is compared with the task when the link is used.

create table links (
    id uuid not null,
    token_hash bytea not null constraint links_token_hash_is_sha256 check (octet_length(token_hash) = 32),
    party text not null constraint links_party_known check (party in ('partner', 'buyer', 'platform')),
    partner_id uuid,
    buyer_id uuid,
    key_id uuid,
    made_by text not null constraint links_made_by_length check (char_length(made_by) between 1 and 100),
    vouched_until timestamptz,
    kind text not null constraint links_kind_known check (kind in ('decide', 'task', 'inbox', 'console')),
    task_id uuid,
    bound json constraint links_bound_is_object check (json_typeof(bound) = 'object'),
    actor json constraint links_actor_is_object check (json_typeof(actor) = 'object'),
    actor_key text constraint links_actor_key_length check (char_length(actor_key) between 1 and 200),
    manage boolean not null,
    opens text not null constraint links_opens_known check (opens in ('click', 'at_once')),
    openings int not null default 0 constraint links_openings_from_zero check (openings between 0 and 5),
    session_seconds int not null constraint links_sessions_last check (session_seconds >= 1),
    language text constraint links_language_length check (char_length(language) between 1 and 35),
    time_zone text constraint links_time_zone_length check (char_length(time_zone) between 1 and 100),
    created_at timestamptz not null,
    expires_at timestamptz not null constraint links_expire_later check (expires_at >= created_at),
    ended_at timestamptz,
    ended_by text constraint links_ended_by_length check (char_length(ended_by) between 1 and 100),
    constraint links_pkey primary key (id),
    constraint links_token_hash_key unique (token_hash),
    constraint links_partner_fkey foreign key (partner_id) references partners (id),
    constraint links_key_fkey foreign key (key_id) references api_keys (id),
    constraint links_task_fkey foreign key (task_id) references tasks (task_id),
    constraint links_are_one_owners check (
        (party = 'partner') = (partner_id is not null) and (party = 'buyer') = (buyer_id is not null)),
    constraint links_decide_on_something check ((kind = 'decide') = (bound is not null) and (kind <> 'decide' or task_id is not null)),
    constraint links_actors_have_keys check ((actor is null) = (actor_key is null)),
    constraint links_times_are_real check (
        least(created_at, expires_at, ended_at, vouched_until) > '-infinity'
        and greatest(created_at, expires_at, ended_at, vouched_until) < '100000-01-01 00:00:00+00')
);

-- Lists, the latest first.
create index links_of_partners on links (partner_id, id) where party = 'partner';
create index links_of_buyers on links (buyer_id, id) where party = 'buyer';
create index links_of_the_platform on links (id) where party <> 'partner';
create index links_of_tasks on links (task_id, id) where task_id is not null;
-- What is revoked or erased together.
create index links_of_people on links (actor_key) where actor_key is not null;
-- What is old enough to go.
create index links_by_end on links ((least(expires_at, ended_at)));

comment on table links is 'Links for people. A link is one person''s; its sessions end with it, and with the key that made it. Rows go 90 days after their end.';
comment on column links.id is 'UUIDv7 made by the service: names the link in the trail and in lists, and sorts by age.';
comment on column links.token_hash is 'SHA-256 of the secret in the link''s address, by which it is found; the secret itself is shown once and stored nowhere.';
comment on column links.party is 'The party that the person acts for.';
comment on column links.partner_id is 'Which partner, if it is one.';
comment on column links.buyer_id is 'Which buyer, if it is one.';
comment on column links.key_id is 'The partner''s key that made the link and with which it ends; null for other credentials.';
comment on column links.made_by is 'Names the credential that made the link.';
comment on column links.vouched_until is 'From when on that credential is not accepted; null: until it is revoked. No session lasts longer.';
comment on column links.kind is 'Where the link leads.';
comment on column links.task_id is 'The task that it leads to; for an inbox, where it begins.';
comment on column links.bound is 'The decision that the link is for: stage, round, revision and escalation. Never written again.';
comment on column links.actor is 'The person, in the words of the party; null for a buyer, and once it was erased.';
comment on column links.actor_key is 'The form of the person''s id by which ids are compared, computed by the service.';
comment on column links.manage is 'Whether a console may change something.';
comment on column links.opens is 'click: a person presses a button, up to five times; at_once: the page does, once.';
comment on column links.openings is 'How often the link was opened.';
comment on column links.session_seconds is 'How long each session lasts at most.';
comment on column links.language is 'The language of the pages; null: the browser''s.';
comment on column links.time_zone is 'The time zone of the pages; null: the browser''s.';
comment on column links.created_at is 'When the link was made.';
comment on column links.expires_at is 'From when on it does not open.';
comment on column links.ended_at is 'When it was ended with its sessions; null if it was not.';
comment on column links.ended_by is 'The credential that ended it, or the service for an erasure.';

create table link_sessions (
    link_id uuid not null,
    ordinal int not null constraint link_sessions_ordinal_from_one check (ordinal between 1 and 5),
    token_hash bytea constraint link_sessions_token_hash_is_sha256 check (octet_length(token_hash) = 32),
    agent text not null constraint link_sessions_agent_known check (agent in ('chrome', 'edge', 'firefox', 'safari', 'other')),
    created_at timestamptz not null,
    expires_at timestamptz not null constraint link_sessions_expire_later check (expires_at >= created_at),
    last_seen_at timestamptz not null constraint link_sessions_seen_later check (last_seen_at >= created_at),
    ended_at timestamptz,
    constraint link_sessions_pkey primary key (link_id, ordinal),
    constraint link_sessions_token_hash_key unique (token_hash),
    constraint link_sessions_link_fkey foreign key (link_id) references links (id) on delete cascade,
    constraint link_sessions_times_are_real check (
        least(created_at, expires_at, last_seen_at, ended_at) > '-infinity'
        and greatest(created_at, expires_at, last_seen_at, ended_at) < '100000-01-01 00:00:00+00')
);

comment on table link_sessions is 'The openings of links. Each made a session, except in a browser whose session reached as far.';
comment on column link_sessions.link_id is 'Which link.';
comment on column link_sessions.ordinal is 'The how-manieth opening of the link, from 1. With the link it is the credential in the trail.';
comment on column link_sessions.token_hash is 'SHA-256 of the secret in the session''s cookie; null for an opening that made no session.';
comment on column link_sessions.agent is 'The family of the browser. Nothing else about it is kept.';
comment on column link_sessions.created_at is 'When the link was opened.';
comment on column link_sessions.expires_at is 'When the session ends at the latest.';
comment on column link_sessions.last_seen_at is 'When the session was last used; written at most once a minute.';
comment on column link_sessions.ended_at is 'When the session was ended; null if it was not.';

grant select, insert, update, delete on links to stagegate_app;
grant select, insert, update, delete on link_sessions to stagegate_app;
