-- The log of heads: an append-only Merkle tree (RFC 6962) over the heads of all trails, and its signed checkpoints.
-- Nothing in it ever changes, so the serving role may add to it and nothing else.

create table audit_leaves (
    index bigint not null constraint audit_leaves_index_from_zero check (index >= 0),
    subject text not null constraint audit_leaves_subject_known check (subject in ('task', 'partner')),
    subject_id uuid not null,
    seq bigint not null constraint audit_leaves_seq_from_one check (seq >= 1),
    head bytea not null constraint audit_leaves_head_is_sha256 check (octet_length(head) = 32),
    constraint audit_leaves_pkey primary key (index),
    constraint audit_leaves_subject_key unique (subject, subject_id, seq)
);

comment on table audit_leaves is 'The leaves of the log: each says that a trail had a certain head. Its text is made from these columns and hashed';
comment on column audit_leaves.index is 'Its place in the log, from 0 without gaps; two replicas that append at once collide here, and one wins';
comment on column audit_leaves.subject is 'What kind of trail: that of a task or a partner''s own';
comment on column audit_leaves.subject_id is 'The task or the partner';
comment on column audit_leaves.seq is 'Seq of the trail''s last entry; a head is logged once';
comment on column audit_leaves.head is 'Hash of that entry';

create table audit_nodes (
    level smallint not null constraint audit_nodes_level_known check (level between 0 and 62),
    index bigint not null constraint audit_nodes_index_from_zero check (index >= 0),
    hash bytea not null constraint audit_nodes_hash_is_sha256 check (octet_length(hash) = 32),
    constraint audit_nodes_pkey primary key (level, index)
);

comment on table audit_nodes is 'Hashes of the complete subtrees of the log, which never change: roots and proofs of every size are made from a few of them';
comment on column audit_nodes.level is 'How high: 0 is a leaf''s hash, level n covers 2^n leaves';
comment on column audit_nodes.index is 'Its place among those of its level, from 0';
comment on column audit_nodes.hash is 'SHA-256(0x01, left, right), at level 0 SHA-256(0x00, text of the leaf)';

create table audit_checkpoints (
    size bigint not null constraint audit_checkpoints_size_from_one check (size >= 1),
    root bytea not null constraint audit_checkpoints_root_is_sha256 check (octet_length(root) = 32),
    note text not null,
    signed_at timestamptz not null,
    cursor_epoch bigint not null default 0,
    cursor xid8 not null,
    constraint audit_checkpoints_pkey primary key (size),
    constraint audit_checkpoints_times_are_real check (
        signed_at > '-infinity' and signed_at < '100000-01-01 00:00:00+00')
);

comment on table audit_checkpoints is 'What was signed and published: the log at some size';
comment on column audit_checkpoints.size is 'How many leaves the log had';
comment on column audit_checkpoints.root is 'Its root';
comment on column audit_checkpoints.note is 'The signed note (C2SP tlog-checkpoint) byte for byte, as it was published';
comment on column audit_checkpoints.signed_at is 'When it was signed, by the signing replica''s clock';
comment on column audit_checkpoints.cursor_epoch is 'The epoch of the transaction in cursor';
comment on column audit_checkpoints.cursor is 'The last transaction whose events are in it: whole transactions are taken, in their order, below the oldest one still running';

grant select, insert on audit_leaves, audit_nodes, audit_checkpoints to stagegate_app;
